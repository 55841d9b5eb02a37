//! What the server keeps: events of any stream in one log of ours.
//!
//! That log has the rules of `KurrentDB` for expected revisions and repeated ids, and puts appends on disk before it
//! acknowledges them. Positions are stretched: as in `KurrentDB` they grow, leave gaps, and what lies in a gap is none.

use std::{collections::HashMap, path::Path};

use bytes::Bytes;
use eventlog::{
    Append, AppendError, Appended, EventLog, Expected, LogError, NewEvent, Position, Recorded, StreamName,
    sqlite::{OpenError, SqliteLog},
};
use jiff::Timestamp;
use prost::Message;
use tokio::sync::watch;
use uuid::Uuid;

/// Most bytes of one append, as `KurrentDB`'s `MaxAppendSize` is by default.
pub const APPEND_BYTES_MAX: usize = 1 << 20;
/// How far apart positions are, at least.
const GAP: u64 = 97;

/// The events.
#[derive(Debug, Clone)]
pub struct Store(SqliteLog);

/// What is kept of an event besides what the log keeps.
#[derive(Clone, PartialEq, Message)]
pub struct Body {
    /// Name of its stream.
    #[prost(string, tag = "1")]
    pub stream: String,
    /// Its type, its content type, when it was created.
    #[prost(map = "string, string", tag = "2")]
    pub metadata: HashMap<String, String>,
    /// What its writer says of it.
    #[prost(bytes = "bytes", tag = "3")]
    pub custom_metadata: Bytes,
    /// What happened.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// An event as it is read.
#[derive(Debug, Clone)]
pub struct Event {
    /// Place in the log.
    pub position: u64,
    /// Place in its stream.
    pub revision: u64,
    /// Its id.
    pub id: Uuid,
    /// The rest.
    pub body: Body,
}

impl Store {
    /// Opens the log in the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // What surrounds each event here does not count.
        SqliteLog::open(path).map(|log| Self(log.taking(4 * APPEND_BYTES_MAX)))
    }

    /// Appends events, each with its id, to the stream they name.
    ///
    /// # Errors
    /// As the log says.
    pub async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<(Uuid, Body)>,
        at: Timestamp,
    ) -> Result<Appended, AppendError> {
        let event =
            |(id, body): (Uuid, Body)| NewEvent { id, event_type: "any", version: 1, data: body.encode_to_vec() };
        let events = events.into_iter().map(event).collect();
        let append = Append { stream: name(stream), expected, events, metadata: vec![], at, receipt: None };
        let appended = self.0.append(append).await?;
        Ok(Appended { position: Position(stretched(appended.position)), ..appended })
    }

    /// Events of a stream from `revision` on, included.
    ///
    /// # Errors
    /// As the log says.
    pub async fn stream(&self, stream: &str, revision: u64, max: usize) -> Result<Vec<Event>, LogError> {
        Ok(self.0.read_stream(&name(stream), revision, max).await?.iter().map(event).collect())
    }

    /// Events after the `n`-th.
    ///
    /// # Errors
    /// As the log says.
    pub async fn after(&self, n: u64, max: usize) -> Result<Vec<Event>, LogError> {
        Ok(self.0.read_all(Position(n), max).await?.iter().map(event).collect())
    }

    /// How many events there are, as it grows.
    pub fn count(&self) -> watch::Receiver<Position> {
        self.0.head()
    }
}

/// Which event is at a position, counted from 1; none if it lies in a gap.
pub fn nth(position: u64) -> Option<u64> {
    let n = position / GAP;
    (stretched(Position(n)) == position).then_some(n)
}

fn stretched(Position(n): Position) -> u64 {
    n * GAP + n * n % 31
}

/// The log knows streams by the names that Kith gives them.
fn name(stream: &str) -> StreamName {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, stream.as_bytes());
    StreamName::new("any", &"any".parse().expect("an organisation"), id)
}

fn event(recorded: &Recorded) -> Event {
    let body = Body::decode(&**recorded.data).expect("written by this file");
    Event { position: stretched(recorded.position), revision: recorded.revision, id: recorded.id, body }
}
