//! The view of groups: what they are, when they meet next, how well they are attended.

use domain::{
    GroupId, LocalDay, MeetingId, OrgId, ProgrammeId, Schedule,
    group::{Changed, Details, Event, MeetingMode, Registered, Scheduled, Unscheduled},
    meeting::Status,
};
use jiff::{Timestamp, Zoned, civil::DateTime};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    enrolment_view::{self, PlaceCounts},
    register_view::{self, MeetingRow},
    row,
    views::Folding,
};

/// Meetings ahead that a group's view shows, a count.
const NEXT_MEETINGS: u32 = 5;
/// Held meetings that a group's view shows, a count.
const LAST_MEETINGS: u32 = 12;

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct GroupRow {
    pub id: GroupId,
    pub name: String,
    pub programme: ProgrammeId,
    pub mode: MeetingMode,
    /// Whether it may be shown in public listings.
    pub listed: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct GroupView {
    pub id: GroupId,
    pub details: Details,
    pub schedule: Option<Schedule>,
    /// Members enrolled today, where the group meets; unit: person.
    pub roster_size: u32,
    pub places: PlaceCounts,
    /// The next 5 meetings.
    pub next_meetings: Vec<NextMeeting>,
    /// The last 12 held meetings, latest first.
    pub last_meetings: Vec<MeetingRow>,
    pub meetings: MeetingCounts,
}

/// A meeting ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NextMeeting {
    pub id: MeetingId,
    #[schema(value_type = String, format = DateTime)]
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

pub(crate) fn fold(folding: &mut Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => describe(folding, details),
        Event::Scheduled(Scheduled { schedule }) => set_schedule(folding, Some(schedule)),
        Event::Unscheduled(Unscheduled {}) => set_schedule(folding, None),
    }
}

fn describe(folding: &mut Folding<'_>, details: &Details) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let json = serde_json::to_string(details).expect("string keys only");
    folding
        .rows
        .prepare_cached(
            "INSERT INTO groups (org, id, name, programme, details) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET name = ?3, programme = ?4, details = ?5",
        )?
        .execute(params![folding.org(), id.as_bytes(), details.name.as_str(), details.programme.0.as_bytes(), json])?;
    Ok(())
}

fn set_schedule(folding: &mut Folding<'_>, schedule: Option<&Schedule>) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let json = schedule.map(|schedule| serde_json::to_string(schedule).expect("string keys only"));
    folding.rows.prepare_cached("UPDATE groups SET schedule = ?3 WHERE org = ?1 AND id = ?2")?.execute(params![
        folding.org(),
        id.as_bytes(),
        json
    ])?;
    Ok(())
}

/// Groups by name, after the one with this name and id; `own` are the only ones that the caller may see.
pub(crate) fn list(
    connection: &Connection,
    org: &str,
    own: Option<&[GroupId]>,
    after: Option<&(String, GroupId)>,
    rows: usize,
) -> rusqlite::Result<Vec<GroupRow>> {
    let (name, id) = after.map_or(("", &[][..]), |(name, id)| (name.as_str(), id.0.as_bytes()));
    let own = own.map(|own| own.iter().map(|id| id.0.simple().to_string().to_uppercase()).collect::<Vec<_>>());
    let own = own.map(|own| serde_json::to_string(&own).expect("strings"));
    let mut statement = connection.prepare_cached(
        "SELECT id, name, programme, details FROM groups
         WHERE org = ?1 AND (name, id) > (?2, ?3)
           AND (?5 IS NULL OR hex(id) IN (SELECT value FROM json_each(?5)))
         ORDER BY name, id LIMIT ?4",
    )?;
    let found = statement.query_map(params![org, name, id, row::limit(rows), own], |row| {
        let Details { mode, listed, .. } = row::json(row, 3)?;
        let programme = ProgrammeId(row::uuid(row, 2)?);
        Ok(GroupRow { id: GroupId(row::uuid(row, 0)?), name: row.get(1)?, programme, mode, listed })
    })?;
    found.collect()
}

/// Whether there is such a group.
pub(crate) fn is_known(connection: &Connection, org: &str, group: GroupId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM groups WHERE org = ?1 AND id = ?2")?
        .exists(params![org, group.0.as_bytes()])
}

/// The time where a group meets; as it is given if it has no calendar, which says where.
pub(crate) fn there(connection: &Connection, org: &str, group: GroupId, now: &Zoned) -> rusqlite::Result<Zoned> {
    let zone: Option<Option<String>> = connection
        .prepare_cached("SELECT schedule ->> '$.time_zone' FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, group.0.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(domain::there(now, zone.flatten().as_deref()))
}

/// A group as it is now.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    id: GroupId,
    now: &Zoned,
) -> rusqlite::Result<Option<GroupView>> {
    let found = connection
        .prepare_cached("SELECT details, schedule FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| Ok((row::json(row, 0)?, row::maybe_json(row, 1)?)))
        .optional()?;
    let Some((details, schedule)) = found else { return Ok(None) };
    let today = LocalDay::of(&there(connection, org, id, now)?);
    let now = now.timestamp();
    Ok(Some(GroupView {
        id,
        details,
        schedule,
        roster_size: enrolment_view::roster_size(connection, (org, id), &today)?,
        places: enrolment_view::places(connection, org, id)?,
        next_meetings: next_meetings(connection, org, id, now)?,
        last_meetings: register_view::last_held(connection, org, id, LAST_MEETINGS)?,
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
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE status = 'held'), count(*) FILTER (WHERE status = 'cancelled'),
                    count(*) FILTER (WHERE status = 'did_not_occur'),
                    count(*) FILTER (WHERE status IN ('planned', 'open') AND ends_at < ?3)
             FROM meetings WHERE org = ?1 AND grp = ?2",
        )?
        .query_row(params![org, id.0.as_bytes(), now.as_second()], |row| {
            Ok(MeetingCounts {
                held: row.get(0)?,
                cancelled: row.get(1)?,
                did_not_occur: row.get(2)?,
                not_reported: row.get(3)?,
            })
        })
}

/// A group whose calendar can be planned by.
#[derive(Debug, Clone)]
pub struct Plannable {
    /// Owner.
    pub org: OrgId,
    /// The group.
    pub group: GroupId,
}

/// Groups with a calendar of which nothing is planned after `horizon`: for the planner.
///
/// # Errors
/// What SQLite says.
pub fn plannable(readers: &eventlog::sqlite::Readers, horizon: Timestamp) -> rusqlite::Result<Vec<Plannable>> {
    readers.with(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT org, id FROM groups WHERE schedule IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM meetings
                 WHERE meetings.org = groups.org AND grp = groups.id AND starts_at >= ?1)",
        )?;
        let rows = statement.query_map([horizon.as_second()], |row| {
            Ok(Plannable { org: row::text(row, 0)?, group: GroupId(row::uuid(row, 1)?) })
        })?;
        rows.collect()
    })
}
