//! Report referrals.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Problem, Problems, Query, Read};

use crate::{
    funnel::{Funnel, FunnelRow},
    month::{Month, Period},
    op,
    report::CLASSIFICATION,
    reports::Reports,
};

/// What to report.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReferralsQuery {
    /// First month in which they were sent, e.g. `2026-01`.
    from: Month,
    /// Last month, included; at most 240 months.
    through: Month,
    /// A row for each of these; without it, the total.
    #[param(inline)]
    by: Option<ByPartner>,
}

/// By what rows differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ByPartner {
    /// Partner.
    Partner,
}

/// How far referrals came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReferralsReport {
    /// Always "internal, not for publication".
    pub classification: String,
    /// First month.
    pub from: Month,
    /// Last month, included.
    pub through: Month,
    /// A row for each partner, or one.
    pub rows: Vec<FunnelRow>,
}

/// Report referrals
///
/// How far those came that were sent in a period, how long it took, and what members say beside what partners say.
/// Internal, not for publication: disclosure control has not seen it.
#[utoipa::path(get, path = "/v1/reports/referrals", tag = "reports", params(ReferralsQuery),
    responses((status = 200, description = "The report", body = ReferralsReport), Problems))]
#[tracing::instrument(skip_all, fields(org = %caller.org))]
pub(crate) async fn report_referrals(
    State(reports): State<Reports>,
    CallerMay { caller, .. }: CallerMay<op::ReportReferrals>,
    Query(query): Query<ReferralsQuery>,
    after: After,
) -> Result<Read<ReferralsReport>, Problem> {
    let ReferralsQuery { from, through, by } = query;
    let period = Period::new(from, through).map_err(|error| Problem::malformed(error.to_string()))?;
    after.seen_by(&reports.applied).await?;
    let clock = reports.clock();
    let funnel = reports.compute(move |facts| facts.funnel(&caller.org, period, |at| clock.local(at), by.is_some()));
    let Funnel { position, rows } = funnel.await?;
    Ok(Read(position, ReferralsReport { classification: CLASSIFICATION.to_owned(), from, through, rows }))
}
