//! Withdraw a consent to disclose.

use axum::extract::State;
use domain::{ConsentId, MemberId, member::Means, referral};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Referrals, by, op};

/// How it was said.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdrawal {
    pub means: Means,
}

/// Withdraw a consent to disclose
///
/// From the answer on no partner reads anything that rests on it, and each referral that does has ended.
#[utoipa::path(post, path = "/v1/members/{member}/disclosures/{consent}/withdrawal", tag = "referrals",
    request_body = Withdrawal,
    params(("member" = MemberId, Path, description = "Whose"), ("consent" = ConsentId, Path, description = "Which; also \
        that of the member's consent that it took over")),
    responses((status = 204, description = "It is withdrawn"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn withdraw_disclosure(
    State(referrals): State<Referrals>,
    Path((member, consent)): Path<(MemberId, ConsentId)>,
    command: Command<op::WithdrawDisclosure, Withdrawal>,
) -> Result<Answer, Problem> {
    let is_meant = |allowed: &referral::Allowed| allowed.consent == consent || allowed.takes_over == Some(consent);
    let has = |state: &referral::State| state.consents.values().any(is_meant);
    let unknown = referral::Refusal::UnknownConsent;
    let record = referrals.record_with(&command.caller, member, true, (has, unknown)).await?;
    let (means, at) = (command.body.means, command.cause.at);
    let withdraw = referral::Command::Withdraw { consent: Some(consent), means, by: by(&command.caller), at };
    referrals.decide(&record, command.cause, withdraw, Reply::DONE).await
}
