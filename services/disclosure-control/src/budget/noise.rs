//! Which noise is due, how wide it makes a number, and adding it once it is drawn.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::BudgetError;

/// The most keys in a public domain.
pub const KEYS_MAX: usize = 100_000;

/// A positive fraction, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Above the line.
    pub numerator: u64,
    /// Below the line.
    pub denominator: u64,
}

impl Fraction {
    fn float(self) -> f64 {
        float(self.numerator) / float(self.denominator)
    }
}

/// Which noise to draw for each count, independently, zeros included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// P(x) ∝ exp(−|x| ÷ scale).
    DiscreteLaplace {
        /// Δ₁ ÷ ε.
        scale: Fraction,
    },
    /// P(x) ∝ exp(−x² ÷ 2 variance).
    DiscreteGaussian {
        /// σ² = Δ₂² ÷ 2ρ.
        variance: Fraction,
    },
}

/// From this standard deviation on, a discrete Gaussian is taken for a continuous one: the half-width differs by less
/// than one.
const SIGMA_CONTINUOUS: f64 = 1_000.0;
/// More terms than weigh anything at that standard deviation.
const TERMS_MAX: u32 = 20_000;
/// The 97.5 % quantile of the normal distribution.
const NORMAL_975: f64 = 1.959_963_984_540_054;

impl Noise {
    /// The smallest whole k with P(|noise| ≤ k) ≥ 95 %: what to write after ± for one count.
    ///
    /// Laplace in closed form: P(|x| > k) = 2 q^(k+1) ÷ (1 + q), q = exp(−1 ÷ scale). Gaussian by summation.
    ///
    /// ```
    /// use disclosure_control::budget::{Contribution, Level, Loss, Query};
    /// let query = Query::new(Level::Programme, Contribution::ONCE, Loss::MicroEpsilon(1_000_000))?;
    /// assert_eq!(query.noise().half_width_95(), 3);
    /// # Ok::<(), disclosure_control::budget::BudgetError>(())
    /// ```
    pub fn half_width_95(self) -> u64 {
        match self {
            Noise::DiscreteLaplace { scale } => {
                let q = (-1.0 / scale.float()).exp();
                whole((scale.float() * (2.0 / (0.05 * (1.0 + q))).ln()).ceil() - 1.0)
            }
            Noise::DiscreteGaussian { variance } => gaussian_half_width(variance.float()),
        }
    }
}

fn gaussian_half_width(variance: f64) -> u64 {
    if variance.sqrt() >= SIGMA_CONTINUOUS {
        return whole((NORMAL_975 * variance.sqrt()).ceil());
    }
    let weight = |x: u32| (-f64::from(x) * f64::from(x) / (2.0 * variance)).exp();
    let beyond = |x: &u32| weight(*x) > 1e-18;
    let all = 1.0 + 2.0 * (1..TERMS_MAX).take_while(beyond).map(weight).sum::<f64>();
    let mut within = 1.0;
    let k = (1..TERMS_MAX).find(|x| {
        let reached = within >= 0.95 * all;
        within += 2.0 * weight(*x);
        reached
    });
    k.map_or(0, |k| u64::from(k) - 1)
}

/// A number of at least 0, as a whole one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "half-widths are far below 2⁵³ and not negative"
)]
fn whole(x: f64) -> u64 {
    x.max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "for the ± only, of which some digits are shown")]
fn float(x: u64) -> f64 {
    x as f64
}

/// A count with its noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoisyCount {
    /// Which of the domain.
    pub key: String,
    /// The count and its noise, perhaps below zero: to calculate with, as clamped numbers are too large on average.
    pub value: i64,
}

impl NoisyCount {
    /// To show: no less than zero.
    pub fn display(&self) -> i64 {
        self.value.max(0)
    }
}

/// Adds a noise to the count of each key of a fixed public domain, in its order; a key without a count counts 0.
///
/// The domain must not depend on the data: which keys appear would tell who is there.
///
/// # Errors
/// [`BudgetError::Domain`], [`BudgetError::Key`], [`BudgetError::Noises`], [`BudgetError::TooLarge`].
///
/// ```
/// use std::collections::BTreeMap;
/// use disclosure_control::budget::noisy_counts;
/// let counts = BTreeMap::from([("north".to_owned(), 12)]);
/// let noisy = noisy_counts(&["north", "south"], &counts, &[-2, -1])?;
/// assert_eq!(noisy.iter().map(|count| count.value).collect::<Vec<_>>(), [10, -1]);
/// assert_eq!(noisy.iter().map(|count| count.display()).collect::<Vec<_>>(), [10, 0]);
/// # Ok::<(), disclosure_control::budget::BudgetError>(())
/// ```
pub fn noisy_counts(
    domain: &[&str],
    counts: &BTreeMap<String, u64>,
    noise: &[i64],
) -> Result<Vec<NoisyCount>, BudgetError> {
    let keys: BTreeSet<&str> = domain.iter().copied().collect();
    if keys.len() != domain.len() || !(1..=KEYS_MAX).contains(&keys.len()) {
        return Err(BudgetError::Domain { keys: domain.len(), different: keys.len() });
    }
    if let Some(key) = counts.keys().find(|key| !keys.contains(key.as_str())) {
        return Err(BudgetError::Key(key.clone()));
    }
    if noise.len() != domain.len() {
        return Err(BudgetError::Noises { noise: noise.len(), keys: domain.len() });
    }
    let sum = |(key, noise): (&&str, &i64)| {
        let count = i64::try_from(counts.get(*key).copied().unwrap_or(0)).ok();
        let value = count.and_then(|count| count.checked_add(*noise));
        Ok(NoisyCount { key: (*key).to_owned(), value: value.ok_or_else(|| BudgetError::TooLarge((*key).to_owned()))? })
    };
    domain.iter().zip(noise).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::{Contribution, LOSS_MAX, Level, Loss, Query};

    #[test]
    fn the_two_ways_to_a_gaussian_half_width_meet() {
        let summed = gaussian_half_width(999.9 * 999.9);
        assert!((1959..=1961).contains(&summed), "{summed}");
        assert_eq!(gaussian_half_width(1_000.0 * 1_000.0), 1960);
        assert_eq!(gaussian_half_width(0.01), 0);
    }

    #[test]
    fn noise_is_added_on_the_whole_domain_and_clamped_only_to_show() {
        let counts = BTreeMap::from([("b".to_owned(), 3), ("c".to_owned(), 40)]);
        let noisy = noisy_counts(&["a", "b", "c"], &counts, &[2, -5, 1]).unwrap();
        let values: Vec<_> = noisy.iter().map(|count| (count.key.as_str(), count.value, count.display())).collect();
        assert_eq!(values, [("a", 2, 2), ("b", -2, 0), ("c", 41, 41)]);
    }

    #[test]
    fn counts_off_the_domain_and_missing_noise_are_refused() {
        let counts = BTreeMap::from([("b".to_owned(), u64::MAX)]);
        let refused = |domain: &[&str], noise: &[i64]| noisy_counts(domain, &counts, noise).unwrap_err();
        assert_eq!(refused(&["a"], &[0]), BudgetError::Key("b".to_owned()));
        assert_eq!(refused(&["b", "b"], &[0, 0]), BudgetError::Domain { keys: 2, different: 1 });
        assert_eq!(refused(&[], &[]), BudgetError::Domain { keys: 0, different: 0 });
        assert_eq!(refused(&["a", "b"], &[1]), BudgetError::Noises { noise: 1, keys: 2 });
        assert_eq!(refused(&["b"], &[1]), BudgetError::TooLarge("b".to_owned()));
    }

    /// P(|x| ≤ k) of a discrete Laplace distribution, added up.
    fn within(scale: f64, k: u64) -> f64 {
        let q = (-1.0 / scale).exp();
        let one = |x: u64| q.powf(float(x)) * (1.0 - q) / (1.0 + q);
        one(0) + 2.0 * (1..=k).map(one).sum::<f64>()
    }

    proptest! {
        #[test]
        fn a_half_width_is_the_smallest_that_holds_95_percent(micro in 10_000..=LOSS_MAX, cells in 1..=20_u32) {
            let contribution = Contribution { cells, per_cell: 1 };
            let noise = Query::new(Level::Programme, contribution, Loss::MicroEpsilon(micro)).unwrap().noise();
            let Noise::DiscreteLaplace { scale } = noise else { unreachable!("epsilon is Laplace") };
            let k = noise.half_width_95();
            prop_assert!(within(scale.float(), k) >= 0.95 - 1e-9);
            prop_assert!(k == 0 || within(scale.float(), k - 1) < 0.95 + 1e-9);
        }
    }
}
