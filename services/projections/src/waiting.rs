//! What waits for somebody, as the queues ask for it.

use domain::{GlassId, GroupId, LocalDay, MeetingId, MemberId, Subject};
use host::row;
use jiff::{Timestamp, Zoned, civil::Date};
use rusqlite::{Connection, params};

use crate::{
    enrolment_view::{self, Placed},
    group_view, meetings, record_view, vitality,
};

/// A meeting that is over, and of which nobody said what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Unreported {
    /// Which.
    pub meeting: MeetingId,
    /// Of which group.
    pub group: GroupId,
    /// When it was over.
    pub ends_at: Timestamp,
}

/// Meetings that are over and of which nobody said what became of them, and when the next one will be over.
///
/// # Errors
/// What SQLite says.
pub fn unreported(
    connection: &Connection,
    org: &str,
    now: Timestamp,
) -> rusqlite::Result<(Vec<Unreported>, Option<Timestamp>)> {
    let mut over = connection.prepare_cached(concat!(
        "SELECT id, grp, ends_at FROM meetings WHERE org = ?1 AND ",
        meetings::overdue!("?2")
    ))?;
    let unreported = |row: &rusqlite::Row<'_>| {
        let (meeting, group) = (MeetingId(row::uuid(row, 0)?), GroupId(row::uuid(row, 1)?));
        Ok(Unreported { meeting, group, ends_at: row::time(row, 2)? })
    };
    let found = over.query_map(params![org, now.as_second()], unreported)?.collect::<Result<_, _>>()?;
    let next = connection
        .prepare_cached(
            "SELECT min(ends_at) FROM meetings WHERE org = ?1 AND status IN ('planned', 'open') AND ends_at > ?2",
        )?
        .query_row(params![org, now.as_second()], |row| row.get::<_, Option<i64>>(0))?;
    Ok((found, next.and_then(|next| Timestamp::from_second(next).ok())))
}

/// Somebody with a place in a group who has lapsed.
#[derive(Debug, Clone, Copy)]
pub struct LapsedPlace {
    /// In which group.
    pub group: GroupId,
    /// Who.
    pub member: MemberId,
    /// When the day began on which they first stayed away, where the group meets.
    pub since: Timestamp,
}

/// Who has a place today, in this group or any, and has lapsed; and when the next day begins on which that may be
/// otherwise because a place begins or ends.
///
/// # Errors
/// What SQLite says.
pub fn lapsed(
    connection: &Connection,
    org: &str,
    group: Option<GroupId>,
    now: &Zoned,
) -> rusqlite::Result<(Vec<LapsedPlace>, Option<Timestamp>)> {
    let (mut found, mut next) = (vec![], None::<Timestamp>);
    let placed = enrolment_view::placed(connection, org, (group, None))?;
    for places in placed.chunk_by(|one, other| one.group == other.group) {
        let group = places[0].group;
        let there = group_view::there(connection, org, group, now)?;
        let today = there.date();
        let begins = |day: Date| LocalDay::new(day, there.time_zone().clone()).begins_at();
        let of_another_day = |day: Date| Some(begins(day)).filter(|at| *at > now.timestamp());
        for Placed { starts_on, ends_on, .. } in places {
            let ended = ends_on.and_then(|last| last.tomorrow().ok());
            next = [next, of_another_day(*starts_on), ended.and_then(of_another_day)].into_iter().flatten().min();
        }
        for (member, first_missed_on) in vitality::lapses(connection, (org, group), today)? {
            let since = begins(first_missed_on);
            found.push(LapsedPlace { group, member, since });
        }
    }
    Ok((found, next))
}

/// An enrolment or application that nobody with authority has confirmed.
#[derive(Debug, Clone)]
pub struct Unconfirmed {
    /// In which group.
    pub group: GroupId,
    /// Whose.
    pub member: MemberId,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Enrolments and applications that nobody with authority has confirmed.
///
/// # Errors
/// What SQLite says.
pub fn unconfirmed(connection: &Connection, org: &str) -> rusqlite::Result<Vec<Unconfirmed>> {
    let lines = crate::rosters::unconfirmed(connection, org, None, usize::MAX)?;
    let unconfirmed = |line: crate::rosters::UnconfirmedLine| {
        let at = enrolment_view::recorded_at(connection, org, line.group, line.began)?;
        Ok(Unconfirmed { group: line.group, member: line.member, at })
    };
    lines.into_iter().map(unconfirmed).collect()
}

/// Broken glass that nobody has reviewed.
#[derive(Debug, Clone)]
pub struct Glass {
    /// Of whose record.
    pub member: MemberId,
    /// Which.
    pub glass: GlassId,
    /// Who broke it.
    pub subject: Subject,
    /// Until when it opens the record.
    pub until: Timestamp,
}

/// Broken glass that nobody has reviewed.
///
/// # Errors
/// What SQLite says.
pub fn broken_glass(connection: &Connection, org: &str) -> rusqlite::Result<Vec<Glass>> {
    let broken = record_view::broken_glass(connection, org, None, usize::MAX)?;
    let glass = |(member, glass, broken): record_view::BrokenGlass| {
        let domain::member::Glass { subject, until, .. } = broken;
        Glass { member, glass, subject, until }
    };
    Ok(broken.into_iter().map(glass).collect())
}
