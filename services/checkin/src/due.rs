//! Check-ins that can be taken, or were missed.

use domain::{
    GroupId, MemberId, ProgrammeId, instrument,
    protocol::{self, Progress, Timing, Window},
};
use host::View;
use jiff::{Span, Zoned, civil::Date};
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
    (of, AllAsked(asked)): ((Option<GroupId>, Option<MemberId>), &AllAsked),
    now: &Zoned,
) -> rusqlite::Result<CheckInsDue> {
    let mut items = Vec::new();
    for Placed { group, person, starts_on, ends_on } in projections::placed(connection, org, of)? {
        let programme = projections::programme_of(connection, org, group)?;
        let today = projections::there(connection, org, group, now)?.date();
        let records = projections::records_of(connection, org, person)?;
        for (_, instrument, timing) in asked.iter().filter(|(asking, ..)| Some(*asking) == programme) {
            let days = care_view::days(connection, org, &records, instrument.as_str())?;
            items.extend(latest(*timing, (starts_on, ends_on), today, &days).map(|(window, progress)| DueLine {
                member: person,
                group,
                instrument: instrument.clone(),
                window,
                progress,
                left: ends_on.is_some_and(|last| last < today),
            }));
        }
    }
    Ok(CheckInsDue { items })
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
