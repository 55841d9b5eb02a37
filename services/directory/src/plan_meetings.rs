//! Plan a group's meetings.

use axum::extract::State;
use domain::{GroupId, LocalDay, ScheduleError, group, meeting};
use eventlog::{Position, Reply, TransactError};
use jiff::{Span, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, Undone};

use crate::{
    Directory,
    calendar::{Days, PLAN_DAYS_MAX},
    op, plan_group,
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
    /// Meetings that were planned and are taken away, because the calendar no longer has them; a count.
    pub unplanned: usize,
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
/// Plans the meetings that the group's calendar has on these days, and takes away those still to come that it no longer
/// has, on whatever day. Planning twice changes nothing; meetings that have begun or were cancelled stay as they are.
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
