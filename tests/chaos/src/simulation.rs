//! A run: machines one after another on one disk, and what happens to them, in an order that the seed decides.
//!
//! Between two steps everything has come to a stand: each task of the machine waits for the log, the vault, work that
//! blocks, the bus or the time. A step lets one of them go on.

mod faults;
mod requests;
mod world;

use std::{collections::BTreeMap, fmt::Write, path::Path, sync::atomic::Ordering, time::Duration};

use disk::{Counts, Disk};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use self::world::World;
use crate::{
    Options,
    book::{Book, Outcome},
    chance,
    commands::Known,
    judge::{self, Seen, Violation, violated},
    machine::{Machine, Site, Waiting},
    people::{Inbox, Tokens},
    plan::Plan,
};

/// When a run begins, by its clock: a Tuesday, at 19:00 in New York, when groups meet.
const BEGINNING: &str = "2026-06-02T23:00:00Z";
/// Longest time until all has come to rest, by the machine's clock.
const REST_WITHIN: Duration = Duration::from_mins(5);
/// Longest time until what failed is tried again.
const RETRIED_WITHIN: Duration = Duration::from_secs(35);
/// Steps in which nothing but the time goes on, until all has come to rest: a count.
const REST_STEPS_MAX: u64 = 200_000;

/// Stack of the thread, in bytes: unoptimised futures are large.
const STACK_BYTES: usize = 16 << 20;

/// What came of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// A digest of all that happened, in order: the same seed gives the same.
    pub digest: String,
    /// Steps, a count.
    pub steps: u64,
    /// Requests, a count.
    pub requests: u64,
    /// Faults that were put in, by kind: counts.
    pub faults: BTreeMap<String, u64>,
    /// What must not be, if it was.
    pub violation: Option<Violation>,
    /// What happened, a line for each step, if that was asked for; else the last of them.
    pub trace: Vec<String>,
}

/// How a life ends.
enum End {
    Crashed,
    Over,
}

/// Plays a seed, on a thread of its own. It is the same run only in a process that has played no other: see
/// [`crate::run_apart`].
///
/// # Panics
/// If no folder can be made for it.
pub fn run(seed: u64, options: &Options) -> Run {
    let options = options.clone();
    // Its name is not of the seed: another process may play the same one.
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path().canonicalize().expect("it is there").join("data");
    let play = move || {
        disk::seed_thread(Some(seed));
        play(seed, &folder, &options)
    };
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).stack_size(STACK_BYTES);
    match thread.spawn(play).expect("a thread can be started").join() {
        Ok(played) => played,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn play(seed: u64, folder: &Path, options: &Options) -> Run {
    let began: Timestamp = BEGINNING.parse().expect("a time");
    chance::start(seed);
    let site = Site::new(folder, began).expect("a data directory can be made");
    let disk = Disk::mount(folder, seed);
    let tokens = Tokens::new(site.data().issuer().expect("its key was written"));
    let plan = Plan::of(seed, options.faults.as_deref());
    let mut world = World {
        site,
        disk: disk.clone(),
        plan,
        chance: StdRng::seed_from_u64(seed),
        book: Book::default(),
        known: vec![Known::new("north"), Known::new("south")],
        tokens,
        seen: Seen::default(),
        faults: BTreeMap::new(),
        steps: 0,
        off: SignedDuration::ZERO,
        began,
        digest: blake3::Hasher::new(),
        trace: Vec::new(),
        keep: if options.trace { usize::MAX } else { 40 },
    };
    let played = world.live(options);
    let violation = played.err();
    world.digest.update(&disk.digest());
    let Counts { kills, power_cuts, full, failed, lost, torn, .. } = disk.counts();
    for (kind, count) in [
        ("kill", kills),
        ("power-cut", power_cuts),
        ("write without room", full),
        ("read, write or sync that failed", failed),
        ("unsynced write lost", lost),
        ("write torn", torn),
    ] {
        world.faults.insert(kind.into(), count);
    }
    disk.unmount();
    eventlog::take_turns(None);
    let requests = world.book.entries.len() as u64;
    Run {
        digest: world.digest.finalize().to_string(),
        steps: world.steps,
        requests,
        faults: world.faults,
        violation,
        trace: world.trace,
    }
}

impl World {
    /// One machine after another; the last one comes to rest.
    fn live(&mut self, options: &Options) -> Result<(), Violation> {
        for life in 0..=self.plan.lives {
            let last = life == self.plan.lives;
            self.start_clock();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .on_thread_start(|| panic!("a thread was started: what blocks is to go through `eventlog::blocking`"))
                .build()
                .expect("a runtime on this thread");
            runtime.block_on(self.life(last, options))?;
            drop(runtime);
            if self.disk.crashed() {
                self.disk.restart();
            }
            for entry in &mut self.book.entries {
                if entry.waiting > 0 {
                    (entry.waiting, entry.answered) = (0, self.steps);
                    if entry.outcome == Outcome::Waiting {
                        entry.outcome = Outcome::Unknown;
                    }
                }
            }
            if self.plan.has("bus-wiped") && self.chance.random_bool(0.5) {
                self.fault("bus-wiped");
                self.site.wire.wipe();
            }
            self.site.wire.disconnect();
            if self.plan.has("views-lost") && self.chance.random_bool(0.5) {
                self.fault("views-lost");
                let _ = std::fs::remove_file(self.site.data().views());
            }
        }
        Ok(())
    }

    fn start_clock(&mut self) {
        // A life begins where the one before it ended.
        self.began = self.site.now() - self.off;
    }

    /// Whether a rule is looked at.
    fn ruled(options: &Options, result: Result<(), Violation>) -> Result<(), Violation> {
        match (&options.rules, result) {
            (Some(only), Err(violation)) if !only.contains(&violation.kind) => Ok(()),
            (_, result) => result,
        }
    }

    async fn life(&mut self, last: bool, options: &Options) -> Result<(), Violation> {
        let started = Instant::now();
        let may_crash = !last && self.chance.random_bool(0.7);
        if may_crash && let Some(how) = self.plan.end(&mut self.chance) {
            let changes = self.chance.random_range(0..3_000);
            self.note(format!("{how:?} after {changes} changes of the disk"));
            self.disk.crash_after(changes, how);
        }
        let mut machine = match Machine::boot(&self.site) {
            Ok(machine) => machine,
            Err(_) if self.disk.crashed() => return Ok(()),
            Err(error) => return Err(violated("start", format!("{error:#}"))),
        };
        let inbox = Inbox::default();
        let ended = if last { End::Over } else { self.play(&mut machine, &inbox, started, options).await? };
        if let End::Crashed = ended {
            self.note("crashed");
            return Ok(());
        }
        self.disk.restart();
        self.rest(&mut machine, &inbox, started, options).await?;
        self.check_all(&mut machine, options)?;
        if !last && let Some(how) = self.plan.end(&mut self.chance) {
            self.note(format!("{how:?} at rest"));
            self.disk.crash(how);
        }
        Ok(())
    }

    /// Steps, with faults.
    async fn play(
        &mut self,
        machine: &mut Machine,
        inbox: &Inbox,
        started: Instant,
        options: &Options,
    ) -> Result<End, Violation> {
        for _ in 0..self.plan.steps {
            self.stand(started, 1).await;
            if self.disk.crashed() {
                return Ok(End::Crashed);
            }
            self.look(machine, inbox, options)?;
            self.may_go_wrong(machine);
            let asks = self.waiting_requests() < self.plan.at_once;
            if asks && self.chance.random_bool(0.4) {
                self.ask(machine, inbox);
            } else if !self.go_on(machine) {
                let jump = [5, 50, 500, 5_000][self.chance.random_range(0..4)];
                let jump = self.chance_below(jump);
                self.stand(started, jump).await;
            }
        }
        // At the last step, too.
        Ok(if self.disk.crashed() { End::Crashed } else { End::Over })
    }

    /// Lets everything run until it waits, and the time go on by some milliseconds.
    async fn stand(&mut self, started: Instant, milliseconds: u64) {
        self.steps += 1;
        sleep(Duration::from_millis(milliseconds)).await;
        let passed = SignedDuration::try_from(started.elapsed()).expect("a short time");
        let now = self.began + passed + self.off;
        self.site.time.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// Takes answers, looks at the log, and judges what can be judged at any time.
    fn look(&mut self, machine: &mut Machine, inbox: &Inbox, options: &Options) -> Result<(), Violation> {
        // Whoever looks on meets no faults.
        self.disk.fail_after(None);
        let erased = self.seen.look(machine);
        let erased = match erased {
            Ok(erased) => erased,
            Err(violation) => return Self::ruled(options, Err(violation)),
        };
        for answer in inbox.take() {
            let judged = self.take(answer);
            Self::ruled(options, judged)?;
        }
        for who in &erased {
            self.note(format!("erased: {} of {}", who.1, who.0));
        }
        if !erased.is_empty() {
            Self::ruled(options, judge::keys_kept(&self.seen, machine))?;
        }
        for who in erased {
            Self::ruled(options, judge::erased_for_cause(&self.book, &who))?;
        }
        Self::ruled(options, judge::keys_kept(&self.seen, machine))
    }

    /// Without any more faults: until nobody waits.
    async fn rest(
        &mut self,
        machine: &mut Machine,
        inbox: &Inbox,
        started: Instant,
        options: &Options,
    ) -> Result<(), Violation> {
        self.note("to rest");
        let began = Instant::now();
        for _ in 0..REST_STEPS_MAX {
            self.stand(started, 1).await;
            self.look(machine, inbox, options)?;
            let Waiting { appends, keys, turns } = machine.waiting();
            let messages = self.site.wire.waiting();
            if appends + keys + turns + messages > 0 {
                machine.append(appends);
                machine.keys(keys);
                if turns > 0 {
                    machine.turn(0);
                }
                (0..messages).for_each(|_| self.site.wire.pass(0, false));
                continue;
            }
            let (views, head) = machine.reached();
            let answered = self.book.entries.iter().all(|entry| entry.waiting == 0);
            let followed = views == head && machine.health.ready();
            // What failed is tried again after a while.
            if answered && followed && began.elapsed() > RETRIED_WITHIN {
                self.note("at rest");
                return Ok(());
            }
            if began.elapsed() > REST_WITHIN {
                break;
            }
            self.stand(started, 500).await;
        }
        let waits =
            self.book.entries.iter().filter(|entry| entry.waiting > 0).map(|entry| format!("{:?}", entry.asked));
        let mut what = waits.collect::<Vec<_>>().join(", ");
        let (views, head) = machine.reached();
        let _ = write!(what, "; the views are at {views}, the log at {head}; {:?}", machine.health.report());
        Self::ruled(options, Err(violated("rest", what)))
    }

    fn check_all(&mut self, machine: &mut Machine, options: &Options) -> Result<(), Violation> {
        judge::all(&self.seen, &self.book, machine, &self.site, self.steps, |result| Self::ruled(options, result))
    }
}
