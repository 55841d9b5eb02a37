//! The view of programmes.

use domain::{
    ProgrammeId,
    programme::{Changed, Event, Registered},
};
use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{row, views::Folding};

/// A programme in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProgrammeRow {
    pub id: ProgrammeId,
    pub name: String,
}

pub(crate) fn fold(folding: &mut Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => {
            let id = folding.event.stream.id();
            folding.rows.prepare_cached("INSERT OR REPLACE INTO programmes VALUES (?1, ?2, ?3)")?.execute(params![
                folding.org(),
                id.as_bytes(),
                details.name.as_str()
            ])?;
        }
    }
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
