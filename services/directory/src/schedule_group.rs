//! Set a group's calendar.

use axum::extract::State;
use domain::{GroupId, Schedule, group};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Directory, op};

/// Set a group's calendar
///
/// Replaces the group's calendar, or takes it away if the body is `null`. What is planned moves with it: a meeting that is
/// at another time is the same one, one that the calendar no longer has is taken away and does not count as cancelled.
/// Meetings whose register was opened, and cancelled ones, stay as they are. What was changed at single occurrences stays.
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
    let (permitted, part) = (caller.require_group(group)?, cause.part());
    let Answer(mut done) = directory.groups.transact(&permitted, cause, schedule, Reply::DONE).await?;
    done.position = directory.settled(&caller.org, group, &part, done.position).await;
    Ok(Answer(done))
}
