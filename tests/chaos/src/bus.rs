//! NATS: how far the relay published, and what of that whoever listens is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventlog::Position;
use tokio::sync::watch;

/// A bus. Clones are the same one; it outlives the machines that use it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Up to where the relay published.
    published: Position,
    /// Who listens now.
    hears: Option<watch::Sender<Position>>,
    /// What was published and not yet told.
    waiting: Vec<Position>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Position of the last event that was published.
    pub fn end(&self) -> Position {
        self.state().published
    }

    /// Publishes events that follow the last one, up to this one.
    pub fn publish(&self, events: impl Iterator<Item = Position>) {
        let mut state = self.state();
        for position in events {
            state.published = position;
            if state.hears.is_some() {
                state.waiting.push(position);
            }
        }
    }

    /// What is heard from now on.
    pub fn hear(&self) -> watch::Receiver<Position> {
        let (sender, heard) = watch::channel(Position::START);
        let mut state = self.state();
        (state.hears, state.waiting) = (Some(sender), Vec::new());
        heard
    }

    /// How many messages are on their way, a count.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Brings the message that waits at `which`, or loses it.
    pub fn pass(&self, which: usize, lost: bool) {
        let mut state = self.state();
        let position = state.waiting.remove(which);
        if !lost {
            tell(&state, position);
        }
    }

    /// Brings a message that nobody published; false if nobody listens.
    pub fn forge(&self, position: Position) -> bool {
        let state = self.state();
        tell(&state, position);
        state.hears.is_some()
    }

    /// Breaks the connection of who listens, for a while: what is on its way is lost.
    pub fn interrupt(&self) {
        self.state().waiting.clear();
    }

    /// Breaks it for good.
    pub fn disconnect(&self) {
        let mut state = self.state();
        (state.hears, state.waiting) = (None, Vec::new());
    }

    /// Loses all that was published.
    pub fn wipe(&self) {
        *self.state() = State::default();
    }
}

fn tell(state: &State, position: Position) {
    if let Some(hears) = &state.hears {
        hears.send_if_modified(|at| {
            let further = position > *at;
            *at = position.max(*at);
            further
        });
    }
}
