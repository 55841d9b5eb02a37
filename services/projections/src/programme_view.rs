//! The view of programmes.

use domain::{
    AnyEvent, DomainEvent, ProgrammeId,
    programme::{Changed, Event, Registered},
};
use host::{Folding, Scope, View, row};
use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::topics;

/// Programmes, by name.
pub(crate) const PROGRAMMES: View = View {
    name: "programmes",
    version: 1,
    schema: "
        CREATE TABLE programmes (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX programmes_by_name ON programmes (org, name, id);",
    tables: &[("programmes", "SELECT org, hex(id), name FROM programmes ORDER BY org, id")],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

/// A programme in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProgrammeRow {
    pub id: ProgrammeId,
    pub name: String,
}

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(Event::Registered(Registered { details }) | Event::Changed(Changed { details })) = event.of() else {
        return Ok(());
    };
    folding.tell(&topics::PROGRAMMES, Scope::Organisation);
    folding.rows.prepare_cached("INSERT OR REPLACE INTO programmes VALUES (?1, ?2, ?3)")?.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        details.name.as_str()
    ])?;
    Ok(())
}

/// Programmes by name, after the one with this name and id.
pub(crate) fn list(
    connection: &Connection,
    org: &str,
    after: Option<&(String, ProgrammeId)>,
    rows: usize,
) -> rusqlite::Result<Vec<ProgrammeRow>> {
    let (name, id) = after.map_or(("", &[][..]), |(name, id)| (name.as_str(), id.0.as_bytes()));
    let mut statement = connection.prepare_cached(
        "SELECT id, name FROM programmes WHERE org = ?1 AND (name, id) > (?2, ?3) ORDER BY name, id LIMIT ?4",
    )?;
    let found = statement.query_map(params![org, name, id, row::limit(rows)], |row| {
        Ok(ProgrammeRow { id: ProgrammeId(row::uuid(row, 0)?), name: row.get(1)? })
    })?;
    found.collect()
}
