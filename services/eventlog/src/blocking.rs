//! Work that blocks, such as reading a file: done where it holds up nobody.
//!
//! That is a thread that the runtime keeps for it. A simulation has one thread for everything, and decides itself what
//! comes next: it takes the work of its thread by [`take_turns`].

use std::cell::RefCell;

use tokio::sync::{mpsc, oneshot};

/// Work that waits for its turn.
pub type Turn = Box<dyn FnOnce() + Send>;

thread_local! {
    static TURNS: RefCell<Option<mpsc::UnboundedSender<Turn>>> = const { RefCell::new(None) };
}

/// Work that did not come to its end: it panicked, or whoever did it has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("work did not come to its end: {0}")]
pub struct Unfinished(String);

/// Does `work` where it holds up nobody, and answers what came of it. Once begun it goes on to its end, also if nobody
/// waits for it any more.
///
/// # Errors
/// If it did not come to its end.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unfinished> {
    let Some(turns) = TURNS.with_borrow(Clone::clone) else {
        return tokio::task::spawn_blocking(work).await.map_err(|panic| Unfinished(panic.to_string()));
    };
    let (reply, done) = oneshot::channel();
    let ended = |_| Unfinished("nobody does it any more".into());
    turns.send(Box::new(move || drop(reply.send(work())))).map_err(|_| Unfinished("nobody does it any more".into()))?;
    done.await.map_err(ended)
}

/// From now on, work that this thread asks for waits in `turns` until it is called, by whoever simulates this thread's
/// world; with none, threads do it again.
pub fn take_turns(turns: Option<mpsc::UnboundedSender<Turn>>) {
    TURNS.set(turns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_by_another_thread_and_in_its_turn_by_this_one_if_asked_for() {
        let here = std::thread::current().id();
        assert_ne!(blocking(|| std::thread::current().id()).await, Ok(here));
        let (sender, mut turns) = mpsc::unbounded_channel();
        take_turns(Some(sender));
        let (done, ()) = tokio::join!(blocking(|| std::thread::current().id()), async {
            turns.recv().await.unwrap()();
        });
        assert_eq!(done, Ok(here));
        drop(turns);
        assert!(blocking(|| ()).await.is_err(), "nobody does it");
        take_turns(None);
    }
}
