//! How much of a kind waits to leave the house, as its view counts it.

use jiff::Timestamp;
use rusqlite::Connection;

/// How much of one kind waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backlog {
    /// Messages that wait to be sent, a count.
    pub waiting: i64,
    /// When what stands first longest came to stand there.
    pub since: Option<Timestamp>,
    /// To how many nothing is sent until somebody sees to it, a count.
    pub shut: i64,
}

impl Backlog {
    /// What a query answers: how many wait, since when in seconds, how many are shut.
    pub fn by(connection: &Connection, sql: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(sql)?.query_row([], |row| {
            let since = row.get::<_, Option<i64>>(1)?.and_then(|since| Timestamp::from_second(since).ok());
            Ok(Self { waiting: row.get(0)?, since, shut: row.get(2)? })
        })
    }
}
