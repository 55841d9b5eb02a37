//! What writes: on a thread of its own, or in turns that somebody else gives.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{
    FileId, Job, int,
    receipts::{Latest, Receipts},
    recent::Recent,
    schema, unsigned,
};
use crate::{
    Append, AppendError, Appended, Decision, NewEvent, Position, Receipt, Recorded,
    chain::{GENESIS, Hash, Link},
    decide_append,
};

/// Most appends in one transaction, a count.
pub(super) const BATCH_APPENDS_MAX: usize = 512;
/// Streams whose last revision is kept in memory, a count.
const KNOWN_STREAMS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// Recently committed event ids kept in memory (`KurrentDB` keeps 8 MiB of them), a count.
const RECENT_IDS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

#[derive(Debug, Clone, Copy)]
struct Stream {
    key: i64,
    last: Option<u64>,
}

/// Writes what was asked for.
pub struct Writer {
    connection: Connection,
    /// None if it has to be read again.
    tail: Option<Tail>,
    head: watch::Sender<Position>,
    recent: Recent,
    receipts: Latest,
    jobs: mpsc::Receiver<Job>,
    /// Why nothing can be written now, if so.
    down: watch::Sender<Option<String>>,
    path: PathBuf,
    file: Option<FileId>,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "{0} was deleted or replaced while it was in use: put it back, or restore a backup; what was written last is in \
         /proc/{1}/fd until this process ends"
    )]
    Replaced(String, u32),
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// What the writer knows of the end of the log without asking SQLite.
struct Tail {
    position: u64,
    hash: Hash,
    streams: LruCache<String, Stream>,
    ids: LruCache<Uuid, (i64, u64)>,
    receipts: Receipts,
    /// Of the transaction that is being written.
    written: Vec<Recorded>,
}

/// What is known of a writer from outside: where the log ends, its last events and receipts, and why it cannot be written,
/// if so. The channels close when it ends.
pub(super) struct Watched {
    pub recent: Recent,
    pub receipts: Latest,
    pub head: watch::Receiver<Position>,
    pub down: watch::Receiver<Option<String>>,
}

impl Writer {
    pub(super) fn open(path: &Path, jobs: mpsc::Receiver<Job>) -> rusqlite::Result<(Self, Watched)> {
        let connection = schema::writer(path)?;
        let receipts = Latest::default();
        let tail = Tail::read(&connection, &receipts)?;
        let (head, down) = (watch::Sender::new(Position(tail.position)), watch::Sender::new(None));
        let recent = Recent::default();
        let (head_now, down_now) = (head.subscribe(), down.subscribe());
        let watched = Watched { recent: recent.clone(), receipts: receipts.clone(), head: head_now, down: down_now };
        let file = FileId::of(path);
        Ok((
            Self { connection, tail: Some(tail), head, recent, receipts, jobs, down, path: path.into(), file },
            watched,
        ))
    }

    /// Writes until nobody can ask any more.
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        while self.jobs.blocking_recv_many(&mut batch, BATCH_APPENDS_MAX) > 0 {
            self.write(&mut batch);
        }
    }

    /// How many appends wait, a count.
    pub fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Writes at most `appends_max` of the appends that wait, in one transaction; answers how many they were.
    pub fn turn(&mut self, appends_max: usize) -> usize {
        let next = || self.jobs.try_recv().ok();
        let mut batch: Vec<_> = std::iter::from_fn(next).take(appends_max.min(BATCH_APPENDS_MAX)).collect();
        let appends = batch.len();
        if appends > 0 {
            self.write(&mut batch);
        }
        appends
    }

    fn write(&mut self, batch: &mut Vec<Job>) {
        metrics::histogram!("kith_log_batch_appends").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        let committed = self.commit(batch);
        let down = committed.as_ref().err().map(ToString::to_string);
        let answers = committed.unwrap_or_else(|error| {
            // Nothing of the batch was written: what was assumed is forgotten, and all are told.
            self.tail = None;
            tracing::error!(%error, appends = batch.len(), "the event log could not be written");
            vec![Err(AppendError::Unavailable(error.to_string())); batch.len()]
        });
        self.down.send_if_modified(|before| std::mem::replace(before, down) != *before);
        if let Some(tail) = &mut self.tail {
            self.recent.push(tail.written.drain(..));
            self.head.send_if_modified(|head| std::mem::replace(&mut head.0, tail.position) != tail.position);
        }
        for (job, answer) in batch.drain(..).zip(answers) {
            // Whoever asked may have gone.
            let _ = job.reply.send(answer);
        }
    }

    fn commit(&mut self, batch: &[Job]) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        if self.tail.is_none() {
            self.tail = Some(Tail::read(&self.connection, &self.receipts)?);
        }
        let tail = self.tail.as_mut().expect("it was read");
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let answers =
            batch.iter().map(|job| tail.append(&transaction, &job.append)).collect::<rusqlite::Result<_>>()?;
        tail.receipts.index(&transaction)?;
        if batch.iter().any(|job| job.append.events.is_empty() && job.append.receipt.is_none()) {
            // Somebody wants to know whether anything can be written: the same once more is written, too.
            transaction.pragma_update(None, "user_version", schema::FORMAT)?;
        }
        transaction.commit()?;
        // What is in a file that has no name any more is acknowledged to nobody.
        if FileId::of(&self.path) != self.file {
            return Err(Failure::Replaced(self.path.display().to_string(), std::process::id()));
        }
        Ok(answers)
    }
}

impl Tail {
    fn read(connection: &Connection, receipts: &Latest) -> rusqlite::Result<Self> {
        let last = connection
            .query_row("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1", [], |row| {
                Ok((unsigned(row.get(0)?), row.get(1)?))
            })
            .optional()?;
        let (position, hash) = last.unwrap_or((0, GENESIS));
        Ok(Self {
            position,
            hash,
            streams: LruCache::new(KNOWN_STREAMS),
            ids: LruCache::new(RECENT_IDS),
            receipts: Receipts::read(connection, receipts.clone())?,
            written: Vec::new(),
        })
    }

    /// Nothing is written before it is certain that all of it will be.
    fn append(
        &mut self,
        transaction: &Transaction<'_>,
        append: &Append,
    ) -> rusqlite::Result<Result<Appended, AppendError>> {
        let stream = self.stream(transaction, append.stream.as_str())?;
        let conflict =
            AppendError::WrongExpectedRevision { expected: append.expected, current: stream.and_then(|s| s.last) };
        let (position, revision, write) = match self.decide(transaction, append, stream)? {
            Decision::Conflict => return Ok(Err(conflict)),
            Decision::Already { last } => (position_of(transaction, stream, last)?, Some(last), false),
            Decision::Write => {
                let written = append.events.len() as u64;
                let position = if written > 0 { self.position + written } else { 0 };
                (position, next(stream).checked_add(written).and_then(|n| n.checked_sub(1)), true)
            }
        };
        let mut position = Position(position);
        if let Some(receipt) = &append.receipt {
            let receipt = Receipt { position: receipt.position.max(position), ..receipt.clone() };
            if let Some(first) = self.receipts.write(transaction, &receipt)? {
                return Ok(Err(AppendError::Receipted(Box::new(first))));
            }
            position = receipt.position;
        }
        if write && !append.events.is_empty() {
            self.write(transaction, append, stream)?;
        }
        Ok(Ok(Appended { position, revision }))
    }

    fn decide(
        &mut self,
        transaction: &Transaction<'_>,
        append: &Append,
        stream: Option<Stream>,
    ) -> rusqlite::Result<Decision> {
        let ids: Vec<Uuid> = append.events.iter().map(|event| event.id).collect();
        let failed = std::cell::Cell::new(None);
        let at = |revision| {
            id_at(transaction, stream, revision).unwrap_or_else(|error| {
                failed.set(Some(error));
                None
            })
        };
        let recent = |id| match (self.ids.peek(&id), stream) {
            (Some((key, revision)), Some(stream)) if *key == stream.key => Some(*revision),
            _ => None,
        };
        let decision = decide_append(append.expected, stream.and_then(|s| s.last), &ids, at, recent);
        failed.take().map_or(Ok(decision), Err)
    }

    fn stream(&mut self, transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<Stream>> {
        if let Some(stream) = self.streams.get(name) {
            return Ok(Some(*stream));
        }
        let stream = transaction
            .prepare_cached(
                "SELECT key, (SELECT max(revision) FROM events WHERE stream = key) FROM streams WHERE name = ?1",
            )?
            .query_row([name], |row| Ok(Stream { key: row.get(0)?, last: row.get::<_, Option<i64>>(1)?.map(unsigned) }))
            .optional()?;
        if let Some(stream) = stream {
            self.streams.put(name.into(), stream);
        }
        Ok(stream)
    }

    fn write(
        &mut self,
        transaction: &Transaction<'_>,
        append: &Append,
        stream: Option<Stream>,
    ) -> rusqlite::Result<()> {
        let name = append.stream.as_str();
        let key = match stream {
            Some(stream) => stream.key,
            None => transaction.prepare_cached("INSERT INTO streams (name) VALUES (?1)")?.insert([name])?,
        };
        let mut revision = next(stream);
        for event in &append.events {
            self.write_event(transaction, append, event, key, revision)?;
            revision += 1;
        }
        self.streams.put(name.into(), Stream { key, last: Some(revision - 1) });
        Ok(())
    }

    fn write_event(
        &mut self,
        transaction: &Transaction<'_>,
        append: &Append,
        event: &NewEvent,
        key: i64,
        revision: u64,
    ) -> rusqlite::Result<()> {
        let link = Link::proposed(append, event, self.position + 1, revision);
        let hash = link.hash(&self.hash);
        transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(
            params![
                int(link.position),
                key,
                int(revision),
                event.id.as_bytes().as_slice(),
                event.event_type,
                event.version,
                link.recorded_at,
                event.data.as_slice(),
                append.metadata.as_slice(),
                hash.as_slice(),
            ],
        )?;
        self.position = link.position;
        self.hash = hash;
        self.ids.put(event.id, (key, revision));
        self.written.push(Recorded {
            position: Position(self.position),
            stream: append.stream.clone(),
            revision,
            id: event.id,
            event_type: event.event_type.into(),
            version: event.version,
            recorded_at: Timestamp::from_microsecond(link.recorded_at).unwrap_or(append.at),
            data: bytes::Bytes::copy_from_slice(&event.data).into(),
            metadata: bytes::Bytes::copy_from_slice(&append.metadata),
        });
        Ok(())
    }
}

fn next(stream: Option<Stream>) -> u64 {
    stream.and_then(|s| s.last).map_or(0, |last| last + 1)
}

fn id_at(transaction: &Transaction<'_>, stream: Option<Stream>, revision: u64) -> rusqlite::Result<Option<Uuid>> {
    let Some(stream) = stream else { return Ok(None) };
    transaction
        .prepare_cached("SELECT id FROM events WHERE stream = ?1 AND revision = ?2")?
        .query_row(params![stream.key, int(revision)], |row| Ok(Uuid::from_bytes(row.get(0)?)))
        .optional()
}

fn position_of(transaction: &Transaction<'_>, stream: Option<Stream>, revision: u64) -> rusqlite::Result<u64> {
    let key = stream.map_or(0, |stream| stream.key);
    transaction
        .prepare_cached("SELECT position FROM events WHERE stream = ?1 AND revision = ?2")?
        .query_row(params![key, int(revision)], |row| row.get(0).map(unsigned))
}
