//! Plans meetings ahead: asks the views which calendars have nothing planned near the horizon, and commands.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use eventlog::{Cause, Position};
use host::{Follower, Rhythm, Views};
use jiff::{SignedDuration, Span, Timestamp};
use projections::{GROUPS, Plannable, plannable};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Directory, calendar::Days, plan_group};

/// A calendar that was changed is planned by soon, and all are looked at once a minute, because time goes on.
pub(crate) const RHYTHM: Rhythm =
    Rhythm { pause: Duration::from_secs(1), every: Some(Duration::from_mins(1)), again_after: Duration::from_mins(1) };
/// How long before the horizon a meeting counts as near: longer than a month, for monthly groups.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 35);

/// Who plans.
pub(crate) struct Planner {
    pub directory: Directory,
    pub views: Views,
    /// How many days ahead.
    pub days: u16,
}

#[async_trait]
impl Follower for Planner {
    fn position(&self) -> watch::Receiver<Position> {
        self.views.changed(&GROUPS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let now = self.directory.authenticator.clock.now();
        let ahead = SignedDuration::from_hours(24 * i64::from(self.days));
        let horizon = now + ahead - NEAR.min(ahead / 2);
        let groups = self.views.look(move |connection| plannable(connection, horizon)).await?;
        let groups = groups.context("nothing is planned, because the views cannot be read")?;
        for plannable in groups {
            if let Err(error) = self.plan(&plannable, now).await {
                tracing::warn!(%error, group = %plannable.group, "a group's meetings could not be planned");
            }
        }
        Ok(())
    }
}

impl Planner {
    async fn plan(&self, Plannable { org, group }: &Plannable, now: Timestamp) -> anyhow::Result<()> {
        let today = self.directory.today(org, *group, now).await?.date();
        let days = Days::new(today, today.checked_add(Span::new().days(self.days))?)?;
        // A new one each time: what it plans differs when the calendar has changed.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("planner {org} {group} {now}").as_bytes());
        let cause = Cause::of_process("planner", id, now);
        plan_group(&self.directory, org, *group, days, &cause).await?;
        Ok(())
    }
}
