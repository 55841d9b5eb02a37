//! Set the clocks of referrals to one partner.

use axum::extract::State;
use domain::{
    PartnerId,
    route::{self, Clocks, ClocksSet},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Partners, op};

/// Set a partner's clocks
///
/// How long each step may take of referrals to this partner, whatever the organisation's clocks say; 0 turns a clock off. A
/// referral keeps the clocks with which it was sent.
#[utoipa::path(put, path = "/v1/partners/{partner}/referral-clocks", tag = "partners", request_body = Clocks,
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 204, description = "The clocks are set"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn set_partner_clocks(
    State(partners): State<Partners>,
    Path(partner): Path<PartnerId>,
    command: Command<op::SetPartnerClocks, Clocks>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: clocks, .. } = command;
    partners.require_partner(&caller, partner).await?;
    partners.set_clocks(&caller, cause, route::Command::Set(ClocksSet { partner: Some(partner), clocks })).await
}
