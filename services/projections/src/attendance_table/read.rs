//! The table as the views have it.

use std::collections::{BTreeMap, HashMap};

use domain::{
    GroupId, MeetingId, MemberId,
    meeting::{AttendanceMode, Mark, Status},
};
use host::{is_erased, row};
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    AttendanceTable, CELLS_MAX, Cell, Counts, MEETINGS_MAX, PEOPLE_MAX, TableGroup, TableMeeting, TablePerson,
};
use crate::{
    enrolment_view::{Placed, placed},
    record_view,
};

/// What is asked for: groups, the first day and the last.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub groups: Vec<GroupId>,
    pub days: (Date, Date),
}

/// Why there is no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoTable {
    /// There is no such group.
    Unknown,
    /// It would be larger than is possible.
    TooLarge(String),
}

/// A mark at a meeting, under one of a person's records.
#[derive(Clone, Copy)]
struct Marked {
    mark: Mark,
    mode: Option<AttendanceMode>,
    record: MemberId,
}

/// The table, without what people are called.
pub(crate) fn read(
    connection: &Connection,
    org: &str,
    asked: &Asked,
) -> rusqlite::Result<Result<AttendanceTable, NoTable>> {
    let (mut groups, mut meetings, mut places) = (vec![], vec![], BTreeMap::<MemberId, Vec<Placed>>::new());
    for group in &asked.groups {
        let Some(name) = name(connection, org, *group)? else { return Ok(Err(NoTable::Unknown)) };
        groups.push(TableGroup { group: *group, name });
        meetings.extend(met(connection, org, *group, asked.days)?);
        for place in placed(connection, org, (Some(*group), None))?.into_iter().filter(|one| meets(one, asked.days)) {
            places.entry(place.person).or_default().push(place);
        }
    }
    if meetings.len() > MEETINGS_MAX {
        return Ok(Err(too_large("meetings", meetings.len(), MEETINGS_MAX)));
    }
    meetings.sort_by_key(|(_, meeting)| (meeting.starts_at_local, meeting.meeting));
    let mut marks = BTreeMap::<MemberId, HashMap<usize, Marked>>::new();
    let mut people = People { connection, org, known: HashMap::new() };
    for (nth, (key, meeting)) in meetings.iter_mut().enumerate() {
        for marked in marked(connection, *key)? {
            match people.who(marked.record)? {
                None => meeting.erased += 1,
                Some(person) => better(marks.entry(person).or_default(), nth, person, marked),
            }
        }
    }
    let all: Vec<MemberId> =
        places.keys().chain(marks.keys()).copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    if all.len() > PEOPLE_MAX {
        return Ok(Err(too_large("people", all.len(), PEOPLE_MAX)));
    }
    if all.len() * meetings.len() > CELLS_MAX {
        return Ok(Err(too_large("cells", all.len() * meetings.len(), CELLS_MAX)));
    }
    let mut meetings: Vec<TableMeeting> = meetings.into_iter().map(|(_, meeting)| meeting).collect();
    let (no_places, no_marks) = (vec![], HashMap::new());
    let rows = all.into_iter().map(|person| {
        let (places, marks) = (places.get(&person).unwrap_or(&no_places), marks.get(&person).unwrap_or(&no_marks));
        row_of(person, &meetings, places, marks)
    });
    let people: Vec<TablePerson> = rows.collect();
    for (nth, meeting) in meetings.iter_mut().enumerate() {
        meeting.counts(people.iter().filter_map(|person| person.cells[nth]));
    }
    Ok(Ok(AttendanceTable { groups, meetings, people }))
}

fn too_large(what: &str, are: usize, max: usize) -> NoTable {
    NoTable::TooLarge(format!(
        "the table would have {are} {what}, at most {max} are possible: ask for fewer days or groups"
    ))
}

fn name(connection: &Connection, org: &str, group: GroupId) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT name FROM groups WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, group.0.as_bytes()], |row| row.get(0))
        .optional()
}

fn meets(place: &Placed, (first, last): (Date, Date)) -> bool {
    place.starts_on <= last && place.ends_on.is_none_or(|ends_on| first <= ends_on)
}

/// Held and open meetings of a group on these days, where it meets, and the numbers of their rows.
fn met(
    connection: &Connection,
    org: &str,
    group: GroupId,
    (first, last): (Date, Date),
) -> rusqlite::Result<Vec<(i64, TableMeeting)>> {
    // By the index, with a day more on both sides for time zones; then exactly.
    let mut statement = connection.prepare_cached(
        "SELECT key, id, starts_at_local, status FROM meetings
         WHERE org = ?1 AND grp = ?2 AND status IN ('held', 'open')
           AND starts_at >= unixepoch(?3) - 86400 AND starts_at < unixepoch(?4) + 2 * 86400
           AND substr(starts_at_local, 1, 10) BETWEEN ?3 AND ?4
         LIMIT ?5",
    )?;
    let params = params![org, group.0.as_bytes(), first.to_string(), last.to_string(), row::limit(MEETINGS_MAX)];
    let rows = statement.query_map(params, |row| {
        let meeting = TableMeeting {
            meeting: MeetingId(row::uuid(row, 1)?),
            group,
            starts_at_local: row::text(row, 2)?,
            status: row::word::<Status>(row, 3)?,
            enrolled: 0,
            recorded: 0,
            came: 0,
            walk_ins: 0,
            erased: 0,
        };
        Ok((row.get(0)?, meeting))
    })?;
    rows.collect()
}

fn marked(connection: &Connection, meeting: i64) -> rusqlite::Result<Vec<Marked>> {
    let mut statement = connection.prepare_cached("SELECT member, mark, mode FROM attendance WHERE meeting = ?1")?;
    let rows = statement.query_map([meeting], |row| {
        let record = MemberId(row::uuid(row, 0)?);
        Ok(Marked { mark: row::word(row, 1)?, mode: row::maybe_word(row, 2)?, record })
    })?;
    rows.collect()
}

/// Who is who, each looked up once.
struct People<'a> {
    connection: &'a Connection,
    org: &'a str,
    known: HashMap<MemberId, Option<MemberId>>,
}

impl People<'_> {
    /// The record under which the person goes on; none of whom was erased.
    fn who(&mut self, record: MemberId) -> rusqlite::Result<Option<MemberId>> {
        if let Some(known) = self.known.get(&record) {
            return Ok(*known);
        }
        let person = if is_erased(self.connection, self.org, record)? {
            None
        } else {
            Some(record_view::goes_on_as(self.connection, self.org, record)?)
        };
        self.known.insert(record, person);
        Ok(person)
    }
}

/// Of a person's marks at a meeting the better attended one counts, as in its register.
fn better(marks: &mut HashMap<usize, Marked>, nth: usize, person: MemberId, marked: Marked) {
    let rank = |one: &Marked| (one.mark, one.record != person);
    let counts = marks.entry(nth).or_insert(marked);
    if rank(&marked) < rank(counts) {
        *counts = marked;
    }
}

fn row_of(
    member: MemberId,
    meetings: &[TableMeeting],
    places: &[Placed],
    marks: &HashMap<usize, Marked>,
) -> TablePerson {
    let cell = |(nth, meeting): (usize, &TableMeeting)| {
        let day = meeting.starts_at_local.date();
        let covers = |place: &Placed| place.group == meeting.group && meets(place, (day, day));
        let (marked, has_place) = (marks.get(&nth), places.iter().any(covers));
        let cell =
            Cell { mark: marked.map(|one| one.mark), mode: marked.and_then(|one| one.mode), walk_in: !has_place };
        (has_place || marked.is_some()).then_some(cell)
    };
    let cells: Vec<_> = meetings.iter().enumerate().map(cell).collect();
    let held = cells.iter().zip(meetings).filter(|(_, meeting)| meeting.status == Status::Held);
    let counts = Counts::of(held.filter_map(|(cell, _)| *cell));
    TablePerson { member, called: None, unreadable: false, cells, counts }
}
