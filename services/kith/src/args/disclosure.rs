//! Of the commands that say what published numbers give away.

use std::path::PathBuf;

use clap::Args;

/// Decide which numbers are hidden beside those that must be, so that nobody can work those out
///
/// Exit code 0; 1 if something that was published before reveals what must be hidden; 2 if the problem cannot be read or
/// decided.
///
/// A problem is JSON: `atoms` (how many there are), `cells` (each `{"atoms": [[atom, times], …], "value": n}`), `primary`
/// (the cells that must be hidden), `candidates` (the others, those first that are best published), and, if there are any,
/// `forced` (cells that were published before), `singleton_atoms` (atoms of one person, or hidden zeros) and
/// `singletons_are_primary`. Cells and atoms are numbered from 0.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own
pub(crate) struct Suppress {
    /// The problem; `-` reads it from the standard input
    pub file: PathBuf,
    /// Reckon with single people, who know their own number [default]
    #[arg(long, overrides_with = "no_singletons")]
    pub singletons: bool,
    /// Think of nobody as knowing a number
    #[arg(long)]
    pub no_singletons: bool,
    /// Look for an order that hides fewer and smaller cells, and prove that each primary cell could be one more or one
    /// less to somebody who knows that no number is negative; by itself it needs no singletons for that
    #[arg(long)]
    pub improve: bool,
    /// Print JSON: primary, secondary and revealed cells
    #[arg(long)]
    pub json: bool,
}

/// Say what can be worked out from published tables, whoever made them
///
/// Exit code 0 if nothing can; 1 if something can; 2 if the tables cannot be read or contradict each other. What differs
/// between two releases is told, and does not count.
///
/// Levels of knowledge: K0, no number is negative; K1, moreover, where zeros are shown, what is hidden is not zero; K2,
/// moreover, each mark means what it stands for.
#[derive(Debug, Args)]
pub(crate) struct Attack {
    /// Releases: folders with `release.json` and a CSV per table
    #[arg(required_unless_present = "problem", value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// The releases are about the same facts: also attack them together
    #[arg(long)]
    pub same_facts: bool,
    /// A hidden number is narrow if its ends are less than this apart
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub width: i64,
    /// Instead, judge a pattern (JSON: primary, secondary) for a problem of `kith suppress`; one of both can be `-`
    #[arg(long, num_args = 2, value_names = ["FILE", "PATTERN"], conflicts_with_all = ["folders", "same_facts", "width"])]
    pub problem: Option<Vec<PathBuf>>,
    /// Print JSON: an object with each release by the name of its folder, and all together as `one+other`
    #[arg(long)]
    pub json: bool,
}
