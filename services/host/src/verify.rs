//! Whether views equal a fold from scratch.

use std::path::Path;

use eventlog::{EventLog, Position};
use messaging::Subscriber;
use rusqlite::{Connection, OpenFlags, types::Value};

use crate::{store::Checkpoint, views::Views};

/// Events folded at once, a count.
const BATCH_EVENTS: usize = 5_000;

/// Who was erased.
const ERASED: (&str, &str) = ("erased", "SELECT org, hex(member), position FROM erased ORDER BY org, member");

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

impl Views {
    /// Folds the log anew in `scratch`, a file that must not exist, up to the position at which each view stands, and
    /// compares. Answers the furthest position and the first difference, if there is one. What is folded anew when the
    /// views are next opened is not compared.
    ///
    /// # Errors
    /// If the log or one of the files cannot be read.
    pub async fn difference(
        &self,
        scratch: &Path,
        log: &dyn EventLog,
    ) -> Result<(Position, Option<Difference>), Box<dyn std::error::Error + Send + Sync>> {
        let views = Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // One snapshot for all that is read, so that a running server changes nothing in between.
        views.execute_batch("BEGIN")?;
        let mut stand = Vec::new();
        for view in self.all() {
            stand.extend(Checkpoint::of(&views, view)?.map(|checkpoint| (view, checkpoint)));
        }
        stand.sort_by_key(|(_, checkpoint)| checkpoint.position);
        let anew = Self::new(scratch, self.all());
        let (mut writer, mut at) = (anew.writer()?, Position::START);
        // Who was erased, the store says itself, as far as the view that is furthest.
        let last = stand.last().map(|(view, _)| view.name);
        for (view, Checkpoint { position, digest }) in stand {
            while at < position {
                let mut events = log.read_all(at, BATCH_EVENTS).await?;
                events.retain(|event| event.position <= position);
                let Some(last) = events.last() else {
                    return Ok((
                        at,
                        Some(another_log(format!("position {position}"), format!("{at}, where the log ends"))),
                    ));
                };
                at = last.position;
                writer.fold(&events)?;
            }
            if at != position || (digest.is_some() && digest != writer.last_applied()) {
                let is = format!("an event at position {position} that the log does not have there");
                return Ok((at, Some(another_log(is, format!("that of the log at position {at}")))));
            }
            let anew = Connection::open_with_flags(scratch, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let erased = (last == Some(view.name)).then_some(&ERASED);
            for (table, sql) in view.tables.iter().chain(erased) {
                if let Some(difference) = compare(table, sql, &views, &anew)? {
                    return Ok((at, Some(difference)));
                }
            }
        }
        Ok((at, None))
    }
}

/// The views are of another log, or of what this one was before.
fn another_log(is: String, should_be: String) -> Difference {
    Difference { table: "views", row: 1, is, should_be }
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
