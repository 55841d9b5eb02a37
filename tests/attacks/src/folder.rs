//! A release in a folder: `release.json` and a CSV per table.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use csv::{StringRecord, Terminator};
use disclosure_control::release::{CELLS_MAX, Line, Manifest, Table};

/// The file that describes the others.
const MANIFEST: &str = "release.json";
const VALUE: &str = "value";
const MARK: &str = "mark";

/// Writes a release; `tables` are in the manifest's order. There is a column for marks where a cell has one.
pub fn write(folder: &Path, manifest: &Manifest, tables: &[Vec<Line>]) -> Result<()> {
    ensure!(tables.len() == manifest.tables.len(), "{} tables, not {}", tables.len(), manifest.tables.len());
    fs::create_dir_all(folder)?;
    fs::write(folder.join(MANIFEST), serde_json::to_vec_pretty(manifest)?)?;
    for (table, lines) in manifest.tables.iter().zip(tables) {
        write_table(&folder.join(&table.file), table, lines)?;
    }
    Ok(())
}

fn write_table(file: &Path, table: &Table, lines: &[Line]) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(Terminator::CRLF).from_writer(File::create(file)?);
    let marked = lines.iter().any(|line| !line.mark.is_empty());
    let marks = |mark: &str| marked.then(|| mark.to_owned());
    let dims = table.dims.iter().cloned();
    writer.write_record(dims.chain([VALUE.to_owned()]).chain(marks(MARK)))?;
    for line in lines {
        let value = line.value.map(|value| value.to_string()).unwrap_or_default();
        writer.write_record(line.codes.iter().cloned().chain([value]).chain(marks(&line.mark)))?;
    }
    Ok(writer.flush()?)
}

/// Reads a release: its tables are in the manifest's order.
pub fn read(folder: &Path) -> Result<(Manifest, Vec<Vec<Line>>)> {
    let file = folder.join(MANIFEST);
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
    let mut left = CELLS_MAX;
    let mut tables = Vec::new();
    for table in &manifest.tables {
        let lines = read_table(&folder.join(&table.file), table, left)
            .with_context(|| format!("cannot read {} of {}", table.file, folder.display()))?;
        left -= lines.len();
        tables.push(lines);
    }
    Ok((manifest, tables))
}

fn read_table(file: &Path, table: &Table, cells_max: usize) -> Result<Vec<Line>> {
    let mut reader = csv::Reader::from_path(file)?;
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let needed = |name: &str| column(name).with_context(|| format!("no column {name:?}"));
    let dims: Vec<_> = table.dims.iter().map(|dim| needed(dim)).collect::<Result<_>>()?;
    let (value, mark) = (needed(VALUE)?, column(MARK));
    let mut lines = Vec::new();
    for row in reader.records() {
        ensure!(lines.len() < cells_max, "more than {CELLS_MAX} cells");
        lines.push(line(&row?, &dims, value, mark)?);
    }
    Ok(lines)
}

fn line(row: &StringRecord, dims: &[usize], value: usize, mark: Option<usize>) -> Result<Line> {
    let codes = dims.iter().map(|&column| row[column].to_owned()).collect();
    let value = match row[value].trim() {
        "" => None,
        number => Some(number.parse().with_context(|| format!("{number:?} is no number"))?),
    };
    let mark = mark.map(|column| row[column].trim().to_owned()).unwrap_or_default();
    Ok(Line { codes, value, mark })
}
