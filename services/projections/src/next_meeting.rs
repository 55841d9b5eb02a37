//! The next meeting of a group, as far as meetings are planned.

use domain::{GroupId, group::MeetingMode};
use host::row;
use jiff::{Timestamp, civil::DateTime};
use rusqlite::{Connection, OptionalExtension, params};

/// A meeting ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingAhead {
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it starts where the group meets.
    pub starts_at_local: DateTime,
    /// How it is held.
    pub mode: MeetingMode,
}

/// The first meeting of a group that has not started by `now`, and was not called off. Reads [`crate::REGISTERS`].
///
/// # Errors
/// What SQLite says.
pub fn next_meeting(
    connection: &Connection,
    org: &str,
    group: GroupId,
    now: Timestamp,
) -> rusqlite::Result<Option<MeetingAhead>> {
    connection
        .prepare_cached(
            "SELECT starts_at, ends_at, starts_at_local, mode FROM meetings
             WHERE org = ?1 AND grp = ?2 AND starts_at > ?3 AND status IN ('planned', 'open')
             ORDER BY starts_at LIMIT 1",
        )?
        .query_row(params![org, group.0.as_bytes(), now.as_second()], |row| {
            Ok(MeetingAhead {
                starts_at: row::time(row, 0)?,
                ends_at: row::time(row, 1)?,
                starts_at_local: row::text(row, 2)?,
                mode: row::word(row, 3)?,
            })
        })
        .optional()
}
