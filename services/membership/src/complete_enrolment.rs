//! Complete an enrolment.

use axum::extract::State;
use domain::{GroupId, MemberId, roster::Ask};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Until when.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompletionBody {
    /// Last day on the roster; may be in the past.
    ends_on: Date,
}

/// Complete an enrolment
///
/// For a member who came to the end that was agreed. Whoever is first in line gets the place from the day after. Of who has
/// left already, or is to leave later, this is the last day instead: facilitators make it no later.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/completion", tag = "membership",
    request_body = CompletionBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The enrolment ends"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn complete_enrolment(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::CompleteEnrolment, CompletionBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: CompletionBody { ends_on }, .. } = command;
    membership.transact(&caller, group, cause, Ask::Complete { member, ends_on }, Reply::DONE).await
}
