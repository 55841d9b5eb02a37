//! Remove a partner's own clocks.

use axum::extract::State;
use domain::{PartnerId, route};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Partners, op};

/// Remove a partner's clocks
///
/// The organisation's clocks are in force for referrals to it from now on.
#[utoipa::path(delete, path = "/v1/partners/{partner}/referral-clocks", tag = "partners",
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 204, description = "The partner has no clocks of its own"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn remove_partner_clocks(
    State(partners): State<Partners>,
    Path(partner): Path<PartnerId>,
    command: Command<op::RemovePartnerClocks>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    partners.require_partner(&caller, partner).await?;
    partners.set_clocks(&caller, cause, route::Command::Remove(partner)).await
}
