//! Means, medians and rates: from enough different people, and no finer than one of them can move them.
//!
//! A mean with the number it is of is a sum, a median of few is somebody's own score, and both together give whole
//! groups away (S. Garfinkel, J. Abowd and C. Martindale, *Understanding database reconstruction attacks on public
//! data*, CACM 62 (2019) 46–53: seven people from nine lines). Even a mean beside a perturbed count tells the count
//! (Handbook on SDC, 2nd edition, 5.7). So what is printed is rounded to a step of at least
//!
//! * half a scale ÷ n: the sum is known no closer than half a scale. (Who knows all scores but one learns half a scale
//!   of that one, more at the ends of the scale: nothing but noise would change that.) And
//! * 1 ÷ n: for each n there is a whole sum that prints the same, so that the number does not tell n.
//!
//! The number that stands beside it is the protected one. `tests/means.rs` has both attacks, and what they find here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Threshold;

/// Means, medians and rates of fewer people than this are never shown: a number of people.
pub const MEMBERS_MIN: i64 = 10;
/// The longest scale, in points.
pub const SCALE_MAX: i64 = 1_000_000;
/// The largest number of values.
pub const VALUES_MAX: usize = 10_000_000;
/// Parts of a point (or of one per cent) in which steps are counted.
const MILLION: i64 = 1_000_000;

/// When a mean, a median or a rate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanRule {
    /// How few distinct members are too few.
    pub members: Threshold,
    /// How few of them are too few on either side of a rate.
    pub sides: Threshold,
}

/// The lowest and the highest score that an instrument has, in whole points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The lowest.
    pub least: i64,
    /// The highest.
    pub most: i64,
}

impl Scale {
    /// CORE-10: 0 to 40.
    pub const CORE_10: Scale = Scale { least: 0, most: 40 };

    /// From end to end, in points; none if there is no such scale.
    fn range(self) -> Option<i64> {
        self.most.checked_sub(self.least).filter(|range| (1..=SCALE_MAX).contains(range))
    }
}

/// A number as it may be printed: a multiple of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// In millionths of a point, or of one per cent.
    pub millionths: i64,
    /// The distance between two neighbouring printed numbers, in the same unit: 1, 2 or 5 times a power of ten.
    pub step: i64,
}

/// Why a mean, a median or a rate is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NotShown {
    /// Of too few people.
    #[error("{0} people")]
    Few(Threshold),
    /// All have the same score.
    #[error("all have the same score")]
    Alike,
    /// 100 %.
    #[error("it is everybody")]
    Everybody,
    /// 0 %.
    #[error("it is nobody")]
    Nobody,
    /// Too few on one side of a rate.
    #[error("{0} people on one side of it")]
    Side(Threshold),
    /// No such scale, a score that is not on it, more in a part than in the whole, or too many values.
    #[error("the scores do not fit their scale")]
    Scale,
}

impl MeanRule {
    /// Beside counts with this threshold T: of fewer than max(T, [`MEMBERS_MIN`]) people nothing is shown, nor where
    /// fewer than T are on one side.
    pub const fn beside(counts: Threshold) -> MeanRule {
        let members = if counts.get() > MEMBERS_MIN { counts } else { Threshold::known(MEMBERS_MIN) };
        MeanRule { members, sides: counts }
    }

    /// The mean of scores, one for each **distinct** member, as it may be printed.
    ///
    /// # Errors
    /// [`NotShown`]
    ///
    /// ```
    /// use disclosure_control::rule::{MeanRule, NotShown, Scale, Threshold};
    /// let rule = MeanRule::beside(Threshold::fewer_than(5)?);
    /// let scores = [12, 9, 31, 17, 22, 8, 14, 25, 19, 16]; // 17.3
    /// let shown = rule.mean(&scores, Scale::CORE_10).unwrap();
    /// assert_eq!((shown.to_string().as_str(), shown.step), ("18", 2_000_000));
    /// assert_eq!(rule.mean(&scores[1..], Scale::CORE_10), Err(NotShown::Few(rule.members)));
    /// # Ok::<(), disclosure_control::rule::ThresholdError>(())
    /// ```
    pub fn mean(&self, scores: &[i64], scale: Scale) -> Result<Printed, NotShown> {
        let (count, range) = self.enough(scores, scale)?;
        let sum: i128 = scores.iter().map(|score| i128::from(*score)).sum();
        Printed::new(sum * i128::from(MILLION), count.into(), step(count, range, MILLION))
    }

    /// The median of scores, one for each distinct member, as it may be printed: rounded like a mean.
    ///
    /// # Errors
    /// [`NotShown`]
    pub fn median(&self, scores: &[i64], scale: Scale) -> Result<Printed, NotShown> {
        let (count, range) = self.enough(scores, scale)?;
        let mut sorted = scores.to_vec();
        sorted.sort_unstable();
        let middle = i128::from(sorted[(sorted.len() - 1) / 2]) + i128::from(sorted[sorted.len() / 2]);
        Printed::new(middle * i128::from(MILLION), 2, step(count, range, MILLION))
    }

    /// How many of distinct members, in per cent, as it may be printed **without** the two counts. Where both are shown
    /// a percentage says nothing new and may be as fine as one likes.
    ///
    /// # Errors
    /// [`NotShown`]
    ///
    /// ```
    /// use disclosure_control::rule::{MeanRule, NotShown, Threshold};
    /// let rule = MeanRule::beside(Threshold::fewer_than(5)?);
    /// assert_eq!(rule.rate(7, 23).unwrap().to_string(), "30");
    /// assert_eq!(rule.rate(37, 120).unwrap().to_string(), "31");
    /// assert_eq!(rule.rate(20, 23), Err(NotShown::Side(rule.sides)));
    /// # Ok::<(), disclosure_control::rule::ThresholdError>(())
    /// ```
    pub fn rate(&self, part: u32, whole: u32) -> Result<Printed, NotShown> {
        let count = i64::from(whole);
        let other = count.checked_sub(part.into()).filter(|other| *other >= 0).ok_or(NotShown::Scale)?;
        match (part, other) {
            _ if self.members.is_small(count) => Err(NotShown::Few(self.members)),
            (0, _) => Err(NotShown::Nobody),
            (_, 0) => Err(NotShown::Everybody),
            _ if self.sides.is_small(i64::from(part).min(other)) => Err(NotShown::Side(self.sides)),
            _ => {
                Printed::new(i128::from(part) * 100 * i128::from(MILLION), count.into(), step(count, 1, 100 * MILLION))
            }
        }
    }

    /// How many scores there are, and the range of their scale, if they are enough and not all the same.
    fn enough(&self, scores: &[i64], scale: Scale) -> Result<(i64, i64), NotShown> {
        let count = i64::try_from(scores.len()).map_err(|_| NotShown::Scale)?;
        let range = scale.range().filter(|_| scores.len() <= VALUES_MAX).ok_or(NotShown::Scale)?;
        if scores.iter().any(|score| !(scale.least..=scale.most).contains(score)) {
            return Err(NotShown::Scale);
        }
        if self.members.is_small(count) {
            return Err(NotShown::Few(self.members));
        }
        if scores.iter().all(|score| *score == scores[0]) {
            return Err(NotShown::Alike);
        }
        Ok((count, range))
    }
}

/// The smallest of 1, 2, 5, 10 … that is at least max(range ÷ 2, 1) units ÷ count.
fn step(count: i64, range: i64, unit: i64) -> i64 {
    let least = i128::from(range.max(2)) * i128::from(unit);
    let steps = (0..=12).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
    let enough = |step: &i64| 2 * i128::from(*step) * i128::from(count) >= least;
    steps.into_iter().find(enough).expect("a scale of a million points and one person need a step of 5 · 10¹¹")
}

impl Printed {
    /// The multiple of the step nearest to numerator ÷ denominator; of two equally near the upper one.
    fn new(numerator: i128, denominator: i128, step: i64) -> Result<Printed, NotShown> {
        let wide = denominator * i128::from(step);
        let steps = (2 * numerator + wide).div_euclid(2 * wide);
        let millionths = i64::try_from(steps * i128::from(step)).map_err(|_| NotShown::Scale)?;
        Ok(Printed { millionths, step })
    }
}

impl fmt::Display for Printed {
    /// With as many decimals as its step has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = (0..6).find(|decimals| self.step % (MILLION / 10_i64.pow(*decimals)) == 0).unwrap_or(6);
        let sign = if self.millionths < 0 { "-" } else { "" };
        let (whole, rest) = (self.millionths.abs() / MILLION, self.millionths.abs() % MILLION);
        let rest = rest / 10_i64.pow(6 - decimals);
        match usize::try_from(decimals) {
            Ok(decimals @ 1..) => write!(f, "{sign}{whole}.{rest:0decimals$}"),
            _ => write!(f, "{sign}{whole}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: MeanRule = MeanRule::beside(Threshold::known(5));

    #[test]
    fn a_threshold_above_ten_counts_for_means_too() {
        assert_eq!(RULE.members.get(), 10);
        assert_eq!(MeanRule::beside(Threshold::known(12)).members.get(), 12);
    }

    #[test]
    fn the_step_shrinks_with_the_number_of_people() {
        let steps = [10, 20, 40, 100, 199, 200, 2000].map(|count| step(count, 40, MILLION));
        assert_eq!(steps, [2_000_000, 1_000_000, 500_000, 200_000, 200_000, 100_000, 10_000]);
        assert_eq!(step(1, SCALE_MAX, MILLION), 500_000_000_000);
    }

    #[test]
    fn scores_that_are_all_alike_are_not_shown() {
        assert_eq!(RULE.mean(&[7; 30], Scale::CORE_10), Err(NotShown::Alike));
        assert_eq!(RULE.median(&[7; 30], Scale::CORE_10), Err(NotShown::Alike));
    }

    #[test]
    fn everybody_nobody_and_all_but_few_are_not_shown() {
        let not = |part| RULE.rate(part, 30).unwrap_err();
        assert_eq!(
            [0, 4, 26, 30].map(not),
            [NotShown::Nobody, NotShown::Side(RULE.sides), NotShown::Side(RULE.sides), NotShown::Everybody]
        );
        assert_eq!(RULE.rate(5, 9), Err(NotShown::Few(RULE.members)));
        assert_eq!(RULE.rate(31, 30), Err(NotShown::Scale));
    }

    #[test]
    fn scores_that_no_scale_has_are_refused() {
        let mut scores = [3; 12];
        scores[4] = 41;
        assert_eq!(RULE.mean(&scores, Scale::CORE_10), Err(NotShown::Scale));
        assert_eq!(RULE.mean(&[1; 12], Scale { least: 5, most: 5 }), Err(NotShown::Scale));
        assert_eq!(RULE.mean(&[1; 12], Scale { least: i64::MIN, most: i64::MAX }), Err(NotShown::Scale));
    }

    #[test]
    fn a_printed_number_has_the_decimals_of_its_step() {
        let printed = |millionths, step| Printed { millionths, step }.to_string();
        assert_eq!(printed(17_250_000, 50_000), "17.25");
        assert_eq!(printed(17_000_000, 500_000), "17.0");
        assert_eq!(printed(-2_500_000, 500_000), "-2.5");
        assert_eq!(printed(40_000_000, 20_000_000), "40");
        assert_eq!(printed(3, 1), "0.000003");
    }

    proptest! {
        #[test]
        fn a_printed_mean_is_within_half_a_step_of_the_true_one(
            scores in prop::collection::vec(0..=40_i64, 10..60),
        ) {
            let Ok(shown) = RULE.mean(&scores, Scale::CORE_10) else { return Ok(()) };
            let (count, sum) = (i64::try_from(scores.len()).unwrap(), scores.iter().sum::<i64>());
            prop_assert_eq!(shown.millionths % shown.step, 0);
            prop_assert!(2 * (shown.millionths * count - sum * MILLION).abs() <= shown.step * count);
            prop_assert!(shown.step * 2 * count >= 40 * MILLION);
        }

        #[test]
        fn at_least_half_a_scale_of_sums_prints_the_same(count in 10..500_i64, sum in 0..20_000_i64) {
            let step = step(count, 40, MILLION);
            let printed = |sum: i64| Printed::new(i128::from(sum * MILLION), count.into(), step);
            let same = (sum - 200..=sum + 200).filter(|other| printed(*other) == printed(sum)).count();
            prop_assert!(same >= 20, "{}", same);
        }
    }
}
