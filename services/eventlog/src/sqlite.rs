//! The event log in one SQLite file, for one process.
//!
//! One writer thread takes what has been asked for, writes it in one transaction and commits with `synchronous=FULL`
//! in WAL mode: what is acknowledged is on disk. While it commits, the next batch gathers (group commit).
//! Positions are assigned at commit, without gaps, so a position is a prefix of the log.

mod copy;
mod receipts;
mod recent;
mod schema;
mod verify;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

pub use self::{
    copy::{CopyError, copy},
    verify::{VerifyError, verify},
    writer::Writer,
};
use crate::{
    Append, AppendError, Appended, EventLog, LogError, Position, Receipt, ReceiptKey, Recorded, StreamName, blocking,
    log::APPEND_BYTES_MAX,
};

/// Most appends that wait for the writer, a count; more wait outside.
const QUEUED_APPENDS_MAX: usize = 4_096;
/// Most connections of readers, a count.
const READERS_MAX: usize = 8;

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite says no.
    #[error("the event log {path} cannot be opened")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Written by another version of Kith.
    #[error("the event log {path} has format {found}, this build of kith reads format {known}", known = schema::FORMAT)]
    Format {
        /// The file.
        path: PathBuf,
        /// As stored.
        found: i64,
    },
}

/// The log in one file. Clones share the writer.
#[derive(Debug, Clone)]
pub struct SqliteLog {
    jobs: mpsc::Sender<Job>,
    head: watch::Receiver<Position>,
    down: watch::Receiver<Option<String>>,
    readers: Arc<Readers>,
    recent: recent::Recent,
    receipts: receipts::Latest,
    append_bytes_max: usize,
}

#[derive(Debug)]
struct Job {
    append: Append,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

impl SqliteLog {
    /// Opens the log in the file at `path`, made if it is not there.
    ///
    /// # Errors
    /// If the file cannot be opened or is not a log of this format.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (log, writer) = Self::open_apart(path)?;
        std::thread::Builder::new().name("event-log".into()).spawn(|| writer.run()).expect("a thread can be started");
        Ok(log)
    }

    /// The log, and what writes it, for whoever decides when that is.
    ///
    /// # Errors
    /// As [`SqliteLog::open`].
    pub fn open_apart(path: &Path) -> Result<(Self, Writer), OpenError> {
        let sqlite = |source| OpenError::Sqlite { path: path.into(), source };
        let found = schema::prepare(path).map_err(sqlite)?;
        if found != schema::FORMAT {
            return Err(OpenError::Format { path: path.into(), found });
        }
        let (jobs, queue) = mpsc::channel(QUEUED_APPENDS_MAX);
        let (writer, watched) = Writer::open(path, queue).map_err(sqlite)?;
        let writer::Watched { head, down, recent, receipts } = watched;
        let readers = Arc::new(Readers::new(path));
        Ok((Self { jobs, head, down, readers, recent, receipts, append_bytes_max: APPEND_BYTES_MAX }, writer))
    }

    /// Why nothing could be written the last time, as it changes; none if it could. It closes if the writer has ended:
    /// then nothing ever will be.
    pub fn down(&self) -> watch::Receiver<Option<String>> {
        self.down.clone()
    }

    /// Tries whether it can be written; [`SqliteLog::down`] says so then.
    pub async fn probe(&self) {
        let org = "probe".parse().expect("the id of an organisation");
        let nothing = Append {
            stream: StreamName::new("probe", &org, Uuid::nil()),
            expected: crate::Expected::Any,
            events: Vec::new(),
            metadata: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            receipt: None,
        };
        let _ = self.append(nothing).await; // what came of it is said there
    }

    /// Takes larger appends than it has to, in bytes.
    #[must_use]
    pub fn taking(self, append_bytes_max: usize) -> Self {
        Self { append_bytes_max, ..self }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LogError> {
        let readers = self.readers.clone();
        blocking(move || readers.with(read))
            .await
            .map_err(|unfinished| LogError(unfinished.to_string()))?
            .map_err(|error| LogError(error.to_string()))
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let bytes = append.bytes();
        if bytes > self.append_bytes_max {
            return Err(AppendError::TooLarge(bytes));
        }
        let ended = |_| AppendError::Unavailable("the writer has ended".into());
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job { append, reply })
            .await
            .map_err(|_| AppendError::Unavailable("the writer has ended".into()))?;
        answer.await.map_err(ended)?
    }

    async fn read_stream(&self, stream: &StreamName, from: u64, max: usize) -> Result<Vec<Recorded>, LogError> {
        let stream = stream.clone();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(schema::READ_STREAM)?;
            let rows = statement
                .query_map(params![stream.as_str(), int(from), int(max)], |row| recorded(row, Some(&stream)))?;
            rows.collect()
        })
        .await
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, LogError> {
        if let Some(events) = self.recent.after(after, max) {
            return Ok(events);
        }
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(schema::READ_ALL)?;
            let rows = statement.query_map(params![int(after.0), int(max)], |row| recorded(row, None))?;
            rows.collect()
        })
        .await
    }

    async fn at(&self, position: Position) -> Result<Option<Recorded>, LogError> {
        let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
        let next = self.read_all(Position(before), 1).await?;
        Ok(next.into_iter().next().filter(|event| event.position == position))
    }

    async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
        let (key, receipts) = (*key, self.receipts.clone());
        self.read(move |connection| receipts.find(connection, &key)).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    fn exclusive(&self) -> bool {
        true
    }
}

/// Connections that read one SQLite file and cannot write it. Also for the views, whose files are SQLite's too.
///
/// Opening one reads the whole schema, which takes longer than most reads: who finds all of them lent waits.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
    damaged: watch::Sender<Option<String>>,
}

#[derive(Debug, Default)]
struct Pool {
    /// With the file that each has open.
    idle: Vec<(Option<FileId>, Connection)>,
    lent: usize,
}

/// A connection that goes back when this is dropped; none if it could not be opened.
struct Lent<'a> {
    readers: &'a Readers,
    file: Option<FileId>,
    connection: Option<Connection>,
}

/// Which file it is that has a name now: another one is not read and written by whoever has the one of before open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(u64, u64);

impl FileId {
    /// Of the file at `path`, if there is one.
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }
}

impl Readers {
    /// Readers of the file at `path`.
    pub fn new(path: &Path) -> Self {
        let damaged = watch::Sender::new(None);
        Self { path: path.into(), pool: Mutex::default(), returned: Condvar::new(), damaged }
    }

    /// What was found when something was read that nobody can have written so, each time it is.
    pub fn damaged(&self) -> watch::Receiver<Option<String>> {
        self.damaged.subscribe()
    }

    /// Reads with one of the connections. Blocks, also on other reads.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let mut lent = self.lend();
        let connection = match lent.connection.take() {
            Some(connection) => connection,
            None => schema::reader(&self.path)?,
        };
        let read = read(lent.connection.insert(connection));
        if let Err(error) = &read
            && is_damage(error)
        {
            self.damaged.send_replace(Some(error.to_string()));
        }
        read
    }

    fn lend(&self) -> Lent<'_> {
        let pool = self.pool.lock().expect("nothing panics while it is held");
        let mut pool =
            self.returned.wait_while(pool, |pool| pool.lent >= READERS_MAX).expect("nothing panics while it is held");
        pool.lent += 1;
        let file = FileId::of(&self.path);
        pool.idle.retain(|(of, _)| *of == file);
        Lent { readers: self, file, connection: pool.idle.pop().map(|(_, connection)| connection) }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool.lock().expect("nothing panics while it is held");
        pool.lent -= 1;
        pool.idle.extend(self.connection.take().map(|connection| (self.file, connection)));
        self.readers.returned.notify_one();
    }
}

/// Whether what was read, or its place in the file, is not as it was written.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::{Error, ErrorCode};
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(error, Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..))
}

/// Columns: key, fingerprint, status, body, position.
fn receipt(row: &Row<'_>) -> rusqlite::Result<Receipt> {
    Ok(Receipt {
        key: row.get(0)?,
        fingerprint: row.get(1)?,
        status: row.get(2)?,
        body: row.get(3)?,
        position: Position(unsigned(row.get(4)?)),
    })
}

/// Columns: position, stream name, revision, id, type, version, recorded at, data, metadata.
fn recorded(row: &Row<'_>, stream: Option<&StreamName>) -> rusqlite::Result<Recorded> {
    let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
    let stream = match stream {
        Some(stream) => stream.clone(),
        None => StreamName::parse(row.get_ref(1)?.as_str()?).map_err(|e| broken(1, e))?,
    };
    Ok(Recorded {
        position: Position(unsigned(row.get(0)?)),
        stream,
        revision: unsigned(row.get(2)?),
        id: Uuid::from_slice(blob(3)?).map_err(|e| broken(3, e))?,
        event_type: row.get_ref(4)?.as_str()?.into(),
        version: row.get(5)?,
        recorded_at: Timestamp::from_microsecond(row.get(6)?).map_err(|e| broken(6, e))?,
        data: bytes::Bytes::copy_from_slice(blob(7)?).into(),
        metadata: bytes::Bytes::copy_from_slice(blob(8)?),
    })
}

fn broken(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}

/// SQLite's integers are signed; ours stay far below the border.
fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// See [`int`].
fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Finding, contract};

    fn open(dir: &tempfile::TempDir) -> Arc<dyn EventLog> {
        Arc::new(SqliteLog::open(&dir.path().join("log.db")).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_sqlite_log_keeps_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        contract::run(&open(&dir)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_appended_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let before = {
            let log = open(&dir);
            contract::run(&log).await;
            log.read_all(Position::START, 10_000).await.unwrap()
        };
        let log = open(&dir);
        assert_eq!(log.read_all(Position::START, 10_000).await.unwrap(), before);
        assert_eq!(*log.head().borrow(), before.last().unwrap().position);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn positions_have_no_gaps_even_after_refused_appends() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&dir);
        contract::run(&log).await;
        let all = log.read_all(Position::START, 10_000).await.unwrap();
        let positions: Vec<u64> = all.iter().map(|event| event.position.0).collect();
        assert_eq!(positions, (1..=all.len() as u64).collect::<Vec<_>>());
    }

    /// Appends go on from the first page to the last; the copy is the log as it was at one moment.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_taken_under_load_is_sound_and_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&dir);
        contract::run(&log).await;
        let before = *log.head().borrow();
        let (append, writer) = (log.clone(), std::sync::atomic::AtomicBool::new(true));
        let writer = Arc::new(writer);
        let writing = writer.clone();
        let task = tokio::spawn(async move {
            let stream = StreamName::new("group", &"acme".parse().unwrap(), Uuid::from_u128(77));
            let mut n = 0_u128;
            while writing.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                let event = crate::NewEvent {
                    id: Uuid::from_u128(1 << 100 | n),
                    event_type: "group.registered",
                    version: 1,
                    data: vec![b'x'; 5_000],
                };
                let (stream, at) = (stream.clone(), Timestamp::UNIX_EPOCH);
                let expected = crate::Expected::Any;
                let events = vec![event];
                append.append(Append { stream, expected, events, metadata: vec![], at, receipt: None }).await.unwrap();
            }
        });
        let (from, to) = (dir.path().join("log.db"), dir.path().join("copies"));
        std::fs::create_dir(&to).unwrap();
        let copied = tokio::task::spawn_blocking(move || {
            for n in 0..20 {
                copy(&from, &to.join(n.to_string()), |done, all| assert!(done <= all)).unwrap();
            }
            let sound = |n| verify(&to.join(format!("{n}")), |_| {}).unwrap().head;
            let heads: Vec<_> = (0..20).map(sound).collect();
            assert_eq!(std::fs::read_dir(&to).unwrap().count(), 20, "nothing beside a copy");
            heads
        });
        let heads = copied.await.unwrap();
        writer.store(false, std::sync::atomic::Ordering::Relaxed);
        task.await.unwrap();
        assert!(heads.is_sorted() && heads[0] >= before && heads[19] > heads[0], "{heads:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_of_another_format_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(&dir));
        let path = dir.path().join("log.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(SqliteLog::open(&path), Err(OpenError::Format { found: 99, .. })));
    }

    /// A flipped byte anywhere in the file is found, or changes nothing that can be read.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_flipped_byte_is_found_and_the_event_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        {
            let log = open(&dir);
            contract::run_small(&log).await;
        }
        let connection = Connection::open(&path).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(connection);
        let read = |path: &Path| -> Option<(Vec<Recorded>, Vec<Receipt>)> {
            let connection = schema::reader(path).ok()?;
            let events = connection
                .prepare(schema::READ_ALL)
                .ok()?
                .query_map(params![0, i64::MAX], |row| recorded(row, None))
                .ok()?
                .collect::<Result<_, _>>()
                .ok()?;
            let receipts = connection
                .prepare(schema::ALL_RECEIPTS)
                .ok()?
                .query_map([], receipt)
                .ok()?
                .collect::<Result<_, _>>()
                .ok()?;
            Some((events, receipts))
        };
        let before = read(&path).unwrap();
        let verified = verify(&path, |_| {}).unwrap();
        assert_eq!(verified.events, before.0.len() as u64);
        let bytes = std::fs::read(&path).unwrap();
        let broken = dir.path().join("broken.db");
        let (mut found, mut named) = (0, 0);
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            std::fs::write(&broken, &changed).unwrap();
            match verify(&broken, |_| {}) {
                Ok(_) => assert_eq!(read(&broken).as_ref(), Some(&before), "byte {at} changed what is read, unseen"),
                Err(error) => {
                    found += 1;
                    named += u32::from(matches!(error, VerifyError::Broken(Finding { position: Some(_), .. })));
                }
            }
        }
        assert!(found > 50 && named > 20, "{found} found, {named} named");
        // In the middle of one event's data, the event itself is named.
        let event = before.0.iter().rev().find(|event| event.data.len() > 20).unwrap();
        let at = bytes.windows(event.data.len()).position(|window| window == &event.data[..]).unwrap() + 10;
        let mut changed = bytes;
        changed[at] ^= 1;
        std::fs::write(&broken, &changed).unwrap();
        match verify(&broken, |_| {}) {
            Err(VerifyError::Broken(finding)) => assert_eq!(finding.position, Some(event.position)),
            other => panic!("{other:?}"),
        }
    }
}
