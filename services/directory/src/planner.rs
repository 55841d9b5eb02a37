//! Plans meetings ahead: asks the views which calendars were changed, and which have nothing planned near the horizon, and
//! commands.

use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use eventlog::{Cause, Position};
use host::{Follower, Rhythm, Views};
use jiff::{SignedDuration, Timestamp};
use projections::{GROUPS, Plannable, to_plan};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Directory, PlanError};

/// A calendar that was changed is planned by soon, and all are looked at once a minute, because time goes on.
pub(crate) const RHYTHM: Rhythm =
    Rhythm { pause: Duration::from_secs(1), every: Some(Duration::from_mins(1)), again_after: Duration::from_mins(1) };
/// How long before the horizon a meeting counts as near: longer than a month, for monthly groups.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 35);

/// Who plans.
pub(crate) struct Planner {
    directory: Directory,
    views: Views,
    /// Up to where all is settled that changed a calendar. After a start all changed calendars are looked at again: a
    /// crash may have come between a change and what follows from it.
    settled: u64,
}

impl Planner {
    pub fn new(directory: Directory, views: Views) -> Self {
        Self { directory, views, settled: 0 }
    }
}

#[async_trait]
impl Follower for Planner {
    fn position(&self) -> watch::Receiver<Position> {
        self.views.changed(&GROUPS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let now = self.directory.authenticator.clock.now();
        let ahead = SignedDuration::from_hours(24 * i64::from(self.directory.plan_days));
        let horizon = (!ahead.is_zero()).then(|| now + ahead - NEAR.min(ahead / 2));
        let settled = self.settled;
        let found = self.views.look(move |connection| to_plan(connection, settled, horizon)).await?;
        let found = found.context("nothing is planned, because the views cannot be read")?;
        let failed = self.plan_all(&found.changed, now).await + self.plan_all(&found.ahead, now).await;
        if failed > 0 {
            bail!("the calendars of {failed} groups wait to be planned by");
        }
        self.settled = found.last;
        Ok(())
    }
}

impl Planner {
    /// Plans for all of them, and says for how many it could not.
    async fn plan_all(&self, groups: &[Plannable], now: Timestamp) -> usize {
        let mut failed = 0;
        for plannable in groups {
            if let Err(error) = self.plan(plannable, now).await {
                // What an older Kith took, and cannot be used, stays so however often it is tried.
                failed += usize::from(!matches!(error, PlanError::Calendar { .. }));
                tracing::warn!(%error, group = %plannable.group, "a group's meetings could not be planned");
            }
        }
        failed
    }

    async fn plan(&self, Plannable { org, group }: &Plannable, now: Timestamp) -> Result<(), PlanError> {
        // A new one each time: what it plans differs when the calendar has changed.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("planner {org} {group} {now}").as_bytes());
        let cause = Cause::of_process("planner", id, now);
        self.directory.settle(org, *group, &cause).await?;
        Ok(())
    }
}
