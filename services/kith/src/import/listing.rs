//! `kith import bmlt`, `meeting-guide`, `naws` and `groups`.

use std::{collections::HashMap, fmt::Write};

use anyhow::{Context, ensure};
use directory::listing::{COLUMNS, LISTING_BYTES_MAX};
use domain::OrgId;
use serde_json::{Map, Value};

use super::{
    counts,
    csv_file::{self, Cells, Fault, FileError, Known, Wrong},
    post,
};
use crate::args::{CsvForm, ImportGroups, ImportListing, ImportNaws, ReadListing, Server};

/// Most groups that are named as not listed any more, a count.
const MISSING_NAMED_MAX: usize = 100;

/// Sends a BMLT listing to a running server; answers the report, ready to be printed.
pub async fn bmlt(asked: ImportListing) -> anyhow::Result<String> {
    json("bmlt", asked).await
}

/// Sends a Meeting Guide feed to a running server; answers the report, ready to be printed.
pub async fn meeting_guide(asked: ImportListing) -> anyhow::Result<String> {
    json("meeting-guide", asked).await
}

/// Sends the rows of a NAWS export to a running server; answers the report, ready to be printed, and whether all lines
/// could be read.
pub async fn naws(ImportNaws { listing, form }: ImportNaws) -> anyhow::Result<(String, bool)> {
    let ImportListing { file, org, time_zone, reading, server } = listing;
    let rows = Rows::read(&csv_file::bytes(&file)?, &form, naws_columns)?;
    let what = file.display().to_string();
    rows.send("naws", &what, &To { server: &server, org: &org, time_zone, reading: &reading }).await
}

/// Sends groups of a CSV file to a running server, or explains the columns of one; answers what is to be printed, and
/// whether all lines could be read.
pub async fn groups(asked: ImportGroups) -> anyhow::Result<(String, bool)> {
    let ImportGroups { file, template: explain, form, org, time_zone, reading, server } = asked;
    let (Some(file), Some(org), Some(time_zone), false) = (file, org, time_zone, explain) else {
        return Ok((template(), true));
    };
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    let known = Known { names: &names, beginnings: &[] };
    let rows = Rows::read(&csv_file::bytes(&file)?, &form, |names| known.columns(names))?;
    let what = file.display().to_string();
    rows.send("groups", &what, &To { server: &server, org: &org, time_zone, reading: &reading }).await
}

/// A first line with all columns, and one that explains them.
fn template() -> String {
    let line = |cell: fn(&directory::listing::Column) -> String| {
        let cells: Vec<_> = COLUMNS.iter().map(|column| quoted(&cell(column))).collect();
        cells.join(",") + "\n"
    };
    let explained = |column: &directory::listing::Column| {
        let example =
            if column.example.is_empty() { String::new() } else { format!("; for example {}", column.example) };
        format!("# {}{example}", column.about)
    };
    line(|column| column.name.into()) + &line(explained)
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', ';']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.into() }
}

/// Where something is sent, and how it is read there.
struct To<'a> {
    server: &'a Server,
    org: &'a OrgId,
    time_zone: String,
    reading: &'a ReadListing,
}

impl To<'_> {
    async fn send(&self, kind: &str, what: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let mut query = self.reading.query();
        query.push(("time_zone", self.time_zone.clone()));
        post(self.server, self.org, kind, &query, (what, body)).await
    }
}

async fn json(kind: &str, asked: ImportListing) -> anyhow::Result<String> {
    let ImportListing { file, org, time_zone, reading, server } = asked;
    let shown = file.display();
    let listing = std::fs::read(&file).with_context(|| format!("{shown} cannot be read"))?;
    let what = format!("{shown} ({} KiB)", listing.len() / 1024);
    let report = To { server: &server, org: &org, time_zone, reading: &reading }.send(kind, &what, listing).await?;
    Ok(render(&report, &HashMap::new(), &[])?)
}

/// Rows of a file, and where they stand.
#[allow(clippy::struct_field_names)] // rows of rows is what they are
#[derive(Default)]
struct Rows {
    rows: Vec<Value>,
    /// Lines of the file, from 1, by the place of the row among the rows, from 0.
    lines: HashMap<u64, u64>,
    wrong: Vec<Wrong>,
}

impl Rows {
    fn read(
        bytes: &[u8],
        form: &CsvForm,
        columns: impl Fn(&[String]) -> Result<Vec<String>, FileError>,
    ) -> Result<Self, FileError> {
        let mut read = Self::default();
        let lines = csv_file::read(bytes, form, columns, |line, cells| read.take(line, cells))?;
        Ok(Self { wrong: lines.wrong, ..read })
    }

    fn take(&mut self, line: u64, cells: &Cells<'_>) -> Vec<Fault> {
        self.lines.insert(self.rows.len() as u64, line);
        let row: Map<_, _> = cells.iter().map(|(name, cell)| ((*name).to_owned(), (*cell).into())).collect();
        self.rows.push(row.into());
        vec![]
    }

    async fn send(self, kind: &str, what: &str, to: &To<'_>) -> anyhow::Result<(String, bool)> {
        let body = serde_json::to_vec(&self.rows)?;
        let is = body.len();
        ensure!(
            is <= LISTING_BYTES_MAX,
            "{what} has {is} bytes as it is sent, at most {LISTING_BYTES_MAX} are possible: make several of it, each with \
             a --source of its own"
        );
        let what = format!("{what} ({} rows)", self.rows.len());
        let report = to.send(kind, &what, body).await?;
        Ok((render(&report, &self.lines, &self.wrong)?, self.wrong.is_empty()))
    }
}

/// The columns of a NAWS export: many more than are read.
fn naws_columns(names: &[String]) -> Result<Vec<String>, FileError> {
    const NAME: &str = "CommitteeName";
    let is_there = names.iter().any(|name| csv_file::same_column(name, NAME));
    if is_there { Ok(unique(names)) } else { Err(FileError::Missing(NAME.into())) }
}

/// Names of columns, each once: what nobody reads may be named twice.
fn unique(names: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::with_capacity(names.len());
    for (n, name) in names.iter().enumerate() {
        let taken = name.is_empty() || unique.contains(name);
        unique.push(if taken { format!("{name} ({})", n + 1) } else { name.clone() });
    }
    unique
}

fn render(report: &Value, lines: &HashMap<u64, u64>, wrong: &[Wrong]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for wrong in wrong {
        writeln!(out, "rejected {wrong}")?;
    }
    let remarks = report["remarks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for remark in remarks {
        let text = |field: &str| remark[field].as_str().unwrap_or_default();
        let meeting = if text("meeting").is_empty() { String::new() } else { format!(" (id {})", text("meeting")) };
        let index = remark["index"].as_u64().unwrap_or_default();
        let place = lines.get(&index).map_or_else(|| format!("meeting {index}"), |line| format!("line {line}"));
        writeln!(out, "{:8} {place}{meeting}, {}: {}", text("severity"), text("field"), text("what"))?;
    }
    if let Some(more) = report["remarks_left_out"].as_u64().filter(|more| *more > 0) {
        writeln!(out, "… and {more} more remarks")?;
    }
    missing(&mut out, &report["missing"])?;
    for what in ["programmes", "groups"] {
        counts(&mut out, report, what)?;
    }
    if let Some(copies) = report["copies"].as_u64().filter(|copies| *copies > 0) {
        writeln!(out, "{copies:6} of the meetings are copies of groups that are here: nothing of them is new")?;
    }
    if !wrong.is_empty() {
        writeln!(out, "{:6} lines of the file could not be read and were not sent", wrong.len())?;
    }
    writeln!(out, "{:6} of the groups are unlisted, {} remarks", report["unlisted"], remarks.len())?;
    if report["dry_run"] == true {
        writeln!(out, "dry run: nothing was done")?;
    }
    Ok(out)
}

/// Groups that the listing does not name any more.
fn missing(out: &mut String, missing: &Value) -> std::fmt::Result {
    let Some(count) = missing["count"].as_u64() else {
        return writeln!(
            out,
            "what is not in the listing any more cannot be told now: ask again when the views are there"
        );
    };
    if count == 0 {
        return Ok(());
    }
    for group in missing["groups"].as_array().into_iter().flatten().take(MISSING_NAMED_MAX) {
        let text = |field: &str| group[field].as_str().unwrap_or_default();
        let listed = if group["listed"] == true { "" } else { ", unlisted" };
        writeln!(out, "missing  {} (id {}{listed}), group {}", text("name"), text("meeting"), text("group"))?;
    }
    let named = MISSING_NAMED_MAX as u64;
    if count > named {
        writeln!(out, "… and {} more", count - named)?;
    }
    writeln!(out, "{count:6} groups from this source are not in the listing any more")?;
    match missing["unlisted"].as_u64() {
        Some(unlisted) if unlisted > 0 => writeln!(out, "{unlisted:6} of these are shown in public no more"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_file_without_groups_that_names_and_explains_all_columns() {
        let template = template();
        let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        let known = Known { names: &names, beginnings: &[] };
        let read = Rows::read(template.as_bytes(), &CsvForm::default(), |names| known.columns(names)).unwrap();
        assert_eq!((read.rows.len(), read.wrong), (0, vec![]));
        for column in COLUMNS {
            assert!(template.contains(column.name) && !column.about.is_empty());
        }
    }

    #[test]
    fn rows_keep_their_lines_and_columns_that_nobody_reads_may_be_named_twice() {
        let file = b"Committee,CommitteeName,Other,Other,\nG1,A,a,b,\n,,,,\nG2,,,,\n";
        let read = Rows::read(file, &CsvForm::default(), naws_columns).unwrap();
        assert_eq!((read.rows.len(), &read.wrong), (2, &vec![]));
        assert_eq!((read.lines[&0], read.lines[&1]), (2, 4));
        assert_eq!(read.rows[1], serde_json::json!({ "Committee": "G2" }));
    }

    #[test]
    fn a_column_of_groups_that_is_not_known_is_refused_with_those_that_are() {
        let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        let known = Known { names: &names, beginnings: &[] };
        let error = Rows::read(b"name,wekday\nA,Mon\n", &CsvForm::default(), |names| known.columns(names))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("`wekday`") && error.contains("weekday, recurrence"), "{error}");
    }
}
