//! Events as they are kept: what the server keeps of each, and what we say of it in its metadata.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use eventstore::{EventData, RecordedEvent, StreamPosition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Append, AppendError, LogError, Position, Recorded, StreamName,
    chain::{GENESIS, Hash, Link},
};

/// Before the name of each stream of ours.
const PREFIX: &str = "kith.";
/// For a position in what is hashed: it is not known before an event is written. Its place in its stream is.
const UNKNOWN: u64 = 0;

/// What we say of an event. The server's own time is cut to seconds by the client, and is not the command's.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata<'a> {
    version: u16,
    organisation: &'a str,
    recorded_at: Timestamp,
    /// BLAKE3 hash of the event before it in its stream, hexadecimal; none of the first one, and of those that were
    /// appended wherever the stream ended, as the audit's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(borrow)]
    caused_by: &'a RawValue,
}

/// An event that was read.
#[derive(Debug)]
pub enum Met {
    /// One of ours, and what it says that the hash of the one before it is.
    Ours(Box<Recorded>, Option<Hash>),
    /// What is there besides.
    Other(Position),
}

impl Met {
    /// Where in the log.
    pub fn position(&self) -> Position {
        match self {
            Self::Ours(event, _) => event.position,
            Self::Other(position) => *position,
        }
    }

    /// If it is ours.
    pub fn ours(self) -> Option<(Recorded, Option<Hash>)> {
        match self {
            Self::Ours(event, previous) => Some((*event, previous)),
            Self::Other(_) => None,
        }
    }
}

/// Name of the stream on the server.
pub fn name(stream: &StreamName) -> String {
    format!("{PREFIX}{stream}")
}

/// Whether the event is in a stream of ours.
pub fn is_ours(event: &RecordedEvent) -> bool {
    event.stream_id.starts_with(PREFIX)
}

/// The position as the server knows it.
pub fn position(Position(at): Position) -> StreamPosition<eventstore::Position> {
    StreamPosition::Position(eventstore::Position { commit: at, prepare: at })
}

/// Reads an event.
///
/// # Errors
/// If it is in a stream of ours, and not one that we wrote.
pub fn met(event: RecordedEvent) -> Result<Met, LogError> {
    let at = Position(event.position.commit);
    let Some(stream) = event.stream_id.strip_prefix(PREFIX) else { return Ok(Met::Other(at)) };
    let broken = |what: String| LogError(format!("the event at position {at}, {}: {what}", event.stream_id));
    let stream = StreamName::parse(stream).map_err(|error| broken(error.to_string()))?;
    let metadata: Metadata<'_> =
        serde_json::from_slice(&event.custom_metadata).map_err(|error| broken(format!("its metadata: {error}")))?;
    let previous =
        metadata.previous.as_deref().map(|text| decode(text).ok_or_else(|| broken("its hash is none".into())));
    let previous = previous.transpose()?;
    let caused_by = metadata.caused_by.get().as_bytes();
    let (version, recorded_at) = (metadata.version, metadata.recorded_at);
    let metadata = event.custom_metadata.slice_ref(caused_by);
    Ok(Met::Ours(
        Box::new(Recorded {
            position: at,
            stream,
            revision: event.revision,
            id: event.id,
            event_type: Arc::from(event.event_type),
            version,
            recorded_at,
            data: event.data.into(),
            metadata,
        }),
        previous,
    ))
}

/// The hash of an event that was read.
pub fn hash(event: &Recorded, previous: Option<Hash>) -> Hash {
    Link::recorded(event, UNKNOWN).hash(&previous.unwrap_or(GENESIS))
}

/// None if it is no hash.
fn decode(text: &str) -> Option<Hash> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Events as they are sent, chained from `previous` on, and the hash of the last.
///
/// # Errors
/// If data or metadata are not JSON.
pub fn proposed(append: &Append, previous: Option<Hash>) -> Result<(Vec<EventData>, Hash), AppendError> {
    let not_json = |error: serde_json::Error| AppendError::Unavailable(format!("an event is not JSON: {error}"));
    let first = match append.expected {
        crate::Expected::Exact(revision) => Some(revision + 1),
        crate::Expected::NoStream => Some(0),
        crate::Expected::Any | crate::Expected::StreamExists => None,
    };
    let caused_by: &RawValue = serde_json::from_slice(&append.metadata).map_err(not_json)?;
    let (mut events, mut previous) = (Vec::with_capacity(append.events.len()), previous);
    for (n, event) in (0..).zip(&append.events) {
        let data: &RawValue = serde_json::from_slice(&event.data).map_err(not_json)?;
        let metadata = Metadata {
            version: event.version,
            organisation: append.stream.org_str(),
            recorded_at: append.at,
            previous: previous.map(|hash| HEXLOWER.encode(&hash)),
            caused_by,
        };
        let proposed = EventData::json(event.event_type, &data).map_err(not_json)?.id(event.id);
        events.push(proposed.metadata_as_json(&metadata).map_err(not_json)?);
        // Which revision it gets is not known of an append to wherever the stream ends: then nothing follows from it.
        previous =
            first.map(|first| Link::proposed(append, event, UNKNOWN, first + n).hash(&previous.unwrap_or(GENESIS)));
    }
    Ok((events, previous.unwrap_or(GENESIS)))
}
