//! A machine: all of Kith's command side as `kith serve` puts it together, on one thread, between two crashes.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use axum::Router;
use eventlog::{EventLog, Position, Turn, sqlite::SqliteLog, take_turns};
use jiff::Timestamp;
use kith::{Chance, Config, DataDir, Parts, Services, Stores, Supervisor, assemble};
use messaging::{ConsumeOptions, Health, consume};
use tokio::sync::mpsc;
use vault::{Keeper, Kek, Vault};
use web::Clock;

use crate::{bus::Wire, chance};

/// Events that the relay reads at once, a count.
const RELAYED_EVENTS: usize = 100;

/// What outlives a machine.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub folder: PathBuf,
    pub wire: Wire,
    /// Microseconds since 1970.
    pub time: Arc<AtomicI64>,
}

impl Site {
    /// A folder with keys that are no chance.
    pub fn new(folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let data = DataDir::create(folder)?;
        write_key(&data.issuer_key(), &[7; 32])?;
        write_key(&data.key_file(), Kek::new([9; 32]).to_text().as_bytes())?;
        Ok(Self { folder: folder.into(), wire: Wire::default(), time: Arc::new(now.as_microsecond().into()) })
    }

    pub fn data(&self) -> DataDir {
        DataDir::create(&self.folder).expect("it was made when the site was")
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.time.load(Ordering::Relaxed)).expect("within our calendar")
    }
}

/// For nobody else, as keys must be.
fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?.write_all(key)
}

/// A machine that runs.
pub(crate) struct Machine {
    pub router: Router,
    pub log: Arc<dyn EventLog>,
    pub vault: Vault,
    pub health: Health,
    writer: eventlog::sqlite::Writer,
    keeper: Keeper,
    turns: mpsc::UnboundedReceiver<Turn>,
    waiting: Vec<Turn>,
    _supervisor: Supervisor,
}

/// How much waits for each of its parts, counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub appends: usize,
    pub keys: usize,
    pub turns: usize,
}

impl Machine {
    /// Starts it on what is on the disk.
    pub fn boot(site: &Site) -> anyhow::Result<Self> {
        let (sender, turns) = mpsc::unbounded_channel();
        take_turns(Some(sender));
        let (data, health) = (site.data(), Health::new());
        let mut supervisor = Supervisor::new(health.clone());
        let (log, writer) = SqliteLog::open_apart(&data.log())?;
        let log: Arc<dyn EventLog> = Arc::new(log);
        let (vault, keeper) = Vault::open_apart(&data.vault(), data.kek(None)?, chance::fresh)?;
        let stores = Stores { log: log.clone(), vault: Some(vault.clone()) };
        let now = site.clone();
        let (clock, chance) = (
            Clock::new(move || now.now()),
            Chance { new_id: chance::new_id, new_secret: chance::new_secret, new_nonce: chance::new_secret },
        );
        let config = config(&site.folder);
        let around = (&clock, chance, &health);
        let Parts { router, work } =
            assemble(&config, &services(), &data, stores, around, (&mut supervisor, web::Rooms::default()))?;
        let (_, views) = work.derived.into_iter().next().expect("some of its services need the views");
        let (heard, options, end) = (site.wire.hear(), ConsumeOptions::default(), supervisor.end());
        supervisor.need("views", consume(views, log.clone(), heard, options, health.clone(), end));
        health.part("relay").running();
        supervisor.need("relay", relay(log.clone(), site.wire.clone()));
        Ok(Self { router, log, vault, health, writer, keeper, turns, waiting: Vec::new(), _supervisor: supervisor })
    }

    /// How much waits for whom.
    pub fn waiting(&mut self) -> Waiting {
        while let Ok(turn) = self.turns.try_recv() {
            self.waiting.push(turn);
        }
        Waiting { appends: self.writer.waiting(), keys: self.keeper.waiting(), turns: self.waiting.len() }
    }

    /// Lets the log write so many appends.
    pub fn append(&mut self, appends_max: usize) -> usize {
        self.writer.turn(appends_max)
    }

    /// Lets the vault do so many jobs.
    pub fn keys(&mut self, jobs_max: usize) -> usize {
        self.keeper.turn(jobs_max)
    }

    /// Does one of the works that wait.
    pub fn turn(&mut self, which: usize) {
        self.waiting.remove(which)();
    }

    /// Does `asked` at once, between two steps, whatever else waits: for who looks on.
    pub fn at_once<T>(&mut self, asked: impl Future<Output = T>) -> T {
        // Without `unconstrained`, tokio would pretend after many answers that the next one is not there.
        let mut asked = Box::pin(tokio::task::unconstrained(asked));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(answer) = Pin::as_mut(&mut asked).poll(&mut context) {
                return answer;
            }
            self.waiting();
            match self.waiting.pop() {
                Some(turn) => turn(),
                None => assert!(self.keeper.turn(usize::MAX) + self.writer.turn(usize::MAX) > 0, "nobody answers"),
            }
        }
    }

    /// Up to where the views are, and where the log ends.
    pub fn reached(&self) -> (Position, Position) {
        (*self.health.checkpoint("views").borrow(), *self.log.head().borrow())
    }
}

fn services() -> Services {
    let names = ["directory", "membership", "attendance", "access", "projections"];
    Services::these(names.map(|name| name.parse().expect("a service")))
}

fn config(folder: &Path) -> Config {
    Config {
        data: folder.into(),
        plan_days: 0,
        caller_per_second: 0,
        address_per_second: 0,
        refused_per_minute: 0,
        ..Config::default()
    }
}

/// Publishes the log, in order, from where the bus ends.
async fn relay(log: Arc<dyn EventLog>, wire: Wire) {
    let mut head = log.head();
    loop {
        head.mark_unchanged();
        match log.read_all(wire.end(), RELAYED_EVENTS).await {
            Ok(events) if events.is_empty() => {
                if head.changed().await.is_err() {
                    return;
                }
            }
            Ok(events) => wire.publish(events.iter().map(|event| event.position)),
            Err(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
        }
    }
}
