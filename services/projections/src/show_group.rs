//! Show a group.

use axum::extract::State;
use domain::{
    GroupId, LocalDay, MeetingId, Schedule,
    group::{Details, MOVED_DAYS_MAX},
    meeting::Status,
};
use host::row;
use jiff::{Span, Timestamp, Zoned, civil::DateTime};
use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Path, Problem, Problems, Read, Role};

use crate::{
    OF_MEMBERS, Projections,
    group_view::{self, ChangedOccurrence},
    meetings::{self, MeetingRow, StructureCounts},
    op,
    rosters::{self, PlaceCounts},
    show_joining::JoiningView,
};

/// Meetings ahead that a group's view shows, a count.
const NEXT_MEETINGS: u32 = 5;
/// Held meetings that a group's view shows, a count.
const LAST_MEETINGS: u32 = 12;

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct GroupView {
    pub id: GroupId,
    pub details: Details,
    pub schedule: Option<Schedule>,
    /// How to take part from elsewhere, if somebody can: what everybody may know, and all of it for those who run the
    /// group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<JoiningView>,
    /// Occurrences of the last month and ahead at which something is otherwise than the calendar says, at most 431.
    pub occurrences: Vec<ChangedOccurrence>,
    /// Members enrolled today, where the group meets; unit: person.
    pub roster_size: u32,
    pub places: PlaceCounts,
    /// The next 5 meetings.
    pub next_meetings: Vec<NextMeeting>,
    /// The last 12 held meetings, latest first.
    pub last_meetings: Vec<MeetingRow>,
    /// How much was kept of how these went.
    pub structure_kept: StructureCounts,
    pub meetings: MeetingCounts,
}

/// A meeting ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NextMeeting {
    pub id: MeetingId,
    pub starts_at: Timestamp,
    /// In the group's time zone.
    #[schema(value_type = String)]
    pub starts_at_local: DateTime,
    pub status: Status,
}

/// How many meetings there were; unit: meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MeetingCounts {
    pub held: u32,
    pub cancelled: u32,
    pub did_not_occur: u32,
    /// Over, but nobody said what became of them. Not the same as not held.
    pub not_reported: u32,
}

/// Show a group
///
/// What it is, its next meetings, the size of its roster, attendance at its last meetings and how much was kept of how
/// they went, and how many meetings were held, cancelled, did not occur, or were never reported.
#[utoipa::path(get, path = "/v1/groups/{group}", tag = "views",
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "The group", body = GroupView), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn show_group(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowGroup>,
    after: After,
    Path(group): Path<GroupId>,
) -> Result<Read<GroupView>, Problem> {
    caller.require_group(group)?;
    let now = projections.now();
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let Some(page) = page(connection, org.as_str(), group, &now)? else { return Ok(None) };
        Ok(Some((page, group_view::online(connection, org.as_str(), group)?.flatten())))
    };
    let Read(position, (mut view, online)) = projections.find(OF_MEMBERS, after, "group", read).await?;
    let online = online.filter(|online| online.public().is_some() || caller.role != Role::Auditor);
    view.online = projections.joining(&caller, group, online).await?;
    Ok(Read(position, view))
}

/// A group as it is now.
fn page(connection: &Connection, org: &str, id: GroupId, now: &Zoned) -> rusqlite::Result<Option<GroupView>> {
    let found = group_view::find(connection, org, id)?;
    let Some((details, schedule)) = found else { return Ok(None) };
    let today = LocalDay::of(&group_view::there(connection, org, id, now)?);
    let now = now.timestamp();
    let last_month = today.date().saturating_sub(Span::new().days(MOVED_DAYS_MAX));
    Ok(Some(GroupView {
        id,
        details,
        schedule,
        online: None,
        occurrences: group_view::changed_occurrences(connection, org, id, last_month)?,
        roster_size: rosters::roster_size(connection, (org, id), &today)?,
        places: rosters::places(connection, org, id)?,
        next_meetings: next_meetings(connection, org, id, now)?,
        last_meetings: meetings::last_held(connection, org, id, LAST_MEETINGS)?,
        structure_kept: StructureCounts::of(&meetings::last_structures(connection, org, id, LAST_MEETINGS)?),
        meetings: meeting_counts(connection, org, id, now)?,
    }))
}

fn next_meetings(
    connection: &Connection,
    org: &str,
    id: GroupId,
    now: Timestamp,
) -> rusqlite::Result<Vec<NextMeeting>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, starts_at, starts_at_local, status FROM meetings
         WHERE org = ?1 AND grp = ?2 AND starts_at > ?3 AND status IN ('planned', 'open')
         ORDER BY starts_at LIMIT ?4",
    )?;
    let rows = statement.query_map(params![org, id.0.as_bytes(), now.as_second(), NEXT_MEETINGS], |row| {
        Ok(NextMeeting {
            id: MeetingId(row::uuid(row, 0)?),
            starts_at: row::time(row, 1)?,
            starts_at_local: row::text(row, 2)?,
            status: row::word(row, 3)?,
        })
    })?;
    rows.collect()
}

fn meeting_counts(connection: &Connection, org: &str, id: GroupId, now: Timestamp) -> rusqlite::Result<MeetingCounts> {
    connection
        .prepare_cached(concat!(
            "SELECT count(*) FILTER (WHERE status = 'held'), count(*) FILTER (WHERE status = 'cancelled'),
                    count(*) FILTER (WHERE status = 'did_not_occur'),
                    count(*) FILTER (WHERE ",
            meetings::overdue!("?3"),
            ") FROM meetings WHERE org = ?1 AND grp = ?2",
        ))?
        .query_row(params![org, id.0.as_bytes(), now.as_second()], |row| {
            Ok(MeetingCounts {
                held: row.get(0)?,
                cancelled: row.get(1)?,
                did_not_occur: row.get(2)?,
                not_reported: row.get(3)?,
            })
        })
}
