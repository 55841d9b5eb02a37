//! Show the clocks of referrals.

use axum::extract::State;
use domain::route::{self, Clocks};
use web::{After, CallerMay, Problem, Problems, Read};

use crate::{Partners, op};

/// Show the clocks of referrals
///
/// Those to partners that have none of their own. What is in force for a partner, the partner shows.
#[utoipa::path(get, path = "/v1/referral-clocks", tag = "partners",
    responses((status = 200, description = "The clocks", body = Clocks), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_referral_clocks(
    State(partners): State<Partners>,
    CallerMay { caller, .. }: CallerMay<op::ShowReferralClocks>,
    after: After,
) -> Result<Read<Clocks>, Problem> {
    partners.read_clocks(&caller, after, route::State::of_all).await
}
