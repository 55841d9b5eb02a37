//! A calendar from a file, as that of a group.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{
    Changed, Details, Event, OVERRIDES_MAX, OccurrenceChanged, OccurrenceRestored, Override, Refusal, Registered,
    Scheduled, State, Unscheduled,
};
use crate::Schedule;

/// All that a file says of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedCalendar {
    /// What describes it; nothing if it stays as it is.
    pub details: Option<Details>,
    /// Its calendar; none if the file says that it is over.
    pub schedule: Option<Schedule>,
    /// All that is otherwise at single occurrences.
    pub overrides: BTreeMap<Date, Override>,
}

/// Only what differs is written. What is past and not in the file stays as it was; what is past and only in the file is
/// taken if there is room for all.
pub(super) fn import(imported: &ImportedCalendar, state: &State, today: Date) -> Result<Vec<Event>, Refusal> {
    let ImportedCalendar { details, schedule, overrides } = imported;
    let described = match (details, &state.details) {
        (None, None) => return Err(Refusal::Unknown),
        (None, Some(_)) => None,
        (Some(details), None) => Some(Event::Registered(Registered { details: details.clone() })),
        (Some(details), Some(now)) if now == details => None,
        (Some(details), Some(_)) => Some(Event::Changed(Changed { details: details.clone() })),
    };
    let scheduled = match schedule {
        same if *same == state.series.schedule => None,
        Some(schedule) => Some(Event::Scheduled(Scheduled { schedule: schedule.clone() })),
        None => Some(Event::Unscheduled(Unscheduled {})),
    };
    let known = &state.series.overrides;
    let all: BTreeSet<_> = overrides.keys().chain(known.range(..today).map(|(on, _)| on)).collect();
    let all_fit = all.len() <= OVERRIDES_MAX;
    let gone = known.range(today..).filter(|(on, _)| !overrides.contains_key(on));
    let gone = gone.map(|(on, _)| Event::OccurrenceRestored(OccurrenceRestored { on: *on }));
    let other = overrides.iter().filter(|(on, change)| {
        let matters = all_fit || **on >= today;
        matters && known.get(on) != Some(change) && **change != Override::default()
    });
    let other =
        other.map(|(on, change)| Event::OccurrenceChanged(OccurrenceChanged { on: *on, change: change.clone() }));
    Ok(described.into_iter().chain(scheduled).chain(gone).chain(other).collect())
}
