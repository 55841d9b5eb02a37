//! The keys of an OpenID Connect provider (RFC 7517): read with limits, kept, fetched again when they are old or one
//! is missing.

use std::{
    fmt,
    sync::{Arc, RwLock},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde_json::Value;
use tokio::sync::Mutex;

/// Keys older than this are fetched again: so long can a key be used after the provider took it away.
pub const KEYS_AGE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How long keys are used while the provider does not answer.
pub const KEYS_STALE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Least time between two attempts to fetch keys, whatever tokens name.
pub const REFRESH_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Longest key set, in bytes.
pub const KEYS_BYTES_MAX: usize = 64 * 1024;
/// Most keys of one provider, a count.
const KEYS_MAX: usize = 32;
/// Sizes of RSA moduli, in characters of base64url: 2,048 to 4,096 bits. Smaller ones are weak, larger ones slow.
const RSA_MODULUS_CHARS: std::ops::RangeInclusive<usize> = 342..=684;

/// Where a provider's keys come from: the composition root knows how to fetch.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The key set as it is now, at most [`KEYS_BYTES_MAX`].
    fn fetch(&self) -> BoxFuture<'_, Result<Bytes, String>>;
}

/// One key. What it may check is said by it, never by a token.
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys of a provider at one time.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<Key>,
    digest: Option<blake3::Hash>,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}

impl KeySet {
    /// The keys of a document; those that cannot be used here are left out.
    pub(super) fn read(document: &[u8]) -> Result<Self, String> {
        if document.len() > KEYS_BYTES_MAX {
            return Err(format!("the key set has more than {KEYS_BYTES_MAX} bytes"));
        }
        let value: Value = serde_json::from_slice(document).map_err(|_| "the key set is not JSON".to_owned())?;
        let keys = value["keys"].as_array().ok_or("the key set has no list `keys`")?;
        if keys.len() > KEYS_MAX {
            return Err(format!("the key set has {} keys, at most {KEYS_MAX} are possible", keys.len()));
        }
        Ok(Self { keys: keys.iter().filter_map(usable).collect(), digest: Some(blake3::hash(document)) })
    }

    /// The key with this id; without an id, the only one.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
        }
    }
}

fn usable(key: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if RSA_MODULUS_CHARS.contains(&rsa.n.len()) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let for_this = jwk.common.key_algorithm.is_none_or(|said| said == KeyAlgorithm::from(algorithm));
    let for_signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (for_this && for_signing).then_some(Key { id: jwk.common.key_id, algorithm, decoding })
}

#[derive(Debug, Default)]
struct Held {
    set: Arc<KeySet>,
    fetched_at: Option<Timestamp>,
}

/// A provider's keys, kept.
#[derive(Debug)]
pub(super) struct Keys {
    source: Arc<dyn KeySource>,
    held: RwLock<Held>,
    /// When they were last asked for. Held while they are.
    tried_at: Mutex<Option<Timestamp>>,
}

impl Keys {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self { source, held: RwLock::default(), tried_at: Mutex::default() }
    }

    /// The keys, fetched again if they are old. While somebody fetches, others go on with what there is.
    pub(super) async fn current(&self, now: Timestamp) -> Arc<KeySet> {
        match self.age(now) {
            Some(age) if age <= KEYS_AGE_MAX => {}
            Some(_) => {
                if let Ok(tried_at) = self.tried_at.try_lock() {
                    self.fetch(tried_at, now).await;
                }
            }
            None => self.fetch(self.tried_at.lock().await, now).await,
        }
        let held = self.held.read().expect("nothing panics while it is held");
        let usable = held.fetched_at.is_some_and(|at| now.duration_since(at).abs() <= KEYS_STALE_MAX);
        if usable { held.set.clone() } else { Arc::default() }
    }

    /// The keys with the one of this id, if the provider has it by now.
    pub(super) async fn with(&self, id: Option<&str>, now: Timestamp) -> Arc<KeySet> {
        let set = self.current(now).await;
        if set.find(id).is_some() {
            return set;
        }
        self.fetch(self.tried_at.lock().await, now).await;
        self.current(now).await
    }

    fn age(&self, now: Timestamp) -> Option<SignedDuration> {
        let held = self.held.read().expect("nothing panics while it is held");
        held.fetched_at.map(|at| now.duration_since(at).abs())
    }

    async fn fetch(&self, mut tried_at: tokio::sync::MutexGuard<'_, Option<Timestamp>>, now: Timestamp) {
        if tried_at.is_some_and(|at| now.duration_since(at).abs() < REFRESH_PAUSE) {
            return;
        }
        *tried_at = Some(now);
        match self.source.fetch().await.and_then(|document| KeySet::read(&document)) {
            Ok(set) => {
                if set.keys.is_empty() {
                    tracing::warn!("the OpenID Connect provider has no key that can be used");
                }
                let mut held = self.held.write().expect("nothing panics while it is held");
                // Keys that are the same stay the same value: tokens that they checked need not be checked again.
                if held.set.digest != set.digest {
                    held.set = Arc::new(set);
                }
                held.fetched_at = Some(now);
            }
            Err(error) => tracing::warn!(error, "the keys of the OpenID Connect provider cannot be fetched"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed(id: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": id })
    }

    fn read(keys: &Value) -> KeySet {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn keys_that_cannot_be_used_are_left_out_and_spoil_nothing() {
        let n = |chars: usize| "A".repeat(chars);
        let set = read(&json!([
            ed("good"),
            { "kty": "oct", "k": "c2VjcmV0", "kid": "secret" },
            { "kty": "RSA", "n": n(171), "e": "AQAB", "kid": "1024 bits" },
            { "kty": "RSA", "n": n(1_366), "e": "AQAB", "kid": "8192 bits" },
            { "kty": "RSA", "n": n(342), "e": "AQAB", "kid": "pss", "alg": "PS256" },
            { "kty": "RSA", "n": n(342), "e": "AQAB", "kid": "enc", "use": "enc" },
            { "kty": "RSA", "n": n(342), "e": "AQAB", "kid": "rsa", "alg": "RS256", "use": "sig" },
            { "kty": "EC", "crv": "P-384", "x": X, "y": X, "kid": "p384" },
            { "kty": "OKP", "crv": "X25519", "x": X, "kid": "x25519" },
            { "kty": "new", "kid": "unknown" },
            "nonsense",
        ]));
        let ids: Vec<_> = set.keys.iter().map(|key| key.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["good", "rsa"]);
    }

    #[test]
    fn a_token_without_a_key_id_needs_a_provider_with_one_key() {
        assert!(read(&json!([ed("a")])).find(None).is_some());
        assert!(read(&json!([ed("a"), ed("b")])).find(None).is_none());
        assert!(read(&json!([ed("a")])).find(Some("b")).is_none());
    }

    #[test]
    fn a_document_that_is_no_key_set_is_refused_as_a_whole() {
        let many = json!({ "keys": (0..33).map(|n| ed(&n.to_string())).collect::<Vec<_>>() }).to_string();
        let large = json!({ "keys": [], "more": "x".repeat(KEYS_BYTES_MAX) }).to_string();
        for document in ["", "[]", "{}", "<html>", many.as_str(), large.as_str()] {
            assert!(KeySet::read(document.as_bytes()).is_err(), "{document:.40}");
        }
    }
}
