//! `kith report`.

use std::{fs, path::Path};

use anyhow::Context;
use reporting::{Facts, Period, ReachReport};

use crate::{DataDir, args::Report};

/// Computes the report and writes it as asked; answers it for the terminal.
pub fn run(asked: &Report) -> anyhow::Result<String> {
    let data = DataDir::existing(&asked.data)?;
    let period = Period::new(asked.from, asked.through)?;
    let report = ReachReport::compute(&Facts::at(data.path()), &asked.org, period, &asked.by)?;
    let write = |path: &Path, text: String| {
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    };
    if let Some(path) = &asked.csv {
        write(path, report.to_csv())?;
    }
    if let Some(path) = &asked.json {
        write(path, report.to_json() + "\n")?;
    }
    Ok(report.to_text())
}
