//! What tasks ask of several views at once: which groups to plan for, what follows a merge, what follows an erasure.

use domain::{GroupId, MemberId, OrgId};
use host::row;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

/// A group whose calendar can be planned by.
#[derive(Debug, Clone)]
pub struct Plannable {
    /// Owner.
    pub org: OrgId,
    /// The group.
    pub group: GroupId,
}

/// What there is for the planner.
#[derive(Debug, Default)]
pub struct ToPlan {
    /// Groups whose calendar, or something at an occurrence, was changed.
    pub changed: Vec<Plannable>,
    /// Where that was said last.
    pub last: u64,
    /// Groups with a calendar of which nothing is planned near the horizon.
    pub ahead: Vec<Plannable>,
}

/// What was changed after a position, and of what nothing is planned after `horizon`, if anything is planned ahead.
///
/// # Errors
/// What SQLite says.
pub fn to_plan(connection: &Connection, settled: u64, horizon: Option<Timestamp>) -> rusqlite::Result<ToPlan> {
    let from = i64::try_from(settled).unwrap_or(i64::MAX);
    let mut statement =
        connection.prepare_cached("SELECT org, id, rescheduled FROM groups WHERE rescheduled > max(?1, 0)")?;
    let mut last = settled;
    let changed = statement.query_map([from], |row| {
        last = last.max(row.get::<_, i64>(2)?.unsigned_abs());
        plannable(row)
    })?;
    let changed = changed.collect::<Result<_, _>>()?;
    let ahead = horizon.map(|horizon| ahead(connection, horizon)).transpose()?.unwrap_or_default();
    Ok(ToPlan { changed, last, ahead })
}

fn ahead(connection: &Connection, horizon: Timestamp) -> rusqlite::Result<Vec<Plannable>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id FROM groups WHERE schedule IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM meetings
                 WHERE meetings.org = groups.org AND grp = groups.id AND starts_at >= ?1)",
    )?;
    statement.query_map([horizon.as_second()], plannable)?.collect()
}

fn plannable(row: &Row<'_>) -> rusqlite::Result<Plannable> {
    Ok(Plannable { org: row::text(row, 0)?, group: GroupId(row::uuid(row, 1)?) })
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
