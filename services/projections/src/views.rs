//! The store of all views: one SQLite file, one transaction for rows and checkpoint.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::{DomainEvent, MemberId, member, people};
use eventlog::{Position, Recorded, StreamName, blocking};
use messaging::{ApplyError, Subscriber};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::watch;

use crate::{audit_view, enrolment_view, group_view, programme_view, reason_view, record_view, register_view};

/// Format of the views; another one is thrown away and folded anew.
const FORMAT: i64 = 6;
/// Bytes of page cache, in KiB; negative as SQLite wants it.
const CACHE_KIB: i64 = -65_536;
/// Pages in the write-ahead log after which it is moved into the file. Reads that wait for an event wait for that too.
const WAL_PAGES: i64 = 1_000;
/// The same while catching up, when nobody waits: marks touch pages all over the file, so that each is written once for
/// many of them.
const WAL_PAGES_CATCHING_UP: i64 = 16_384;
/// The largest index, in no order that marks come in: to make it at the end of a rebuild is cheaper than to keep it up.
const BY_MEMBER: &str = "CREATE INDEX IF NOT EXISTS attendance_by_member ON attendance (member, meeting)";
/// Meetings whose row number is kept in memory, a count.
const KNOWN_MEETINGS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Views that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the views in {path} cannot be opened")]
pub struct OpenError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// The writing side of the views.
#[derive(Debug)]
pub struct Views {
    store: Arc<Mutex<Store>>,
    checkpoint: Checkpoint,
}

/// Up to where the views are, and what the event there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub position: Position,
    /// [`Recorded::digest`].
    pub digest: Option<[u8; 32]>,
}

impl Checkpoint {
    pub fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?));
        let (position, digest) = connection.query_row("SELECT position, digest FROM checkpoint", [], read)?;
        Ok(Self { position: Position(u64::try_from(position).unwrap_or_default()), digest })
    }
}

#[derive(Debug)]
struct Store {
    connection: Connection,
    meetings: MeetingKeys,
    people: watch::Sender<Position>,
}

/// Row numbers of meetings, so that a mark needs no look-up. By stream: an id alone does not say whose meeting it is.
pub(crate) type MeetingKeys = lru::LruCache<StreamName, i64>;

/// One event on its way into the rows.
pub(crate) struct Folding<'a> {
    pub rows: &'a Transaction<'a>,
    pub meetings: &'a mut MeetingKeys,
    pub event: &'a Recorded,
}

impl Folding<'_> {
    /// The organisation.
    pub fn org(&self) -> &str {
        self.event.stream.org_str()
    }

    /// The event's position, as rows have it.
    pub fn position(&self) -> i64 {
        signed(self.event.position)
    }

    /// The row number of the event's meeting.
    pub fn meeting(&mut self) -> rusqlite::Result<i64> {
        let stream = &self.event.stream;
        if let Some(key) = self.meetings.get(stream) {
            return Ok(*key);
        }
        let key = self
            .rows
            .prepare_cached("SELECT key FROM meetings WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), stream.id().as_bytes()], |row| row.get(0))?;
        self.meetings.put(stream.clone(), key);
        Ok(key)
    }
}

impl Views {
    /// Opens the views in the file at `path`. If they are not there, damaged or of another format, they start empty.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open(path).or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the views are folded anew");
            Self::discard(path);
            open(path)
        });
        let (connection, checkpoint) = opened.map_err(|source| OpenError { path: path.into(), source })?;
        let (people, _) = watch::channel(checkpoint.position);
        let store = Store { connection, meetings: MeetingKeys::new(KNOWN_MEETINGS), people };
        Ok(Self { store: Arc::new(Mutex::new(store)), checkpoint })
    }

    /// Whether there are views in the file at `path` that are not folded anew when they are opened.
    #[must_use]
    pub fn are_there(path: &Path) -> bool {
        let format = || {
            let views = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            views.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        };
        format().is_ok_and(|format| format == FORMAT)
    }

    /// Removes the file at `path`, with all that belongs to it. Whoever has it open reads what is no view any more.
    pub fn discard(path: &Path) {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            let _ = std::fs::remove_file(file); // one that is not there is as good
        }
    }

    /// Whether SQLite can read all of the file at `path`. Reads the whole file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(path: &Path) -> Result<(), String> {
        let check = || {
            let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        };
        match check() {
            Ok(found) if found == "ok" => Ok(()),
            Ok(found) => Err(found),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Says by `people` up to where the views were when they last learnt something of a member's record.
    #[must_use]
    pub fn telling(self, people: watch::Sender<Position>) -> Self {
        people.send_replace(self.checkpoint.position);
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner).people = people;
        self
    }

    /// Applies events that follow the checkpoint, and moves it, in one transaction.
    ///
    /// # Errors
    /// If nothing was applied.
    pub fn fold(&mut self, events: &[Recorded]) -> Result<(), ApplyError> {
        let mut store = self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(checkpoint) = store.fold(events)? {
            self.checkpoint = checkpoint;
        }
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Views {
    fn name(&self) -> &'static str {
        "views"
    }

    fn checkpoint(&self) -> Position {
        self.checkpoint.position
    }

    fn last_applied(&self) -> Option<[u8; 32]> {
        self.checkpoint.digest
    }

    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), ApplyError> {
        let mut views = Self { store: self.store.clone(), checkpoint: self.checkpoint };
        let folded = blocking(move || views.fold(&events).map(|()| views.checkpoint));
        self.checkpoint = folded.await.map_err(|unfinished| ApplyError::Store(unfinished.to_string()))??;
        Ok(())
    }

    async fn caught_up(&mut self) -> Result<(), ApplyError> {
        let store = self.store.clone();
        let index = move || {
            let store = store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            store.connection.execute_batch(BY_MEMBER)?;
            limit_wal(&store.connection, WAL_PAGES)
        };
        let indexed = blocking(index).await.map_err(|unfinished| ApplyError::Store(unfinished.to_string()))?;
        indexed.map_err(|error| ApplyError::Store(error.to_string()))
    }
}

impl Store {
    fn fold(&mut self, events: &[Recorded]) -> Result<Option<Checkpoint>, ApplyError> {
        let store = |error: rusqlite::Error| ApplyError::Store(error.to_string());
        let Some(last) = events.last() else { return Ok(None) };
        let digest = last.digest();
        let rows = self.connection.transaction().map_err(store)?;
        for event in events {
            if let Err(error) = fold_one(Folding { rows: &rows, meetings: &mut self.meetings, event }) {
                // Row numbers given in this transaction are gone with it.
                self.meetings.clear();
                return Err(error);
            }
        }
        let moved =
            rows.execute("UPDATE checkpoint SET position = ?1, digest = ?2", params![signed(last.position), digest]);
        let committed = moved.and_then(|_| rows.commit());
        committed.map_err(|error| {
            self.meetings.clear();
            store(error)
        })?;
        if events
            .iter()
            .any(|event| [member::Event::CATEGORY, people::Event::CATEGORY].contains(&event.stream.category()))
        {
            self.people.send_replace(last.position);
        }
        Ok(Some(Checkpoint { position: last.position, digest: Some(digest) }))
    }
}

fn fold_one(mut folding: Folding<'_>) -> Result<(), ApplyError> {
    let poison = |event: &Recorded, why: String| ApplyError::Event {
        position: event.position,
        id: event.id,
        event_type: event.event_type.to_string(),
        why,
    };
    let event = folding.event;
    let decoded = event.decode().map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        poison(event, format!("{error}{source}"))
    })?;
    let folded = if let Some(event) = decoded.of() {
        programme_view::fold(&mut folding, event)
    } else if let Some(event) = decoded.of() {
        group_view::fold(&mut folding, event)
    } else if let Some(event) = decoded.of() {
        enrolment_view::fold(&mut folding, event)
    } else if let Some(event) = decoded.of() {
        register_view::fold(&mut folding, event)
    } else if let Some(said) = decoded.of() {
        fold_record(&mut folding, MemberId(event.stream.id()), said)
    } else if let Some(said) = decoded.of::<people::Event>() {
        said.of_records().iter().try_for_each(|(member, said)| fold_record(&mut folding, *member, said))
    } else if let Some(event) = decoded.of() {
        audit_view::fold(&mut folding, event)
    } else {
        Ok(())
    };
    let folded = folded.and_then(|()| reason_view::fold(&mut folding, &decoded));
    folded.map_err(|error| match error.sqlite_error_code() {
        // The event is not as the rows allow, or the rows are not as they were written.
        None | Some(rusqlite::ErrorCode::ConstraintViolation | rusqlite::ErrorCode::TypeMismatch) => {
            poison(event, error.to_string())
        }
        // The disk or the file, not the event.
        Some(_) => ApplyError::Store(error.to_string()),
    })
}

fn fold_record(folding: &mut Folding<'_>, member: MemberId, said: &member::Event) -> rusqlite::Result<()> {
    record_view::fold(folding, member, said)?;
    reason_view::fold_record(folding, member, said)
}

fn open(path: &Path) -> rusqlite::Result<(Connection, Checkpoint)> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // What is lost when the power fails comes back from the log.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    limit_wal(&connection, WAL_PAGES_CATCHING_UP)?;
    connection.set_prepared_statement_cache_capacity(64);
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 0 {
        connection.execute_batch(concat!("BEGIN;", include_str!("schema.sql")))?;
        connection.execute_batch(&format!("PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    } else if format != FORMAT {
        return Err(rusqlite::Error::InvalidParameterName(format!("format {format} instead of {FORMAT}")));
    }
    let checkpoint = Checkpoint::of(&connection).optional()?.unwrap_or_default();
    Ok((connection, checkpoint))
}

fn limit_wal(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {pages}"), [], |_| Ok(()))
}

/// SQLite's integers are signed; ours stay far below the border.
fn signed(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
