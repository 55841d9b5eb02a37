//! List meetings across groups.

use axum::extract::State;
use domain::{GroupId, MeetingId, meeting::Status};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections,
    meetings::{self, MeetingRow, Wanted},
    op, record_view, register_view,
};

/// Which meetings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Earliest day on which they start, where each group meets; all if not given.
    from: Option<Date>,
    /// Last day on which they start, where each group meets; all if not given.
    through: Option<Date>,
    /// Only those that are this: planned, open, held, cancelled or `did_not_occur`; all if not given.
    status: Option<Status>,
    /// Of this group only; of all, or of all that the caller leads, if not given.
    group: Option<GroupId>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    after: Option<String>,
}

/// List meetings
///
/// Of all groups, by start, with the marks and heads of each. Facilitators get those of their own groups.
#[utoipa::path(get, path = "/v1/meetings", tag = "views", params(Asked),
    responses((status = 200, description = "A page", body = Page<MeetingRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_meetings(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListMeetings>,
    after: After,
    Query(asked): Query<Asked>,
) -> Result<Read<Page<MeetingRow>>, Problem> {
    let Asked { from, through, status, group, limit, after: cursor } = asked;
    let groups = match group {
        Some(group) => Some(vec![caller.require_group(group)?.id()]),
        None => caller.own_groups().map(<[GroupId]>::to_vec),
    };
    let wanted = Wanted { days: (from.unwrap_or(Date::MIN), through.unwrap_or(Date::MAX)), status, groups };
    let page = PageQuery { limit, after: cursor };
    let (limit, cursor) = (page.limit()?, page.after::<(i64, MeetingId)>()?);
    let read = move |connection: &_| meetings::list(connection, caller.org.as_str(), &wanted, cursor, limit);
    let Read(position, rows) =
        projections.read(&[&record_view::RECORDS, &register_view::REGISTERS], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.starts_at.as_second(), row.id))))
}
