//! List a group's meetings.

use axum::extract::State;
use domain::{GroupId, MeetingId};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Page, PageQuery, Path, Problem, Problems, Query, Read};

use crate::{
    Projections, group_view,
    meetings::{self, MeetingRow},
    op, record_view, register_view,
};

/// Which meetings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Earliest day on which they start, where the group meets; all if not given.
    from: Option<Date>,
    /// Last day on which they start, where the group meets; all if not given.
    through: Option<Date>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List a group's meetings
///
/// By start, with the marks and heads of each.
#[utoipa::path(get, path = "/v1/groups/{group}/meetings", tag = "views",
    params(("group" = GroupId, Path, description = "The group"), Asked),
    responses((status = 200, description = "A page", body = Page<MeetingRow>), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn list_group_meetings(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListGroupMeetings>,
    after: After,
    Path(group): Path<GroupId>,
    Query(asked): Query<Asked>,
) -> Result<Read<Page<MeetingRow>>, Problem> {
    caller.require_group(group)?;
    let days = (asked.from.unwrap_or(Date::MIN), asked.through.unwrap_or(Date::MAX));
    let page = PageQuery { limit: asked.limit, after: asked.after };
    let (limit, cursor) = (page.limit()?, page.after::<(i64, MeetingId)>()?);
    let read = move |connection: &_| meetings::of_group(connection, (caller.org.as_str(), group), days, cursor, limit);
    let Read(position, rows) = projections
        .find(&[&group_view::GROUPS, &record_view::RECORDS, &register_view::REGISTERS], after, "group", read)
        .await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.starts_at.as_second(), row.id))))
}
