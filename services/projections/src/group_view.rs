//! The view of groups: what they are, and when they meet.

use domain::{
    AnyEvent, DomainEvent, GroupId, ProgrammeId, Schedule,
    group::{
        Changed, Details, Event, JoiningSet, MeetingMode, OccurrenceChanged, OccurrenceRestored, Online, Override,
        Registered, Scheduled, Unscheduled,
    },
};
use host::{Folding, Scope, View, row};
use jiff::{Zoned, civil::Date};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::topics;

/// Groups and their calendars.
pub const GROUPS: View = View {
    name: "groups",
    version: 1,
    schema: "
        CREATE TABLE groups (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            name TEXT NOT NULL,
            programme BLOB NOT NULL,
            details TEXT NOT NULL, -- JSON
            schedule TEXT, -- JSON
            online TEXT, -- JSON: how to take part from elsewhere, sealed if not everybody may know it
            -- Where it was said last what changes meetings that may be planned already; 0: the calendar is the first one.
            rescheduled INTEGER,
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX groups_by_name ON groups (org, name, id);
        CREATE INDEX groups_rescheduled ON groups (rescheduled) WHERE rescheduled > 0;
        CREATE TABLE occurrences (
            org TEXT NOT NULL,
            grp BLOB NOT NULL,
            place TEXT NOT NULL, -- in the series: a local date
            change TEXT NOT NULL, -- JSON
            PRIMARY KEY (org, grp, place)
        ) STRICT, WITHOUT ROWID;",
    tables: &[
        (
            "groups",
            "SELECT org, hex(id), name, hex(programme), details, schedule, online, rescheduled FROM groups ORDER BY org, id",
        ),
        ("occurrences", "SELECT org, hex(grp), place, change FROM occurrences ORDER BY org, grp, place"),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

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

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return Ok(()) };
    folding.tell(&topics::GROUPS, Scope::Group(GroupId(folding.event.stream.id())));
    match event {
        Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => describe(folding, details),
        Event::Scheduled(Scheduled { schedule }) => set_schedule(folding, Some(schedule)),
        Event::Unscheduled(Unscheduled {}) => set_schedule(folding, None),
        Event::JoiningSet(JoiningSet { online }) => set_online(folding, online.as_ref()),
        Event::OccurrenceChanged(OccurrenceChanged { on, change }) => set_occurrence(folding, *on, Some(change)),
        Event::OccurrenceRestored(OccurrenceRestored { on }) => set_occurrence(folding, *on, None),
    }
}

fn describe(folding: &Folding<'_>, details: &Details) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let json = serde_json::to_string(details).expect("string keys only");
    folding
        .rows
        .prepare_cached(
            "INSERT INTO groups (org, id, name, programme, details) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET name = ?3, programme = ?4, details = ?5,
                 -- How it meets is how its meetings are planned.
                 rescheduled = iif(details ->> '$.mode' = ?5 ->> '$.mode', rescheduled, ?6)",
        )?
        .execute(params![
            folding.org(),
            id.as_bytes(),
            details.name.as_str(),
            details.programme.0.as_bytes(),
            json,
            position(folding),
        ])?;
    Ok(())
}

/// Where the event is.
fn position(folding: &Folding<'_>) -> i64 {
    i64::try_from(folding.event.position.0).unwrap_or(i64::MAX)
}

fn set_schedule(folding: &Folding<'_>, schedule: Option<&Schedule>) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let json = schedule.map(|schedule| serde_json::to_string(schedule).expect("string keys only"));
    folding
        .rows
        .prepare_cached(
            "UPDATE groups SET schedule = ?3, rescheduled = iif(rescheduled IS NULL, 0, ?4) WHERE org = ?1 AND id = ?2",
        )?
        .execute(params![folding.org(), id.as_bytes(), json, position(folding)])?;
    Ok(())
}

fn set_occurrence(folding: &Folding<'_>, on: Date, change: Option<&Override>) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let key = params![folding.org(), id.as_bytes(), on.to_string()];
    folding.rows.prepare_cached("DELETE FROM occurrences WHERE org = ?1 AND grp = ?2 AND place = ?3")?.execute(key)?;
    if let Some(change) = change {
        let json = serde_json::to_string(change).expect("string keys only");
        folding.rows.prepare_cached("INSERT INTO occurrences VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            folding.org(),
            id.as_bytes(),
            on.to_string(),
            json
        ])?;
    }
    folding.rows.prepare_cached("UPDATE groups SET rescheduled = ?3 WHERE org = ?1 AND id = ?2")?.execute(params![
        folding.org(),
        id.as_bytes(),
        position(folding)
    ])?;
    Ok(())
}

fn set_online(folding: &Folding<'_>, online: Option<&Online>) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let json = online.map(|online| serde_json::to_string(online).expect("string keys only"));
    folding.rows.prepare_cached("UPDATE groups SET online = ?3 WHERE org = ?1 AND id = ?2")?.execute(params![
        folding.org(),
        id.as_bytes(),
        json
    ])?;
    Ok(())
}

/// An occurrence at which something is otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ChangedOccurrence {
    /// Its place in the series: the local date on which the calendar has it.
    pub on: Date,
    /// What is otherwise.
    pub change: Override,
}

/// What is otherwise at the occurrences of a group from this day on.
pub(crate) fn changed_occurrences(
    connection: &Connection,
    org: &str,
    group: GroupId,
    from: Date,
) -> rusqlite::Result<Vec<ChangedOccurrence>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, change FROM occurrences WHERE org = ?1 AND grp = ?2 AND place >= ?3 ORDER BY place",
    )?;
    let found = statement.query_map(params![org, group.0.as_bytes(), from.to_string()], |row| {
        Ok(ChangedOccurrence { on: row::text(row, 0)?, change: row::json(row, 1)? })
    })?;
    found.collect()
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
///
/// # Errors
/// What SQLite says.
pub fn there(connection: &Connection, org: &str, group: GroupId, now: &Zoned) -> rusqlite::Result<Zoned> {
    let zone: Option<Option<String>> = connection
        .prepare_cached("SELECT schedule ->> '$.time_zone' FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, group.0.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(domain::there(now, zone.flatten().as_deref()))
}

/// The programme of a group, if there is one.
///
/// # Errors
/// What SQLite says.
pub fn programme_of(connection: &Connection, org: &str, group: GroupId) -> rusqlite::Result<Option<ProgrammeId>> {
    connection
        .prepare_cached("SELECT programme FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, group.0.as_bytes()], |row| row::uuid(row, 0).map(ProgrammeId))
        .optional()
}

/// What a group is, and its calendar.
pub(crate) fn find(
    connection: &Connection,
    org: &str,
    id: GroupId,
) -> rusqlite::Result<Option<(Details, Option<Schedule>)>> {
    connection
        .prepare_cached("SELECT details, schedule FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| Ok((row::json(row, 0)?, row::maybe_json(row, 1)?)))
        .optional()
}

/// How to take part in a group from elsewhere, if there is such a group, and if somebody can.
#[allow(clippy::option_option)] // no such group is another answer than no way to join it
pub(crate) fn online(connection: &Connection, org: &str, id: GroupId) -> rusqlite::Result<Option<Option<Online>>> {
    connection
        .prepare_cached("SELECT online FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| row::maybe_json(row, 0))
        .optional()
}

/// Groups that say of themselves that they were imported from this source.
///
/// # Errors
/// What SQLite says.
pub fn from_source(connection: &Connection, org: &str, source: &str) -> rusqlite::Result<Vec<GroupId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM groups
         WHERE org = ?1 AND substr(details ->> '$.source', 1, length(?2) + 1) = ?2 || ':' ORDER BY id",
    )?;
    let rows = statement.query_map(params![org, source], |row| row::uuid(row, 0).map(GroupId))?;
    rows.collect()
}
