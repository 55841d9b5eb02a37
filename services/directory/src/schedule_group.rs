//! Set a group's calendar.

use axum::extract::State;
use domain::{GroupId, Schedule, group};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Directory, op};

/// Set a group's calendar
///
/// Replaces the group's calendar, or takes it away if the body is `null`. Meetings that are planned already stay as
/// they are: cancel those that will not take place.
#[utoipa::path(put, path = "/v1/groups/{group}/schedule", tag = "directory", request_body = Option<Schedule>,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The calendar stands"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn schedule_group(
    State(directory): State<Directory>,
    Path(group): Path<GroupId>,
    command: Command<op::ScheduleGroup, Option<Schedule>>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: schedule, .. } = command;
    directory.check_schedule(&caller, schedule.as_ref()).await?;
    let schedule = group::Command::Schedule(schedule);
    let group = caller.require_group(group)?;
    Ok(directory.groups.transact(&group, cause, schedule, Reply::DONE).await?)
}
