//! What the store of the views promises of views that it does not know.

use std::{path::PathBuf, sync::Arc};

use domain::{AnyEvent, DomainEvent, Text, programme};
use eventlog::{Append, EventLog, Expected, NewEvent, Position, StreamName, sqlite::SqliteLog};
use jiff::Timestamp;
use messaging::Subscriber;
use uuid::Uuid;
use web::After;

use crate::{Folding, View, Views};

/// Events in the log of the slow test, a count.
const EVENTS: usize = 100_000;
/// Events of one append, a count.
const APPENDED: usize = 1_000;

fn count(folding: &Folding<'_>, table: &str) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached(&format!("INSERT INTO {table} (position) VALUES (?1)"))?
        .execute([folding.position()])?;
    Ok(())
}

fn fold_first(folding: &Folding<'_>, _: &AnyEvent) -> rusqlite::Result<()> {
    count(folding, "first")
}

fn fold_second(folding: &Folding<'_>, _: &AnyEvent) -> rusqlite::Result<()> {
    count(folding, "second")
}

const FIRST: View = View {
    name: "first",
    version: 1,
    schema: "CREATE TABLE first (position INTEGER PRIMARY KEY) STRICT",
    tables: &[("first", "SELECT position FROM first ORDER BY position")],
    once_caught_up: "",
    kinds: &[programme::Event::CATEGORY],
    fold: || Box::new(fold_first),
    forgets: &[],
    keeps: &[],
};

const SECOND: View = View {
    name: "second",
    schema: "CREATE TABLE second (position INTEGER PRIMARY KEY) STRICT",
    tables: &[("second", "SELECT position FROM second ORDER BY position")],
    fold: || Box::new(fold_second),
    ..FIRST
};

/// The same with another column.
const SECOND_CHANGED: View = View {
    schema: "CREATE TABLE second (position INTEGER PRIMARY KEY, more TEXT NOT NULL DEFAULT 'more') STRICT",
    tables: &[("second", "SELECT position, more FROM second ORDER BY position")],
    ..SECOND
};

struct World {
    dir: tempfile::TempDir,
    log: Arc<dyn EventLog>,
    appended: usize,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(&dir.path().join("log.db")).unwrap());
        Self { dir, log, appended: 0 }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn append(&mut self, events: usize) {
        let name: Text<200> = "Recovery".parse().unwrap();
        let event =
            programme::Event::Registered(programme::Registered { details: programme::Details { name, source: None } });
        let (event_type, version) = event.event_type();
        let new = |n: usize| {
            let id = Uuid::from_u128((self.appended + n) as u128 + 1);
            NewEvent { id, event_type, version, data: event.encode() }
        };
        let append = Append {
            stream: StreamName::new(programme::Event::CATEGORY, &"acme".parse().unwrap(), Uuid::from_u128(1)),
            expected: Expected::Any,
            events: (0..events).map(new).collect(),
            metadata: b"{}".to_vec(),
            at: Timestamp::UNIX_EPOCH,
            receipt: None,
        };
        self.log.append(append).await.unwrap();
        self.appended += events;
    }

    /// Brings what is up to date to the end of the log.
    async fn follow(&self, writer: &mut impl Subscriber) {
        loop {
            let events = self.log.read_all(writer.checkpoint(), 10_000).await.unwrap();
            if events.is_empty() {
                return;
            }
            writer.apply(events).await.unwrap();
        }
    }
}

async fn rows(views: &Views, view: &'static View, table: &'static str, after: Position) -> usize {
    let read = move |connection: &rusqlite::Connection| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
    };
    let rows = views.read(&[view], After(after), read).await.unwrap_or_else(|_| panic!("{table} is not there in time"));
    usize::try_from(rows.1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_with_another_column_is_folded_anew_alone_while_the_others_serve_without_a_gap() {
    let mut world = World::new();
    for _ in 0..EVENTS / APPENDED {
        world.append(APPENDED).await;
    }
    let path = world.file("views.db");
    let before = Views::new(&path, [&FIRST, &SECOND]);
    let mut writer = before.writer().unwrap();
    world.follow(&mut writer).await;
    assert_eq!(rows(&before, &SECOND, "second", Position::START).await, EVENTS);
    drop((before, writer));

    let views = Views::new(&path, [&FIRST, &SECOND_CHANGED]);
    let mut writer = views.writer().unwrap();
    assert_eq!(rows(&views, &FIRST, "first", Position::START).await, EVENTS, "it is as it was");
    let (behind, log) = (views.clone(), world.log.clone());
    let anew = tokio::spawn(async move { behind.fold_behind(&*log).await.unwrap() });
    let mut served = 0;
    while !anew.is_finished() {
        world.append(1).await;
        world.follow(&mut writer).await;
        let at = *world.log.head().borrow();
        assert_eq!(rows(&views, &FIRST, "first", at).await, world.appended, "what happens meanwhile is served");
        served += 1;
    }
    anew.await.unwrap();
    assert!(served > 10, "{served} times");
    world.append(1).await;
    world.follow(&mut writer).await;
    let at = *world.log.head().borrow();
    assert_eq!(rows(&views, &SECOND_CHANGED, "second", at).await, world.appended, "it goes on with the others");
    let (position, found) = views.difference(&world.file("anew.db"), &*world.log).await.unwrap();
    assert_eq!((position, found), (at, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_behind_goes_on_from_where_it_was_after_a_crash() {
    let mut world = World::new();
    for _ in 0..5 {
        world.append(APPENDED).await;
    }
    let path = world.file("views.db");
    world.follow(&mut Views::new(&path, [&FIRST]).writer().unwrap()).await;
    for _ in 0..2 {
        let views = Views::new(&path, [&FIRST, &SECOND]);
        let _writer = views.writer().unwrap();
        // It ends in the middle; as after a crash, nothing of it goes on when the next one opens the file.
        let (behind, log) = (views.clone(), world.log.clone());
        let crashes = move || {
            let life = tokio::runtime::Runtime::new().unwrap();
            life.spawn(async move { behind.fold_behind(&*log).await });
            life.block_on(tokio::task::yield_now());
        };
        tokio::task::spawn_blocking(crashes).await.unwrap();
    }
    let views = Views::new(&path, [&FIRST, &SECOND]);
    let _writer = views.writer().unwrap();
    views.fold_behind(&*world.log).await.unwrap();
    assert_eq!(rows(&views, &SECOND, "second", *world.log.head().borrow()).await, world.appended);
    let (_, found) = views.difference(&world.file("anew.db"), &*world.log).await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_none_any_more_leaves_nothing() {
    let mut world = World::new();
    world.append(3).await;
    let path = world.file("views.db");
    world.follow(&mut Views::new(&path, [&FIRST, &SECOND]).writer().unwrap()).await;
    let views = Views::new(&path, [&FIRST]);
    let _writer = views.writer().unwrap();
    let left = views
        .look(|connection| connection.prepare("SELECT 1 FROM sqlite_schema WHERE tbl_name = 'second'")?.exists([]))
        .await;
    assert!(!left.unwrap().unwrap());
    assert_eq!(rows(&views, &FIRST, "first", Position::START).await, 3);
}
