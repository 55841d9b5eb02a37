//! Work that takes long: done where it holds up nobody who serves requests, a few pieces at a time, organisations in
//! turn, and in each of them callers.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard},
    thread::available_parallelism,
};

use domain::OrgId;
use eventlog::blocking;
use tokio::sync::oneshot;

use crate::Problem;

/// Work that was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// Too much of it waits for its turn.
    #[error("too much work waits for its turn")]
    TooMuch,
    /// It panicked.
    #[error("the work panicked")]
    Panicked,
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::TooMuch => Self::overloaded(),
            Undone::Panicked => Self::internal(&undone),
        }
    }
}

/// Most pieces of work that wait for their turn, a count; whoever brings more is told to come again.
pub const WAITING_MAX: usize = 1_024;
/// Most of them of one organisation, or of those of whom is not known yet whose they are; a count.
pub const WAITING_OF_ORG_MAX: usize = 256;
/// Most of these of one caller, a count: a program that writes with 64 connections only waits.
pub const WAITING_OF_CALLER_MAX: usize = 128;

/// Does work in turns. Clones share them.
#[derive(Clone)]
pub struct Compute(Arc<Shared>);

struct Shared {
    at_once: usize,
    turns: Mutex<Turns>,
}

/// For whom something is done: the organisation, and who asks.
pub type Asking<'a> = (&'a OrgId, Arc<str>);

/// Whose turn it is; of those of whom is not known yet whose they are, nobody's.
type Whose = Option<OrgId>;

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
    /// Whose turn is next; each who waits is there once.
    order: VecDeque<Whose>,
    queues: HashMap<Whose, Queue>,
}

/// Those of one organisation who wait. Each caller is there once, whose turn is next first.
#[derive(Default)]
struct Queue {
    callers: VecDeque<(Arc<str>, VecDeque<oneshot::Sender<Turn>>)>,
    waiting: usize,
}

/// A turn, until it is dropped; none once it went to somebody else.
struct Turn(Option<Arc<Shared>>);

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compute")
    }
}

impl Default for Compute {
    /// As many pieces at once as there are processors, but for one: that one is for those who serve requests.
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        Self::new(processors.saturating_sub(1).max(1))
    }
}

impl Compute {
    /// So many pieces of work at once, a count.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Shared { at_once, turns: Mutex::default() }))
    }

    /// Does `work` for somebody in their turn. Once begun it goes on to its end, also if nobody waits for it any
    /// more.
    ///
    /// # Errors
    /// If too much waits, or it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        (org, caller): Asking<'_>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        self.run_for(Some(org.clone()), caller, work).await
    }

    /// Does `work` in its turn if it `is_long`, else at once.
    ///
    /// # Errors
    /// If too much waits, or it panics.
    pub async fn run_if<T: Send + 'static>(
        &self,
        is_long: bool,
        asking: Asking<'_>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        if is_long { self.run(asking, work).await } else { Ok(work()) }
    }

    /// As [`Compute::run`], for somebody of whom is not known yet whose they are.
    pub(crate) async fn run_for_nobody<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        // They share what there is for one, and are few: refusals are limited by address.
        self.run_for(None, "".into(), work).await
    }

    async fn run_for<T: Send + 'static>(
        &self,
        whose: Whose,
        caller: Arc<str>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let turn = self.turn(whose, caller).await?;
        let done = blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Undone::Panicked)
    }

    async fn turn(&self, whose: Whose, caller: Arc<str>) -> Result<Turn, Undone> {
        let turn = {
            let mut turns = self.0.turns();
            if turns.running < self.0.at_once {
                turns.running += 1;
                return Ok(Turn(Some(self.0.clone())));
            }
            turns.wait(whose, caller).ok_or(Undone::TooMuch)?
        };
        turn.await.map_err(|_| Undone::Panicked)
    }
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().expect("nothing panics while it is held")
    }
}

impl Turns {
    /// A turn to come. None if too many wait.
    fn wait(&mut self, whose: Whose, caller: Arc<str>) -> Option<oneshot::Receiver<Turn>> {
        if self.waiting >= WAITING_MAX {
            return None;
        }
        let queue = self.queues.entry(whose.clone()).or_default();
        let is_first = queue.waiting == 0;
        let comes = queue.wait(caller)?;
        if is_first {
            self.order.push_back(whose);
        }
        self.waiting += 1;
        Some(comes)
    }

    /// Who is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let whose = self.order.pop_front()?;
        let queue = self.queues.get_mut(&whose)?;
        let next = queue.next();
        self.waiting -= usize::from(next.is_some());
        if queue.waiting == 0 {
            self.queues.remove(&whose);
        } else {
            self.order.push_back(whose);
        }
        next
    }
}

impl Queue {
    fn wait(&mut self, caller: Arc<str>) -> Option<oneshot::Receiver<Turn>> {
        if self.waiting >= WAITING_OF_ORG_MAX {
            return None;
        }
        let (turn, comes) = oneshot::channel();
        match self.callers.iter_mut().find(|(known, _)| *known == caller) {
            Some((_, theirs)) if theirs.len() >= WAITING_OF_CALLER_MAX => return None,
            Some((_, theirs)) => theirs.push_back(turn),
            None => self.callers.push_back((caller, [turn].into())),
        }
        self.waiting += 1;
        Some(comes)
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (caller, mut theirs) = self.callers.pop_front()?;
        let next = theirs.pop_front();
        self.waiting -= usize::from(next.is_some());
        if !theirs.is_empty() {
            self.callers.push_back((caller, theirs));
        }
        next
    }
}

impl Drop for Turn {
    /// Hands it on.
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        loop {
            let next = {
                let mut turns = shared.turns();
                let next = turns.next();
                turns.running -= usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(shared.clone()))) {
                Ok(()) => return,
                // Nobody waits for it any more.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::future::join_all;

    use super::*;

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    /// Something that is at work until the sender is dropped.
    async fn busy(compute: &Compute) -> mpsc::Sender<()> {
        let (end, ended) = mpsc::channel::<()>();
        let (starts, started) = oneshot::channel();
        let compute = compute.clone();
        tokio::spawn(async move {
            let work = move || {
                starts.send(()).unwrap();
                let _ = ended.recv();
            };
            compute.run((&org("first"), "ann".into()), work).await
        });
        started.await.unwrap();
        end
    }

    #[tokio::test]
    async fn organisations_take_turns_and_callers_however_much_one_brings() {
        let compute = Compute::new(1);
        let end = busy(&compute).await;
        let done = Arc::new(Mutex::new(Vec::new()));
        let work = |of: &'static str, caller: &'static str| {
            let (compute, done) = (compute.clone(), done.clone());
            async move { compute.run((&org(of), caller.into()), move || done.lock().unwrap().push(caller)).await }
        };
        let few = [("few", "cem"), ("many", "bob"), ("few", "cem")];
        let many = join_all((0..4).map(|_| ("many", "ann")).chain(few).map(|(of, caller)| work(of, caller)));
        let ended = async {
            // All of them wait by now.
            drop(end);
        };
        let (all, ()) = tokio::join!(many, ended);
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(*done.lock().unwrap(), ["ann", "cem", "bob", "cem", "ann", "ann", "ann"]);
        assert!(compute.0.turns().queues.is_empty() && compute.0.turns().waiting == 0, "nothing is remembered");
        while compute.0.turns().running > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_brings_too_much_is_told_so_and_others_are_not() {
        let compute = Compute::new(1);
        let end = busy(&compute).await;
        let wait = |of: &str, caller: &str| compute.0.turns().wait(Some(org(of)), caller.into());
        let mut waiting: Vec<_> = (0..WAITING_OF_CALLER_MAX).map(|_| wait("many", "ann")).collect();
        assert!(waiting.iter().all(Option::is_some) && wait("many", "ann").is_none(), "no more of one caller");
        let left = WAITING_OF_ORG_MAX - WAITING_OF_CALLER_MAX;
        waiting.extend((0..left).map(|n| wait("many", &n.to_string())));
        assert!(waiting.iter().all(Option::is_some) && wait("many", "bob").is_none(), "no more of one organisation");
        let refused = compute.run((&org("many"), "bob".into()), || ()).await;
        assert_eq!(refused, Err(Undone::TooMuch));
        let few = wait("few", "cem");
        waiting.clear();
        drop(end);
        drop(few.unwrap().await.unwrap());
        assert!(compute.run((&org("many"), "ann".into()), || ()).await.is_ok(), "those who went away hold up nobody");
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_turn_back() {
        let compute = Compute::new(1);
        let (org, ann) = (org("a"), || "ann".into());
        assert_eq!(compute.run((&org, ann()), || panic!("of the test")).await, Err::<(), _>(Undone::Panicked));
        assert_eq!(compute.run((&org, ann()), || 7).await, Ok(7));
    }
}
