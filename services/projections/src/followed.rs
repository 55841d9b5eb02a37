//! What tasks ask of several views at once: which groups to plan for, what follows a merge, what follows an erasure.

use domain::{GroupId, MemberId, OrgId};
use host::row;
use jiff::Timestamp;
use rusqlite::{Connection, params};

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
pub fn plannable(connection: &Connection, horizon: Timestamp) -> rusqlite::Result<Vec<Plannable>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id FROM groups WHERE schedule IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM meetings
                 WHERE meetings.org = groups.org AND grp = groups.id AND starts_at >= ?1)",
    )?;
    let rows = statement.query_map([horizon.as_second()], |row| {
        Ok(Plannable { org: row::text(row, 0)?, group: GroupId(row::uuid(row, 1)?) })
    })?;
    rows.collect()
}

/// Groups in which somebody waits, and in which records stand of which it was said after a position whose they are; and
/// where that was said last.
///
/// # Errors
/// What SQLite says.
pub fn regrouped(connection: &Connection, after: u64) -> rusqlite::Result<(u64, Vec<(OrgId, GroupId)>)> {
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    let said = "SELECT max(position) FROM persons WHERE position > ?1";
    let last: Option<i64> = connection.prepare_cached(said)?.query_row([from], |row| row.get(0))?;
    let Some(last) = last else { return Ok((after, vec![])) };
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT persons.org, grp
             FROM persons CROSS JOIN enrolments ON enrolments.org = persons.org AND member = record
             WHERE position > ?1 AND EXISTS (
                 SELECT 1 FROM enrolments AS waits
                 WHERE waits.org = enrolments.org AND waits.grp = enrolments.grp AND waits.queued IS NOT NULL)",
    )?;
    let groups = statement.query_map([from], |row| Ok((row::text(row, 0)?, GroupId(row::uuid(row, 1)?))))?;
    Ok((u64::try_from(last).unwrap_or_default(), groups.collect::<Result<_, _>>()?))
}

/// A member who was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedMember {
    /// Of which organisation.
    pub org: OrgId,
    /// Who it was.
    pub member: MemberId,
    /// Where the log says so.
    pub position: u64,
    /// Groups in which they are still enrolled, or want to be.
    pub groups: Vec<GroupId>,
}

/// Everyone who was erased after a position.
///
/// # Errors
/// What SQLite says.
pub fn erased_members(connection: &Connection, after: u64) -> rusqlite::Result<Vec<ErasedMember>> {
    let mut statement =
        connection.prepare_cached("SELECT org, member, position FROM erased WHERE position > ?1 ORDER BY position")?;
    let rows = statement.query_map([i64::try_from(after).unwrap_or(i64::MAX)], |row| {
        let (org, member): (OrgId, _) = (row::text(row, 0)?, MemberId(row::uuid(row, 1)?));
        let position = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
        let groups = enrolled_in(connection, org.as_str(), member)?;
        Ok(ErasedMember { org, member, position, groups })
    })?;
    rows.collect()
}

fn enrolled_in(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<Vec<GroupId>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT grp FROM enrolments WHERE org = ?1 AND member = ?2
               AND stage IN ('applied', 'waitlisted', 'enrolled')",
    )?;
    statement.query_map(params![org, member.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))?.collect()
}
