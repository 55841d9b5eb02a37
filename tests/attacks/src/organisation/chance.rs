//! Chance from a seed.
//!
//! Of `rand` only the generator is used: its numbers are the same on every machine and in every version, which is not
//! promised of its distributions.

use rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus};

pub(super) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits, as many as a float has")]
    pub fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `end`.
    fn below(&mut self, end: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * u128::try_from(end).expect("narrower");
        usize::try_from(wide >> 64).expect("below `end`")
    }

    /// Both ends are possible.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        let width = usize::try_from(high - low).expect("low <= high") + 1;
        low + i32::try_from(self.below(width)).expect("at most high - low")
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// `number` different ones.
    pub fn some_of<T: Copy>(&mut self, number: usize, of: &[T]) -> Vec<T> {
        let mut left = of.to_vec();
        (0..number).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }

    /// The place of a weight, as probable as it is heavy.
    pub fn weighted<const N: usize>(&mut self, weights: &[f64; N]) -> u8 {
        let mut left = self.share() * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        u8::try_from(drawn.unwrap_or(N - 1)).expect("few weights")
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }

    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        mean + deviation * radius * (std::f64::consts::TAU * self.share()).cos()
    }
}

/// Towards zero.
#[expect(clippy::cast_possible_truncation, reason = "what is meant")]
pub(super) fn whole(number: f64) -> i32 {
    number as i32
}
