//! Confirm an enrolment.

use axum::extract::State;
use domain::{GroupId, MemberId, roster::Ask};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Which.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmationBody {
    /// First day of the enrolment, or the day of an application that has no answer yet.
    since: Date,
}

/// Confirm an enrolment
///
/// For an enrolment or application that a facilitator recorded: from now on the member's record is open to those who
/// lead the group. Members confirm their own. What is not right is taken back with `enrolment_entered_in_error`.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/confirmation", tag = "membership",
    request_body = ConfirmationBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "It is confirmed"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn confirm_enrolment(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::ConfirmEnrolment, ConfirmationBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: ConfirmationBody { since }, .. } = command;
    caller.require_member(member, false)?;
    membership.transact(&caller, group, cause, Ask::Confirm { member, since }, Reply::DONE).await
}
