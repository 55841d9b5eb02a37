//! The file: tables, settings, statements.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

/// Format of the file, kept in SQLite's `user_version`.
pub const FORMAT: i64 = 2;

/// Bytes of page cache of a connection, in KiB; negative as SQLite wants it.
const CACHE_KIB: i64 = -16_384;
/// Pages in the write-ahead log after which it is moved into the file. Commands wait meanwhile; fewer pages
/// would be moved more often.
const WAL_PAGES: i64 = 2_048;

const TABLES: &str = "
CREATE TABLE streams (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (key),
    revision INTEGER NOT NULL,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    data BLOB NOT NULL,
    metadata BLOB NOT NULL,
    hash BLOB NOT NULL -- of this row and its predecessor's hash
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
";

/// Receipts in the order in which they were written, and where the one with a key is, unless it is one of the last.
const RECEIPTS: &str = "
CREATE TABLE receipts (
    place INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL -- of this row
) STRICT;
CREATE TABLE receipt_keys (
    key BLOB PRIMARY KEY,
    place INTEGER NOT NULL REFERENCES receipts (place)
) STRICT, WITHOUT ROWID;
";

/// In format 1, receipts were in the order of their keys.
const RECEIPTS_OF_1: &str = "
INSERT INTO receipts SELECT NULL, key, fingerprint, status, body, position, hash FROM receipts_1 ORDER BY position;
INSERT INTO receipt_keys SELECT key, place FROM receipts ORDER BY key;
DROP TABLE receipts_1;
";

pub const READ_STREAM: &str = "
SELECT position, NULL, revision, id, type, version, recorded_at, data, metadata FROM events
WHERE stream = (SELECT key FROM streams WHERE name = ?1) AND revision >= ?2 ORDER BY revision LIMIT ?3";

pub const READ_ALL: &str = "
SELECT position, name, revision, id, type, version, recorded_at, data, metadata, hash
FROM events CROSS JOIN streams ON streams.key = events.stream
WHERE position > ?1 ORDER BY position LIMIT ?2";

pub const FIND_RECEIPT: &str = "
SELECT key, fingerprint, status, body, position FROM receipts
WHERE place = coalesce(?2, (SELECT place FROM receipt_keys WHERE key = ?1)) AND key = ?1";
pub const ALL_RECEIPTS: &str = "SELECT key, fingerprint, status, body, position, hash FROM receipts";

/// Of the last so many receipts, those whose keys are not in the index.
pub const UNINDEXED_RECEIPTS: &str = "
SELECT key, place FROM receipts WHERE place > (SELECT max(place) FROM receipts) - ?1
AND NOT EXISTS (SELECT 1 FROM receipt_keys WHERE receipt_keys.key = receipts.key)";

/// Receipts that cannot be found, since the index lacks their keys or has them elsewhere, a count.
pub const LOST_RECEIPTS: &str = "
SELECT (SELECT count(*) FROM receipts LEFT JOIN receipt_keys USING (key)
        WHERE receipts.place <= (SELECT max(place) FROM receipts) - ?1 AND receipt_keys.place IS NULL)
     + (SELECT count(*) FROM receipt_keys LEFT JOIN receipts USING (place) WHERE receipts.key IS NOT receipt_keys.key)";

/// Makes the file and its tables if they are not there, and takes over format 1; answers its format.
pub fn prepare(path: &Path) -> rusqlite::Result<i64> {
    let mut connection = Connection::open(path)?;
    let now = format(&connection)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let change = match now {
        _ if tables == 0 => format!("{TABLES} {RECEIPTS}"),
        1 => {
            // Only while nobody else has it open, such as an older server, can it leave this mode.
            connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
            format!("ALTER TABLE receipts RENAME TO receipts_1; {RECEIPTS} {RECEIPTS_OF_1}")
        }
        _ => String::new(),
    };
    if !change.is_empty() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(&change)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    format(&connection)
}

/// The format of a file.
pub fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The connection that writes.
pub fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {WAL_PAGES}"), [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// A connection that cannot write.
pub fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "query_only", true)?;
    // Otherwise statements are planned anew for other values, at nearly every read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}
