//! Recurrence rules of RFC 5545, as far as they name days: which are taken, and the days that they name.
//!
//! A rule goes from period to period: days, weeks, months or years, each `INTERVAL` after the one before. In each,
//! the `BY…` parts choose days, then `BYSETPOS` chooses among those. Where the RFC leaves open what is meant, it is
//! what python-dateutil makes of it, against which `tests/data/rrule` checks this: the first week is cut at the start
//! before `BYSETPOS` counts, and a week that belongs to the next year is its first and nothing else.

mod parts;

use domain::Schedule;
use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Weekday, date},
    tz::TimeZone,
};

#[cfg(test)]
pub(super) use self::parts::WEEKDAYS;
use self::parts::{By, Frequency};

/// First day that a calendar can have.
pub const FIRST_DAY: Date = date(1970, 1, 1);
/// Last day that a calendar can have.
pub const LAST_DAY: Date = date(2199, 12, 31);
/// Largest `INTERVAL`, in days, weeks, months or years.
pub const INTERVAL_MAX: i32 = 400;
/// Largest `COUNT`, in meetings.
pub const COUNT_MAX: i32 = 10_000;

/// The last moment at which a meeting of a rule can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Day(Date),
    Local(DateTime),
    Instant(Timestamp),
}

impl Until {
    fn parse(text: &str) -> Result<Self, String> {
        let instant = || DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok();
        let day = || Date::strptime("%Y%m%d", text).ok().filter(|_| text.len() == 8);
        let local = || DateTime::strptime("%Y%m%dT%H%M%S", text).ok();
        (day().map(Self::Day))
            .or_else(|| local().map(Self::Local))
            .or_else(|| instant().map(|zoned| Self::Instant(zoned.timestamp())))
            .ok_or_else(|| "UNTIL must be a date such as 20261231 or a time such as 20261231T235959Z".into())
    }

    fn includes(self, local: DateTime, starts_at: Timestamp) -> bool {
        match self {
            Self::Day(last) => local.date() <= last,
            Self::Local(last) => local <= last,
            Self::Instant(last) => starts_at <= last,
        }
    }
}

/// A recurrence rule, from the day on from which it counts.
#[derive(Debug)]
pub(super) struct Rule {
    start: Date,
    frequency: Frequency,
    /// In days, weeks, months or years, from 1 to [`INTERVAL_MAX`].
    interval: i32,
    count: Option<usize>,
    until: Option<Until>,
    week_start: Weekday,
    by: By,
}

impl Rule {
    pub(super) fn parse(schedule: &Schedule) -> Result<Self, String> {
        let start = schedule.starts_on;
        if !(FIRST_DAY..=LAST_DAY).contains(&start) {
            return Err(format!("starts_on must be {FIRST_DAY} to {LAST_DAY}"));
        }
        parts::read(start, &schedule.recurrence.as_str().to_ascii_uppercase())
    }

    /// Until when it names days, if it says so.
    pub(super) fn until(&self) -> Option<Until> {
        self.until
    }

    /// Whether a meeting may still start at this instant, which is that local time.
    pub(super) fn includes(&self, local: DateTime, starts_at: Timestamp) -> bool {
        self.until.is_none_or(|until| until.includes(local, starts_at))
    }

    /// The days that it names, from this one up to [`LAST_DAY`], without regard to `UNTIL`.
    pub(super) fn days(&self, from: Date) -> impl Iterator<Item = Date> {
        // What is counted is counted from the start; else the periods before are passed over.
        let first = if self.count.is_some() { self.start } else { from };
        let periods = (self.periods_before(first)..).map_while(|nth| self.period(nth));
        let days = periods.flat_map(|period| self.chosen(period));
        let days = days.skip_while(|day| *day < self.start).take_while(|day| *day <= LAST_DAY);
        days.take(self.count.unwrap_or(usize::MAX)).skip_while(move |day| *day < from)
    }

    /// How many periods end before this day, or fewer by one; a count.
    fn periods_before(&self, day: Date) -> i32 {
        let days = || i32::try_from(self.start.duration_until(day).as_hours() / 24).unwrap_or(0);
        let years = || i32::from(day.year() - self.start.year());
        let passed = match self.frequency {
            Frequency::Daily => days(),
            Frequency::Weekly => days() / 7,
            Frequency::Monthly => years() * 12 + i32::from(day.month() - self.start.month()),
            Frequency::Yearly => years(),
        };
        (passed / self.interval).max(0)
    }

    /// The first and the last day of a period; nothing after [`LAST_DAY`].
    fn period(&self, nth: i32) -> Option<(Date, Date)> {
        let steps = nth.checked_mul(self.interval)?;
        let after = |first: Date, span: Result<Span, _>| first.checked_add(span.ok()?).ok();
        let new = Span::new();
        let (first, last) = match self.frequency {
            Frequency::Daily => {
                let day = after(self.start, new.try_days(steps))?;
                (day, day)
            }
            Frequency::Weekly => {
                let monday = after(first_of_week(self.start, self.week_start)?, new.try_weeks(steps))?;
                (monday.max(self.start), after(monday, new.try_days(6))?)
            }
            Frequency::Monthly => {
                let first = after(self.start.first_of_month(), new.try_months(steps))?;
                (first, first.last_of_month())
            }
            Frequency::Yearly => {
                let first = after(self.start.first_of_year(), new.try_years(steps))?;
                (first, first.last_of_year())
            }
        };
        (first <= LAST_DAY).then_some((first, last))
    }

    /// The days that it names in a period.
    fn chosen(&self, (first, last): (Date, Date)) -> Vec<Date> {
        let days = first.series(Span::new().days(1)).take_while(|day| *day <= last);
        let days: Vec<_> = days.filter(|day| self.by.fits(*day, self.frequency, self.week_start)).collect();
        if self.by.places.is_empty() {
            return days;
        }
        let places = (1..).zip((1..=days.len()).rev());
        let chosen = |(from_front, from_back): (usize, usize)| {
            let is = |place: i32, sign: i32| self.by.places.contains(&(sign * place));
            i32::try_from(from_front).is_ok_and(|n| is(n, 1)) || i32::try_from(from_back).is_ok_and(|n| is(n, -1))
        };
        days.iter().zip(places).filter(|(_, places)| chosen(*places)).map(|(day, _)| *day).collect()
    }
}

/// The day with which the week of a day begins; nothing where the calendar of `jiff` ends.
fn first_of_week(day: Date, week_start: Weekday) -> Option<Date> {
    let passed = week_start.until(day.weekday());
    day.checked_sub(Span::new().days(passed)).ok()
}
