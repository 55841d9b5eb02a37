//! Change a group's details.

use axum::extract::State;
use domain::{GroupId, group};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Directory, op};

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
    let (permitted, part) = (caller.require_group(group)?, cause.part());
    let Answer(mut done) = directory.groups.transact(&permitted, cause, describe, Reply::DONE).await?;
    // What is planned takes place as the group meets.
    done.position = directory.settled(&caller.org, group, &part, done.position).await;
    Ok(Answer(done))
}
