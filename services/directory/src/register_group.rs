//! Register a group.

use axum::extract::State;
use domain::{GroupId, Schedule, group};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems, op};

use crate::Directory;

/// What describes the group, and when it meets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    /// What describes it.
    details: group::Details,
    /// When it meets, if that is known.
    #[serde(default)]
    schedule: Option<Schedule>,
}

/// The new group.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct GroupRegistered {
    id: GroupId,
}

/// Register a group
///
/// Registers a group under one of the organisation's programmes, with its calendar if it has one. Its meetings are
/// planned from the calendar, not by this.
#[utoipa::path(post, path = "/v1/groups", tag = "directory", request_body = GroupBody,
    responses((status = 201, description = "The group is registered", body = GroupRegistered), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_group(
    State(directory): State<Directory>,
    command: Command<op::RegisterGroup, GroupBody>,
) -> Result<Answer, Problem> {
    let id = GroupId(command.new_id("group"));
    let Command { caller, cause, body: GroupBody { details, schedule }, .. } = command;
    directory.check_schedule(&caller, schedule.as_ref()).await?;
    directory.check(&caller.org, &details).await?;
    let both = group::Command::Import(details, schedule);
    let reply = Reply::json(201, &GroupRegistered { id });
    Ok(Answer(directory.groups.transact(&caller.org, id, cause, both, reply).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::{World, details, tuesdays};

    #[tokio::test]
    async fn a_group_is_registered_with_its_calendar_in_one() {
        let world = World::new();
        let programme = world.programme().await;
        let body = json!({ "details": details(&programme), "schedule": tuesdays() });
        let first = world.post("k", "/v1/groups", body.clone()).await.status(201);
        assert_eq!(world.post("k", "/v1/groups", body).await.status(201), first);
        assert_eq!(world.written().await, ["programme.registered", "group.registered", "group.scheduled"]);
    }

    #[tokio::test]
    async fn a_group_needs_a_programme_of_the_same_organisation() {
        let world = World::new();
        let programme = world.programme().await;
        let body = json!({ "details": details(&programme) });
        world.of("south-star").post("k", "/v1/groups", body).await.problem(404, "unknown-programme");
        assert_eq!(world.written().await, ["programme.registered"]);
    }

    #[tokio::test]
    async fn a_group_with_a_calendar_that_cannot_be_or_too_many_formats_is_not_understood() {
        let world = World::new();
        let programme = world.programme().await;
        let mut never = tuesdays();
        never["recurrence"] = "FREQ=HOURLY".into();
        let body = json!({ "details": details(&programme), "schedule": never });
        world.post("k1", "/v1/groups", body).await.problem(422, "malformed");
        let mut many = details(&programme);
        many["formats"] = (0..41).map(|n| format!("Format {n}")).collect::<Value>();
        world.post("k2", "/v1/groups", json!({ "details": many })).await.problem(422, "malformed");
    }
}
