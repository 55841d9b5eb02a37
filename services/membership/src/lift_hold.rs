//! Lift a legal hold.

use axum::extract::State;
use domain::{
    HoldId, MemberId,
    people::{self, HoldLifted},
};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Membership, op};

/// Lift a legal hold
///
/// It no longer keeps the record from being erased.
#[utoipa::path(post, path = "/v1/members/{member}/holds/{hold}/lifting", tag = "membership", request_body = Nothing,
    params(("member" = MemberId, Path, description = "Who"), ("hold" = HoldId, Path, description = "Which")),
    responses((status = 204, description = "The hold is lifted"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn lift_hold(
    State(membership): State<Membership>,
    Path((member, hold)): Path<(MemberId, HoldId)>,
    command: Command<op::LiftHold>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let permitted = caller.require_member(member, false)?;
    let lift = people::Command::LiftHold(HoldLifted { member, hold });
    membership.decide_people(&caller, &[&permitted], cause, lift, Reply::DONE).await
}
