//! What follows a merge, and its undoing: sees that places are those of people.
//!
//! The views say in which groups somebody may be one person now who was two, or two who was one; the log says who is, and
//! the roster decides what follows. A place that became free goes to whoever has waited longest.

use std::{sync::Arc, time::Duration};

use domain::{
    GroupId, OrgId,
    group::Group,
    people::{self, People},
    roster::{Ask, Command, Roster},
};
use eventlog::{Cause, Position, Reply, Streams, blocking, sqlite::Readers};
use membership::Settled;
use messaging::Part;
use projections::regrouped;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::Clock;

/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What seeing to merges needs.
#[derive(Clone)]
pub struct Settler {
    /// The views.
    pub views: Arc<Readers>,
    /// Up to where they know members' records.
    pub known: watch::Receiver<Position>,
    /// Who is one person, says the log.
    pub people: Streams<People>,
    /// Groups, which say what day it is there.
    pub groups: Streams<Group>,
    /// Who has a place, and who waits.
    pub rosters: Streams<Roster>,
    /// The time.
    pub clock: Clock,
    /// Up to where all of this is done.
    pub done: watch::Sender<Settled>,
}

/// Sees to merges until it is told to end.
pub async fn run(mut settler: Settler, part: Part, end: CancellationToken) {
    let mut after = 0;
    loop {
        let known = *settler.known.borrow_and_update();
        match end.run_until_cancelled(settler.see_to(after)).await {
            None => return,
            Some(Ok((last, wrote))) => {
                after = last;
                part.running();
                settler.done.send_modify(|done| *done = Settled { seen: known, at: done.at.max(wrote) });
            }
            Some(Err(error)) => {
                part.stopped(format!("not all of a merge is done yet: {error}"));
                if end.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
                    return;
                }
                continue;
            }
        }
        match end.run_until_cancelled(settler.known.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}

impl Settler {
    /// Sees to all that was said of who is one person after a position, as far as the views know; answers the last, and
    /// where what followed is written.
    async fn see_to(&self, after: u64) -> anyhow::Result<(u64, Position)> {
        let views = self.views.clone();
        let (last, groups) = blocking(move || regrouped(&views, after)).await??;
        let mut wrote = Position::START;
        for (org, group) in groups {
            wrote = wrote.max(self.settle(&org, group).await?);
        }
        Ok((last, wrote))
    }

    async fn settle(&self, org: &OrgId, group: GroupId) -> anyhow::Result<Position> {
        let at = self.clock.now();
        let cause = Cause::of_process("merges", Uuid::new_v5(&group.0, format!("merges {org}").as_bytes()), at);
        let now = self.clock.local(at);
        let today = self.groups.look(org, group, |group| group.state.today(&now)).await?;
        let persons = self.people.look(org, people::stream_id(org), |people| people.state.persons().clone()).await?;
        let settle = Command { today, proposed_by: None, persons, ask: Ask::Settle };
        Ok(self.rosters.transact(org, group, cause, settle, Reply::DONE).await?.position)
    }
}
