//! Text from outside: in one form, not empty, without control characters, of bounded length.

mod normal;

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// What a text looks like, as far as an expression can say: something that is seen, no control characters, nothing for
/// private use.
const PATTERN: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f\ue000-\uf8ff]*",
    r"[^\s\x00-\x1f\x7f-\x9f\xad\u115f\u1160\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufeff\uffa0]",
    r"[^\x00-\x1f\x7f-\x9f\ue000-\uf8ff]*$",
);

/// Text of 1 to `MAX` characters on one line, in its normal form: composed (NFC), with single spaces and none at the
/// ends, without characters that are not seen. Serialised as a string.
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
    /// A character of which nobody can say what it is.
    #[error("must not contain characters for private use or without a meaning")]
    Meaningless,
    /// So many marks that a letter cannot be read.
    #[error("must not have more than {} marks on one letter", normal::MARKS_MAX)]
    Marks,
}

impl From<normal::Fault> for TextError {
    fn from(fault: normal::Fault) -> Self {
        match fault {
            normal::Fault::Control => Self::Control,
            normal::Fault::Meaningless => Self::Meaningless,
            normal::Fault::Marks => Self::Marks,
        }
    }
}

/// Bytes of a text that are looked at for each character that it can have: nobody makes a longer one be read.
const BYTES_PER_CHARACTER: usize = 32;

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
        if s.len() > MAX * BYTES_PER_CHARACTER {
            return Err(TextError::TooLong { is: s.chars().count(), max: MAX });
        }
        let form = normal::normal(s)?;
        match form.chars().count() {
            0 => Err(TextError::Empty),
            is if is > MAX => Err(TextError::TooLong { is, max: MAX }),
            _ => Ok(Self(form.into())),
        }
    }
}

/// JSON whose texts were taken when less was asked of them, with texts that can be read now: what can be kept of each
/// stays. Nothing else of it changes.
pub fn mended(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::String(text) if !text.is_ascii() => Value::String(normal::mended(&text)),
        Value::Array(all) => all.into_iter().map(mended).collect(),
        Value::Object(all) => all.into_iter().map(|(name, value)| (name, mended(value))).collect(),
        other => other,
    }
}

/// Whether a character cannot be seen.
pub fn is_invisible(c: char) -> bool {
    normal::is_invisible(c)
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

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (given, taken) in [
            ("Cafe\u{301}", "Caf\u{e9}"),
            ("Jo\u{a0} \u{3000}Ann", "Jo Ann"),
            ("An\u{200b}na", "Anna"),
            ("\u{202e}Anna\u{202c}", "Anna"),
            ("\u{2066}Anna\u{2069}\u{200f}", "Anna"),
            ("An\u{ad}na\u{feff}", "Anna"),
            ("An\u{e0061}na\u{e007f}", "Anna"),
            ("An\u{fff9}na", "Anna"),
            ("An\u{200d}na\u{200c}", "Anna"),
            ("A\u{2028}B", "A B"),
            ("e\u{200b}\u{301}", "\u{e9}"),
            ("\u{3164}Anna\u{2800}", "Anna"),
            ("An\u{fe0f}na", "Anna"),
        ] {
            assert_eq!(given.parse::<Text<20>>().unwrap().as_str(), taken, "{given:?}");
        }
    }

    #[test]
    fn what_a_script_or_an_emoji_needs_stays() {
        for name in [
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}", // Persian, with a non-joiner
            "\u{936}\u{94d}\u{200d}\u{92f}",                             // Devanagari, with a joiner
            "\u{1f469}\u{1f3fd}\u{200d}\u{1f469}\u{200d}\u{1f467}",      // a family
            "\u{2764}\u{fe0f}",                                          // a red heart
            "\u{845b}\u{e0100}",                                         // a form of an ideograph
            "Ng\u{1b0}\u{1edd}i, \u{5e9}\u{5b8}\u{5c1}\u{5dc}\u{5d5}\u{5b9}\u{5dd}, \u{e19}\u{e49}\u{e33}",
            "O\u{2019}Brien-N\u{ed} \u{f2}g",
        ] {
            let form: String = unicode_normalization::UnicodeNormalization::nfc(name).collect();
            assert_eq!(name.parse::<Text<80>>().unwrap().as_str(), form, "{name:?}");
        }
    }

    #[test]
    fn a_text_of_nothing_that_is_seen_is_empty_and_what_nobody_understands_is_refused() {
        for nothing in ["\u{200b}", "\u{202e}\u{2069}", "\u{3164}", "\u{2800} \u{2800}", "\u{e0001}", "\u{200d}"] {
            assert_eq!(nothing.parse::<Text<4>>(), Err(TextError::Empty), "{nothing:?}");
        }
        for meaningless in ["\u{e000}", "a\u{ffff}", "\u{fdd0}", "\u{10ffff}", "\u{f0000}", "\u{378}"] {
            assert_eq!(meaningless.parse::<Text<4>>(), Err(TextError::Meaningless), "{meaningless:?}");
        }
        let zalgo = format!("a{}", "\u{316}\u{301}".repeat(3));
        assert_eq!(zalgo.parse::<Text<80>>(), Err(TextError::Marks));
        let long = format!("a{}", "\u{200b}".repeat(10_000));
        assert!(matches!(long.parse::<Text<80>>(), Err(TextError::TooLong { .. })));
    }

    #[test]
    fn texts_that_were_taken_before_are_read_for_ever() {
        for old in [
            "\u{200b}".to_owned(),
            "\u{e000}\u{ffff}".into(),
            "\u{958}".repeat(80),
            format!("a{}", "\u{316}".repeat(79)),
            "\u{202e}Anna".into(),
        ] {
            let read = mended(serde_json::json!({ "all": [old, 1] }));
            let text = read["all"][0].as_str().unwrap();
            assert_eq!(text.parse::<Text<80>>().unwrap().as_str(), text, "{old:?}");
        }
    }

    /// Texts with all that is difficult in them.
    fn texts() -> impl Strategy<Value = String> {
        let hard = "[a-zA-Z \\u{a0}\\u{300}-\\u{345}\\u{200b}-\\u{200f}\\u{202a}-\\u{202e}\\u{2066}-\\u{2069}\\u{fe00}-\\u{fe0f}\\u{628}-\\u{64f}\\u{915}-\\u{94d}\\u{958}\\u{1100}-\\u{11ff}\\u{ac00}-\\u{ac80}\\u{1f468}-\\u{1f470}\\u{1f3fb}\\u{180b}\\u{1820}\\u{e0100}\\u{845b}\\u{1e00}-\\u{1eff}\\u{0}\\u{e000}]{0,12}";
        prop_oneof!["\\PC{0,12}", ".{0,12}", hard]
    }

    proptest! {
        #[test]
        fn whatever_is_taken_fits_and_is_taken_again_as_it_is(given in texts()) {
            use unicode_normalization::UnicodeNormalization;
            let json = serde_json::to_string(&given).unwrap();
            let (parsed, read) = (given.parse::<Text<8>>(), serde_json::from_str::<Text<8>>(&json));
            prop_assert_eq!(parsed.as_ref().ok(), read.as_ref().ok());
            // However it is composed and spaced, it is the same.
            for other in [given.nfd().collect::<String>(), given.nfc().collect(), format!(" {}\u{a0}", given.replace(' ', "\u{2003} "))] {
                prop_assert_eq!(other.parse::<Text<8>>().ok(), parsed.as_ref().ok().cloned(), "{:?}", other);
            }
            if let Ok(text) = parsed {
                let shown = text.as_str();
                prop_assert!((1..=8).contains(&shown.chars().count()) && !shown.chars().any(char::is_control));
                prop_assert!(shown.trim() == shown && !shown.contains("  "));
                let unseen = shown.contains(['\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}']);
                prop_assert!(!unseen);
                prop_assert_eq!(shown.parse(), Ok(text.clone()));
                prop_assert_eq!(serde_json::from_str::<Text<8>>(&serde_json::to_string(&text).unwrap()).ok(), Some(text));
            }
        }

        #[test]
        fn whatever_was_taken_before_can_be_read(given in texts()) {
            let given = given.trim().replace(char::is_control, "");
            let length = given.chars().count();
            if (1..=8).contains(&length) {
                let read = mended(given.clone().into());
                let text = serde_json::from_value::<Text<8>>(read.clone());
                prop_assert!(text.is_ok(), "{:?}: {:?}", given, text);
                if let Ok(same) = given.parse::<Text<8>>()
                    && same.as_str().chars().count() <= length
                {
                    prop_assert_eq!(text.unwrap(), same);
                }
            }
        }
    }
}
