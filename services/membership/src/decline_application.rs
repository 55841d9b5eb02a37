//! Decline an application.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    roster::{Ask, DeclineReason},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Why not.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclineBody {
    reason: DeclineReason,
}

/// Decline an application
///
/// Says no to somebody who asks or waits for a place. They can apply again.
#[utoipa::path(post, path = "/v1/groups/{group}/applications/{member}/decline", tag = "membership",
    request_body = DeclineBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The member has their answer"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn decline_application(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::DeclineApplication, DeclineBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: DeclineBody { reason }, .. } = command;
    membership.transact(&caller, group, cause, Ask::Decline { member, reason }, Reply::DONE).await
}
