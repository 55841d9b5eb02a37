//! The view of examples: what was counted last, by group.

use domain::{
    AnyEvent, DomainEvent,
    example::{Counted, Event},
};
use host::{Folding, View};
use rusqlite::{Connection, params};

/// What was counted last, by group.
pub(crate) const EXAMPLES: View = View {
    name: "examples",
    version: 1,
    schema: "
        CREATE TABLE examples (
            org TEXT NOT NULL,
            grp BLOB NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (org, grp)
        ) STRICT, WITHOUT ROWID;",
    tables: &[("examples", "SELECT org, hex(grp), count FROM examples ORDER BY org, grp")],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(Event::Counted(Counted { count })) = event.of() else { return Ok(()) };
    let group = folding.event.stream.id();
    let row = params![folding.org(), group.as_bytes(), count];
    folding.rows.prepare_cached("INSERT OR REPLACE INTO examples VALUES (?1, ?2, ?3)")?.execute(row)?;
    Ok(())
}

/// Everything that was counted, in all groups.
pub(crate) fn sum(connection: &Connection) -> rusqlite::Result<u32> {
    connection.prepare_cached("SELECT coalesce(sum(count), 0) FROM examples")?.query_row([], |row| row.get(0))
}
