//! Words of one form: ids within definitions, languages, LOINC codes.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A word that has not the form of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct FormError(&'static str);

/// An id within definitions: of an instrument, an item, a score, a band. Lower-case letters and digits, in parts with
/// `-` between them, at most [`Id::CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, ToSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength" = 40))]
#[schema(as = InstrumentWord, value_type = String, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 40, example = "gad-7")]
pub struct Id(Box<str>);

/// A language, as BCP 47 names it: `en`, `pt-BR`, `zh-Hant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, ToSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$", "maxLength" = 35))]
#[schema(value_type = String, pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length = 35, example = "en")]
pub struct Language(Box<str>);

/// A code of LOINC: up to seven digits, and after `-` the check digit that belongs to them (mod 10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, ToSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9]{1,7}-[0-9]$"))]
#[schema(value_type = String, pattern = "^[0-9]{1,7}-[0-9]$", example = "44261-6")]
pub struct Loinc(Box<str>);

impl Id {
    /// Longest id, in characters.
    pub const CHARS_MAX: usize = 40;

    pub(super) fn fits(s: &str) -> bool {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        s.len() <= Self::CHARS_MAX && s.split('-').all(part)
    }
}

impl Language {
    /// Longest tag, in characters.
    pub const CHARS_MAX: usize = 35;

    fn fits(s: &str) -> bool {
        let (first, rest) = s.split_once('-').unwrap_or((s, "x"));
        let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_language = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase());
        s.len() <= Self::CHARS_MAX && is_language && rest.split('-').all(part)
    }
}

impl Loinc {
    fn fits(s: &str) -> bool {
        let Some((number, check)) = s.split_once('-') else { return false };
        let digits = |s: &str, most| (1..=most).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        digits(number, 7) && digits(check, 1) && check.as_bytes()[0] - b'0' == check_digit(number)
    }
}

/// Of digits, the one that LOINC writes behind them: every second from the right counts double, and with the check
/// digit all digits add up to a multiple of ten (Luhn; LOINC Users' Guide, "mod 10").
fn check_digit(digits: &str) -> u8 {
    let counted = digits.bytes().rev().enumerate().map(|(n, byte)| {
        let digit = (byte - b'0') * if n % 2 == 0 { 2 } else { 1 };
        digit / 10 + digit % 10
    });
    (10 - counted.sum::<u8>() % 10) % 10
}

macro_rules! word {
    ($($name:ident: $what:literal;)+) => { $(
        impl $name {
            /// The word.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = FormError;
            fn from_str(s: &str) -> Result<Self, FormError> {
                if Self::fits(s) { Ok(Self(s.into())) } else { Err(FormError($what)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Read;

                impl serde::de::Visitor<'_> for Read {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$name, E> {
                        word.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Read)
            }
        }
    )+ };
}

word! {
    Id: "1 to 40 of a-z and 0-9, in parts with `-` between them";
    Language: "a language tag of BCP 47, such as `en` or `pt-BR`";
    Loinc: "a LOINC code with its check digit, such as 44261-6";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form() {
        for id in ["phq-9", "1", "moderately-severe", "who-5"] {
            assert_eq!(id.parse::<Id>().unwrap().as_str(), id);
        }
        for bad in ["", "-", "PHQ-9", "phq_9", "phq--9", "phq-", "é", " phq", &"a".repeat(41)] {
            assert!(bad.parse::<Id>().is_err(), "{bad}");
        }
    }

    #[test]
    fn languages_are_tags() {
        for tag in ["en", "pt-BR", "zh-Hant-TW", "de-CH-1996"] {
            assert_eq!(tag.parse::<Language>().unwrap().as_str(), tag);
        }
        for bad in ["", "e", "EN", "english", "en_GB", "en-", "en-überall", &format!("en{}", "-a".repeat(17))] {
            assert!(bad.parse::<Language>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_loinc_code_with_a_slip_in_it_is_none() {
        for code in ["44249-1", "44261-6", "70274-6", "70272-0", "55758-7", "69724-3", "2160-0"] {
            assert_eq!(code.parse::<Loinc>().unwrap().as_str(), code);
        }
        for bad in ["44249-2", "44294-1", "44261", "44261-", "-6", "LA6568-5", "12345678-1", "44261-66"] {
            assert!(bad.parse::<Loinc>().is_err(), "{bad}");
        }
    }
}
