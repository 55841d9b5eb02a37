//! Work that takes long: done where it holds up nobody who serves requests, a few pieces at a time, organisations in
//! turn.

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
pub const WAITING_MAX: usize = 512;
/// Most of them of one organisation, or of those of whom is not known yet whose they are; a count.
pub const WAITING_OF_ONE_MAX: usize = 128;

/// Does work in turns. Clones share them.
#[derive(Clone)]
pub struct Compute(Arc<Shared>);

struct Shared {
    at_once: usize,
    turns: Mutex<Turns>,
}

/// Whose work it is; of those of whom is not known yet whose they are, nobody's.
type Whose = Option<OrgId>;

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
    /// Whose turn is next; each who waits is there once.
    order: VecDeque<Whose>,
    queues: HashMap<Whose, VecDeque<oneshot::Sender<Turn>>>,
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

    /// Does `work` of an organisation in its turn. Once begun it goes on to its end, also if nobody waits for it any
    /// more.
    ///
    /// # Errors
    /// If too much waits, or it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        org: &OrgId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        self.run_for(Some(org.clone()), work).await
    }

    /// Does `work` in its turn if it `is_long`, else at once.
    ///
    /// # Errors
    /// If too much waits, or it panics.
    pub async fn run_if<T: Send + 'static>(
        &self,
        is_long: bool,
        org: &OrgId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        if is_long { self.run(org, work).await } else { Ok(work()) }
    }

    /// As [`Compute::run`], of those of whom is not known yet whose they are.
    pub(crate) async fn run_for_nobody<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        self.run_for(None, work).await
    }

    async fn run_for<T: Send + 'static>(
        &self,
        whose: Whose,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let turn = self.turn(whose).await?;
        let done = blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Undone::Panicked)
    }

    async fn turn(&self, whose: Whose) -> Result<Turn, Undone> {
        let turn = {
            let mut turns = self.0.turns();
            if turns.running < self.0.at_once {
                turns.running += 1;
                return Ok(Turn(Some(self.0.clone())));
            }
            turns.wait(whose).ok_or(Undone::TooMuch)?
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
    fn wait(&mut self, whose: Whose) -> Option<oneshot::Receiver<Turn>> {
        if self.waiting >= WAITING_MAX {
            return None;
        }
        let queue = self.queues.entry(whose.clone()).or_default();
        if queue.len() >= WAITING_OF_ONE_MAX {
            return None;
        }
        if queue.is_empty() {
            self.order.push_back(whose);
        }
        let (turn, comes) = oneshot::channel();
        queue.push_back(turn);
        self.waiting += 1;
        Some(comes)
    }

    /// Who is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let whose = self.order.pop_front()?;
        let queue = self.queues.get_mut(&whose)?;
        let next = queue.pop_front();
        self.waiting -= usize::from(next.is_some());
        if queue.is_empty() {
            self.queues.remove(&whose);
        } else {
            self.order.push_back(whose);
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
        let (begin, begun) = oneshot::channel();
        let compute = compute.clone();
        tokio::spawn(async move {
            let work = move || {
                begin.send(()).unwrap();
                let _ = ended.recv();
            };
            compute.run(&org("first"), work).await
        });
        begun.await.unwrap();
        end
    }

    #[tokio::test]
    async fn organisations_take_turns_however_much_one_brings() {
        let compute = Compute::new(1);
        let end = busy(&compute).await;
        let done = Arc::new(Mutex::new(Vec::new()));
        let work = |name: &'static str| {
            let (compute, done) = (compute.clone(), done.clone());
            async move { compute.run(&org(name), move || done.lock().unwrap().push(name)).await }
        };
        let many = join_all((0..5).map(|_| work("many")).chain([work("few"), work("few")]));
        let ended = async {
            // All of them wait by now.
            drop(end);
        };
        let (all, ()) = tokio::join!(many, ended);
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(*done.lock().unwrap(), ["many", "few", "many", "few", "many", "many", "many"]);
        assert!(compute.0.turns().queues.is_empty() && compute.0.turns().waiting == 0, "nothing is remembered");
        while compute.0.turns().running > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_brings_too_much_is_told_so_and_others_are_not() {
        let compute = Compute::new(1);
        let end = busy(&compute).await;
        let mut waiting: Vec<_> = (0..WAITING_OF_ONE_MAX).map(|_| compute.0.turns().wait(Some(org("many")))).collect();
        assert!(waiting.iter().all(Option::is_some));
        let refused = compute.run(&org("many"), || ()).await;
        assert!(refused.is_err(), "no more of one");
        let few = compute.0.turns().wait(Some(org("few")));
        waiting.clear();
        drop(end);
        drop(few.unwrap().await.unwrap());
        assert!(compute.run(&org("many"), || ()).await.is_ok(), "those who went away hold up nobody");
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_turn_back() {
        let compute = Compute::new(1);
        assert!(compute.run(&org("a"), || panic!("of the test")).await.is_err());
        assert_eq!(compute.run(&org("a"), || 7).await.ok(), Some(7));
    }
}
