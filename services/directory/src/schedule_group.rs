//! Set a group's calendar.

use axum::extract::State;
use domain::{GroupId, Schedule, group};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Directory;

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
    Ok(Answer(directory.groups.transact(&caller.org, group, cause, schedule, Reply::DONE).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::world::{World, tuesdays};

    #[tokio::test]
    async fn a_calendar_is_set_and_taken_away() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, None).await;
        let path = format!("/v1/groups/{group}/schedule");
        world.put("k1", &path, tuesdays()).await.status(204);
        world.put("k2", &path, tuesdays()).await.status(204);
        world.put("k3", &path, Value::Null).await.status(204);
        assert_eq!(world.written().await[2..], ["group.scheduled", "group.unscheduled"]);
    }

    #[tokio::test]
    async fn a_calendar_needs_a_group_and_a_rule_that_names_days() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, None).await;
        let nowhere = format!("/v1/groups/{}/schedule", Uuid::from_u128(0x99));
        world.put("k1", &nowhere, tuesdays()).await.problem(404, "unknown-group");
        let mut never = tuesdays();
        never["recurrence"] = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30".into();
        let problem = world.put("k2", &format!("/v1/groups/{group}/schedule"), never).await.problem(422, "malformed");
        assert!(problem["detail"].as_str().unwrap().ends_with("it names no day"), "{problem}");
        world.put("k3", &format!("/v1/groups/{group}/schedule"), json!({})).await.problem(422, "malformed");
    }
}
