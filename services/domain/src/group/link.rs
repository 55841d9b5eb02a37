//! Addresses on the web: where somebody is sent who follows a link, so nothing but a page.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// What an address looks like, as far as an expression can say.
const PATTERN: &str =
    r#"^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?([/?#][^\s<>"\\^`{|}\x00-\x1f\x7f-\x9f]*)?$"#;

/// An address that begins with `http://` or `https://`: nothing that runs, no name and password before the host, of 1 to
/// [`Link::CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Link(Box<str>);

/// Not a [`Link`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another scheme, or none.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Nothing that a name of a host could be.
    #[error("must name a host, without a user and a password")]
    Host,
    /// White space, quotes, brackets, control characters.
    #[error("must not contain spaces, quotes, brackets or control characters")]
    Character,
    /// More characters than possible.
    #[error("has {0} characters, at most {max} are possible", max = Link::CHARS_MAX)]
    TooLong(usize),
}

impl Link {
    /// Longest address, in characters.
    pub const CHARS_MAX: usize = 1_000;

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Link {
    type Err = LinkError;
    fn from_str(s: &str) -> Result<Self, LinkError> {
        let s = s.trim();
        let chars = s.chars().count();
        if chars > Self::CHARS_MAX {
            return Err(LinkError::TooLong(chars));
        }
        let (scheme, rest) = s.split_once("://").ok_or(LinkError::Scheme)?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(LinkError::Scheme);
        }
        let unfit = |c: char| c.is_whitespace() || c.is_control() || crate::text::is_invisible(c);
        if rest.contains(|c: char| unfit(c) || r#"<>"\^`{|}"#.contains(c)) {
            return Err(LinkError::Character);
        }
        if !is_host(rest.split(['/', '?', '#']).next().unwrap_or_default()) {
            return Err(LinkError::Host);
        }
        Ok(Self(s.into()))
    }
}

/// A name or an address of four numbers, perhaps with a port.
fn is_host(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let name = host.starts_with(|c: char| c.is_ascii_alphanumeric()) && host.chars().all(fits);
    name && (1..=5).contains(&port.len()) && port.parse::<u16>().is_ok()
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Link {
    fn schema_name() -> Cow<'static, str> {
        "Link".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "minLength": 8, "maxLength": Link::CHARS_MAX })
    }
}

impl PartialSchema for Link {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("An address that begins with http:// or https://"))
            .min_length(Some(8))
            .max_length(Some(Self::CHARS_MAX))
            .pattern(Some(PATTERN))
            .examples([serde_json::json!("https://meet.example.org/steps")])
            .into()
    }
}

impl ToSchema for Link {
    fn name() -> Cow<'static, str> {
        "Link".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_leads_to_a_page_and_nowhere_else() {
        for good in [
            "https://zoom.us/j/123456789?pwd=abcDEF",
            " HTTP://example.org:8080/#room ",
            "https://192.0.2.7/",
            "https://example.org/tür",
        ] {
            assert_eq!(good.parse::<Link>().unwrap().as_str(), good.trim(), "{good}");
        }
        for (bad, why) in [
            ("", LinkError::Scheme),
            ("zoom.us/j/1", LinkError::Scheme),
            ("javascript:alert(1)", LinkError::Scheme),
            ("javascript://example.org/%0aalert(1)", LinkError::Scheme),
            ("data:text/html,x", LinkError::Scheme),
            ("https://", LinkError::Host),
            ("https://bank.example@evil.example/", LinkError::Host),
            ("https://:443/", LinkError::Host),
            ("https://host:port/", LinkError::Host),
            ("https://host:123456/", LinkError::Host),
            ("https://example.org/a b", LinkError::Character),
            ("https://example.org/\"><script>", LinkError::Character),
            ("https://example.org/\u{202e}gro", LinkError::Character),
            ("https://example.org/\n", LinkError::Character),
        ] {
            let bad = if bad.ends_with('\n') { format!("{bad}x") } else { bad.into() };
            assert_eq!(bad.parse::<Link>(), Err(why), "{bad}");
        }
        let long = format!("https://example.org/{}", "a".repeat(Link::CHARS_MAX));
        assert!(matches!(long.parse::<Link>(), Err(LinkError::TooLong(1_020))));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_begins_as_a_page_does_and_is_taken_again(
            given in prop_oneof!["(https?://)?[a-z0-9.:@/?#<> -]{0,20}", "\\PC{0,30}"],
        ) {
            if let Ok(link) = given.parse::<Link>() {
                prop_assert!(link.as_str().starts_with("http") && !link.as_str().contains(['<', '>', ' ', '"']));
                prop_assert_eq!(link.as_str().parse::<Link>(), Ok(link));
            }
        }
    }
}
