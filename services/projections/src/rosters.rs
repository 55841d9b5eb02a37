//! Rosters and waiting lists as they are on a day: read of enrolments, of registers, because who came is active, and of
//! records, because a merged person has one place.

use domain::{GroupId, LocalDay, MemberId, roster::Stage};
use host::row;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Null};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::group_view;

/// An enrolment, or the wish for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Enrolment {
    /// On the day that was asked for. Enrolled, active: has a place. Completed, withdrawn: it is over that day.
    pub stage: Stage,
    /// First day on the roster; none while there is no place, or if it was given up before.
    #[schema(value_type = Option<String>, format = Date)]
    pub starts_on: Option<Date>,
    /// Last day on the roster.
    #[schema(value_type = Option<String>, format = Date)]
    pub ends_on: Option<Date>,
    /// When they asked for a place, if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub asked_on: Option<Date>,
    /// Place on the waiting list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u32>,
}

/// A member on a roster, or another list of a group's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RosterLine {
    pub member: MemberId,
    /// What they are called, of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    #[serde(flatten)]
    pub enrolment: Enrolment,
    #[serde(skip)]
    pub key: LineKey,
}

/// Where a line stands in its list: by turn on the waiting list, then by member, then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineKey(i64, MemberId, i64);

/// How many have a place, could have one, want one; unit: person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PlaceCounts {
    /// Places of the group; null: as many as a roster can hold.
    pub capacity: Option<u16>,
    /// On the waiting list.
    pub waitlisted: u32,
    /// Asked for a place and have no answer.
    pub applied: u32,
}

/// A group's enrolments, for the organisation `?2` and the group `?3`, without those of who was erased: `alone` those of
/// people with one record, `shared` those of people with several, which are few, and `asked`, of the latter who have no
/// place, what each asks for.
macro_rules! by_person {
    () => {
        "WITH alone AS NOT MATERIALIZED (
             SELECT member AS whose, began, stage, asked_on, starts_on, ends_on, queued FROM enrolments
             WHERE org = ?2 AND grp = ?3
               AND NOT EXISTS (SELECT 1 FROM persons WHERE org = ?2 AND record = member)
               AND (?2, member) NOT IN (SELECT org, member FROM erased)),
         shared AS MATERIALIZED (
             SELECT person AS whose, began, stage, asked_on, starts_on, ends_on, queued
             FROM enrolments CROSS JOIN persons ON persons.org = ?2 AND record = member
             WHERE enrolments.org = ?2 AND grp = ?3
               AND (?2, member) NOT IN (SELECT org, member FROM erased)),
         asked AS (
             -- The columns are those of the row with the least: of the longest turn, or else of what was asked first.
             SELECT whose, began, stage, asked_on, queued, min(coalesce(queued, began + (1 << 62)))
             FROM shared WHERE stage IN ('applied', 'waitlisted', 'enrolled')
             GROUP BY whose HAVING count(*) FILTER (WHERE stage = 'enrolled') = 0)"
    };
}

/// The place on the waiting list, from 1, of whoever has the turn `line.queued`.
macro_rules! waiting {
    () => {
        "CASE WHEN line.queued IS NOT NULL THEN (SELECT count(*) FROM alone WHERE queued <= line.queued)
             + (SELECT count(*) FROM asked WHERE queued <= line.queued) END AS waiting"
    };
}

/// The stage on the day `?1` of what is in the columns `whose`, `stage`, `starts_on` and `ends_on`.
macro_rules! stage_then {
    () => {
        "CASE
             WHEN starts_on IS NULL OR ends_on < ?1 THEN stage
             WHEN EXISTS (
                 SELECT 1
                 FROM (SELECT whose AS record UNION ALL SELECT record FROM persons WHERE org = ?2 AND person = whose) AS same
                 CROSS JOIN meetings CROSS JOIN attendance ON meeting = key AND attendance.member = same.record
                 WHERE meetings.org = ?2 AND meetings.grp = ?3 AND status = 'held' AND mark IN ('present', 'late')
                   -- By the index, with a day more on both sides for time zones; then exactly.
                   AND starts_at >= unixepoch(starts_on) - 86400 AND starts_at < unixepoch(?1) + 2 * 86400
                   AND substr(starts_at_local, 1, 10) BETWEEN starts_on AND min(coalesce(ends_on, ?1), ?1)
             ) THEN 'active'
             ELSE 'enrolled'
         END AS stage_then"
    };
}

fn enrolment(row: &Row<'_>) -> rusqlite::Result<Enrolment> {
    Ok(Enrolment {
        stage: row::word(row, 0)?,
        starts_on: row::maybe_text(row, 1)?,
        ends_on: row::maybe_text(row, 2)?,
        asked_on: row::maybe_text(row, 3)?,
        waiting: row.get(4)?,
    })
}

/// A person's enrolments in a group, under any of these records, as they are on `day`, oldest first.
pub(crate) fn of_person(
    connection: &Connection,
    (org, group): (&str, GroupId),
    records: &str,
    day: &LocalDay,
) -> rusqlite::Result<Vec<Enrolment>> {
    // While they have a place, they ask for none.
    let mut statement = connection.prepare_cached(concat!(
        by_person!(),
        ", line AS (
             SELECT coalesce(person, member) AS whose, began, stage, asked_on, starts_on, ends_on, queued
             FROM enrolments LEFT JOIN persons ON persons.org = ?2 AND record = member
             WHERE enrolments.org = ?2 AND grp = ?3 AND member IN (SELECT unhex(value) FROM json_each(?4)))
         SELECT ",
        stage_then!(),
        ", starts_on, ends_on, asked_on, ",
        waiting!(),
        " FROM line
         WHERE stage NOT IN ('applied', 'waitlisted') OR began = (
             SELECT began FROM line
             WHERE stage IN ('applied', 'waitlisted') AND NOT EXISTS (SELECT 1 FROM line WHERE stage = 'enrolled')
             ORDER BY coalesce(queued, began + (1 << 62)) LIMIT 1)
         ORDER BY began"
    ))?;
    let params = params![day.date().to_string(), org, group.0.as_bytes(), records];
    statement.query_map(params, enrolment)?.collect()
}

/// People on the roster that day, which is that of a meeting where it is, and under which of their records.
pub(crate) fn enrolled_on(
    connection: &Connection,
    org: &str,
    group: GroupId,
    day: Date,
) -> rusqlite::Result<Vec<(MemberId, MemberId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT coalesce(person, member), member
         FROM enrolments LEFT JOIN persons ON persons.org = enrolments.org AND record = member
         WHERE enrolments.org = ?1 AND grp = ?2 AND starts_on <= ?3 AND (ends_on IS NULL OR ends_on >= ?3)
           AND (?1, member) NOT IN (SELECT org, member FROM erased)
         ORDER BY 1, 2",
    )?;
    let rows = statement.query_map(params![org, group.0.as_bytes(), day.to_string()], |row| {
        Ok((MemberId(row::uuid(row, 0)?), MemberId(row::uuid(row, 1)?)))
    })?;
    rows.collect()
}

/// An enrolment, or the wish for one, that opens nothing until somebody confirms it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UnconfirmedLine {
    pub group: GroupId,
    pub member: MemberId,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// As recorded.
    pub stage: Stage,
    /// First day on the roster, or the day of an application that has no answer: by it the enrolment is confirmed or
    /// taken back.
    pub since: Date,
    /// Who recorded it: the subject of their token.
    pub proposed_by: String,
    #[serde(skip)]
    pub began: i64,
}

/// What nobody with authority has confirmed, oldest first, after the one that began at a position. What was declined or
/// given up needs no answer.
pub(crate) fn unconfirmed(
    connection: &Connection,
    org: &str,
    after: Option<i64>,
    rows: usize,
) -> rusqlite::Result<Vec<UnconfirmedLine>> {
    // What one person has twice is confirmed at once; while they have a place, they ask for none.
    let mut statement = connection.prepare_cached(
        "SELECT grp, coalesce(person, member) AS whose, stage, coalesce(starts_on, asked_on) AS since, proposed_by,
                min(began) AS first
         FROM enrolments LEFT JOIN persons ON persons.org = ?1 AND record = member
         WHERE enrolments.org = ?1 AND proposed_by IS NOT NULL
           AND (starts_on IS NOT NULL OR stage IN ('applied', 'waitlisted'))
           AND (?1, member) NOT IN (SELECT org, member FROM erased)
           AND NOT (starts_on IS NULL AND person IS NOT NULL AND EXISTS (
               SELECT 1 FROM persons AS same CROSS JOIN enrolments AS place ON place.org = ?1 AND place.member = same.record
               WHERE same.org = ?1 AND same.person = persons.person
                 AND place.grp = enrolments.grp AND place.stage = 'enrolled'))
         GROUP BY grp, whose, since HAVING first > ?2 ORDER BY first LIMIT ?3",
    )?;
    let lines = statement.query_map(params![org, after.unwrap_or(-1), row::limit(rows)], |row| {
        Ok(UnconfirmedLine {
            group: GroupId(row::uuid(row, 0)?),
            member: MemberId(row::uuid(row, 1)?),
            called: None,
            unreadable: false,
            stage: row::word(row, 2)?,
            since: row::text(row, 3)?,
            proposed_by: row.get(4)?,
            began: row.get(5)?,
        })
    })?;
    lines.collect()
}

/// A group's roster on a day, or who is at a stage on that day, after a line; none if there is no such group.
pub(crate) fn list(
    connection: &Connection,
    (org, group, day): (&str, GroupId, &LocalDay),
    stage: Option<Stage>,
    after: Option<LineKey>,
    rows: usize,
) -> rusqlite::Result<Option<Vec<RosterLine>>> {
    if !group_view::is_known(connection, org, group)? {
        return Ok(None);
    }
    let LineKey(turn, member, began) = after.unwrap_or(LineKey(-1, MemberId(uuid::Uuid::nil()), -1));
    // Whether somebody has come is looked up only where it makes a difference. Days that a person has under several of
    // their records are one line: it begins where a day is later than all days before.
    let mut statement = connection.prepare_cached(concat!(
        by_person!(),
        ", days AS (
             SELECT *, sum(apart) OVER (PARTITION BY whose ORDER BY starts_on, began) AS spell
             FROM (SELECT *, coalesce(starts_on > max(coalesce(ends_on, '9999-12-31')) OVER (
                              PARTITION BY whose ORDER BY starts_on, began
                              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), TRUE) AS apart
                   FROM shared WHERE starts_on IS NOT NULL)),
         lines AS (
             SELECT * FROM alone
             UNION ALL
             SELECT whose, min(began),
                    CASE WHEN count(ends_on) < count(*) THEN 'enrolled'
                         ELSE substr(max(ends_on || stage), length(max(ends_on)) + 1) END,
                    min(asked_on), min(starts_on), CASE WHEN count(ends_on) = count(*) THEN max(ends_on) END, NULL
             FROM days GROUP BY whose, spell
             UNION ALL SELECT whose, began, stage, asked_on, NULL, NULL, queued FROM asked
             UNION ALL SELECT * FROM shared WHERE starts_on IS NULL AND stage NOT IN ('applied', 'waitlisted'))
         SELECT stage_then, starts_on, ends_on, asked_on, ",
        waiting!(),
        ", whose, began, turn FROM (SELECT ",
        stage_then!(),
        ", starts_on, ends_on, asked_on, queued, whose, began, coalesce(queued, 0) AS turn, stage FROM lines) AS line
          WHERE CASE WHEN ?4 IS NULL THEN starts_on <= ?1 AND (ends_on IS NULL OR ends_on >= ?1)
                     WHEN ?4 NOT IN ('enrolled', 'active') AND stage <> ?4 THEN FALSE
                     ELSE stage_then = ?4 END
            AND (turn, whose, began) > (?5, ?6, ?7)
          ORDER BY turn, whose, began LIMIT ?8"
    ))?;
    let params = params![
        day.date().to_string(),
        org,
        group.0.as_bytes(),
        stage.map(Stage::as_str),
        turn,
        member.0.as_bytes(),
        began,
        row::limit(rows)
    ];
    let lines = statement.query_map(params, |row| {
        let (enrolment, member) = (enrolment(row)?, MemberId(row::uuid(row, 5)?));
        Ok(RosterLine {
            member,
            called: None,
            unreadable: false,
            enrolment,
            key: LineKey(row.get(7)?, member, row.get(6)?),
        })
    })?;
    lines.collect::<Result<_, _>>().map(Some)
}

/// People on the roster that day, a count; unit: person.
pub(crate) fn roster_size(
    connection: &Connection,
    (org, group): (&str, GroupId),
    day: &LocalDay,
) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            concat!(by_person!(), "
             SELECT (SELECT count(*) FROM alone WHERE starts_on <= ?1 AND (ends_on IS NULL OR ends_on >= ?1))
               + (SELECT count(DISTINCT whose) FROM shared WHERE starts_on <= ?1 AND (ends_on IS NULL OR ends_on >= ?1))"),
        )?
        .query_row(params![day.date().to_string(), org, group.0.as_bytes()], |row| row.get(0))
}

/// How many places a group has, and how many want one.
pub(crate) fn places(connection: &Connection, org: &str, group: GroupId) -> rusqlite::Result<PlaceCounts> {
    let capacity = connection
        .prepare_cached("SELECT places FROM capacities WHERE org = ?1 AND grp = ?2")?
        .query_row(params![org, group.0.as_bytes()], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(concat!(
            by_person!(),
            "SELECT count(*) FILTER (WHERE stage = 'waitlisted'), count(*) FILTER (WHERE stage = 'applied')
             FROM (SELECT stage FROM alone UNION ALL SELECT stage FROM asked)"
        ))?
        .query_row(params![Null, org, group.0.as_bytes()], |row| {
            Ok(PlaceCounts { capacity: capacity.flatten(), waitlisted: row.get(0)?, applied: row.get(1)? })
        })
}
