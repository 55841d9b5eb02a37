//! One world for tests: the whole server in this process, with a log, a NATS server and a clock of its own, and people
//! who use it over HTTP.
//!
//! Needs a runtime with several threads (`#[tokio::test(flavor = "multi_thread")]`): dropping a world stops its server.

mod actor;
mod several;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{GroupId, MeetingId, MemberId, OrgId, ProgrammeId};
use eventlog::{EventLog, Position, Recorded};
use hyper::Request;
use jiff::Timestamp;
use kith::{Config, Running, ServerData};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place, time::timeout};
use uuid::Uuid;
use web::Clock;

use self::several::{Beside, beside};
pub use self::{
    actor::{Actor, agency, at, counselling, details, encoded, mark_of, tuesdays},
    several::LOG_VARIABLE,
};
use crate::{
    gateway::Gateway,
    http::{Answer, Client},
    positions::{self, LogAt},
};

/// What the clock says at first: a Monday, eleven hours before the group of [`World::group`] meets, and a day.
pub const NOW: &str = "2026-06-01T12:00:00Z";
/// The organisation of all who are not said to be of another one.
pub const ORG: &str = "north-star";
/// Longest wait for anything, generous for slow machines.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A whole server in this process, or four that are one.
#[derive(Debug)]
pub struct World {
    running: Vec<Running>,
    gateway: Option<Gateway>,
    configs: Vec<Config>,
    /// What the servers share, if they are several or share their log.
    beside: Option<Beside>,
    time: Arc<AtomicI64>,
    keys: Arc<AtomicU64>,
    _dir: TempDir,
}

impl World {
    /// Starts a server on an empty data directory.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts a server on an empty data directory, configured by `configure`.
    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config {
            data: dir.path().join("data"),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            ops_listen: (Ipv4Addr::LOCALHOST, 0).into(),
            nats_server: Some(nats_server()),
            plan_days: 0,
            // Tests ask as fast as they can, all from one address.
            caller_per_second: 0,
            address_per_second: 0,
            refused_per_minute: 0,
            public_per_second: 0,
            audit_mib_per_day: 0,
            ..Config::default()
        };
        configure(&mut config);
        let (configs, beside) = beside(config, dir.path()).await;
        let time = Arc::new(AtomicI64::new(time(NOW).as_second()));
        let (running, keys) = (Vec::new(), Arc::default());
        let mut world = Self { running, gateway: None, configs, beside, time, keys, _dir: dir };
        world.resume().await;
        world
    }

    /// Starts the server again that was stopped.
    pub async fn resume(&mut self) {
        for config in &self.configs {
            let time = self.time.clone();
            let now = move || Timestamp::from_second(time.load(Ordering::Relaxed)).expect("a time of our own");
            let started = timeout(PATIENCE, kith::serve(config, Clock::new(now))).await;
            let running = started.expect("it starts in time").expect("it starts");
            positions::served_from(running.address, LogAt::Open(running.log.clone()));
            self.running.push(running);
        }
        if self.running.len() > 1 {
            let servers: Vec<_> = self.running.iter().map(|running| running.address).collect();
            let gateway = Gateway::start(&servers).await;
            positions::served_from(gateway.address, LogAt::Open(self.running().log.clone()));
            self.gateway = Some(gateway);
        }
    }

    /// Changes what it is configured to be when it is started again.
    pub fn configure(&mut self, configure: impl Fn(&mut Config)) {
        self.configs.iter_mut().for_each(configure);
    }

    /// Ends the server, does `between` to its data directory, starts it again.
    pub async fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.stop().await;
        between(self.data());
        self.resume().await;
    }

    /// Ends the server, and waits until it has no file open: `SQLite` deletes a write-ahead log when it closes, also one
    /// that was put there since. The data directory stays until this value is dropped.
    pub async fn stop(&mut self) {
        self.end().await;
        let data = self.data().to_owned();
        let closed = async {
            while let Some(open) = open_below(&data) {
                println!("{} is still open", open.display());
                tokio::time::sleep(Duration::from_millis(5)).await; // no file says that it was closed
            }
        };
        timeout(PATIENCE, closed).await.expect("its files are closed in time");
    }

    async fn end(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            positions::forget(gateway.address);
        }
        for running in self.running.drain(..) {
            positions::forget(running.address);
            running.stop().await;
        }
    }

    /// The server; the first one of four.
    pub fn running(&self) -> &Running {
        self.running.first().expect("it runs")
    }

    /// Its event log.
    pub fn log(&self) -> &dyn EventLog {
        &*self.running().log
    }

    /// The same, to keep: what is written there beneath a running server is not in what that has in memory.
    pub fn shared_log(&self) -> Arc<dyn EventLog> {
        self.running().log.clone()
    }

    /// Its data directory; of four, the folder that they share, in which theirs are.
    pub fn data(&self) -> &Path {
        let config = &self.configs[0];
        config.shared.as_ref().unwrap_or(&config.data)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.gateway.as_ref().map_or_else(|| self.running().address, |gateway| gateway.address)
    }

    /// What operators are told.
    pub async fn ops(&self, path: &str) -> Answer {
        Client::new(self.running().ops, "").send(get(path), "".into()).await.expect("an answer")
    }

    /// Sets the clock.
    pub fn set_time(&self, now: &str) {
        self.time.store(time(now).as_second(), Ordering::Relaxed);
    }

    /// Waits until views and facts have reached the end of the log.
    pub async fn settle(&self) {
        for running in &self.running {
            let settled = timeout(PATIENCE, self.settled(running)).await;
            assert!(settled.is_ok(), "it does not settle: {:?}", running.health.report());
        }
    }

    /// One server may not know yet where the log of all ends.
    async fn settled(&self, running: &Running) {
        let end = self.events().await.last().map_or(Position::START, |event| event.position);
        running.log.head().wait_for(|head| *head >= end).await.expect("the log is there as long as its server");
        running.settle().await;
    }

    /// Waits until the log holds what `is_so` looks for.
    pub async fn eventually(&self, is_so: impl Fn(&[Recorded]) -> bool) {
        let mut head = self.log().head();
        let comes = async {
            while !is_so(&self.events().await) {
                head.changed().await.expect("the log is there as long as its server");
            }
        };
        timeout(PATIENCE, comes).await.expect("it comes in time");
    }

    /// Fails unless the log is sound and views and facts equal a fold from scratch, at the end of the log.
    pub async fn must_be_sound(&self) {
        self.settle().await;
        let head = *self.log().head().borrow();
        let (mut views, mut facts) = (None, None);
        for config in &self.configs {
            let Config { data, eventstore, shared, .. } = config.clone();
            let found = kith::verify(&ServerData { data, eventstore, shared }).await.expect("it can be checked");
            assert!(found.sound(), "{found}");
            (views, facts) = (views.or(found.views), facts.or(found.facts));
        }
        assert_eq!((views, facts), (Some(Ok(head)), Some(Ok(head))));
    }
}

/// Throws the views away, between two lives; of four servers, those of the one that has them.
///
/// # Panics
/// Without views.
pub fn remove_views(data: &Path) {
    let removed = [data.to_owned(), data.join("1")].map(|data| std::fs::remove_file(data.join("views.db")));
    assert!(removed.iter().any(Result::is_ok), "the views are somewhere: {removed:?}");
}

impl Drop for World {
    fn drop(&mut self) {
        let end = async {
            self.end().await;
            if let Some(nats) = self.beside.take().and_then(|beside| beside.nats) {
                nats.stop().await;
            }
        };
        block_in_place(|| Handle::current().block_on(end));
    }
}

/// The things.
impl World {
    /// A programme.
    pub async fn programme(&self) -> ProgrammeId {
        self.admin().programme("Recovery").await
    }

    /// A group that meets on Tuesdays, 19:00 in New York, under a programme of its own.
    pub async fn group(&self) -> GroupId {
        let admin = self.admin();
        let programme = admin.programme("Recovery").await;
        admin.group(programme, "Steps").await
    }

    /// The group's meeting on this Tuesday, planned.
    pub async fn meeting(&self, group: GroupId, day: &str) -> MeetingId {
        self.admin().meeting(group, day).await
    }

    /// The group's meeting on 2 June 2026, open, and its time is now.
    pub async fn open_meeting(&self, group: GroupId) -> MeetingId {
        let meeting = self.meeting(group, "2026-06-02").await;
        self.set_time("2026-06-02T23:00:00Z");
        self.admin().post(&at(meeting, "open"), Value::Null).await.must(204);
        meeting
    }

    /// New members of the group, since the beginning of 2026.
    pub async fn enrolled<const N: usize>(&self, group: GroupId) -> [MemberId; N] {
        let admin = self.admin();
        let mut members = Vec::with_capacity(N);
        for _ in 0..N {
            members.push(admin.enrol(group, "2026-01-01").await);
        }
        members.try_into().expect("as many as asked for")
    }

    /// All events of the log.
    pub async fn events(&self) -> Vec<Recorded> {
        self.log().read_all(Position::START, 1_000_000).await.expect("the log can be read")
    }

    /// Types of the events in the streams of the thing `id`, oldest first.
    pub async fn types_of(&self, id: impl Into<Uuid>) -> Vec<String> {
        self.written(id).await.into_iter().map(|(event_type, _)| event_type).collect()
    }

    /// Type and data of the events in the streams of the thing `id`, oldest first.
    pub async fn written(&self, id: impl Into<Uuid>) -> Vec<(String, Value)> {
        let id = id.into();
        let events = self.events().await.into_iter().filter(|event| event.stream.id() == id);
        events.map(|event| (event.event_type.to_string(), serde_json::from_slice(&event.data).expect("JSON"))).collect()
    }
}

/// A file in this folder that this process has open.
fn open_below(dir: &Path) -> Option<PathBuf> {
    let files = fs::read_dir("/proc/self/fd").expect("Linux says what is open");
    let open = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    open.into_iter().find(|path| path.starts_with(dir))
}

/// An organisation.
pub fn org(name: &str) -> OrgId {
    name.parse().expect("the id of an organisation")
}

/// A time.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time such as 2026-06-01T12:00:00Z")
}

/// A request without a body.
pub fn get(path: &str) -> hyper::http::request::Builder {
    Request::get(path)
}

/// Where chance starts: the same in each run with the same `KITH_SEED`; printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("KITH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("KITH_SEED={seed} repeats this run");
    seed
}

/// The `nats-server` to be tested with.
///
/// # Panics
/// If there is none.
pub fn nats_server() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("KITH_NATS_SERVER").map(PathBuf::from);
    let folders = std::iter::once(tools).chain(std::env::split_paths(&path));
    let found = named.or_else(|| folders.map(|dir| dir.join("nats-server")).find(|file| file.is_file()));
    found.expect("there is no nats-server: run `make tools`")
}
