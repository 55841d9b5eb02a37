//! Show a partner.

use axum::extract::State;
use domain::{
    PartnerId,
    partner::{self, Details},
    route::Clocks,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Path, Problem, Problems, Read};

use crate::{
    Partners, op,
    partner_view::{self, PARTNERS, ServiceView},
};

/// A partner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartnerView {
    id: PartnerId,
    details: Details,
    /// Whether it was closed: nobody is referred to it.
    closed: bool,
    /// Its services by name, also those that are not active.
    services: Vec<ServiceView>,
    /// The clocks in force for referrals to it from now on.
    clocks: Clocks,
    /// Whether these are its own, and not the organisation's.
    has_own_clocks: bool,
}

/// Show a partner
///
/// What it is, its services with what it said of their capacity and of which day that was, and the clocks in force.
#[utoipa::path(get, path = "/v1/partners/{partner}", tag = "partners",
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 200, description = "The partner", body = PartnerView), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn show_partner(
    State(partners): State<Partners>,
    CallerMay { caller, .. }: CallerMay<op::ShowPartner>,
    after: After,
    Path(partner): Path<PartnerId>,
) -> Result<Read<PartnerView>, Problem> {
    let org = caller.org.clone();
    let read = move |connection: &_| partner_view::find(connection, org.as_str(), partner);
    let Read(position, found) = partners.views.read(&[&PARTNERS], after, read).await?;
    let (details, closed, services) = found.ok_or_else(|| Problem::refused(&partner::Refusal::Unknown))?;
    let look = partners.look_at_clocks(&caller, |clocks| (clocks.clocks(partner), clocks.own(partner).is_some()));
    let (clocks, has_own_clocks) = look.await?;
    Ok(Read(position, PartnerView { id: partner, details, closed, services, clocks, has_own_clocks }))
}
