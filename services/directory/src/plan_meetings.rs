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
use web::{Answer, Command, Path, Problem, Problems, Undone};

use crate::{
    Directory, WRITES_AT_ONCE,
    calendar::{Days, Occurrence, PLAN_DAYS_MAX, occurrences},
    op,
};

/// The days to plan for, local to the group, both included.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanBody {
    /// First day; at most 400 days ago.
    from: Date,
    /// Last day; at most 400 days ahead, and at most 400 days in all.
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
    let group = caller.require_group(group)?;
    Ok(directory.groups.keep(&group, &cause, reply, plans.position).await?)
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
    let meetings =
        directory.authenticator.compute.run((org, cause.actor.clone()), move || occurrences(&schedule, days)).await?;
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
