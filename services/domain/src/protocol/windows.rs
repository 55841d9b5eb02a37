//! When a programme's check-ins are due: counted in days where the group meets, so that no clock change moves one.

use jiff::{Span, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use super::Timing;

/// Why a check-in is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Occasion {
    /// The enrolment begins.
    Intake,
    /// Some weeks have gone by.
    Review,
    /// The enrolment ends.
    Exit,
}

/// Days on which one check-in is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Window {
    /// The day for which it is asked.
    pub due_on: Date,
    /// The first day on which it counts.
    pub opens_on: Date,
    /// The last one.
    pub closes_on: Date,
    /// Why it is asked for.
    pub occasion: Occasion,
}

/// How far a check-in that is asked for has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[derive(IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Progress {
    /// Its day has not come, but it can be taken.
    Open,
    /// Its day has come.
    Due,
    /// It was not taken while it was open.
    Missed,
    /// It was taken.
    Taken,
}

impl Window {
    fn around(due_on: Date, open_days: u8, occasion: Occasion) -> Self {
        let days = Span::new().days(open_days);
        let (opens_on, closes_on) = (due_on.saturating_sub(days), due_on.saturating_add(days));
        Self { due_on, opens_on, closes_on, occasion }
    }

    /// Whether a check-in of that day is the one that is asked for.
    pub fn has(&self, day: Date) -> bool {
        (self.opens_on..=self.closes_on).contains(&day)
    }

    /// How far it has come on that day, if it has opened. `taken` says on which days there was a check-in.
    pub fn progress(&self, today: Date, taken: &[Date]) -> Option<Progress> {
        match today {
            _ if taken.iter().any(|day| self.has(*day)) => Some(Progress::Taken),
            today if today < self.opens_on => None,
            today if today < self.due_on => Some(Progress::Open),
            today if today <= self.closes_on => Some(Progress::Due),
            _ => Some(Progress::Missed),
        }
    }
}

impl Timing {
    /// The check-ins that are asked for in an enrolment from `first` to `last`, or without an end, which open until
    /// `today`; earliest first.
    pub fn windows(self, first: Date, last: Option<Date>, today: Date) -> Vec<Window> {
        let around = |day, occasion| Window::around(day, self.open_days, occasion);
        let intake = self.intake.then(|| around(first, Occasion::Intake));
        let review = |weeks: u8| {
            let nth = move |n: i32| first.checked_add(Span::new().weeks(n * i32::from(weeks))).ok();
            let within = move |day: &Date| last.is_none_or(|last| *day <= last);
            (1..).map_while(nth).take_while(within).map(move |day| around(day, Occasion::Review))
        };
        let reviews = self.every_weeks.filter(|weeks| *weeks > 0).map(review);
        let exit = last.filter(|_| self.exit).map(|last| around(last, Occasion::Exit));
        let has_opened = |window: &Window| window.opens_on <= today;
        let reviews = reviews.into_iter().flatten().take_while(has_opened);
        let mut windows: Vec<_> = intake.into_iter().chain(reviews).chain(exit).filter(has_opened).collect();
        windows.sort_unstable();
        windows
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const FOUR_WEEKS: Timing = Timing { intake: true, every_weeks: Some(4), exit: true, open_days: 3 };

    fn days(timing: Timing, last: Option<Date>, today: Date) -> Vec<(String, Occasion)> {
        let windows = timing.windows(date(2026, 3, 3), last, today);
        windows.iter().map(|window| (window.due_on.to_string(), window.occasion)).collect()
    }

    #[test]
    fn check_ins_are_asked_for_at_intake_every_so_many_weeks_and_at_the_end() {
        let until = |today| days(FOUR_WEEKS, None, today);
        assert_eq!(until(date(2026, 2, 27)), []);
        assert_eq!(until(date(2026, 2, 28)), [("2026-03-03".into(), Occasion::Intake)]);
        // Clocks change in between, in both Auckland and Los Angeles: days do not.
        assert_eq!(until(date(2026, 3, 27)).len(), 1);
        assert_eq!(until(date(2026, 3, 28))[1], ("2026-03-31".into(), Occasion::Review));
        let ended = days(FOUR_WEEKS, Some(date(2026, 4, 20)), date(2026, 12, 31));
        let occasions: Vec<_> = ended.iter().map(|(day, occasion)| (day.as_str(), *occasion)).collect();
        assert_eq!(
            occasions,
            [("2026-03-03", Occasion::Intake), ("2026-03-31", Occasion::Review), ("2026-04-20", Occasion::Exit)]
        );
        assert_eq!(days(Timing { every_weeks: Some(0), exit: false, ..FOUR_WEEKS }, None, Date::MAX).len(), 1);
    }

    #[test]
    fn a_check_in_is_open_then_due_then_missed_unless_it_was_taken() {
        let window = FOUR_WEEKS.windows(date(2026, 3, 3), None, date(2026, 3, 3))[0];
        let progress = |day, taken: &[Date]| window.progress(date(2026, 3, day), taken);
        assert_eq!(window.progress(date(2026, 2, 27), &[]), None);
        assert_eq!(progress(2, &[]), Some(Progress::Open));
        assert_eq!(progress(3, &[]), Some(Progress::Due));
        assert_eq!(progress(6, &[]), Some(Progress::Due));
        assert_eq!(progress(7, &[]), Some(Progress::Missed));
        assert_eq!(progress(7, &[date(2026, 3, 6)]), Some(Progress::Taken));
        assert_eq!(progress(8, &[date(2026, 3, 7)]), Some(Progress::Missed), "too late is another one");
    }

    proptest! {
        #[test]
        fn no_day_belongs_to_two_reviews_and_time_only_adds_windows(
            weeks in 1u8..=104, open_days in 0u8..=60, first in 0i32..20_000, days in 0i32..4_000, more in 0i32..400,
        ) {
            prop_assume!(u32::from(open_days) * 2 < u32::from(weeks) * 7);
            let timing = Timing { intake: true, every_weeks: Some(weeks), exit: false, open_days };
            let first = date(1980, 1, 1).saturating_add(Span::new().days(first));
            let today = first.saturating_add(Span::new().days(days));
            let windows = timing.windows(first, None, today);
            for pair in windows.windows(2) {
                prop_assert!(pair[0].closes_on < pair[1].opens_on);
            }
            let later = timing.windows(first, None, today.saturating_add(Span::new().days(more)));
            prop_assert_eq!(&later[..windows.len()], &windows[..]);
        }
    }
}
