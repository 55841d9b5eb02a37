//! `kith attack --problem`: whether a pattern hides the primary cells of a problem.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    path::Path,
};

use anyhow::{Context, ensure};
use disclosure_control::{
    Problem,
    attack::{Judgement, Revealed, judge as judged},
};
use serde::Deserialize;

use crate::problem_file::{self, is_standard_input};

/// What `kith suppress --json` prints, and anybody else may.
#[derive(Debug, Deserialize)]
struct Pattern {
    primary: BTreeSet<usize>,
    secondary: BTreeSet<usize>,
}

/// Judges a pattern; answers what is to be said, and whether it hides all that it is to hide.
///
/// # Errors
/// If one of the files cannot be read.
pub(super) fn judge(problem: &Path, pattern: &Path, json: bool) -> anyhow::Result<(String, bool)> {
    ensure!(
        !(is_standard_input(problem) && is_standard_input(pattern)),
        "the problem or the pattern can come from the standard input, not both"
    );
    let shown = pattern.display();
    let (problem, Pattern { primary, secondary }) = (problem_file::read(problem)?, problem_file::json(pattern)?);
    let cells = problem.cells.len();
    if let Some(cell) = primary.iter().chain(&secondary).find(|cell| **cell >= cells) {
        anyhow::bail!("{shown} has cell {cell}, but the problem has only {cells} cells, from 0");
    }
    let bar = super::bar("cells");
    let judgement = judged(&problem, &primary, &secondary, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let judgement = judgement.context("nothing can be said of the pattern")?;
    let said =
        if json { serde_json::to_string(&judgement)? + "\n" } else { words(&problem, primary.len(), &judgement)? };
    Ok((said, judgement.is_safe()))
}

fn words(problem: &Problem, primary: usize, judgement: &Judgement) -> Result<String, fmt::Error> {
    let Judgement { revealed, how, closed, undecided } = judgement;
    let mut said = String::new();
    writeln!(said, "{primary:6} primary cells")?;
    writeln!(said, "{:6} are revealed exactly by shown ones{}", revealed.len(), list(revealed))?;
    for Revealed { cell, combination, divided_by } in how {
        let terms: Vec<String> = combination.iter().map(|(times, shown)| term(*times, *shown)).collect();
        let divided = if *divided_by == 1 { String::new() } else { format!(", divided by {divided_by}") };
        let value = problem.cells[*cell].value;
        writeln!(said, "       cell {cell} = {value}: {}{divided}", terms.join(" "))?;
    }
    let what = "cannot be one less or one more, for who knows that no number is negative";
    writeln!(said, "{:6} {what}{}", closed.len(), list(closed))?;
    if !undecided.is_empty() {
        writeln!(said, "{:6} are not decided within the limits{}", undecided.len(), list(undecided))?;
    }
    Ok(said)
}

fn term(times: i64, cell: usize) -> String {
    let sign = if times < 0 { '−' } else { '+' };
    let often = if times.abs() == 1 { String::new() } else { format!("{} × ", times.abs()) };
    format!("{sign} {often}cell {cell}")
}

fn list(cells: &[usize]) -> String {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    if cells.is_empty() { String::new() } else { format!(": {}", cells.join(" ")) }
}
