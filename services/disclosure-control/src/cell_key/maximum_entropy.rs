//! The perturbation table that gives away least for a given variance: maximum entropy.
//!
//! Source: the R package `ptable` (sdcTools, `create_cnt_ptable`) and Giessing, Computational Issues in the Design of
//! Transition Probabilities and Disclosure Risk Estimation for Additive Noise (PSD 2016). Of all distributions of the
//! noise v on the allowed results with mean 0 and variance V, the one with the largest entropy is
//! p(v) ∝ exp(a v + b v²). The two multipliers are found by Newton's method on the convex dual,
//! log Σ exp(a v + b v²) − b V. Unlike `ptable` no monotone order of the probabilities is forced, which lets the
//! small counts reach the variance exactly; and where a variance cannot be, this is an error rather than a smaller one.

use super::{BIAS_TOLERANCE, FORBIDDEN_MAX, NOISE_MAX, PerturbationTable, TableError, float};

/// Newton steps after which a row counts as not found; 10 to 20 are usual.
const STEPS_MAX: usize = 500;
/// How near mean and variance must come, relative to the largest noise and its square.
const TOLERANCE: f64 = 1e-12;

/// What a table is built from.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaximumEntropy {
    /// The largest noise either way, 1 to [`NOISE_MAX`], a count (`D` in `ptable`). Keep it to yourself.
    pub noise_max: i64,
    /// The variance of the noise of every count but 0, above 0, a count squared (`V`).
    pub variance: f64,
    /// No result is 1 to this, 0 to [`FORBIDDEN_MAX`], a count (`js`; 0: nothing is forbidden).
    pub forbidden_to: i64,
    /// How probable it is that a count stays, 0 up to below 1, where it may (`pstay`; none: what the entropy says).
    pub stay: Option<f64>,
}

/// No table can be built.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EntropyError {
    /// Largest noise out of range.
    #[error("`noise_max` is {0}: it must be 1 to {NOISE_MAX}")]
    NoiseMax(i64),
    /// Forbidden results out of range.
    #[error("`forbidden_to` is {0}: it must be 0 (nothing is forbidden) to {FORBIDDEN_MAX}")]
    Forbidden(i64),
    /// Not a probability.
    #[error("`stay` is {0}: it must be 0 or more and less than 1")]
    Stay(f64),
    /// The variance cannot be.
    #[error(
        "a count of {count} cannot have noise of mean 0 and variance {variance}: with these limits and this `stay` it \
         must be above {least} and below {most}, choose it so for every count or a larger `noise_max`"
    )]
    Variance {
        /// Which count.
        count: i64,
        /// As given.
        variance: f64,
        /// The smallest possible variance.
        least: f64,
        /// The largest possible variance.
        most: f64,
    },
    /// Newton's method did not get there: the variance is all but impossible.
    #[error(
        "no multipliers were found for a count of {count}: move `variance` away from the limits of what is possible"
    )]
    NotFound {
        /// Which count.
        count: i64,
    },
    /// What was built does not hold; a fault of the builder.
    #[error("the table that was built does not hold")]
    Table(#[from] TableError),
}

impl MaximumEntropy {
    /// The table: rows for 0 to `noise_max`, or with forbidden results to `noise_max` + `forbidden_to` + 1, from where
    /// on all counts have the same noise.
    ///
    /// # Errors
    /// [`EntropyError`]: a parameter out of range, or a variance that some count cannot have.
    ///
    /// ```
    /// use disclosure_control::cell_key::MaximumEntropy;
    /// let limits = MaximumEntropy { noise_max: 5, variance: 3.0, forbidden_to: 2, stay: Some(0.5) };
    /// let table = limits.table()?;
    /// assert_eq!(table.rows().len() - 1, 8, "as in ptable's own test");
    /// assert_eq!(table.rows().iter().map(Vec::len).sum::<usize>(), 66, "as in ptable's own test");
    /// # Ok::<(), disclosure_control::cell_key::EntropyError>(())
    /// ```
    pub fn table(&self) -> Result<PerturbationTable, EntropyError> {
        if !(1..=NOISE_MAX).contains(&self.noise_max) {
            return Err(EntropyError::NoiseMax(self.noise_max));
        }
        if !(0..=FORBIDDEN_MAX).contains(&self.forbidden_to) {
            return Err(EntropyError::Forbidden(self.forbidden_to));
        }
        if let Some(stay) = self.stay.filter(|stay| !(0.0..1.0).contains(stay)) {
            return Err(EntropyError::Stay(stay));
        }
        let last = self.noise_max + if self.forbidden_to > 0 { self.forbidden_to + 1 } else { 0 };
        let mut rows = vec![vec![(0, 1.0)]];
        for count in 1..=last {
            rows.push(self.row(count)?);
        }
        Ok(PerturbationTable::new(rows, self.forbidden_to, BIAS_TOLERANCE)?)
    }

    fn row(&self, count: i64) -> Result<Vec<(i64, f64)>, EntropyError> {
        let allowed = |noise: &i64| count + noise == 0 || count + noise > self.forbidden_to;
        let mut noises: Vec<i64> = (-self.noise_max.min(count)..=self.noise_max).filter(allowed).collect();
        let stay = self.stay.filter(|_| noises.contains(&0));
        if stay.is_some() {
            noises.retain(|noise| *noise != 0);
        }
        let others = 1.0 - stay.unwrap_or(0.0);
        let (least, most) = variances(&noises);
        let variance = self.variance / others;
        if variance.is_nan() || variance <= least || variance >= most {
            let (least, most) = (least * others, most * others);
            return Err(EntropyError::Variance { count, variance: self.variance, least, most });
        }
        let probabilities = distribution(&noises, variance).ok_or(EntropyError::NotFound { count })?;
        let row = noises.into_iter().zip(probabilities.into_iter().map(|p| p * others));
        Ok(row.chain(stay.map(|stay| (0, stay))).collect())
    }
}

/// Between which variances noise of mean 0 can lie: with the two values nearest to 0 either way (or 0 itself), with
/// the two furthest.
fn variances(noises: &[i64]) -> (f64, f64) {
    let below = |noise: &&i64| **noise < 0;
    let above = |noise: &&i64| **noise > 0;
    let product = |low: Option<&i64>, high: Option<&i64>| low.zip(high).map_or(0.0, |(low, high)| float(-low * high));
    let least = product(noises.iter().rfind(below), noises.iter().find(above));
    let most = product(noises.iter().find(below), noises.iter().rfind(above));
    (if noises.contains(&0) { 0.0 } else { least }, most)
}

/// The multipliers of v and v², v relative to the largest noise.
type Multipliers = [f64; 2];

/// The distribution of largest entropy on these noises, of mean 0 and this variance.
fn distribution(noises: &[i64], variance: f64) -> Option<Vec<f64>> {
    let scale = noises.iter().map(|noise| float(noise.abs())).fold(1.0, f64::max);
    let v: Vec<f64> = noises.iter().map(|noise| float(*noise) / scale).collect();
    let target = variance / (scale * scale);
    let mut at = [0.0; 2];
    for _ in 0..STEPS_MAX {
        let p = weights(&v, at);
        let [m1, m2, m3, m4] = [1, 2, 3, 4].map(|power| v.iter().zip(&p).map(|(v, p)| v.powi(power) * p).sum::<f64>());
        let slope = [m1, m2 - target];
        if slope.iter().all(|slope| slope.abs() < TOLERANCE) {
            return Some(p);
        }
        let curve = [m2 - m1 * m1, m3 - m1 * m2, m4 - m2 * m2];
        at = step(&v, target, at, slope, curve)?;
    }
    None
}

/// p(v) ∝ exp(a v + b v²).
fn weights(v: &[f64], at: Multipliers) -> Vec<f64> {
    let power: Vec<f64> = v.iter().map(|v| at[0] * v + at[1] * v * v).collect();
    let most = power.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = power.iter().map(|power| (power - most).exp()).sum();
    power.iter().map(|power| (power - most).exp() / sum).collect()
}

/// log Σ exp(a v + b v²) − b × target: least where mean and variance are right.
fn dual(v: &[f64], target: f64, at: Multipliers) -> f64 {
    let power: Vec<f64> = v.iter().map(|v| at[0] * v + at[1] * v * v).collect();
    let most = power.iter().copied().fold(f64::MIN, f64::max);
    most + power.iter().map(|power| (power - most).exp()).sum::<f64>().ln() - at[1] * target
}

/// A Newton step, halved until the dual falls. `curve`: the second derivatives by aa, ab, bb.
fn step(v: &[f64], target: f64, at: Multipliers, slope: [f64; 2], curve: [f64; 3]) -> Option<Multipliers> {
    let determinant = curve[0] * curve[2] - curve[1] * curve[1];
    if determinant <= 0.0 || determinant.is_nan() {
        return None;
    }
    let by = [
        (curve[2] * slope[0] - curve[1] * slope[1]) / determinant,
        (curve[0] * slope[1] - curve[1] * slope[0]) / determinant,
    ];
    let now = dual(v, target, at);
    let falls = by[0] * slope[0] + by[1] * slope[1];
    let mut share = 1.0;
    while share > 1e-12 {
        let next = [at[0] - share * by[0], at[1] - share * by[1]];
        if dual(v, target, next) <= now - 1e-4 * share * falls + 1e-15 {
            return Some(next);
        }
        share /= 2.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cell_key::Step;

    fn moments(row: &[Step]) -> [f64; 3] {
        [0, 1, 2].map(|power| row.iter().map(|step| step.probability * float(step.noise).powi(power)).sum())
    }

    fn probability(table: &PerturbationTable, count: usize, noise: i64) -> f64 {
        table.rows()[count].iter().find(|step| step.noise == noise).map_or(0.0, |step| step.probability)
    }

    #[test]
    fn the_shape_is_that_of_ptables_test() {
        let limits = MaximumEntropy { noise_max: 5, variance: 3.0, forbidden_to: 2, stay: Some(0.5) };
        let table = limits.table().unwrap();
        let lengths: Vec<_> = table.rows().iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 5, 6, 7, 8, 9, 9, 10, 11]);
        for count in 3..=8 {
            assert!((probability(&table, count, 0) - 0.5).abs() < 1e-12);
        }
        assert!(probability(&table, 1, 0) == 0.0 && probability(&table, 2, 0) == 0.0, "1 and 2 may not stay");
    }

    #[test]
    fn the_row_for_2_is_that_of_ptables_vignette() {
        // D = 2, V = 1: it prints 0.0638 for 2 to 0 and 0.383 for staying
        let table = MaximumEntropy { noise_max: 2, variance: 1.0, forbidden_to: 0, stay: None }.table().unwrap();
        assert!((probability(&table, 2, -2) - 0.0638).abs() < 5e-5);
        assert!((probability(&table, 2, 0) - 0.383).abs() < 5e-4);
        assert_eq!(table.rows().iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 5]);
    }

    #[test]
    fn no_other_distribution_of_that_variance_has_more_entropy() {
        let entropy = |p: &[f64]| -p.iter().map(|p| p * p.ln()).sum::<f64>();
        let noises = [-2, -1, 0, 1, 2, 3];
        let best = distribution(&noises, 2.0).unwrap();
        // the directions that keep sum, mean and variance: third differences
        for start in 0..3 {
            for by in [-1e-3, 1e-3] {
                let mut other = best.clone();
                [1.0, -3.0, 3.0, -1.0].iter().enumerate().for_each(|(k, x)| other[start + k] += by * x);
                assert!(entropy(&other) < entropy(&best));
            }
        }
    }

    #[test]
    fn what_cannot_be_built_is_refused_with_what_could() {
        let good = MaximumEntropy { noise_max: 2, variance: 1.0, forbidden_to: 0, stay: None };
        let refused = |limits: MaximumEntropy| limits.table().unwrap_err();
        assert_eq!(refused(MaximumEntropy { noise_max: 0, ..good }), EntropyError::NoiseMax(0));
        assert_eq!(refused(MaximumEntropy { forbidden_to: -1, ..good }), EntropyError::Forbidden(-1));
        assert_eq!(refused(MaximumEntropy { stay: Some(1.0), ..good }), EntropyError::Stay(1.0));
        let (count, least, most) = (1, 0.0, 2.0);
        let large = EntropyError::Variance { count, variance: 3.0, least, most };
        assert_eq!(refused(MaximumEntropy { variance: 3.0, ..good }), large);
        // with 1 and 2 forbidden, 1 becomes 0 or 3: a variance of 2 at least
        let small = refused(MaximumEntropy { noise_max: 5, forbidden_to: 2, ..good });
        assert_eq!(small, EntropyError::Variance { count, variance: 1.0, least: 2.0, most: 5.0 });
        assert!(matches!(refused(MaximumEntropy { variance: f64::NAN, ..good }), EntropyError::Variance { .. }));
    }

    #[test]
    fn noise_that_the_last_row_repeats_is_symmetric() {
        let table = MaximumEntropy { noise_max: 4, variance: 2.5, forbidden_to: 1, stay: None }.table().unwrap();
        for noise in 1..=4 {
            assert!((probability(&table, 6, noise) - probability(&table, 6, -noise)).abs() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn every_row_has_mean_0_and_the_variance(
            noise_max in 1..=20_i64, forbidden_to in 0..=5_i64, variance in 0.05..30.0_f64, stay in prop::option::of(0.0..0.9_f64),
        ) {
            let limits = MaximumEntropy { noise_max, variance, forbidden_to, stay };
            match limits.table() {
                Ok(table) => for row in &table.rows()[1..] {
                    let [sum, mean, square] = moments(row);
                    prop_assert!((sum - 1.0).abs() < 1e-9 && mean.abs() < 1e-9);
                    prop_assert!((square - variance).abs() < 1e-8, "{square} for {limits:?}");
                },
                Err(EntropyError::Variance { least, most, .. }) => prop_assert!(variance <= least || variance >= most),
                Err(error) => prop_assert!(matches!(error, EntropyError::NotFound { .. }), "{error}"),
            }
        }
    }
}
