//! A deterministic simulation of the command side, so that the next fault is found by us.
//!
//! One thread plays everything: callers of two organisations, the machine as `kith serve` puts it together, the bus, the
//! disk and the clock. Whatever waits, waits until a scheduler lets it go on, and what that does next follows from a
//! seed: the same seed gives the same run. Faults enter below the adapters: in the disk under SQLite (full, failing,
//! a crash between any two writes), the clock, the frames of the bus. [`RULES`] is what must hold.
//!
//! TigerBeetle's idea, at our size.
//!
//! **Invariant:** nothing here is a source of chance or of time but the seed.

mod apart;
mod book;
mod bus;
mod chance;
mod commands;
mod judge;
mod machine;
mod people;
mod plan;
mod simulation;

pub use apart::run_apart;
pub use judge::{RULES, Violation};
pub use plan::FAULTS;
pub use simulation::{Run, run};

/// How to play.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which faults may be put in, of [`FAULTS`]; any of them if none is named.
    pub faults: Option<Vec<String>>,
    /// Which of [`RULES`] are looked at; all of them if none is named.
    pub rules: Option<Vec<String>>,
    /// Whether every step is kept, or only the last ones.
    pub trace: bool,
}
