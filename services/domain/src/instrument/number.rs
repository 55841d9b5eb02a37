//! Exact numbers. Scores are compared with bands and cut-offs as they are, and rounded only to be shown.
//!
//! **Invariant:** no floating point.

use std::{
    borrow::Cow,
    fmt,
    ops::{Add, Mul, Sub},
    str::FromStr,
};

use num_rational::Ratio;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, SchemaType, Type},
    },
};

/// A number as it is: a fraction of whole numbers.
///
/// In JSON a whole number, or text with its decimals (`"4.65"`), or, if it was computed and has no end of decimals, text
/// with a fraction (`"72/7"`). What comes in is whole or decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(Ratio<i64>);

/// Text that is no number, or one that is too large or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number with at most {} digits before the point and {} behind it",
    Number::DIGITS_MAX,
    Number::DECIMALS_MAX
)]
pub struct NumberError;

impl Number {
    /// Most digits before the point, a count. With it, no sum or product that scoring makes leaves an `i64`.
    pub const DIGITS_MAX: usize = 7;
    /// Most digits behind the point, a count.
    pub const DECIMALS_MAX: u32 = 4;
    /// Nought.
    pub const ZERO: Self = Self(Ratio::new_raw(0, 1));

    /// `numerator / denominator`; the denominator is not 0.
    pub fn ratio(numerator: i64, denominator: i64) -> Self {
        Self(Ratio::new(numerator, denominator))
    }

    /// Divided by a number that is not 0.
    #[must_use]
    pub fn over(self, divisor: Self) -> Self {
        Self(self.0 / divisor.0)
    }

    /// With its sign turned.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The number, if it is whole.
    pub fn whole(self) -> Option<i64> {
        self.0.is_integer().then(|| self.0.to_integer())
    }

    /// The nearest that floating point has: for statistics over many people, never for what is said of one.
    #[allow(clippy::cast_precision_loss)] // meant
    pub fn approximately(self) -> f64 {
        *self.0.numer() as f64 / *self.0.denom() as f64
    }

    /// The smallest whole number that is not below the square root, or 0 for a number below 0: exact, as squares are
    /// compared and no root is drawn.
    pub fn whole_root_up(self) -> i64 {
        let mut root = 0;
        while Self::from(root * root) < self {
            root += 1;
        }
        root
    }

    /// For people: whole if it is, otherwise with one decimal. Rounded from the exact value, half away from zero (for
    /// scores, which are not below 0: half up).
    pub fn shown(self) -> String {
        self.rounded(1)
    }

    /// As [`Number::shown`], with so many decimals.
    pub fn rounded(self, decimals: u32) -> String {
        if self.0.is_integer() {
            return self.0.to_string();
        }
        // `round` goes away from zero at the half.
        let scaled = (self.0 * 10_i64.pow(decimals)).round().to_integer();
        decimal(scaled, decimals as usize)
    }
}

/// `scaled / 10^decimals` as text.
fn decimal(scaled: i64, decimals: usize) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", scaled.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let point = if decimals == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        Self(Ratio::from_integer(whole))
    }
}

impl From<u8> for Number {
    fn from(whole: u8) -> Self {
        i64::from(whole).into()
    }
}

impl From<u32> for Number {
    fn from(whole: u32) -> Self {
        i64::from(whole).into()
    }
}

impl Add for Number {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Number {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Number {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = (0..=Self::DECIMALS_MAX).find(|n| (self.0 * 10_i64.pow(*n)).is_integer());
        match decimals {
            Some(decimals) => f.write_str(&self.rounded(decimals)),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for Number {
    type Err = NumberError;
    fn from_str(s: &str) -> Result<Self, NumberError> {
        let unsigned = s.strip_prefix('-').unwrap_or(s);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let digits = |s: &str, most| (1..=most).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, Self::DIGITS_MAX) || !digits(fraction, Self::DECIMALS_MAX as usize) {
            return Err(NumberError);
        }
        let decimals = Self::DECIMALS_MAX as usize;
        let scaled: i64 = format!("{whole}{fraction:0<decimals$}").parse().map_err(|_| NumberError)?;
        let number = Self::ratio(scaled, 10_i64.pow(Self::DECIMALS_MAX));
        Ok(if s.starts_with('-') { number.negated() } else { number })
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_integer() { serializer.serialize_i64(self.0.to_integer()) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

struct Read;

impl serde::de::Visitor<'_> for Read {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or text with decimals such as \"4.65\"")
    }

    fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Number, E> {
        self.visit_str(&whole.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<Number, E> {
        self.visit_str(&whole.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map_err(E::custom)
    }
}

/// What a number looks like as text.
const PATTERN: &str = r"^-?[0-9]{1,7}(\.[0-9]{1,4})?$";

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A whole number, or text: its decimals, or a fraction such as 50/9 if they have no end.",
            "type": ["integer", "string"],
            "pattern": PATTERN,
        })
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<utoipa::openapi::Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
            .description(Some("A whole number, or text: its decimals, or a fraction such as 50/9 if they have no end."))
            .into()
    }
}

impl ToSchema for Number {
    fn name() -> Cow<'static, str> {
        "Number".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_is_read_and_written_exactly() {
        for (text, json) in [("18", "18"), ("19.25", "\"19.25\""), ("-0.5", "\"-0.5\""), ("0", "0"), ("7.0000", "7")] {
            assert_eq!(serde_json::to_string(&number(text)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Number>(json).unwrap(), number(text));
        }
        assert_eq!(serde_json::to_string(&Number::ratio(72, 7)).unwrap(), "\"72/7\"");
        for bad in ["", "-", ".5", "5.", "1e3", "12345678", "0.00001", "1/2", "+1", " 1", "--1"] {
            assert_eq!(bad.parse::<Number>(), Err(NumberError), "{bad}");
        }
        for bad in ["4.65", "1e2", "null", "99999999", "true"] {
            assert!(serde_json::from_str::<Number>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_rounded_half_away_from_zero_and_from_the_exact_value() {
        for (numerator, denominator, shown) in [
            (9, 2, "4.5"),
            (117, 8, "14.6"), // 14.625
            (1, 4, "0.3"),
            (-1, 4, "-0.3"),
            (449, 1000, "0.4"), // not first to 0.45
            (-1, 100, "0.0"),
            (1999, 100, "20.0"),
            (10, 1, "10"),
        ] {
            assert_eq!(Number::ratio(numerator, denominator).shown(), shown);
        }
    }

    #[test]
    fn a_root_is_rounded_up_to_a_whole_number() {
        for (square, root) in [("0", 0), ("-3", 0), ("1", 1), ("36", 6), ("36.0001", 7), ("0.01", 1)] {
            assert_eq!(number(square).whole_root_up(), root, "{square}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_as_a_decimal_is_read_as_the_same(scaled in -99_999_999_999_i64..=99_999_999_999) {
            let exact = Number::ratio(scaled, 10_000);
            prop_assert_eq!(exact.to_string().parse(), Ok(exact));
            let json = serde_json::to_string(&exact).unwrap();
            prop_assert_eq!(serde_json::from_str::<Number>(&json).unwrap(), exact);
        }

        #[test]
        fn rounding_moves_by_half_a_unit_at_most(numerator in -100_000_i64..=100_000, denominator in 1_i64..=1_000) {
            let exact = Number::ratio(numerator, denominator);
            let off = exact - exact.shown().parse().unwrap();
            prop_assert!(off <= Number::ratio(1, 20) && off >= Number::ratio(-1, 20));
        }
    }
}
