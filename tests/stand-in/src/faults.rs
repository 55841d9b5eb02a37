//! What can be made to go wrong.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::sync::watch;

/// What happens to one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is lost before it takes effect.
    LostBefore,
    /// The connection is lost after it took effect, before that is said.
    LostAfter,
    /// This node is not the leader; that one is.
    NotLeader(String, u16),
    /// It waits this long.
    Slow(Duration),
    /// The stream is said to be elsewhere.
    Conflict,
    /// It comes twice.
    Twice,
    /// The server cannot.
    Unavailable,
    /// It was not replicated in time; it may have taken effect, and here it has.
    TimedOut,
    /// The stream was deleted for ever.
    Deleted,
}

/// What happens to all subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server ends them as if there was nothing wrong.
    Well,
    /// With an error.
    Badly,
    /// They get a message that this version of the protocol does not have.
    Unknown,
}

/// The switchboard. Clones share it.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    planned: Mutex<VecDeque<Fault>>,
    chance: Mutex<Option<Chance>>,
    endings: watch::Sender<(u64, Ending)>,
    reads: Mutex<Duration>,
}

#[derive(Debug)]
struct Chance {
    of: f64,
    faults: Vec<Fault>,
    random: StdRng,
}

impl Default for Faults {
    fn default() -> Self {
        let endings = watch::Sender::new((0, Ending::Well));
        let (planned, chance, reads) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { planned, chance, endings, reads }))
    }
}

impl Faults {
    /// The next append meets this.
    pub fn next(&self, fault: Fault) {
        lock(&self.0.planned).push_back(fault);
    }

    /// Appends meet one of `faults` now and then: `of` them, 0 to 1.
    pub fn by_chance(&self, of: f64, faults: &[Fault], seed: u64) {
        *lock(&self.0.chance) = Some(Chance { of, faults: faults.to_vec(), random: StdRng::seed_from_u64(seed) });
    }

    /// Nothing goes wrong any more.
    pub fn none(&self) {
        lock(&self.0.planned).clear();
        *lock(&self.0.chance) = None;
        *lock(&self.0.reads) = Duration::ZERO;
    }

    /// Every read waits this long.
    pub fn slow_reads(&self, by: Duration) {
        *lock(&self.0.reads) = by;
    }

    /// Ends all subscriptions.
    pub fn end_subscriptions(&self, ending: Ending) {
        self.0.endings.send_modify(|(n, with)| (*n, *with) = (*n + 1, ending));
    }

    pub(crate) fn of_append(&self) -> Option<Fault> {
        if let Some(planned) = lock(&self.0.planned).pop_front() {
            return Some(planned);
        }
        let mut chance = lock(&self.0.chance);
        let Chance { of, faults, random } = chance.as_mut()?;
        let met = random.random_bool(*of);
        met.then(|| faults.choose(random).cloned()).flatten()
    }

    pub(crate) fn of_read(&self) -> Duration {
        *lock(&self.0.reads)
    }

    pub(crate) fn endings(&self) -> watch::Receiver<(u64, Ending)> {
        self.0.endings.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it is held")
}
