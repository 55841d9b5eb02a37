//! Recurrence rules: which are taken, and the days that they name, expanded by `rrule`.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use domain::Schedule;
use jiff::{
    Timestamp,
    civil::{Date, DateTime, date},
    tz::TimeZone,
};
use rrule::RRuleSet;

/// First day that a calendar can have, and the one from which `rrule` counts seconds.
pub const FIRST_DAY: Date = date(1970, 1, 1);
/// Last day that a calendar can have. The days from the first to the last are fewer than the steps (100,000) after
/// which `rrule` gives up without saying so.
pub const LAST_DAY: Date = date(2199, 12, 31);
/// Largest `INTERVAL`, in days, weeks, months or years.
pub const INTERVAL_MAX: i32 = 400;
/// Largest `COUNT`, in meetings.
pub const COUNT_MAX: i32 = 10_000;

const SECONDS_OF_DAY: i64 = 24 * 60 * 60;
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The last moment at which a meeting of a rule can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
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

/// A recurrence rule. `UNTIL` is kept out of `rrule`, which would compare it with days at midnight.
pub(super) struct Rule {
    set: RRuleSet,
    until: Option<Until>,
    /// False if it asks for a day that there is not, such as 30 February: `rrule` would look for it for thousands of
    /// years.
    pub(super) can_name_a_day: bool,
}

impl Rule {
    pub(super) fn parse(schedule: &Schedule) -> Result<Self, String> {
        if !(FIRST_DAY..=LAST_DAY).contains(&schedule.starts_on) {
            return Err(format!("starts_on must be {FIRST_DAY} to {LAST_DAY}"));
        }
        let text = schedule.recurrence.as_str().to_ascii_uppercase();
        let mut parts = parts(&text)?;
        let until = parts.remove("UNTIL").map(Until::parse).transpose()?;
        let can_name_a_day = Wanted::of(&parts).any(schedule.starts_on);
        let rest: Vec<_> = parts.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let start = schedule.starts_on.strftime("%Y%m%d");
        RRuleSet::from_str(&format!("DTSTART:{start}T000000Z\nRRULE:{}", rest.join(";")))
            .map(|set| Self { set: set.limit(), until, can_name_a_day })
            .map_err(|_| "its parts do not go together".into())
    }

    /// Whether a meeting may still start at this instant, which is that local time.
    pub(super) fn includes(&self, local: DateTime, starts_at: Timestamp) -> bool {
        self.until.is_none_or(|until| until.includes(local, starts_at))
    }

    /// The days that it names, up to [`LAST_DAY`], without regard to `UNTIL`.
    pub(super) fn days(&self) -> impl Iterator<Item = Date> {
        (&self.set).into_iter().map_while(|day| day_of(day.timestamp())).take_while(|day| *day <= LAST_DAY)
    }
}

/// What every day that a rule names has, whatever else the rule says. Empty: anything.
struct Wanted {
    months: BTreeSet<i32>,
    month_days: BTreeSet<i32>,
    year_days: BTreeSet<i32>,
    weekdays: BTreeSet<i8>,
}

impl Wanted {
    fn of(parts: &BTreeMap<&str, &str>) -> Self {
        let values = |key| parts.get(key).into_iter().flat_map(|values| values.split(','));
        let numbers = |key| values(key).filter_map(|value| value.parse().ok()).collect();
        let weekday = |value: &str| WEEKDAYS.iter().zip(0..).find(|(day, _)| value.ends_with(**day));
        Self {
            months: numbers("BYMONTH"),
            month_days: numbers("BYMONTHDAY"),
            year_days: numbers("BYYEARDAY"),
            weekdays: values("BYDAY").filter_map(|value| Some(weekday(value)?.1)).collect(),
        }
    }

    /// Whether there is such a day, this one or later.
    fn any(&self, first: Date) -> bool {
        first.series(jiff::Span::new().days(1)).take_while(|day| *day <= LAST_DAY).any(|day| self.fits(day))
    }

    fn fits(&self, day: Date) -> bool {
        let either = |wanted: &BTreeSet<i32>, number: i16, of: i16| {
            wanted.is_empty()
                || wanted.contains(&number.into())
                || wanted.contains(&(i32::from(number) - i32::from(of) - 1))
        };
        (self.months.is_empty() || self.months.contains(&day.month().into()))
            && (self.weekdays.is_empty() || self.weekdays.contains(&day.weekday().to_monday_zero_offset()))
            && either(&self.month_days, day.day().into(), day.days_in_month().into())
            && either(&self.year_days, day.day_of_year(), day.days_in_year())
    }
}

/// The parts of a rule by their names, each checked: `rrule` takes an ordinal that it cannot read for none.
fn parts(text: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut parts = BTreeMap::new();
    for part in text.split(';') {
        let (key, value) = part.split_once('=').ok_or("each part must be such as FREQ=WEEKLY")?;
        check(key, value)?;
        if parts.insert(key, value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    match () {
        () if !parts.contains_key("FREQ") => Err("FREQ is missing".into()),
        () if parts.contains_key("COUNT") && parts.contains_key("UNTIL") => Err("it has both COUNT and UNTIL".into()),
        () if parts.get("BYDAY").is_some_and(|days| days.contains(|c: char| c.is_ascii_digit()))
            && matches!(parts["FREQ"], "DAILY" | "WEEKLY") =>
        {
            Err("the place of a weekday, as in 2TU, needs FREQ=MONTHLY or FREQ=YEARLY".into())
        }
        () => Ok(parts),
    }
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let each = |is: fn(&str) -> bool| value.split(',').all(is);
    let fits = match key {
        "FREQ" => matches!(value, "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY"),
        "UNTIL" => true, // read by `Until`
        "INTERVAL" => number(value, INTERVAL_MAX) && !value.starts_with('-'),
        "COUNT" => number(value, COUNT_MAX) && !value.starts_with('-'),
        "WKST" => WEEKDAYS.contains(&value),
        "BYDAY" => each(is_weekday),
        "BYMONTH" => each(|month| number(month, 12) && !month.starts_with('-')),
        "BYMONTHDAY" => each(|day| number(day, 31)),
        "BYYEARDAY" | "BYSETPOS" => each(|day| number(day, 366)),
        "BYWEEKNO" => each(|week| number(week, 53)),
        "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
            return Err(format!("{key} is not possible: a group meets once a day, at starts_at"));
        }
        _ => return Err("it has a part that is not one of a rule".into()),
    };
    if fits { Ok(()) } else { Err(format!("{key} cannot have this value")) }
}

/// Whether it is a number from `-max` to `max` other than 0.
fn number(text: &str, max: i32) -> bool {
    text.parse::<i32>().is_ok_and(|number| number != 0 && (-max..=max).contains(&number))
}

/// Whether it is a weekday, with or without the place it takes among its like, e.g. `TU`, `2TU`, `-1FR`.
fn is_weekday(text: &str) -> bool {
    let place = WEEKDAYS.iter().find_map(|weekday| text.strip_suffix(weekday));
    place.is_some_and(|place| place.is_empty() || number(place, 53))
}

/// The day that holds this second, counted in UTC.
fn day_of(second: i64) -> Option<Date> {
    let days = i32::try_from(second.div_euclid(SECONDS_OF_DAY)).ok()?;
    FIRST_DAY.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}
