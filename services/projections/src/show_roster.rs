//! Show a group's roster.

use axum::extract::State;
use domain::{GroupId, LocalDay, audit::List, roster::Stage};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Page, PageQuery, Path, Problem, Problems, Query, Read};

use crate::{
    OF_MEMBERS, Projections, group_view, op,
    opening::Look,
    rosters::{self, RosterLine},
    sight,
};

/// Which part of the roster.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The day; today, where the group meets, if not given.
    on: Option<Date>,
    /// Who is at this stage on that day, instead of who is on the roster. Who asks, waits or was declined is shown as
    /// it is now, in the order of the waiting list.
    #[param(inline)]
    stage: Option<Stage>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Show a group's roster
///
/// Who is on the roster on a day, that is enrolled or active; today, where the group meets, if none is given. Or who is
/// at another stage. Who was registered twice and merged is one person, under the record under which they go on.
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
    caller.require_group(group)?;
    let page = PageQuery { limit: asked.limit, after: asked.after }.opened(&caller)?;
    let (limit, cursor) = (page.limit()?, page.after()?);
    let (who, now) = (caller.clone(), projections.now());
    let read = move |connection: &_| {
        let now = group_view::there(connection, who.org.as_str(), group, &now)?;
        let day = asked.on.map_or_else(|| LocalDay::of(&now), |date| LocalDay::new(date, now.time_zone().clone()));
        let lines = rosters::list(connection, (who.org.as_str(), group, &day), asked.stage, cursor, limit)?;
        let Some(lines) = lines else { return Ok(None) };
        let shown = lines.iter().take(limit).map(|line| line.member);
        sight::of_list(connection, &who, group, shown).map(|fields| Some((lines, fields)))
    };
    let Read(position, (mut lines, fields)) = projections.find(OF_MEMBERS, after, "group", read).await?;
    let (list, members) = (List::Roster(group), lines.iter().take(limit).map(|line| line.member));
    let look = Look::at_list(&caller, "show_roster", (list, position), members);
    let called = projections.called(look, fields).await?;
    for line in &mut lines {
        line.called = called.names.get(&line.member).cloned();
        line.unreadable = called.unreadable.contains(&line.member);
    }
    Ok(Read(position, Page::new(lines, limit, |line| line.key).sealed(&caller)?))
}
