//! The views of a process as they are read, and how they are made anew.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::{MemberId, OrgId};
use eventlog::{EventLog, Position, blocking, sqlite::Readers};
use messaging::{Part, Subscriber};
use rusqlite::{Connection, params};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use web::{After, Problem, Read, VISIBLE_WAIT_MAX};

use crate::{
    changes::Changes,
    derived::Derived,
    store::{self, OpenError, Shown, Store, Writer},
    view::View,
};

/// Before views that could not be folded anew are tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The views of a process. Clones share all.
#[derive(Debug, Clone)]
pub struct Views(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    readers: Readers,
    shown: Vec<Shown>,
    changes: Changes,
    store: Mutex<Option<Arc<Mutex<Store>>>>,
}

impl Views {
    /// These views, in the file at `path`. Nothing is opened yet.
    pub fn new(path: &Path, views: impl IntoIterator<Item = &'static View>) -> Self {
        let shown = views.into_iter().map(Shown::new).collect();
        let (readers, changes, store) = (Readers::new(path), Changes::default(), Mutex::default());
        Self(Arc::new(Shared { path: path.into(), readers, shown, changes, store }))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &'static View> {
        self.0.shown.iter().map(|shown| shown.view)
    }

    /// Whether they are there already, and are not all folded anew when they are opened.
    pub fn are_there(&self) -> bool {
        store::are_there(&self.0.path)
    }

    /// Opens the writing side. What is not there, damaged or of another format is folded anew.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn writer(&self) -> Result<Writer, OpenError> {
        let (writer, store) = Writer::open(&self.0.path, &self.0.shown, &self.0.changes)?;
        *self.0.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(store);
        Ok(writer)
    }

    /// Folds anew what is behind, until it stands where the others do, which go on meanwhile.
    ///
    /// # Errors
    /// If the log cannot be read, or the rows cannot be written.
    pub async fn fold_behind(&self, log: &dyn EventLog) -> anyhow::Result<()> {
        let store = self.0.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match store {
            Some(store) => store::catch_up(&store, log).await,
            None => Ok(()),
        }
    }

    /// What has changed of what they show.
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// Whether all can be read: none is folded anew.
    pub fn are_whole(&self) -> bool {
        self.0.shown.iter().all(|shown| shown.reached.borrow().is_some())
    }

    /// Up to where a view was when something was last said of what it shows.
    pub fn changed(&self, view: &View) -> watch::Receiver<Position> {
        self.shown_as(view).changed.subscribe()
    }

    /// Reads `views` once they have reached `after`; nothing else may be read.
    ///
    /// # Errors
    /// 503 if they do not in time, or cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        views: &[&View],
        After(after): After,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Read<T>, Problem> {
        let mut position = None::<Position>;
        for view in views {
            let mut reached = self.shown_as(view).reached.subscribe();
            let enough = |reached: &Option<Position>| reached.is_some_and(|reached| reached >= after);
            let reached = timeout(VISIBLE_WAIT_MAX, reached.wait_for(enough)).await;
            let Ok(Ok(reached)) = reached.map(|reached| reached.map(|reached| *reached)) else {
                return Err(Problem::not_visible_yet());
            };
            position = position.map_or(reached, |least| reached.map(|reached| least.min(reached)));
        }
        let rows = self.look(read).await.map_err(|unfinished| Problem::internal(&unfinished))?;
        Ok(Read(position.unwrap_or_default(), rows.map_err(|error| Problem::unavailable(&error))?))
    }

    /// Reads whatever is there now: for tasks, which look again when there is more.
    ///
    /// # Errors
    /// If it was not read to its end; inside, what SQLite says.
    pub async fn look<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<rusqlite::Result<T>, eventlog::Unfinished> {
        let views = self.clone();
        blocking(move || views.0.readers.with(read)).await
    }

    /// Whether a view still has anything of somebody that it was to forget.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn have(&self, org: &OrgId, member: MemberId) -> rusqlite::Result<bool> {
        self.0.readers.with(|connection| {
            for table in self.all().flat_map(|view| view.forgets) {
                let of = format!("SELECT 1 FROM {table} WHERE org = ?1 AND member = ?2");
                if connection.prepare(&of)?.exists(params![org.as_str(), member.0.as_bytes()])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    fn shown_as(&self, view: &View) -> &Shown {
        let shown = self.0.shown.iter().find(|shown| shown.view.name == view.name);
        shown.expect("whoever reads a view is of a context, and the views of all contexts are kept")
    }
}

#[async_trait]
impl Derived for Views {
    fn name(&self) -> &'static str {
        "views"
    }

    fn open(&self, anew: bool) -> anyhow::Result<Box<dyn Subscriber>> {
        if anew {
            store::discard(&self.0.path);
        }
        Ok(Box::new(self.writer()?))
    }

    async fn beside(&self, log: Arc<dyn EventLog>, part: Part) {
        while let Err(error) = self.fold_behind(&*log).await {
            part.strained(format!("a view cannot be folded anew: {error:#}"));
            sleep(AGAIN_AFTER).await;
        }
    }

    /// Whether SQLite can read all of the file.
    fn check(&self) -> Result<(), String> {
        let check = || {
            let connection = Connection::open_with_flags(&self.0.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        };
        match check() {
            Ok(found) if found == "ok" => Ok(()),
            Ok(found) => Err(found),
            Err(error) => Err(error.to_string()),
        }
    }

    fn damaged(&self) -> watch::Receiver<Option<String>> {
        self.0.readers.damaged()
    }
}
