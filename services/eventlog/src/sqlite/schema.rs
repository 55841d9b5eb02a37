//! The file: tables, settings, statements.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// Format of the file, kept in SQLite's `user_version`.
pub const FORMAT: i64 = 1;

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
CREATE TABLE receipts (
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL -- of this row
) STRICT, WITHOUT ROWID;
";

pub const READ_STREAM: &str = "
SELECT position, NULL, revision, id, type, version, recorded_at, data, metadata FROM events
WHERE stream = (SELECT key FROM streams WHERE name = ?1) AND revision >= ?2 ORDER BY revision LIMIT ?3";

pub const READ_ALL: &str = "
SELECT position, name, revision, id, type, version, recorded_at, data, metadata, hash
FROM events CROSS JOIN streams ON streams.key = events.stream
WHERE position > ?1 ORDER BY position LIMIT ?2";

pub const FIND_RECEIPT: &str = "SELECT key, fingerprint, status, body, position FROM receipts WHERE key = ?1";
pub const ALL_RECEIPTS: &str = "SELECT key, fingerprint, status, body, position, hash FROM receipts";

/// Makes the file and its tables if they are not there; answers its format.
pub fn prepare(path: &Path) -> rusqlite::Result<i64> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    }
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
