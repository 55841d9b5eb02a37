//! Bearer tokens: what they say, and the built-in issuer that signs them (EdDSA) with a key of the data directory.
//! Tokens of an OpenID Connect provider are read in `provider.rs`, its keys kept in `keys.rs`.

mod keys;
mod provider;

use std::sync::Arc;

use domain::{GroupId, OrgId, Subject, TokenId};
use ed25519_dalek::SigningKey;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::authority::Role;

pub use domain::{SUBJECT_CHARS_MAX, access::TOKEN_TTL_MAX};
pub use keys::{KEYS_AGE_MAX, KEYS_BYTES_MAX, KEYS_STALE_MAX, KeySet, KeySource, REFRESH_PAUSE};
pub use provider::{Mapping, Provider};

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Most groups named in one token, a count.
pub const GROUPS_MAX: usize = 64;
/// How far clocks may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);
/// Issuer and audience of our tokens.
const KITH: &str = "kith";
/// What comes before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
pub(crate) const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What a token says, whoever issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who: an id of the organisation's choice; of a member, the member's id.
    pub sub: Subject,
    /// For which organisation.
    pub org: OrgId,
    /// As what.
    pub role: Role,
    /// A facilitator's own groups.
    pub groups: Vec<GroupId>,
    /// The token's own id, by which it can be revoked. Some providers give none.
    pub jti: Option<TokenId>,
    /// When it was issued, seconds since 1970; of another issuer, the earliest that it can have been by our clock.
    pub issued_at: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Not after, seconds since 1970.
    pub exp: i64,
}

/// As the built-in issuer writes them.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    sub: Arc<str>,
    org: OrgId,
    role: Role,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<Arc<str>>,
    nbf: i64,
    exp: i64,
    iss: String,
    aud: String,
}

/// A token that cannot be made or is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than a token can live.
    #[error("a token lives 1 second to {} hours", TOKEN_TTL_MAX.as_hours())]
    Ttl,
    /// No subject, or one that is too long, cannot be read, or is an API client's.
    #[error(
        "a subject has 1 to {SUBJECT_CHARS_MAX} characters, all of them to be seen, does not begin with `client:` or `link:`, and is \
         not the nil or the max UUID"
    )]
    Subject,
    /// Too many groups.
    #[error("a token names at most {GROUPS_MAX} groups")]
    Groups,
    /// Not one of ours, changed, or not valid at this time.
    #[error("the token is not valid")]
    Invalid,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Issuer {
    signing: Arc<EncodingKey>,
    checking: Arc<DecodingKey>,
    /// Makes ids of tokens: without it nobody can tell what a token said from its id.
    ids: Arc<Zeroizing<[u8; 32]>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

impl Issuer {
    /// The issuer with this Ed25519 key.
    pub fn new(seed: &[u8; 32]) -> Self {
        let public = SigningKey::from_bytes(seed).verifying_key();
        Self {
            signing: Arc::new(EncodingKey::from_ed_der(&[&PKCS8_PREFIX[..], seed].concat())),
            checking: Arc::new(DecodingKey::from_ed_der(public.as_bytes())),
            ids: Arc::new(Zeroizing::new(blake3::derive_key("kith web 2026 token ids", seed))),
        }
    }

    /// A token. Its id (`jti`) is derived from what it says, with a key: asking twice in one second gives one token, not
    /// two.
    ///
    /// # Errors
    /// If what it shall say is out of bounds.
    pub fn sign(
        &self,
        (org, role, subject): (&OrgId, Role, &str),
        groups: Vec<GroupId>,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<String, TokenError> {
        if ttl < SignedDuration::from_secs(1) || ttl > TOKEN_TTL_MAX {
            return Err(TokenError::Ttl);
        }
        if groups.len() > GROUPS_MAX {
            return Err(TokenError::Groups);
        }
        let subject = check_subject(subject)?;
        let (iss, aud) = (KITH.into(), KITH.into());
        let (nbf, exp) = (now.as_second(), (now + ttl).as_second());
        let mut written =
            Written { sub: subject.shared(), org: org.clone(), role, groups, jti: None, nbf, exp, iss, aud };
        let said = serde_json::to_vec(&written).expect("claims have string keys only");
        let digest = blake3::keyed_hash(&self.ids, &said);
        let id = digest.as_bytes().first_chunk().map(|short| uuid::Builder::from_custom_bytes(*short).into_uuid());
        written.jti = id.map(|id| id.to_string().into());
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &written, &self.signing).map_err(|_| TokenError::Invalid)
    }

    /// What a token says, if it is one of ours; whether it is valid now, [`Claims::valid_at`] says.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, token: &str) -> Result<Claims, TokenError> {
        let header = header(token).ok_or(TokenError::Invalid)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[KITH]);
        validation.set_issuer(&[KITH]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Time is an argument here: see `valid_at`.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let Written { sub, org, role, groups, jti, nbf, exp, .. } =
            jsonwebtoken::decode(token, &self.checking, &validation).map_err(|_| TokenError::Invalid)?.claims;
        let sub = check_subject(&sub)?;
        // Without an id it could not be revoked.
        let jti = jti.and_then(|jti| jti.parse().ok()).ok_or(TokenError::Invalid)?;
        Ok(Claims { sub, org, role, groups, jti: Some(jti), issued_at: nbf, nbf, exp })
    }
}

impl Claims {
    /// Whether the token is valid now.
    pub fn valid_at(&self, now: Timestamp) -> bool {
        let (now, skew) = (now.as_second(), CLOCK_SKEW.as_secs());
        let end = self.exp.min(self.issued_at.saturating_add(TOKEN_TTL_MAX.as_secs()));
        self.nbf <= now.saturating_add(skew) && now <= end.saturating_add(skew)
    }
}

/// The header of a token of possible size and kind. One that names something critical (RFC 7515, section 4.1.11) is
/// none: we know of nothing critical.
fn header(token: &str) -> Option<Header> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
    let access = kind.is_none_or(|kind| ["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()));
    (access && header.crit.is_none()).then_some(header)
}

/// The subject of a person or a program that a token is for, in its one form.
fn check_subject(subject: &str) -> Result<Subject, TokenError> {
    let subject = subject.parse().ok().filter(|subject: &Subject| !subject.is_of_key());
    subject.ok_or(TokenError::Subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn token(issuer: &Issuer) -> String {
        let org = "acme".parse().unwrap();
        issuer.sign((&org, Role::Admin, "ann"), vec![], NOW, SignedDuration::from_hours(1)).unwrap()
    }

    #[test]
    fn a_token_says_who_it_is_for_and_ends() {
        let issuer = Issuer::new(&[1; 32]);
        let claims = issuer.check(&token(&issuer)).unwrap();
        assert_eq!((claims.org.as_str(), claims.role, claims.sub.as_str()), ("acme", Role::Admin, "ann"));
        let at = |seconds| claims.valid_at(NOW + SignedDuration::from_secs(seconds));
        assert!(!at(-31) && at(-30) && at(3_630) && !at(3_631));
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_not_valid() {
        let issuer = Issuer::new(&[1; 32]);
        let good = token(&issuer);
        assert_eq!(Issuer::new(&[2; 32]).check(&good), Err(TokenError::Invalid));
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (_, body) = head.split_once('.').unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{body}.");
        let hs256 = format!("eyJhbGciOiJIUzI1NiJ9.{body}.{signature}");
        for bad in [none, hs256, format!("{head}."), String::new(), "a.b.c".into(), "x".repeat(10_000)] {
            assert_eq!(issuer.check(&bad), Err(TokenError::Invalid), "{bad:.40}");
        }
    }

    #[test]
    fn a_token_has_an_id_and_another_one_when_it_says_something_else() {
        let issuer = Issuer::new(&[1; 32]);
        let org = "acme".parse().unwrap();
        let sign = |subject| issuer.sign((&org, Role::Admin, subject), vec![], NOW, SignedDuration::from_hours(1));
        let jti = |subject| issuer.check(&sign(subject).unwrap()).unwrap().jti.unwrap();
        assert_eq!(jti("ann"), jti("ann"));
        assert_ne!(jti("ann"), jti("bob"));
    }

    #[test]
    fn a_token_with_something_critical_or_of_another_kind_is_not_valid() {
        let issuer = Issuer::new(&[1; 32]);
        let claims = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(token(&issuer)).unwrap().claims;
        let with = |change: fn(&mut Header)| {
            let mut header = Header::new(Algorithm::EdDSA);
            change(&mut header);
            issuer.check(&jsonwebtoken::encode(&header, &claims, &issuer.signing).unwrap())
        };
        assert!(with(|_| ()).is_ok() && with(|header| header.typ = Some("at+JWT".into())).is_ok());
        assert_eq!(with(|header| header.crit = Some(vec!["b64".into()])), Err(TokenError::Invalid));
        assert_eq!(with(|header| header.typ = Some("logout+jwt".into())), Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_that_would_live_too_long_is_not_made() {
        let (issuer, org) = (Issuer::new(&[1; 32]), "acme".parse().unwrap());
        let sign = |subject, ttl| issuer.sign((&org, Role::Admin, subject), vec![], NOW, ttl);
        assert_eq!(sign("ann", TOKEN_TTL_MAX + SignedDuration::from_secs(1)), Err(TokenError::Ttl));
        for subject in ["", " ", "a\nb", "client:1", " client:1", "e\u{200b}ve", "00000000-0000-0000-0000-000000000000"]
        {
            assert_eq!(sign(subject, SignedDuration::from_secs(1)), Err(TokenError::Subject));
        }
    }
}
