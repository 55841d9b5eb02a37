//! Withdraw a consent.

use axum::extract::State;
use domain::{
    ConsentId, MemberId,
    member::{self, Means, Withdrawn},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// When and how.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentWithdrawal {
    withdrawn_on: Date,
    means: Means,
}

/// Withdraw a consent
///
/// As easy as giving it. What was done before stays lawful.
#[utoipa::path(post, path = "/v1/members/{member}/consents/{consent}/withdrawal", tag = "membership",
    request_body = ConsentWithdrawal,
    params(("member" = MemberId, Path, description = "Who"), ("consent" = ConsentId, Path, description = "Which")),
    responses((status = 204, description = "The consent is withdrawn"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn withdraw_consent(
    State(membership): State<Membership>,
    Path((member, consent)): Path<(MemberId, ConsentId)>,
    command: Command<op::WithdrawConsent, ConsentWithdrawal>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: ConsentWithdrawal { withdrawn_on, means }, .. } = command;
    let (permitted, _) = membership.known.require_visible(&caller, member).await?;
    // First: from then on nothing is told because of it, whatever stops what follows.
    membership.withdraw_disclosures(&caller, &permitted, &cause, Some((consent, means))).await?;
    let command = member::Command::WithdrawConsent(Withdrawn { consent, withdrawn_on, means });
    membership.decide(&permitted, cause, command, Reply::DONE).await
}
