//! Ids that are nobody's (the nil and the max UUID) do not come in: programs fill them in where they have none, and who
//! would be registered under one could not be told from all others of whom nothing is known.

use std::fmt;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use domain::is_nobody;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use crate::Problem;

/// What is said of one.
const NOBODYS: &str = "must not be the nil or the max UUID, which stand for nobody";

fn is_nobodys(text: &str) -> bool {
    Uuid::try_parse(&text.trim().to_ascii_lowercase()).is_ok_and(|id| is_nobody(&id))
}

/// Refuses a path that has one.
pub(crate) async fn refuse_in_path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<(), Problem> {
    // A path that cannot be read is refused by whoever reads it.
    let Ok(all) = RawPathParams::from_request_parts(parts, state).await else { return Ok(()) };
    match all.iter().find(|(_, value)| is_nobodys(value)) {
        Some((name, _)) => Err(Problem::malformed(format!("path, at `{name}`: {NOBODYS}"))),
        None => Ok(()),
    }
}

/// Refuses JSON that has one as a text.
pub(crate) fn refuse_in(body: &[u8]) -> Result<(), Problem> {
    // Most bodies have nothing that could be one, however it is written.
    let alike = |eight: &[u8]| eight.iter().all(|byte| *byte == b'0') || eight.eq_ignore_ascii_case(b"ffffffff");
    if !body.contains(&b'\\') && !body.windows(8).any(alike) {
        return Ok(());
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Anything>(&mut json) {
        // What is no JSON is refused by whoever reads it.
        Err(error) if error.inner().is_data() => Err(Problem::malformed_body(&error)),
        _ => Ok(()),
    }
}

/// JSON without such a text.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        if is_nobodys(text) { Err(E::custom(NOBODYS)) } else { Ok(self) }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
        while all.next_element::<Self>()?.is_some() {}
        Ok(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
        while all.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_nobodys_is_found_wherever_it_stands_and_however_it_is_written() {
        let nil = "00000000-0000-0000-0000-000000000000";
        for text in [nil, "ffffffff-FFFF-ffff-ffff-ffffffffffff", &nil.replace('-', ""), &format!("urn:uuid:{nil}")] {
            for body in [
                format!(r#"{{"member":"{text}"}}"#),
                format!(r#"{{"a":[1,{{"{text}":null}}]}}"#),
                format!("[\"{text}\"]"),
            ] {
                assert!(refuse_in(body.as_bytes()).is_err(), "{body}");
            }
        }
        let escaped = nil.replacen("00", "\\u0030\\u0030", 1);
        let refused = refuse_in(format!(r#"{{"member":"{escaped}"}}"#).as_bytes()).unwrap_err();
        assert!(format!("{refused:?}").contains("at `member`: must not be the nil"), "{refused:?}");
        for body in [
            &format!(r#"{{"notes":"it said {nil}"}}"#),
            r#"{"member":"018f3c7a-0000-7000-8000-000000000000"}"#,
            r#"{"amount":100000000000,"a":[true,-1,0.5,null,"\u00e9"]}"#,
            "00000000",
            "",
        ] {
            assert!(refuse_in(body.as_bytes()).is_ok(), "{body}");
        }
    }
}
