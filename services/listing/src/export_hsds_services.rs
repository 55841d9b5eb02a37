//! Export the list as HSDS services.

use axum::extract::State;
use projections::REGISTERS;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, Anybody, Path, Problem, PublicProblems, Query, Read};

use crate::{
    Listing, Shown, hsds,
    listing_view::{self, LISTINGS},
    op,
    public_group::{self, nothing_listed},
};

/// Services of a page if it is not said, a count.
const PER_PAGE: u32 = 50;
/// Most services of a page, a count.
const PER_PAGE_MAX: u32 = 500;

/// Which page, as HSDS asks for it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Number of the page, 1 if not given.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Services of each page, 1 to 500; 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    per_page: Option<u32>,
}

/// A page as HSDS has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HsdsPage {
    /// Of all pages.
    total_items: u32,
    total_pages: u32,
    page_number: u32,
    /// Of this page.
    size: u32,
    first_page: bool,
    last_page: bool,
    empty: bool,
    /// Services of the Human Services Data Specification 3.0, with their organisation, schedule and locations.
    #[schema(value_type = Vec<Object>)]
    contents: Vec<serde_json::Value>,
}

/// Export the list as HSDS services
///
/// For anybody, without a token: a page of services as the Human Services Data Specification 3.0 has them, which directories of
/// help read. Each group is a service with its schedule and its locations, one to go to and one online. How to join online
/// is in it if anybody may know it.
#[utoipa::path(get, path = "/v1/public/{org}/hsds/services", tag = "public",
    params(("org" = String, Path, description = "The organisation"), Asked),
    responses((status = 200, description = "A page", body = HsdsPage), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn export_hsds_services(
    State(listing): State<Listing>,
    _: Anybody<op::ExportHsdsServices>,
    Path(org): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Shown<HsdsPage>, Problem> {
    let (page_number, per_page) = asked.page()?;
    let org = public_group::org(&org).ok_or_else(nothing_listed)?;
    let _turn = listing.exports.try_acquire().map_err(|_| Problem::overloaded())?;
    let read = move |connection: &_| {
        let total_items = listing_view::count(connection, org.as_str())?;
        let skipped = (page_number - 1).saturating_mul(per_page);
        let found = listing_view::all(connection, org.as_str(), skipped, per_page)?;
        let contents: Vec<_> = found.iter().map(|listed| hsds::service(&org, listed)).collect();
        let total_pages = total_items.div_ceil(per_page);
        Ok((total_items > 0).then_some(HsdsPage {
            total_items,
            total_pages,
            page_number,
            size: u32::try_from(contents.len()).unwrap_or(PER_PAGE_MAX),
            first_page: page_number == 1,
            last_page: page_number >= total_pages,
            empty: contents.is_empty(),
            contents,
        }))
    };
    let Read(_, page) = listing.views.read(&[&LISTINGS, &REGISTERS], After::anything(), read).await?;
    page.map(Shown).ok_or_else(nothing_listed)
}

impl Asked {
    fn page(&self) -> Result<(u32, u32), Problem> {
        match (self.page.unwrap_or(1), self.per_page.unwrap_or(PER_PAGE)) {
            (0, _) => Err(Problem::malformed("page is 0, pages are counted from 1")),
            (_, per_page) if !(1..=PER_PAGE_MAX).contains(&per_page) => {
                Err(Problem::malformed(format!("per_page must be 1 to {PER_PAGE_MAX}")))
            }
            asked => Ok(asked),
        }
    }
}
