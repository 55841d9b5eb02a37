//! What runs, what stands still and why: the source of `/readyz`, and of the wait for one's own writes.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::Position;
use serde::Serialize;
use tokio::sync::watch;
use tracing::{info, warn};

/// State of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartState {
    /// On its way, e.g. catching up with the log.
    Starting,
    /// Doing its work.
    Running,
    /// Doing its work, and somebody should see to it before it cannot.
    Strained {
        /// What to see to, as a sentence for the operator.
        why: String,
    },
    /// Not doing its work.
    Stopped {
        /// What stands in the way, as a sentence for the operator.
        why: String,
    },
}

impl PartState {
    fn is_at_work(&self) -> bool {
        matches!(self, Self::Running | Self::Strained { .. })
    }
}

/// One part in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Which.
    pub name: String,
    /// How it is.
    #[serde(flatten)]
    pub state: PartState,
    /// Up to where in the log its work is durable; only of parts that follow the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// All parts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every part runs.
    pub ready: bool,
    /// In the order of their names.
    pub parts: Vec<PartReport>,
}

#[derive(Debug)]
struct Entry {
    state: PartState,
    position: Option<watch::Sender<Position>>,
}

/// The registry of parts. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    parts: Arc<watch::Sender<BTreeMap<String, Entry>>>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Without any part.
    pub fn new() -> Self {
        Self { parts: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }

    /// The part `name`, registered as starting if it was not known.
    pub fn part(&self, name: &str) -> Part {
        self.change(name, |_| ());
        Part { health: self.clone(), name: name.into() }
    }

    /// Up to where in the log the work of the part `name` is durable, as it moves. The part need not have started.
    pub fn checkpoint(&self, name: &str) -> watch::Receiver<Position> {
        let mut receiver = None;
        self.change(name, |entry| receiver = Some(entry.position.get_or_insert_default().subscribe()));
        receiver.expect("the change was made")
    }

    /// Whether every part runs.
    pub fn ready(&self) -> bool {
        self.parts.borrow().values().all(|entry| entry.state.is_at_work())
    }

    /// How every part is.
    pub fn report(&self) -> Report {
        let parts = self.parts.borrow();
        let report = |(name, entry): (&String, &Entry)| PartReport {
            name: name.clone(),
            state: entry.state.clone(),
            position: entry.position.as_ref().map(|position| *position.borrow()),
        };
        let parts: Vec<_> = parts.iter().map(report).collect();
        Report { ready: parts.iter().all(|part| part.state.is_at_work()), parts }
    }

    /// Waits until the report is as wished; looks again whenever the state of a part changes (not its position).
    pub async fn wait_until(&self, wished: impl Fn(&Report) -> bool) -> Report {
        let mut changes = self.parts.subscribe();
        loop {
            changes.mark_unchanged();
            let report = self.report();
            if wished(&report) {
                return report;
            }
            changes.changed().await.expect("`self` holds the sender");
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        self.parts.send_modify(|parts| {
            let starting = || Entry { state: PartState::Starting, position: None };
            change(parts.entry(name.to_owned()).or_insert_with(starting));
        });
    }
}

/// By which a part says how it is. Logs each change once.
#[derive(Debug, Clone)]
pub struct Part {
    health: Health,
    name: Arc<str>,
}

impl Part {
    /// It is on its way.
    pub fn starting(&self) {
        self.set(PartState::Starting);
    }

    /// It does its work.
    pub fn running(&self) {
        if self.set(PartState::Running) {
            info!(part = &*self.name, "running");
        }
    }

    /// It does its work, and somebody should see to it: `why` is a sentence for the operator.
    pub fn strained(&self, why: impl Into<String>) {
        let why = why.into();
        if self.set(PartState::Strained { why: why.clone() }) {
            warn!(part = &*self.name, why, "strained");
        }
    }

    /// It does not do its work: `why` is a sentence for the operator.
    pub fn stopped(&self, why: impl Into<String>) {
        let why = why.into();
        if self.set(PartState::Stopped { why: why.clone() }) {
            warn!(part = &*self.name, why, "stopped");
        }
    }

    /// Its work is durable up to `position`.
    pub fn reached(&self, position: Position) {
        self.sender().send_replace(position);
    }

    /// The sender of positions, to move it often without a look-up.
    pub(crate) fn sender(&self) -> watch::Sender<Position> {
        let mut sender = None;
        self.health.change(&self.name, |entry| sender = Some(entry.position.get_or_insert_default().clone()));
        sender.expect("the change was made")
    }

    fn set(&self, state: PartState) -> bool {
        let mut changed = false;
        self.health.change(&self.name, |entry| {
            changed = entry.state != state;
            entry.state = state;
        });
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_runs_and_says_what_does_not() {
        let health = Health::new();
        let (relay, view) = (health.part("relay"), health.part("view"));
        assert!(!health.ready());
        relay.running();
        view.running();
        view.reached(Position(7));
        assert!(health.ready());
        view.stopped("the event cannot be applied");
        assert!(!health.ready());
        let json = serde_json::to_value(health.report()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"ready": false, "parts": [
                {"name": "relay", "state": "running"},
                {"name": "view", "state": "stopped", "why": "the event cannot be applied", "position": 7},
            ]})
        );
    }

    #[test]
    fn a_checkpoint_can_be_watched_before_its_part_starts() {
        let health = Health::new();
        let checkpoint = health.checkpoint("view");
        assert_eq!(*checkpoint.borrow(), Position::START);
        health.part("view").reached(Position(3));
        assert_eq!(*checkpoint.borrow(), Position(3));
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_state_changes() {
        let health = Health::new();
        let part = health.part("relay");
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.wait_until(|report| report.ready).await }
        });
        part.running();
        assert!(waiting.await.unwrap().ready);
    }
}
