//! List services that members can be referred to.

use axum::extract::State;
use domain::{
    PartnerId, ServiceId, Text,
    partner::{Capacity, Item},
};
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Partners, op,
    partner_view::{self, PARTNERS, ServiceRow, Suited},
};

/// Which services.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichServices {
    /// Part of their names or of their partners' names, in any case; all if not given.
    #[param(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Text<200>>,
    /// A language (BCP 47) that is spoken there: `pt` finds `pt-BR` as well.
    #[param(value_type = Option<String>, min_length = 1, max_length = 35, example = "pt")]
    language: Option<Text<35>>,
    /// What was said last of their capacity, however long ago.
    #[param(inline)]
    capacity: Option<Capacity>,
    /// What they may be told of a member.
    #[param(inline)]
    may_receive: Option<Item>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List services
///
/// Those that somebody can be referred to now, by name: active ones of partners that are open. Each with what was said last
/// of its capacity, and of which day that was.
#[utoipa::path(get, path = "/v1/services", tag = "partners", params(WhichServices),
    responses((status = 200, description = "A page", body = Page<ServiceRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_services(
    State(partners): State<Partners>,
    CallerMay { caller, .. }: CallerMay<op::ListServices>,
    after: After,
    Query(which): Query<WhichServices>,
) -> Result<Read<Page<ServiceRow>>, Problem> {
    let WhichServices { name, language, capacity, may_receive, limit, after: next } = which;
    let page = PageQuery { limit, after: next };
    let (limit, cursor) = (page.limit()?, page.after::<(PartnerId, ServiceId)>()?);
    let [name, language] = [name.map(|name| name.to_string()), language.map(|language| language.to_string())];
    let suited = Suited { name, language, capacity, may_receive };
    let read = move |connection: &_| partner_view::services(connection, caller.org.as_str(), &suited, cursor, limit);
    let Read(position, rows) = partners.views.read(&[&PARTNERS], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.partner, row.service))))
}
