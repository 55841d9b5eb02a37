//! Merge a record into another.

use axum::extract::State;
use domain::{MemberId, people};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Under whom the person goes on.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    into: MemberId,
}

/// Merge a member
///
/// The same person was registered twice: this record becomes part of the other. From then on they have one place, one turn
/// on the waiting list and one mark at a meeting, and a place that becomes free by it goes to whoever has waited longest.
/// Nothing is lost; it can be undone. What forbids the use of this record forbids that of the other from then on, also if
/// it is undone; `preview_merge` says what else would change.
#[utoipa::path(post, path = "/v1/members/{member}/merge", tag = "membership", request_body = Merge,
    params(("member" = MemberId, Path, description = "The second record")),
    responses((status = 204, description = "The records are one"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn merge_member(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    command: Command<op::MergeMember, Merge>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Merge { into }, .. } = command;
    let (from, other) = (caller.require_member(member, false)?, caller.require_member(into, false)?);
    let (merge, withdraws) = (people::Command::Merge { from: member, into }, cause.part());
    let Answer(done) = membership.decide_people(&caller, &[&from, &other], cause, merge, Reply::DONE).await?;
    // Who objected under one record objects under all: what was sent for the others ends as well.
    if membership.known.standing(&caller.org, into).await?.objected {
        membership.withdraw_disclosures(&caller, &other, &withdraws, None).await?;
    }
    Ok(Answer(membership.settled(done).await))
}
