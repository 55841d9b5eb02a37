//! Calendars: on which days a group meets, and when that is.
//!
//! The days come from the recurrence rule, expanded without any time of day or zone. The time of day is
//! the group's own and stays the same when clocks change: `jiff` finds the instant. Where clocks go forward and the
//! local time does not exist, the meeting starts as much later as the clocks jump (02:30 is 03:30); where they go
//! back and it exists twice, it starts the first time.
//!
//! A date that the rule does not name is not a meeting, even if it is `starts_on`.

mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use domain::{Schedule, ScheduleError};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

pub use self::rule::{COUNT_MAX, FIRST_DAY, INTERVAL_MAX, LAST_DAY};
use self::rule::{Rule, Until};

/// Longest range that is expanded at once, in days.
pub const PLAN_DAYS_MAX: i32 = 400;
/// What is wrong with a rule that names none.
const NO_DAY: &str = "it names no day";

/// One meeting of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// Local start as the calendar has it (RFC 5545 `RECURRENCE-ID`), even if clocks skip it that day.
    pub local: DateTime,
    /// Start.
    pub starts_at: Timestamp,
    /// End.
    pub ends_at: Timestamp,
}

/// Local days to expand a calendar for: 0 to [`PLAN_DAYS_MAX`], so that the work is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    from: Date,
    through: Date,
}

/// More days than are expanded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} days are asked for, at most {PLAN_DAYS_MAX} are possible at once")]
pub struct TooManyDays(i64);

impl Days {
    /// The days from `from` through `through`, both included; none if `through` is before `from`.
    ///
    /// # Errors
    /// If they are more than [`PLAN_DAYS_MAX`].
    pub fn new(from: Date, through: Date) -> Result<Self, TooManyDays> {
        let days = from.duration_until(through).as_hours() / 24 + 1;
        if days > PLAN_DAYS_MAX.into() { Err(TooManyDays(days)) } else { Ok(Self { from, through }) }
    }

    /// Those of `dates` that are among them.
    pub fn within(self, dates: impl IntoIterator<Item = Date>) -> impl Iterator<Item = Date> {
        dates.into_iter().filter(move |date| (self.from..=self.through).contains(date))
    }
}

/// Whether a calendar can be used.
///
/// # Errors
/// Says what is wrong: its duration, its exceptions, its zone, or its rule; a rule that names no day is wrong, too.
pub fn validate(schedule: &Schedule) -> Result<(), ScheduleError> {
    let calendar = Calendar::of(schedule)?;
    match calendar.days_from(FIRST_DAY).next() {
        Some(_) => Ok(()),
        None => Err(unusable(schedule, NO_DAY.into())),
    }
}

/// The first meeting that the rule names, whether it is left out or not; nothing if it names none.
///
/// # Errors
/// As [`occurrences`].
pub fn first(schedule: &Schedule) -> Result<Option<Occurrence>, ScheduleError> {
    Ok(Calendar::of(schedule)?.days_from(FIRST_DAY).next())
}

/// Those of these days that the rule names, whether their meetings are left out or not.
///
/// # Errors
/// As [`occurrences`].
pub fn named(schedule: &Schedule, days: &BTreeSet<Date>) -> Result<BTreeSet<Date>, ScheduleError> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(BTreeSet::new()) };
    let calendar = Calendar::of(schedule)?;
    // One way through the rule, however many they are: what is counted is counted from its start.
    let named = calendar.days_from(*first).map(|occurrence| occurrence.local.date());
    Ok(named.take_while(|day| day <= last).filter(|day| days.contains(day)).collect())
}

/// The last instant at which a meeting of the rule can start, if the rule says so.
///
/// # Errors
/// As [`occurrences`].
pub fn until(schedule: &Schedule) -> Result<Option<Timestamp>, ScheduleError> {
    let calendar = Calendar::of(schedule)?;
    Ok(calendar.rule.until().and_then(|until| match until {
        Until::Day(day) => calendar.occurrence(day).map(|last| last.starts_at),
        Until::Local(local) => Some(calendar.zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp()),
        Until::Instant(instant) => Some(instant),
    }))
}

/// The meetings of a calendar on these days, in order, at most one a day.
///
/// # Errors
/// If the calendar is one that [`validate`] refuses, except that it may name no day.
pub fn occurrences(schedule: &Schedule, days: Days) -> Result<Vec<Occurrence>, ScheduleError> {
    let calendar = Calendar::of(schedule)?;
    let meetings = calendar.days_from(days.from).take_while(|occurrence| occurrence.local.date() <= days.through);
    Ok(meetings.filter(|Occurrence { local, .. }| !schedule.except.contains(&local.date())).collect())
}

/// A meeting of a calendar at another local time than the rule says. Nothing where the calendar of `jiff` ends, or the
/// zone is not one.
pub fn at(schedule: &Schedule, local: DateTime, minutes: u16) -> Option<Occurrence> {
    let starts_at = zone(schedule.time_zone.as_str()).ok()?.to_ambiguous_zoned(local).compatible().ok()?.timestamp();
    let ends_at = starts_at.checked_add(SignedDuration::from_mins(minutes.into())).ok()?;
    Some(Occurrence { local, starts_at, ends_at })
}

/// A schedule whose parts have been read.
struct Calendar<'a> {
    schedule: &'a Schedule,
    zone: TimeZone,
    rule: Rule,
}

impl<'a> Calendar<'a> {
    fn of(schedule: &'a Schedule) -> Result<Self, ScheduleError> {
        if !(1..=Schedule::MINUTES_MAX).contains(&schedule.duration_minutes) {
            return Err(ScheduleError::Duration(schedule.duration_minutes));
        }
        if schedule.except.len() > Schedule::EXCEPT_MAX {
            return Err(ScheduleError::Except(schedule.except.len()));
        }
        let zone = zone(schedule.time_zone.as_str())?;
        let rule = Rule::parse(schedule).map_err(|why| unusable(schedule, why))?;
        Ok(Self { schedule, zone, rule })
    }

    /// Meetings from a day on, up to [`LAST_DAY`], exceptions included.
    fn days_from(&self, first: Date) -> impl Iterator<Item = Occurrence> {
        let meetings = self.rule.days(first).map_while(|day| self.occurrence(day));
        meetings.take_while(|Occurrence { local, starts_at, .. }| self.rule.includes(*local, *starts_at))
    }

    /// Nothing only where the calendar of `jiff` ends.
    fn occurrence(&self, day: Date) -> Option<Occurrence> {
        let local = day.to_datetime(self.schedule.starts_at);
        let starts_at = self.zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp();
        let length = SignedDuration::from_mins(self.schedule.duration_minutes.into());
        Some(Occurrence { local, starts_at, ends_at: starts_at.checked_add(length).ok()? })
    }
}

/// The zone of this name, written as the IANA database writes it.
pub(crate) fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    domain::time_zone(name).ok_or_else(|| ScheduleError::TimeZone(name.into()))
}

fn unusable(schedule: &Schedule, why: String) -> ScheduleError {
    ScheduleError::Recurrence { rule: schedule.recurrence.to_string(), why }
}
