//! The simulation finds nothing, and the same seed gives the same run.

use chaos::{Options, run};

#[test]
fn the_same_seed_gives_the_same_run_bit_for_bit() {
    for seed in 0..3 {
        let [once, again] = [(); 2].map(|()| run(seed, &Options { trace: true, ..Options::default() }));
        for (n, (a, b)) in once.trace.iter().zip(&again.trace).enumerate() {
            assert_eq!(a, b, "seed {seed}, line {n}");
        }
        assert_eq!(once.digest, again.digest, "seed {seed}");
    }
}
