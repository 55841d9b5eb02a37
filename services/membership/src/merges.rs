//! What follows a merge, and its undoing: sees that places are those of people.
//!
//! The views say in which groups somebody may be one person now who was two, or two who was one; the log says who is, and
//! the roster decides what follows. A place that became free goes to whoever has waited longest.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    GroupId, OrgId, people,
    roster::{Ask, Command, Roster},
};
use eventlog::{Cause, Position, Reply, Streams};
use host::{Follower, Rhythm};
use projections::{RECORDS, regrouped};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Membership, settled::Settled};

/// Whoever merges waits for it.
pub(crate) const RHYTHM: Rhythm = Rhythm::at_once(Duration::from_secs(5));

/// Who sees to merges.
#[derive(Debug, Clone)]
pub(crate) struct Settler {
    pub membership: Membership,
    /// Who has a place, and who waits: nobody asks for what follows a merge.
    pub rosters: Streams<Roster>,
    /// Says up to where all of this is done.
    pub done: watch::Sender<Settled>,
    /// What was last said of who is one person.
    pub seen: u64,
}

#[async_trait]
impl Follower for Settler {
    fn position(&self) -> watch::Receiver<Position> {
        self.membership.views.changed(&RECORDS)
    }

    async fn see_to(&mut self, known: Position) -> anyhow::Result<()> {
        let wrote = self.follow().await.context("not all of a merge is done yet")?;
        self.done.send_modify(|done| *done = Settled { seen: known, at: done.at.max(wrote) });
        Ok(())
    }
}

impl Settler {
    /// Sees to all that was said of who is one person since the last time; answers where what followed is written.
    async fn follow(&mut self) -> anyhow::Result<Position> {
        let seen = self.seen;
        let (last, groups) = self.membership.views.look(move |connection| regrouped(connection, seen)).await??;
        let mut wrote = Position::START;
        for (org, group) in groups {
            wrote = wrote.max(self.settle(&org, group).await?);
        }
        self.seen = last;
        Ok(wrote)
    }

    async fn settle(&self, org: &OrgId, group: GroupId) -> anyhow::Result<Position> {
        let Membership { authenticator, groups, people, .. } = &self.membership;
        let at = authenticator.clock.now();
        let id = Uuid::new_v5(&group.0, format!("merges {org}").as_bytes());
        let cause = Cause::of_process("merges", id, at);
        let now = authenticator.clock.local(at);
        let today = groups.look(org, group, |group| group.state.today(&now)).await?;
        let persons = people.look(org, people::stream_id(org), |people| people.state.persons().clone()).await?;
        let settle = Command { today, proposed_by: None, persons, ask: Ask::Settle };
        Ok(self.rosters.transact(org, group, cause, settle, Reply::DONE).await?.position)
    }
}
