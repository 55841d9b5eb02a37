//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// 100 ms, doubled up to 2.5 s, and by chance up to as much again.
const WAITS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_millis(2_500))
    .without_max_times()
    .with_jitter();

/// Waits that grow from 100 ms to 5 s, other ones for each seed: processes that lost the same server do not all come
/// back to it at the same time.
#[derive(Debug)]
pub(crate) struct Backoff {
    waits: ExponentialBackoff,
    seed: u64,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { waits: WAITS.with_jitter_seed(seed).build(), seed }
    }

    /// How long to wait this time.
    pub(crate) fn next(&mut self) -> Duration {
        self.waits.next().expect("any number of times")
    }

    /// It worked: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_differ_by_seed_up_to_five_seconds_and_start_over_after_a_success() {
        let waits = |backoff: &mut Backoff| [(); 8].map(|()| backoff.next());
        let (mut one, mut other) = (Backoff::new(1), Backoff::new(2));
        let first = waits(&mut one);
        for (wait, least) in first.iter().zip([100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500]) {
            assert!((least..=2 * least).contains(&wait.as_millis()), "{first:?}");
        }
        assert_ne!(waits(&mut other), first);
        one.reset();
        assert_eq!(waits(&mut one), first);
    }
}
