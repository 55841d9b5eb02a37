//! The view of meetings and their registers.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    GroupId, MeetingId, MemberId,
    group::MeetingMode,
    meeting::{
        AttendanceCorrected, AttendanceMode, AttendanceRecorded, Cancelled, DidNotOccur, Entry, Event, Headcount,
        HeadcountRecorded, Held, Mark, Opened, Plan, Planned, Reinstated, Replanned, Status,
    },
};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, date},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{enrolment_view, group_view, record_view, row, views::Folding};

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// A meeting in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MeetingRow {
    pub id: MeetingId,
    pub group: GroupId,
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// In the group's time zone.
    #[schema(value_type = String)]
    pub starts_at_local: DateTime,
    pub mode: MeetingMode,
    pub status: Status,
    pub marks: MarkCounts,
    /// Anonymous heads by category; unit: anonymous head.
    #[schema(value_type = BTreeMap<String, u16>)]
    pub heads: Headcount,
}

/// Marks of one meeting; unit: attendance. Who is not in it is not recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MarkCounts {
    pub present: u32,
    pub late: u32,
    pub excused: u32,
    pub absent: u32,
}

/// A meeting's register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RegisterView {
    pub meeting: MeetingRow,
    /// Members on the roster of the meeting's date and all others who were marked.
    pub members: Vec<RegisterLine>,
    /// How many members of the roster have no mark: not recorded, which is not the same as absent.
    pub not_recorded: usize,
    /// How many marks are of people who were erased since: they count, and are nobody's any more.
    pub erased: usize,
}

/// One member on a register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RegisterLine {
    pub member: MemberId,
    /// What they are called, of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Missing if it is not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttendanceMode>,
    /// Came without being on the roster.
    pub walk_in: bool,
    /// Whether the mark was changed after the register was closed.
    pub corrected: bool,
}

pub(crate) fn fold(folding: &mut Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Planned(Planned { plan }) | Event::Replanned(Replanned { plan }) => set_plan(folding, plan),
        Event::Opened(Opened {}) => set_status(folding, Status::Open),
        Event::Held(Held {}) => set_status(folding, Status::Held),
        Event::Cancelled(Cancelled { .. }) => set_status(folding, Status::Cancelled),
        Event::DidNotOccur(DidNotOccur { .. }) => set_status(folding, Status::DidNotOccur),
        Event::Reinstated(Reinstated { .. }) => set_status(folding, Status::Planned),
        Event::AttendanceRecorded(AttendanceRecorded { member, entry, walk_in }) => {
            set_mark(folding, *member, *entry, *walk_in, false)
        }
        Event::AttendanceCorrected(AttendanceCorrected { member, now: Some(entry), .. }) => {
            set_mark(folding, *member, *entry, false, true)
        }
        Event::AttendanceCorrected(AttendanceCorrected { member, now: None, .. }) => remove_mark(folding, *member),
        Event::HeadcountRecorded(HeadcountRecorded { heads, .. }) => set_heads(folding, heads),
    }
}

fn set_plan(folding: &mut Folding<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    folding
        .rows
        .prepare_cached(
            "INSERT INTO meetings (org, id, grp, starts_at, ends_at, starts_at_local, mode, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'planned')
             ON CONFLICT (org, id) DO UPDATE
             SET grp = ?3, starts_at = ?4, ends_at = ?5, starts_at_local = ?6, mode = ?7",
        )?
        .execute(params![
            folding.org(),
            id.as_bytes(),
            plan.group.0.as_bytes(),
            plan.starts_at.as_second(),
            plan.ends_at.as_second(),
            plan.starts_at_local.to_string(),
            plan.mode.as_str(),
        ])?;
    Ok(())
}

fn set_status(folding: &mut Folding<'_>, status: Status) -> rusqlite::Result<()> {
    let key = folding.meeting()?;
    folding
        .rows
        .prepare_cached("UPDATE meetings SET status = ?2 WHERE key = ?1")?
        .execute(params![key, status.as_str()])?;
    Ok(())
}

fn set_mark(
    folding: &mut Folding<'_>,
    member: MemberId,
    entry: Entry,
    walk_in: bool,
    corrected: bool,
) -> rusqlite::Result<()> {
    let key = folding.meeting()?;
    // Whoever walked in stays a walk-in, whatever is corrected later.
    folding
        .rows
        .prepare_cached(
            "INSERT INTO attendance VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET mark = ?3, mode = ?4, walk_in = max(walk_in, ?5), corrected = max(corrected, ?6)",
        )?
        .execute(params![
            key,
            member.0.as_bytes(),
            entry.mark.as_str(),
            entry.mode.map(AttendanceMode::as_str),
            walk_in,
            corrected
        ])?;
    Ok(())
}

fn remove_mark(folding: &mut Folding<'_>, member: MemberId) -> rusqlite::Result<()> {
    let key = folding.meeting()?;
    folding
        .rows
        .prepare_cached("DELETE FROM attendance WHERE meeting = ?1 AND member = ?2")?
        .execute(params![key, member.0.as_bytes()])?;
    Ok(())
}

fn set_heads(folding: &mut Folding<'_>, heads: &Headcount) -> rusqlite::Result<()> {
    let key = folding.meeting()?;
    folding
        .rows
        .prepare_cached("UPDATE meetings SET heads = ?2 WHERE key = ?1")?
        .execute(params![key, serde_json::to_string(heads).expect("string keys only")])?;
    Ok(())
}

/// Columns of a [`MeetingRow`], for `FROM meetings`. Of a person's marks the better attended one counts, by the order of
/// [`Mark`], of which the names are the other way round.
macro_rules! meeting_columns {
    () => {
        "key, id, grp, starts_at, ends_at, starts_at_local, mode, status, heads,
         (SELECT json_object('present', count(*) FILTER (WHERE mark = 'present'), 'late', count(*) FILTER (WHERE mark = 'late'),
                 'excused', count(*) FILTER (WHERE mark = 'excused'), 'absent', count(*) FILTER (WHERE mark = 'absent'))
          FROM attendance
          -- Of a person's marks, the one that counts.
          WHERE meeting = key AND NOT EXISTS (
              SELECT 1 FROM persons
              CROSS JOIN persons AS same ON same.org = persons.org AND same.person = persons.person
              CROSS JOIN attendance AS other ON other.meeting = key AND other.member = same.record
              WHERE persons.org = meetings.org AND persons.record = attendance.member
                AND (other.mark > attendance.mark
                     OR (other.mark = attendance.mark AND other.member < attendance.member))))"
    };
}

fn meeting_row(row: &Row<'_>) -> rusqlite::Result<MeetingRow> {
    Ok(MeetingRow {
        id: MeetingId(row::uuid(row, 1)?),
        group: GroupId(row::uuid(row, 2)?),
        starts_at: row::time(row, 3)?,
        ends_at: row::time(row, 4)?,
        starts_at_local: row::text(row, 5)?,
        mode: row::word(row, 6)?,
        status: row::word(row, 7)?,
        heads: row::json(row, 8)?,
        marks: row::json(row, 9)?,
    })
}

/// The last held meetings of a group, latest first.
pub(crate) fn last_held(
    connection: &Connection,
    org: &str,
    group: GroupId,
    rows: u32,
) -> rusqlite::Result<Vec<MeetingRow>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings WHERE org = ?1 AND grp = ?2 AND status = 'held' ORDER BY starts_at DESC LIMIT ?3"
    ))?;
    statement.query_map(params![org, group.0.as_bytes(), rows], meeting_row)?.collect()
}

/// Meetings of a group that start on these days, local to the group, after the one with this start and id.
pub(crate) fn list(
    connection: &Connection,
    (org, group): (&str, GroupId),
    (first, last): (Date, Date),
    after: Option<(i64, MeetingId)>,
    rows: usize,
) -> rusqlite::Result<Option<Vec<MeetingRow>>> {
    if !group_view::is_known(connection, org, group)? {
        return Ok(None);
    }
    let (start, id) = after.map_or((second(first) - DAY, vec![]), |(start, id)| (start, id.0.as_bytes().to_vec()));
    // By the index, with a day more on both sides for time zones; then exactly.
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings WHERE org = ?1 AND grp = ?2 AND (starts_at, id) > (?3, ?4) AND starts_at < ?5
            AND substr(starts_at_local, 1, 10) BETWEEN ?6 AND ?7
          ORDER BY starts_at, id LIMIT ?8"
    ))?;
    let (group, end) = (group.0.as_bytes(), second(last) + 2 * DAY);
    let params = params![org, group, start, id, end, first.to_string(), last.to_string(), row::limit(rows)];
    statement.query_map(params, meeting_row)?.collect::<Result<_, _>>().map(Some)
}

/// The second in which a day begins in Greenwich.
fn second(day: Date) -> i64 {
    DAY * i64::from((day - date(1970, 1, 1)).get_days())
}

/// Meetings that are over and of which nobody said what became of them, oldest first.
pub(crate) fn overdue(
    connection: &Connection,
    org: &str,
    now: Timestamp,
    after: Option<(i64, MeetingId)>,
    rows: usize,
) -> rusqlite::Result<Vec<MeetingRow>> {
    let (end, id) = after.map_or((i64::MIN, vec![]), |(end, id)| (end, id.0.as_bytes().to_vec()));
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        meeting_columns!(),
        " FROM meetings WHERE org = ?1 AND status IN ('planned', 'open') AND ends_at < ?2
          AND (ends_at, id) > (?3, ?4) ORDER BY ends_at, id LIMIT ?5"
    ))?;
    statement.query_map(params![org, now.as_second(), end, id, row::limit(rows)], meeting_row)?.collect()
}

/// The register of a meeting.
pub(crate) fn find(connection: &Connection, org: &str, id: MeetingId) -> rusqlite::Result<Option<RegisterView>> {
    let sql = concat!("SELECT ", meeting_columns!(), " FROM meetings WHERE org = ?1 AND id = ?2");
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![org, id.0.as_bytes()], |row| Ok((row.get(0)?, meeting_row(row)?)))
        .optional()?;
    let Some((key, meeting)) = found else { return Ok(None) };
    let mut people: BTreeMap<MemberId, OnRegister> = BTreeMap::new();
    for (person, record) in enrolment_view::enrolled_on(connection, org, meeting.group, meeting.starts_at_local.date())?
    {
        people.entry(person).or_default().enrolled.push(record);
    }
    let mut erased = BTreeSet::new();
    for mark in marked(connection, key)? {
        let person = record_view::goes_on_as(connection, org, mark.member)?;
        if record_view::is_erased(connection, org, mark.member)? {
            erased.insert(person);
        } else {
            people.entry(person).or_default().marks.push(mark);
        }
    }
    let members: Vec<_> = people.into_iter().map(|(person, on)| on.line(person)).collect();
    let not_recorded = members.iter().filter(|line| line.mark.is_none()).count();
    Ok(Some(RegisterView { meeting, members, not_recorded, erased: erased.len() }))
}

/// One person on a register, under any of their records.
#[derive(Default)]
struct OnRegister {
    /// Those that are on the roster of the meeting's date.
    enrolled: Vec<MemberId>,
    /// What each that was marked has.
    marks: Vec<RegisterLine>,
}

impl OnRegister {
    fn line(self, member: MemberId) -> RegisterLine {
        let Self { enrolled, marks } = self;
        let other_enrolled = enrolled.iter().any(|record| marks.iter().all(|line| line.member != *record));
        let walk_in = !other_enrolled && !marks.is_empty() && marks.iter().all(|line| line.walk_in);
        let corrected = marks.iter().any(|line| line.corrected);
        let counts = marks.into_iter().min_by_key(|line| (line.mark, line.member != member));
        let (mark, mode) = counts.map(|line| (line.mark, line.mode)).unwrap_or_default();
        RegisterLine { member, called: None, unreadable: false, mark, mode, walk_in, corrected }
    }
}

fn marked(connection: &Connection, meeting: i64) -> rusqlite::Result<Vec<RegisterLine>> {
    let mut statement = connection
        .prepare_cached("SELECT member, mark, mode, walk_in, corrected FROM attendance WHERE meeting = ?1")?;
    let rows = statement.query_map([meeting], |row| {
        Ok(RegisterLine {
            member: MemberId(row::uuid(row, 0)?),
            called: None,
            unreadable: false,
            mark: Some(row::word(row, 1)?),
            mode: row::maybe_word(row, 2)?,
            walk_in: row.get(3)?,
            corrected: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// The group of a meeting.
pub(crate) fn group_of(connection: &Connection, org: &str, id: MeetingId) -> rusqlite::Result<Option<GroupId>> {
    connection
        .prepare_cached("SELECT grp FROM meetings WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))
        .optional()
}
