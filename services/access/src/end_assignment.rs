//! End an assignment.

use axum::extract::State;
use domain::{
    GroupId, Subject,
    access::{self, AssignmentEnded},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Access, op};

/// Whose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndBody {
    /// Who, as their tokens say (claim `sub`).
    subject: Subject,
}

/// End an assignment
///
/// The subject does not reach the group any more, from the answer on, unless their token names it.
#[utoipa::path(post, path = "/v1/groups/{group}/assignments/end", tag = "access", request_body = EndBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The assignment has ended"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn end_assignment(
    State(access): State<Access>,
    Path(group): Path<GroupId>,
    command: Command<op::EndAssignment, EndBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: EndBody { subject }, .. } = command;
    access.require_group(&caller, group).await?;
    let end = access::Command::EndAssignment(AssignmentEnded { subject, group });
    Ok(Answer(access.transact(&caller.org, cause, end, Reply::DONE).await?))
}
