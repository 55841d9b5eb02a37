//! The facts as a subscriber of the log.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use eventlog::{Position, Recorded, blocking};
use host::Derived;
use messaging::{ApplyError, Subscriber};
use tokio::sync::watch;

use crate::facts::{FactStore, Facts};

/// How long the facts wait for more, so that each segment holds many.
const LINGER: Duration = Duration::from_millis(500);

/// Brings what happens into the facts.
#[derive(Debug)]
pub(crate) struct FactsSubscriber {
    /// Locked only by blocking tasks, one at a time.
    store: Arc<Mutex<FactStore>>,
    applied: watch::Sender<Position>,
}

impl FactsSubscriber {
    /// The subscriber that writes to `store`.
    pub fn new(store: FactStore) -> Self {
        let applied = watch::Sender::new(store.checkpoint());
        Self { store: Arc::new(Mutex::new(store)), applied }
    }

    /// Says by `applied` up to where the facts go.
    #[must_use]
    pub fn telling(self, applied: watch::Sender<Position>) -> Self {
        applied.send_replace(*self.applied.borrow());
        Self { applied, ..self }
    }
}

/// The facts of a data directory, which follow the log and can be made anew.
#[derive(Debug)]
pub(crate) struct DerivedFacts {
    dir: PathBuf,
    applied: watch::Sender<Position>,
    /// Nobody sees damage when facts are read.
    damaged: watch::Sender<Option<String>>,
}

impl DerivedFacts {
    /// Those in `dir`. Nothing is opened yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.into(), applied: watch::Sender::default(), damaged: watch::Sender::default() }
    }

    /// Up to where they go.
    pub fn applied(&self) -> watch::Receiver<Position> {
        self.applied.subscribe()
    }
}

impl Derived for DerivedFacts {
    fn name(&self) -> &'static str {
        "facts"
    }

    fn open(&self, _: bool) -> anyhow::Result<Box<dyn Subscriber>> {
        // They look themselves, when they are opened.
        let facts = FactStore::open(&self.dir).context("the facts cannot be opened")?;
        Ok(Box::new(FactsSubscriber::new(facts).telling(self.applied.clone())))
    }

    fn linger(&self) -> Duration {
        LINGER
    }

    fn check(&self) -> Result<(), String> {
        Facts::at(&self.dir).check(*self.applied.borrow() > Position::START)
    }

    fn damaged(&self) -> watch::Receiver<Option<String>> {
        self.damaged.subscribe()
    }
}

#[async_trait]
impl Subscriber for FactsSubscriber {
    fn name(&self) -> &'static str {
        "facts"
    }

    fn checkpoint(&self) -> Position {
        *self.applied.borrow()
    }

    fn last_applied(&self) -> Option<[u8; 32]> {
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner).last_applied()
    }

    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), ApplyError> {
        let (store, applied) = (self.store.clone(), self.applied.clone());
        let done = blocking(move || {
            let mut store = store.lock().map_err(|_| ApplyError::Store("a write of facts panicked".into()))?;
            let done = store.apply(&events);
            applied.send_replace(store.checkpoint());
            done
        });
        done.await.unwrap_or_else(|error| Err(ApplyError::store(&error)))
    }
}

#[cfg(test)]
mod tests {
    use domain::group::MeetingMode;
    use jiff::civil::date;

    use super::*;
    use crate::history::{History, group, meeting, org};

    #[tokio::test]
    async fn the_checkpoint_moves_with_what_was_applied_and_an_unreadable_event_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::default();
        for number in 1..=3 {
            let local = date(2026, 1, 6).at(19, 0, 0, 0);
            history.plan(&org("north"), meeting(number), group(1), local, MeetingMode::Virtual);
        }
        history.events[2].data = b"{}".as_slice().into();
        let applied = watch::Sender::new(Position::START);
        let mut facts = FactsSubscriber::new(FactStore::open(dir.path()).unwrap()).telling(applied.clone());
        assert_eq!((facts.name(), facts.checkpoint()), ("facts", Position::START));
        facts.apply(history.events[..2].to_vec()).await.unwrap();
        assert_eq!((facts.checkpoint(), *applied.borrow()), (Position(2), Position(2)));
        let error = facts.apply(history.events.clone()).await.unwrap_err();
        assert!(matches!(&error, ApplyError::Event { position: Position(3), .. }), "{error}");
        assert!(error.to_string().contains("does not fit: missing field"), "{error}");
        assert_eq!(facts.checkpoint(), Position(2));
    }
}
