//! List partners.

use axum::extract::State;
use domain::{PartnerId, Text};
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Partners, op,
    partner_view::{self, PARTNERS, PartnerRow, Wanted},
};

/// Which partners.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichPartners {
    /// Part of their names, in any case; all if not given.
    #[param(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Text<200>>,
    /// Only those that were closed, or only those that are open; all if not given.
    closed: Option<bool>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List partners
///
/// By name, closed ones included.
#[utoipa::path(get, path = "/v1/partners", tag = "partners", params(WhichPartners),
    responses((status = 200, description = "A page", body = Page<PartnerRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_partners(
    State(partners): State<Partners>,
    CallerMay { caller, .. }: CallerMay<op::ListPartners>,
    after: After,
    Query(WhichPartners { name, closed, limit, after: next }): Query<WhichPartners>,
) -> Result<Read<Page<PartnerRow>>, Problem> {
    let page = PageQuery { limit, after: next };
    let (limit, cursor) = (page.limit()?, page.after::<PartnerId>()?);
    let wanted = Wanted { name: name.map(|name| name.to_string()), closed };
    let read = move |connection: &_| partner_view::list(connection, caller.org.as_str(), &wanted, cursor, limit);
    let Read(position, rows) = partners.views.read(&[&PARTNERS], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| row.id)))
}
