//! "Fewer than T", the one rule of many names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The largest threshold, a count.
pub const THRESHOLD_MAX: i64 = 1000;

/// The smallest number that is not small: 1 to [`THRESHOLD_MAX`], a count.
///
/// "< 5", "fewer than 5", `maxN=4` (`GaussSuppression`: counts up to 4) and `FREQ(5)` (tau-Argus: frequencies below 5)
/// are one rule; "≤ 5" is another. So there is one constructor that counts, [`fewer_than`](Self::fewer_than), all others
/// end there, and a number without words is refused. As data it is its words.
///
/// Sources: statisticsnorway/ssb-gausssuppression, `SuppressSmallCounts`; tau-Argus manual, `<SAFETYRULE> FREQ`.
///
/// ```
/// use disclosure_control::rule::Threshold;
/// let five = Threshold::fewer_than(5)?;
/// for words in ["<5", "fewer than 5", "maxN=4", "FREQ(5)", "FREQ(5, 20)", "≤ 4", "4 or fewer"] {
///     assert_eq!(words.parse(), Ok(five), "{words}");
/// }
/// assert_ne!("≤ 5".parse(), Ok(five));
/// assert!("5".parse::<Threshold>().is_err());
/// # Ok::<(), disclosure_control::rule::ThresholdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold(i64);

/// Not a threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// Out of range.
    #[error("a threshold of \"fewer than {0}\" is out of range: 1 to {THRESHOLD_MAX}")]
    Range(i64),
    /// No such words; a number alone does not say whether it is small itself.
    #[error("`{0}` is no threshold: write \"fewer than 5\" or \"at most 4\"")]
    Words(String),
}

impl Threshold {
    /// Small is what is fewer than this.
    ///
    /// # Errors
    /// [`ThresholdError::Range`]
    pub const fn fewer_than(count: i64) -> Result<Threshold, ThresholdError> {
        if count < 1 || count > THRESHOLD_MAX { Err(ThresholdError::Range(count)) } else { Ok(Threshold(count)) }
    }

    /// Small is this and what is fewer.
    ///
    /// # Errors
    /// [`ThresholdError::Range`]
    pub const fn at_most(count: i64) -> Result<Threshold, ThresholdError> {
        Threshold::fewer_than(count.saturating_add(1))
    }

    /// For thresholds that are written in this crate.
    pub(crate) const fn known(count: i64) -> Threshold {
        assert!(count >= 1 && count <= THRESHOLD_MAX, "a threshold of this crate is in range");
        Threshold(count)
    }

    /// The smallest number that is not small.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether a number is small; zero is, unless zeros are public.
    pub const fn is_small(self, count: i64) -> bool {
        count < self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fewer than {}", self.0)
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> String {
        threshold.to_string()
    }
}

impl TryFrom<String> for Threshold {
    type Error = ThresholdError;

    fn try_from(words: String) -> Result<Threshold, ThresholdError> {
        words.parse()
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(words: &str) -> Result<Threshold, ThresholdError> {
        let wrong = || ThresholdError::Words(words.to_owned());
        let text = words.trim().to_lowercase();
        let before = |starts: &[&str]| starts.iter().find_map(|start| text.strip_prefix(start)).map(str::to_owned);
        let after = |ends: &[&str]| ends.iter().find_map(|end| text.strip_suffix(end)).map(str::to_owned);
        let whole = |number: &str| number.trim().parse::<i64>().map_err(|_| wrong());
        if let Some(freq) = before(&["freq("]) {
            let inside = freq.strip_suffix(')').ok_or_else(wrong)?;
            let (count, range) = inside.split_once(',').map_or((inside, None), |(count, range)| (count, Some(range)));
            range.map(whole).transpose()?;
            return Threshold::fewer_than(whole(count)?);
        }
        if let Some(most) =
            before(&["<=", "≤", "at most ", "up to ", "maxn="]).or_else(|| after(&[" or fewer", " or less"]))
        {
            return Threshold::at_most(whole(&most)?);
        }
        let count = before(&["<", "fewer than ", "less than ", "below ", "under "]).ok_or_else(wrong)?;
        Threshold::fewer_than(whole(&count)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_alone_or_other_words_are_refused() {
        for words in ["5", "", "five", "< five", "FREQ(5", "FREQ(5,x)", "> 5", "at most", "fewer than 5 people"] {
            assert_eq!(words.parse::<Threshold>(), Err(ThresholdError::Words(words.to_owned())), "{words}");
        }
        assert!(serde_json::from_str::<Threshold>("5").is_err());
    }

    #[test]
    fn a_threshold_is_1_to_1000() {
        assert_eq!(Threshold::fewer_than(0), Err(ThresholdError::Range(0)));
        assert_eq!("≤ 1000".parse::<Threshold>(), Err(ThresholdError::Range(1001)));
        assert!(Threshold::at_most(i64::MAX).is_err());
        assert_eq!(Threshold::at_most(0), Threshold::fewer_than(1), "nothing is small");
    }

    proptest! {
        #[test]
        fn what_is_fewer_than_is_at_most_one_less(count in 1..=THRESHOLD_MAX, value in -10..2000_i64) {
            let threshold = Threshold::fewer_than(count).unwrap();
            prop_assert_eq!(Threshold::at_most(count - 1), Ok(threshold));
            prop_assert_eq!(threshold.is_small(value), value < count);
            let json = serde_json::to_string(&threshold).unwrap();
            prop_assert_eq!(serde_json::from_str::<Threshold>(&json).unwrap(), threshold);
        }
    }
}
