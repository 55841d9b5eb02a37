//! One world for tests: a log, a NATS server, subscribers that can fail.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::{Append, EventLog, Expected, NewEvent, Position, Recorded, StreamName, sqlite::SqliteLog};
use jiff::Timestamp;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    ApplyError, ConsumeOptions, Health, Nats, NatsConfig, NatsServer, NatsServerConfig, PartState, Report, Subscriber,
    cloud_event, consume, hear, relay,
};

/// Longest wait for anything, generous for slow machines.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const NEW_YEAR_2026: i64 = 1_767_225_600; // seconds
const APPEND_EVENTS: u64 = 100;

/// The `n`-th event of a log that only these tests write; event `n` is at position `n`.
pub(crate) fn recorded(n: u64) -> Recorded {
    Recorded {
        position: Position(n),
        stream: stream_name(),
        revision: n - 1,
        id: Uuid::from_u128(n.into()),
        event_type: "attendance.recorded".into(),
        version: 1,
        recorded_at: Timestamp::from_second(NEW_YEAR_2026 + i64::try_from(n).unwrap()).unwrap(),
        data: format!(r#"{{"n":{n}}}"#).into(),
        metadata: Bytes::from_static(br#"{"actor":"alice"}"#),
    }
}

/// As [`recorded`], as it arrives.
pub(crate) fn received(n: u64) -> Recorded {
    Recorded { metadata: Bytes::new(), ..recorded(n) }
}

fn stream_name() -> StreamName {
    StreamName::parse("meeting-acme/00000000-0000-0000-0000-000000000001").unwrap()
}

/// Appends the events `from ..= to`, each at its position. Their times differ from those of [`recorded`].
pub(crate) async fn append(log: &dyn EventLog, from: u64, to: u64) {
    append_as(log, from, to, Uuid::from_u128).await;
}

/// As [`append`], with other ids.
pub(crate) async fn append_as(log: &dyn EventLog, from: u64, to: u64, id: fn(u128) -> Uuid) {
    let mut first = from;
    while first <= to {
        let last = to.min(first + APPEND_EVENTS - 1);
        let event = |n: u64| NewEvent {
            id: id(n.into()),
            event_type: "attendance.recorded",
            version: 1,
            data: recorded(n).data.to_vec(),
        };
        let append = Append {
            stream: stream_name(),
            expected: Expected::Any,
            events: (first..=last).map(event).collect(),
            metadata: recorded(first).metadata.to_vec(),
            at: recorded(first).recorded_at,
            receipt: None,
        };
        assert_eq!(log.append(append).await.unwrap().position, Position(last));
        first = last + 1;
    }
}

pub(crate) fn open_log(dir: &Path) -> Arc<dyn EventLog> {
    Arc::new(SqliteLog::open(&dir.join("events.db")).unwrap())
}

/// The `nats-server` to be tested with.
pub(crate) fn binary() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("KITH_NATS_SERVER").map(PathBuf::from);
    let folders = std::iter::once(tools).chain(std::env::split_paths(&path));
    let found = named.or_else(|| folders.map(|dir| dir.join("nats-server")).find(|file| file.is_file()));
    found.expect("there is no nats-server: run `make tools`")
}

pub(crate) fn server_config(dir: &Path) -> NatsServerConfig {
    NatsServerConfig { binary: binary(), dir: dir.join("nats"), password: "secret".into() }
}

/// A server in a folder of its own.
pub(crate) struct Server {
    server: NatsServer,
    pub(crate) dir: TempDir,
}

pub(crate) async fn server() -> Server {
    let dir = tempfile::tempdir().unwrap();
    Server { server: NatsServer::start(server_config(dir.path()), &Health::new()).await.unwrap(), dir }
}

impl Server {
    pub(crate) fn config(&self) -> NatsConfig {
        self.server.config()
    }
}

/// Kills the process at once.
pub(crate) fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Log and server in one folder, with what runs on them.
pub(crate) struct World {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) server: Option<NatsServer>,
    pub(crate) nats: Nats,
    /// What consumers hear.
    pub(crate) heard: watch::Receiver<Position>,
    pub(crate) health: Health,
    cancel: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        Self::with(dir, log).await
    }

    async fn with(dir: TempDir, log: Arc<dyn EventLog>) -> Self {
        let health = Health::new();
        let server = NatsServer::start(server_config(dir.path()), &health).await.unwrap();
        let nats = Nats::connect(&server.config(), &health).await.unwrap();
        let reader = Nats::connect(&server.reader_config(), &health).await.unwrap();
        let heard = hear(&reader).await.unwrap();
        Self {
            log,
            server: Some(server),
            nats,
            heard,
            health,
            cancel: CancellationToken::new(),
            tasks: Vec::new(),
            dir,
        }
    }

    pub(crate) async fn append(&self, from: u64, to: u64) {
        append(&*self.log, from, to).await;
    }

    pub(crate) fn relay(&mut self) {
        let relay = relay(self.nats.clone(), self.log.clone(), self.health.clone(), self.cancel.clone());
        self.tasks.push(tokio::spawn(relay));
    }

    pub(crate) fn consume(&mut self, view: &View) -> ConsumeOptions {
        self.consume_with(view, ConsumeOptions::default())
    }

    pub(crate) fn consume_with(&mut self, view: &View, options: ConsumeOptions) -> ConsumeOptions {
        let consume = consume(
            Box::new(view.clone()),
            self.log.clone(),
            self.heard.clone(),
            options.clone(),
            self.health.clone(),
            self.cancel.clone(),
        );
        self.tasks.push(tokio::spawn(consume));
        options
    }

    /// Ends all that runs, and the server, and says how long the tasks took to end.
    pub(crate) async fn stop(self) -> (TempDir, Arc<dyn EventLog>, Duration) {
        let since = tokio::time::Instant::now();
        self.cancel.cancel();
        for task in self.tasks {
            timeout(PATIENCE, task).await.expect("it ends promptly").unwrap();
        }
        let took = since.elapsed();
        if let Some(server) = self.server {
            server.stop().await;
        }
        (self.dir, self.log, took)
    }

    /// Stops everything, does something to the folder, and starts log, server and connection again.
    pub(crate) async fn restart(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let (dir, log, _) = self.stop().await;
        meanwhile(dir.path());
        Self::with(dir, log).await
    }

    /// Stops everything and starts it with another log, of `events` events with other ids.
    pub(crate) async fn replace_log(self, id: fn(u128) -> Uuid, events: u64) -> Self {
        let (dir, _, _) = self.stop().await;
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let log = open_log(&other);
        append_as(&*log, 1, events, id).await;
        Self::with(dir, log).await
    }

    pub(crate) async fn wait_for(&self, part: &str, state: impl Fn(&PartState) -> bool) -> Report {
        let wished = |report: &Report| report.parts.iter().any(|p| p.name == part && state(&p.state));
        let waited = timeout(PATIENCE, self.health.wait_until(wished)).await;
        waited.unwrap_or_else(|_| panic!("{part} is not as expected: {:?}", self.health.report()))
    }

    pub(crate) async fn runs(&self, part: &str) {
        self.wait_for(part, |state| *state == PartState::Running).await;
    }

    /// Why the part stands still.
    pub(crate) async fn stops(&self, part: &str) -> String {
        let report = self.wait_for(part, |state| matches!(state, PartState::Stopped { .. })).await;
        match report.parts.into_iter().find(|p| p.name == part).unwrap().state {
            PartState::Stopped { why } => why,
            state => panic!("{state:?}"),
        }
    }

    pub(crate) async fn reached(&self, view: &View, n: u64) {
        self.reached_by(view.name, n).await;
    }

    pub(crate) async fn reached_by(&self, part: &str, n: u64) {
        let mut checkpoint = self.health.checkpoint(part);
        let waited = timeout(PATIENCE, checkpoint.wait_for(|position| position.0 >= n)).await.map(|_| ());
        assert!(waited.is_ok(), "{part} is not at {n}: {:?}", self.health.report());
    }

    /// Waits until the last message of the stream is event `n`.
    pub(crate) async fn relayed(&self, n: u64) {
        let probe = async {
            loop {
                if self.nats.stream().await.is_ok_and(|s| s.cached_info().state.last_sequence >= n) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, probe).await.is_ok(), "event {n} is not relayed: {:?}", self.health.report());
    }

    /// Position, previous and id of every message of the stream.
    pub(crate) async fn stream(&self) -> Vec<(u64, u64, u128)> {
        let stream = self.nats.stream().await.unwrap();
        let last = stream.cached_info().state.last_sequence;
        let mut messages = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let (event, previous) = cloud_event::decode(Some(&message.headers), message.payload).unwrap();
            messages.push((event.position.0, previous.0, event.id.as_u128()));
        }
        messages
    }

    /// Publishes a message by hand.
    pub(crate) async fn publish(&self, event: &Recorded, previous: u64) {
        let headers = cloud_event::headers(event, Position(previous));
        let subject = cloud_event::subject(event);
        let sent = self.nats.jetstream().publish_with_headers(subject, headers, Bytes::clone(&event.data)).await;
        sent.unwrap().await.unwrap();
    }
}

/// What the stream holds when all is well, up to event `n`.
pub(crate) fn chain(n: u64) -> Vec<(u64, u64, u128)> {
    (1..=n).map(|n| (n, n - 1, n.into())).collect()
}

/// A view in memory that can be made to fail.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    state: Arc<Mutex<ViewState>>,
}

#[derive(Default)]
struct ViewState {
    checkpoint: Position,
    events: Vec<Recorded>,
    batches: Vec<usize>,
    poison: Option<Position>,
    store_failures: usize,
    /// Whether it knows what it applied last, by the digest of it.
    remembers: bool,
}

impl View {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, state: Arc::default() }
    }
    pub(crate) fn at(name: &'static str, checkpoint: u64) -> Self {
        let view = Self::new(name);
        view.state.lock().unwrap().checkpoint = Position(checkpoint);
        view
    }
    /// One that remembers what it applied last.
    pub(crate) fn remembering(name: &'static str) -> Self {
        let view = Self::new(name);
        view.state.lock().unwrap().remembers = true;
        view
    }
    pub(crate) fn positions(&self) -> Vec<u64> {
        self.state.lock().unwrap().events.iter().map(|event| event.position.0).collect()
    }
    pub(crate) fn events(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().events.clone()
    }
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.state.lock().unwrap().batches.clone()
    }
    pub(crate) fn poison(&self, n: Option<u64>) {
        self.state.lock().unwrap().poison = n.map(Position);
    }
    pub(crate) fn fail_to_store(&self, times: usize) {
        self.state.lock().unwrap().store_failures = times;
    }
}

#[async_trait]
impl Subscriber for View {
    fn name(&self) -> &'static str {
        self.name
    }
    fn checkpoint(&self) -> Position {
        self.state.lock().unwrap().checkpoint
    }
    fn last_applied(&self) -> Option<[u8; 32]> {
        let state = self.state.lock().unwrap();
        state.events.last().filter(|_| state.remembers).map(Recorded::digest)
    }
    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), ApplyError> {
        let mut state = self.state.lock().unwrap();
        if state.store_failures > 0 {
            state.store_failures -= 1;
            return Err(ApplyError::Store("the disk is full".into()));
        }
        if let Some(event) = events.iter().find(|event| Some(event.position) == state.poison) {
            let (position, id, event_type) = (event.position, event.id, event.event_type.to_string());
            return Err(ApplyError::Event { position, id, event_type, why: "it does not fit".into() });
        }
        state.checkpoint = events.last().unwrap().position;
        state.batches.push(events.len());
        state.events.extend(events);
        Ok(())
    }
}

/// Counters by name and label, for all tests of the process: views have names of their own.
#[derive(Default, Clone)]
struct Counters(Arc<Mutex<HashMap<String, Arc<AtomicU64>>>>);

impl Counters {
    fn get(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: String = key.labels().flat_map(|label| [" ", label.value()]).collect();
        self.0.lock().unwrap().entry(format!("{}{labels}", key.name())).or_default().clone()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.get(key))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

static COUNTERS: OnceLock<Counters> = OnceLock::new();

/// Counts from now on; to be called before what is to be counted starts.
pub(crate) fn count() {
    COUNTERS.get_or_init(|| {
        let counters = Counters::default();
        metrics::set_global_recorder(counters.clone()).ok().unwrap();
        counters
    });
}

/// The counter `name` of a consumer.
pub(crate) fn counted(name: &str, consumer: &str) -> u64 {
    let counters = COUNTERS.get().unwrap().0.lock().unwrap();
    counters.get(format!("{name} {consumer}").trim_end()).map_or(0, |counter| counter.load(Ordering::Relaxed))
}
