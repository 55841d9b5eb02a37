//! Cancel an enrolment before its first day.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    roster::{Ask, CancelReason},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Why.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancellationBody {
    reason: CancelReason,
}

/// Cancel an enrolment before its first day
///
/// For a member who gives up their application, their turn on the waiting list, or a place that they were to have.
/// Whoever is first in line gets the place. From the first day on, withdraw the member instead.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/cancellation", tag = "membership",
    request_body = CancellationBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The member neither asks, waits nor is to come"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn cancel_enrolment(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::CancelEnrolment, CancellationBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: CancellationBody { reason }, .. } = command;
    membership.transact(&caller, group, cause, Ask::Cancel { member, reason }, Reply::DONE).await
}
