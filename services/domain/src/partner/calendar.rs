//! On which days a partner works: what is due within working days is due on one of these, where the partner is.

use std::collections::BTreeSet;

use jiff::{
    Span, Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Refusal;
use crate::{text::Text, time_zone};

/// Most dates on which a partner is closed, a count.
pub const CLOSED_ON_MAX: usize = 400;
/// In so many days there is a working one, if there is any in a week.
const DAYS_SEARCHED_MAX: usize = 7 * (CLOSED_ON_MAX + 1);

/// A day of the week, as in RFC 5545.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = WeekDay)]
pub enum Day {
    /// Monday.
    Mo,
    /// Tuesday.
    Tu,
    /// Wednesday.
    We,
    /// Thursday.
    Th,
    /// Friday.
    Fr,
    /// Saturday.
    Sa,
    /// Sunday.
    Su,
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mo,
            Weekday::Tuesday => Self::Tu,
            Weekday::Wednesday => Self::We,
            Weekday::Thursday => Self::Th,
            Weekday::Friday => Self::Fr,
            Weekday::Saturday => Self::Sa,
            Weekday::Sunday => Self::Su,
        }
    }
}

/// A partner's business calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BusinessCalendar)]
pub struct Calendar {
    /// IANA time zone in which the partner works, in any case; kept as the database writes it.
    #[serde(deserialize_with = "crate::day::zone_from_outside")]
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "America/New_York")]
    pub time_zone: Text<64>,
    /// Days of the week on which it works, at least one.
    pub working_days: BTreeSet<Day>,
    /// Local dates on which it does not, such as holidays, at most 400.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub closed_on: BTreeSet<Date>,
}

impl Calendar {
    /// Every day, in UTC.
    pub fn every_day() -> Self {
        let working_days = [Day::Mo, Day::Tu, Day::We, Day::Th, Day::Fr, Day::Sa, Day::Su].into();
        Self { time_zone: "UTC".parse().expect("a text"), working_days, closed_on: BTreeSet::new() }
    }

    /// Whether it can be reckoned with.
    ///
    /// # Errors
    /// [`Refusal::TimeZone`], [`Refusal::NeverWorks`], [`Refusal::Full`].
    pub fn check(&self) -> Result<(), Refusal> {
        match () {
            () if time_zone(self.time_zone.as_str()).is_none() => Err(Refusal::TimeZone),
            () if self.working_days.is_empty() => Err(Refusal::NeverWorks),
            () if self.closed_on.len() > CLOSED_ON_MAX => {
                Err(Refusal::Full("dates on which it is closed", CLOSED_ON_MAX))
            }
            () => Ok(()),
        }
    }

    /// Whether the partner works on that date.
    pub fn is_working(&self, date: Date) -> bool {
        self.working_days.contains(&date.weekday().into()) && !self.closed_on.contains(&date)
    }

    /// So many days later, at the same time of day where the partner is.
    pub fn after_days(&self, from: Timestamp, days: u16) -> Timestamp {
        let local = from.to_zoned(self.zone());
        let day = local.date().saturating_add(Span::new().days(i64::from(days)));
        self.instant(day, local.time(), from)
    }

    /// So many working days later, at the same time of day where the partner is. What comes in on a day on which nobody
    /// works came in when the next working day began.
    pub fn after_working_days(&self, from: Timestamp, days: u16) -> Timestamp {
        let local = from.to_zoned(self.zone());
        let (mut day, time) = if self.is_working(local.date()) {
            (local.date(), local.time())
        } else {
            (self.next_working(local.date()), Time::midnight())
        };
        for _ in 0..days {
            day = self.next_working(day);
        }
        self.instant(day, time, from)
    }

    fn zone(&self) -> TimeZone {
        // It is checked when it is entered; an older build may not know it.
        time_zone(self.time_zone.as_str()).unwrap_or_else(TimeZone::unknown)
    }

    /// The first working day after that date; the next day, if there is none in this calendar.
    fn next_working(&self, date: Date) -> Date {
        let next = |date: &Date| Some(date.saturating_add(Span::new().days(1)));
        let mut later = std::iter::successors(next(&date), next).take(DAYS_SEARCHED_MAX);
        later.find(|day| self.is_working(*day)).unwrap_or_else(|| date.saturating_add(Span::new().days(1)))
    }

    /// A time that clocks leave out is as much later as they leave out.
    fn instant(&self, day: Date, time: Time, at_least: Timestamp) -> Timestamp {
        let there = day.to_datetime(time).to_zoned(self.zone());
        there.map_or(Timestamp::MAX, |there| there.timestamp()).max(at_least)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn weekdays(zone: &str) -> Calendar {
        let working_days = [Day::Mo, Day::Tu, Day::We, Day::Th, Day::Fr].into();
        Calendar { time_zone: zone.parse().unwrap(), working_days, closed_on: BTreeSet::new() }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn working_days_leave_out_week_ends_and_holidays_and_keep_the_time_of_day() {
        let mut calendar = weekdays("America/New_York");
        // Friday, four in the afternoon; clocks go forward that Sunday.
        let friday = at("2026-03-06T16:00:00-05:00");
        assert_eq!(calendar.after_working_days(friday, 1), at("2026-03-09T16:00:00-04:00"));
        assert_eq!(calendar.after_days(friday, 2), at("2026-03-08T16:00:00-04:00"));
        calendar.closed_on.insert(date(2026, 3, 9));
        assert_eq!(calendar.after_working_days(friday, 1), at("2026-03-10T16:00:00-04:00"));
        let saturday = at("2026-03-07T10:00:00-05:00");
        assert_eq!(calendar.after_working_days(saturday, 1), at("2026-03-11T00:00:00-04:00"));
        // It is Monday already where the partner is.
        let monday = at("2026-03-08T20:00:00Z");
        assert_eq!(weekdays("Pacific/Auckland").after_working_days(monday, 1), at("2026-03-10T09:00:00+13:00"));
    }

    #[test]
    fn a_calendar_that_cannot_be_reckoned_with_is_refused_and_still_harms_nobody() {
        let never = Calendar { working_days: BTreeSet::new(), ..weekdays("UTC") };
        assert_eq!(never.check(), Err(Refusal::NeverWorks));
        assert_eq!(weekdays("Mars/Olympus").check(), Err(Refusal::TimeZone));
        assert_eq!(weekdays("UTC").check(), Ok(()));
        assert!(never.after_working_days(at("2026-03-06T16:00:00Z"), 366) > at("2026-03-06T16:00:00Z"));
        assert!(weekdays("UTC").after_working_days(Timestamp::MAX, 366) == Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn what_is_due_is_due_on_a_working_day_and_never_before_it_began(
            seconds in 0i64..4_000_000_000, days in 1u16..40, closed in prop::collection::btree_set(0i32..50, 0..20),
        ) {
            let from = Timestamp::from_second(seconds).unwrap();
            let mut calendar = weekdays("Australia/Lord_Howe");
            let zone = calendar.zone();
            let first = from.to_zoned(zone.clone()).date();
            calendar.closed_on = closed.iter().map(|days| first.saturating_add(Span::new().days(*days))).collect();
            let due = calendar.after_working_days(from, days);
            prop_assert!(due > from);
            prop_assert!(calendar.is_working(due.to_zoned(zone).date()));
            prop_assert!(calendar.after_working_days(from, days + 1) > due);
        }
    }
}
