//! Whether the log is as it was written: the chain, the order, and nothing twice.

use std::{collections::HashSet, path::Path};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{receipt, receipts::UNINDEXED_AMONG, recorded, schema};
use crate::{
    Finding, Position, ReceiptKey, Recorded, Verified,
    chain::{GENESIS, Hash, Link, receipt_hash},
};

/// Events between two calls of the progress function, a count.
const PROGRESS_EVENTS: u64 = 10_000;

/// A log that is not sound.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something was changed.
    #[error(transparent)]
    Broken(Finding),
    /// The file cannot be read as a log at all.
    #[error("the event log cannot be read")]
    Unreadable(#[from] rusqlite::Error),
}

/// Reads the whole log at `path` and checks that positions have no gap, each event carries the hash of itself and
/// its predecessor, revisions of each stream have no gap, no event id occurs twice, every receipt is as written and
/// points into the log, and SQLite's own structure is sound. `progress` hears the position from time to time.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(path: &Path, mut progress: impl FnMut(Position)) -> Result<Verified, VerifyError> {
    let connection = schema::reader(path)?;
    // One snapshot for all that is read, so that a running writer changes nothing in between.
    let connection = connection.unchecked_transaction()?;
    let mut verified = Verified::default();
    events(&connection, &mut verified, &mut progress)?;
    streams(&connection, &mut verified)?;
    receipts(&connection, &mut verified)?;
    structure(&connection)?;
    Ok(verified)
}

fn broken(position: Option<Position>, event: Option<&Recorded>, what: impl Into<String>) -> VerifyError {
    VerifyError::Broken(Finding::of(position, event, what))
}

fn events(
    connection: &Connection,
    verified: &mut Verified,
    progress: &mut impl FnMut(Position),
) -> Result<(), VerifyError> {
    let mut ids = HashSet::<Uuid>::new();
    let mut previous: Hash = GENESIS;
    let mut statement = connection.prepare(schema::READ_ALL)?;
    let mut rows = statement.query(params![0, i64::MAX])?;
    loop {
        let position = Position(verified.events + 1);
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => return Err(broken(Some(position), None, format!("cannot be read: {error}"))),
        };
        let event = recorded(row, None).map_err(|e| broken(Some(position), None, format!("cannot be read: {e}")))?;
        let stored: Hash = row.get(9).map_err(|e| broken(Some(position), Some(&event), format!("hash: {e}")))?;
        if event.position != position {
            return Err(broken(Some(position), None, format!("is missing; the next is at {}", event.position)));
        }
        previous = Link::recorded(&event, event.position.0).hash(&previous);
        if previous != stored {
            return Err(broken(Some(position), Some(&event), "was changed: its hash does not fit what is stored"));
        }
        if !ids.insert(event.id) {
            return Err(broken(Some(position), Some(&event), "was written twice: its id occurs before"));
        }
        verified.events = position.0;
        verified.head = position;
        if position.0.is_multiple_of(PROGRESS_EVENTS) {
            progress(position);
        }
    }
    let counted: u64 =
        connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0).map(super::unsigned))?;
    if counted != verified.events {
        return Err(broken(None, None, format!("{counted} events are stored, {} can be read", verified.events)));
    }
    Ok(())
}

fn streams(connection: &Connection, verified: &mut Verified) -> Result<(), VerifyError> {
    let mut statement = connection.prepare(
        "SELECT name, count(position), min(revision), max(revision), min(position)
         FROM streams LEFT JOIN events ON stream = key GROUP BY key",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, events): (String, i64) = (row.get(0)?, row.get(1)?);
        let revisions: (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
        if revisions != (Some(0), Some(events - 1)) {
            let position = row.get::<_, Option<i64>>(4)?.map(|p| Position(super::unsigned(p)));
            return Err(broken(position, None, format!("stream {name}: its {events} events have gaps")));
        }
        verified.streams += 1;
    }
    Ok(())
}

fn receipts(connection: &Connection, verified: &mut Verified) -> Result<(), VerifyError> {
    let mut statement = connection.prepare(schema::ALL_RECEIPTS)?;
    let (mut rows, mut keys) = (statement.query([])?, HashSet::<ReceiptKey>::new());
    while let Some(row) = rows.next()? {
        let (receipt, stored): (_, Hash) = (receipt(row)?, row.get(5)?);
        if receipt_hash(&receipt) != stored {
            return Err(broken(None, None, format!("the receipt for position {} was changed", receipt.position)));
        }
        if receipt.position > verified.head {
            return Err(broken(None, None, format!("a receipt names position {}, after the end", receipt.position)));
        }
        if !keys.insert(receipt.key) {
            return Err(broken(
                None,
                None,
                format!("the receipt for position {} has the key of another", receipt.position),
            ));
        }
    }
    verified.receipts = Some(keys.len() as u64);
    // In format 1 the key says where a receipt is.
    let lost: i64 = match schema::format(connection)? {
        1 => 0,
        _ => connection.query_row(schema::LOST_RECEIPTS, [super::int(UNINDEXED_AMONG)], |row| row.get(0))?,
    };
    if lost > 0 { Err(broken(None, None, format!("{lost} receipts cannot be found by their key"))) } else { Ok(()) }
}

fn structure(connection: &Connection) -> Result<(), VerifyError> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(broken(None, None, format!("SQLite's structure: {found}"))) }
}
