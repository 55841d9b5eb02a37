//! What a run is made of, and what is written down of it.

use std::collections::BTreeMap;

use disk::Disk;
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, rngs::StdRng};

use crate::{book::Book, commands::Known, judge::Seen, machine::Site, people::Tokens, plan::Plan};

/// A run: what there is, what was done, and what is known of it.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) disk: Disk,
    pub(super) plan: Plan,
    pub(super) chance: StdRng,
    pub(super) book: Book,
    pub(super) known: Vec<Known>,
    pub(super) tokens: Tokens,
    pub(super) seen: Seen,
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) steps: u64,
    /// How far the machine's clock is from the time that went by.
    pub(super) off: SignedDuration,
    pub(super) began: Timestamp,
    pub(super) digest: blake3::Hasher,
    pub(super) trace: Vec<String>,
    pub(super) keep: usize,
}

impl World {
    pub(super) fn note(&mut self, what: impl AsRef<str>) {
        let line = format!("{:>5} {}", self.steps, what.as_ref());
        self.digest.update(line.as_bytes());
        if self.trace.len() >= self.keep {
            self.trace.remove(0);
        }
        self.trace.push(line);
    }

    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind.into()).or_default() += 1;
    }

    pub(super) fn chance_below(&mut self, most: u64) -> u64 {
        self.chance.random_range(1..=most)
    }
}
