//! `kith import hsds`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{counts, csv_file, post};
use crate::args::ImportHsds;

/// Sends an HSDS directory to a running server; answers the report, ready to be printed.
pub async fn hsds(asked: ImportHsds) -> anyhow::Result<String> {
    let files = files(&asked.path)?;
    let what = format!("{} ({} files)", asked.path.display(), files.len());
    let body = json!({ "files": files }).to_string().into_bytes();
    let (is, most) = (body.len(), partner::DIRECTORY_BYTES_MAX);
    ensure!(is <= most, "{} has {is} bytes as it is sent, at most {most} are possible", asked.path.display());
    let query = [("dry_run", asked.dry_run.to_string()), ("time_zone", asked.time_zone), ("source", asked.source)];
    Ok(render(&post(&asked.server, &asked.org, "hsds", &query, (&what, body)).await?)?)
}

/// The files of a directory, each as it is.
fn files(path: &Path) -> anyhow::Result<Vec<Value>> {
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut all = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    all.sort();
    // A datapackage says in JSON what its tables are: that is known.
    for extension in ["csv", "json"] {
        let found: Vec<_> = all.iter().filter(|path| path.extension().is_some_and(|is| is == extension)).collect();
        if !found.is_empty() {
            return found.into_iter().map(|path| file(path)).collect();
        }
    }
    bail!("{} has neither .csv nor .json files", path.display())
}

fn file(path: &Path) -> anyhow::Result<Value> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = String::from_utf8(csv_file::bytes(path)?);
    let text = text.map_err(|error| error.utf8_error().valid_up_to());
    match text {
        Ok(text) => Ok(json!({ "name": name, "text": text })),
        Err(byte) => bail!("{} is not UTF-8 after byte {byte}: save it as UTF-8 and send it again", path.display()),
    }
}

fn render(report: &Value) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let remarks = report["remarks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for remark in remarks {
        let [severity, file, place, field, what] =
            ["severity", "file", "place", "field", "what"].map(|part| remark[part].as_str().unwrap_or_default());
        let at: Vec<_> = [place, field].into_iter().filter(|part| !part.is_empty()).collect();
        let at = if at.is_empty() { String::new() } else { format!(" {}", at.join(", ")) };
        writeln!(out, "{severity:8} {file}{at}: {what}")?;
    }
    if let Some(more) = report["remarks_left_out"].as_u64().filter(|more| *more > 0) {
        writeln!(out, "… and {more} more remarks")?;
    }
    for what in ["partners", "services"] {
        counts(&mut out, report, what)?;
    }
    if report["dry_run"] == true {
        writeln!(out, "dry run: nothing was done")?;
    }
    Ok(out)
}
