//! The simulation finds nothing, and the same seed gives the same run.

use std::path::Path;

use chaos::{Options, run_apart};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaos"))
}

#[test]
fn the_same_seed_gives_the_same_run_bit_for_bit() {
    for seed in 0..6 {
        let [once, again] = [(); 2].map(|()| run_apart(program(), seed, &Options::default()).unwrap());
        for (n, (one, other)) in once.trace.iter().zip(&again.trace).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {n}");
        }
        assert_eq!(once.digest, again.digest, "seed {seed}");
    }
}
