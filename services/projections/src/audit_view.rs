//! The view of the audit: who was shown whom.
//!
//! A list of people is named by one opening, and others of the same people refer to it. So what is read of a member is
//! what named them, and what refers to that.

use std::{cmp::Reverse, collections::BinaryHeap};

use domain::{
    AnyEvent, DomainEvent, GroupId, MeetingId, MemberId,
    audit::{Event, List, Opened},
    member::Field,
};
use host::{Folding, Scope, View, is_erased, row};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::topics;

/// Openings of personal data, and who was shown by each.
pub(crate) const OPENINGS: View = View {
    name: "openings",
    version: 1,
    schema: "
        CREATE TABLE openings (
            position INTEGER PRIMARY KEY,
            org TEXT NOT NULL,
            at INTEGER NOT NULL, -- seconds since 1970 (UTC)
            subject TEXT NOT NULL,
            role TEXT NOT NULL,
            operation TEXT NOT NULL,
            register BLOB, -- the meeting whose register it was, if it was one
            roster BLOB, -- the group whose roster it was, if it was one
            people INTEGER NOT NULL, -- how many
            named_at INTEGER NOT NULL, -- position of the opening that names them, which can be this one
            fields TEXT NOT NULL, -- JSON
            glass INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX openings_by_org ON openings (org, position);
        CREATE INDEX openings_again ON openings (named_at, position) WHERE named_at <> position;
        CREATE TABLE opened_members (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            position INTEGER NOT NULL,
            listed INTEGER NOT NULL, -- whether it was a list, which others name again
            PRIMARY KEY (org, member, position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX opened_members_by_position ON opened_members (position);
        CREATE INDEX opened_members_listed ON opened_members (org, member, position) WHERE listed;",
    tables: &[
        (
            "openings",
            "SELECT position, org, at, subject, role, operation, hex(register), hex(roster), people, named_at, fields,
                    glass
             FROM openings ORDER BY position",
        ),
        (
            "opened_members",
            "SELECT org, hex(member), position, listed FROM opened_members ORDER BY org, member, position",
        ),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["opened_members"],
    keeps: &[("who opened the record, without whose it was", "to account for access (GDPR Art. 5(2))")],
};

/// Most members that a line of the audit names, a count; how many there are, it says anyway.
const NAMED_MAX: u32 = 8;

/// What is said instead of the id of somebody who was erased.
const ERASED: &str = "a member who was erased";

/// An opening: somebody was shown members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Opening {
    /// Where the log says so: nobody else's business.
    #[serde(skip)]
    pub position: u64,
    pub at: Timestamp,
    /// To whom: the subject of their token.
    pub subject: String,
    /// What they were.
    pub role: String,
    pub operation: String,
    /// The meeting, if it was a register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<MeetingId>,
    /// The group, if it was a roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roster: Option<GroupId>,
    /// How many were shown; unit: member.
    pub people: u32,
    /// Which fields, of each member those that were there; none if it was only that they are here.
    pub fields: Vec<Field>,
    /// Whether only broken glass allowed it.
    pub glass: bool,
}

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(Event::Opened(opened)) = event.of() else { return Ok(()) };
    folding.tell(&topics::AUDIT, Scope::Organisation);
    let Opened { subject, role, operation, list, at: _, members, same_as, people, fields, glass } = opened;
    let position = folding.position();
    let people = people.unwrap_or(u32::try_from(members.len()).unwrap_or(u32::MAX));
    let named_at = same_as.map_or(position, |named| i64::try_from(named).unwrap_or(i64::MAX));
    let (register, roster) = match list {
        Some(List::Register(meeting)) => (Some(meeting.0), None),
        Some(List::Roster(group)) => (None, Some(group.0)),
        None => (None, None),
    };
    folding
        .rows
        .prepare_cached("INSERT INTO openings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?
        .execute(params![
            position,
            folding.org(),
            folding.event.recorded_at.as_second(),
            subject.as_str(),
            role.as_str(),
            operation.as_str(),
            register.as_ref().map(uuid::Uuid::as_bytes),
            roster.as_ref().map(uuid::Uuid::as_bytes),
            people,
            named_at,
            serde_json::to_string(fields).expect("words"),
            glass,
        ])?;
    for member in members {
        if !folding.is_erased(*member)? {
            folding
                .rows
                .prepare_cached("INSERT OR IGNORE INTO opened_members VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![folding.org(), member.0.as_bytes(), position, list.is_some()])?;
        }
    }
    Ok(())
}

/// Columns of an [`Opening`], for `FROM openings`.
macro_rules! opening_columns {
    () => {
        "position, at, subject, role, operation, register, roster, people, fields, glass"
    };
}

fn opening(row: &Row<'_>) -> rusqlite::Result<Opening> {
    let id = |column| row.get::<_, Option<[u8; 16]>>(column).map(|id| id.map(uuid::Uuid::from_bytes));
    Ok(Opening {
        position: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        at: row::time(row, 1)?,
        subject: row.get(2)?,
        role: row.get(3)?,
        operation: row.get(4)?,
        register: id(5)?.map(MeetingId),
        roster: id(6)?.map(GroupId),
        people: row.get(7)?,
        fields: row::json(row, 8)?,
        glass: row.get(9)?,
    })
}

/// Openings of the records of one person, latest first, before the one at a position.
pub(crate) fn of_person(
    connection: &Connection,
    org: &str,
    records: &[MemberId],
    before: Option<u64>,
    rows: usize,
) -> rusqlite::Result<Vec<Opening>> {
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut latest = Latest::new(rows.saturating_add(1));
    for member in records {
        named(connection, (org, *member), before, &mut latest)?;
        again(connection, (org, *member), before, &mut latest)?;
    }
    let sql = concat!("SELECT ", opening_columns!(), " FROM openings WHERE position = ?1 AND org = ?2");
    let mut statement = connection.prepare_cached(sql)?;
    let positions = latest.0.into_sorted_vec().into_iter();
    let openings = positions.map(|Reverse(at)| statement.query_row(params![at, org], opening));
    openings.map(|opening| unnamed(connection, org, opening?)).collect()
}

/// Of members who looked at their own record and were erased since, it is not said who it was.
fn unnamed(connection: &Connection, org: &str, mut opening: Opening) -> rusqlite::Result<Opening> {
    if let Ok(member) = opening.subject.parse()
        && is_erased(connection, org, member)?
    {
        opening.subject = ERASED.into();
    }
    Ok(opening)
}

/// The latest of positions, so many of them.
struct Latest(BinaryHeap<Reverse<i64>>, usize);

impl Latest {
    fn new(most: usize) -> Self {
        Self(BinaryHeap::new(), most)
    }

    /// Below this one none is needed any more.
    fn floor(&self) -> i64 {
        self.0.peek().filter(|_| self.0.len() >= self.1).map_or(-1, |Reverse(least)| *least)
    }

    /// Answers whether earlier ones are of no use.
    fn add(&mut self, position: i64) -> bool {
        let (floor, known) = (self.floor(), self.0.iter().any(|Reverse(other)| *other == position));
        if position > floor && !known {
            self.0.push(Reverse(position));
            if self.0.len() > self.1 {
                self.0.pop();
            }
        }
        position <= floor
    }
}

/// Openings that name the member.
fn named(
    connection: &Connection,
    (org, member): (&str, MemberId),
    before: i64,
    latest: &mut Latest,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT position FROM opened_members WHERE org = ?1 AND member = ?2 AND position < ?3 ORDER BY position DESC",
    )?;
    let mut rows = statement.query(params![org, member.0.as_bytes(), before])?;
    while let Some(row) = rows.next()? {
        if latest.add(row.get(0)?) {
            break;
        }
    }
    Ok(())
}

/// Openings of lists that an earlier one named, with the member on it.
fn again(
    connection: &Connection,
    (org, member): (&str, MemberId),
    before: i64,
    latest: &mut Latest,
) -> rusqlite::Result<()> {
    let mut lists = connection.prepare_cached(
        "SELECT position FROM opened_members WHERE org = ?1 AND member = ?2 AND listed AND position < ?3
         ORDER BY position DESC",
    )?;
    let mut openings = connection.prepare_cached(
        "SELECT position FROM openings WHERE named_at = ?1 AND named_at <> position AND position < ?2 AND position > ?3
           AND org = ?4 ORDER BY position DESC",
    )?;
    let lists: Vec<i64> =
        lists.query_map(params![org, member.0.as_bytes(), before], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for list in lists {
        let mut rows = openings.query(params![list, before, latest.floor(), org])?;
        while let Some(row) = rows.next()? {
            if latest.add(row.get(0)?) {
                break;
            }
        }
    }
    Ok(())
}

/// Openings in an organisation, latest first, before the one at a position; and whom each showed, if they are few and
/// were no list.
pub(crate) fn of_org(
    connection: &Connection,
    org: &str,
    before: Option<u64>,
    rows: usize,
) -> rusqlite::Result<Vec<(Opening, Vec<MemberId>)>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        opening_columns!(),
        " FROM openings WHERE org = ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3"
    ))?;
    let mut members = connection.prepare_cached("SELECT member FROM opened_members WHERE position = ?1")?;
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![org, before, row::limit(rows)], |row| {
        let opening = unnamed(connection, org, opening(row)?)?;
        if opening.people > NAMED_MAX || opening.register.is_some() || opening.roster.is_some() {
            return Ok((opening, vec![]));
        }
        let of = members.query_map([row.get::<_, i64>(0)?], |row| row::uuid(row, 0).map(MemberId))?;
        Ok((opening, of.collect::<rusqlite::Result<_>>()?))
    })?;
    rows.collect()
}
