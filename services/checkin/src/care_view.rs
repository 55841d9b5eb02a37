//! The view of members' care: check-ins, goals and concerns, each as it was sealed.

use domain::{
    AnyEvent, CheckInId, ConcernId, DomainEvent, GoalId, MemberId, Sealed, Subject,
    care::{
        CheckInCorrected, CheckInEnteredInError, CheckInRecorded, ConcernAcknowledged, ConcernRaised, ConcernResolved,
        EnteredBy, Event, GoalEnd, GoalEnded, GoalRated, GoalSet, Outcome, When,
    },
    protocol::{self, Edition},
};
use host::{Folding, Scope, View, row};
use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::Serialize;
use uuid::Uuid;

use crate::topics;

/// Check-ins, goals and concerns of members.
pub(crate) const CARE: View = View {
    name: "care",
    version: 1,
    schema: "
        CREATE TABLE check_ins (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            id BLOB NOT NULL,
            position INTEGER NOT NULL,
            on_day TEXT NOT NULL, -- local date
            instrument TEXT NOT NULL,
            edition TEXT NOT NULL, -- JSON
            moment TEXT NOT NULL, -- JSON: day, group, meeting
            entered_by TEXT NOT NULL, -- JSON
            in_error INTEGER NOT NULL,
            answers TEXT NOT NULL, -- sealed
            PRIMARY KEY (org, member, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE goals (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            id BLOB NOT NULL,
            position INTEGER NOT NULL,
            moment TEXT NOT NULL, -- JSON
            revises BLOB,
            words TEXT NOT NULL, -- sealed
            ended TEXT,
            ended_on TEXT, -- local date
            PRIMARY KEY (org, member, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE goal_ratings (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            goal BLOB NOT NULL,
            position INTEGER NOT NULL,
            moment TEXT NOT NULL, -- JSON
            entered_by TEXT NOT NULL, -- JSON
            rating TEXT NOT NULL, -- sealed
            PRIMARY KEY (org, member, goal, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE concerns (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            id BLOB NOT NULL,
            position INTEGER NOT NULL,
            acknowledge_by INTEGER NOT NULL, -- seconds since 1970
            raised TEXT NOT NULL, -- JSON: as it was raised, what it says sealed
            owner TEXT,
            acknowledged_at INTEGER, -- seconds since 1970
            resolved_at INTEGER, -- seconds since 1970
            outcome TEXT,
            note TEXT, -- sealed
            PRIMARY KEY (org, member, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX concerns_open ON concerns (org, acknowledge_by, position) WHERE resolved_at IS NULL;",
    tables: &[
        (
            "check_ins",
            "SELECT org, hex(member), hex(id), position, on_day, instrument, edition, moment, entered_by, in_error, answers
             FROM check_ins ORDER BY org, member, id",
        ),
        (
            "goals",
            "SELECT org, hex(member), hex(id), position, moment, hex(revises), words, ended, ended_on
             FROM goals ORDER BY org, member, id",
        ),
        (
            "goal_ratings",
            "SELECT org, hex(member), hex(goal), position, moment, entered_by, rating
             FROM goal_ratings ORDER BY org, member, goal, position",
        ),
        (
            "concerns",
            "SELECT org, hex(member), hex(id), position, raised, owner, acknowledged_at, resolved_at, outcome, note
             FROM concerns ORDER BY org, member, id",
        ),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY, protocol::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["check_ins", "goals", "goal_ratings", "concerns"],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if event.of::<protocol::Event>().is_some() {
        folding.tell(&topics::PROTOCOL, Scope::Organisation);
    }
    let Some(event) = event.of() else { return Ok(()) };
    tell(folding, event);
    if folding.is_erased(MemberId(folding.event.stream.id()))? {
        return Ok(()); // nothing follows an erasure
    }
    match event {
        Event::CheckInRecorded(recorded) => record(folding, recorded),
        Event::CheckInCorrected(CheckInCorrected { check_in, answers, .. }) => {
            change(folding, "check_ins SET answers = ?4", check_in.0, &[&answers.as_str()])
        }
        Event::CheckInEnteredInError(CheckInEnteredInError { check_in, .. }) => {
            change(folding, "check_ins SET in_error = 1", check_in.0, &[])
        }
        Event::GoalSet(set) => set_goal(folding, set),
        Event::GoalRated(rated) => rate_goal(folding, rated),
        Event::GoalEnded(GoalEnded { goal, end, on }) => {
            let end: &'static str = end.into();
            change(folding, "goals SET ended = ?4, ended_on = ?5", goal.0, &[&end, &on.to_string()])
        }
        Event::ConcernRaised(raised) => raise(folding, raised),
        Event::ConcernAcknowledged(ConcernAcknowledged { concern, by, at }) => {
            let now = "concerns SET owner = ?4, acknowledged_at = coalesce(acknowledged_at, ?5)";
            change(folding, now, concern.0, &[&by.as_str(), &at.as_second()])
        }
        Event::ConcernResolved(ConcernResolved { concern, by, at, outcome, note }) => {
            let outcome: &'static str = outcome.into();
            let now = "concerns SET owner = ?4, resolved_at = ?5, outcome = ?6, note = ?7";
            change(folding, now, concern.0, &[&by.as_str(), &at.as_second(), &outcome, &note.as_str()])
        }
    }
}

/// Tells those who watch what changed of the member's care.
fn tell(folding: &Folding<'_>, event: &Event) {
    let member = Scope::Member(MemberId(folding.event.stream.id()));
    match event {
        Event::CheckInRecorded(CheckInRecorded { when, .. }) => {
            folding.tell(&topics::CHECK_INS, member);
            if let Some(group) = when.group {
                folding.tell(&topics::CHECK_INS, Scope::Group(group));
            }
        }
        Event::CheckInCorrected(_) | Event::CheckInEnteredInError(_) => folding.tell(&topics::CHECK_INS, member),
        Event::GoalSet(_) | Event::GoalRated(_) | Event::GoalEnded(_) => folding.tell(&topics::GOALS, member),
        Event::ConcernRaised(_) | Event::ConcernAcknowledged(_) | Event::ConcernResolved(_) => {
            folding.tell(&topics::CONCERNS, member);
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("string keys only")
}

/// Changes one row of the member's; `now` may speak of `values`, the first of them as `?4`.
fn change(folding: &Folding<'_>, now: &'static str, id: Uuid, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let (org, member) = (folding.org(), folding.event.stream.id());
    let row: [&dyn ToSql; 3] = [&org, &member.as_bytes(), &id.as_bytes()];
    let sql = format!("UPDATE {now} WHERE org = ?1 AND member = ?2 AND id = ?3");
    folding.rows.prepare_cached(&sql)?.execute(&*[&row[..], values].concat())?;
    Ok(())
}

fn record(folding: &Folding<'_>, recorded: &CheckInRecorded) -> rusqlite::Result<()> {
    let CheckInRecorded { check_in, edition, when, entered_by, answers, .. } = recorded;
    let mut insert =
        folding.rows.prepare_cached("INSERT INTO check_ins VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)")?;
    insert.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        check_in.0.as_bytes(),
        folding.position(),
        when.on.to_string(),
        edition.instrument.as_str(),
        json(edition),
        json(when),
        json(entered_by),
        answers.as_str(),
    ])?;
    Ok(())
}

fn set_goal(folding: &Folding<'_>, set: &GoalSet) -> rusqlite::Result<()> {
    let GoalSet { goal, when, revises, words } = set;
    let mut insert =
        folding.rows.prepare_cached("INSERT INTO goals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL)")?;
    insert.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        goal.0.as_bytes(),
        folding.position(),
        json(when),
        revises.as_ref().map(|revised| revised.0.as_bytes()),
        words.as_str(),
    ])?;
    Ok(())
}

fn rate_goal(folding: &Folding<'_>, rated: &GoalRated) -> rusqlite::Result<()> {
    let GoalRated { goal, when, entered_by, rating } = rated;
    let mut insert = folding.rows.prepare_cached("INSERT INTO goal_ratings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    insert.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        goal.0.as_bytes(),
        folding.position(),
        json(when),
        json(entered_by),
        rating.as_str(),
    ])?;
    Ok(())
}

fn raise(folding: &Folding<'_>, raised: &ConcernRaised) -> rusqlite::Result<()> {
    let mut insert = folding
        .rows
        .prepare_cached("INSERT INTO concerns VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, NULL, NULL, NULL)")?;
    insert.execute(params![
        folding.org(),
        folding.event.stream.id().as_bytes(),
        raised.concern.0.as_bytes(),
        folding.position(),
        raised.acknowledge_by.as_second(),
        json(raised),
    ])?;
    Ok(())
}

/// A check-in, as it was sealed.
#[derive(Debug, Clone)]
pub(crate) struct CheckInRow {
    pub member: MemberId,
    pub id: CheckInId,
    pub edition: Edition,
    pub when: When,
    pub entered_by: EnteredBy,
    pub answers: Sealed,
}

/// A goal, as it was sealed, and its ratings, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct GoalRow {
    pub member: MemberId,
    pub id: GoalId,
    pub when: When,
    pub revises: Option<GoalId>,
    pub words: Sealed,
    pub ended: Option<(GoalEnd, Date)>,
    pub ratings: Vec<(When, EnteredBy, Sealed)>,
}

/// A concern, as it was sealed.
#[derive(Debug, Clone)]
pub(crate) struct ConcernRow {
    pub member: MemberId,
    pub position: i64,
    pub raised: ConcernRaised,
    pub owner: Option<Subject>,
    pub acknowledged_at: Option<Timestamp>,
    pub resolved: Option<(Timestamp, Outcome, Sealed)>,
}

/// The ids of records, as SQL takes them.
fn ids(records: &[MemberId]) -> String {
    json(&records.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>())
}

fn sealed(row: &Row<'_>, column: usize) -> rusqlite::Result<Sealed> {
    let Ok(sealed) = row.get_ref(column)?.as_str()?.parse();
    Ok(sealed)
}

/// Check-ins under any of these records that were not taken back, oldest first.
pub(crate) fn check_ins(connection: &Connection, org: &str, records: &[MemberId]) -> rusqlite::Result<Vec<CheckInRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT member, id, edition, moment, entered_by, answers FROM check_ins
         WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2)) AND NOT in_error
         ORDER BY on_day, position",
    )?;
    let rows = statement.query_map(params![org, ids(records)], |row| {
        Ok(CheckInRow {
            member: MemberId(row::uuid(row, 0)?),
            id: CheckInId(row::uuid(row, 1)?),
            edition: row::json(row, 2)?,
            when: row::json(row, 3)?,
            entered_by: row::json(row, 4)?,
            answers: sealed(row, 5)?,
        })
    })?;
    rows.collect()
}

/// On which days there was a check-in with an instrument under any of these records, but for those taken back.
pub(crate) fn days(
    connection: &Connection,
    org: &str,
    records: &[MemberId],
    instrument: &str,
) -> rusqlite::Result<Vec<Date>> {
    let mut statement = connection.prepare_cached(
        "SELECT on_day FROM check_ins
         WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2)) AND instrument = ?3 AND NOT in_error",
    )?;
    statement.query_map(params![org, ids(records), instrument], |row| row::text(row, 0))?.collect()
}

/// Goals under any of these records, oldest first.
pub(crate) fn goals(connection: &Connection, org: &str, records: &[MemberId]) -> rusqlite::Result<Vec<GoalRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT member, id, moment, revises, words, ended, ended_on FROM goals
         WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2)) ORDER BY position",
    )?;
    let rows = statement.query_map(params![org, ids(records)], |row| {
        let (member, id) = (MemberId(row::uuid(row, 0)?), GoalId(row::uuid(row, 1)?));
        let revises = row.get::<_, Option<[u8; 16]>>(3)?.map(|id| GoalId(Uuid::from_bytes(id)));
        let ended = row::maybe_word::<GoalEnd>(row, 5)?;
        Ok(GoalRow {
            member,
            id,
            when: row::json(row, 2)?,
            revises,
            words: sealed(row, 4)?,
            ended: ended.zip(row::maybe_text(row, 6)?),
            ratings: ratings(connection, org, member, id)?,
        })
    })?;
    rows.collect()
}

fn ratings(
    connection: &Connection,
    org: &str,
    member: MemberId,
    goal: GoalId,
) -> rusqlite::Result<Vec<(When, EnteredBy, Sealed)>> {
    let mut statement = connection.prepare_cached(
        "SELECT moment, entered_by, rating FROM goal_ratings
         WHERE org = ?1 AND member = ?2 AND goal = ?3 ORDER BY position",
    )?;
    let rows = statement.query_map(params![org, member.0.as_bytes(), goal.0.as_bytes()], |row| {
        Ok((row::json(row, 0)?, row::json(row, 1)?, sealed(row, 2)?))
    })?;
    rows.collect()
}

fn concern(row: &Row<'_>) -> rusqlite::Result<ConcernRow> {
    let time = |column| row.get::<_, Option<i64>>(column)?.map(|_| row::time(row, column)).transpose();
    let resolved = match time(5)? {
        Some(at) => Some((at, row::word(row, 6)?, sealed(row, 7)?)),
        None => None,
    };
    Ok(ConcernRow {
        member: MemberId(row::uuid(row, 0)?),
        position: row.get(1)?,
        raised: row::json(row, 2)?,
        owner: row::maybe_text(row, 3)?,
        acknowledged_at: time(4)?,
        resolved,
    })
}

/// Concerns that nobody has settled, by their deadlines, after the one with this deadline and position.
pub(crate) fn open_concerns(
    connection: &Connection,
    org: &str,
    after: Option<(i64, i64)>,
    rows: usize,
) -> rusqlite::Result<Vec<ConcernRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT member, position, raised, owner, acknowledged_at, resolved_at, outcome, note FROM concerns
         WHERE org = ?1 AND (acknowledge_by, position) > (?2, ?3) AND resolved_at IS NULL
         ORDER BY acknowledge_by, position LIMIT ?4",
    )?;
    let (deadline, position) = after.unwrap_or((i64::MIN, 0));
    statement.query_map(params![org, deadline, position, row::limit(rows)], concern)?.collect()
}

/// All concerns that nobody has settled, and about whom each is, by the record under which they go on.
pub(crate) fn all_open_concerns(
    connection: &Connection,
    org: &str,
) -> rusqlite::Result<(Vec<ConcernRow>, Vec<MemberId>)> {
    let open = open_concerns(connection, org, None, usize::MAX)?;
    let persons =
        open.iter().map(|row| projections::goes_on_as(connection, org, row.member)).collect::<Result<_, _>>()?;
    Ok((open, persons))
}

/// Concerns about any of these records, oldest first.
pub(crate) fn concerns(connection: &Connection, org: &str, records: &[MemberId]) -> rusqlite::Result<Vec<ConcernRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT member, position, raised, owner, acknowledged_at, resolved_at, outcome, note FROM concerns
         WHERE org = ?1 AND member IN (SELECT unhex(value) FROM json_each(?2)) ORDER BY position",
    )?;
    statement.query_map(params![org, ids(records)], concern)?.collect()
}

/// One concern.
pub(crate) fn find_concern(
    connection: &Connection,
    org: &str,
    member: MemberId,
    id: ConcernId,
) -> rusqlite::Result<Option<ConcernRow>> {
    connection
        .prepare_cached(
            "SELECT member, position, raised, owner, acknowledged_at, resolved_at, outcome, note FROM concerns
             WHERE org = ?1 AND member = ?2 AND id = ?3",
        )?
        .query_row(params![org, member.0.as_bytes(), id.0.as_bytes()], concern)
        .optional()
}
