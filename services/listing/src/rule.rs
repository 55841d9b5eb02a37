//! What a calendar's rule says, as far as lists say it: which days, how often, until when. The days themselves are found
//! where meetings are planned.

use domain::Schedule;
use jiff::civil;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// As RFC 5545 writes them, in the order of [`Weekday::VARIANTS`].
const CODES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Weekday {
    /// As RFC 5545 writes it.
    pub fn code(self) -> &'static str {
        CODES[self as usize]
    }

    /// Days since the last Sunday: how Meeting Guide writes it.
    pub fn since_sunday(self) -> u8 {
        (self as u8 + 1) % 7
    }

    fn of(day: civil::Weekday) -> Self {
        Self::VARIANTS[usize::try_from(day.to_monday_zero_offset()).expect("0 to 6")]
    }
}

/// Days of the week, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weekdays(u8);

impl Weekdays {
    const ALL: Self = Self(0x7f);

    /// Whether they have a day in common.
    pub fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The days, from Monday on.
    pub fn days(self) -> impl Iterator<Item = Weekday> {
        Weekday::VARIANTS.iter().copied().filter(move |day| self.0 & (1 << (*day as u8)) != 0)
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | 1 << (day as u8)))
    }
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "UPPERCASE")]
pub(crate) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A rule, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule<'a> {
    pub frequency: Frequency,
    pub interval: u32,
    /// `BYDAY`: of the month or year the how-manieth, 0 for each.
    pub by_day: Vec<(i32, Weekday)>,
    pub by_month_day: Option<&'a str>,
    pub count: Option<u32>,
    pub until: Option<&'a str>,
    pub week_start: Option<&'a str>,
    /// Whether it says more than that.
    pub says_more: bool,
    first: Weekday,
}

impl<'a> Rule<'a> {
    /// The rule of a calendar; none if it cannot be read, which no calendar is taken with.
    pub fn of(schedule: &'a Schedule) -> Option<Self> {
        let mut rule = Self {
            frequency: Frequency::Weekly,
            interval: 1,
            by_day: vec![],
            by_month_day: None,
            count: None,
            until: None,
            week_start: None,
            says_more: false,
            first: Weekday::of(schedule.starts_on.weekday()),
        };
        let mut frequency = None;
        for part in schedule.recurrence.as_str().split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            match name.trim().to_ascii_uppercase().as_str() {
                "FREQ" => frequency = Some(value.trim().to_ascii_uppercase().parse().ok()?),
                "INTERVAL" => rule.interval = value.trim().parse().ok()?,
                "BYDAY" => rule.by_day = value.split(',').map(by_day).collect::<Option<_>>()?,
                "BYMONTHDAY" => rule.by_month_day = Some(value.trim()),
                "COUNT" => rule.count = Some(value.trim().parse().ok()?),
                "UNTIL" => rule.until = Some(value.trim()),
                "WKST" => rule.week_start = Some(value.trim()),
                _ => rule.says_more = true,
            }
        }
        Some(Self { frequency: frequency?, ..rule })
    }

    /// On which days of the week there can be meetings.
    pub fn weekdays(&self) -> Weekdays {
        match (self.by_day.as_slice(), self.frequency) {
            ([], Frequency::Weekly) => [self.first].into_iter().collect(),
            ([], _) => Weekdays::ALL,
            (days, _) => days.iter().map(|(_, day)| *day).collect(),
        }
    }

    /// Whether it is these days of every week, and nothing else.
    pub fn is_weekly(&self) -> bool {
        let daily = self.frequency == Frequency::Daily;
        (daily || self.frequency == Frequency::Weekly)
            && self.interval == 1
            && self.by_month_day.is_none()
            && !self.says_more
    }

    /// Whether it comes to an end.
    pub fn ends(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }
}

/// `2MO`, `-1FR`, `TU`.
fn by_day(text: &str) -> Option<(i32, Weekday)> {
    let text = text.trim();
    let (number, code) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let at = CODES.iter().position(|known| known.eq_ignore_ascii_case(code))?;
    let number = if number.is_empty() { 0 } else { number.parse().ok()? };
    Some((number, Weekday::VARIANTS[at]))
}

/// On which days of the week a calendar can have meetings.
pub(crate) fn weekdays(schedule: Option<&Schedule>) -> Weekdays {
    schedule.and_then(Rule::of).map(|rule| rule.weekdays()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(recurrence: &str) -> Schedule {
        Schedule {
            starts_on: civil::date(2026, 1, 6), // a Tuesday
            starts_at: civil::time(19, 0, 0, 0),
            duration_minutes: 90,
            time_zone: "America/New_York".parse().unwrap(),
            recurrence: recurrence.parse().unwrap(),
            except: vec![],
        }
    }

    fn days(recurrence: &str) -> Vec<&'static str> {
        weekdays(Some(&weekly(recurrence))).days().map(Weekday::code).collect()
    }

    #[test]
    fn a_rule_says_on_which_days_of_the_week_there_can_be_meetings() {
        assert_eq!(days("FREQ=WEEKLY"), ["TU"]);
        assert_eq!(days("FREQ=WEEKLY;BYDAY=TH,MO"), ["MO", "TH"]);
        assert_eq!(days("FREQ=MONTHLY;BYDAY=-1FR,+2SU"), ["FR", "SU"]);
        assert_eq!(days("FREQ=MONTHLY;BYMONTHDAY=15").len(), 7);
        assert_eq!(days("FREQ=DAILY").len(), 7);
        assert_eq!(weekdays(None), Weekdays::default());
    }

    #[test]
    fn weekly_is_what_comes_every_week() {
        let is = |recurrence: &str| Rule::of(&weekly(recurrence)).unwrap().is_weekly();
        assert!(is("FREQ=WEEKLY;BYDAY=TU") && is("FREQ=WEEKLY;WKST=MO;INTERVAL=1") && is("FREQ=DAILY"));
        assert!(!is("FREQ=WEEKLY;INTERVAL=2") && !is("FREQ=MONTHLY;BYDAY=1TU") && !is("FREQ=WEEKLY;BYMONTH=1"));
        assert!(Rule::of(&weekly("FREQ=WEEKLY;COUNT=3")).unwrap().ends());
    }

    #[test]
    fn sunday_is_the_first_day_for_some() {
        assert_eq!(Weekday::VARIANTS.iter().map(|day| day.since_sunday()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 0]);
    }
}
