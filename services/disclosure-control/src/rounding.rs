//! Rounding of counts: each for itself, or all of a table together so that it still adds up.
//!
//! | function | adds up | source |
//! |---|---|---|
//! | [`nearest`] | no | Handbook on SDC, 2nd edition, 5.5 "conventional rounding" |
//! | [`AgencyRounding`] | no | the agency named in each |
//! | [`random`] | no | Handbook on SDC 5.5 "random rounding"; Stats NZ Census 2013 confidentiality rules (RR3) |
//! | [`controlled()`] | one table | Handbook on SDC 5.5 "controlled rounding", zero-restricted; [`mod@controlled`] |
//! | [`small_counts`] | all tables of a release | Langsrud & Heldal, PSD 2018; [`small_count`] |
//!
//! The Handbook (sdcTools/HandbookSDC, `chapters/05/_05-frequency-tables-05-Rounding.qmd`) advises against rounding
//! each number for itself as the only protection: with inner cells and margins both published, some can be worked out.
//! So whatever is rounded here is audited like anything else before it leaves.
//!
//! **Invariant:** no function here draws anything at random: chance comes from the caller.

use serde::{Deserialize, Serialize};

pub mod controlled;
pub mod small_count;

pub use controlled::{ControlledError, ControlledTable, controlled};
pub use small_count::{SmallCountError, SmallCounts, SmallCountsRounded, small_counts};

/// The largest base that numbers are rounded to, a count.
pub const BASE_MAX: u16 = 1000;

/// What numbers are rounded to multiples of: 2 to [`BASE_MAX`], a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Base(u16);

/// Not a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a base must be 2 to {BASE_MAX}, it is {0}: 3, 5 and 10 are usual")]
pub struct BaseError(pub u16);

impl Base {
    /// Stats NZ.
    pub const THREE: Base = Base(3);
    /// NHS, ONS.
    pub const FIVE: Base = Base(5);
    /// Ten.
    pub const TEN: Base = Base(10);

    /// Multiples of this.
    ///
    /// # Errors
    /// [`BaseError`]: less than 2 or more than [`BASE_MAX`].
    pub const fn new(base: u16) -> Result<Base, BaseError> {
        if base < 2 || base > BASE_MAX { Err(BaseError(base)) } else { Ok(Base(base)) }
    }

    /// As a number.
    pub fn get(self) -> i64 {
        self.0.into()
    }

    /// How far a number is above the multiple below it: 0 to base − 1.
    pub fn residue(self, value: i64) -> i64 {
        value.rem_euclid(self.get())
    }
}

impl TryFrom<u16> for Base {
    type Error = BaseError;

    fn try_from(base: u16) -> Result<Base, BaseError> {
        Base::new(base)
    }
}

impl From<Base> for u16 {
    fn from(base: Base) -> u16 {
        base.0
    }
}

/// The multiple of the base that is nearest; one of two equally near: the upper one.
///
/// At the very ends of the range of 64 bits the nearest multiple that fits.
///
/// Source: Handbook on SDC 5.5, conventional rounding.
///
/// ```
/// use disclosure_control::rounding::{Base, nearest};
/// assert_eq!([0, 2, 3, 7, 8, 32].map(|count| nearest(count, Base::FIVE)), [0, 0, 5, 5, 10, 30]);
/// assert_eq!(nearest(5, Base::TEN), 10);
/// ```
pub fn nearest(value: i64, base: Base) -> i64 {
    let residue = base.residue(value);
    to_neighbour(value, base, 2 * residue >= base.get() && residue > 0)
}

/// Random rounding: a multiple stays; anything else goes to one of its two neighbours, to the upper one with
/// probability residue ÷ base, so that it stays the same on average (the probability is off by at most base ÷ 2⁶⁴).
///
/// `uniform` comes from the caller and must be **fixed for the cell** (such as a keyed hash of the cell's name and its
/// contributors): drawn anew with each export, the mean of several exports would tell the number. Two cells must not
/// share it.
///
/// Source: Stats NZ RR3 (base 3): 17 becomes 15 once in three, 18 twice in three; Handbook on SDC 5.5.
///
/// ```
/// use disclosure_control::rounding::{Base, random};
/// assert_eq!(random(18, Base::THREE, 0), 18);
/// assert_eq!(random(17, Base::THREE, u64::MAX / 2), 18);
/// assert_eq!(random(17, Base::THREE, u64::MAX), 15);
/// ```
pub fn random(value: i64, base: Base, uniform: u64) -> i64 {
    let place = (u128::from(uniform) * u128::from(base.0)) >> 64; // 0 to base − 1, each as likely
    to_neighbour(value, base, i128::try_from(place).is_ok_and(|place| place < i128::from(base.residue(value))))
}

/// The multiple above or below; the other one where that leaves the range of 64 bits.
fn to_neighbour(value: i64, base: Base, up: bool) -> i64 {
    let residue = base.residue(value);
    let above = value.checked_add(base.get() - residue);
    let below = value.checked_sub(residue);
    if up { above.or(below) } else { below.or(above) }.unwrap_or(value)
}

/// What becomes of a number that is not rounded to the nearest multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Low {
    /// Shown as it is.
    Kept,
    /// Not shown.
    Hidden,
    /// Shown as the base.
    Base,
}

/// An agency's rule for single counts, as data: zeros, small numbers, and the base for all others.
///
/// None of these agencies hides a second cell to protect the first, and a rule for single counts cannot: see the
/// module's note on auditing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgencyRounding {
    /// A short name.
    pub name: &'static str,
    /// Where the rule is written.
    pub source: &'static str,
    /// What becomes of a zero.
    pub zeros: Low,
    /// The largest small number, a count: 1 to this are small.
    pub small_max: i64,
    /// What becomes of a small number.
    pub small: Low,
    /// What all others are rounded to, conventionally.
    pub base: Base,
}

impl AgencyRounding {
    /// Hospital Episode Statistics below national level: 0 is kept, 1 to 7 are hidden, others to the nearest 5.
    pub const NHS_HES: AgencyRounding = AgencyRounding {
        name: "nhs-hes-sub-national",
        source: "NHS Digital, Disclosure control methodology for HES and ECDS, from September 2018",
        zeros: Low::Kept,
        small_max: 7,
        small: Low::Hidden,
        base: Base::FIVE,
    };
    /// NHS codonPython: 0 is kept, 1 to 7 are shown as 5, others to the nearest 5.
    pub const NHS_CODON: AgencyRounding = AgencyRounding {
        name: "nhs-codon-central",
        source: "codonlibrary/codonPython, codonPython/suppression.py and its test",
        zeros: Low::Kept,
        small_max: 7,
        small: Low::Base,
        base: Base::FIVE,
    };
    /// Mental Health Services Data Set below national level: 0 to 4 are hidden, others to the nearest 5.
    pub const NHS_MHSDS: AgencyRounding = AgencyRounding {
        name: "nhs-mhsds",
        source: "NHSDigital/mental-health-monthly-statistics, 02_Aggregate/95.Round_output.py",
        zeros: Low::Hidden,
        small_max: 4,
        small: Low::Hidden,
        base: Base::FIVE,
    };
    /// All of them.
    pub const ALL: [AgencyRounding; 3] =
        [AgencyRounding::NHS_HES, AgencyRounding::NHS_CODON, AgencyRounding::NHS_MHSDS];

    /// What is shown for a count; none where it is hidden. What is below zero is no count and is hidden.
    ///
    /// ```
    /// use disclosure_control::rounding::AgencyRounding;
    /// let shown = |count| AgencyRounding::NHS_HES.shown(count);
    /// assert_eq!([0, 1, 7, 8, 57].map(shown), [Some(0), None, None, Some(10), Some(55)]);
    /// ```
    pub fn shown(&self, count: i64) -> Option<i64> {
        let low = match count {
            ..0 => return None,
            0 => self.zeros,
            _ if count <= self.small_max => self.small,
            _ => return Some(nearest(count, self.base)),
        };
        match low {
            Low::Kept => Some(count),
            Low::Hidden => None,
            Low::Base => Some(self.base.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codon_shows_what_its_own_test_expects() {
        let counts = [0, 2, 5, 8, 16, 57, 10_023];
        let shown = counts.map(|count| AgencyRounding::NHS_CODON.shown(count).unwrap());
        assert_eq!(shown, [0, 5, 5, 10, 15, 55, 10_025]);
    }

    #[test]
    fn hospital_episode_statistics_hide_1_to_7_and_keep_0() {
        let hidden: Vec<_> = (0..=20).filter(|count| AgencyRounding::NHS_HES.shown(*count).is_none()).collect();
        assert_eq!(hidden, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(AgencyRounding::NHS_HES.shown(0), Some(0));
        assert_eq!(AgencyRounding::NHS_HES.shown(8), Some(10));
        assert_eq!(AgencyRounding::NHS_HES.shown(12), Some(10));
    }

    #[test]
    fn mental_health_services_hide_0_to_4() {
        let shown = |count| AgencyRounding::NHS_MHSDS.shown(count);
        assert_eq!([0, 4, 5, 7, 8].map(shown), [None, None, Some(5), Some(5), Some(10)]);
    }

    #[test]
    fn what_is_below_zero_is_hidden_by_every_agency() {
        assert!(AgencyRounding::ALL.iter().all(|agency| agency.shown(-1).is_none()));
    }

    #[test]
    fn seventeen_becomes_18_twice_as_often_as_15() {
        let ups = (0..3000_u64).filter(|i| random(17, Base::THREE, i * (u64::MAX / 3000) + (1 << 50)) == 18).count();
        assert_eq!(ups, 2000);
        assert!((0..100).all(|i| [15, 18].contains(&random(17, Base::THREE, i << 57))));
        assert!((0..100).all(|i| random(15, Base::THREE, i << 57) == 15));
    }

    #[test]
    fn random_rounding_keeps_the_mean() {
        for (value, base) in [(1, 3), (2, 3), (7, 5), (9, 10), (13, 7)] {
            let base = Base::new(base).unwrap();
            let places = base.get().unsigned_abs();
            let sum: i64 = (0..places).map(|k| random(value, base, k * (u64::MAX / places) + (1 << 40))).sum();
            assert_eq!(sum, value * base.get(), "{value} to {base:?}");
        }
    }

    #[test]
    fn a_base_is_2_to_1000() {
        assert_eq!(Base::new(1), Err(BaseError(1)));
        assert_eq!(Base::new(1001), Err(BaseError(1001)));
        assert_eq!(serde_json::from_str::<Base>("5").unwrap(), Base::FIVE);
        assert!(serde_json::from_str::<Base>("0").is_err());
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        for value in [i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1] {
            for uniform in [0, u64::MAX] {
                let rounded = [nearest(value, Base::FIVE), random(value, Base::FIVE, uniform)];
                assert!(rounded.iter().all(|rounded| rounded % 5 == 0), "{value}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_rounded_number_is_a_neighbouring_multiple(
            value in -1_000_000_i64..1_000_000, base in 2..=BASE_MAX, uniform: u64,
        ) {
            let base = Base::new(base).unwrap();
            for rounded in [nearest(value, base), random(value, base, uniform)] {
                prop_assert_eq!(rounded % base.get(), 0);
                prop_assert!((rounded - value).abs() < base.get());
            }
            prop_assert!(2 * (nearest(value, base) - value).abs() <= base.get());
        }
    }
}
