//! The view of members: their groups, when they were last seen, their streaks.

use domain::{GroupId, MemberId, meeting::Mark};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    enrolment_view::{self, Enrolment},
    row,
};

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
    /// Oldest first, as they are today (UTC); none for a walk-in.
    pub enrolments: Vec<Enrolment>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Held meetings attended in a row, up to the latest; unit: meeting. Meetings where the member was excused or not
    /// recorded neither count nor break it, nor do those that were not held.
    pub attended_in_a_row: u32,
    /// Held meetings missed in a row, up to the latest; unit: meeting. Only those where the member was marked absent.
    pub missed_in_a_row: u32,
}

/// A member of whom anything is known: an enrolment, the wish for one, or a mark.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    id: MemberId,
    today: Date,
) -> rusqlite::Result<Option<MemberView>> {
    let mut statement = connection.prepare_cached(
        "SELECT grp FROM enrolments WHERE org = ?1 AND member = ?2
         UNION SELECT grp FROM attendance CROSS JOIN meetings ON key = meeting WHERE member = ?2 AND org = ?1
         ORDER BY 1",
    )?;
    let groups = statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))?;
    let groups =
        groups.map(|group| in_group(connection, (org, group?), id, today)).collect::<rusqlite::Result<Vec<_>>>()?;
    let last_seen = groups.iter().filter_map(|group| group.last_seen).max();
    Ok((!groups.is_empty()).then_some(MemberView { id, last_seen, groups }))
}

fn in_group(
    connection: &Connection,
    (org, group): (&str, GroupId),
    member: MemberId,
    today: Date,
) -> rusqlite::Result<MemberGroup> {
    let marks = marks(connection, org, member, group)?;
    let last_seen = marks.iter().find(|(_, mark)| mark.attended()).map(|(at, _)| *at);
    // Excused is neutral.
    let counted = || marks.iter().map(|(_, mark)| *mark).filter(|mark| *mark != Mark::Excused);
    let in_a_row = |attended: bool| counted().take_while(|mark| mark.attended() == attended).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(MemberGroup {
        group,
        enrolments: enrolment_view::of_member(connection, (org, group), member, today)?,
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
