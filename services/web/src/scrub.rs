//! What parsers say of input that they do not understand, without the input: their messages quote it, and it can be
//! a name. What stays is the place and what was expected there.

use axum::extract::{
    path::ErrorKind,
    rejection::{PathRejection, QueryRejection},
};
use serde_json::error::Category;

/// Longest name of a field that is shown, in characters.
const FIELD_CHARS_MAX: usize = 40;
/// What is said where the parser's words cannot be shown.
const NOT_UNDERSTOOD: &str = "the value cannot be understood";

/// What to say of a body.
pub(crate) fn body(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let at = field(&error.path().to_string(), &error.inner().to_string());
    format!("body, at `{at}`: {}", scrubbed(error.inner()))
}

/// What a JSON parser said, without what it quotes.
pub fn scrubbed(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let place = if line > 0 { format!(" at line {line} column {column}") } else { String::new() };
    let said = error.to_string();
    let said = said.strip_suffix(&place).unwrap_or(&said);
    let what = match error.classify() {
        // These say what JSON is, and quote nothing.
        Category::Syntax | Category::Eof | Category::Io => said.to_owned(),
        Category::Data => message(said),
    };
    what + &place
}

/// What to say of a path.
pub(crate) fn path(error: &PathRejection) -> String {
    let PathRejection::FailedToDeserializePathParams(error) = error else {
        return "the path cannot be understood".into();
    };
    match error.kind() {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => format!("path, at `{key}`: not a {expected_type}"),
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            format!("path, at parameter {}: not a {expected_type}", index + 1)
        }
        ErrorKind::InvalidUtf8InPathParam { key } => format!("path, at `{key}`: not UTF-8"),
        ErrorKind::DeserializeError { key, .. } => format!("path, at `{key}`: {NOT_UNDERSTOOD}"),
        _ => format!("path: {NOT_UNDERSTOOD}"),
    }
}

/// What to say of a query.
pub(crate) fn query(error: &QueryRejection) -> String {
    let said = error.body_text();
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
    match said.split_once(": ") {
        Some((at, said)) if is_name(at) => format!("query, at `{at}`: {}", message(said)),
        _ => format!("query: {}", message(said)),
    }
}

/// The way to the field. A name that the message quotes, because nobody knows it, is the caller's.
fn field(at: &str, said: &str) -> String {
    let unknown = ["unknown field `", "unknown variant `"].iter().find_map(|start| said.strip_prefix(start));
    let named = unknown.and_then(|rest| rest.split_once("`, ")).map(|(named, _)| named);
    let known = named.and_then(|named| at.strip_suffix(named)).map_or(at, |known| known.trim_end_matches('.'));
    let parts: Vec<_> = known.split('.').collect();
    let shown = parts.iter().map(|part| {
        let name = part.split('[').next().unwrap_or_default();
        if name.is_empty() || is_name(name) { *part } else { "…" }
    });
    let shown = shown.collect::<Vec<_>>().join(".");
    if shown.is_empty() { ".".into() } else { shown }
}

/// Looks like the names of our fields.
fn is_name(text: &str) -> bool {
    (1..=FIELD_CHARS_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A message of serde, or of a type of ours, without what it quotes.
fn message(said: &str) -> String {
    for kind in ["invalid type", "invalid value", "invalid length", "unknown variant", "unknown field"] {
        let Some(rest) = said.strip_prefix(kind) else { continue };
        let what = rest.strip_prefix(": ").map(|rest| rest.split([' ', '`', '"']).next().unwrap_or_default());
        let what = what.filter(|what| KINDS.contains(&what.trim_end_matches(','))).unwrap_or_default();
        // What was expected comes last, and is ours.
        let expected = said.rsplit_once("expected ").map(|(_, expected)| format!(", expected {expected}"));
        let what = if what.is_empty() { String::new() } else { format!(": {}", what.trim_end_matches(',')) };
        return format!("{kind}{what}{}", expected.unwrap_or_default());
    }
    // These name fields of ours.
    let ours = ["missing field `", "duplicate field `"].iter().any(|kind| said.starts_with(kind));
    // Our own types say what they need and quote nothing; other parsers quote.
    let quotes = said.contains(['"', '`', '\'', '\\', '“']) || said.len() > 200;
    if ours || (!quotes && OURS.iter().any(|start| said.starts_with(start))) {
        said.to_owned()
    } else {
        NOT_UNDERSTOOD.into()
    }
}

/// What serde calls the kinds of values.
const KINDS: &[&str] =
    &["null", "boolean", "integer", "floating", "string", "character", "sequence", "map", "unit", "newtype", "Option"];

/// How messages begin that quote nothing: those of our own types, and of numbers.
const OURS: &[&str] = &[
    "must ",
    "has ",
    "an organisation",
    "a list has",
    "a position",
    "a schedule",
    "a month",
    "invalid digit found in string",
    "cannot parse integer",
    "number too large",
    "number too small",
    "provided string was not",
    "recursion limit",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{MemberId, Text};
    use jiff::civil::Date;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only read
    struct Body {
        name: Text<5>,
        #[serde(default)]
        on: Option<Date>,
        #[serde(default)]
        member: Option<MemberId>,
        #[serde(default)]
        mark: Option<Mark>,
        #[serde(default)]
        heads: BTreeMap<String, u8>,
        #[serde(default)]
        marks: BTreeMap<Mark, u8>,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only read
    struct Inner {
        mark: Mark,
    }

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mark {
        Present,
        Late,
    }

    fn said(text: &str) -> String {
        let mut json = serde_json::Deserializer::from_str(text);
        body(&serde_path_to_error::deserialize::<_, Body>(&mut json).unwrap_err())
    }

    #[test]
    fn what_was_sent_is_not_said_again_but_where_and_what_was_expected_is() {
        for (text, expected) in [
            (r#"{"name":"Anna Zq"}"#, "body, at `name`: has 7 characters, at most 5 are possible at line 1 column 18"),
            (r#"{"name":7}"#, "body, at `name`: invalid type: integer, expected a string at line 1 column 9"),
            (r#"{"name":"a","heads":"Anna, expected Zq"}"#, "body, at `heads`: invalid type: string, expected a map"),
            (r#"{"name":"a","heads":{"Anna Zq":"x"}}"#, "body, at `heads.…`: invalid type: string, expected u8"),
            (r#"{"name":"a","mark":"Anna"}"#, "body, at `mark`: unknown variant, expected `present` or `late`"),
            (r#"{"name":"a","inner":{"anna_zq":1}}"#, "body, at `inner`: unknown field, expected `mark`"),
            (
                r#"{"name":"a","marks":{"anna_zq":1}}"#,
                "body, at `marks.…`: unknown variant, expected `present` or `late`",
            ),
            (r#"{"anna_zq":1}"#, "body, at `.`: unknown field, expected one of `name`, `on`"),
            (r#"{"name":"a","on":"Anna"}"#, "body, at `on`: the value cannot be understood"),
            (r#"{"name":"a","member":"Anna"}"#, "body, at `member`: "),
            (r"{}", "body, at `.`: missing field `name` at line 1 column 2"),
            (r#"{"name":"a"#, "body, at `name`: EOF while parsing a string"),
        ] {
            let said = said(text);
            assert!(said.starts_with(expected), "{said}\n{expected}");
            let low = said.to_lowercase();
            assert!(!low.contains("anna") && !low.contains("zq"), "{said}");
        }
    }
}
