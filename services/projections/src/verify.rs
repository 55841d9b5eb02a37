//! Whether views equal a fold from scratch.

use std::path::Path;

use eventlog::{EventLog, Position};
use rusqlite::{Connection, types::Value};

use crate::{Views, views::Checkpoint};

/// Events folded at once, a count.
const BATCH_EVENTS: usize = 5_000;

/// Tables that are compared, with all that makes a row; row numbers are not compared.
const TABLES: &[(&str, &str)] = &[
    ("programmes", "SELECT org, hex(id), name FROM programmes ORDER BY org, id"),
    ("groups", "SELECT org, hex(id), name, hex(programme), details, schedule FROM groups ORDER BY org, id"),
    (
        "enrolments",
        "SELECT org, hex(grp), hex(member), began, stage, asked_on, starts_on, ends_on, queued, proposed_by
         FROM enrolments ORDER BY org, grp, member, began",
    ),
    ("capacities", "SELECT org, hex(grp), places FROM capacities ORDER BY org, grp"),
    (
        "meetings",
        "SELECT org, hex(id), hex(grp), starts_at, ends_at, starts_at_local, mode, status, heads
         FROM meetings ORDER BY org, id",
    ),
    (
        "attendance",
        "SELECT org, hex(id), hex(member), mark, attendance.mode, walk_in, corrected
         FROM meetings CROSS JOIN attendance ON meeting = key ORDER BY org, id, member",
    ),
    ("members", "SELECT org, hex(id), position, record, hex(merged_into) FROM members ORDER BY org, id"),
    ("persons", "SELECT org, hex(record), hex(person), position FROM persons ORDER BY org, record"),
    ("reasons", "SELECT org, hex(member), position, at, what, sealed FROM reasons ORDER BY org, member, position"),
    (
        "openings",
        "SELECT position, org, at, subject, role, operation, hex(register), hex(roster), people, named_at, fields, glass
         FROM openings ORDER BY position",
    ),
    ("opened_members", "SELECT org, hex(member), position, listed FROM opened_members ORDER BY org, member, position"),
];

/// A place where views differ from a fold from scratch.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("view {table}, row {row}: is {is}, a fold from scratch gives {should_be}")]
pub struct Difference {
    /// Which table.
    pub table: &'static str,
    /// Which row, from 1.
    pub row: usize,
    /// What is there.
    pub is: String,
    /// What should be.
    pub should_be: String,
}

/// Folds the log anew in `scratch`, a file that must not exist, up to the position at which the views in `path` stand,
/// and compares. Answers that position and the first difference, if there is one.
///
/// # Errors
/// If the log or one of the files cannot be read.
pub async fn difference(
    path: &Path,
    scratch: &Path,
    log: &dyn EventLog,
) -> Result<(Position, Option<Difference>), Box<dyn std::error::Error + Send + Sync>> {
    let views = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // One snapshot for all that is read, so that a running server changes nothing in between.
    let views = Snapshot::of(views)?;
    let mut anew = Views::open(scratch)?;
    let mut at = Position::START;
    let Checkpoint { position, digest } = views.checkpoint;
    while at < position {
        let mut events = log.read_all(at, BATCH_EVENTS).await?;
        events.retain(|event| event.position <= position);
        let Some(last) = events.last() else {
            return Ok((at, Some(another_log(format!("position {position}"), format!("{at}, where the log ends")))));
        };
        at = last.position;
        anew.fold(&events)?;
    }
    let anew = Snapshot::of(Connection::open_with_flags(scratch, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?)?;
    if at != position || (digest.is_some() && digest != anew.checkpoint.digest) {
        let is = format!("an event at position {position} that the log does not have there");
        return Ok((at, Some(another_log(is, format!("that of the log at position {at}")))));
    }
    for (table, sql) in TABLES {
        if let Some(difference) = compare(table, sql, &views.connection, &anew.connection)? {
            return Ok((at, Some(difference)));
        }
    }
    Ok((at, None))
}

/// The views are of another log, or of what this one was before.
fn another_log(is: String, should_be: String) -> Difference {
    Difference { table: "checkpoint", row: 1, is, should_be }
}

struct Snapshot {
    connection: Connection,
    checkpoint: Checkpoint,
}

impl Snapshot {
    fn of(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("BEGIN")?;
        let checkpoint = Checkpoint::of(&connection)?;
        Ok(Self { connection, checkpoint })
    }
}

fn compare(
    table: &'static str,
    sql: &str,
    is: &Connection,
    should_be: &Connection,
) -> rusqlite::Result<Option<Difference>> {
    let (mut is, mut should_be) = (is.prepare(sql)?, should_be.prepare(sql)?);
    let columns = is.column_count();
    let (mut is, mut should_be) = (is.query([])?, should_be.query([])?);
    let read = |rows: &mut rusqlite::Rows<'_>| -> rusqlite::Result<Option<Vec<Value>>> {
        let row = rows.next()?;
        row.map(|row| (0..columns).map(|column| row.get(column)).collect()).transpose()
    };
    for row in 1.. {
        match (read(&mut is)?, read(&mut should_be)?) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |row: Option<Vec<Value>>| row.map_or("missing".into(), |row| format!("{row:?}"));
                return Ok(Some(Difference { table, row, is: show(a), should_be: show(b) }));
            }
        }
    }
    Ok(None)
}
