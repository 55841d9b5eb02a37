//! Chance of a simulated machine: all of it from the seed, in place of the system's.

use std::cell::RefCell;

use rand::{Rng, SeedableRng, rngs::StdRng};
use uuid::Uuid;

thread_local! {
    static CHANCE: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(0));
}

/// Starts it anew.
pub(crate) fn start(seed: u64) {
    CHANCE.set(StdRng::seed_from_u64(seed));
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    CHANCE.with_borrow_mut(|chance| chance.fill_bytes(&mut bytes));
    bytes
}

/// Ids of requests and of entries of the audit.
pub(crate) fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// Keys of people.
pub(crate) fn fresh() -> [u8; 56] {
    bytes()
}

/// Keys of API clients.
pub(crate) fn new_secret() -> [u8; 32] {
    bytes()
}
