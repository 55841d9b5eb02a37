//! Merge a record into another.

use axum::extract::State;
use domain::{
    MemberId,
    member::{self, Permissions, Refusal},
};
use eventlog::{Cause, Reply};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Membership;

/// Under whom the person goes on.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    into: MemberId,
}

/// Merge a member
///
/// The same person was registered twice: this record becomes part of the other. Nothing is lost; it can be undone. What
/// forbids the use of this record forbids that of the other from then on, also if it is undone; `preview_merge` says
/// what else would change.
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
    if into == member {
        return Err(Problem::rejected(&Refusal::Itself));
    }
    let second = membership.record(&caller.org, member).await?;
    // First the other knows of this one, so that erasing the person never leaves it behind.
    let absorb = member::Command::Absorb { from: member, part: true };
    membership.members.transact(&caller.org, into, part_of(&cause), absorb, Reply::DONE).await?;
    for forbid in forbids(&second.permissions) {
        membership.members.transact(&caller.org, into, part_of(&cause), forbid, Reply::DONE).await?;
    }
    membership.decide(&caller, member, cause, member::Command::Merge(into), Reply::DONE).await
}

/// What a person forbade by one of their records, to be forbidden by another.
fn forbids(permissions: &Permissions) -> Vec<member::Command> {
    let objections = permissions.objections.iter().map(|purpose| member::Command::Object(*purpose, true));
    objections.chain(permissions.restricted.then_some(member::Command::Restrict(true))).collect()
}

/// The first half of a command: its receipt is the second's, until which the same command goes through here again.
pub(crate) fn part_of(cause: &Cause) -> Cause {
    Cause { key: None, ..cause.clone() }
}
