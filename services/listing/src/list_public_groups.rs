//! List groups that are listed.

use axum::extract::State;
use domain::GroupId;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Anybody, Page, PageQuery, Path, Problem, PublicProblems, Query};

use crate::{Chosen, Listing, Shown, asked::Words, index::Index, op, public_group::PublicGroup};

/// Which groups. Where several words are possible, commas stand between them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// How they meet, any of: `in_person`, `virtual`, `hybrid`.
    #[param(example = "virtual,hybrid")]
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

/// List groups that are listed
///
/// For anybody, without a token. By name, with the next meeting of each. Of an organisation that lists no group, and of one
/// that does not exist, the answer is the same 404.
#[utoipa::path(get, path = "/v1/public/{org}/groups", tag = "public",
    params(("org" = String, Path, description = "The organisation"), Asked),
    responses((status = 200, description = "A page", body = Page<PublicGroup>), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_public_groups(
    State(listing): State<Listing>,
    _: Anybody<op::ListPublicGroups>,
    Path(org): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Shown<Page<PublicGroup>>, Problem> {
    let Asked { mode, focus, language, cost, accessibility, weekday, limit, after } = asked;
    let wanted = Words { mode, focus, language, cost, accessibility, weekday }.wanted()?;
    let page = PageQuery { limit, after };
    let (limit, after) = (page.limit()?, page.after::<(String, GroupId)>()?);
    let choose = move |index: &Index| {
        let chosen = index.by_name(&wanted, after.as_ref(), limit + 1).into_iter();
        Page::new(chosen.map(|key| Chosen { id: key.1, apart: None, key }).collect(), limit, |chosen| {
            chosen.key.clone()
        })
    };
    listing.page(&org, choose).await.map(Shown)
}
