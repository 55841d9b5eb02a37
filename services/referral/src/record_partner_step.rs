//! Record a partner's step of a referral.

use axum::extract::State;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Referrals, by, op, record_referral_step::NewStep};

/// Record a partner's step
///
/// Take a referral on, or not, and why; offer a date; note that they met; report the outcome.
#[utoipa::path(post, path = "/v1/partner/referrals/{reference}/steps", tag = "referrals", request_body = NewStep,
    params(("reference" = String, Path, description = "Which: its `reference` in the list")),
    responses((status = 204, description = "It is recorded"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn record_partner_step(
    State(referrals): State<Referrals>,
    Path(reference): Path<String>,
    mut command: Command<op::RecordPartnerStep, NewStep>,
) -> Result<Answer, Problem> {
    let (record, attempt) = referrals.sent_to(&command.caller, &reference).await?;
    let key = referrals.members.key(record.org(), record.id()).await?;
    let by = by(&command.caller);
    let ask = NewStep::ask(&mut command, &key, attempt, by);
    referrals.step_of_partner(&command.caller, &record, command.cause, ask).await
}
