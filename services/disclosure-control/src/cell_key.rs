//! Cell-key perturbation: each published count is moved by a little noise that depends only on who is counted, so that
//! the same people give the same number in every table.
//!
//! Each member has a record key for life; a cell's key is the sum of the keys of the distinct members in it; a secret
//! table says which noise a count with that key gets. Inner cells **and** margins are looked up for themselves, so
//! tables do not add up; adding up published cells adds up their noise.
//!
//! Sources: Handbook on SDC, 2nd edition, 5.4 (sdcTools/HandbookSDC, `_05-frequency-tables-04-CKM.qmd`); the R packages
//! `cellKey` and `ptable` (sdcTools); for the integer variant [`ons`]. What a [`PerturbationTable`] must fulfil (sum 1,
//! bias 0, nothing negative, no 1 to `forbidden_to`) is `ptable`'s list; [`MaximumEntropy`] builds one.
//!
//! What to keep secret: record keys and the secret they are made with. The largest noise is better not published
//! either (Handbook, 5.4). Keys that change with each export, or counts that one could ask for in pieces, let the
//! noise be averaged away. In groups of 5 to 12 the noise is as large as the count: this is for larger areas.
//!
//! **Invariant:** nothing is drawn here. Record keys come from the caller: a keyed hash of the member's id.

mod maximum_entropy;
pub mod ons;

pub use maximum_entropy::{EntropyError, MaximumEntropy};

/// The largest noise either way, a count.
pub const NOISE_MAX: i64 = 100;
/// The largest forbidden small result, a count.
pub const FORBIDDEN_MAX: i64 = 100;
/// The largest number of rows of a table: the largest count with a row of its own, and zero.
pub const ROWS_MAX: usize = 1001;
/// By how much the probabilities of a row may miss 1.
pub const SUM_TOLERANCE: f64 = 1e-9;
/// By how much the mean noise of a row may miss 0 in an unbiased table, a count.
pub const BIAS_TOLERANCE: f64 = 1e-9;

/// The sum of the record keys of the distinct members in a cell, modulo 2⁶⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellKey(u64);

impl CellKey {
    /// Of these record keys, each member's once.
    ///
    /// ```
    /// use disclosure_control::cell_key::CellKey;
    /// let part = |tenths: u64| tenths * (u64::MAX / 10);
    /// let key = CellKey::of([part(9), part(3), part(6)]);
    /// assert!((key.uniform() - 0.8).abs() < 1e-9, "the Handbook's 0.9 + 0.3 + 0.6");
    /// ```
    pub fn of(record_keys: impl IntoIterator<Item = u64>) -> CellKey {
        CellKey(record_keys.into_iter().fold(0, u64::wrapping_add))
    }

    /// As a number of [0, 1): the first 53 bits.
    pub fn uniform(self) -> f64 {
        let [high, low] = [self.0 >> 32, self.0 << 32 >> 43].map(|part| u32::try_from(part).unwrap_or(u32::MAX));
        f64::from(high) / 2_f64.powi(32) + f64::from(low) / 2_f64.powi(53)
    }
}

/// A noise and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// What is added to the count.
    pub noise: i64,
    /// How probable: 0 to 1.
    pub probability: f64,
}

/// Which noise a count gets, by its cell key: a row for each count, the last for all larger ones.
///
/// **Invariant:** rows are sorted by noise, their probabilities sum to 1, a zero stays, no result is negative or one of
/// 1 to `forbidden_to`, and the mean noise of no row is beyond the bias allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbationTable {
    rows: Vec<Vec<Step>>,
    forbidden_to: i64,
}

/// Not a perturbation table. Counts are those of rows: the row that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TableError {
    /// No row, or too many.
    #[error("the table has {0} rows: one for each count from 0 is needed, at most {ROWS_MAX}")]
    Rows(usize),
    /// `forbidden_to` out of range.
    #[error("`forbidden_to` is {0}: it must be 0 (nothing is forbidden) to {FORBIDDEN_MAX}")]
    Forbidden(i64),
    /// `bias_max` out of range.
    #[error("`bias_max` is {0}: it must be a number of at least 0, {BIAS_TOLERANCE} for an unbiased table")]
    BiasMax(f64),
    /// A probability below 0, above 1 or not a number.
    #[error("the row for {count} gives {noise} the probability {probability}: it must be 0 to 1")]
    Probability {
        /// The row.
        count: i64,
        /// The step.
        noise: i64,
        /// As given.
        probability: f64,
    },
    /// Probabilities do not sum to 1.
    #[error("the probabilities of the row for {count} sum to {sum}: they must sum to 1 within {SUM_TOLERANCE}")]
    Sum {
        /// The row.
        count: i64,
        /// What they sum to.
        sum: f64,
    },
    /// A noise twice, or too large.
    #[error("the row for {count} has the noise {noise}: it must be -{NOISE_MAX} to {NOISE_MAX}, each once")]
    Noise {
        /// The row.
        count: i64,
        /// The noise.
        noise: i64,
    },
    /// A result that must not be.
    #[error(
        "the row for {count} leads to {result}: results must not be negative or 1 to `forbidden_to`, and 0 stays 0"
    )]
    Result {
        /// The row; for the last row the count that it leads there.
        count: i64,
        /// What would be published.
        result: i64,
    },
    /// The noise does not cancel out.
    #[error("the mean noise of the row for {count} is {bias}: at most {bias_max} either way is allowed")]
    Bias {
        /// The row.
        count: i64,
        /// The mean noise.
        bias: f64,
        /// As given.
        bias_max: f64,
    },
}

impl PerturbationTable {
    /// A table of these rows, for the counts 0, 1, 2 …; the last row is for all larger counts.
    ///
    /// `forbidden_to`: no result is 1 to this (`js` in `ptable`; 0: nothing is forbidden). `bias_max`: how far the mean
    /// noise of a row may be from 0, a count; [`BIAS_TOLERANCE`] unless there is a reason.
    ///
    /// # Errors
    /// [`TableError`]: the first row that does not fulfil the type's invariant.
    ///
    /// ```
    /// use disclosure_control::cell_key::{BIAS_TOLERANCE, CellKey, PerturbationTable};
    /// let rows = [vec![(0, 1.0)], vec![(-1, 0.5), (1, 0.5)], vec![(0, 1.0)], vec![(-1, 0.3), (0, 0.4), (1, 0.3)]];
    /// let table = PerturbationTable::new(rows, 1, BIAS_TOLERANCE)?;
    /// assert_eq!(table.perturbed(3, CellKey::of([u64::MAX / 10 * 8])), 4);
    /// # Ok::<(), disclosure_control::cell_key::TableError>(())
    /// ```
    pub fn new(
        rows: impl IntoIterator<Item = Vec<(i64, f64)>>,
        forbidden_to: i64,
        bias_max: f64,
    ) -> Result<PerturbationTable, TableError> {
        if !(0..=FORBIDDEN_MAX).contains(&forbidden_to) {
            return Err(TableError::Forbidden(forbidden_to));
        }
        if bias_max.is_nan() || bias_max < 0.0 {
            return Err(TableError::BiasMax(bias_max));
        }
        let step = |(noise, probability)| Step { noise, probability };
        let rows: Vec<Vec<Step>> =
            rows.into_iter().take(ROWS_MAX + 1).map(|row| sorted(row.into_iter().map(step).collect())).collect();
        if rows.is_empty() || rows.len() > ROWS_MAX {
            return Err(TableError::Rows(rows.len()));
        }
        let last = rows.len() - 1;
        for (place, (count, row)) in (0..).zip(&rows).enumerate() {
            probabilities(count, row, bias_max)?;
            results(count, row, forbidden_to, place == last)?;
        }
        Ok(PerturbationTable { rows, forbidden_to })
    }

    /// The rows, for the counts 0, 1, 2 …; the last is for all larger ones.
    pub fn rows(&self) -> &[Vec<Step>] {
        &self.rows
    }

    /// No result is 1 to this.
    pub fn forbidden_to(&self) -> i64 {
        self.forbidden_to
    }

    /// The noise of a count whose cell key is `uniform`, a number of [0, 1): the first in whose cumulative probability
    /// it lies. A zero gets none, nor does what is no count.
    pub fn noise(&self, count: i64, uniform: f64) -> i64 {
        let place = usize::try_from(count).unwrap_or(0).min(self.rows.len() - 1);
        let mut above = 0.0;
        let reached = self.rows[place].iter().filter(|step| step.probability > 0.0).find(|step| {
            above += step.probability;
            uniform < above
        });
        let likely = || self.rows[place].iter().rfind(|step| step.probability > 0.0);
        reached.or_else(likely).map_or(0, |step| step.noise)
    }

    /// What is published for a count with this cell key.
    pub fn perturbed(&self, count: i64, key: CellKey) -> i64 {
        count.saturating_add(self.noise(count, key.uniform()))
    }
}

fn sorted(mut row: Vec<Step>) -> Vec<Step> {
    row.sort_by_key(|step| step.noise);
    row
}

/// The mean of the noise.
fn bias(row: &[Step]) -> f64 {
    row.iter().map(|step| step.probability * float(step.noise)).sum()
}

/// A noise as a floating point number; it is at most [`NOISE_MAX`].
fn float(noise: i64) -> f64 {
    i32::try_from(noise).map_or(f64::NAN, f64::from)
}

fn probabilities(count: i64, row: &[Step], bias_max: f64) -> Result<(), TableError> {
    for (k, step) in row.iter().enumerate() {
        let Step { noise, probability } = *step;
        if noise.abs() > NOISE_MAX || k > 0 && row[k - 1].noise == noise {
            return Err(TableError::Noise { count, noise });
        }
        if !(0.0..=1.0).contains(&probability) {
            return Err(TableError::Probability { count, noise, probability });
        }
    }
    let sum: f64 = row.iter().map(|step| step.probability).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(TableError::Sum { count, sum });
    }
    let bias = bias(row);
    if bias.abs() > bias_max { Err(TableError::Bias { count, bias, bias_max }) } else { Ok(()) }
}

/// What a row leads to; the last one from its count and all larger ones.
fn results(count: i64, row: &[Step], forbidden_to: i64, last: bool) -> Result<(), TableError> {
    for noise in row.iter().filter(|step| step.probability > 0.0).map(|step| step.noise) {
        let larger = if last { FORBIDDEN_MAX + NOISE_MAX } else { 0 };
        let wrong = |count: &i64| {
            let result = count + noise;
            result < 0 || (1..=forbidden_to).contains(&result) || *count == 0 && result != 0
        };
        if let Some(count) = (count..=count + larger).find(wrong) {
            return Err(TableError::Result { count, result: count + noise });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fictional table of the Handbook, 5.4: no ones, at most 1 either way; its row for 2 has a mean of 0.2.
    fn handbook(bias_max: f64) -> Result<PerturbationTable, TableError> {
        let rows =
            [vec![(0, 1.0)], vec![(-1, 0.5), (1, 0.5)], vec![(0, 0.8), (1, 0.2)], vec![(-1, 0.3), (0, 0.4), (1, 0.3)]];
        PerturbationTable::new(rows, 1, bias_max)
    }

    #[test]
    fn the_handbooks_three_men_become_four() {
        let tenths = |keys: &[u64]| CellKey::of(keys.iter().map(|key| key * (u64::MAX / 10 + 1)));
        let key = tenths(&[9, 3, 6]);
        assert!((key.uniform() - 0.8).abs() < 1e-12);
        assert_eq!(handbook(0.2 + 1e-12).unwrap().perturbed(3, key), 4);
    }

    #[test]
    fn each_row_of_the_handbooks_table_is_found_by_its_bounds() {
        let table = handbook(0.3).unwrap();
        let found = |count, uniform| count + table.noise(count, uniform);
        assert_eq!([0.0, 0.999].map(|u| found(0, u)), [0, 0]);
        assert_eq!([0.0, 0.499, 0.5, 0.999].map(|u| found(1, u)), [0, 0, 2, 2]);
        assert_eq!([0.0, 0.799, 0.8, 0.999].map(|u| found(2, u)), [2, 2, 3, 3]);
        assert_eq!([0.29, 0.31, 0.69, 0.71].map(|u| found(3, u)), [2, 3, 3, 4]);
        assert_eq!([0.29, 0.31, 0.69, 0.71].map(|u| found(500, u)), [499, 500, 500, 501]);
    }

    #[test]
    fn a_biased_table_is_refused_unless_the_bias_is_allowed() {
        assert!(matches!(handbook(BIAS_TOLERANCE), Err(TableError::Bias { count: 2, .. })));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let refused = |rows: &[&[(i64, f64)]], forbidden_to| {
            let rows = rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>();
            PerturbationTable::new(rows, forbidden_to, 1.0).unwrap_err()
        };
        let zero: &[(i64, f64)] = &[(0, 1.0)];
        assert_eq!(refused(&[], 0), TableError::Rows(0));
        assert_eq!(refused(&[zero], 101), TableError::Forbidden(101));
        assert_eq!(refused(&[zero, &[(0, 0.5)]], 0), TableError::Sum { count: 1, sum: 0.5 });
        let probability = refused(&[zero, &[(0, 1.5), (1, -0.5)]], 0);
        assert_eq!(probability, TableError::Probability { count: 1, noise: 0, probability: 1.5 });
        assert!(matches!(refused(&[zero, &[(0, f64::NAN)]], 0), TableError::Probability { .. }));
        assert_eq!(refused(&[zero, &[(0, 0.5), (0, 0.5)]], 0), TableError::Noise { count: 1, noise: 0 });
        assert_eq!(refused(&[zero, &[(-2, 0.5), (2, 0.5)]], 0), TableError::Result { count: 1, result: -1 });
        assert_eq!(refused(&[zero, &[(-1, 0.5), (1, 0.5)]], 2), TableError::Result { count: 2, result: 1 });
        assert_eq!(refused(&[&[(1, 1.0)]], 0), TableError::Result { count: 0, result: 1 });
        assert!(matches!(PerturbationTable::new([vec![(0, 1.0)]], 0, f64::NAN), Err(TableError::BiasMax(_))));
    }

    #[test]
    fn the_last_row_must_hold_for_larger_counts_too() {
        // 3 becomes 0, but 4 would become a forbidden 1
        let rows = [vec![(0, 1.0)], vec![(-1, 1.0)], vec![(-2, 1.0)], vec![(-3, 1.0)]];
        let refused = PerturbationTable::new(rows, 1, 10.0);
        assert_eq!(refused, Err(TableError::Result { count: 4, result: 1 }));
    }

    #[test]
    fn a_cell_key_does_not_depend_on_the_order_of_members() {
        let keys = [u64::MAX, 12_345, 1 << 63, 99];
        assert_eq!(CellKey::of(keys), CellKey::of(keys.into_iter().rev()));
    }

    proptest! {
        #[test]
        fn a_cell_key_is_a_number_from_0_to_below_1(key: u64) {
            let uniform = CellKey::of([key]).uniform();
            prop_assert!((0.0..1.0).contains(&uniform));
        }

        #[test]
        fn the_same_members_get_the_same_number(count in 0..50_i64, key: u64) {
            let table = handbook(0.3).unwrap();
            let once = table.perturbed(count, CellKey(key));
            prop_assert_eq!(once, table.perturbed(count, CellKey(key)));
            prop_assert!(once >= 0 && once != 1 && (once - count).abs() <= 1);
        }
    }
}
