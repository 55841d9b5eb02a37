//! The port: what an event log does for Kith.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{AnyEvent, DecodeError, DomainEvent, OrgId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{append::Expected, chain, data::Data};

/// Most bytes of data and metadata in one append: what `KurrentDB` takes by default, 1 MiB, less what an adapter may
/// need to say of a few hundred events besides.
pub const APPEND_BYTES_MAX: usize = 900 << 10;

/// Longest kind of stream, in bytes.
const CATEGORY_BYTES_MAX: usize = 200;

/// A place in the log. Positions only grow; 0 is before the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of a stream: `{category}-{organisation}/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamName {
    name: Arc<str>,
    category_end: u8,
    org_end: u8,
}

/// A name that is not one of Kith's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a stream of Kith")]
pub struct UnknownStream(String);

impl StreamName {
    /// The stream of the thing `id` of kind `category` that `org` owns.
    pub fn new(category: &str, org: &OrgId, id: Uuid) -> Self {
        Self::from_parts(&format!("{category}-{org}/{id}"), category.len(), category.len() + 1 + org.as_str().len())
    }

    fn from_parts(name: &str, category_end: usize, org_end: usize) -> Self {
        let short = |n| u8::try_from(n).expect("category and organisation fit 255 bytes");
        Self { name: name.into(), category_end: short(category_end), org_end: short(org_end) }
    }

    /// The stream so named.
    ///
    /// # Errors
    /// If it is not a name of a stream of Kith.
    pub fn parse(name: &str) -> Result<Self, UnknownStream> {
        let parts = || {
            let (category, rest) = name.split_once('-')?;
            let (org, id) = rest.split_once('/')?;
            let (org, uuid) = (org.parse().ok()?, id.parse::<Uuid>().ok()?);
            let fits = (1..=CATEGORY_BYTES_MAX).contains(&category.len());
            // One stream has one name: a UUID can be written in several ways.
            fits.then(|| Self::new(category, &org, uuid)).filter(|stream| stream.as_str() == name)
        };
        parts().ok_or_else(|| UnknownStream(name.chars().take(100).collect()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.name
    }
    /// Kind of stream.
    pub fn category(&self) -> &str {
        &self.name[..self.category_end.into()]
    }
    /// Owner.
    pub fn org(&self) -> OrgId {
        self.org_str().parse().expect("checked when made")
    }
    /// Owner, as text.
    pub fn org_str(&self) -> &str {
        &self.name[usize::from(self.category_end) + 1..self.org_end.into()]
    }
    /// The thing whose stream it is.
    pub fn id(&self) -> Uuid {
        self.name[usize::from(self.org_end) + 1..].parse().expect("checked when made")
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An event to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, by which an append that is repeated is recognised.
    pub id: Uuid,
    /// `noun.verb`.
    pub event_type: &'static str,
    /// Version of the data's shape.
    pub version: u16,
    /// JSON.
    pub data: Vec<u8>,
}

/// Events to be appended to one stream, all or none, with the receipt of the command that caused them.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where.
    pub stream: StreamName,
    /// What must hold of the stream.
    pub expected: Expected,
    /// What happened; may be nothing, if only the receipt matters.
    pub events: Vec<NewEvent>,
    /// Who caused it, as JSON; the same for all events.
    pub metadata: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// The answer to be given whenever the same command is sent again, stored with the events.
    pub receipt: Option<Receipt>,
}

impl Append {
    /// Bytes of data and metadata.
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.data.len() + self.metadata.len()).sum()
    }
}

/// What an idempotency key names: a digest of organisation, caller and key.
pub type ReceiptKey = [u8; 16];

/// The answer to a command, kept to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which command.
    pub key: ReceiptKey,
    /// Digest of what was asked: the same key with another one is a mistake of the caller.
    pub fingerprint: [u8; 16],
    /// HTTP status.
    pub status: u16,
    /// Body, empty if there was none.
    pub body: Vec<u8>,
    /// Up to where to read to see the command's effect. In an append: at least this; the log raises it to the
    /// position of the last event.
    pub position: Position,
}

/// An append that took effect, now or the first time it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position of the last of the events; of the receipt if there were none.
    pub position: Position,
    /// Revision of the stream's last event after the append, as far as known; none if it has no events.
    pub revision: Option<u64>,
}

/// An append that did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is not as expected: somebody else was faster.
    #[error("the stream is at revision {current:?}, expected was {expected:?}")]
    WrongExpectedRevision {
        /// As asked.
        expected: Expected,
        /// As is; none if there are no events.
        current: Option<u64>,
    },
    /// A command with this receipt's key was done before.
    #[error("a command with this idempotency key was done before")]
    Receipted(Box<Receipt>),
    /// More than [`APPEND_BYTES_MAX`].
    #[error("the events have {0} bytes, at most {APPEND_BYTES_MAX} are possible in one append")]
    TooLarge(usize),
    /// The log cannot be written now, or it is not known whether it was.
    #[error("the event log cannot be written: {0}")]
    Unavailable(String),
}

/// A read that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the event log cannot be read: {0}")]
pub struct LogError(pub String);

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where in the log.
    pub position: Position,
    /// Which stream.
    pub stream: StreamName,
    /// Where in the stream, from 0.
    pub revision: u64,
    /// Its id.
    pub id: Uuid,
    /// `noun.verb`.
    pub event_type: Arc<str>,
    /// Version of the data's shape.
    pub version: u16,
    /// When it was recorded, to the microsecond.
    pub recorded_at: Timestamp,
    /// JSON.
    pub data: Data,
    /// JSON.
    pub metadata: Bytes,
}

impl Recorded {
    /// The event itself. It is decoded once for all that hold clones of this.
    ///
    /// # Errors
    /// If this build does not know it.
    pub fn decode(&self) -> Result<AnyEvent, DecodeError> {
        self.data.once(|json| AnyEvent::decode(self.stream.category(), &self.event_type, self.version, json))
    }

    /// As an event of one kind of stream; none if it is of another.
    ///
    /// # Errors
    /// If this build does not know it.
    pub fn of<E: DomainEvent>(&self) -> Result<Option<E>, DecodeError> {
        let is_one = self.stream.category() == E::CATEGORY;
        is_one.then(|| E::decode(&self.event_type, self.version, &self.data)).transpose()
    }

    /// A digest of all of it but the metadata, which does not leave the log: by it a copy is told from what is there.
    pub fn digest(&self) -> [u8; 32] {
        chain::Link { metadata: &[], ..chain::Link::recorded(self, self.position.0) }.hash(&chain::GENESIS)
    }
}

/// The log of all organisations.
#[async_trait]
pub trait EventLog: fmt::Debug + Send + Sync {
    /// Appends events to a stream, all or none; acknowledged means durable. Repeating an append is recognised by
    /// the events' ids under the rules of [`crate::decide_append`]. A receipt is durable before the append is
    /// acknowledged.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Events of a stream from revision `from` (included), oldest first, at most `max`. Empty if there are none.
    async fn read_stream(&self, stream: &StreamName, from: u64, max: usize) -> Result<Vec<Recorded>, LogError>;

    /// Events of the whole log after `after` (excluded), in order, at most `max`. Empty only at the end. `after` is the
    /// position of an event, or [`Position::START`].
    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, LogError>;

    /// The event at a position, if there is one.
    async fn at(&self, position: Position) -> Result<Option<Recorded>, LogError>;

    /// The answer to the command with this key, if it was done.
    async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError>;

    /// Position of the last event, as it moves. What is announced can be read.
    fn head(&self) -> watch::Receiver<Position>;

    /// Whether nobody but this value can append: then what was cached of a stream is all there is.
    fn exclusive(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stream_has_one_name() {
        let name = "meeting-acme/0192f0c4-0000-7000-8000-000000000001";
        assert_eq!(StreamName::parse(name).unwrap().as_str(), name);
        for bad in [
            "meeting-acme/0192F0C4-0000-7000-8000-000000000001",
            "meeting-acme/0192f0c4000070008000000000000001",
            "meeting-acme/{0192f0c4-0000-7000-8000-000000000001}",
            "-acme/0192f0c4-0000-7000-8000-000000000001",
            "meeting/acme-0192f0c4-0000-7000-8000-000000000001",
            "acme/0192f0c4-0000-7000-8000-000000000001",
        ] {
            assert!(StreamName::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_the_name_of_a_stream_as_it_is_made_or_of_none(
            name in prop_oneof!["\\PC{0,80}", "[a-z/-]{0,12}-[a-z0-9/-]{0,50}/[0-9a-fA-F-]{30,38}", "[^-]{190,260}-a/[0-9a-f-]{36}"],
        ) {
            if let Ok(stream) = StreamName::parse(&name) {
                prop_assert_eq!(stream.as_str(), &name);
                prop_assert_eq!(StreamName::new(stream.category(), &stream.org(), stream.id()), stream);
            }
        }

        #[test]
        fn what_is_made_is_read_as_the_same(category in "[a-z]{1,20}", org in "[a-z][a-z0-9-]{0,39}", id in any::<u128>()) {
            let (org, id) = (org.parse::<OrgId>().unwrap(), Uuid::from_u128(id));
            let stream = StreamName::new(&category, &org, id);
            prop_assert_eq!(StreamName::parse(stream.as_str()).unwrap(), stream.clone());
            prop_assert_eq!((stream.category(), stream.org(), stream.id()), (category.as_str(), org, id));
        }
    }
}
