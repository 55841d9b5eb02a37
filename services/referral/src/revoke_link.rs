//! Revoke a link.

use axum::extract::State;
use domain::{
    AttemptId, LinkId, MemberId,
    referral::{self, LinkRevoked},
};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Referrals, by, op};

/// Revoke a link
///
/// From the answer on it opens nothing.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/links/{link}/revocation", tag = "referrals",
    request_body = web::Nothing,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which"),
        ("link" = LinkId, Path, description = "Which link")),
    responses((status = 204, description = "It is revoked"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn revoke_link(
    State(referrals): State<Referrals>,
    Path((member, attempt, link)): Path<(MemberId, AttemptId, LinkId)>,
    command: Command<op::RevokeLink>,
) -> Result<Answer, Problem> {
    let is_of = |known: &referral::Link| known.issued.attempt == attempt;
    let has = |state: &referral::State| state.links.get(&link).is_some_and(is_of);
    let record = referrals.record_with(&command.caller, member, true, (has, referral::Refusal::NoLink)).await?;
    let revoked = LinkRevoked { link, by: by(&command.caller), at: command.cause.at };
    referrals.decide(&record, command.cause, referral::Command::RevokeLink(revoked), Reply::DONE).await
}
