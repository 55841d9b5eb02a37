//! Review a disclosure without consent.

use axum::extract::State;
use domain::{
    AttemptId, MemberId,
    referral::{self, OverrideReviewed},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Referrals, by, op};

/// What somebody else found.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverrideReview {
    /// Whether it was right.
    justified: bool,
}

/// Review a disclosure without consent
///
/// By somebody else than who decided it. If it was not right, the partner's access ends with the answer.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/override/review", tag = "referrals",
    request_body = OverrideReview,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 204, description = "It is reviewed"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn review_override(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    command: Command<op::ReviewOverride, OverrideReview>,
) -> Result<Answer, Problem> {
    let record = referrals.record_of(&command.caller, member, attempt).await?;
    let (justified, by, at) = (command.body.justified, by(&command.caller), command.cause.at);
    let review = referral::Command::Review(OverrideReviewed { attempt, justified, by, at });
    referrals.decide(&record, command.cause, review, Reply::DONE).await
}
