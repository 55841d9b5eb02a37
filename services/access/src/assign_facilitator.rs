//! Assign a facilitator to a group.

use axum::extract::State;
use domain::{
    GroupId, Subject,
    access::{self, Assigned, Duty},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Access, op};

/// Who, as what, and from when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignmentBody {
    /// Who, as their tokens say (claim `sub`).
    subject: Subject,
    /// As what.
    duty: Duty,
    /// First day, from when it begins anywhere.
    starts_on: Date,
}

/// Assign a facilitator
///
/// A caller with the role facilitator reaches the groups that their token names and those that they are assigned to.
/// Assigning again changes duty and first day.
#[utoipa::path(post, path = "/v1/groups/{group}/assignments", tag = "access", request_body = AssignmentBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The subject is assigned"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn assign_facilitator(
    State(access): State<Access>,
    Path(group): Path<GroupId>,
    command: Command<op::AssignFacilitator, AssignmentBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: AssignmentBody { subject, duty, starts_on }, .. } = command;
    access.require_group(&caller, group).await?;
    let assign = access::Command::Assign(Assigned { subject, group, duty, starts_on });
    Ok(Answer(access.transact(&caller.org, cause, assign, Reply::DONE).await?))
}
