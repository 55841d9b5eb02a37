//! The store of the views: one file of SQLite, in which each view has its own tables, checkpoint and format. Rows and
//! checkpoint commit in one transaction, so a view is always that of a prefix of the log.
//!
//! A view that is new, or whose schema or fold is another one than before, is folded anew alone: the others go on.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use domain::{AnyEvent, MemberId, member, people};
use eventlog::{EventLog, Position, Recorded, blocking};
use messaging::{ApplyError, Subscriber};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::watch;

use crate::{
    changes::{Change, Changes, Scope, Topic},
    view::{Fold, Folding, View, signed},
};

/// Format of the store itself; a file of another one is thrown away and folded anew.
const FORMAT: i64 = 7;
/// Bytes of page cache, in KiB; negative as SQLite wants it.
const CACHE_KIB: i64 = -65_536;
/// Pages in the write-ahead log after which it is moved into the file. Reads that wait for an event wait for that too.
const WAL_PAGES: i64 = 1_000;
/// The same while catching up, when nobody waits: marks touch pages all over the file, so that each is written once for
/// many of them.
const WAL_PAGES_CATCHING_UP: i64 = 16_384;
/// Events folded at once into views that are made anew, a count: so long the others wait for their turn.
const ANEW_EVENTS: usize = 1_000;

/// A view, and up to where it is.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub view: &'static View,
    /// Up to where it can be read; none while it is folded anew.
    pub reached: watch::Sender<Option<Position>>,
    /// Up to where it was when something was last said of what it shows.
    pub changed: watch::Sender<Position>,
}

impl Shown {
    /// A view that is nowhere yet.
    pub fn new(view: &'static View) -> Self {
        let (reached, changed) = (Some(Position::START), Position::START);
        Self { view, reached: watch::Sender::new(reached), changed: watch::Sender::new(changed) }
    }
}

/// Views that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the views in {path} cannot be opened")]
pub struct OpenError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// Up to where a view is, and what the event there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub position: Position,
    /// [`Recorded::digest`].
    pub digest: Option<[u8; 32]>,
}

impl Checkpoint {
    /// Of a view; none if it is not there, or of another format.
    pub fn of(connection: &Connection, view: &View) -> rusqlite::Result<Option<Self>> {
        let found = connection
            .prepare_cached("SELECT position, digest FROM views WHERE name = ?1 AND format = ?2")?
            .query_row(params![view.name, view.format()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        let found = found.map(|(position, digest)| Self { position: Position(position.unsigned_abs()), digest });
        Ok(found)
    }
}

/// The writing side of the views that are up to date, as a subscriber of the log.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Mutex<Store>>,
    checkpoint: Checkpoint,
}

/// All views, as they are written.
pub(crate) struct Store {
    connection: Connection,
    kept: Vec<Stored>,
    changes: Changes,
}

/// A view in the store.
struct Stored {
    shown: Shown,
    fold: Box<dyn Fold>,
    checkpoint: Checkpoint,
    /// Whether it is folded anew while others go on.
    behind: bool,
    /// Whether something of a batch was for it.
    touched: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Whether there are views in the file at `path` that are not all folded anew when they are opened.
pub(crate) fn are_there(path: &Path) -> bool {
    let format = || {
        let views = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        views.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    format().is_ok_and(|format| format == FORMAT)
}

/// Removes the file, with all that belongs to it. Whoever has it open reads what is no view any more.
pub(crate) fn discard(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let _ = std::fs::remove_file(file); // one that is not there is as good
    }
}

impl Writer {
    /// Opens the store. If it is damaged or of another format, it starts empty.
    pub(crate) fn open(
        path: &Path,
        shown: &[Shown],
        changes: &Changes,
    ) -> Result<(Self, Arc<Mutex<Store>>), OpenError> {
        let opened = Store::open(path, shown, changes).or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the views are folded anew");
            discard(path);
            Store::open(path, shown, changes)
        });
        let store = opened.map_err(|source| OpenError { path: path.into(), source })?;
        let checkpoint = store.checkpoint();
        let store = Arc::new(Mutex::new(store));
        Ok((Self { store: store.clone(), checkpoint }, store))
    }

    /// Applies events that follow the checkpoint, and moves it, in one transaction.
    ///
    /// # Errors
    /// If nothing was applied.
    pub fn fold(&mut self, events: &[Recorded]) -> Result<(), ApplyError> {
        let mut store = locked(&self.store);
        store.fold(events, false)?;
        self.checkpoint = store.checkpoint();
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Writer {
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
        let mut writer = Self { store: self.store.clone(), checkpoint: self.checkpoint };
        let folded = blocking(move || writer.fold(&events).map(|()| writer.checkpoint));
        self.checkpoint = folded.await.map_err(|unfinished| ApplyError::Store(unfinished.to_string()))??;
        Ok(())
    }

    async fn caught_up(&mut self) -> Result<(), ApplyError> {
        let store = self.store.clone();
        let caught_up = blocking(move || locked(&store).caught_up()).await;
        let caught_up = caught_up.map_err(|unfinished| ApplyError::Store(unfinished.to_string()))?;
        caught_up.map_err(|error| ApplyError::Store(error.to_string()))
    }
}

/// Folds the views anew that are behind, until they stand where the others do.
pub(crate) async fn catch_up(store: &Arc<Mutex<Store>>, log: &dyn EventLog) -> anyhow::Result<()> {
    loop {
        let behind = store.clone();
        let from = blocking(move || locked(&behind).behind()).await?;
        let Some(from) = from else { return Ok(()) };
        let events = log.read_all(from, ANEW_EVENTS).await?;
        let store = store.clone();
        blocking(move || locked(&store).fold_anew(events)).await??;
    }
}

fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    fn open(path: &Path, shown: &[Shown], changes: &Changes) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // What is lost when the power fails comes back from the log.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        limit_wal(&connection, WAL_PAGES_CATCHING_UP)?;
        connection.set_prepared_statement_cache_capacity(64);
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let making = connection.transaction()?;
        if format == 0 {
            making.execute_batch(include_str!("store.sql"))?;
            making.pragma_update(None, "user_version", FORMAT)?;
        } else if format != FORMAT {
            return Err(rusqlite::Error::InvalidParameterName(format!("format {format} instead of {FORMAT}")));
        }
        remove_unknown(&making, shown)?;
        let checkpoints = shown.iter().map(|shown| make(&making, shown.view)).collect::<rusqlite::Result<Vec<_>>>()?;
        making.commit()?;
        let latest = checkpoints.iter().map(|checkpoint| checkpoint.position).max().unwrap_or_default();
        let kept = shown.iter().zip(checkpoints).map(|(shown, checkpoint)| {
            let behind = checkpoint.position < latest;
            shown.reached.send_replace((!behind).then_some(checkpoint.position));
            shown.changed.send_replace(checkpoint.position);
            Stored { shown: shown.clone(), fold: (shown.view.fold)(), checkpoint, behind, touched: false }
        });
        let kept = kept.collect();
        changes.begin(latest);
        Ok(Self { connection, kept, changes: changes.clone() })
    }

    /// Where the views are that are up to date.
    fn checkpoint(&self) -> Checkpoint {
        self.kept.iter().find(|kept| !kept.behind).map(|kept| kept.checkpoint).unwrap_or_default()
    }

    /// Up to where the views are at least that are behind, if some are.
    fn behind(&self) -> Option<Position> {
        self.kept.iter().filter(|kept| kept.behind).map(|kept| kept.checkpoint.position).min()
    }

    /// Folds events into the views that are `behind`, or those that are not, in one transaction.
    fn fold(&mut self, events: &[Recorded], behind: bool) -> Result<(), ApplyError> {
        let Some(last) = events.last() else { return Ok(()) };
        let checkpoint = Checkpoint { position: last.position, digest: Some(last.digest()) };
        let Self { connection, kept, changes } = self;
        let mut told = Vec::new();
        let of_them = |kept: &&mut Stored| kept.behind == behind && kept.checkpoint.position < checkpoint.position;
        let mut kept: Vec<_> = kept.iter_mut().filter(of_them).collect();
        let mut fold = || {
            let rows = connection.transaction().map_err(|error| stored(&error))?;
            for event in events {
                let said = fold_one(&rows, event, &mut kept)?;
                if said.is_empty() {
                    continue;
                }
                let (at, org) = (event.position, event.stream.org());
                let change = |(topic, scope)| Change { at, org: org.clone(), topic, scope, kind: None };
                told.extend(said.into_iter().map(change));
            }
            for kept in &kept {
                let moved = "UPDATE views SET position = ?2, digest = ?3 WHERE name = ?1";
                let mut moved = rows.prepare_cached(moved).map_err(|error| stored(&error))?;
                let to = params![kept.shown.view.name, signed(checkpoint.position), checkpoint.digest];
                moved.execute(to).map_err(|error| stored(&error))?;
            }
            rows.commit().map_err(|error| stored(&error))
        };
        let folded = fold();
        for kept in kept {
            match &folded {
                Ok(()) => kept.moved_to(checkpoint),
                Err(_) => kept.fold.rolled_back(),
            }
            kept.touched = false;
        }
        if folded.is_ok() && !behind {
            changes.tell(told, Some(checkpoint.position));
        }
        folded
    }

    /// Folds events into the views that are behind, as far as the others have come; those that then stand where the others
    /// do go on with them.
    fn fold_anew(&mut self, mut events: Vec<Recorded>) -> Result<(), ApplyError> {
        let Checkpoint { position: others, .. } = self.checkpoint();
        events.retain(|event| event.position <= others);
        self.fold(&events, true)?;
        if self.behind().is_some_and(|behind| behind < others) {
            return Ok(());
        }
        for kept in self.kept.iter_mut().filter(|kept| kept.behind) {
            self.connection.execute_batch(kept.shown.view.once_caught_up).map_err(|error| stored(&error))?;
            kept.behind = false;
            kept.moved_to(kept.checkpoint);
            tracing::info!(view = kept.shown.view.name, position = others.0, "folded anew");
        }
        Ok(())
    }

    fn caught_up(&self) -> rusqlite::Result<()> {
        for kept in self.kept.iter().filter(|kept| !kept.behind) {
            self.connection.execute_batch(kept.shown.view.once_caught_up)?;
        }
        limit_wal(&self.connection, WAL_PAGES)
    }
}

impl Stored {
    fn moved_to(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = checkpoint;
        // Whoever reads that far must find said that there is something new.
        if self.touched {
            self.shown.changed.send_replace(checkpoint.position);
        }
        if !self.behind {
            self.shown.reached.send_replace(Some(checkpoint.position));
        }
    }
}

/// Removes views that are none of those there are.
fn remove_unknown(making: &Transaction<'_>, shown: &[Shown]) -> rusqlite::Result<()> {
    let mut names = making.prepare("SELECT name FROM views")?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    for name in names.into_iter().filter(|name| shown.iter().all(|shown| shown.view.name != name)) {
        remove(making, &name)?;
    }
    Ok(())
}

/// Makes a view, unless it is there in its format; answers where it is.
fn make(making: &Transaction<'_>, view: &View) -> rusqlite::Result<Checkpoint> {
    if let Some(checkpoint) = Checkpoint::of(making, view)? {
        return Ok(checkpoint);
    }
    remove(making, view.name)?;
    making.execute_batch(view.schema)?;
    let tables: Vec<_> = view.tables.iter().map(|(table, _)| *table).collect();
    let tables = serde_json::to_string(&tables).expect("names");
    let row = params![view.name, view.format(), tables];
    making.execute("INSERT INTO views VALUES (?1, ?2, ?3, 0, NULL)", row)?;
    Ok(Checkpoint::default())
}

fn remove(making: &Transaction<'_>, name: &str) -> rusqlite::Result<()> {
    let mut tables = making.prepare("SELECT value FROM views, json_each(tables) WHERE name = ?1")?;
    let tables = tables.query_map([name], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    for table in tables {
        making.execute_batch(&format!("DROP TABLE IF EXISTS \"{table}\""))?;
    }
    making.execute("DELETE FROM views WHERE name = ?1", [name])?;
    Ok(())
}

/// What changed by an event, and whom it is about.
type Said = Vec<(&'static Topic, Scope)>;

fn fold_one(rows: &Transaction<'_>, event: &Recorded, views: &mut [&mut Stored]) -> Result<Said, ApplyError> {
    let decoded = event.decode().map_err(|error| ApplyError::event(event, &error))?;
    let told = RefCell::default();
    let at = Folding { rows, event, told: &told };
    let mut fold = || {
        for member in erased(event, &decoded) {
            forget(&at, member, views)?;
        }
        let category = event.stream.category();
        for view in views.iter_mut().filter(|view| view.shown.view.kinds.contains(&category)) {
            // One that was behind may be less so than others.
            if view.checkpoint.position < event.position {
                view.touched = true;
                view.fold.fold(&at, &decoded)?;
            }
        }
        Ok(())
    };
    let folded = fold().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
        // The event is not as the rows allow, or the rows are not as they were written.
        None | Some(rusqlite::ErrorCode::ConstraintViolation | rusqlite::ErrorCode::TypeMismatch) => {
            ApplyError::event(event, &error)
        }
        // The disk or the file, not the event.
        Some(_) => stored(&error),
    });
    folded.map(|()| told.into_inner())
}

/// Whom the event says to be erased.
fn erased(event: &Recorded, decoded: &AnyEvent) -> Vec<MemberId> {
    if let Some(member::Event::Erased(_)) = decoded.of() {
        return vec![MemberId(event.stream.id())];
    }
    let Some(said) = decoded.of::<people::Event>() else { return vec![] };
    let erased = |(member, said)| matches!(said, member::Event::Erased(_)).then_some(member);
    said.of_records().into_iter().filter_map(erased).collect()
}

/// Removes what views have of somebody who was erased, and keeps that they were.
fn forget(at: &Folding<'_>, member: MemberId, views: &[&mut Stored]) -> rusqlite::Result<()> {
    let who = params![at.org(), member.0.as_bytes()];
    for table in views.iter().flat_map(|view| view.shown.view.forgets) {
        at.rows.prepare_cached(&format!("DELETE FROM {table} WHERE org = ?1 AND member = ?2"))?.execute(who)?;
    }
    at.rows
        .prepare_cached(
            "INSERT INTO erased VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET position = max(position, ?3)",
        )?
        .execute(params![at.org(), member.0.as_bytes(), at.position()])?;
    Ok(())
}

fn stored(error: &rusqlite::Error) -> ApplyError {
    ApplyError::Store(error.to_string())
}

fn limit_wal(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {pages}"), [], |_| Ok(()))
}
