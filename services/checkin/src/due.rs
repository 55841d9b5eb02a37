//! Check-ins that can be taken, or were missed.

use domain::{
    GroupId, LocalDay, MemberId, ProgrammeId, instrument,
    protocol::{self, Progress, Timing, Window},
};
use host::View;
use jiff::{Span, Timestamp, Zoned, civil::Date};
use projections::{ENROLMENTS, GROUPS, Placed, RECORDS};
use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::care_view::{self, CARE};

/// So many days after it closed a missed check-in is still listed.
const MISSED_LISTED_DAYS: i64 = 28;

/// What is read for it.
pub(crate) const READ: &[&View] = &[&CARE, &ENROLMENTS, &GROUPS, &RECORDS];

/// Check-ins that programmes ask for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct CheckInsDue {
    pub items: Vec<DueLine>,
}

/// A check-in that can be taken, or was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DueLine {
    pub member: MemberId,
    /// Of whose programme.
    pub group: GroupId,
    /// With which instrument.
    pub instrument: instrument::Id,
    /// Its days, where the group meets.
    #[serde(flatten)]
    pub window: Window,
    /// How far it is today, where the group meets.
    pub progress: Progress,
    /// Whether the member has the place no more: then facilitators have nothing to do with it.
    #[serde(skip)]
    pub left: bool,
}

/// What all programmes ask for.
pub(crate) struct AllAsked(Vec<(ProgrammeId, instrument::Id, Timing)>);

impl AllAsked {
    /// As the protocol says it.
    pub fn of(protocol: &protocol::State) -> Self {
        Self(protocol.all_asked().map(|(programme, id, timing)| (programme, id.clone(), timing)).collect())
    }
}

/// What is due of those who have, or had, these places.
pub(crate) fn due(
    connection: &Connection,
    org: &str,
    (of, asked): ((Option<GroupId>, Option<MemberId>), &AllAsked),
    now: &Zoned,
) -> rusqlite::Result<CheckInsDue> {
    let mut items = Vec::new();
    due_of_each(connection, org, (of, asked), now, |_, line| items.extend(line))?;
    Ok(CheckInsDue { items })
}

/// Says of everything that is asked of those who have, or had, these places, whether something is due of it, and what
/// time it is where the group meets.
fn due_of_each(
    connection: &Connection,
    org: &str,
    (of, AllAsked(asked)): ((Option<GroupId>, Option<MemberId>), &AllAsked),
    now: &Zoned,
    mut say: impl FnMut(&Zoned, Option<DueLine>),
) -> rusqlite::Result<()> {
    let placed = projections::placed(connection, org, of)?;
    for places in placed.chunk_by(|one, other| one.group == other.group) {
        let group = places[0].group;
        let programme = projections::programme_of(connection, org, group)?;
        let asked: Vec<_> = asked.iter().filter(|(asking, ..)| Some(*asking) == programme).collect();
        let there = projections::there(connection, org, group, now)?;
        let today = there.date();
        for Placed { person, starts_on, ends_on, .. } in places.iter().filter(|_| !asked.is_empty()) {
            let records = projections::records_of(connection, org, *person)?;
            for (_, instrument, timing) in &asked {
                let days = care_view::days(connection, org, &records, instrument.as_str())?;
                let latest = latest(*timing, (*starts_on, *ends_on), today, &days);
                let line = latest.map(|(window, progress)| DueLine {
                    member: *person,
                    group,
                    instrument: instrument.clone(),
                    window,
                    progress,
                    left: ends_on.is_some_and(|last| last < today),
                });
                say(&there, line);
            }
        }
    }
    Ok(())
}

/// A check-in that was missed, and since when.
pub(crate) struct Missed {
    pub member: MemberId,
    pub group: GroupId,
    /// Whether they have the place no more: then facilitators have nothing to do with it.
    pub left: bool,
    /// When the day began, where the group meets, on which it could be taken no more.
    pub since: Timestamp,
}

/// Check-ins that were missed of those who have these places, and when the next day begins where any of their groups
/// meets: then others may be.
pub(crate) fn missed(
    connection: &Connection,
    org: &str,
    of: (Option<GroupId>, Option<MemberId>),
    (asked, now): (&AllAsked, &Zoned),
) -> rusqlite::Result<(Vec<Missed>, Option<Timestamp>)> {
    if asked.0.is_empty() {
        return Ok((vec![], None));
    }
    let (mut missed, mut next) = (vec![], None::<Timestamp>);
    due_of_each(connection, org, (of, asked), now, |there, line| {
        let begins = |day: Date| LocalDay::new(day, there.time_zone().clone()).begins_at();
        let tomorrow = there.date().tomorrow().map_or(Timestamp::MAX, begins);
        next = Some(next.map_or(tomorrow, |next| next.min(tomorrow)));
        if let Some(DueLine { member, group, window, progress: Progress::Missed, left, .. }) = line {
            let since = window.closes_on.tomorrow().map_or(Timestamp::MAX, begins);
            missed.push(Missed { member, group, left, since });
        }
    })?;
    Ok((missed, next))
}

/// Of the check-ins that are asked for, the latest that has opened, if there is something to be done about it.
fn latest(
    timing: Timing,
    (first, last): (Date, Option<Date>),
    today: Date,
    taken: &[Date],
) -> Option<(Window, Progress)> {
    let window = timing.windows(first, last, today).pop()?;
    let progress = window.progress(today, taken)?;
    let listed_until = window.closes_on.saturating_add(Span::new().days(MISSED_LISTED_DAYS));
    match progress {
        Progress::Taken => None,
        Progress::Missed if today > listed_until => None,
        progress => Some((window, progress)),
    }
}
