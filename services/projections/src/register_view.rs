//! The view of meetings and their registers.

use std::num::NonZeroUsize;

use domain::{
    AnyEvent, DomainEvent, GroupId, MeetingId, MemberId, Sealed, Subject,
    meeting::{
        AttendanceCorrected, AttendanceMode, AttendanceRecorded, AttendanceTakenBack, Cancelled, DidNotOccur, Entry,
        Event, Headcount, HeadcountRecorded, Held, MoodRecorded, Opened, Plan, Planned, Reinstated, Reopened,
        Replanned, Status, Structure, StructureRecorded, Unplanned,
    },
};
use eventlog::StreamName;
use host::{Fold, Folding, Scope, View, row};
use jiff::Timestamp;
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::topics;

/// Meetings whose row number is kept in memory, a count.
const KNOWN_MEETINGS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// Meetings and their registers.
pub const REGISTERS: View = View {
    name: "registers",
    version: 1,
    schema: "
        CREATE TABLE meetings (
            key INTEGER PRIMARY KEY,
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            grp BLOB NOT NULL,
            starts_at INTEGER NOT NULL, -- seconds since 1970 (UTC)
            ends_at INTEGER NOT NULL, -- the same
            starts_at_local TEXT NOT NULL,
            place TEXT NOT NULL, -- in the group's series: a local date
            mode TEXT NOT NULL,
            status TEXT NOT NULL,
            heads TEXT NOT NULL DEFAULT '{}', -- JSON, by category
            structure TEXT, -- JSON, the topic sealed; none if nothing was kept
            UNIQUE (org, id)
        ) STRICT;
        CREATE INDEX meetings_by_group ON meetings (org, grp, starts_at);
        CREATE INDEX meetings_by_start ON meetings (org, starts_at, id);
        CREATE INDEX meetings_by_status ON meetings (org, status, starts_at, id);
        CREATE INDEX meetings_unreported ON meetings (org, ends_at, key) WHERE status IN ('planned', 'open');
        CREATE TABLE attendance (
            meeting INTEGER NOT NULL,
            member BLOB NOT NULL,
            mark TEXT NOT NULL,
            mode TEXT,
            walk_in INTEGER NOT NULL,
            corrected INTEGER NOT NULL,
            PRIMARY KEY (meeting, member)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE moods (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            meeting INTEGER NOT NULL,
            mood TEXT NOT NULL, -- sealed
            entered_by TEXT NOT NULL,
            ended INTEGER NOT NULL DEFAULT 0, -- whether the register was closed since
            PRIMARY KEY (org, member, meeting)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX moods_by_meeting ON moods (meeting);",
    tables: &[
        (
            "meetings",
            "SELECT org, hex(id), hex(grp), starts_at, ends_at, starts_at_local, place, mode, status, heads,
                    structure
             FROM meetings ORDER BY org, id",
        ),
        (
            "attendance",
            "SELECT org, hex(id), hex(member), mark, attendance.mode, walk_in, corrected
             FROM meetings CROSS JOIN attendance ON meeting = key ORDER BY org, id, member",
        ),
        (
            "moods",
            "SELECT moods.org, hex(member), hex(id), moods.mood, entered_by, ended
             FROM moods CROSS JOIN meetings ON meeting = key ORDER BY moods.org, member, id",
        ),
    ],
    // The largest index, in no order that marks come in.
    once_caught_up: "CREATE INDEX IF NOT EXISTS attendance_by_member ON attendance (member, meeting)",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(Registers(LruCache::new(KNOWN_MEETINGS))),
    forgets: &["moods"],
    keeps: &[("attendances under a random id", "to count what took place (GDPR Art. 89)")],
};

/// Row numbers and groups of meetings, so that a mark needs no look-up. By stream: an id alone does not say whose meeting
/// it is.
struct Registers(LruCache<StreamName, (i64, GroupId)>);

impl Fold for Registers {
    fn fold(&mut self, folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
        let Some(event) = event.of() else { return Ok(()) };
        if let Event::Planned(Planned { plan }) | Event::Replanned(Replanned { plan }) = event {
            folding.tell(&topics::MEETINGS, Scope::Group(plan.group));
            self.0.pop(&folding.event.stream); // its group may be another one now
            return set_plan(folding, plan);
        }
        let (meeting, group) = self.row_number(folding)?;
        tell(folding, event, group);
        match event {
            Event::Planned(_) | Event::Replanned(_) => Ok(()),
            Event::Unplanned(Unplanned {}) => {
                self.0.pop(&folding.event.stream);
                remove(folding, meeting)
            }
            Event::Opened(Opened {}) | Event::Reopened(Reopened { .. }) => set_status(folding, meeting, Status::Open),
            Event::Held(Held {}) => {
                end_moods(folding, meeting)?;
                set_status(folding, meeting, Status::Held)
            }
            Event::Cancelled(Cancelled { .. }) => set_status(folding, meeting, Status::Cancelled),
            Event::DidNotOccur(DidNotOccur { .. }) => set_status(folding, meeting, Status::DidNotOccur),
            Event::Reinstated(Reinstated { .. }) => set_status(folding, meeting, Status::Planned),
            Event::AttendanceRecorded(AttendanceRecorded { member, entry, walk_in }) => {
                set_mark(folding, (meeting, *member), *entry, *walk_in, false)
            }
            Event::AttendanceCorrected(AttendanceCorrected { member, now: Some(entry), .. }) => {
                set_mark(folding, (meeting, *member), *entry, false, true)
            }
            Event::AttendanceTakenBack(AttendanceTakenBack { member, .. })
            | Event::AttendanceCorrected(AttendanceCorrected { member, now: None, .. }) => {
                remove_mark(folding, meeting, *member)
            }
            Event::HeadcountRecorded(HeadcountRecorded { heads, .. }) => set_heads(folding, meeting, heads),
            Event::MoodRecorded(recorded) => set_mood(folding, meeting, recorded),
            Event::StructureRecorded(StructureRecorded { structure }) => set_structure(folding, meeting, structure),
        }
    }

    fn rolled_back(&mut self) {
        self.0.clear();
    }
}

impl Registers {
    /// The row number of the event's meeting, and its group.
    fn row_number(&mut self, folding: &Folding<'_>) -> rusqlite::Result<(i64, GroupId)> {
        let stream = &folding.event.stream;
        if let Some(known) = self.0.get(stream) {
            return Ok(*known);
        }
        let known = folding
            .rows
            .prepare_cached("SELECT key, grp FROM meetings WHERE org = ?1 AND id = ?2")?
            .query_row(params![folding.org(), stream.id().as_bytes()], |row| {
                Ok((row.get(0)?, GroupId(row::uuid(row, 1)?)))
            })?;
        self.0.put(stream.clone(), known);
        Ok(known)
    }
}

/// Tells those who watch what changed of a meeting of the group.
fn tell(folding: &Folding<'_>, event: &Event, group: GroupId) {
    match event {
        // Whoever leads the group sees only the moods that they entered.
        Event::MoodRecorded(MoodRecorded { member, .. }) => folding.tell(&topics::MEMBERS, Scope::Member(*member)),
        Event::AttendanceRecorded(_)
        | Event::AttendanceTakenBack(_)
        | Event::HeadcountRecorded(_)
        | Event::StructureRecorded(_) => {
            folding.tell(&topics::REGISTERS, Scope::Group(group));
        }
        Event::AttendanceCorrected(_) => {
            folding.tell(&topics::REGISTERS, Scope::Group(group));
            folding.tell(&topics::MEETINGS, Scope::Group(group));
        }
        _ => folding.tell(&topics::MEETINGS, Scope::Group(group)),
    }
}

fn set_plan(folding: &Folding<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    folding
        .rows
        .prepare_cached(
            "INSERT INTO meetings (org, id, grp, starts_at, ends_at, starts_at_local, mode, place, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'planned')
             ON CONFLICT (org, id) DO UPDATE
             SET grp = ?3, starts_at = ?4, ends_at = ?5, starts_at_local = ?6, mode = ?7, place = ?8",
        )?
        .execute(params![
            folding.org(),
            id.as_bytes(),
            plan.group.0.as_bytes(),
            plan.starts_at.as_second(),
            plan.ends_at.as_second(),
            plan.starts_at_local.to_string(),
            plan.mode.as_str(),
            plan.place().to_string(),
        ])?;
    Ok(())
}

/// A meeting that the calendar no longer has: nothing was said of it.
fn remove(folding: &Folding<'_>, key: i64) -> rusqlite::Result<()> {
    // The number of its row can be another meeting's some day: nothing of it may be left, also of a register that was
    // opened, cancelled and reinstated.
    for sql in [
        "DELETE FROM moods WHERE meeting = ?1",
        "DELETE FROM attendance WHERE meeting = ?1",
        "DELETE FROM meetings WHERE key = ?1",
    ] {
        folding.rows.prepare_cached(sql)?.execute([key])?;
    }
    Ok(())
}

fn set_status(folding: &Folding<'_>, key: i64, status: Status) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached("UPDATE meetings SET status = ?2 WHERE key = ?1")?
        .execute(params![key, status.as_str()])?;
    Ok(())
}

fn set_mark(
    folding: &Folding<'_>,
    (key, member): (i64, MemberId),
    entry: Entry,
    walk_in: bool,
    corrected: bool,
) -> rusqlite::Result<()> {
    // Whoever walked in stays a walk-in, whatever is corrected later.
    folding
        .rows
        .prepare_cached(
            "INSERT INTO attendance VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET mark = ?3, mode = ?4, walk_in = max(walk_in, ?5), corrected = max(corrected, ?6)",
        )?
        .execute(params![
            key,
            member.0.as_bytes(),
            entry.mark.as_str(),
            entry.mode.map(AttendanceMode::as_str),
            walk_in,
            corrected
        ])?;
    Ok(())
}

fn remove_mark(folding: &Folding<'_>, key: i64, member: MemberId) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached("DELETE FROM attendance WHERE meeting = ?1 AND member = ?2")?
        .execute(params![key, member.0.as_bytes()])?;
    Ok(())
}

fn set_heads(folding: &Folding<'_>, key: i64, heads: &Headcount) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached("UPDATE meetings SET heads = ?2 WHERE key = ?1")?
        .execute(params![key, serde_json::to_string(heads).expect("string keys only")])?;
    Ok(())
}

fn set_mood(folding: &Folding<'_>, key: i64, recorded: &MoodRecorded) -> rusqlite::Result<()> {
    let MoodRecorded { member, mood, entered_by } = recorded;
    if folding.is_erased(*member)? {
        return Ok(()); // nothing follows an erasure
    }
    folding.rows.prepare_cached("INSERT OR REPLACE INTO moods VALUES (?1, ?2, ?3, ?4, ?5, 0)")?.execute(params![
        folding.org(),
        member.0.as_bytes(),
        key,
        mood.as_str(),
        entered_by.as_str(),
    ])?;
    Ok(())
}

/// Nobody reads them on the register any more, also if it is opened again.
fn end_moods(folding: &Folding<'_>, key: i64) -> rusqlite::Result<()> {
    folding.rows.prepare_cached("UPDATE moods SET ended = 1 WHERE meeting = ?1")?.execute([key])?;
    Ok(())
}

fn set_structure(folding: &Folding<'_>, key: i64, structure: &Structure) -> rusqlite::Result<()> {
    let kept =
        (*structure != Structure::default()).then(|| serde_json::to_string(structure).expect("string keys only"));
    folding.rows.prepare_cached("UPDATE meetings SET structure = ?2 WHERE key = ?1")?.execute(params![key, kept])?;
    Ok(())
}

/// What was kept of how a meeting went, by the number of its row.
pub(crate) fn structure(connection: &Connection, key: i64) -> rusqlite::Result<Option<Structure>> {
    connection
        .prepare_cached("SELECT structure FROM meetings WHERE key = ?1")?
        .query_row([key], |row| row::maybe_json(row, 0))
}

/// How a member said they feel at a meeting.
#[derive(Debug, Clone)]
pub struct SealedMood {
    /// Who, by the record under which it was recorded.
    pub member: MemberId,
    /// At which meeting.
    pub meeting: MeetingId,
    /// When that started.
    pub starts_at: Timestamp,
    /// What became of that.
    pub status: Status,
    /// What was said, bound to the meeting.
    pub mood: Sealed,
    /// Who entered it.
    pub entered_by: Subject,
}

/// Columns of a [`SealedMood`], and where they are from.
macro_rules! sealed_moods {
    () => {
        "SELECT member, id, starts_at, status, moods.mood, entered_by FROM moods CROSS JOIN meetings ON key = meeting"
    };
}

fn sealed_mood(row: &Row<'_>) -> rusqlite::Result<SealedMood> {
    Ok(SealedMood {
        member: MemberId(row::uuid(row, 0)?),
        meeting: MeetingId(row::uuid(row, 1)?),
        starts_at: row::time(row, 2)?,
        status: row::word(row, 3)?,
        mood: row::text(row, 4)?,
        entered_by: row::text(row, 5)?,
    })
}

/// The moods at a meeting, by the number of its row, that this caller entered since its register was last closed.
pub(crate) fn moods_entered_by(connection: &Connection, key: i64, by: &Subject) -> rusqlite::Result<Vec<SealedMood>> {
    let mut statement = connection.prepare_cached(concat!(
        sealed_moods!(),
        " WHERE meeting = ?1 AND entered_by = ?2 AND NOT ended ORDER BY member"
    ))?;
    statement.query_map(params![key, by.as_str()], sealed_mood)?.collect()
}

/// The moods of a member under this record, latest meeting first.
///
/// # Errors
/// What SQLite says.
pub fn moods_of(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<Vec<SealedMood>> {
    let mut statement = connection
        .prepare_cached(concat!(sealed_moods!(), " WHERE moods.org = ?1 AND member = ?2 ORDER BY starts_at DESC"))?;
    statement.query_map(params![org, member.0.as_bytes()], sealed_mood)?.collect()
}

/// The group of a meeting.
pub(crate) fn group_of(connection: &Connection, org: &str, id: MeetingId) -> rusqlite::Result<Option<GroupId>> {
    connection
        .prepare_cached("SELECT grp FROM meetings WHERE org = ?1 AND id = ?2")?
        .query_row(params![org, id.0.as_bytes()], |row| row::uuid(row, 0).map(GroupId))
        .optional()
}
