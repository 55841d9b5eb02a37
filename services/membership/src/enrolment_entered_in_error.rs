//! Take back an enrolment that was entered in error.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    roster::{Ask, ErrorReason},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Which, and what is wrong with it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnteredInErrorBody {
    /// First day of the enrolment, or the day of an application that has no answer yet.
    since: Date,
    reason: ErrorReason,
}

/// Take back an enrolment that was entered in error
///
/// For an enrolment or application that should never have been recorded: it is as if it had not been. If that frees a
/// place, whoever is first in line gets it. Marks at meetings stay; they are corrected at their meeting. If only a day is
/// wrong, correct that: then the place stays theirs.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/entered-in-error", tag = "membership",
    request_body = EnteredInErrorBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "It never was"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn enrolment_entered_in_error(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::EnrolmentEnteredInError, EnteredInErrorBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: EnteredInErrorBody { since, reason }, .. } = command;
    membership.transact(&caller, group, cause, Ask::TakeBack { member, since, reason }, Reply::DONE).await
}
