//! `kith import calendar`.

use std::fmt::Write;

use anyhow::Context;
use serde_json::Value;

use super::{counts, post};
use crate::args::ImportCalendar;

/// Sends a file of calendars to a running server; answers the report, ready to be printed.
pub async fn calendar(asked: ImportCalendar) -> anyhow::Result<String> {
    let name = asked.file.display();
    let file = std::fs::read(&asked.file).with_context(|| format!("{name} cannot be read"))?;
    let what = format!("{name} ({} KiB)", file.len() / 1024);
    let given = [
        ("group", asked.group.map(|group| group.to_string())),
        ("programme", asked.programme.map(|programme| programme.to_string())),
    ];
    let mut query =
        vec![("dry_run", asked.dry_run.to_string()), ("time_zone", asked.time_zone), ("source", asked.source)];
    query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    render(&post(&asked.server, &asked.org, "calendar", &query, (&what, file)).await?)
}

fn render(report: &Value) -> anyhow::Result<String> {
    let mut out = String::new();
    for remark in report["remarks"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let text = |field: &str| remark[field].as_str().unwrap_or_default();
        let severity = if remark["rejected"] == true { "rejected" } else { "note" };
        let uid = if text("uid").is_empty() { String::new() } else { format!(" (UID {})", text("uid")) };
        let value = if text("value").is_empty() { String::new() } else { format!(" {:?}", text("value")) };
        writeln!(out, "{severity:8} line {}{uid}, {}:{value} {}", remark["line"], text("property"), text("what"))?;
    }
    if let Some(more) = report["remarks_left_out"].as_u64().filter(|more| *more > 0) {
        writeln!(out, "… and {more} more remarks")?;
    }
    counts(&mut out, report, "groups")?;
    writeln!(out, "{:6} occurrences are otherwise than the rules say", report["occurrences"])?;
    if report["dry_run"] == true {
        writeln!(out, "dry run: nothing was done")?;
    }
    Ok(out)
}
