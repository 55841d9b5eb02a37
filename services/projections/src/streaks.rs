//! How a person came to the held meetings of a time in which they had a place: read of registers.

use domain::{
    MemberId,
    meeting::{Mark, Streaks},
};
use host::row;
use jiff::civil::Date;
use rusqlite::{Connection, params};

use crate::enrolment_view::Placed;

/// A held meeting: its local day, and a person's mark, if they have one.
pub(crate) type HeldMeeting = (Date, Option<Mark>);

/// Streaks and lapses of the person with these records in a time in which they have, or had, a place.
///
/// # Errors
/// What SQLite says.
pub fn streaks(connection: &Connection, org: &str, placed: &Placed, records: &[MemberId]) -> rusqlite::Result<Streaks> {
    held_meetings(connection, org, placed, records).map(Streaks::of)
}

/// The meetings that the group held in that time, oldest first, with the person's mark under any of these records.
pub(crate) fn held_meetings(
    connection: &Connection,
    org: &str,
    Placed { group, starts_on, ends_on, .. }: &Placed,
    records: &[MemberId],
) -> rusqlite::Result<Vec<HeldMeeting>> {
    // By the index, with a day more on both sides for time zones; then exactly. The better attended has the later name.
    let mut statement = connection.prepare_cached(
        "SELECT substr(starts_at_local, 1, 10),
                (SELECT max(mark) FROM attendance
                 WHERE meeting = key AND member IN (SELECT unhex(value) FROM json_each(?5)))
         FROM meetings
         WHERE org = ?1 AND grp = ?2 AND status = 'held'
           AND starts_at >= unixepoch(?3) - 86400 AND starts_at < unixepoch(?4) + 2 * 86400
           AND substr(starts_at_local, 1, 10) BETWEEN ?3 AND ?4
         ORDER BY starts_at, id",
    )?;
    let records: Vec<_> = records.iter().map(|id| id.0.simple().to_string()).collect();
    let records = serde_json::to_string(&records).expect("strings");
    let last = ends_on.unwrap_or(Date::MAX);
    let params = params![org, group.0.as_bytes(), starts_on.to_string(), last.to_string(), records];
    statement.query_map(params, |row| Ok((row::text(row, 0)?, row::maybe_word(row, 1)?)))?.collect()
}
