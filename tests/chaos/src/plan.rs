//! What a seed makes of a run: which faults, which requests, how many of each.

use std::collections::BTreeSet;

use disk::Crash;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::commands::KINDS;

/// Kinds of faults.
pub const FAULTS: &[&str] = &[
    "kill",
    "power-cut",
    "disk-full",
    "disk-error",
    "clock-step",
    "bus-loss",
    "bus-forgery",
    "bus-wiped",
    "views-lost",
];

/// What one run is made of. Each run has some faults and some kinds of requests, not all: what hides one fault behind
/// another shows in another run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub faults: BTreeSet<&'static str>,
    /// Weights of the kinds of requests.
    pub kinds: Vec<(&'static str, u32)>,
    /// Machines one after another, a count: each ends in a crash, or all comes to rest.
    pub lives: u32,
    /// Steps of each, a count.
    pub steps: u64,
    /// Most requests at once, a count.
    pub at_once: usize,
}

impl Plan {
    /// The plan of a seed, held to some faults, if they are given.
    pub fn of(seed: u64, only: Option<&[String]>) -> Self {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15);
        let drawn: Vec<_> = FAULTS.iter().map(|_| chance.random_bool(0.35)).collect();
        let has = |fault: &str, drawn: bool| only.map_or(drawn, |only| drawn && only.iter().any(|of| of == fault));
        let faults = FAULTS.iter().zip(drawn).filter(|(fault, drawn)| has(fault, *drawn)).map(|(fault, _)| *fault);
        let faults = faults.collect();
        let mut weight = |weight: u32| match chance.random_range(0..10) {
            0..2 => 0,
            2..4 => weight * 4,
            _ => weight,
        };
        let needed = |kind: &str| ["register", "group"].contains(&kind);
        let kinds = KINDS.iter().map(|(kind, common)| (*kind, weight(*common).max(u32::from(needed(kind)) * common)));
        let kinds: Vec<_> = kinds.collect();
        let (lives, steps) = (chance.random_range(1..4), chance.random_range(150..500));
        Self { faults, kinds, lives, steps, at_once: chance.random_range(1..12) }
    }

    pub fn has(&self, fault: &str) -> bool {
        self.faults.contains(fault)
    }

    /// How a life ends, if in a crash.
    pub fn end(&self, chance: &mut StdRng) -> Option<Crash> {
        match (self.has("kill"), self.has("power-cut")) {
            (true, true) if chance.random_bool(0.5) => Some(Crash::Kill),
            (_, true) => Some(Crash::PowerCut),
            (true, false) => Some(Crash::Kill),
            (false, false) => None,
        }
    }
}
