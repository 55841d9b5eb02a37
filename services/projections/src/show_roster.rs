//! Show a group's roster.

use axum::extract::State;
use domain::{GroupId, MemberId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Page, PageQuery, Path, Problem, Problems, Query, Read, op};

use crate::{Projections, member_view, record_view};

/// Which part of the roster.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The day; today (UTC) if not given.
    #[param(value_type = Option<String>, format = Date)]
    on: Option<Date>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A member on a roster.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RosterLine {
    member: MemberId,
    /// What they are called, of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
}

/// Show a group's roster
///
/// Who is enrolled on a day; today (UTC) if none is given.
#[utoipa::path(get, path = "/v1/groups/{group}/roster", tag = "views",
    params(("group" = GroupId, Path, description = "The group"), Asked),
    responses((status = 200, description = "A page", body = Page<RosterLine>), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn show_roster(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowRoster>,
    after: After,
    Path(group): Path<GroupId>,
    Query(asked): Query<Asked>,
) -> Result<Read<Page<RosterLine>>, Problem> {
    caller.may_group(group)?;
    let today = || projections.gate.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = asked.on.unwrap_or_else(today);
    let page = PageQuery { limit: asked.limit, after: asked.after };
    let (limit, cursor) = (page.limit()?, page.after()?);
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let members = member_view::roster(connection, (org.as_str(), group, day), cursor, limit)?;
        let Some(members) = members else { return Ok(None) };
        let shown = members.iter().take(limit).copied();
        record_view::fields(connection, org.as_str(), shown).map(|fields| Some((members, fields)))
    };
    let Read(position, (members, fields)) = projections.find(after, "group", read).await?;
    let mut called = projections.called(&caller, "show_roster", fields).await?;
    let lines = members.into_iter().map(|member| RosterLine { member, called: called.remove(&member) }).collect();
    Ok(Read(position, Page::new(lines, limit, |line| line.member)))
}
