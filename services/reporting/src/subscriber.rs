//! The facts as a subscriber of the log.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use eventlog::{Position, Recorded, blocking};
use messaging::Subscriber;
use tokio::sync::watch;

use crate::facts::{ApplyError, FactStore};

/// Brings what happens into the facts.
#[derive(Debug)]
pub struct FactsSubscriber {
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

    /// Up to where the facts go, as it moves.
    pub fn applied(&self) -> watch::Receiver<Position> {
        self.applied.subscribe()
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

    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), messaging::ApplyError> {
        let (store, applied) = (self.store.clone(), self.applied.clone());
        let done = blocking(move || {
            let mut store =
                store.lock().map_err(|_| messaging::ApplyError::Store("a write of facts panicked".into()))?;
            let done = store.apply(&events);
            applied.send_replace(store.checkpoint());
            done.map_err(said)
        });
        done.await.unwrap_or_else(|error| Err(messaging::ApplyError::Store(error.to_string())))
    }
}

fn said(error: ApplyError) -> messaging::ApplyError {
    match error {
        ApplyError::Event { position, id, event_type, source } => {
            messaging::ApplyError::Event { position, id, event_type, why: in_full(&source) }
        }
        ApplyError::Store(error) => messaging::ApplyError::Store(in_full(&error)),
    }
}

/// An error and what caused it, on one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        said = format!("{said}: {error}");
        source = error.source();
    }
    said
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
        let mut facts = FactsSubscriber::new(FactStore::open(dir.path()).unwrap());
        assert_eq!((facts.name(), facts.checkpoint()), ("facts", Position::START));
        facts.apply(history.events[..2].to_vec()).await.unwrap();
        assert_eq!((facts.checkpoint(), *facts.applied().borrow()), (Position(2), Position(2)));
        let error = facts.apply(history.events.clone()).await.unwrap_err();
        assert!(matches!(&error, messaging::ApplyError::Event { position: Position(3), .. }), "{error}");
        assert!(error.to_string().contains("does not fit: missing field"), "{error}");
        assert_eq!(facts.checkpoint(), Position(2));
    }
}
