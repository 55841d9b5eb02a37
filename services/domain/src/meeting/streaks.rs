//! Streaks and lapses: how often in a row somebody came to the meetings of a group, and how often they did not.
//!
//! Only meetings that were held while the person had a place there count. Of these, one to which they did not come and had
//! said so, and one of which nothing is recorded, neither count nor break anything.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::vocabulary::Mark;

/// So many held meetings missed in a row are a lapse; unit: meeting. The threshold of the reports that come with the Program
/// Management Module of Salesforce; no more is claimed for it.
pub const LAPSED_AFTER_MEETINGS: u32 = 3;

/// How somebody came to the held meetings of a time in which they had a place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Streaks {
    /// Meetings held in that time; unit: meeting. The next four add up to it.
    pub held: u32,
    /// Of these, to which they came, on time or late.
    pub attended: u32,
    /// Of these, where they were marked absent.
    pub missed: u32,
    /// Of these, where they were excused.
    pub excused: u32,
    /// Of these, where they have no mark: that is not the same as absent.
    pub not_recorded: u32,
    /// Attended in a row, up to the latest; unit: meeting.
    pub attended_in_a_row: u32,
    /// Most that were attended in a row; unit: meeting.
    pub most_attended_in_a_row: u32,
    /// Missed in a row, up to the latest; unit: meeting.
    pub missed_in_a_row: u32,
    /// Local day of the last meeting that they attended.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_attended_on: Option<Date>,
    /// Times in which they missed 3 or more in a row, oldest first.
    pub lapses: Vec<Lapse>,
}

/// A time in which somebody missed [`LAPSED_AFTER_MEETINGS`] or more held meetings in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lapse {
    /// So many; unit: meeting.
    pub missed: u32,
    /// Local day of the first of them.
    pub first_missed_on: Date,
    /// Local day of the last of them.
    pub last_missed_on: Date,
    /// Local day on which they came again; missing if they have not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub returned_on: Option<Date>,
}

impl Streaks {
    /// Of the meetings held in that time, oldest first: the local day of each, and the person's mark if they have one.
    pub fn of(meetings: impl IntoIterator<Item = (Date, Option<Mark>)>) -> Self {
        let (mut streaks, mut missing) = (Self::default(), None::<Lapse>);
        for (on, mark) in meetings {
            streaks.held += 1;
            match mark {
                None => streaks.not_recorded += 1,
                Some(Mark::Excused) => streaks.excused += 1,
                Some(Mark::Absent) => {
                    streaks.missed += 1;
                    streaks.attended_in_a_row = 0;
                    let before = missing.unwrap_or(Lapse {
                        missed: 0,
                        first_missed_on: on,
                        last_missed_on: on,
                        returned_on: None,
                    });
                    missing = Some(Lapse { missed: before.missed + 1, last_missed_on: on, ..before });
                }
                Some(Mark::Present | Mark::Late) => {
                    streaks.end(missing.take(), Some(on));
                    streaks.attended += 1;
                    streaks.attended_in_a_row += 1;
                    streaks.most_attended_in_a_row = streaks.most_attended_in_a_row.max(streaks.attended_in_a_row);
                    streaks.last_attended_on = Some(on);
                }
            }
        }
        streaks.missed_in_a_row = missing.map_or(0, |missing| missing.missed);
        streaks.end(missing, None);
        streaks
    }

    /// Keeps a time of missed meetings if it was long enough.
    fn end(&mut self, missing: Option<Lapse>, returned_on: Option<Date>) {
        let lapse = missing.filter(|missing| missing.missed >= LAPSED_AFTER_MEETINGS);
        self.lapses.extend(lapse.map(|lapse| Lapse { returned_on, ..lapse }));
    }

    /// The lapse that goes on, if there is one.
    pub fn lapsed(&self) -> Option<&Lapse> {
        self.lapses.last().filter(|lapse| lapse.returned_on.is_none())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan, civil::date};
    use proptest::prelude::*;
    use strum::VariantArray;

    use super::*;

    /// A meeting each week from 6 January 2026: `p`resent, `l`ate, `e`xcused, `a`bsent, or not recorded.
    fn weekly(marks: &str) -> Vec<(Date, Option<Mark>)> {
        let mark = |letter| Mark::VARIANTS.iter().copied().find(|mark| mark.as_str().starts_with(letter));
        let day = |week: usize| date(2026, 1, 6) + i64::try_from(week).unwrap().weeks();
        marks.chars().enumerate().map(|(week, letter)| (day(week), mark(letter))).collect()
    }

    #[test]
    fn excuses_and_gaps_neither_count_nor_break_a_streak() {
        let streaks = Streaks::of(weekly("ap.elp"));
        assert_eq!((streaks.attended_in_a_row, streaks.missed_in_a_row, streaks.held), (3, 0, 6));
        assert_eq!((streaks.attended, streaks.missed, streaks.excused, streaks.not_recorded), (3, 1, 1, 1));
        let streaks = Streaks::of(weekly("pppa.ea"));
        assert_eq!((streaks.attended_in_a_row, streaks.missed_in_a_row), (0, 2));
        assert_eq!((streaks.most_attended_in_a_row, streaks.lapses.len()), (3, 0));
        assert_eq!(streaks.last_attended_on, Some(date(2026, 1, 20)));
    }

    #[test]
    fn the_third_meeting_missed_in_a_row_makes_a_lapse_and_coming_again_ends_it() {
        let lapse = Lapse {
            missed: 3,
            first_missed_on: date(2026, 1, 13),
            last_missed_on: date(2026, 2, 3),
            returned_on: None,
        };
        assert_eq!(Streaks::of(weekly("paae")).lapsed(), None);
        assert_eq!(Streaks::of(weekly("paaea")).lapsed(), Some(&lapse));
        let again = Streaks::of(weekly("paaealaa"));
        assert_eq!(again.lapsed(), None);
        assert_eq!(again.lapses, [Lapse { returned_on: Some(date(2026, 2, 10)), ..lapse }]);
    }

    proptest! {
        #[test]
        fn all_meetings_are_counted_once_and_nobody_comes_and_stays_away_at_once(marks in "[plea.]{0,60}") {
            let streaks = Streaks::of(weekly(&marks));
            let Streaks { attended, missed, excused, not_recorded, .. } = streaks;
            prop_assert_eq!(streaks.held, attended + missed + excused + not_recorded);
            prop_assert_eq!(streaks.held as usize, marks.len());
            prop_assert!(streaks.attended_in_a_row == 0 || streaks.missed_in_a_row == 0);
            prop_assert!(streaks.attended_in_a_row <= streaks.most_attended_in_a_row);
            prop_assert_eq!(streaks.lapsed().is_some(), streaks.missed_in_a_row >= LAPSED_AFTER_MEETINGS);
            prop_assert!(streaks.lapses.iter().map(|lapse| lapse.missed).sum::<u32>() <= missed);
            // What is neutral makes no difference but to its own count.
            let counted: String = marks.chars().filter(|mark| "pla".contains(*mark)).collect();
            let other = Streaks::of(weekly(&counted));
            prop_assert_eq!(
                (other.attended_in_a_row, other.missed_in_a_row, other.lapses.len()),
                (streaks.attended_in_a_row, streaks.missed_in_a_row, streaks.lapses.len())
            );
        }
    }
}
