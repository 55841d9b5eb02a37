//! `kith suppress`: which numbers are hidden beside those that must be.

use std::{collections::BTreeSet, fmt::Write};

use anyhow::Context;
use disclosure_control::{
    Problem, Singletons, Suppression,
    improve::{ImproveError, Requirement, improve},
    suppress,
};
use serde::Serialize;

use crate::{args::Suppress, problem_file};

/// What `--json` prints.
#[derive(Serialize)]
struct Decided<'a> {
    primary: &'a BTreeSet<usize>,
    secondary: &'a BTreeSet<usize>,
    revealed: &'a BTreeSet<usize>,
}

/// Solves a problem; answers what is to be said, and whether what must be hidden can be.
///
/// # Errors
/// If the problem cannot be read or decided: then nothing of it may be published.
pub fn run(asked: &Suppress) -> anyhow::Result<(String, bool)> {
    let problem = problem_file::read(&asked.file)?;
    let decided = decided(&problem, asked).context("not decided, so publish nothing of it")?;
    let (primary, secondary, revealed) = (&problem.primary, &decided.secondary, &decided.revealed);
    let said = if asked.json {
        serde_json::to_string(&Decided { primary, secondary, revealed })? + "\n"
    } else {
        words(&problem, &decided)?
    };
    Ok((said, revealed.is_empty()))
}

fn decided(problem: &Problem, asked: &Suppress) -> anyhow::Result<Suppression> {
    let ignored = asked.no_singletons || (asked.improve && !asked.singletons);
    let singletons = if ignored { Singletons::Ignored } else { Singletons::Handled };
    if !asked.improve {
        return Ok(suppress(problem, singletons)?);
    }
    match improve(problem, singletons, Requirement::default()) {
        Ok(improved) => Ok(improved.suppression),
        Err(ImproveError::Revealed { cells }) => {
            Ok(Suppression { revealed: cells.into_iter().collect(), ..suppress(problem, singletons)? })
        }
        Err(error) => Err(error.into()),
    }
}

fn words(problem: &Problem, Suppression { secondary, revealed }: &Suppression) -> anyhow::Result<String> {
    let mut said = String::new();
    let published = problem.cells.len() - problem.primary.union(secondary).count();
    writeln!(said, "{published:6} cells are published")?;
    writeln!(said, "{:6} are primary: they must be hidden{}", problem.primary.len(), list(&problem.primary))?;
    writeln!(said, "{:6} are secondary: they protect the primary ones{}", secondary.len(), list(secondary))?;
    if !revealed.is_empty() {
        let what = "primary cells follow from what was published before, and nothing can protect them any more";
        writeln!(said, "{:6} {what}{}", revealed.len(), list(revealed))?;
    }
    Ok(said)
}

fn list(cells: &BTreeSet<usize>) -> String {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    if cells.is_empty() { String::new() } else { format!(": {}", cells.join(" ")) }
}
