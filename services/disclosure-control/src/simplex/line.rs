//! A line of the tableau, in whole numbers without a common divisor.

use super::Stopped;
use crate::row::gcd;

/// The largest entry: sums and differences of two fit 32 bits, products 64.
pub(super) const ENTRY_MAX: i64 = 1 << 30;
/// The largest right side: its product with an entry fits 128 bits, with room.
const RIGHT_MAX: u128 = 1 << 90;
/// A line that may have an entry of this is looked at.
const LOOKED_AT_FROM: i64 = 1 << 20;
/// Entries from here on are divided by what they have in common: not before, since looking for it costs more.
const REDUCED_FROM: i64 = 1 << 10;

/// `denominator` × its basic variable + the entries × the variables of the columns = `right`.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) basic: usize,
    pub(super) denominator: i64,
    pub(super) right: i128,
    pub(super) entries: Vec<i32>,
    /// No entry is wider than this.
    pub(super) widest: i64,
}

impl Line {
    /// # Errors
    /// [`Stopped::TooWide`]
    pub(super) fn new(basic: usize, denominator: i64, right: i128, entries: Vec<i32>) -> Result<Line, Stopped> {
        let mut line = Line { basic, denominator, right, entries, widest: 0 };
        line.widest = line.widest_entry();
        if (line.widest | denominator) >= ENTRY_MAX { Err(Stopped::TooWide) } else { Ok(line) }
    }

    pub(super) fn at(&self, column: usize) -> i64 {
        self.entries[column].into()
    }

    pub(super) fn widest_entry(&self) -> i64 {
        self.entries.iter().fold(0, |widest: u32, x| widest.max(x.unsigned_abs())).into()
    }

    /// Takes the pivot line out of this one, at a column; the column is the leaving variable's from now on.
    pub(super) fn eliminate(&mut self, pivot: &Line, column: usize) -> Result<(), Stopped> {
        let (p, x) = (pivot.denominator, self.at(column));
        if x == 0 {
            return Ok(());
        }
        let divisor = gcd(p, x);
        self.entries[column] = 0;
        self.combine(p / divisor, pivot, x / divisor)
    }

    /// Becomes `by` times itself less `times` the other.
    pub(super) fn combine(&mut self, by: i64, other: &Line, times: i64) -> Result<(), Stopped> {
        let wide = |a: i128, b: i64| a.checked_mul(b.into()).ok_or(Stopped::TooWide);
        self.right = wide(self.right, by)?.checked_sub(wide(other.right, times)?).ok_or(Stopped::TooWide)?;
        if self.right.unsigned_abs() >= RIGHT_MAX {
            return Err(Stopped::TooWide);
        }
        self.denominator *= by;
        let widest = |mine: &Line| mine.widest * by + other.widest * times.abs();
        if widest(self) > i32::MAX.into() {
            self.widest = self.widest_entry();
        }
        self.widest = widest(self);
        if self.widest > i32::MAX.into() {
            return self.combine_wide(by, other, times);
        }
        let both = self.entries.iter_mut().zip(&other.entries);
        // Nearly always without a multiplication. All three are below the widest there can be.
        match (by, i32::try_from(by), i32::try_from(times)) {
            (1, _, Ok(1)) => both.for_each(|(mine, other)| *mine -= other),
            (1, _, Ok(-1)) => both.for_each(|(mine, other)| *mine += other),
            (_, Ok(by), Ok(times)) => both.for_each(|(mine, other)| *mine = *mine * by - other * times),
            _ => return Err(Stopped::TooWide),
        }
        self.narrowed()
    }

    /// The same where entries may not fit before they are divided by what they have in common.
    fn combine_wide(&mut self, by: i64, other: &Line, times: i64) -> Result<(), Stopped> {
        let both = self.entries.iter().zip(&other.entries);
        let wide: Vec<i64> = both.map(|(mine, other)| i64::from(*mine) * by - i64::from(*other) * times).collect();
        let divisor = common(self.denominator, self.right, wide.iter().copied());
        self.denominator /= divisor;
        self.right /= i128::from(divisor);
        let narrow = wide.iter().map(|x| i32::try_from(x / divisor));
        self.entries = narrow.collect::<Result<_, _>>().map_err(|_| Stopped::TooWide)?;
        self.widest = self.widest_entry();
        if (self.widest | self.denominator) >= ENTRY_MAX { Err(Stopped::TooWide) } else { Ok(()) }
    }

    /// Looks at the entries again where they may have become wide, and divides by what they have in common.
    fn narrowed(&mut self) -> Result<(), Stopped> {
        if (self.widest | self.denominator) < LOOKED_AT_FROM {
            return Ok(());
        }
        self.widest = self.widest_entry();
        if (self.widest | self.denominator) >= REDUCED_FROM {
            self.reduce();
        }
        if (self.widest | self.denominator) >= ENTRY_MAX { Err(Stopped::TooWide) } else { Ok(()) }
    }

    /// Divides by what all entries have in common.
    pub(super) fn reduce(&mut self) {
        let divisor = common(self.denominator, self.right, self.entries.iter().map(|x| i64::from(*x)));
        if let Ok(narrow @ 2..) = i32::try_from(divisor) {
            self.denominator /= divisor;
            self.right /= i128::from(divisor);
            self.entries.iter_mut().for_each(|x| *x /= narrow);
            self.widest = self.widest_entry();
        }
    }
}

/// What all of these have in common.
fn common(denominator: i64, right: i128, entries: impl Iterator<Item = i64>) -> i64 {
    let mut divisor = denominator.abs();
    for x in entries.filter(|x| *x != 0) {
        if divisor == 1 {
            return 1;
        }
        // What divides some nearly always divides the next as well; so short a division is quick.
        let divides = match (u32::try_from(x.unsigned_abs()), u32::try_from(divisor)) {
            (Ok(x), Ok(divisor)) => x % divisor == 0,
            _ => false,
        };
        if !divides {
            divisor = gcd(divisor, x);
        }
    }
    gcd(divisor, i64::try_from(right % i128::from(divisor)).unwrap_or(1)).max(1)
}
