//! Months, as people write them: `2026-01`.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest period of a report, in months.
pub const PERIOD_MONTHS_MAX: i32 = 240;

/// A month or period that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not a month.
    #[error("must be a month like 2026-01")]
    Month(String),
    /// Ends before it begins.
    #[error("the period ends before it begins")]
    Backwards,
    /// Longer than [`PERIOD_MONTHS_MAX`].
    #[error("the period has {0} months, at most {PERIOD_MONTHS_MAX} are possible")]
    TooLong(i32),
}

/// A month of the local calendar, years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "2026-01", pattern = "^[0-9]{4}-[0-9]{2}$")]
pub struct Month(i32);

impl Month {
    /// The month of a local day.
    pub(crate) fn of(day: Date) -> Self {
        Self(i32::from(day.year()) * 100 + i32::from(day.month()))
    }

    /// As stored: year times 100 plus month, so that order and reading are both easy.
    pub(crate) fn code(self) -> i32 {
        self.0
    }

    pub(crate) fn from_code(code: i32) -> Self {
        Self(code)
    }

    /// Months since the year 0.
    fn ordinal(self) -> i32 {
        self.0 / 100 * 12 + self.0 % 100
    }
}

impl FromStr for Month {
    type Err = PeriodError;
    fn from_str(s: &str) -> Result<Self, PeriodError> {
        let parse = || {
            let (year, month) = s.split_once('-')?;
            let digits = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
            let date = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
            (digits(year, 4) && digits(month, 2) && date.year() > 0).then(|| Self::of(date))
        };
        parse().ok_or_else(|| PeriodError::Month(s.chars().take(40).collect()))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

impl TryFrom<String> for Month {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// Months from the first through the last, both included; at most [`PERIOD_MONTHS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Month,
    through: Month,
}

impl Period {
    /// The period.
    ///
    /// # Errors
    /// If it ends before it begins or is too long.
    pub fn new(from: Month, through: Month) -> Result<Self, PeriodError> {
        match through.ordinal() - from.ordinal() + 1 {
            ..=0 => Err(PeriodError::Backwards),
            months if months > PERIOD_MONTHS_MAX => Err(PeriodError::TooLong(months)),
            _ => Ok(Self { from, through }),
        }
    }

    /// First month.
    pub fn from(self) -> Month {
        self.from
    }

    /// Last month.
    pub fn through(self) -> Month {
        self.through
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_is_read_as_it_is_written_and_nothing_else_is() {
        for good in ["2026-01", "0001-12", "9999-10"] {
            assert_eq!(good.parse::<Month>().unwrap().to_string(), good);
        }
        for bad in
            ["", "2026", "2026-1", "2026-13", "2026-00", "0000-01", "-001-01", "2026-01-01", "+026-01", "２０２６-01"]
        {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_period_is_not_empty_and_not_endless() {
        let period = |from: &str, through: &str| Period::new(from.parse().unwrap(), through.parse().unwrap());
        assert!(period("2026-01", "2026-01").is_ok());
        assert_eq!(period("2026-02", "2026-01"), Err(PeriodError::Backwards));
        assert!(period("2007-01", "2026-12").is_ok());
        assert_eq!(period("2006-12", "2026-12"), Err(PeriodError::TooLong(241)));
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof!["\\PC{0,12}", "[0-9+-]{0,9}", "[0-9]{4}-[01][0-9]"]
    }

    proptest! {
        #[test]
        fn any_text_is_a_month_as_it_is_written_or_none(text in texts()) {
            if let Ok(month) = text.parse::<Month>() {
                prop_assert_eq!(month.to_string(), text);
            }
        }

        #[test]
        fn any_two_months_are_a_period_of_bounded_length_or_none(from in texts(), through in texts()) {
            if let (Ok(from), Ok(through)) = (from.parse::<Month>(), through.parse::<Month>()) {
                let months = i64::from(through.ordinal()) - i64::from(from.ordinal()) + 1;
                let possible = (1..=i64::from(PERIOD_MONTHS_MAX)).contains(&months);
                prop_assert_eq!(Period::new(from, through).is_ok(), possible);
            }
        }
    }
}
