//! Plan a group's meetings.

use axum::extract::State;
use domain::{
    GroupId, LocalDay, MeetingId, OrgId, Schedule, ScheduleError,
    group::{self, MeetingMode},
    meeting::{self, Plan},
};
use eventlog::{Cause, Position, Reply, TransactError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Span, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, Undone, op};

use crate::{
    Directory, WRITES_AT_ONCE,
    calendar::{Days, Occurrence, PLAN_DAYS_MAX, occurrences},
};

/// The days to plan for, local to the group, both included.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanBody {
    /// First day; at most 400 days ago.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// Last day; at most 400 days ahead, and at most 400 days in all.
    #[schema(value_type = String, format = Date)]
    through: Date,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Plans {
    /// Meetings planned, or planned anew because the group or its calendar changed; a count.
    pub planned: usize,
    /// Meetings that were planned so already, or have begun; a count.
    pub unchanged: usize,
    /// Up to where to read to see them.
    #[serde(skip)]
    pub position: Position,
}

/// Why a group's meetings were not planned, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The group is not there, has no calendar, or cannot be read.
    #[error(transparent)]
    Group(#[from] TransactError<group::Refusal>),
    /// A meeting cannot be written.
    #[error(transparent)]
    Meeting(#[from] TransactError<meeting::Refusal>),
    /// It is not known when the group meets.
    #[error(transparent)]
    Undone(#[from] Undone),
    /// The group's calendar cannot be used: an older Kith, or another time zone database, took it.
    #[error("the calendar of group {group} cannot be used")]
    Calendar {
        /// Which group.
        group: GroupId,
        /// Why.
        source: ScheduleError,
    },
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Group(error) => error.into(),
            PlanError::Meeting(error) => error.into(),
            PlanError::Undone(error) => error.into(),
            PlanError::Calendar { source, .. } => Self::malformed(format!("schedule: {source}")),
        }
    }
}

/// Plan a group's meetings
///
/// Plans the meetings that the group's calendar has on these days. Planning twice changes nothing; meetings that
/// have begun or were cancelled stay as they are.
#[utoipa::path(post, path = "/v1/groups/{group}/meetings", tag = "directory", request_body = PlanBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "The meetings are planned", body = Plans), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn plan_meetings(
    State(directory): State<Directory>,
    Path(group): Path<GroupId>,
    command: Command<op::PlanMeetings, PlanBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    if let Some(done) = directory.groups.replayed(&cause).await? {
        return Ok(Answer(done));
    }
    let today = directory.today(&caller.org, group, cause.at).await?;
    let days = days(body, &today)?;
    let plans = plan_group(&directory, &caller.org, group, days, &cause).await?;
    // The answer is kept with the group: it is known only now.
    let reply = Reply::json(200, &plans);
    Ok(Answer(directory.groups.keep(&caller.org, group, &cause, reply, plans.position).await?))
}

fn days(PlanBody { from, through }: PlanBody, day: &LocalDay) -> Result<Days, Problem> {
    let today = day.date();
    let year = Span::new().days(PLAN_DAYS_MAX);
    if through < from {
        return Err(Problem::malformed("through is before from"));
    }
    if from < today.saturating_sub(year) || through > today.saturating_add(year) {
        let what = format!("meetings are planned at most {PLAN_DAYS_MAX} days back and ahead; today is {day}");
        return Err(Problem::malformed(what));
    }
    Days::new(from, through).map_err(|error| Problem::malformed(error.to_string()))
}

/// Plans the meetings that a group's calendar has on these days. Each meeting is a stream of its own, so a failure
/// leaves those before it planned; planning again does the rest.
///
/// `cause.id` must be a new one for each new run: ids of events are derived from it. Its key is not used.
///
/// # Errors
/// If the group is not there, has no calendar, or the log does not answer.
pub async fn plan_group(
    directory: &Directory,
    org: &OrgId,
    group: GroupId,
    days: Days,
    cause: &Cause,
) -> Result<Plans, PlanError> {
    let (mode, schedule) = calendar(directory, org, group).await?;
    // A calendar that began long ago is gone through from there on.
    let meetings = directory.gate.compute.run((org, cause.actor.clone()), move || occurrences(&schedule, days)).await?;
    let meetings = meetings.map_err(|source| PlanError::Calendar { group, source })?;
    let cause = cause.part();
    let plans = meetings.into_iter().map(|Occurrence { local, starts_at, ends_at }| {
        let (directory, org, cause) = (directory.clone(), org.clone(), cause.clone());
        let plan = meeting::Command::Plan(Plan { group, starts_at_local: local, starts_at, ends_at, mode });
        async move { directory.meetings.transact(&org, MeetingId::of(group, local), cause, plan, Reply::DONE).await }
    });
    let done = stream::iter(plans).buffer_unordered(WRITES_AT_ONCE);
    let count = |plans: Plans, done: eventlog::Done| async move {
        let planned = usize::from(done.events > 0);
        Ok(Plans {
            planned: plans.planned + planned,
            unchanged: plans.unchanged + 1 - planned,
            position: plans.position.max(done.position),
        })
    };
    Ok(done.try_fold(Plans::default(), count).await?)
}

/// How a group meets, and when.
async fn calendar(
    directory: &Directory,
    org: &OrgId,
    group: GroupId,
) -> Result<(MeetingMode, Schedule), TransactError<group::Refusal>> {
    let look = directory.groups.look(org, group, |loaded| match (&loaded.state.details, &loaded.state.schedule) {
        (None, _) => Err(group::Refusal::Unknown),
        (Some(_), None) => Err(group::Refusal::NoSchedule),
        (Some(details), Some(schedule)) => Ok((details.mode, schedule.clone())),
    });
    look.await?.map_err(TransactError::Refused)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil::date};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::world::{World, details, tuesdays};

    #[tokio::test]
    async fn planning_twice_writes_nothing_and_a_longer_range_only_what_is_new() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, Some(tuesdays())).await;
        let path = format!("/v1/groups/{group}/meetings");
        let march = json!({ "from": "2026-03-01", "through": "2026-03-31" });
        let first = world.post("k1", &path, march.clone()).await.status(200);
        assert_eq!(first, json!({ "planned": 5, "unchanged": 0 }));
        let before = world.written().await.len();
        assert_eq!(world.post("k1", &path, march.clone()).await.status(200), first, "the same command again");
        let again = world.post("k2", &path, march).await.status(200);
        assert_eq!(again, json!({ "planned": 0, "unchanged": 5 }));
        assert_eq!(world.written().await.len(), before);
        let longer = json!({ "from": "2026-03-31", "through": "2026-04-30" });
        assert_eq!(world.post("k3", &path, longer).await.status(200), json!({ "planned": 4, "unchanged": 1 }));
    }

    #[tokio::test]
    async fn a_year_of_days_is_planned_at_once() {
        let world = World::new();
        let programme = world.programme().await;
        let mut daily = tuesdays();
        daily["recurrence"] = "FREQ=DAILY".into();
        let group = world.group(&programme, Some(daily)).await;
        let year = json!({ "from": "2026-01-10", "through": "2027-01-09" });
        let plans = world.post("k", &format!("/v1/groups/{group}/meetings"), year).await.status(200);
        assert_eq!(plans, json!({ "planned": 365, "unchanged": 0 }));
    }

    #[tokio::test]
    async fn planned_meetings_follow_a_group_that_goes_online() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, Some(tuesdays())).await;
        let week = json!({ "from": "2026-03-01", "through": "2026-03-07" });
        world.post("k1", &format!("/v1/groups/{group}/meetings"), week.clone()).await.status(200);
        let mut online = details(&programme);
        online["mode"] = "virtual".into();
        world.put("k2", &format!("/v1/groups/{group}"), online).await.status(204);
        let plans = world.post("k3", &format!("/v1/groups/{group}/meetings"), week).await.status(200);
        assert_eq!(plans, json!({ "planned": 1, "unchanged": 0 }));
        assert_eq!(world.written().await.last().unwrap(), "meeting.replanned");
    }

    #[tokio::test]
    async fn what_cannot_be_planned_is_refused() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, None).await;
        let week = json!({ "from": "2026-03-01", "through": "2026-03-07" });
        let nowhere = format!("/v1/groups/{}/meetings", Uuid::from_u128(0x99));
        world.post("k1", &nowhere, week.clone()).await.problem(404, "unknown-group");
        let path = format!("/v1/groups/{group}/meetings");
        world.post("k2", &path, week).await.problem(409, "no-schedule");
        for (key, from, through) in [
            ("k3", "2026-03-07", "2026-03-01"),
            ("k4", "2024-12-01", "2025-01-01"), // today is 2026-03-01
            ("k5", "2026-03-01", "2027-04-06"),
            ("k6", "2025-12-01", "2027-03-01"),
        ] {
            let body = json!({ "from": from, "through": through });
            world.post(key, &path, body).await.problem(422, "malformed");
        }
        assert_eq!(world.written().await.len(), 2);
    }

    #[tokio::test]
    async fn kith_itself_plans_by_the_groups_time_zone() {
        let world = World::new();
        let programme = world.programme().await;
        let group: GroupId = world.group(&programme, Some(tuesdays())).await.parse().unwrap();
        let run = |number| Cause::of_process("planner", Uuid::from_u128(number), Timestamp::UNIX_EPOCH);
        let week = Days::new(date(2026, 3, 8), date(2026, 3, 14)).unwrap();
        let plans = plan_group(&world.directory, &world.org, group, week, &run(1)).await.unwrap();
        let again = plan_group(&world.directory, &world.org, group, week, &run(2)).await.unwrap();
        assert_eq!((plans.planned, again.planned, again.unchanged), (1, 0, 1));
        let local = date(2026, 3, 10).at(19, 0, 0, 0);
        let look = world.directory.meetings.look(&world.org, MeetingId::of(group, local), |now| now.state.clone());
        let meeting::State::Known(register) = look.await.unwrap() else { panic!("the meeting is not planned") };
        assert_eq!((register.plan.group, register.plan.starts_at_local), (group, local));
        assert_eq!(register.plan.starts_at.to_string(), "2026-03-10T23:00:00Z");
        let nowhere = plan_group(&world.directory, &world.org, GroupId(Uuid::from_u128(0x99)), week, &run(3)).await;
        assert!(matches!(nowhere, Err(PlanError::Group(TransactError::Refused(group::Refusal::Unknown)))));
    }
}
