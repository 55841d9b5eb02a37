//! The view of the audit: who opened whose personal data.

use domain::{
    MemberId,
    audit::{Event, Opened},
    member::Field,
};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{record_view, row, views::Folding};

/// An opening of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Opening {
    /// Where the log says so.
    pub position: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// For whom: the subject of their token.
    pub subject: String,
    /// What they were.
    pub role: String,
    pub operation: String,
    /// Which fields, of each member those that were there.
    pub fields: Vec<Field>,
    /// Whether only broken glass allowed it.
    pub glass: bool,
}

pub(crate) fn fold(folding: &mut Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    let Event::Opened(Opened { subject, role, operation, members, fields, glass }) = event;
    let position = folding.position();
    folding.rows.prepare_cached("INSERT INTO openings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        position,
        folding.org(),
        folding.event.recorded_at.as_second(),
        subject.as_str(),
        role.as_str(),
        operation.as_str(),
        serde_json::to_string(fields).expect("words"),
        glass,
    ])?;
    for member in members {
        if !record_view::is_erased(folding.rows, folding.org(), *member)? {
            folding
                .rows
                .prepare_cached("INSERT OR IGNORE INTO opened_members VALUES (?1, ?2, ?3)")?
                .execute(params![folding.org(), member.0.as_bytes(), position])?;
        }
    }
    Ok(())
}

fn opening(row: &Row<'_>) -> rusqlite::Result<Opening> {
    Ok(Opening {
        position: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        at: row::time(row, 1)?,
        subject: row.get(2)?,
        role: row.get(3)?,
        operation: row.get(4)?,
        fields: row::json(row, 5)?,
        glass: row.get(6)?,
    })
}

/// Openings of one member's data, latest first, before the one at a position.
pub(crate) fn of_member(
    connection: &Connection,
    org: &str,
    member: MemberId,
    before: Option<u64>,
    rows: usize,
) -> rusqlite::Result<Vec<Opening>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, at, subject, role, operation, fields, glass
         FROM opened_members CROSS JOIN openings USING (position)
         WHERE opened_members.org = ?1 AND member = ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4",
    )?;
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    statement.query_map(params![org, member.0.as_bytes(), before, row::limit(rows)], opening)?.collect()
}

/// Openings in an organisation, latest first, before the one at a position; and whose data each opened.
pub(crate) fn of_org(
    connection: &Connection,
    org: &str,
    before: Option<u64>,
    rows: usize,
) -> rusqlite::Result<Vec<(Opening, Vec<MemberId>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, at, subject, role, operation, fields, glass FROM openings
         WHERE org = ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3",
    )?;
    let mut members = connection.prepare_cached("SELECT member FROM opened_members WHERE position = ?1")?;
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![org, before, row::limit(rows)], |row| {
        let of = members.query_map([row.get::<_, i64>(0)?], |row| row::uuid(row, 0).map(MemberId))?;
        Ok((opening(row)?, of.collect::<rusqlite::Result<_>>()?))
    })?;
    rows.collect()
}
