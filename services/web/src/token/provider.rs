//! Access tokens of an OpenID Connect provider: which are accepted, and how what they say is read.

use std::{collections::BTreeMap, sync::Arc};

use domain::{GroupId, OrgId};
use jiff::Timestamp;
use jsonwebtoken::Validation;
use serde_json::Value;

use super::{
    CLOCK_SKEW, Claims, GROUPS_MAX, check_subject, header,
    keys::{KeySet, KeySource, Keys},
};
use crate::{Compute, Undone, authority::Role};

/// What the provider's tokens must say, and where they say the rest. A claim is named as it is, or by a JSON pointer
/// (`/realm_access/roles`).
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Who must have issued them.
    pub issuer: String,
    /// For whom they must be.
    pub audience: String,
    /// The claim with the role: text, or a list of texts.
    pub role_claim: String,
    /// The claim with the organisation's id.
    pub org_claim: String,
    /// The claim with the groups of a facilitator: a list; what is no id of a group is skipped.
    pub groups_claim: String,
    /// Their words for our roles; if empty, theirs are ours.
    pub roles: BTreeMap<String, Role>,
}

/// An OpenID Connect provider whose tokens are accepted. It is trusted for every organisation that it names.
#[derive(Debug, Clone)]
pub struct Provider {
    mapping: Arc<Mapping>,
    keys: Arc<Keys>,
}

impl Provider {
    /// The provider with these keys.
    pub fn new(mapping: Mapping, source: Arc<dyn KeySource>) -> Self {
        Self { mapping: Arc::new(mapping), keys: Arc::new(Keys::new(source)) }
    }

    /// Its keys now. Tokens that other keys checked must be checked again.
    pub(crate) async fn keys(&self, now: Timestamp) -> Arc<KeySet> {
        self.keys.current(now).await
    }

    /// What a token says, if it is one of the provider's, and the keys that checked it; whether it is valid now,
    /// [`Claims::valid_at`] says.
    ///
    /// # Errors
    /// 503 if too many are checked at once.
    pub(crate) async fn check(
        &self,
        token: &str,
        now: Timestamp,
        compute: &Compute,
    ) -> Result<Option<(Claims, Arc<KeySet>)>, Undone> {
        let Some(header) = header(token) else { return Ok(None) };
        let set = self.keys.with(header.kid.as_deref(), now).await;
        if set.find(header.kid.as_deref()).is_none() {
            return Ok(None);
        }
        // A signature of RSA takes a millisecond, and whoever knows the key's id can send as many as they like.
        let (mapping, token) = (self.mapping.clone(), token.to_owned());
        compute.run_for_nobody(move || said(&set, header.kid.as_deref(), &token, &mapping).zip(Some(set))).await
    }
}

/// What a token says, if the key with that id signed it.
fn said(set: &KeySet, id: Option<&str>, token: &str, mapping: &Mapping) -> Option<Claims> {
    let key = set.find(id)?;
    let mut validation = Validation::new(key.algorithm);
    // All that a token says is looked at in `claims`; time is an argument.
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    let said = jsonwebtoken::decode::<Value>(token, &key.decoding, &validation).ok()?.claims;
    mapping.claims(&said)
}

impl Mapping {
    fn claims(&self, said: &Value) -> Option<Claims> {
        let for_us = texts(&said["aud"]).any(|audience| audience == self.audience);
        if said["iss"] != *self.issuer || !for_us {
            return None;
        }
        let exp = seconds(&said["exp"])?;
        let (nbf, iat) = (optional_seconds(said, "nbf").ok()?, optional_seconds(said, "iat").ok()?);
        // Many providers give no `nbf`; then it is valid from when it was issued.
        let (nbf, issued_at) = (nbf.max(iat)?, iat.or(nbf)?);
        let sub = check_subject(said["sub"].as_str()?).ok()?;
        let jti = said["jti"].as_str().map(str::parse).transpose().ok()?;
        Some(Claims {
            sub,
            org: find(said, &self.org_claim)?.as_str()?.parse::<OrgId>().ok()?,
            role: self.role(find(said, &self.role_claim)?)?,
            groups: self.groups(said)?,
            jti,
            // Its clock may be ahead of ours: who is logged out now must not keep what was issued before.
            issued_at: issued_at.saturating_sub(CLOCK_SKEW.as_secs()),
            nbf,
            exp,
        })
    }

    /// The one role that is said. None if several are: nobody should have to guess which one holds.
    fn role(&self, said: &Value) -> Option<Role> {
        let known = |text: &str| {
            if self.roles.is_empty() { text.parse().ok() } else { self.roles.get(text).copied() }
        };
        let mut roles: Vec<Role> = texts(said).filter_map(known).collect();
        roles.dedup();
        match roles.as_slice() {
            [role] => Some(*role),
            _ => None,
        }
    }

    fn groups(&self, said: &Value) -> Option<Vec<GroupId>> {
        let Some(said) = find(said, &self.groups_claim) else { return Some(vec![]) };
        let groups: Vec<GroupId> = texts(said).filter_map(|text| text.parse().ok()).collect();
        (groups.len() <= GROUPS_MAX).then_some(groups)
    }
}

fn find<'a>(said: &'a Value, claim: &str) -> Option<&'a Value> {
    if claim.starts_with('/') { said.pointer(claim) } else { said.get(claim) }
}

/// A text, or a list of them.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().into_iter().flatten();
    value.as_str().into_iter().chain(list.filter_map(Value::as_str))
}

/// RFC 7519: a number of seconds, which need not be whole.
#[allow(clippy::cast_possible_truncation)] // a float saturates, and such a time is out of all bounds
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

/// A time that need not be said.
///
/// # Errors
/// If it is said, but is no time.
fn optional_seconds(said: &Value, claim: &str) -> Result<Option<i64>, NoTime> {
    said.get(claim).map(|value| seconds(value).ok_or(NoTime)).transpose()
}

/// What is said where a time should be is none.
struct NoTime;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            issuer: "https://id.example".into(),
            audience: "kith".into(),
            role_claim: "role".into(),
            org_claim: "org".into(),
            groups_claim: "groups".into(),
            roles: BTreeMap::new(),
        }
    }

    fn said(change: impl FnOnce(&mut Value)) -> Value {
        let mut said = json!({ "iss": "https://id.example", "aud": "kith", "sub": "ann", "org": "acme", "role": "admin",
            "iat": 1_000, "exp": 2_000, "jti": "t1" });
        change(&mut said);
        said
    }

    #[test]
    fn every_claim_that_is_needed_is_needed() {
        assert!(mapping().claims(&said(|_| ())).is_some());
        for claim in ["iss", "aud", "sub", "org", "role", "iat", "exp"] {
            let without = said(|said| drop(said.as_object_mut().unwrap().remove(claim)));
            assert_eq!(mapping().claims(&without), None, "{claim}");
            for nonsense in [json!(null), json!({}), json!([]), json!(true), json!("\u{0}")] {
                assert_eq!(mapping().claims(&said(|said| said[claim] = nonsense.clone())), None, "{claim} {nonsense}");
            }
        }
        // An issuer is one, never a list of them.
        assert_eq!(mapping().claims(&said(|said| said["iss"] = json!(["https://id.example"]))), None);
        assert_eq!(mapping().claims(&said(|said| said["nbf"] = json!("soon"))), None);
    }

    #[test]
    fn a_subject_and_an_id_have_one_form_whatever_the_provider_writes() {
        let id = "018f3c7a-0000-7000-8000-00000000000a";
        let claims = |sub: &str| mapping().claims(&said(|said| (said["sub"], said["jti"]) = (json!(sub), json!(sub))));
        for sub in [id.to_uppercase(), format!("urn:uuid:{id}"), format!(" {id}"), id.replace('-', "")] {
            let claims = claims(&sub).unwrap();
            assert_eq!((claims.sub.as_str(), claims.jti.unwrap().as_str()), (id, id), "{sub}");
        }
        for nobody in [" ", "\u{a0}", "client:1", " client:1", "e\u{200b}ve", "00000000000000000000000000000000"] {
            assert_eq!(claims(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn a_token_is_valid_from_the_later_of_its_beginnings() {
        let claims = mapping().claims(&said(|said| said["nbf"] = json!(1_500))).unwrap();
        assert_eq!((claims.nbf, claims.issued_at), (1_500, 970));
        let at = |second| claims.valid_at(Timestamp::from_second(second).unwrap());
        assert!(!at(1_469) && at(1_470) && at(2_030) && !at(2_031));
        let endless = mapping().claims(&said(|said| said["exp"] = json!(1e18))).unwrap();
        assert!(!endless.valid_at(Timestamp::from_second(1_000 + 25 * 3_600).unwrap()), "a day at the most");
    }

    #[test]
    fn a_role_is_found_in_their_words_and_several_are_none() {
        let theirs = Mapping {
            role_claim: "/realm_access/roles".into(),
            roles: BTreeMap::from([("Leitung".into(), Role::Facilitator), ("Chef".into(), Role::Admin)]),
            ..mapping()
        };
        let role = |roles: Value| {
            theirs.claims(&said(|said| said["realm_access"] = json!({ "roles": roles }))).map(|claims| claims.role)
        };
        assert_eq!(role(json!(["offline", "Leitung"])), Some(Role::Facilitator));
        assert_eq!(role(json!("Chef")), Some(Role::Admin));
        for none in [json!(["Leitung", "Chef"]), json!(["admin"]), json!([])] {
            assert_eq!(role(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn groups_are_those_that_are_ids() {
        let id = GroupId(uuid::Uuid::from_u128(7));
        let claims = mapping().claims(&said(|said| said["groups"] = json!(["staff", id]))).unwrap();
        assert_eq!(claims.groups, [id]);
        let many: Vec<_> = (1..66).map(|n| GroupId(uuid::Uuid::from_u128(n))).collect();
        assert_eq!(mapping().claims(&said(|said| said["groups"] = json!(many))), None);
    }
}
