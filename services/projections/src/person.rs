//! The view of members: their groups, when they were last seen, their streaks.

use domain::{
    GroupId, LocalDay, MeetingId, MemberId,
    meeting::{AttendanceMode, Mark, Streaks},
    member::{Profile, Record},
};
use host::{is_erased, row};
use jiff::{Timestamp, Zoned, civil::DateTime};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    enrolment_view, group_view, record_view,
    rosters::{self, Enrolment},
    streaks,
};

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MemberView {
    pub id: MemberId,
    /// What the caller may see of what is known.
    pub profile: Profile,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Under whom the person goes on, if this is a second record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<MemberId>,
    /// Second records of the person, which are part of this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MemberId>,
    /// Whether the record is only kept, and not used.
    pub restricted: bool,
    /// Start of the last held meeting that the member attended.
    pub last_seen: Option<Timestamp>,
    pub groups: Vec<MemberGroup>,
}

/// A member in one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MemberGroup {
    pub group: GroupId,
    /// Oldest first, as they are today, where the group meets; none for a walk-in.
    pub enrolments: Vec<Enrolment>,
    pub last_seen: Option<Timestamp>,
    /// Meetings attended in a row, up to the latest; unit: meeting. Of those that were held since they have a place, or
    /// while they last had one; where the member was excused or not recorded neither counts nor breaks it.
    pub attended_in_a_row: u32,
    /// Of the same, those missed in a row, up to the latest; unit: meeting. Only those where the member was marked absent.
    pub missed_in_a_row: u32,
}

/// A member of whom anything is known: a record, an enrolment or the wish for one, a mark. None if they were erased.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    id: MemberId,
    now: &Zoned,
) -> rusqlite::Result<Option<(MemberView, Record)>> {
    if is_erased(connection, org, id)? {
        return Ok(None);
    }
    let record = record_view::find(connection, org, id)?;
    let same = record_view::same_person(connection, org, id)?;
    let same = Same::new(org, id, &same);
    let groups = same.groups(connection)?;
    if record.is_none() && groups.is_empty() {
        return Ok(None);
    }
    let groups =
        groups.into_iter().map(|group| same.in_group(connection, group, now)).collect::<rusqlite::Result<Vec<_>>>()?;
    let record = record.unwrap_or_default();
    let view = MemberView {
        id,
        profile: Profile::default(),
        unreadable: false,
        merged_into: record.merged_into,
        merged: record.absorbed.iter().copied().collect(),
        restricted: record.permissions.restricted,
        last_seen: groups.iter().filter_map(|group| group.last_seen).max(),
        groups,
    };
    Ok(Some((view, record)))
}

/// All records of one person.
struct Same<'a> {
    org: &'a str,
    /// The one under which they are asked for.
    id: MemberId,
    members: &'a [MemberId],
    /// As SQL takes them.
    ids: String,
}

impl<'a> Same<'a> {
    fn new(org: &'a str, id: MemberId, members: &'a [MemberId]) -> Self {
        let ids: Vec<_> = members.iter().map(|id| id.0.simple().to_string()).collect();
        Self { org, id, members, ids: serde_json::to_string(&ids).expect("strings") }
    }

    fn groups(&self, connection: &Connection) -> rusqlite::Result<Vec<GroupId>> {
        let mut statement = connection.prepare_cached(
            "SELECT grp FROM enrolments WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2))
             UNION SELECT grp FROM attendance CROSS JOIN meetings ON key = meeting
                   WHERE member IN (SELECT unhex(value) FROM json_each(?2)) AND org = ?1
             ORDER BY 1",
        )?;
        statement.query_map(params![self.org, self.ids], |row| row::uuid(row, 0).map(GroupId))?.collect()
    }

    fn in_group(&self, connection: &Connection, group: GroupId, now: &Zoned) -> rusqlite::Result<MemberGroup> {
        let today = LocalDay::of(&group_view::there(connection, self.org, group, now)?);
        let placed = enrolment_view::placed(connection, self.org, (Some(group), Some(self.id)))?;
        let streaks = match placed.iter().rev().find(|placed| placed.starts_on <= today.date()) {
            Some(latest) => streaks::streaks(connection, self.org, latest, self.members)?,
            None => Streaks::default(),
        };
        Ok(MemberGroup {
            group,
            enrolments: rosters::of_person(connection, (self.org, group), &self.ids, &today)?,
            last_seen: self.last_seen(connection, group)?,
            attended_in_a_row: streaks.attended_in_a_row,
            missed_in_a_row: streaks.missed_in_a_row,
        })
    }

    /// When the last of the group's held meetings began that they attended.
    fn last_seen(&self, connection: &Connection, group: GroupId) -> rusqlite::Result<Option<Timestamp>> {
        connection
            .prepare_cached(
                "SELECT starts_at FROM attendance CROSS JOIN meetings ON key = meeting
                 WHERE member IN (SELECT unhex(value) FROM json_each(?3)) AND org = ?1 AND grp = ?2 AND status = 'held'
                   AND mark IN ('present', 'late')
                 ORDER BY starts_at DESC LIMIT 1",
            )?
            .query_row(params![self.org, group.0.as_bytes(), self.ids], |row| row::time(row, 0))
            .optional()
    }

    /// The mark at each meeting, latest first.
    fn attendances(&self, connection: &Connection) -> rusqlite::Result<Vec<MemberAttendance>> {
        // The better attended has the later name; the mode is that of the same row.
        let mut statement = connection.prepare_cached(
            "SELECT id, grp, starts_at, starts_at_local, max(mark), attendance.mode
             FROM attendance CROSS JOIN meetings ON key = meeting
             WHERE member IN (SELECT unhex(value) FROM json_each(?2)) AND org = ?1 GROUP BY key ORDER BY starts_at DESC",
        )?;
        let rows = statement.query_map(params![self.org, self.ids], |row| {
            Ok(MemberAttendance {
                meeting: MeetingId(row::uuid(row, 0)?),
                group: GroupId(row::uuid(row, 1)?),
                starts_at: row::time(row, 2)?,
                starts_at_local: row::text(row, 3)?,
                mark: row::word(row, 4)?,
                mode: row::maybe_word(row, 5)?,
            })
        })?;
        rows.collect()
    }
}

/// A member's mark at a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberAttendance {
    /// At which.
    pub meeting: MeetingId,
    /// Of which group.
    pub group: GroupId,
    /// When.
    pub starts_at: Timestamp,
    /// In the group's time zone.
    #[schema(value_type = String)]
    pub starts_at_local: DateTime,
    /// Whether they came.
    pub mark: Mark,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttendanceMode>,
}

/// The person's mark at each meeting, latest first.
///
/// # Errors
/// What SQLite says.
pub fn attendances(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Vec<MemberAttendance>> {
    Same::new(org, id, &record_view::same_person(connection, org, id)?).attendances(connection)
}
