//! What follows the views: names kept in memory, the blind index, erasures and merges seen to, meetings planned ahead.

use eventlog::Position;
use membership::Settled;
use projections::NameKeeper;
use tokio::sync::watch;
use vault::Vault;
use web::Clock;

use crate::{
    Config,
    contexts::{Contexts, Reads},
    erasures,
    indexer::{self, Indexer},
    merges, planner,
    supervisor::Supervisor,
};

/// Says how far it has come.
pub struct Upkeep {
    named: watch::Sender<Position>,
    erasures: watch::Sender<Position>,
    settled: watch::Sender<Settled>,
}

impl Upkeep {
    pub fn new() -> Self {
        Self {
            named: watch::Sender::new(Position::START),
            erasures: watch::Sender::new(Position::START),
            settled: watch::Sender::default(),
        }
    }

    /// Up to where names are in memory.
    pub fn named(&self) -> watch::Receiver<Position> {
        self.named.subscribe()
    }

    /// Up to where erasures are done.
    pub fn erasures(&self) -> watch::Receiver<Position> {
        self.erasures.subscribe()
    }

    /// Up to where places follow from merges.
    pub fn settled(&self) -> watch::Receiver<Settled> {
        self.settled.subscribe()
    }

    /// Starts it, if people's keys are here.
    pub fn start(
        self,
        config: &Config,
        (contexts, vault): (Contexts, Vault),
        reads: Reads,
        clock: &Clock,
        supervisor: &mut Supervisor,
    ) {
        let Some(people) = contexts.people else { return };
        let (views, end) = (reads.file.clone(), supervisor.end());
        let keeper = NameKeeper {
            views: views.clone(),
            people: reads.people.clone(),
            vault: vault.clone(),
            names: people.membership.names.clone(),
            named: self.named,
        };
        let indexer =
            Indexer { views: views.clone(), people: reads.people.clone(), membership: people.membership.clone() };
        let settler = merges::Settler {
            views: views.clone(),
            known: reads.people.clone(),
            people: people.membership.people.clone(),
            groups: people.membership.groups.clone(),
            rosters: people.membership.rosters.clone(),
            clock: clock.clone(),
            done: self.settled,
        };
        let eraser = erasures::Eraser {
            views: views.clone(),
            people: reads.people,
            named: reads.named,
            erased: people.membership.people,
            groups: people.membership.groups,
            rosters: people.membership.rosters,
            vault,
            clock: clock.clone(),
            file: config.erasures_file.clone(),
            done: self.erasures,
        };
        if config.plan_days > 0 {
            let (clock, days, end) = (clock.clone(), config.plan_days, end.clone());
            let (directory, views) = (contexts.directory, views.clone());
            supervisor.keep("planner", move |part| {
                planner::run(directory.clone(), views.clone(), clock.clone(), days, part, end.clone())
            });
        }
        let ends = end.clone();
        supervisor.keep("names", move |part| keeper.clone().run(part, ends.clone()));
        let ends = end.clone();
        supervisor.keep("index", move |part| indexer::run(indexer.clone(), part, ends.clone()));
        let ends = end.clone();
        supervisor.keep("merges", move |part| merges::run(settler.clone(), part, ends.clone()));
        supervisor.keep("erasures", move |part| erasures::run(eraser.clone(), part, end.clone()));
    }
}
