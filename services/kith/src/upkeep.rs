//! What follows the views: names kept in memory, the blind index and erasures seen to, meetings planned ahead.

use std::sync::Arc;

use eventlog::{Position, sqlite::Readers};
use projections::NameKeeper;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use vault::Vault;
use web::Clock;

use crate::{
    Config,
    contexts::{Contexts, Reads},
    erasures,
    indexer::{self, Indexer},
    planner,
};

/// Says how far it has come.
pub struct Upkeep {
    named: watch::Sender<Position>,
    erasures: watch::Sender<Position>,
}

impl Upkeep {
    pub fn new() -> Self {
        Self { named: watch::Sender::new(Position::START), erasures: watch::Sender::new(Position::START) }
    }

    /// Up to where names are in memory.
    pub fn named(&self) -> watch::Receiver<Position> {
        self.named.subscribe()
    }

    /// Up to where erasures are done.
    pub fn erasures(&self) -> watch::Receiver<Position> {
        self.erasures.subscribe()
    }

    /// Starts it, if people's keys are here.
    pub fn start(
        self,
        config: &Config,
        (contexts, vault, views): (Contexts, Vault, Arc<Readers>),
        reads: Reads,
        clock: &Clock,
        (tasks, end): (&mut JoinSet<()>, &CancellationToken),
    ) {
        let Some(people) = contexts.people else { return };
        let keeper = NameKeeper {
            views: views.clone(),
            people: reads.people.clone(),
            vault: vault.clone(),
            names: people.membership.names.clone(),
            named: self.named,
        };
        let indexer =
            Indexer { views: views.clone(), people: reads.people.clone(), membership: people.membership.clone() };
        let eraser = erasures::Eraser {
            views: views.clone(),
            people: reads.people,
            named: reads.named,
            erased: people.membership.people,
            rosters: people.membership.rosters,
            vault,
            clock: clock.clone(),
            file: config.erasures_file.clone(),
            done: self.erasures,
        };
        if config.plan_days > 0 {
            tasks.spawn(planner::run(contexts.directory, views, clock.clone(), config.plan_days, end.clone()));
        }
        tasks.spawn(keeper.run(end.clone()));
        tasks.spawn(indexer::run(indexer, end.clone()));
        tasks.spawn(erasures::run(eraser, end.clone()));
    }
}
