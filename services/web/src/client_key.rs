//! Keys of API clients: `kith_{organisation}.{client}_{secret}`, sent as a bearer token.

use domain::{ClientId, OrgId, Text};
use uuid::Uuid;

/// What every key starts with, so that one that leaked into a file is found by its look.
const PREFIX: &str = "kith_";

/// A key that was sent; whether it is the client's, its hash says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientKey {
    /// Whose organisation.
    pub org: OrgId,
    /// Which client.
    pub client: ClientId,
    parts: Parts,
}

/// The key of a new client, and the hash that is kept of it. `secret` is 256 random bits: a key that nobody can guess
/// needs no slow hash.
pub fn new_client_key(org: &OrgId, client: ClientId, secret: &[u8; 32]) -> (String, Text<64>) {
    written(PREFIX, org, client.0, secret)
}

impl ClientKey {
    /// The key that this text is, if it looks like one.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = Parts::read(PREFIX, text)?;
        Some(Self { org: parts.org.clone(), client: ClientId(parts.id), parts })
    }

    /// Whether it is the key with this hash. Takes the same time wherever they differ.
    pub fn is(&self, hash: &Text<64>) -> bool {
        self.parts.is(hash)
    }
}

/// What keys of this form say: whose they are, and a secret, of which only the hash is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub org: OrgId,
    pub id: Uuid,
    hash: blake3::Hash,
}

/// `{prefix}{organisation}.{id}_{secret}`, and the hash that is kept of the secret.
pub(crate) fn written(prefix: &str, org: &OrgId, id: Uuid, secret: &[u8; 32]) -> (String, Text<64>) {
    let secret = blake3::Hash::from_bytes(*secret).to_hex();
    let hash = blake3::hash(secret.as_bytes()).to_hex();
    let key = format!("{prefix}{org}.{}_{secret}", id.as_simple());
    (key, hash.parse().expect("64 hexadecimal digits"))
}

impl Parts {
    pub fn read(prefix: &str, text: &str) -> Option<Self> {
        let (org, rest) = text.strip_prefix(prefix)?.split_once('.')?;
        let (id, secret) = rest.split_once('_')?;
        let id = Some(id).filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok())?;
        let org = org.parse().ok()?;
        (secret.len() == 64).then(|| Self { org, id, hash: blake3::hash(secret.as_bytes()) })
    }

    pub fn is(&self, hash: &Text<64>) -> bool {
        blake3::Hash::from_hex(hash.as_str()).is_ok_and(|kept| kept == self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_client_and_only_its_own_hash_fits() {
        let (org, client) = ("north-star".parse().unwrap(), ClientId(Uuid::from_u128(7)));
        let (text, hash) = new_client_key(&org, client, &[1; 32]);
        assert!(!text.contains(hash.as_str()) && !hash.as_str().contains(&"01".repeat(32)));
        let key = ClientKey::parse(&text).unwrap();
        assert_eq!((&key.org, key.client), (&org, client));
        assert!(key.is(&hash));
        assert!(!key.is(&new_client_key(&org, client, &[2; 32]).1));
    }

    #[test]
    fn what_does_not_look_like_a_key_is_none() {
        let good = new_client_key(&"a".parse().unwrap(), ClientId(Uuid::nil()), &[1; 32]).0;
        let cut = good[..good.len() - 1].to_owned();
        for bad in ["", "kith_", "kith_.._", "kith_A.0_0", "ey.a.b", &cut, &format!("{good}0"), &good.replace('.', "_")]
        {
            assert_eq!(ClientKey::parse(bad), None, "{bad}");
        }
    }
}
