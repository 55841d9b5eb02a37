//! Plans meetings ahead: asks the views which calendars have nothing planned near the horizon, and commands.

use std::{sync::Arc, time::Duration};

use directory::{Directory, calendar::Days, plan_group};
use eventlog::{Cause, blocking, sqlite::Readers};
use jiff::{SignedDuration, Span, Timestamp};
use messaging::Part;
use projections::{Plannable, plannable};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::Clock;

/// How often it looks.
const EVERY: Duration = Duration::from_mins(1);
/// How long before the horizon a meeting counts as near: longer than a month, for monthly groups.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 35);

/// Plans until it is told to end.
pub async fn run(
    directory: Directory,
    views: Arc<Readers>,
    clock: Clock,
    days: u16,
    part: Part,
    end: CancellationToken,
) {
    let mut every = tokio::time::interval(EVERY);
    while end.run_until_cancelled(every.tick()).await.is_some() {
        let now = clock.now();
        let ahead = SignedDuration::from_hours(24 * i64::from(days));
        let horizon = now + ahead - NEAR.min(ahead / 2);
        let readers = views.clone();
        let groups = match blocking(move || plannable(&readers, horizon)).await {
            Ok(Ok(groups)) => groups,
            Ok(Err(error)) => {
                part.stopped(format!("nothing is planned, because the views cannot be read: {error}"));
                continue;
            }
            Err(error) => {
                part.stopped(format!("nothing is planned: {error}"));
                continue;
            }
        };
        part.running();
        for plannable in groups {
            match end.run_until_cancelled(plan(&directory, &plannable, now, days)).await {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, group = %plannable.group, "a group's meetings could not be planned");
                }
            }
        }
    }
}

async fn plan(directory: &Directory, plannable: &Plannable, now: Timestamp, days: u16) -> anyhow::Result<()> {
    let Plannable { org, group } = plannable;
    let today = directory.today(org, *group, now).await?.date();
    let days = Days::new(today, today.checked_add(Span::new().days(days))?)?;
    // A new one each time: what it plans differs when the calendar has changed.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("planner {org} {group} {now}").as_bytes());
    plan_group(directory, org, *group, days, &Cause::of_process("planner", id, now)).await?;
    Ok(())
}
