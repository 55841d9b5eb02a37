//! Text from outside: trimmed, not empty, without control characters, of bounded length.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// What a text looks like: something that is seen, no control characters.
const PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// Text of 1 to `MAX` characters on one line, trimmed. Serialised as a string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(Box<str>);

/// Text that does not fit its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field takes.
    #[error("has {is} characters, at most {max} are possible")]
    TooLong {
        /// Characters given.
        is: usize,
        /// Characters possible.
        max: usize,
    },
    /// A character that no name, reason or comment needs.
    #[error("must not contain control characters")]
    Control,
}

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;
    fn from_str(s: &str) -> Result<Self, TextError> {
        let s = s.trim();
        let is = s.chars().count();
        match () {
            () if is == 0 => Err(TextError::Empty),
            () if is > MAX => Err(TextError::TooLong { is, max: MAX }),
            () if s.chars().any(char::is_control) => Err(TextError::Control),
            () => Ok(Self(s.into())),
        }
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

impl<const MAX: usize> PartialSchema for Text<MAX> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX))
            .pattern(Some(PATTERN))
            .into()
    }
}

impl<const MAX: usize> ToSchema for Text<MAX> {
    fn name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_trimmed_and_bounded_in_characters_not_bytes() {
        assert_eq!("  à la  ".parse::<Text<4>>().unwrap().as_str(), "à la");
        assert_eq!(" \t".parse::<Text<4>>(), Err(TextError::Empty));
        assert_eq!("abcde".parse::<Text<4>>(), Err(TextError::TooLong { is: 5, max: 4 }));
        assert_eq!("a\u{0}b".parse::<Text<4>>(), Err(TextError::Control));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_fits_and_is_taken_again_as_it_is(
            given in prop_oneof!["\\PC{0,12}", "[ \\t\\r\\n\u{0}\u{a0}\u{200b}\u{202e}a-c]{0,12}"],
        ) {
            let json = serde_json::to_string(&given).unwrap();
            let (parsed, read) = (given.parse::<Text<8>>(), serde_json::from_str::<Text<8>>(&json));
            prop_assert_eq!(parsed.as_ref().ok(), read.as_ref().ok());
            if let Ok(text) = parsed {
                let shown = text.as_str();
                prop_assert!((1..=8).contains(&shown.chars().count()) && !shown.chars().any(char::is_control));
                prop_assert!(given.contains(shown) && shown.trim() == shown);
                prop_assert_eq!(shown.parse(), Ok(text.clone()));
                prop_assert_eq!(serde_json::from_str::<Text<8>>(&serde_json::to_string(&text).unwrap()).ok(), Some(text));
            }
        }
    }
}
