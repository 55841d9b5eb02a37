//! Apply to a group.

use axum::extract::State;
use domain::{GroupId, MemberId, roster::Ask};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Who asks.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationBody {
    /// A member who is registered; a new one, of whom nothing is known, if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
}

/// The member who asks: the record under which they go on, if another one was named.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Applicant {
    member: MemberId,
}

/// Apply to a group
///
/// Puts somebody down as asking for a place. The answer is to enrol them, to let them wait, or to decline; until then
/// they are on no roster. What a facilitator records opens nothing of the member's record until it is confirmed.
#[utoipa::path(post, path = "/v1/groups/{group}/applications", tag = "membership", request_body = ApplicationBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 201, description = "The member asks for a place", body = Applicant), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn apply_to_group(
    State(membership): State<Membership>,
    Path(group): Path<GroupId>,
    command: Command<op::ApplyToGroup, ApplicationBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: ApplicationBody { member: named }, .. } = command;
    let member = match named {
        Some(member) => member,
        None => membership.vault.new_member(&caller.org, cause.id).await?,
    };
    let reply = |member| Reply::json(201, &Applicant { member });
    membership.admit(&caller, (group, member), named.is_none(), cause, Ask::Apply { member }, reply).await
}
