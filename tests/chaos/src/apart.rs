//! Playing a seed in a process of its own.
//!
//! tokio draws who is told first, of those who wait for the same, and how it draws depends on how many runtimes its
//! process has had. So the same seed is the same run only in a process that has played no other.

use std::{path::Path, process::Command};

use anyhow::Context;

use crate::{Options, Run};

/// Plays a seed in a process of `program`, which is `chaos`.
///
/// # Errors
/// If there is no such program, or it ends without saying what came of it: then what it said is in the error.
pub fn run_apart(program: &Path, seed: u64, options: &Options) -> anyhow::Result<Run> {
    let mut command = Command::new(program);
    command.args(["--report", "--seed", &seed.to_string()]);
    for (option, names) in [("--faults", &options.faults), ("--rules", &options.rules)] {
        if let Some(names) = names {
            command.args([option, &names.join(",")]);
        }
    }
    let output = command.output().with_context(|| format!("{} cannot be run", program.display()))?;
    let said = || format!("seed {seed} ended without a report: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(said)
}
