//! The bench: what Kith does per second, each figure beside the limit of the machine, measured in the same run.

pub mod append;
pub mod care;
pub mod command;
pub mod disclosure;
pub mod empty_server;
pub mod floor;
pub mod health;
pub mod members;
pub mod memory;
pub mod near;
pub mod queue;
pub mod rebuild;
pub mod referrals;
pub mod scores;
pub mod visible;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::server::Kith;

/// What all parts need.
#[derive(Debug)]
pub struct Bench {
    /// The program.
    pub kith: Kith,
    /// An empty folder, on the disk that is measured.
    pub place: PathBuf,
    /// By how much everything is shorter than in a full run.
    pub divisor: u32,
}

impl Bench {
    /// A time of a full run, shortened.
    pub fn time(&self, full: Duration) -> Duration {
        full / self.divisor
    }

    /// A count of a full run, shortened.
    pub fn count(&self, full: u64) -> u64 {
        full / u64::from(self.divisor)
    }
}

/// What was measured: names and numbers, in the order in which they came.
#[derive(Debug, Default)]
pub struct Figures {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    name: &'static str,
    value: f64,
    beside: String,
}

impl Figures {
    /// Keeps a figure, and what to show beside it: its goal, its limit.
    pub fn add(&mut self, name: &'static str, value: f64, beside: impl Into<String>) {
        let line = Line { name, value, beside: beside.into() };
        println!("{}", line.text());
        self.lines.push(line);
    }

    /// All of them as a table.
    pub fn table(&self) -> String {
        self.lines.iter().map(|line| line.text() + "\n").collect()
    }

    /// All of them as a flat object of numbers.
    pub fn json(&self) -> String {
        let flat: BTreeMap<_, _> = self.lines.iter().map(|line| (line.name, line.value)).collect();
        serde_json::to_string_pretty(&flat).expect("names and numbers") + "\n"
    }
}

impl Line {
    fn text(&self) -> String {
        let Self { name, value, beside } = self;
        let digits = if value.abs() < 10.0 { 3 } else { 1 };
        format!("{name:28} {value:>12.digits$}   {beside}")
    }
}
