//! A run: machines one after another on one disk, and what happens to them, in an order that the seed decides.
//!
//! Between two steps everything has come to a stand: each task of the machine waits for the log, the vault, work that
//! blocks, the bus or the time. A step lets one of them go on.

use std::{collections::BTreeMap, fmt::Write, path::Path, sync::atomic::Ordering, time::Duration};

use disk::{Counts, Disk};
use domain::{GroupId, MeetingId, MemberId, ProgrammeId};
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    Options,
    book::{Asked, Book, Entry, Outcome},
    chance,
    commands::{CALLERS, Known, first, wish},
    judge::{self, Seen, Violation, violated},
    machine::{Machine, Site, Waiting},
    people::{Answer, Inbox, Tokens, send},
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

struct World {
    site: Site,
    disk: Disk,
    plan: Plan,
    chance: StdRng,
    book: Book,
    known: Vec<Known>,
    tokens: Tokens,
    seen: Seen,
    faults: BTreeMap<String, u64>,
    steps: u64,
    /// How far the machine's clock is from the time that went by.
    off: SignedDuration,
    began: Timestamp,
    digest: blake3::Hasher,
    trace: Vec<String>,
    keep: usize,
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
    fn note(&mut self, what: impl AsRef<str>) {
        let line = format!("{:>5} {}", self.steps, what.as_ref());
        self.digest.update(line.as_bytes());
        if self.trace.len() >= self.keep {
            self.trace.remove(0);
        }
        self.trace.push(line);
    }

    fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind.into()).or_default() += 1;
    }

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

    fn chance_below(&mut self, most: u64) -> u64 {
        self.chance.random_range(1..=most)
    }

    /// Lets everything run until it waits, and the time go on by some milliseconds.
    async fn stand(&mut self, started: Instant, milliseconds: u64) {
        self.steps += 1;
        sleep(Duration::from_millis(milliseconds)).await;
        let passed = SignedDuration::try_from(started.elapsed()).expect("a short time");
        let now = self.began + passed + self.off;
        self.site.time.store(now.as_microsecond(), Ordering::Relaxed);
    }

    fn waiting_requests(&self) -> usize {
        self.book.entries.iter().rev().take(200).map(|entry| entry.waiting).sum()
    }

    /// Lets one of those who wait go on; false if nobody does.
    fn go_on(&mut self, machine: &mut Machine) -> bool {
        let Waiting { appends, keys, turns } = machine.waiting();
        let messages = self.site.wire.waiting();
        let who: Vec<u8> = [(0, appends), (1, keys), (2, turns), (3, messages)]
            .into_iter()
            .filter(|(_, waiting)| *waiting > 0)
            .map(|(who, _)| who)
            .collect();
        match who.choose(&mut self.chance) {
            None => return false,
            Some(0) => {
                let most = self.chance.random_range(1..=appends);
                let done = machine.append(most);
                self.note(format!("log: {done} appends"));
            }
            Some(1) => {
                let most = self.chance.random_range(1..=keys);
                let done = machine.keys(most);
                self.note(format!("vault: {done} jobs"));
            }
            Some(2) => {
                let which = self.chance.random_range(0..turns);
                self.note(format!("work {which} of {turns}"));
                machine.turn(which);
            }
            Some(_) => self.pass(messages),
        }
        true
    }

    /// Brings a message, whichever, or loses it.
    fn pass(&mut self, messages: usize) {
        let unsure = self.plan.has("bus-loss");
        let which = if unsure { self.chance.random_range(0..messages) } else { 0 };
        let lost = unsure && self.chance.random_bool(0.2);
        if lost {
            self.fault("message lost");
        }
        self.note(format!("message {which} of {messages}, lost: {lost}"));
        self.site.wire.pass(which, lost);
    }

    /// Faults that are not at the end of a life.
    fn may_go_wrong(&mut self, machine: &mut Machine) {
        if self.plan.has("disk-full") && self.chance.random_bool(0.02) {
            let full = self.chance.random_bool(0.3);
            self.disk.set_full(full);
            self.note(format!("disk full: {full}"));
        }
        if self.plan.has("disk-error") && self.chance.random_bool(0.02) {
            let after = self.chance_below(30);
            self.note(format!("disk error after {after}"));
            self.disk.fail_after(Some(after));
        }
        if self.plan.has("clock-step") && self.chance.random_bool(0.01) {
            let seconds = [-90_000_i64, -3_600, -5, 5, 3_600, 90_000][self.chance.random_range(0..6)];
            self.off += SignedDuration::from_secs(seconds);
            self.fault("clock-step");
            self.note(format!("clock: {seconds} s"));
        }
        if self.plan.has("bus-loss") && self.chance.random_bool(0.005) {
            self.fault("bus disconnected");
            self.note("bus disconnected");
            self.site.wire.interrupt();
        }
        if self.plan.has("bus-forgery") && self.chance.random_bool(0.02) {
            self.forge(machine);
        }
    }

    /// Brings a message that nobody published, about an event that may be there or not.
    fn forge(&mut self, machine: &Machine) {
        let (_, head) = machine.reached();
        let position = Position(match self.chance.random_range(0..3) {
            0 => u64::MAX,
            1 => head.0 + 1 + self.chance.random_range(0..9),
            _ => self.chance.random_range(0..=head.0),
        });
        if self.site.wire.forge(position) {
            self.fault("bus-forgery");
            self.note(format!("forged: {position}, the log ends at {head}"));
        }
    }

    /// Sends a new request, or an old one again.
    fn ask(&mut self, machine: &Machine, inbox: &Inbox) {
        if !self.book.entries.is_empty() && self.chance.random_bool(0.1) {
            let back = self.book.entries.len().min(60);
            let number = self.book.entries.len() - 1 - self.chance.random_range(0..back);
            return self.send(machine, inbox, number, "again");
        }
        let at = self.chance.random_range(0..self.known.len());
        self.known[at].look_around(&mut self.chance);
        let total: u32 = self.plan.kinds.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.chance.random_range(0..total);
        let chosen = self.plan.kinds.iter().find(|(_, weight)| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        let (mut kind, _) = *chosen.expect("drawn below the sum");
        if let Some(first) = first(&self.known[at])
            && self.chance.random_bool(0.3)
        {
            kind = first;
        }
        let Some(wish) = wish(kind, &self.known[at], self.site.now(), &mut self.chance) else { return };
        let number = self.book.write(Entry {
            org: self.known[at].org.clone(),
            caller: wish.caller,
            asked: wish.asked,
            method: wish.method,
            path: wish.path,
            body: wish.body,
            key: format!("key-{}", self.book.entries.len()),
            outcome: Outcome::Waiting,
            sent: self.steps,
            answered: u64::MAX,
            after: 0,
            waiting: 0,
        });
        self.send(machine, inbox, number, "ask");
    }

    fn send(&mut self, machine: &Machine, inbox: &Inbox, number: usize, how: &str) {
        let now = self.site.now();
        let entry = &mut self.book.entries[number];
        let known = self.known.iter().find(|known| known.org == entry.org).expect("one of ours");
        let token = self.tokens.token(&entry.org, entry.caller, &known.groups, now);
        entry.waiting += 1;
        entry.after = machine.log.head().borrow().0;
        if how == "again" && matches!(entry.outcome, Outcome::Refused(_)) {
            // What was refused may be done this time.
            (entry.outcome, entry.sent) = (Outcome::Waiting, self.steps);
        }
        send(&machine.router, number, entry, &token, inbox);
        let line = format!("{how} {number}: {} {:?} {} {}", entry.org, entry.asked, entry.method, entry.path);
        self.note(line);
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

    fn take(&mut self, answer: Answer) -> Result<(), Violation> {
        let Answer { entry: number, status, position, replayed, body } = answer;
        let text = String::from_utf8_lossy(&body).into_owned();
        let shown = if status >= 400 { text.as_str() } else { "" };
        self.note(format!(
            "answer {number}: {status} at {position}{} {shown:.160}",
            if replayed { " again" } else { "" }
        ));
        self.digest.update(&body);
        let entry = &mut self.book.entries[number];
        entry.waiting -= 1;
        entry.answered = self.steps;
        if status == 500 {
            return Err(violated("mistake", format!("{} {}: {text}", entry.method, entry.path)));
        }
        let was = entry.outcome.clone();
        let known = self.known.iter_mut().find(|known| known.org == entry.org).expect("one of ours");
        match status {
            200..300 => {
                let done = Outcome::Done { status, body, position };
                if let Outcome::Done { status: first, body: said, .. } = &was
                    && entry.method != "GET"
                    && !matches!(entry.asked, Asked::Erase(_) | Asked::Open(..))
                    && (*first != status || *said != text.as_bytes())
                {
                    let what = format!(
                        "{:?} was answered {first} {}, then {status} {text}",
                        entry.asked,
                        String::from_utf8_lossy(said)
                    );
                    return Err(violated("replay", what));
                }
                learn(known, &entry.asked, &text);
                if !matches!(was, Outcome::Done { .. }) {
                    entry.outcome = done;
                }
                let entry = &self.book.entries[number];
                if let Asked::Open(member, operation) = entry.asked {
                    return self.audited(entry, member, operation, &text);
                }
                judge::erased_whole(&self.book, &self.seen, entry)
            }
            400..500 if !matches!(was, Outcome::Done { .. }) && entry.waiting == 0 && was != Outcome::Unknown => {
                entry.outcome = Outcome::Refused(status);
                let org = entry.org.clone();
                if !matches!(entry.asked, Asked::Erase(_)) {
                    return Ok(());
                }
                // What was erased by now must have been asked for by somebody else.
                let erased: Vec<_> = self.seen.erased.iter().filter(|(of, _)| *of == org).cloned().collect();
                erased.iter().try_for_each(|who| judge::erased_for_cause(&self.book, who))
            }
            _ => {
                if was == Outcome::Waiting && status >= 500 {
                    entry.outcome = Outcome::Unknown;
                }
                Ok(())
            }
        }
    }

    /// What was shown of a person was written down before.
    fn audited(&self, entry: &Entry, member: MemberId, operation: &str, text: &str) -> Result<(), Violation> {
        let shown: Value = serde_json::from_str(text).unwrap_or_default();
        let profile = if operation == "search_members" { &shown } else { &shown["profile"] };
        let empty =
            profile.as_object().is_none_or(serde_json::Map::is_empty) && profile.as_array().is_none_or(Vec::is_empty);
        let (_, subject) = CALLERS[entry.caller];
        let whom = (member.0 != Uuid::nil()).then_some(member);
        if empty || self.seen.opened_for(entry.after, &entry.org, subject, operation, whom) {
            return Ok(());
        }
        Err(violated("audit", format!("{operation} showed {member} of {} to {subject}, unwritten", entry.org)))
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

fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

/// What callers learn from an answer.
fn learn(known: &mut Known, asked: &Asked, text: &str) {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    match asked {
        Asked::Register(_) | Asked::Enrol(..) | Asked::WalkIn(_) => {
            if let Some(member) = id(&body["member"]) {
                known.meets(member);
            }
            for line in body["lines"].as_array().into_iter().flatten() {
                if let Some(member) = id(&line["member"]) {
                    known.meets(member);
                }
            }
        }
        Asked::Programme => known.programmes.extend(id::<ProgrammeId>(&body["id"])),
        Asked::Group => {
            known.groups.extend(id::<GroupId>(&body["id"]).filter(|group| !known.groups.contains(group)));
        }
        Asked::Hold(member) => known.holds.extend(id(&body["hold"]).map(|hold| (*member, hold))),
        Asked::Glass(member) => known.glasses.extend(body["glass"].as_str().map(|glass| (*member, glass.into()))),
        Asked::About(member) => known.consents.extend(body["consent"].as_str().map(|id| (*member, id.into()))),
        Asked::Plan(group) => {
            // Which day it was is in the request; that of each Tuesday near is known.
            for weeks in 0..3_i64 {
                let day = jiff::civil::date(2026, 6, 2) + jiff::Span::new().days(7 * weeks);
                let meeting = MeetingId::of(*group, day.at(19, 0, 0, 0));
                if !known.meetings.contains(&meeting) {
                    known.meetings.push(meeting);
                }
            }
        }
        _ => {}
    }
}
