//! What a group's calendar was and is: the rule of now, what is otherwise at single occurrences, and the rules before,
//! whose meetings may still be planned.
//!
//! An occurrence is known by its place in the series, which is a date, because a calendar has at most one meeting a day.
//! Its id is made of that date and of the time that the group's first calendar had: a meeting that is at another time,
//! or on another day, is the same meeting.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MeetingMode;
use crate::{GroupId, MeetingId, Schedule, text::Text};

/// Most occurrences of one group at which something is otherwise, a count: a day each of a year, and a month.
pub const OVERRIDES_MAX: usize = 400;
/// How far an occurrence can be moved from its place in the series, in days.
pub const MOVED_DAYS_MAX: i32 = 31;
/// Calendars before the one of now that are remembered, a count. What an older one had planned was seen to by then.
pub const EARLIER_MAX: usize = 20;

/// What is otherwise at one occurrence than the calendar says (RFC 5545: a component with `RECURRENCE-ID`; `JSCalendar`:
/// `recurrenceOverrides`). What is not given is as the calendar has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OccurrenceOverride)]
pub struct Override {
    /// Local start; at most [`MOVED_DAYS_MAX`] days before or after its place in the series.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, pattern = r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d$",
        example = "2026-06-03T20:00:00")]
    pub starts_at_local: Option<DateTime>,
    /// Length, 1 to 1440 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1440)]
    pub duration_minutes: Option<u16>,
    /// How the group meets this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<MeetingMode>,
    /// What those who come should know, for whoever may see the calendar: never a person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Text<300>>,
    /// There is no meeting this time. It counts as one that the calendar does not have, not as a cancelled one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub called_off: bool,
}

/// A group's calendar, as it is and as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Its calendar, if it has one.
    pub schedule: Option<Schedule>,
    /// What is otherwise at single occurrences, by their place in the series. It stays when the calendar changes.
    pub overrides: BTreeMap<Date, Override>,
    /// The calendars before, the latest last, each once; at most [`EARLIER_MAX`].
    pub earlier: Vec<Schedule>,
    /// Local start in the group's first calendar.
    first_start: Option<Time>,
}

impl Series {
    /// Sets another calendar, or none.
    pub(super) fn reschedule(&mut self, schedule: Option<Schedule>) {
        self.first_start = self.first_start.or(schedule.as_ref().map(|schedule| schedule.starts_at));
        let before = std::mem::replace(&mut self.schedule, schedule);
        self.earlier.retain(|earlier| Some(earlier) != before.as_ref() && Some(earlier) != self.schedule.as_ref());
        self.earlier.extend(before);
        let too_many = self.earlier.len().saturating_sub(EARLIER_MAX);
        self.earlier.drain(..too_many);
    }

    /// Sets what is otherwise at an occurrence, or that nothing is; the oldest beyond [`OVERRIDES_MAX`] are past and go.
    pub(super) fn set(&mut self, on: Date, change: Option<&Override>) {
        match change {
            Some(change) => self.overrides.insert(on, change.clone()),
            None => self.overrides.remove(&on),
        };
        while self.overrides.len() > OVERRIDES_MAX {
            self.overrides.pop_first();
        }
    }

    /// The ids that the meeting at this place can have: first the one that it gets now. The others are of a Kith that
    /// took a meeting at another time for another one.
    pub fn meetings(&self, group: GroupId, place: Date) -> impl Iterator<Item = MeetingId> + use<> {
        let now = self.schedule.as_ref().map(|schedule| schedule.starts_at);
        let first = self.first_start.or(now);
        let others: BTreeSet<_> = self.earlier.iter().map(|earlier| earlier.starts_at).chain(now).collect();
        let others = others.into_iter().filter(move |start| Some(*start) != first);
        first.into_iter().chain(others).map(move |start| MeetingId::of(group, place.to_datetime(start)))
    }
}
