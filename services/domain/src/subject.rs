//! Names that come with a token: whose it is, and its own. Each has one form, made where it enters, so that what is
//! revoked, assigned or reviewed is what the token says, however it was typed.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::{
    ClientId, LinkId,
    id::is_nobody,
    text::{Text, TextError, is_invisible},
};

/// Longest one, in characters.
pub const SUBJECT_CHARS_MAX: usize = 128;
/// How subjects of API clients begin, and no others.
const CLIENT: &str = "client:";
/// How those of links begin, and no others.
const LINK: &str = "link:";

/// A text that names nobody's token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Not a text that can be one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two of them could look alike.
    #[error("must not contain characters that are not seen")]
    Invisible,
    /// An id that is nobody's.
    #[error("must not be the nil or the max UUID, which stand for nobody")]
    Nobody,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, shared.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
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

        /// As it comes from outside, such as in a token.
        impl FromStr for $name {
            type Err = SubjectError;
            fn from_str(s: &str) -> Result<Self, SubjectError> {
                let form = normal(s)?;
                let nobody = form.parse().is_ok_and(|id: Uuid| is_nobody(&id));
                match () {
                    () if s.chars().any(is_invisible) => Err(SubjectError::Invisible),
                    () if nobody => Err(SubjectError::Nobody),
                    () => Ok(Self(form.into())),
                }
            }
        }

        /// As somebody typed it, or as the log says since long: what is not seen is left out.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                normal(&text).map(|form| Self(form.into())).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Text::<SUBJECT_CHARS_MAX>::schema_name()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                Text::<SUBJECT_CHARS_MAX>::json_schema(generator)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                Text::<SUBJECT_CHARS_MAX>::schema()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Text::<SUBJECT_CHARS_MAX>::name()
            }
        }
    )+ };
}

names! {
    /// Who a token is for (`sub`): an id of the organisation's choice, upper and lower case apart (OpenID Connect Core,
    /// section 2); of a member, the member's id. An id in any of the forms of RFC 9562 is one id.
    Subject,
    /// A token's own id (`jti`).
    TokenId,
}

impl Subject {
    /// The subject of an API client.
    pub fn of_client(client: ClientId) -> Self {
        Self(format!("{CLIENT}{client}").into())
    }

    /// The subject of whoever comes by a link.
    pub fn of_link(link: LinkId) -> Self {
        Self(format!("{LINK}{link}").into())
    }

    /// Whether it is that of an API client, or of a link: no token has such a one.
    pub fn is_of_key(&self) -> bool {
        [CLIENT, LINK].iter().any(|start| self.0.starts_with(start))
    }
}

fn normal(text: &str) -> Result<String, TextError> {
    let text: Text<SUBJECT_CHARS_MAX> = text.parse()?;
    let text: String = text.as_str().chars().filter(|c| !is_invisible(*c)).collect();
    let start = [CLIENT, LINK].into_iter().find(|start| text.starts_with(start)).unwrap_or_default();
    let rest = &text[start.len()..];
    Ok(match Uuid::try_parse(&rest.to_ascii_lowercase()) {
        Ok(id) => format!("{start}{id}"),
        Err(_) => text,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(text: &str) -> Result<Subject, SubjectError> {
        text.parse()
    }

    #[test]
    fn a_subject_is_the_same_however_it_is_typed() {
        let id = "018f3c7a-0000-7000-8000-00000000000a";
        for (given, taken) in [
            ("eve ", "eve"),
            ("\u{a0}eve", "eve"),
            ("jose\u{301}", "jos\u{e9}"),
            ("018F3C7A-0000-7000-8000-00000000000A", id),
            ("018f3c7a00007000800000000000000a", id),
            ("urn:uuid:018f3c7a-0000-7000-8000-00000000000a", id),
            ("URN:UUID:018F3C7A-0000-7000-8000-00000000000A", id),
            ("{018f3c7a-0000-7000-8000-00000000000a}", id),
            (" client:018F3C7A00007000800000000000000A", "client:018f3c7a-0000-7000-8000-00000000000a"),
        ] {
            assert_eq!(subject(given).as_ref().map(Subject::as_str), Ok(taken), "{given}");
            let typed: Subject = serde_json::from_value(given.into()).unwrap();
            assert_eq!(typed.as_str(), taken);
        }
        assert_ne!(subject("Eve"), subject("eve"), "a provider tells them apart");
    }

    #[test]
    fn a_subject_that_is_nobody_is_none() {
        for (bad, error) in [
            (" ", SubjectError::Text(TextError::Empty)),
            ("\u{200b}", SubjectError::Text(TextError::Empty)),
            ("e\u{200b}ve", SubjectError::Invisible),
            ("\u{202e}eve", SubjectError::Invisible),
            ("a\nb", SubjectError::Text(TextError::Control)),
            ("00000000-0000-0000-0000-000000000000", SubjectError::Nobody),
            ("{FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF}", SubjectError::Nobody),
        ] {
            assert_eq!(subject(bad), Err(error), "{bad:?}");
        }
        let old: Subject = serde_json::from_str("\"e\u{200b}ve\"").unwrap();
        assert_eq!(old.as_str(), "eve", "the log says so since long");
    }

    proptest! {
        #[test]
        fn the_form_of_a_subject_is_its_own_form(given in prop_oneof!["\\PC{0,40}", ".{0,40}", "[{]?(client:)?[0-9a-fA-F-]{30,38}[}]?"]) {
            if let Ok(taken) = subject(&given) {
                prop_assert_eq!(subject(taken.as_str()), Ok(taken.clone()));
                let typed: Subject = serde_json::from_value(format!(" {given}\t").trim_end().into()).unwrap();
                prop_assert_eq!(typed, taken);
            }
        }
    }
}
