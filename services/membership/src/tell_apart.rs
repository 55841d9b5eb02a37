//! Say that two records are of two people.

use axum::extract::State;
use domain::{MemberId, people};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// The record of somebody else.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apart {
    from: MemberId,
}

/// Tell members apart
///
/// Two records that look like one person's are of two: they are no possible duplicates any more. Whoever was wrong can
/// still merge them.
#[utoipa::path(post, path = "/v1/members/{member}/apart", tag = "membership", request_body = Apart,
    params(("member" = MemberId, Path, description = "One of the records")),
    responses((status = 204, description = "They are two people"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn tell_apart(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    command: Command<op::TellApart, Apart>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Apart { from }, .. } = command;
    if member == from {
        return Err(Problem::malformed("from is the record itself; it must be another one"));
    }
    let (one, other) = (caller.require_member(member, false)?, caller.require_member(from, false)?);
    let apart = people::Command::TellApart(member, from);
    membership.decide_people(&caller, &[&one, &other], cause, apart, Reply::DONE).await
}
