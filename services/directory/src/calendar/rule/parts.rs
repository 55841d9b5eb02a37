//! The parts of a rule: how they are written, which go together, and whether a day fits those that choose days.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use jiff::civil::{Date, Weekday};

use super::{COUNT_MAX, INTERVAL_MAX, Rule, Until, first_of_week};

/// Weekdays as rules name them, from Monday on.
pub(in super::super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// What a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// What chooses days. Empty: does not choose.
#[derive(Debug, Default)]
pub(super) struct By {
    months: BTreeSet<i32>,
    month_days: BTreeSet<i32>,
    year_days: BTreeSet<i32>,
    weeks: BTreeSet<i32>,
    /// With the place that they take among their like in the month or year; 0: each of them.
    weekdays: BTreeSet<(i32, i8)>,
    /// Places among the days that were chosen.
    pub places: BTreeSet<i32>,
}

/// The rule that this text, in capitals, is.
pub(super) fn read(start: Date, text: &str) -> Result<Rule, String> {
    let parts = split(text)?;
    let frequency = frequency(&parts)?;
    goes_together(&parts, frequency)?;
    let one = |key: &str| parts.get(key).and_then(|value| value.parse::<i32>().ok());
    Ok(Rule {
        start,
        frequency,
        interval: one("INTERVAL").unwrap_or(1),
        count: one("COUNT").and_then(|count| usize::try_from(count).ok()),
        until: parts.get("UNTIL").copied().map(Until::parse).transpose()?,
        week_start: parts.get("WKST").and_then(|day| weekday(day)).unwrap_or(Weekday::Monday),
        by: By::of(&parts, frequency, start),
    })
}

/// The parts by their names, each with a value that it can have.
fn split(text: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut parts = BTreeMap::new();
    for part in text.split(';') {
        let (key, value) = part.split_once('=').ok_or("each part must be such as FREQ=WEEKLY")?;
        check(key, value)?;
        if parts.insert(key, value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(parts)
}

fn frequency(parts: &BTreeMap<&str, &str>) -> Result<Frequency, String> {
    Ok(match *parts.get("FREQ").ok_or("FREQ is missing")? {
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        _ => Frequency::Yearly, // checked
    })
}

/// What the RFC forbids together.
fn goes_together(parts: &BTreeMap<&str, &str>, frequency: Frequency) -> Result<(), String> {
    use Frequency::{Daily, Monthly, Weekly, Yearly};
    let has = |key| parts.contains_key(key);
    let places = parts.get("BYDAY").is_some_and(|days| days.contains(|c: char| c.is_ascii_digit()));
    let why = match () {
        () if has("COUNT") && has("UNTIL") => "it has both COUNT and UNTIL",
        () if places && matches!(frequency, Daily | Weekly) => {
            "the place of a weekday, as in 2TU, needs FREQ=MONTHLY or FREQ=YEARLY"
        }
        () if has("BYMONTHDAY") && frequency == Weekly => "BYMONTHDAY is not possible with FREQ=WEEKLY",
        () if has("BYYEARDAY") && matches!(frequency, Daily | Weekly | Monthly) => "BYYEARDAY needs FREQ=YEARLY",
        () if has("BYWEEKNO") && frequency != Yearly => "BYWEEKNO needs FREQ=YEARLY",
        () if has("BYSETPOS") && !parts.keys().any(|key| key.starts_with("BY") && *key != "BYSETPOS") => {
            "BYSETPOS needs another part that starts with BY, to choose among its days"
        }
        () => return Ok(()),
    };
    Err(why.into())
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let each = |is: fn(&str) -> bool| value.split(',').all(is);
    let fits = match key {
        "FREQ" => matches!(value, "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY"),
        "UNTIL" => true, // read by `Until`
        "INTERVAL" => number(value, INTERVAL_MAX) && !value.starts_with('-'),
        "COUNT" => number(value, COUNT_MAX) && !value.starts_with('-'),
        "WKST" => WEEKDAYS.contains(&value),
        "BYDAY" => each(|day| place_of_weekday(day).is_some()),
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

/// A weekday, and the place it takes among its like, e.g. in `2TU` or `-1FR`; 0 if it has none, as in `TU`.
fn place_of_weekday(text: &str) -> Option<(i32, i8)> {
    let (place, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = weekday(day)?.to_monday_zero_offset();
    match place {
        "" => Some((0, day)),
        place if number(place, 53) => Some((place.parse().ok()?, day)),
        _ => None,
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    let (_, offset) = WEEKDAYS.iter().zip(0..).find(|(name, _)| **name == text)?;
    Weekday::from_monday_zero_offset(offset).ok()
}

impl By {
    fn of(parts: &BTreeMap<&str, &str>, frequency: Frequency, start: Date) -> Self {
        fn each<'a>(parts: &BTreeMap<&str, &'a str>, key: &str) -> impl Iterator<Item = &'a str> {
            parts.get(key).copied().into_iter().flat_map(|values| values.split(','))
        }
        let numbers = |key| each(parts, key).filter_map(|value| i32::from_str(value).ok()).collect();
        let mut by = Self {
            months: numbers("BYMONTH"),
            month_days: numbers("BYMONTHDAY"),
            year_days: numbers("BYYEARDAY"),
            weeks: numbers("BYWEEKNO"),
            weekdays: each(parts, "BYDAY").filter_map(place_of_weekday).collect(),
            places: numbers("BYSETPOS"),
        };
        by.as_the_start(frequency, start);
        by
    }

    /// What chooses no day of a period gets from the start what it lacks.
    fn as_the_start(&mut self, frequency: Frequency, start: Date) {
        let chooses = !self.month_days.is_empty()
            || !self.year_days.is_empty()
            || !self.weeks.is_empty()
            || !self.weekdays.is_empty();
        match frequency {
            _ if chooses => {}
            Frequency::Daily => {}
            Frequency::Weekly => {
                self.weekdays.insert((0, start.weekday().to_monday_zero_offset()));
            }
            Frequency::Yearly | Frequency::Monthly => {
                if frequency == Frequency::Yearly && self.months.is_empty() {
                    self.months.insert(start.month().into());
                }
                self.month_days.insert(start.day().into());
            }
        }
    }

    /// Whether a day has all that is chosen by.
    pub fn fits(&self, day: Date, frequency: Frequency, week_start: Weekday) -> bool {
        let either = |wanted: &BTreeSet<i32>, number: i16, of: i16| {
            wanted.is_empty()
                || wanted.contains(&number.into())
                || wanted.contains(&(i32::from(number) - i32::from(of) - 1))
        };
        (self.months.is_empty() || self.months.contains(&day.month().into()))
            && either(&self.month_days, day.day().into(), day.days_in_month().into())
            && either(&self.year_days, day.day_of_year(), day.days_in_year())
            && (self.weekdays.is_empty() || self.is_weekday(day, frequency))
            && (self.weeks.is_empty() || self.is_week(day, week_start).unwrap_or(false))
    }

    /// A place is one in the month, or in the year if a rule by years names no months.
    fn is_weekday(&self, day: Date, frequency: Frequency) -> bool {
        let by_year = frequency == Frequency::Yearly && self.months.is_empty();
        let (nth, of) = match () {
            () if by_year => (day.day_of_year(), day.days_in_year()),
            () => (day.day().into(), day.days_in_month().into()),
        };
        let from_front = i32::from((nth - 1) / 7 + 1);
        let from_back = -i32::from((of - nth) / 7 + 1);
        let weekday = day.weekday().to_monday_zero_offset();
        [0, from_front, from_back].iter().any(|place| self.weekdays.contains(&(*place, weekday)))
    }

    /// A week belongs to the year in which most of its days are.
    fn is_week(&self, day: Date, week_start: Weekday) -> Option<bool> {
        let middle = |day| first_of_week(day, week_start)?.checked_add(jiff::Span::new().days(3)).ok();
        let nth = |middle: Date| i32::from((middle.day_of_year() - 1) / 7 + 1);
        let this = middle(day)?;
        // The last week of a year has its 28 December.
        let weeks = nth(middle(jiff::civil::date(this.year(), 12, 28))?);
        let from_back = nth(this) - weeks - 1;
        let of_next_year = this.year() > day.year();
        Some(self.weeks.contains(&nth(this)) || (!of_next_year && self.weeks.contains(&from_back)))
    }
}
