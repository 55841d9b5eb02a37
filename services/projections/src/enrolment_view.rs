//! The view of enrolments: who asks for a place, who waits, who is on the roster, how it ended. A row is what was recorded;
//! what holds on a day is computed when it is read.

use std::collections::HashSet;

use domain::{
    AnyEvent, DomainEvent, GroupId, LocalDay, MemberId, Subject,
    roster::{
        Applied, Cancelled, CapacitySet, Completed, Confirmed, Corrected, Declined, End, Enrolled, EnteredInError,
        Event, Promoted, Recorded, Stage, TurnMoved, Waitlisted, Withdrawn,
    },
};
use host::{Folding, Scope, View, row};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, ToSql, params};

use crate::topics;

/// Who is, was or wants to be on the roster of a group, and how many places it has.
pub const ENROLMENTS: View = View {
    name: "enrolments",
    version: 2,
    schema: "
        CREATE TABLE enrolments (
            org TEXT NOT NULL,
            grp BLOB NOT NULL,
            member BLOB NOT NULL,
            began INTEGER NOT NULL, -- position of its first event
            recorded_at INTEGER NOT NULL, -- seconds since 1970: when that was recorded
            stage TEXT NOT NULL, -- as recorded: active is computed
            asked_on TEXT, -- local date
            starts_on TEXT, -- local date; none before there is a place
            ends_on TEXT, -- local date, included
            queued INTEGER, -- while it waits: its turn, the position of an event that put somebody on the waiting list
            proposed_by TEXT, -- who recorded it, while nobody with authority has confirmed it
            PRIMARY KEY (org, grp, member, began)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX enrolments_by_member ON enrolments (org, member);
        CREATE INDEX enrolments_waiting ON enrolments (org, grp, queued) WHERE queued IS NOT NULL;
        CREATE INDEX enrolments_unconfirmed ON enrolments (org, began) WHERE proposed_by IS NOT NULL;
        CREATE TABLE capacities (
            org TEXT NOT NULL,
            grp BLOB NOT NULL,
            places INTEGER, -- none: as many as a roster can hold
            PRIMARY KEY (org, grp)
        ) STRICT, WITHOUT ROWID;",
    tables: &[
        (
            "enrolments",
            "SELECT org, hex(grp), hex(member), began, recorded_at, stage, asked_on, starts_on, ends_on, queued, proposed_by
             FROM enrolments ORDER BY org, grp, member, began",
        ),
        ("capacities", "SELECT org, hex(grp), places FROM capacities ORDER BY org, grp"),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[("enrolments under a random id", "to count what took place (GDPR Art. 89)")],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return Ok(()) };
    folding.tell(&topics::ENROLMENTS, Scope::Group(GroupId(folding.event.stream.id())));
    match event {
        Event::Applied(Applied { member, on, proposed_by }) => {
            begin(folding, *member, Stage::Applied, (Some(*on), None), proposed_by.as_ref())
        }
        Event::Waitlisted(Waitlisted { member, on, proposed_by, .. }) => {
            let (by, queued) = (proposed_by.as_ref().map(Subject::as_str), folding.position());
            let waits = "stage = 'waitlisted', queued = ?4, proposed_by = ?5";
            if !change(folding, *member, waits, &[&queued, &by])? {
                begin(folding, *member, Stage::Waitlisted, (Some(*on), None), proposed_by.as_ref())?;
                change(folding, *member, waits, &[&queued, &by])?;
            }
            Ok(())
        }
        Event::Enrolled(Enrolled { member, starts_on, proposed_by, .. }) => {
            let has = "stage = 'enrolled', queued = NULL, starts_on = ?4, proposed_by = ?5";
            let by = proposed_by.as_ref().map(Subject::as_str);
            if !change(folding, *member, has, &[&starts_on.to_string(), &by])? {
                begin(folding, *member, Stage::Enrolled, (None, Some(*starts_on)), proposed_by.as_ref())?;
            }
            Ok(())
        }
        Event::Promoted(Promoted { member, starts_on }) => {
            let has = "stage = 'enrolled', queued = NULL, starts_on = ?4";
            if !change(folding, *member, has, &[&starts_on.to_string()])? {
                begin(folding, *member, Stage::Enrolled, (None, Some(*starts_on)), None)?;
            }
            Ok(())
        }
        Event::Confirmed(Confirmed { member, since }) => confirm(folding, *member, *since),
        Event::Completed(Completed { member, ends_on }) => end(folding, *member, End { on: *ends_on, completed: true }),
        Event::Withdrawn(Withdrawn { member, ends_on, .. }) => {
            end(folding, *member, End { on: *ends_on, completed: false })
        }
        Event::Recorded(Recorded { member, starts_on, end: how, proposed_by, .. }) => {
            begin(folding, *member, stage(Some(*how)), (None, Some(*starts_on)), proposed_by.as_ref())?;
            end_of(folding, *member, "began = ?4", (&folding.position(), None), Some(*how))
        }
        Event::Corrected(Corrected { member, since, starts_on, end, .. }) => {
            end_of(folding, *member, "starts_on = ?4", (&since.to_string(), Some(*starts_on)), *end)
        }
        Event::TurnMoved(TurnMoved { member, after, .. }) => move_turn(folding, *member, *after),
        Event::Declined(Declined { member, .. }) => {
            change(folding, *member, "stage = 'declined', queued = NULL", &[]).map(drop)
        }
        Event::Cancelled(Cancelled { member, .. }) => {
            change(folding, *member, "stage = 'withdrawn', queued = NULL, starts_on = NULL", &[]).map(drop)
        }
        Event::EnteredInError(EnteredInError { member, since, .. }) => take_back(folding, *member, *since),
        Event::CapacitySet(CapacitySet { places }) => set_capacity(folding, places.map(domain::roster::Places::get)),
    }
}

fn begin(
    folding: &Folding<'_>,
    member: MemberId,
    stage: Stage,
    (asked_on, starts_on): (Option<Date>, Option<Date>),
    proposed_by: Option<&Subject>,
) -> rusqlite::Result<()> {
    let group = folding.event.stream.id();
    folding
        .rows
        .prepare_cached("INSERT INTO enrolments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, NULL, ?9)")?
        .execute(params![
            folding.org(),
            group.as_bytes(),
            member.0.as_bytes(),
            folding.position(),
            folding.event.recorded_at.as_second(),
            stage.as_str(),
            asked_on.map(|day| day.to_string()),
            starts_on.map(|day| day.to_string()),
            proposed_by.map(Subject::as_str),
        ])?;
    Ok(())
}

/// Changes the one row of the member in this group that is not over, if there is one; `now` may speak of `values`, the
/// first of them as `?4`.
fn change(folding: &Folding<'_>, member: MemberId, now: &'static str, values: &[&dyn ToSql]) -> rusqlite::Result<bool> {
    let sql = format!(
        "UPDATE enrolments SET {now}
         WHERE org = ?1 AND grp = ?2 AND member = ?3 AND stage IN ('applied', 'waitlisted', 'enrolled')"
    );
    let mut statement = folding.rows.prepare_cached(&sql)?;
    let (group, org) = (folding.event.stream.id(), folding.org());
    let row: [&dyn ToSql; 3] = [&org, &group.as_bytes(), &member.0.as_bytes()];
    Ok(statement.execute([&row, values].concat().as_slice())? > 0)
}

fn stage(end: Option<End>) -> Stage {
    match end {
        None => Stage::Enrolled,
        Some(End { completed: true, .. }) => Stage::Completed,
        Some(End { completed: false, .. }) => Stage::Withdrawn,
    }
}

/// So the member's last enrolment ended.
fn end(folding: &Folding<'_>, member: MemberId, end: End) -> rusqlite::Result<()> {
    let (group, org) = (folding.event.stream.id(), folding.org());
    let last: Option<String> = folding
        .rows
        .prepare_cached("SELECT max(starts_on) FROM enrolments WHERE org = ?1 AND grp = ?2 AND member = ?3")?
        .query_row(params![org, group.as_bytes(), member.0.as_bytes()], |row| row.get(0))?;
    end_of(folding, member, "starts_on = ?4", (&last, None), Some(end))
}

/// The member's enrolment that is `which` ended so, or lasts, and began on that day.
fn end_of(
    folding: &Folding<'_>,
    member: MemberId,
    which: &'static str,
    (of, starts_on): (&dyn ToSql, Option<Date>),
    end: Option<End>,
) -> rusqlite::Result<()> {
    let (group, org) = (folding.event.stream.id(), folding.org());
    let sql = format!(
        "UPDATE enrolments SET stage = ?5, ends_on = ?6, starts_on = coalesce(?7, starts_on)
         WHERE org = ?1 AND grp = ?2 AND member = ?3 AND {which}"
    );
    let (stage, ends_on) = (stage(end).as_str(), end.map(|end| end.on.to_string()));
    let starts_on = starts_on.map(|day| day.to_string());
    folding.rows.prepare_cached(&sql)?.execute(params![
        org,
        group.as_bytes(),
        member.0.as_bytes(),
        of,
        stage,
        ends_on,
        starts_on
    ])?;
    Ok(())
}

/// The turns stay, and go to others: after that of `after` comes that of the member, or the first is theirs.
fn move_turn(folding: &Folding<'_>, member: MemberId, after: Option<MemberId>) -> rusqlite::Result<()> {
    let (group, org) = (folding.event.stream.id(), folding.org());
    let waits =
        "SELECT member, queued FROM enrolments WHERE org = ?1 AND grp = ?2 AND queued IS NOT NULL ORDER BY queued";
    let mut statement = folding.rows.prepare_cached(waits)?;
    let rows = statement
        .query_map(params![org, group.as_bytes()], |row| Ok((MemberId(row::uuid(row, 0)?), row.get::<_, i64>(1)?)));
    let (mut line, turns): (Vec<MemberId>, Vec<i64>) = rows?.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let before = line.clone();
    line.retain(|other| *other != member);
    if line.len() == before.len() {
        return Ok(());
    }
    let at = after.and_then(|after| line.iter().position(|other| *other == after));
    line.insert(at.map_or(0, |at| at + 1), member);
    let moved = line.iter().zip(&before).zip(turns).filter(|((now, then), _)| now != then);
    for ((member, _), turn) in moved {
        change(folding, *member, "queued = ?4", &[&turn])?;
    }
    Ok(())
}

fn confirm(folding: &Folding<'_>, member: MemberId, since: Date) -> rusqlite::Result<()> {
    let group = folding.event.stream.id();
    folding
        .rows
        .prepare_cached(
            "UPDATE enrolments SET proposed_by = NULL WHERE org = ?1 AND grp = ?2 AND member = ?3
               AND (starts_on = ?4 OR (stage IN ('applied', 'waitlisted') AND asked_on = ?4))",
        )?
        .execute(params![folding.org(), group.as_bytes(), member.0.as_bytes(), since.to_string()])?;
    Ok(())
}

fn take_back(folding: &Folding<'_>, member: MemberId, since: Date) -> rusqlite::Result<()> {
    let group = folding.event.stream.id();
    // An application without an answer first, as the domain has it.
    folding
        .rows
        .prepare_cached(
            "DELETE FROM enrolments WHERE org = ?1 AND grp = ?2 AND member = ?3 AND began = (
                 SELECT began FROM enrolments WHERE org = ?1 AND grp = ?2 AND member = ?3
                   AND (starts_on = ?4 OR (stage IN ('applied', 'waitlisted') AND asked_on = ?4))
                 ORDER BY starts_on IS NOT NULL, began LIMIT 1)",
        )?
        .execute(params![folding.org(), group.as_bytes(), member.0.as_bytes(), since.to_string()])?;
    Ok(())
}

fn set_capacity(folding: &Folding<'_>, places: Option<u16>) -> rusqlite::Result<()> {
    let group = folding.event.stream.id();
    folding
        .rows
        .prepare_cached("INSERT INTO capacities VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET places = ?3")?
        .execute(params![folding.org(), group.as_bytes(), places])?;
    Ok(())
}

/// Whether a row of enrolments opens the member's record to those who lead the group.
macro_rules! opens {
    () => {
        "proposed_by IS NULL AND (starts_on IS NOT NULL OR stage IN ('applied', 'waitlisted'))"
    };
}

/// Members whose records are open to those who lead the group: who has or had a place in it or asks for one, not by
/// their own act.
pub(crate) fn open_in(connection: &Connection, org: &str, group: GroupId) -> rusqlite::Result<HashSet<MemberId>> {
    let mut statement = connection
        .prepare_cached(concat!("SELECT member FROM enrolments WHERE org = ?1 AND grp = ?2 AND ", opens!()))?;
    let rows = statement.query_map(params![org, group.0.as_bytes()], |row| row::uuid(row, 0).map(MemberId))?;
    rows.collect()
}

/// Whether one of the group's enrolments opens the member's record.
pub(crate) fn is_open(
    connection: &Connection,
    (org, group): (&str, GroupId),
    member: MemberId,
) -> rusqlite::Result<bool> {
    let sql = concat!("SELECT 1 FROM enrolments WHERE org = ?1 AND grp = ?2 AND member = ?3 AND ", opens!());
    connection.prepare_cached(sql)?.exists(params![org, group.0.as_bytes(), member.0.as_bytes()])
}

/// Members on the roster that day whose records are open to those who lead the group.
pub(crate) fn open_on(
    connection: &Connection,
    (org, group): (&str, GroupId),
    day: &LocalDay,
) -> rusqlite::Result<HashSet<MemberId>> {
    let mut statement = connection.prepare_cached(
        "SELECT member FROM enrolments WHERE org = ?1 AND grp = ?2 AND proposed_by IS NULL
           AND starts_on <= ?3 AND (ends_on IS NULL OR ends_on >= ?3)",
    )?;
    let params = params![org, group.0.as_bytes(), day.date().to_string()];
    statement.query_map(params, |row| row::uuid(row, 0).map(MemberId))?.collect()
}

/// When the enrolment was recorded that began at a position.
pub(crate) fn recorded_at(
    connection: &Connection,
    org: &str,
    group: GroupId,
    began: i64,
) -> rusqlite::Result<Timestamp> {
    connection
        .prepare_cached("SELECT recorded_at FROM enrolments WHERE org = ?1 AND grp = ?2 AND began = ?3 LIMIT 1")?
        .query_row(params![org, group.0.as_bytes(), began], |row| row::time(row, 0))
}

/// A time that a person has, or had, a place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// In which.
    pub group: GroupId,
    /// Who, by the record under which they go on.
    pub person: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
    /// Last day on the roster, if it ends.
    pub ends_on: Option<Date>,
}

/// Every time that somebody has, or had, a place in a group, or that a member has one in any, by group and person. A
/// person's times that overlap are one, under whichever records. Without those who were erased.
///
/// # Errors
/// What SQLite says.
pub fn placed(
    connection: &Connection,
    org: &str,
    (group, member): (Option<GroupId>, Option<MemberId>),
) -> rusqlite::Result<Vec<Placed>> {
    let mut statement = connection.prepare_cached(
        "SELECT grp, coalesce(person, member) AS whose, starts_on, ends_on
         FROM enrolments LEFT JOIN persons ON persons.org = enrolments.org AND record = member
         WHERE enrolments.org = ?1 AND starts_on IS NOT NULL AND (?2 IS NULL OR grp = ?2)
           AND (?3 IS NULL OR member = ?3 OR member IN (
               SELECT record FROM persons WHERE org = ?1 AND person = (
                   SELECT person FROM persons WHERE org = ?1 AND record = ?3)))
           AND (?1, member) NOT IN (SELECT org, member FROM erased)
         ORDER BY grp, whose, starts_on",
    )?;
    let (group, member) = (group.map(|group| *group.0.as_bytes()), member.map(|member| *member.0.as_bytes()));
    let rows = statement.query_map(params![org, group, member], |row| {
        let (group, person) = (GroupId(row::uuid(row, 0)?), MemberId(row::uuid(row, 1)?));
        Ok(Placed { group, person, starts_on: row::text(row, 2)?, ends_on: row::maybe_text(row, 3)? })
    })?;
    let mut placed = Vec::<Placed>::new();
    for next in rows {
        let next = next?;
        let same = |last: &&mut Placed| (last.group, last.person) == (next.group, next.person);
        match placed.last_mut().filter(same) {
            Some(last) if last.ends_on.is_none_or(|ends_on| next.starts_on <= ends_on) => {
                last.ends_on = last.ends_on.zip(next.ends_on).map(|(last, next)| last.max(next));
            }
            _ => placed.push(next),
        }
    }
    Ok(placed)
}
