//! The event log in `KurrentDB` (`EventStoreDB` 20.6 and later), for many processes.
//!
//! The types of the crate `eventstore` stop here. What it cannot do, or does wrongly, is known (`tests` shows each): a
//! client whose first connection fails never works again, so a client that failed is replaced, and its thread with it;
//! deadlines are only asked of the server, so they are kept here, too; a subscription that the server ends keeps its
//! thread busy for ever, so there is none: the end of `$all` is looked at every [`LOOK_EVERY`]; its connections hold
//! small messages back, so they are told not to.
//!
//! Streams of Kith are named `kith.{name}`; all else in `$all` is not ours and left out. Receipts are streams of their
//! own, see `receipts`.

mod at_once;
mod client;
mod connection;
mod event;
mod follow;
mod receipts;
mod settings;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use eventstore::{
    AppendToStreamOptions, CurrentRevision, Error, EventData, ExpectedRevision, ReadAllOptions, ReadStreamOptions,
    RecordedEvent, StreamPosition, WriteResult,
};
use lru::LruCache;
use tokio::{sync::watch, task::JoinHandle};

pub use self::settings::{OpenError, settle_tls};
use self::{
    connection::{Connection, Failure},
    event::Met,
    receipts::Claimed,
};
use crate::{
    Append, AppendError, Appended, EventLog, Expected, LogError, Position, Receipt, ReceiptKey, Recorded, StreamName,
    chain::Hash, log::APPEND_BYTES_MAX,
};

/// How often the end of the log is looked at for what other processes appended.
pub const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Most attempts to append, a count. Sent again under the same ids, an append is written once.
const ATTEMPTS_MAX: u32 = 4;
/// Most events asked for at once when reading the whole log, a count.
const PAGE_EVENTS_MAX: usize = 4_096;
/// Streams of which the hash of the last event is kept in memory, a count.
const HASHES_KEPT: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// The log. Clones share everything; the last one to be dropped ends it.
#[derive(Debug, Clone)]
pub struct KurrentLog(Arc<Following>);

#[derive(Debug)]
struct Following {
    inner: Arc<Inner>,
    follower: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    head: watch::Sender<Position>,
    /// Why the log cannot be read, if so.
    down: watch::Sender<Option<String>>,
    /// Of streams' events with these revisions.
    hashes: Mutex<LruCache<StreamName, (u64, Hash)>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl KurrentLog {
    /// The log at `connection_string`, such as `esdb://user:password@host1:2113,host2:2113?tls=true`. Needs a runtime.
    /// A server that is not there yet is waited for.
    ///
    /// # Errors
    /// If it is not a connection string, or TLS cannot be spoken.
    pub async fn open(connection_string: &str) -> Result<Self, OpenError> {
        let connection = Connection::new(connection_string).await?;
        let inner = Arc::new(Inner {
            connection,
            head: watch::Sender::new(Position::START),
            down: watch::Sender::new(Some("it was not reached yet".into())),
            hashes: Mutex::new(LruCache::new(HASHES_KEPT)),
        });
        let follower = tokio::spawn(follow::follow(inner.clone()));
        Ok(Self(Arc::new(Following { inner, follower })))
    }

    /// Why the log cannot be used now, as it changes; none if it can be.
    pub fn down(&self) -> watch::Receiver<Option<String>> {
        self.0.inner.down.subscribe()
    }

    fn inner(&self) -> &Inner {
        &self.0.inner
    }
}

#[async_trait]
impl EventLog for KurrentLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let bytes = append.bytes();
        if bytes > APPEND_BYTES_MAX {
            return Err(AppendError::TooLarge(bytes));
        }
        let inner = self.inner();
        if append.events.is_empty() {
            return inner.append_nothing(&append).await;
        }
        let claimed = match &append.receipt {
            Some(receipt) => Some((receipt, inner.claim(&append, receipt).await?)),
            None => None,
        };
        let appended = inner.write(&append).await?;
        inner.announce(appended.position);
        match claimed {
            // It may be the other one's events that were written: the same command, but perhaps of another moment.
            Some((receipt, Claimed::Before)) => Err(inner.receipted(&receipt.key).await?),
            Some((receipt, Claimed::Now)) => {
                Ok(Appended { position: appended.position.max(receipt.position), ..appended })
            }
            None => Ok(appended),
        }
    }

    async fn read_stream(&self, stream: &StreamName, from: u64, max: usize) -> Result<Vec<Recorded>, LogError> {
        let events = self.inner().read(&event::name(stream), StreamPosition::Position(from), max).await?;
        let met = events.into_iter().map(event::met).collect::<Result<Vec<_>, _>>()?;
        let ours: Vec<_> = met.into_iter().filter_map(Met::ours).collect();
        if let Some((last, previous)) = ours.last() {
            self.inner().keep(stream, last.revision, event::hash(last, *previous));
        }
        Ok(ours.into_iter().map(|(event, _)| event).collect())
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, LogError> {
        let (mut found, mut at, mut asked) = (Vec::new(), after, max.min(PAGE_EVENTS_MAX));
        while found.len() < max {
            let (events, more) = self.inner().page(at, asked).await?;
            // Of what is there, half or more may not be ours.
            asked = (2 * asked).min(PAGE_EVENTS_MAX);
            let Some(last) = events.last() else { break };
            at = last.position();
            found.extend(events.into_iter().filter_map(Met::ours).map(|(event, _)| event));
            if !more {
                break;
            }
        }
        found.truncate(max);
        Ok(found)
    }

    async fn at(&self, position: Position) -> Result<Option<Recorded>, LogError> {
        let options = ReadAllOptions::default().position(event::position(position)).max_count(1);
        let found = self.inner().connection.read_all(options).await;
        match found {
            Ok(events) => {
                let met = events.into_iter().map(event::met).next().transpose()?;
                Ok(met.and_then(Met::ours).map(|(event, _)| event).filter(|event| event.position == position))
            }
            // Nothing begins there.
            Err(Failure::Invalid(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
        self.inner().receipt(key).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner().head.subscribe()
    }

    fn exclusive(&self) -> bool {
        false
    }
}

impl Inner {
    /// Events of a stream by its whole name; none if it is not there.
    async fn read(&self, name: &str, from: StreamPosition<u64>, max: usize) -> Result<Vec<RecordedEvent>, LogError> {
        let options = ReadStreamOptions::default().max_count(max);
        let options = match from {
            StreamPosition::End => options.position(from).backwards(),
            _ => options.position(from),
        };
        Ok(self.connection.read_stream(name, options).await?)
    }

    /// Whatever follows a position, ours or not, and whether there may be more.
    async fn page(&self, after: Position, max: usize) -> Result<(Vec<Met>, bool), LogError> {
        let from = if after == Position::START { StreamPosition::Start } else { event::position(after) };
        // What is at the position is read again.
        let options = ReadAllOptions::default().position(from).max_count(max + 1);
        let mut events = self.connection.read_all(options).await?;
        let more = events.len() > max;
        events.retain(|event| event.position.commit > after.0);
        Ok((events.into_iter().map(event::met).collect::<Result<_, _>>()?, more))
    }

    /// Asks whether the stream is as expected; then the receipt is all there is to write.
    async fn append_nothing(&self, append: &Append) -> Result<Appended, AppendError> {
        let last = self.read(&event::name(&append.stream), StreamPosition::End, 1).await.map_err(unavailable)?;
        let current = last.first().map(|event| event.revision);
        let fits = match append.expected {
            Expected::Any => true,
            Expected::NoStream => current.is_none(),
            Expected::StreamExists => current.is_some(),
            Expected::Exact(revision) => current == Some(revision),
        };
        if !fits {
            return Err(AppendError::WrongExpectedRevision { expected: append.expected, current });
        }
        let position = append.receipt.as_ref().map_or(Position::START, |receipt| receipt.position);
        if let Some(receipt) = &append.receipt {
            self.claim(append, receipt).await?;
        }
        Ok(Appended { position, revision: current })
    }

    async fn write(&self, append: &Append) -> Result<Appended, AppendError> {
        let previous = self.previous(append).await?;
        let (events, last) = event::proposed(append, previous)?;
        let name = event::name(&append.stream);
        let written = self.append_raw(&name, append.expected, events).await?;
        let revision = written.next_expected_version;
        self.keep(&append.stream, revision, last);
        let position = match Position(written.position.commit) {
            // Not said of an append that was written before.
            Position::START | Position(u64::MAX) => self.position_of(&name, revision).await?,
            said => said,
        };
        Ok(Appended { position, revision: Some(revision) })
    }

    /// The hash of the event before the first of these, if it is known which that is.
    async fn previous(&self, append: &Append) -> Result<Option<Hash>, AppendError> {
        let Expected::Exact(revision) = append.expected else { return Ok(None) };
        let kept = self.hashes.lock().expect("nothing panics while it is held").get(&append.stream).copied();
        if let Some((of, hash)) = kept
            && of == revision
        {
            return Ok(Some(hash));
        }
        let from = StreamPosition::Position(revision);
        let found = self.read(&event::name(&append.stream), from, 1).await.map_err(unavailable)?;
        let found = found.into_iter().next().map(event::met).transpose().map_err(unavailable)?;
        // The server will say that the stream is shorter.
        Ok(found.and_then(Met::ours).map(|(event, previous)| event::hash(&event, previous)))
    }

    fn keep(&self, stream: &StreamName, revision: u64, hash: Hash) {
        let mut hashes = self.hashes.lock().expect("nothing panics while it is held");
        hashes.put(stream.clone(), (revision, hash));
    }

    async fn position_of(&self, name: &str, revision: u64) -> Result<Position, AppendError> {
        let found = self.read(name, StreamPosition::Position(revision), 1).await.map_err(unavailable)?;
        let found = found.first().ok_or_else(|| AppendError::Unavailable("what was appended is not there".into()))?;
        Ok(Position(found.position.commit))
    }

    /// Appends, again if need be: under the same ids, at the same revision, that does no harm.
    async fn append_raw(
        &self,
        name: &str,
        expected: Expected,
        events: Vec<EventData>,
    ) -> Result<WriteResult, AppendError> {
        let options = AppendToStreamOptions::default().expected_revision(match expected {
            Expected::Any => ExpectedRevision::Any,
            Expected::NoStream => ExpectedRevision::NoStream,
            Expected::StreamExists => ExpectedRevision::StreamExists,
            Expected::Exact(revision) => ExpectedRevision::Exact(revision),
        });
        let strong = matches!(expected, Expected::NoStream | Expected::Exact(_));
        let mut attempt = 1;
        loop {
            let failure = match self.connection.append(name, &options, events.clone()).await {
                Ok(written) => return Ok(written),
                Err(Failure::Said(Error::WrongExpectedVersion { current, .. })) => {
                    let current = match current {
                        CurrentRevision::Current(revision) => Some(revision),
                        CurrentRevision::NoStream => None,
                    };
                    return Err(AppendError::WrongExpectedRevision { expected, current });
                }
                Err(failure) => failure,
            };
            // Whether it took effect is not known, and only of a strong expectation will the server know later.
            let again = failure.is_passing() && (strong || failure.has_no_effect());
            if !again || attempt == ATTEMPTS_MAX {
                return Err(AppendError::Unavailable(failure.to_string()));
            }
            attempt += 1;
            self.connection.pause().await;
        }
    }
}

fn unavailable(error: LogError) -> AppendError {
    AppendError::Unavailable(error.0)
}
