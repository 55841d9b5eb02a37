//! Change a group's details.

use axum::extract::State;
use domain::{GroupId, group};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Directory;

/// Change a group's details
///
/// Replaces all that describes the group. Its calendar stays as it is. Sending the same details again changes
/// nothing. A group that was imported is changed back by the next import if the listing still says otherwise.
#[utoipa::path(put, path = "/v1/groups/{group}", tag = "directory", request_body = group::Details,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The details stand"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn change_group(
    State(directory): State<Directory>,
    Path(group): Path<GroupId>,
    command: Command<op::ChangeGroup, group::Details>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: details, .. } = command;
    directory.require_group(&caller.org, group).await?;
    directory.check(&caller.org, &details).await?;
    let describe = group::Command::Describe(details);
    Ok(Answer(directory.groups.transact(&caller.org, group, cause, describe, Reply::DONE).await?))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::world::{World, details};

    #[tokio::test]
    async fn the_same_details_again_change_nothing() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, None).await;
        let path = format!("/v1/groups/{group}");
        world.put("k1", &path, details(&programme)).await.status(204);
        assert_eq!(world.written().await, ["programme.registered", "group.registered"]);
        let mut renamed = details(&programme);
        renamed["name"] = "Renamed".into();
        world.put("k2", &path, renamed).await.status(204);
        assert_eq!(world.written().await[2..], ["group.changed"]);
    }

    #[tokio::test]
    async fn a_group_cannot_be_made_by_changing_it_nor_moved_to_a_programme_that_is_not_there() {
        let world = World::new();
        let programme = world.programme().await;
        let group = world.group(&programme, None).await;
        let path = format!("/v1/groups/{}", Uuid::from_u128(0x99));
        world.put("k1", &path, details(&programme)).await.problem(404, "unknown-group");
        let elsewhere = details(&Uuid::from_u128(0x99).to_string());
        world.put("k2", &format!("/v1/groups/{group}"), elsewhere).await.problem(404, "unknown-programme");
        let other = world.of("south-star");
        other.put("k3", &format!("/v1/groups/{group}"), details(&programme)).await.problem(404, "unknown-group");
        assert_eq!(world.written().await.len(), 2);
    }
}
