//! The view of members' records: what is known of each, as it was sealed.

use domain::{
    GlassId, GroupId, MemberId, OrgId,
    member::{Erased, Event, Glass, Record},
};
use eventlog::sqlite::Readers;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{row, views::Folding};

/// What is said of one record.
pub(crate) fn fold(folding: &mut Folding<'_>, member: MemberId, event: &Event) -> rusqlite::Result<()> {
    let (org, id) = (folding.org(), member.0);
    if matches!(event, Event::Erased(Erased {})) {
        forget(folding, member)?;
        return store(folding, member, None);
    }
    let kept = folding
        .rows
        .prepare_cached("SELECT record FROM members WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.as_bytes()], |row| row::maybe_json::<Record>(row, 0))
        .optional()?;
    if kept.as_ref().is_some_and(Option::is_none) {
        return Ok(()); // nothing follows an erasure
    }
    let mut record = kept.flatten().unwrap_or_default();
    record.evolve(event);
    store(folding, member, Some(&record))?;
    match event {
        Event::Merged(_) | Event::Unmerged(_) => count_as_one(folding, member),
        _ => Ok(()),
    }
}

/// The record and those that were merged into it are the person's under whose record they go on. Who was erased stays one
/// person: what is left of them is one person's, too.
fn count_as_one(folding: &Folding<'_>, member: MemberId) -> rusqlite::Result<()> {
    // Old logs can have circles of merges: what follows them comes to an end.
    let person = folding
        .rows
        .prepare_cached(
            "WITH RECURSIVE above (id, steps) AS (
                 VALUES (?2, 0)
                 UNION ALL SELECT merged_into, steps + 1 FROM above CROSS JOIN members ON members.id = above.id
                 WHERE org = ?1 AND merged_into IS NOT NULL AND steps < 64)
             SELECT id FROM above ORDER BY steps DESC LIMIT 1",
        )?
        .query_row(params![folding.org(), member.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?;
    for record in [vec![person], same_person(folding.rows, folding.org(), member)?].concat() {
        folding.rows.prepare_cached("INSERT OR REPLACE INTO persons VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            folding.org(),
            record.0.as_bytes(),
            person.0.as_bytes(),
            folding.position(),
        ])?;
    }
    Ok(())
}

fn store(folding: &Folding<'_>, member: MemberId, record: Option<&Record>) -> rusqlite::Result<()> {
    let json = record.map(|record| serde_json::to_string(record).expect("string keys only"));
    let merged_into = record.and_then(|record| record.merged_into).map(|into| into.0);
    folding.rows.prepare_cached("INSERT OR REPLACE INTO members VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        folding.org(),
        member.0.as_bytes(),
        folding.position(),
        json,
        merged_into.as_ref().map(uuid::Uuid::as_bytes),
    ])?;
    Ok(())
}

/// Who looked stays, at whom does not.
fn forget(folding: &Folding<'_>, member: MemberId) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached("DELETE FROM opened_members WHERE org = ?1 AND member = ?2")?
        .execute(params![folding.org(), member.0.as_bytes()])?;
    Ok(())
}

/// What is known of a member; nothing of those who were erased.
pub(crate) fn find(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Option<Record>> {
    let found = connection
        .prepare_cached("SELECT record FROM members WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| row::maybe_json(row, 0))
        .optional()?;
    Ok(found.flatten())
}

/// Whether the member was erased.
pub(crate) fn is_erased(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM members WHERE org = ?1 AND id = ?2 AND record IS NULL")?
        .exists(params![org, id.0.as_bytes()])
}

/// Records merged into this one, and so on, itself first.
pub(crate) fn same_person(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Vec<MemberId>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE same (id) AS (
             VALUES (?2) UNION SELECT members.id FROM members CROSS JOIN same ON merged_into = same.id WHERE org = ?1)
         SELECT id FROM same",
    )?;
    statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?.collect()
}

/// Records that were merged, each with the one under which the person goes on.
pub(crate) fn merged(connection: &Connection, org: &str) -> rusqlite::Result<Vec<(MemberId, MemberId)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, merged_into FROM members WHERE org = ?1 AND merged_into IS NOT NULL")?;
    let rows = statement.query_map([org], |row| Ok((MemberId(row::uuid(row, 0)?), MemberId(row::uuid(row, 1)?))))?;
    rows.collect()
}

/// All records of the person: those into which this one was merged, and those that were merged into any of them.
pub(crate) fn person(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Vec<MemberId>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE
         above (id) AS (
             VALUES (?2) UNION SELECT merged_into FROM above CROSS JOIN members ON members.id = above.id
             WHERE org = ?1 AND merged_into IS NOT NULL),
         same (id) AS (
             SELECT id FROM above
             UNION SELECT members.id FROM same CROSS JOIN members ON merged_into = same.id WHERE org = ?1)
         SELECT id FROM same",
    )?;
    statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?.collect()
}

/// The record under which the person goes on.
pub(crate) fn goes_on_as(connection: &Connection, org: &str, record: MemberId) -> rusqlite::Result<MemberId> {
    let person = connection
        .prepare_cached("SELECT person FROM persons WHERE org = ?1 AND record = ?2")?
        .query_row(params![org, record.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))
        .optional()?;
    Ok(person.unwrap_or(record))
}

/// A member whose record changed: where the log last says something of them, and what is known; nothing once they were
/// erased.
pub(crate) type Changed = (i64, OrgId, MemberId, Option<Record>);

/// Members of all organisations whose record changed after a position, in the order of the log: so many, and those who
/// changed by the same event as the last.
pub(crate) fn changed(connection: &Connection, after: i64, rows: u32) -> rusqlite::Result<Vec<Changed>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, org, id, record FROM members
         WHERE position > ?1 AND position <= (
             SELECT max(position) FROM (SELECT position FROM members WHERE position > ?1 ORDER BY position LIMIT ?2))
         ORDER BY position",
    )?;
    let changed = statement.query_map(params![after, rows], |row| {
        Ok((row.get(0)?, row::text(row, 1)?, MemberId(row::uuid(row, 2)?), row::maybe_json(row, 3)?))
    })?;
    changed.collect()
}

/// Members of all organisations of whom the log says something after a position, and where it does last, in its order.
///
/// # Errors
/// What SQLite says.
pub fn members_after(readers: &Readers, after: i64, rows: u32) -> rusqlite::Result<Vec<(i64, OrgId, MemberId)>> {
    readers.with(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT position, org, id FROM members WHERE position > ?1 AND record IS NOT NULL
             ORDER BY position LIMIT ?2",
        )?;
        let members = statement.query_map(params![after, rows], |row| {
            Ok((row.get(0)?, row::text(row, 1)?, MemberId(row::uuid(row, 2)?)))
        })?;
        members.collect()
    })
}

/// A breaking of the glass, of whose record, and who, why and until when.
pub(crate) type BrokenGlass = (MemberId, GlassId, Glass);

/// Broken glass that nobody has reviewed, after the one of this member.
pub(crate) fn broken_glass(
    connection: &Connection,
    org: &str,
    after: Option<(MemberId, GlassId)>,
    rows: usize,
) -> rusqlite::Result<Vec<BrokenGlass>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, record FROM members
         WHERE org = ?1 AND id >= ?2 AND json_extract(record, '$.glass') <> '{}' ORDER BY id LIMIT ?3",
    )?;
    let from = after.map_or(vec![], |(member, _)| member.0.as_bytes().to_vec());
    let members = statement.query_map(params![org, from, row::limit(rows)], |row| {
        Ok((MemberId(row::uuid(row, 0)?), row::json::<Record>(row, 1)?))
    })?;
    let mut found = Vec::new();
    for member in members {
        let (member, record) = member?;
        found.extend(record.glass.into_iter().map(|(id, glass)| (member, id, glass)));
    }
    found.retain(|(member, glass, _)| after.is_none_or(|after| (*member, *glass) > after));
    found.truncate(rows.saturating_add(1));
    Ok(found)
}

/// Whether a view still has a record of the member, of who opened it, or of what was written about them.
///
/// # Errors
/// What SQLite says.
pub fn has_record(readers: &Readers, org: &OrgId, member: MemberId) -> rusqlite::Result<bool> {
    readers.with(|connection| {
        let opened = connection
            .prepare_cached(
                "SELECT 1 FROM opened_members WHERE org = ?1 AND member = ?2
                 UNION ALL SELECT 1 FROM reasons WHERE org = ?1 AND member = ?2",
            )?
            .exists(params![org.as_str(), member.0.as_bytes()])?;
        Ok(opened || find(connection, org.as_str(), member)?.is_some())
    })
}

/// Groups in which somebody waits, and in which records stand of which it was said after a position whose they are; and
/// where that was said last.
///
/// # Errors
/// What SQLite says.
pub fn regrouped(readers: &Readers, after: u64) -> rusqlite::Result<(u64, Vec<(OrgId, GroupId)>)> {
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    readers.with(|connection| {
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
    })
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
pub fn erased_members(readers: &Readers, after: u64) -> rusqlite::Result<Vec<ErasedMember>> {
    readers.with(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT org, id, position FROM members WHERE record IS NULL AND position > ?1 ORDER BY position",
        )?;
        let rows = statement.query_map([i64::try_from(after).unwrap_or(i64::MAX)], |row| {
            let (org, member): (OrgId, _) = (row::text(row, 0)?, MemberId(row::uuid(row, 1)?));
            let position = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            let groups = enrolled_in(connection, org.as_str(), member)?;
            Ok(ErasedMember { org, member, position, groups })
        })?;
        rows.collect()
    })
}

fn enrolled_in(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<Vec<GroupId>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT grp FROM enrolments WHERE org = ?1 AND member = ?2
               AND stage IN ('applied', 'waitlisted', 'enrolled')",
    )?;
    statement.query_map(params![org, member.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))?.collect()
}
