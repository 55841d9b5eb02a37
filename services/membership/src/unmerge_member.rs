//! Undo a merge.

use axum::extract::State;
use domain::{MemberId, people};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Membership, op};

/// Undo a merge
///
/// The records were of two people after all: each has again what was its own, also its place, though the group may have no
/// room by now. What was recorded meanwhile stays with the record under which it was written.
#[utoipa::path(post, path = "/v1/members/{member}/unmerge", tag = "membership", request_body = Nothing,
    params(("member" = MemberId, Path, description = "The record that was merged into another")),
    responses((status = 204, description = "The records are two"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn unmerge_member(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    command: Command<op::UnmergeMember>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let permitted = caller.require_member(member, false)?;
    let unmerge = people::Command::Unmerge(member);
    let Answer(done) = membership.decide_people(&caller, &[&permitted], cause, unmerge, Reply::DONE).await?;
    Ok(Answer(membership.settled(done).await))
}
