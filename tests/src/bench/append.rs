//! Appends: many writers at the log, against one bare loop that inserts the same rows into the same tables.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use domain::OrgId;
use eventlog::{Append, EventLog, Expected, NewEvent, StreamName, kurrent::KurrentLog, sqlite::SqliteLog};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Bench, Figures};
use crate::{load::per_second, process::Kurrent};

/// Writers at once, a count.
const WRITERS: u64 = 32;
/// Data of an event, in bytes.
const DATA_BYTES: usize = 256;
/// All are measured this often, one after the other, so that a slow moment of the machine is one of all.
const ROUNDS: u32 = 10;
/// How long each is measured, in all rounds.
const MEASURED: Duration = Duration::from_secs(20);
/// Who appends.
const METADATA: &[u8] = br#"{"actor":"bench","role":"admin"}"#;
const EVENT_TYPE: &str = "bench.happened";
/// Goals.
const GOALS: (&str, &str, &str) = ("goal ≥ 20000", "goal ≥ 0.5", "goal ≥ 0.3");

/// The tables of `eventlog/sqlite/schema.rs` that an append without a receipt writes, and its settings.
const TABLES: &str = "
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4096;
CREATE TABLE streams (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (key),
    revision INTEGER NOT NULL,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    data BLOB NOT NULL,
    metadata BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);";

/// Sizes of the log's transactions, taken from its metrics.
#[derive(Debug, Clone, Default)]
struct Batches(Arc<BatchCounts>);

#[derive(Debug, Default)]
struct BatchCounts {
    appends: AtomicU64,
    commits: AtomicU64,
}

impl HistogramFn for BatchCounts {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts
    fn record(&self, appends: f64) {
        self.appends.fetch_add(appends as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Batches {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "kith_log_batch_appends" { Histogram::from_arc(self.0.clone()) } else { Histogram::noop() }
    }
}

/// Measures appends.
///
/// # Errors
/// If a file cannot be written.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let batches = Batches::default();
    // The other parts of this process have no figures in its metrics.
    let _ = metrics::set_global_recorder(batches.clone());
    let time = bench.time(MEASURED) / ROUNDS;
    let (mut log, mut bare, mut kurrent) = ((0, Duration::ZERO), (0, Duration::ZERO), (0, Duration::ZERO));
    let mut batch = 1;
    for round in 0..ROUNDS {
        let path = bench.place.join(format!("log-{round}.db"));
        add(&mut log, append(Arc::new(SqliteLog::open(&path)?), time).await?);
        let commits = batches.0.commits.load(Ordering::Relaxed).max(1);
        batch = (batches.0.appends.load(Ordering::Relaxed) + commits / 2) / commits;
        let path = bench.place.join(format!("bare-{round}.db"));
        add(&mut bare, tokio::task::spawn_blocking(move || insert(&path, batch, time)).await??);
        let server = Kurrent::start(&bench.place.join(format!("kurrent-{round}.db")), ([127, 0, 0, 1], 0).into(), &[]);
        let log = KurrentLog::open(&server.url()).await?;
        log.down().wait_for(Option::is_none).await?;
        add(&mut kurrent, append(Arc::new(log), time).await?);
    }
    let through_the_wire = per_second(kurrent.0, kurrent.1);
    let (log, bare) = (per_second(log.0, log.1), per_second(bare.0, bare.1));
    figures.add("append_per_s", log, format!("{}; {WRITERS} writers, {DATA_BYTES} bytes", GOALS.0));
    figures.add("append_limit_per_s", bare, format!("bare SQLite, transactions of {batch}"));
    figures.add("append_ratio", log / bare, GOALS.1);
    figures.add("kurrent_append_per_s", through_the_wire, "through the wire to the stand-in, which is no KurrentDB");
    figures.add("kurrent_append_ratio", through_the_wire / log, GOALS.2);
    Ok(())
}

fn add(sum: &mut (u64, Duration), one: (u64, Duration)) {
    *sum = (sum.0 + one.0, sum.1 + one.1);
}

async fn append(log: Arc<dyn EventLog>, time: Duration) -> anyhow::Result<(u64, Duration)> {
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(log.clone(), writer, started + time));
    }
    let mut events = 0;
    while let Some(written) = writers.join_next().await {
        events += written??;
    }
    Ok((events, started.elapsed()))
}

async fn write(log: Arc<dyn EventLog>, writer: u64, until: Instant) -> anyhow::Result<u64> {
    let org: OrgId = "bench".parse().context("the name of an organisation")?;
    let stream = StreamName::new("bench", &org, Uuid::from_u64_pair(writer, 0));
    let mut revision = 0;
    while Instant::now() < until {
        let data = format!("\"{}\"", "x".repeat(DATA_BYTES - 2)).into_bytes();
        let event = NewEvent { id: Uuid::from_u64_pair(writer, revision), event_type: EVENT_TYPE, version: 1, data };
        let append = Append {
            stream: stream.clone(),
            expected: revision.checked_sub(1).map_or(Expected::NoStream, Expected::Exact),
            events: vec![event],
            metadata: METADATA.to_vec(),
            at: kith::clock().now(),
            receipt: None,
        };
        log.append(append).await?;
        revision += 1;
    }
    Ok(revision)
}

/// Inserts the same rows in transactions of `batch`.
fn insert(path: &Path, batch: u64, time: Duration) -> anyhow::Result<(u64, Duration)> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(TABLES)?;
    for writer in 0..WRITERS {
        let name = format!("bench-bench/{}", Uuid::from_u64_pair(writer, 0));
        connection.execute("INSERT INTO streams (name) VALUES (?1)", [name])?;
    }
    let (data, hash, started) = ([b'x'; DATA_BYTES], [7_u8; 32], Instant::now());
    let mut position = 0;
    while started.elapsed() < time {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for _ in 0..batch {
            let (writer, revision) = (position % WRITERS, position / WRITERS);
            let (id, now) = (Uuid::from_u64_pair(writer, revision), kith::clock().now().as_microsecond());
            transaction
                .prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
                .execute(params![
                    i64::try_from(position + 1)?,
                    i64::try_from(writer + 1)?,
                    i64::try_from(revision)?,
                    id.as_bytes().as_slice(),
                    EVENT_TYPE,
                    1,
                    now,
                    data.as_slice(),
                    METADATA,
                    hash.as_slice(),
                ])?;
            position += 1;
        }
        transaction.commit()?;
    }
    Ok((position, started.elapsed()))
}
