//! What is found when a whole log is checked.

use crate::Position;

/// What was found in a sound log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Events, all of them linked.
    pub events: u64,
    /// Streams, each without gaps.
    pub streams: u64,
    /// Answers to commands, if they were counted: in `KurrentDB` they are not.
    pub receipts: Option<u64>,
    /// Position of the last event.
    pub head: Position,
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", .position.map(|p| format!("event at position {p}{}: ", event.as_deref().map(|e| format!(" ({e})")).unwrap_or_default())).unwrap_or_default())]
pub struct Finding {
    /// Where; none if it is not about one event.
    pub position: Option<Position>,
    /// Type, stream, revision and id of the event, as far as they can be read.
    pub event: Option<String>,
    /// What.
    pub what: String,
}

impl Finding {
    /// Something about an event, or about what should be where it is.
    pub(crate) fn of(position: Option<Position>, event: Option<&crate::Recorded>, what: impl Into<String>) -> Self {
        let event = event.map(|e| format!("{} {}@{} id {}", e.event_type, e.stream, e.revision, e.id));
        Self { position, event, what: what.into() }
    }
}
