//! Meetings as they are listed, with how many came: read of registers, and of records, because a merged person counts once.

use domain::{
    GroupId, MeetingId,
    group::MeetingMode,
    meeting::{Headcount, Status, Structure},
};
use host::row;
use jiff::{
    Timestamp,
    civil::{Date, DateTime, date},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::group_view;

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// A meeting in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MeetingRow {
    pub id: MeetingId,
    pub group: GroupId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// In the group's time zone.
    #[schema(value_type = String)]
    pub starts_at_local: DateTime,
    pub mode: MeetingMode,
    /// Its place in the group's series, the date on which the calendar has it: another one than that of its start, if it
    /// was moved.
    pub place: Date,
    /// What is to be known of this one, if something is.
    pub note: Option<String>,
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

impl MarkCounts {
    /// Those who came.
    pub fn attended(self) -> u32 {
        self.present + self.late
    }

    /// Whether anybody has one.
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// How much was kept of how the last 12 held meetings went; unit: meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct StructureCounts {
    /// All of them.
    pub held: u32,
    /// With phases.
    pub phases: u32,
    /// With a topic.
    pub topic: u32,
    /// With who was there to lead them.
    pub facilitators: u32,
}

impl StructureCounts {
    /// Of what was kept of each.
    pub fn of(structures: &[Structure]) -> Self {
        let with = |is_kept: fn(&Structure) -> bool| count(structures.iter().filter(|kept| is_kept(kept)));
        Self {
            held: count(structures.iter()),
            phases: with(|kept| !kept.phases.is_empty()),
            topic: with(|kept| kept.topic.is_some()),
            facilitators: with(|kept| !kept.facilitators.is_empty()),
        }
    }
}

/// How many they are.
pub(crate) fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// A meeting that is over and of which nobody said what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OverdueRegister {
    pub meeting: MeetingId,
    pub ends_at: Timestamp,
}

/// Whether a meeting is over, from the second at which it ends, and nobody said what became of it.
macro_rules! overdue {
    ($now:literal) => {
        concat!("status IN ('planned', 'open') AND ends_at <= ", $now)
    };
}
pub(crate) use overdue;

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
                     OR (other.mark = attendance.mark AND other.member < attendance.member)))),
         place, (SELECT change ->> '$.note' FROM occurrences
                 WHERE occurrences.org = meetings.org AND occurrences.grp = meetings.grp
                   AND occurrences.place = meetings.place)"
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
        place: row::text(row, 10)?,
        note: row.get(11)?,
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

/// The day of the first of the last held meetings of a group.
pub(crate) fn held_since(
    connection: &Connection,
    (org, group): (&str, GroupId),
    meetings: u32,
) -> rusqlite::Result<Option<Date>> {
    connection
        .prepare_cached(
            "SELECT min(substr(starts_at_local, 1, 10)) FROM (
                 SELECT starts_at_local FROM meetings WHERE org = ?1 AND grp = ?2 AND status = 'held'
                 ORDER BY starts_at DESC LIMIT ?3)",
        )?
        .query_row(params![org, group.0.as_bytes(), meetings], |row| row::maybe_text(row, 0))
}

/// What was kept of how the last held meetings of a group went, latest first.
pub(crate) fn last_structures(
    connection: &Connection,
    org: &str,
    group: GroupId,
    rows: u32,
) -> rusqlite::Result<Vec<Structure>> {
    let mut statement = connection.prepare_cached(
        "SELECT structure FROM meetings WHERE org = ?1 AND grp = ?2 AND status = 'held' ORDER BY starts_at DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![org, group.0.as_bytes(), rows], |row| row::maybe_json(row, 0))?;
    rows.map(|kept| Ok(kept?.unwrap_or_default())).collect()
}

/// Meetings of a group that start on these days, local to the group, after the one with this start and id.
pub(crate) fn of_group(
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

/// Which of an organisation's meetings.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The local days on which they start.
    pub days: (Date, Date),
    /// What became of them; all if none.
    pub status: Option<Status>,
    /// Of these groups; of all if none.
    pub groups: Option<Vec<GroupId>>,
}

/// Meetings of an organisation by start, after the one with this start and id.
pub(crate) fn list(
    connection: &Connection,
    org: &str,
    wanted: &Wanted,
    after: Option<(i64, MeetingId)>,
    rows: usize,
) -> rusqlite::Result<Vec<MeetingRow>> {
    let Wanted { days: (first, last), status, groups } = wanted;
    let (start, id) = after.map_or((second(*first) - DAY, vec![]), |(start, id)| (start, id.0.as_bytes().to_vec()));
    // By the index, with a day more on both sides for time zones; then exactly.
    macro_rules! meetings {
        ($index:literal, $of:literal) => {
            concat!(
                "SELECT ",
                meeting_columns!(),
                " FROM meetings INDEXED BY ",
                $index,
                " WHERE org = ?1 AND ",
                $of,
                " AND (starts_at, id) > (?4, ?5) AND starts_at < ?6 AND substr(starts_at_local, 1, 10) BETWEEN ?7 AND ?8
                  ORDER BY starts_at, id LIMIT ?9"
            )
        };
    }
    let sql = match (groups, status) {
        (Some(_), _) => {
            meetings!(
                "meetings_by_group",
                "grp IN (SELECT unhex(value) FROM json_each(?2)) AND (?3 IS NULL OR status = ?3)"
            )
        }
        (None, Some(_)) => meetings!("meetings_by_status", "?2 IS NULL AND status = ?3"),
        (None, None) => meetings!("meetings_by_start", "?2 IS NULL AND ?3 IS NULL"),
    };
    let (groups, end) = (groups.as_deref().map(hex_of), second(*last) + 2 * DAY);
    let (first, last, status) = (first.to_string(), last.to_string(), status.map(Status::as_str));
    let params = params![org, groups, status, start, id, end, first, last, row::limit(rows)];
    connection.prepare_cached(sql)?.query_map(params, meeting_row)?.collect()
}

/// Their ids, as `json_each` and `unhex` read them.
fn hex_of(groups: &[GroupId]) -> String {
    let ids: Vec<_> = groups.iter().map(|group| group.0.simple().to_string()).collect();
    serde_json::to_string(&ids).expect("strings")
}

/// Meetings that are over and of which nobody said what became of them, oldest first; of these groups, or of all.
pub(crate) fn all_overdue(
    connection: &Connection,
    (org, groups): (&str, Option<&[GroupId]>),
    now: Timestamp,
    after: Option<(i64, MeetingId)>,
    rows: usize,
) -> rusqlite::Result<Vec<MeetingRow>> {
    let (end, id) = after.map_or((i64::MIN, vec![]), |(end, id)| (end, id.0.as_bytes().to_vec()));
    macro_rules! meetings {
        ($index:literal, $of:literal) => {
            concat!(
                "SELECT ",
                meeting_columns!(),
                " FROM meetings INDEXED BY ",
                $index,
                " WHERE org = ?1 AND ",
                overdue!("?2"),
                " AND (ends_at, id) > (?3, ?4) AND ",
                $of,
                " ORDER BY ends_at, id LIMIT ?6"
            )
        };
    }
    let sql = match groups {
        Some(_) => meetings!("meetings_by_group", "grp IN (SELECT unhex(value) FROM json_each(?5))"),
        None => meetings!("meetings_unreported", "?5 IS NULL"),
    };
    let params = params![org, now.as_second(), end, id, groups.map(hex_of), row::limit(rows)];
    connection.prepare_cached(sql)?.query_map(params, meeting_row)?.collect()
}

/// How many of a group's meetings are over without anybody saying what became of them, and the oldest ones.
pub(crate) fn overdue_in(
    connection: &Connection,
    (org, group): (&str, GroupId),
    now: Timestamp,
    rows: u32,
) -> rusqlite::Result<(u32, Vec<OverdueRegister>)> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT id, ends_at, count(*) OVER () FROM meetings WHERE org = ?1 AND grp = ?3 AND ",
        overdue!("?2"),
        " ORDER BY ends_at, id LIMIT ?4"
    ))?;
    let mut all = 0;
    let oldest = statement.query_map(params![org, now.as_second(), group.0.as_bytes(), rows], |row| {
        all = row.get(2)?;
        Ok(OverdueRegister { meeting: MeetingId(row::uuid(row, 0)?), ends_at: row::time(row, 1)? })
    })?;
    let oldest = oldest.collect::<rusqlite::Result<_>>()?;
    Ok((all, oldest))
}

/// A meeting, and the number of its row.
pub(crate) fn find(connection: &Connection, org: &str, id: MeetingId) -> rusqlite::Result<Option<(i64, MeetingRow)>> {
    let sql = concat!("SELECT ", meeting_columns!(), " FROM meetings WHERE org = ?1 AND id = ?2");
    connection
        .prepare_cached(sql)?
        .query_row(params![org, id.0.as_bytes()], |row| Ok((row.get(0)?, meeting_row(row)?)))
        .optional()
}
