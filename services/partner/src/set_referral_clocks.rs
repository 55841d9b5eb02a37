//! Set the clocks of referrals.

use axum::extract::State;
use domain::route::{self, Clocks, ClocksSet};
use web::{Answer, Command, Problem, Problems};

use crate::{Partners, op};

/// Set the clocks of referrals
///
/// How long each step may take of referrals to partners that have no clocks of their own; 0 turns a clock off. A referral
/// keeps the clocks with which it was sent.
#[utoipa::path(put, path = "/v1/referral-clocks", tag = "partners", request_body = Clocks,
    responses((status = 204, description = "The clocks are set"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn set_referral_clocks(
    State(partners): State<Partners>,
    command: Command<op::SetReferralClocks, Clocks>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: clocks, .. } = command;
    partners.set_clocks(&caller, cause, route::Command::Set(ClocksSet { partner: None, clocks })).await
}
