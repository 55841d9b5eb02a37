//! The view of members: their groups, when they were last seen, their streaks.

use domain::{
    GroupId, MemberId,
    meeting::Mark,
    roster::{Enrolled, Event, Withdrawn},
};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{group_view, row, views::Folding};

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MemberView {
    pub id: MemberId,
    /// Start of the last held meeting that the member attended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    pub groups: Vec<MemberGroup>,
}

/// A member in one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MemberGroup {
    pub group: GroupId,
    /// From when to when, oldest first; none for a walk-in.
    pub enrolments: Vec<EnrolmentSpan>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Held meetings attended in a row, up to the latest; unit: meeting. Meetings where the member was excused or not
    /// recorded neither count nor break it, nor do those that were not held.
    pub attended_in_a_row: u32,
    /// Held meetings missed in a row, up to the latest; unit: meeting. Only those where the member was marked absent.
    pub missed_in_a_row: u32,
}

/// From one day to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EnrolmentSpan {
    #[schema(value_type = String, format = Date)]
    pub starts_on: Date,
    #[schema(value_type = Option<String>, format = Date)]
    pub ends_on: Option<Date>,
}

pub(crate) fn fold(folding: &mut Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    let group = folding.event.stream.id();
    match event {
        Event::Enrolled(Enrolled { member, starts_on }) => folding
            .rows
            .prepare_cached("INSERT INTO enrolments VALUES (?1, ?2, ?3, ?4, NULL)")?
            .execute(params![folding.org(), group.as_bytes(), member.0.as_bytes(), starts_on.to_string()])?,
        Event::Withdrawn(Withdrawn { member, ends_on, .. }) => folding
            .rows
            .prepare_cached(
                "UPDATE enrolments SET ends_on = ?4 WHERE org = ?1 AND grp = ?2 AND member = ?3 AND ends_on IS NULL",
            )?
            .execute(params![folding.org(), group.as_bytes(), member.0.as_bytes(), ends_on.to_string()])?,
    };
    Ok(())
}

/// Members on the roster that day.
pub(crate) fn enrolled_on(
    connection: &Connection,
    org: &str,
    group: GroupId,
    day: Date,
) -> rusqlite::Result<Vec<MemberId>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT member FROM enrolments
         WHERE org = ?1 AND grp = ?2 AND starts_on <= ?3 AND (ends_on IS NULL OR ends_on >= ?3) ORDER BY member",
    )?;
    let rows = statement
        .query_map(params![org, group.0.as_bytes(), day.to_string()], |row| row::uuid(row, 0).map(MemberId))?;
    rows.collect()
}

/// A member of whom anything is known: an enrolment or a mark.
pub(crate) fn find(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Option<MemberView>> {
    let mut statement = connection.prepare_cached(
        "SELECT grp FROM enrolments WHERE org = ?1 AND member = ?2
         UNION SELECT grp FROM attendance CROSS JOIN meetings ON key = meeting WHERE member = ?2 AND org = ?1
         ORDER BY 1",
    )?;
    let groups = statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))?;
    let groups = groups.map(|group| in_group(connection, org, id, group?)).collect::<rusqlite::Result<Vec<_>>>()?;
    let last_seen = groups.iter().filter_map(|group| group.last_seen).max();
    Ok((!groups.is_empty()).then_some(MemberView { id, last_seen, groups }))
}

fn in_group(connection: &Connection, org: &str, member: MemberId, group: GroupId) -> rusqlite::Result<MemberGroup> {
    let mut statement = connection.prepare_cached(
        "SELECT starts_on, ends_on FROM enrolments WHERE org = ?1 AND grp = ?2 AND member = ?3 ORDER BY starts_on",
    )?;
    let enrolments = statement.query_map(params![org, group.0.as_bytes(), member.0.as_bytes()], |row| {
        Ok(EnrolmentSpan { starts_on: row::text(row, 0)?, ends_on: row::maybe_text(row, 1)? })
    })?;
    let marks = marks(connection, org, member, group)?;
    let last_seen = marks.iter().find(|(_, mark)| mark.attended()).map(|(at, _)| *at);
    // Excused is neutral.
    let counted = || marks.iter().map(|(_, mark)| *mark).filter(|mark| *mark != Mark::Excused);
    let in_a_row = |attended: bool| counted().take_while(|mark| mark.attended() == attended).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(MemberGroup {
        group,
        enrolments: enrolments.collect::<rusqlite::Result<_>>()?,
        last_seen,
        attended_in_a_row: count(in_a_row(true)),
        missed_in_a_row: count(in_a_row(false)),
    })
}

/// The member's marks at the group's held meetings, latest first.
fn marks(
    connection: &Connection,
    org: &str,
    member: MemberId,
    group: GroupId,
) -> rusqlite::Result<Vec<(Timestamp, Mark)>> {
    let mut statement = connection.prepare_cached(
        "SELECT starts_at, mark FROM attendance CROSS JOIN meetings ON key = meeting
         WHERE member = ?3 AND org = ?1 AND grp = ?2 AND status = 'held' ORDER BY starts_at DESC",
    )?;
    let rows = statement.query_map(params![org, group.0.as_bytes(), member.0.as_bytes()], |row| {
        Ok((row::time(row, 0)?, row::word(row, 1)?))
    })?;
    rows.collect()
}

/// Members of a group's roster on a day, after one of them.
pub(crate) fn roster(
    connection: &Connection,
    (org, group, day): (&str, GroupId, Date),
    after: Option<MemberId>,
    rows: usize,
) -> rusqlite::Result<Option<Vec<MemberId>>> {
    if !group_view::is_known(connection, org, group)? {
        return Ok(None);
    }
    let members = enrolled_on(connection, org, group, day)?.into_iter();
    Ok(Some(members.filter(|member| after.is_none_or(|after| *member > after)).take(rows + 1).collect()))
}
