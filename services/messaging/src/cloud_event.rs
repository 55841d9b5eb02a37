//! Events as others read them: `CloudEvents` 1.0, binary mode on NATS. The data is the body, the rest are headers.
//!
//! Metadata does not travel: it names who acted. A decoded event has none.

use std::{str::FromStr, sync::Arc};

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use eventlog::{Position, Recorded, StreamName, UnknownStream};
use jiff::Timestamp;
use uuid::Uuid;

/// Version of the `CloudEvents` specification.
pub const SPEC_VERSION: &str = "1.0";
/// Media type of the data.
pub const CONTENT_TYPE: &str = "application/json";

/// `ce-specversion`: always [`SPEC_VERSION`].
pub const HEADER_SPEC_VERSION: &str = "ce-specversion";
/// `ce-id`: id of the event, a UUID.
pub const HEADER_ID: &str = "ce-id";
/// `ce-type`: type of the event, `noun.verb`.
pub const HEADER_TYPE: &str = "ce-type";
/// `ce-source`: what the event happened to, `/orgs/{org}/{category}s/{id}`.
pub const HEADER_SOURCE: &str = "ce-source";
/// `ce-subject`: name of the stream in the log.
pub const HEADER_SUBJECT: &str = "ce-subject";
/// `ce-time`: when it was recorded, RFC 3339 in UTC.
pub const HEADER_TIME: &str = "ce-time";
/// `ce-dataschema`: `/schemas/events/{type}.v{version}.json`.
pub const HEADER_DATA_SCHEMA: &str = "ce-dataschema";
/// `content-type`: always [`CONTENT_TYPE`]; what other bindings call `datacontenttype`.
pub const HEADER_CONTENT_TYPE: &str = "content-type";
/// `ce-kithrevision`: place of the event in its stream, from 0.
pub const HEADER_REVISION: &str = "ce-kithrevision";
/// `kith-position`: place of the event in the log.
pub const HEADER_POSITION: &str = "kith-position";
/// `kith-previous`: place in the log of the event before it, 0 for the first.
pub const HEADER_PREVIOUS: &str = "kith-previous";
/// A message that is not an event of Kith.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// A header cannot be read.
    #[error("the header `{header}` cannot be read: `{value}`")]
    Unreadable {
        /// Which.
        header: &'static str,
        /// Its first 100 characters.
        value: String,
    },
    /// The name of the stream is not one of Kith's.
    #[error("the header `{HEADER_SUBJECT}` cannot be read")]
    Stream(#[from] UnknownStream),
}

/// Where in NATS an event is published: `kith.{org}.{noun}.{verb}`.
pub fn subject(event: &Recorded) -> String {
    format!("kith.{}.{}", event.stream.org_str(), event.event_type)
}

/// The headers of an event, whose predecessor in the log is at `previous`.
pub(crate) fn headers(event: &Recorded, previous: Position) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    insert(HEADER_SPEC_VERSION, SPEC_VERSION.into());
    insert(HEADER_ID, event.id.to_string().into());
    insert(HEADER_TYPE, (*event.event_type).into());
    insert(HEADER_SOURCE, source(&event.stream).into());
    insert(HEADER_SUBJECT, event.stream.as_str().into());
    insert(HEADER_TIME, event.recorded_at.to_string().into());
    insert(HEADER_DATA_SCHEMA, format!("/schemas/events/{}.v{}.json", event.event_type, event.version).into());
    insert(HEADER_CONTENT_TYPE, CONTENT_TYPE.into());
    insert(HEADER_REVISION, event.revision.into());
    insert(HEADER_POSITION, event.position.0.into());
    insert(HEADER_PREVIOUS, previous.0.into());
    headers
}

fn source(stream: &StreamName) -> String {
    format!("/orgs/{}/{}s/{}", stream.org_str(), stream.category(), stream.id())
}

/// The event in a message, and where in the log its predecessor is.
pub(crate) fn decode(headers: Option<&HeaderMap>, data: Bytes) -> Result<(Recorded, Position), MessageError> {
    let headers = headers.ok_or(MessageError::Missing(HEADER_POSITION))?;
    let event = Recorded {
        position: position(headers)?,
        stream: StreamName::parse(text(headers, HEADER_SUBJECT)?)?,
        revision: parsed(headers, HEADER_REVISION)?,
        id: id(headers)?,
        event_type: Arc::from(text(headers, HEADER_TYPE)?),
        version: version(headers)?,
        recorded_at: parsed::<Timestamp>(headers, HEADER_TIME)?,
        data: data.into(),
        metadata: Bytes::new(),
    };
    Ok((event, Position(parsed(headers, HEADER_PREVIOUS)?)))
}

/// Place in the log.
pub(crate) fn position(headers: &HeaderMap) -> Result<Position, MessageError> {
    parsed(headers, HEADER_POSITION).map(Position)
}

fn id(headers: &HeaderMap) -> Result<Uuid, MessageError> {
    parsed(headers, HEADER_ID)
}

fn version(headers: &HeaderMap) -> Result<u16, MessageError> {
    let schema = text(headers, HEADER_DATA_SCHEMA)?;
    let version = || schema.strip_suffix(".json")?.rsplit_once(".v")?.1.parse().ok();
    version().ok_or_else(|| unreadable(HEADER_DATA_SCHEMA, schema))
}

fn parsed<T: FromStr>(headers: &HeaderMap, header: &'static str) -> Result<T, MessageError> {
    let value = text(headers, header)?;
    value.parse().map_err(|_| unreadable(header, value))
}

fn text<'a>(headers: &'a HeaderMap, header: &'static str) -> Result<&'a str, MessageError> {
    headers.get(HeaderName::from_static(header)).map(HeaderValue::as_str).ok_or(MessageError::Missing(header))
}

fn unreadable(header: &'static str, value: &str) -> MessageError {
    MessageError::Unreadable { header, value: value.chars().take(100).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::world;

    #[test]
    fn an_event_is_a_cloud_event_that_names_nobody() {
        let event = world::recorded(7);
        let headers = headers(&event, Position(6));
        let shown = |name| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        assert_eq!(subject(&event), "kith.acme.attendance.recorded");
        assert_eq!(shown(HEADER_SPEC_VERSION), "1.0");
        assert_eq!(shown(HEADER_ID), "00000000-0000-0000-0000-000000000007");
        assert_eq!(shown(HEADER_TYPE), "attendance.recorded");
        assert_eq!(shown(HEADER_SOURCE), "/orgs/acme/meetings/00000000-0000-0000-0000-000000000001");
        assert_eq!(shown(HEADER_SUBJECT), "meeting-acme/00000000-0000-0000-0000-000000000001");
        assert_eq!(shown(HEADER_TIME), "2026-01-01T00:00:07Z");
        assert_eq!(shown(HEADER_DATA_SCHEMA), "/schemas/events/attendance.recorded.v1.json");
        assert_eq!(shown(HEADER_CONTENT_TYPE), CONTENT_TYPE);
        assert_eq!((shown(HEADER_POSITION), shown(HEADER_PREVIOUS)), ("7".into(), "6".into()));
        assert!(headers.iter().all(|(_, values)| values.iter().all(|value| !value.as_str().contains("alice"))));
    }

    #[test]
    fn what_is_not_an_event_of_kith_says_which_header_is_wrong() {
        let good = headers(&world::recorded(1), Position::START);
        assert!(matches!(decode(None, Bytes::new()), Err(MessageError::Missing(HEADER_POSITION))));
        for header in [HEADER_POSITION, HEADER_PREVIOUS, HEADER_ID, HEADER_SUBJECT, HEADER_TIME, HEADER_DATA_SCHEMA] {
            let mut bad = good.clone();
            bad.insert(header, "?");
            let error = decode(Some(&bad), Bytes::new()).unwrap_err().to_string();
            assert!(error.contains(header), "{error}");
        }
    }

    const ALL: [&str; 11] = [
        HEADER_SPEC_VERSION,
        HEADER_ID,
        HEADER_TYPE,
        HEADER_SOURCE,
        HEADER_SUBJECT,
        HEADER_TIME,
        HEADER_DATA_SCHEMA,
        HEADER_CONTENT_TYPE,
        HEADER_REVISION,
        HEADER_POSITION,
        HEADER_PREVIOUS,
    ];

    fn values() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,60}",
            "-?[0-9]{0,25}",
            "/schemas/events/\\PC{0,20}\\.v[0-9]{0,8}\\.json",
            "[a-z]{0,8}-[a-z]{0,8}/[0-9a-fA-F-]{30,40}",
            "-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})",
        ]
    }

    proptest! {
        #[test]
        fn whatever_headers_say_they_are_an_event_that_can_be_published_again_or_none(
            changes in proptest::collection::vec((proptest::sample::select(&ALL[..]), proptest::option::of(values())), 0..6),
        ) {
            let good = headers(&world::recorded(1), Position::START);
            let mut changed = HeaderMap::new();
            for header in ALL {
                let change = changes.iter().rfind(|(name, _)| *name == header).map(|(_, value)| value.as_deref());
                if let Some(value) = change.unwrap_or_else(|| good.get(header).map(HeaderValue::as_str)) {
                    changed.insert(header, value);
                }
            }
            if let Ok((event, previous)) = decode(Some(&changed), Bytes::new()) {
                let again = decode(Some(&headers(&event, previous)), Bytes::new());
                prop_assert_eq!(again.unwrap(), (event, previous));
            }
        }

        #[test]
        fn an_event_comes_back_as_it_was_but_for_its_metadata(
            (position, previous, revision, id) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u128>()),
            (version, micros) in (any::<u16>(), 0_i64..4_000_000_000_000_000),
            event_type in "[a-z]{1,12}\\.[a-z_]{1,12}",
            data in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let event = Recorded {
                position: Position(position), revision, id: Uuid::from_u128(id), version,
                event_type: event_type.into(), data: data.into(),
                recorded_at: Timestamp::from_microsecond(micros).unwrap(),
                ..world::recorded(1)
            };
            let decoded = decode(Some(&headers(&event, Position(previous))), Bytes::clone(&event.data)).unwrap();
            prop_assert_eq!(decoded, (Recorded { metadata: Bytes::new(), ..event }, Position(previous)));
        }
    }
}
