//! Links by which somebody without an account answers one referral: `kithlink_{organisation}.{place}.{secret}`, sent as a
//! bearer token. A page gets it behind the `#` of its address, which no browser sends and no log keeps.

use domain::{LinkId, MemberId, OrgId, referral::Digest};

use crate::{Caller, Problem, positions::Seal};

/// What every link starts with, so that one that leaked into a file is found by its look.
const PREFIX: &str = "kithlink_";
/// What the place is sealed for.
const PLACE: &str = "link";
/// Hexadecimal digits of a secret, a count.
const SECRET_DIGITS: usize = 64;

/// A link that was sent; whether it is good, the log says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LinkKey<'a> {
    /// Whose organisation.
    pub org: OrgId,
    /// In whose stream it is, and which: sealed.
    place: &'a str,
    /// Digest of its secret.
    pub secret: Digest,
}

/// A new link, and the digest that is kept of it. `secret` is 256 bits that nobody can guess.
///
/// # Errors
/// 500 if nobody let the caller in.
pub fn new_link_key(
    caller: &Caller,
    (member, link): (MemberId, LinkId),
    secret: &[u8; 32],
) -> Result<(String, Digest), Problem> {
    let place = caller.seal(PLACE, &format!("{member} {link}"))?;
    let secret = blake3::Hash::from_bytes(*secret).to_hex();
    Ok((format!("{PREFIX}{}.{place}.{secret}", caller.org), digest(&secret)))
}

fn digest(secret: &str) -> Digest {
    Digest::from(*blake3::hash(secret.as_bytes()).as_bytes())
}

impl<'a> LinkKey<'a> {
    /// The link that this text is, if it looks like one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (org, rest) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let (place, secret) = rest.split_once('.')?;
        let org = org.parse().ok()?;
        (secret.len() == SECRET_DIGITS).then(|| Self { org, place, secret: digest(secret) })
    }

    /// In whose stream it is, and which.
    pub fn place(&self, seal: &Seal) -> Option<(MemberId, LinkId)> {
        let place = String::from_utf8(seal.open(&self.org, PLACE, self.place)?).ok()?;
        let (member, link) = place.split_once(' ')?;
        Some((member.parse().ok()?, link.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_link_names_its_place_to_nobody_without_the_key() {
        let (org, seal): (OrgId, _) = ("north-star".parse().unwrap(), Seal::new([7; 32], || [3; 32]));
        let (member, link) = (MemberId(Uuid::from_u128(7)), LinkId(Uuid::from_u128(8)));
        let place = seal.seal(&org, PLACE, format!("{member} {link}").as_bytes());
        let text = format!("{PREFIX}{org}.{place}.{}", "01".repeat(32));
        let key = LinkKey::parse(&text).unwrap();
        assert_eq!((&key.org, key.place(&seal)), (&org, Some((member, link))));
        assert!(!text.contains(&member.to_string()) && !text.contains(&key.secret.to_string()));
        assert_eq!(key.place(&Seal::new([8; 32], || [3; 32])), None);
        let elsewhere = text.replace("north", "south");
        assert_eq!(LinkKey::parse(&elsewhere).unwrap().place(&seal), None);
        for bad in ["", "kithlink_", "kithlink_..", "kithlink_a.b.c", &text[..text.len() - 1], &text.replace('.', "_")]
        {
            assert_eq!(LinkKey::parse(bad), None, "{bad}");
        }
    }
}
