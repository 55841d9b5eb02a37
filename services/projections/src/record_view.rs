//! The view of members' records: what is known of each, as it was sealed.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AnyEvent, DomainEvent, GlassId, MemberId, OrgId,
    member::{Event, Glass, Record},
    people,
};
use host::{Folding, Scope, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::topics;

/// Members' records, each as it was sealed.
pub const RECORDS: View = View {
    name: "records",
    version: 2,
    schema: "
        CREATE TABLE members (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            position INTEGER NOT NULL, -- of the last event about them
            registered_at INTEGER NOT NULL, -- seconds since 1970: when the first was recorded
            record TEXT NOT NULL, -- JSON, fields sealed
            merged_into BLOB,
            PRIMARY KEY (org, member)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX members_by_position ON members (position);
        CREATE INDEX members_merged ON members (org, merged_into) WHERE merged_into IS NOT NULL;
        CREATE INDEX members_with_broken_glass ON members (org, member) WHERE json_extract(record, '$.glass') <> '{}';
        -- Under which record the person goes on: of records that are one person's, or once were.
        CREATE TABLE persons (
            org TEXT NOT NULL,
            record BLOB NOT NULL,
            person BLOB NOT NULL,
            position INTEGER NOT NULL, -- where it was said last
            PRIMARY KEY (org, record)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX persons_by_person ON persons (org, person);
        CREATE INDEX persons_by_position ON persons (position);",
    tables: &[
        (
            "members",
            "SELECT org, hex(member), position, registered_at, record, hex(merged_into) FROM members ORDER BY org, member",
        ),
        ("persons", "SELECT org, hex(record), hex(person), position FROM persons ORDER BY org, record"),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY, people::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["members"],
    // What is left of somebody who was erased stays one person's.
    keeps: &[("which random ids were one person's", "to count people once (GDPR Art. 89)")],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if let Some(people::Event::ToldApart(people::ToldApart { one, .. })) = event.of() {
        folding.tell(&topics::MEMBERS, Scope::Member(*one));
    }
    said_of_records(folding, event).into_iter().try_for_each(|(member, said)| {
        folding.tell(&topics::MEMBERS, Scope::Member(member));
        if matches!(said, Event::Merged(_) | Event::Unmerged(_) | Event::Erased(_)) {
            folding.tell(&topics::PERSONS, Scope::Organisation);
        }
        fold_record(folding, member, &said)
    })
}

/// What an event says of members' records, each by itself.
pub(crate) fn said_of_records(folding: &Folding<'_>, event: &AnyEvent) -> Vec<(MemberId, Event)> {
    match event.of::<Event>() {
        Some(said) => vec![(MemberId(folding.event.stream.id()), said.clone())],
        None => event.of::<people::Event>().map(people::Event::of_records).unwrap_or_default(),
    }
}

fn fold_record(folding: &Folding<'_>, member: MemberId, said: &Event) -> rusqlite::Result<()> {
    if folding.is_erased(member)? {
        return Ok(()); // nothing follows an erasure
    }
    let mut record = find(folding.rows, folding.org(), member)?.unwrap_or_default();
    record.evolve(said);
    let json = serde_json::to_string(&record).expect("string keys only");
    let mut write = folding.rows.prepare_cached(
        "INSERT INTO members VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET position = ?3, record = ?5, merged_into = ?6",
    )?;
    write.execute(params![
        folding.org(),
        member.0.as_bytes(),
        folding.position(),
        folding.event.recorded_at.as_second(),
        json,
        record.merged_into.as_ref().map(|into| into.0.as_bytes()),
    ])?;
    match said {
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
                 UNION ALL SELECT merged_into, steps + 1 FROM above CROSS JOIN members ON members.member = above.id
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

/// What is known of a member; nothing of those who were erased.
pub(crate) fn find(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached("SELECT record FROM members WHERE org = ?1 AND member = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| row::json(row, 0))
        .optional()
}

/// Whether anybody is registered under this id who was not erased.
///
/// # Errors
/// What SQLite says.
pub fn is_registered(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<bool> {
    find(connection, org, id).map(|found| found.is_some())
}

/// Records merged into this one, and so on, itself first.
///
/// # Errors
/// What SQLite says.
pub fn same_person(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Vec<MemberId>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE same (id) AS (
             VALUES (?2) UNION SELECT members.member FROM members CROSS JOIN same ON merged_into = same.id WHERE org = ?1)
         SELECT id FROM same",
    )?;
    statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?.collect()
}

/// Records that were merged, each with the one under which the person goes on.
pub(crate) fn merged(connection: &Connection, org: &str) -> rusqlite::Result<Vec<(MemberId, MemberId)>> {
    let mut statement = connection
        .prepare_cached("SELECT member, merged_into FROM members WHERE org = ?1 AND merged_into IS NOT NULL")?;
    let rows = statement.query_map([org], |row| Ok((MemberId(row::uuid(row, 0)?), MemberId(row::uuid(row, 1)?))))?;
    rows.collect()
}

/// All records of the person: those into which this one was merged, and those that were merged into any of them.
///
/// # Errors
/// What SQLite says.
pub fn person(connection: &Connection, org: &str, id: MemberId) -> rusqlite::Result<Vec<MemberId>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE
         above (id) AS (
             VALUES (?2) UNION SELECT merged_into FROM above CROSS JOIN members ON members.member = above.id
             WHERE org = ?1 AND merged_into IS NOT NULL),
         same (id) AS (
             SELECT id FROM above
             UNION SELECT members.member FROM same CROSS JOIN members ON merged_into = same.id WHERE org = ?1)
         SELECT id FROM same",
    )?;
    statement.query_map(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?.collect()
}

/// The record under which the person goes on.
///
/// # Errors
/// What SQLite says.
pub fn goes_on_as(connection: &Connection, org: &str, record: MemberId) -> rusqlite::Result<MemberId> {
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
        "WITH last (position) AS (SELECT max(position) FROM (
             SELECT position FROM members WHERE position > ?1
             UNION ALL SELECT position FROM erased WHERE position > ?1 ORDER BY position LIMIT ?2))
         SELECT position, org, member, record FROM members
         WHERE position > ?1 AND position <= (SELECT position FROM last)
         UNION ALL SELECT position, org, member, NULL FROM erased
         WHERE position > ?1 AND position <= (SELECT position FROM last)
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
pub fn members_after(connection: &Connection, after: i64, rows: u32) -> rusqlite::Result<Vec<(i64, OrgId, MemberId)>> {
    let mut statement = connection
        .prepare_cached("SELECT position, org, member FROM members WHERE position > ?1 ORDER BY position LIMIT ?2")?;
    let members = statement
        .query_map(params![after, rows], |row| Ok((row.get(0)?, row::text(row, 1)?, MemberId(row::uuid(row, 2)?))))?;
    members.collect()
}

/// When these records were registered; nothing of those that are not there.
///
/// # Errors
/// What SQLite says.
pub fn registered_since(
    connection: &Connection,
    org: &str,
    records: &BTreeSet<MemberId>,
) -> rusqlite::Result<BTreeMap<MemberId, Timestamp>> {
    let mut registered =
        connection.prepare_cached("SELECT registered_at FROM members WHERE org = ?1 AND member = ?2")?;
    let mut found = BTreeMap::new();
    for record in records {
        let at = registered.query_row(params![org, record.0.as_bytes()], |row| row::time(row, 0)).optional()?;
        found.extend(at.map(|at| (*record, at)));
    }
    Ok(found)
}

/// Of all people of an organisation, the record under which each goes on.
///
/// # Errors
/// What SQLite says.
pub fn everybody(connection: &Connection, org: &str) -> rusqlite::Result<Vec<MemberId>> {
    let mut members = connection
        .prepare_cached("SELECT member FROM members WHERE org = ?1 AND merged_into IS NULL ORDER BY member")?;
    members.query_map([org], |row| row::uuid(row, 0).map(MemberId))?.collect()
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
        "SELECT member, record FROM members
         WHERE org = ?1 AND member >= ?2 AND json_extract(record, '$.glass') <> '{}' ORDER BY member LIMIT ?3",
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
