//! List groups near a place.

use axum::extract::State;
use domain::{
    GroupId,
    group::{Coordinates, MeetingMode},
};
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Anybody, Page, PageQuery, Path, Problem, PublicProblems, Query};

use crate::{
    Chosen, Listing, Shown,
    asked::Words,
    index::Index,
    op,
    public_group::PublicGroup,
    sphere::{Apart, Place},
};

/// How far groups are looked for if it is not said, in km.
const WITHIN_KM: f64 = 50.0;
/// Furthest that they can be, in km: nothing on earth is further away.
const WITHIN_KM_MAX: f64 = 20_040.0;

/// Where, and which groups. Where several words are possible, commas stand between them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Degrees north, -90 to 90.
    #[param(minimum = -90, maximum = 90, example = 40.71)]
    latitude: f64,
    /// Degrees east, -180 to 180.
    #[param(minimum = -180, maximum = 180, example = -74.01)]
    longitude: f64,
    /// How far, in km, more than 0; 50 if not given.
    #[param(exclusive_minimum = 0, maximum = 20_040)]
    within_km: Option<f64>,
    /// How they meet, any of: `in_person`, `hybrid`.
    mode: Option<String>,
    /// What they are about, any of: `addiction`, `mental_health`, `chronic_illness`, `other`.
    focus: Option<String>,
    /// Language of the meetings (BCP 47); `es` finds `es-MX`, too.
    language: Option<String>,
    /// What taking part costs, any of: `free`, `contribution`, `fee`.
    cost: Option<String>,
    /// What they offer, all of: `wheelchair_access`, `accessible_toilet`, `sign_language`, `hearing_loop`, `captions`,
    /// `child_care`, `child_friendly`, `fragrance_free`.
    accessibility: Option<String>,
    /// On which days they can meet, any of: `monday` to `sunday`.
    weekday: Option<String>,
    /// Most groups, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    after: Option<String>,
}

/// List groups near a place
///
/// For anybody, without a token. Groups to which somebody can go, nearest first, with the next meeting of each. Groups that
/// meet online only have no place: `GET /v1/public/{org}/groups?mode=virtual` lists them. What was asked for is written
/// down nowhere.
#[utoipa::path(get, path = "/v1/public/{org}/groups/near", tag = "public",
    params(("org" = String, Path, description = "The organisation"), Asked),
    responses((status = 200, description = "A page", body = Page<PublicGroup>), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_groups_near(
    State(listing): State<Listing>,
    _: Anybody<op::ListGroupsNear>,
    Path(org): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Shown<Page<PublicGroup>>, Problem> {
    let (place, within) = (asked.place()?, asked.within()?);
    let Asked { mode, focus, language, cost, accessibility, weekday, limit, after, .. } = asked;
    let wanted = Words { mode, focus, language, cost, accessibility, weekday }.wanted()?;
    if wanted.modes == [MeetingMode::Virtual] {
        return Err(Problem::malformed(
            "mode: groups that meet online only are near nowhere; list them without a place",
        ));
    }
    let page = PageQuery { limit, after };
    let limit = page.limit()?;
    let after = page.after::<(u64, GroupId)>()?.map(|(bits, id)| Some((Apart::from_bits(bits)?, id)));
    let after = after.map(|after| after.ok_or_else(|| Problem::malformed("after is not the `next` of a page")));
    let after = after.transpose()?;
    let choose = move |index: &Index| {
        let near = index.near((place, within), &wanted, after, limit + 1).into_iter();
        let chosen = near.map(|key| Chosen { id: key.1, apart: Some(key.0), key: (key.0.to_bits(), key.1) });
        Page::new(chosen.collect(), limit, |chosen| chosen.key)
    };
    listing.page(&org, choose).await.map(Shown)
}

impl Asked {
    fn place(&self) -> Result<Place, Problem> {
        let place = Coordinates::new(self.latitude, self.longitude);
        let wrong = "latitude must be -90 to 90 and longitude -180 to 180, both in degrees";
        place.map(Place::from).ok_or_else(|| Problem::malformed(wrong))
    }

    fn within(&self) -> Result<Apart, Problem> {
        let km = self.within_km.unwrap_or(WITHIN_KM);
        if km > 0.0 && km <= WITHIN_KM_MAX {
            return Ok(Apart::of_km(km));
        }
        Err(Problem::malformed(format!("within_km must be more than 0 and at most {WITHIN_KM_MAX}")))
    }
}
