//! The view of what may be listed: of each group what anybody may know, and when it changed.
//!
//! **Invariant:** what is kept from the public is not in its rows; and of a group that is not listed, nothing is answered.

use std::sync::{PoisonError, RwLock};

use domain::{
    AnyEvent, DomainEvent, GroupId, Schedule,
    group::{Changed, Details, Event, Joining, JoiningSet, Online, Registered, Scheduled, Unscheduled},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::index::{Entry, Index};

/// Groups as anybody may see them, if they are listed.
pub(crate) const LISTINGS: View = View {
    name: "listings",
    version: 1,
    schema: "
        CREATE TABLE listings (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            listed INTEGER NOT NULL,
            details TEXT NOT NULL, -- JSON
            schedule TEXT, -- JSON
            joining TEXT, -- JSON: how anybody can take part from elsewhere
            changed INTEGER NOT NULL, -- position of the last event
            changed_at INTEGER NOT NULL, -- seconds since 1970 (UTC)
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX listings_by_change ON listings (org, changed);
        CREATE INDEX listings_listed ON listings (org, id) WHERE listed = 1;",
    tables: &[(
        "listings",
        "SELECT org, hex(id), listed, details, schedule, joining, changed, changed_at FROM listings ORDER BY org, id",
    )],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

/// A group as anybody may see it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub id: GroupId,
    pub details: Details,
    pub schedule: Option<Schedule>,
    /// How anybody can take part from elsewhere.
    pub joining: Option<Joining>,
    /// When any of it was said last.
    pub changed_at: Timestamp,
}

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return Ok(()) };
    let at = (folding.position(), folding.event.recorded_at.as_second());
    match event {
        Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => folding.run(
            "INSERT INTO listings (org, id, listed, details, changed, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET listed = ?3, details = ?4, changed = ?5, changed_at = ?6",
            &[&details.listed, &json(details), &at.0, &at.1],
        ),
        Event::Scheduled(Scheduled { schedule }) => set(folding, "schedule", Some(&json(schedule)), at),
        Event::Unscheduled(Unscheduled {}) => set(folding, "schedule", None, at),
        Event::JoiningSet(JoiningSet { online }) => {
            let joining = online.as_ref().and_then(Online::public).map(json);
            set(folding, "joining", joining.as_ref(), at)
        }
        // What is otherwise at one meeting, the planned meetings say.
        Event::OccurrenceChanged(_) | Event::OccurrenceRestored(_) => Ok(()),
    }
}

fn set(folding: &Folding<'_>, column: &str, value: Option<&String>, at: (i64, i64)) -> rusqlite::Result<()> {
    let sql = format!("UPDATE listings SET {column} = ?3, changed = ?4, changed_at = ?5 WHERE org = ?1 AND id = ?2");
    folding.run(&sql, &[&value, &at.0, &at.1])
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("string keys only")
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: GroupId(row::uuid(row, 0)?),
        details: row::json(row, 1)?,
        schedule: row::maybe_json(row, 2)?,
        joining: row::maybe_json(row, 3)?,
        changed_at: row::time(row, 4)?,
    })
}

/// Whether an organisation lists any group.
pub(crate) fn lists_any(connection: &Connection, org: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM listings WHERE org = ?1 AND listed = 1 LIMIT 1")?.exists([org])
}

/// How many groups an organisation lists.
pub(crate) fn count(connection: &Connection, org: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT count(*) FROM listings WHERE org = ?1 AND listed = 1")?
        .query_row([org], |row| row.get(0))
}

/// A group, if it is listed.
pub(crate) fn find(connection: &Connection, org: &str, id: GroupId) -> rusqlite::Result<Option<Listed>> {
    connection
        .prepare_cached(
            "SELECT id, details, schedule, joining, changed_at FROM listings WHERE org = ?1 AND id = ?2 AND listed = 1",
        )?
        .query_row(params![org, id.0.as_bytes()], listed)
        .optional()
}

/// The listed groups by id, but for the first `skipped`, at most `rows`.
pub(crate) fn all(connection: &Connection, org: &str, skipped: u32, rows: u32) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, details, schedule, joining, changed_at FROM listings WHERE org = ?1 AND listed = 1
         ORDER BY id LIMIT ?3 OFFSET ?2",
    )?;
    statement.query_map(params![org, skipped, rows], listed)?.collect()
}

/// Brings what is kept in memory of an organisation's list up to what the rows say.
pub(crate) fn learn(kept: &RwLock<Index>, connection: &Connection, org: &str) -> rusqlite::Result<()> {
    let mut index = kept.write().unwrap_or_else(PoisonError::into_inner);
    let mut statement = connection.prepare_cached(
        "SELECT id, changed, listed, details, schedule FROM listings WHERE org = ?1 AND changed > ?2 ORDER BY changed",
    )?;
    let mut rows = statement.query(params![org, index.reached()])?;
    while let Some(row) = rows.next()? {
        let id = GroupId(row::uuid(row, 0)?);
        let entry = if row.get(2)? {
            Some(Entry::of(id, &row::json(row, 3)?, row::maybe_json(row, 4)?.as_ref()))
        } else {
            None
        };
        index.set(id, row.get(1)?, entry);
    }
    Ok(())
}
