//! A CSV file whose first line names its columns. What is wrong is said by line and column, never by what stands there.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde_json::Value;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Something wrong, where, without what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub(crate) struct Wrong {
    pub line: u64,
    pub column: String,
    pub what: String,
}

/// A file that is none of its kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("column {number} of the first line{named} is unknown; known are {known}")]
    Unknown { number: usize, named: String, known: String },
    #[error("the first line names {0} twice")]
    Twice(String),
    #[error("the first line names no columns; known are {0}")]
    Empty(String),
    #[error("at most {} columns of times are possible", crate::args::TIMES_MAX)]
    Times,
    #[error("the first line has no column {0}")]
    Missing(String),
}

/// A line as the API takes it, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Line of the file, from 1.
    pub at: u64,
    /// The column that it is of, if a line of the file is several.
    pub column: Option<String>,
    /// As the API takes it.
    pub body: Value,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// As the API takes them.
    pub lines: Vec<Line>,
    /// What is wrong, in order.
    pub wrong: Vec<Wrong>,
}

/// Cells with something in them, by column.
pub(crate) type Cells<'a> = BTreeMap<&'a str, &'a str>;
/// A column and what is wrong with it.
pub(crate) type Fault = (String, String);

/// The bytes of a file.
pub(crate) fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let length = std::fs::metadata(file).with_context(|| format!("{shown} cannot be read"))?.len();
    anyhow::ensure!(length <= FILE_BYTES_MAX, "{shown} has {length} bytes, at most {FILE_BYTES_MAX} are possible");
    std::fs::read(file).with_context(|| format!("{shown} cannot be read"))
}

/// Which columns a kind of file can have.
pub(crate) struct Known<'a> {
    /// By name.
    pub names: &'a [&'a str],
    /// By how they begin.
    pub beginnings: &'a [&'a str],
}

impl Known<'_> {
    /// The columns of a first line, each once and known.
    pub fn columns(&self, names: &[String]) -> Result<Vec<String>, FileError> {
        let is_known = |name: &String| {
            let begins = |beginning: &&str| name.len() > beginning.len() && name.starts_with(*beginning);
            self.names.contains(&name.as_str()) || self.beginnings.iter().any(begins)
        };
        let is_header = names.iter().any(is_known);
        for (n, name) in names.iter().enumerate() {
            if !is_known(name) {
                // A file without a first line of names begins with a person: then nothing of it is said.
                let said = if is_header { format!(", `{name}`,") } else { String::new() };
                return Err(FileError::Unknown { number: n + 1, named: said, known: self.to_string() });
            }
            if names[..n].contains(name) {
                return Err(FileError::Twice(name.clone()));
            }
        }
        if names.is_empty() { Err(FileError::Empty(self.to_string())) } else { Ok(names.to_vec()) }
    }
}

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beginnings = self.beginnings.iter().map(|beginning| format!("{beginning}…"));
        let all: Vec<_> = self.names.iter().map(ToString::to_string).chain(beginnings).collect();
        f.write_str(&all.join(", "))
    }
}

/// Reads a file: `columns` says what the columns of its first line are, `each` takes the cells of each line in which
/// something stands, with its number, and says what is wrong with it.
///
/// # Errors
/// If its first line does not name columns.
pub(crate) fn read(
    bytes: &[u8],
    columns: impl FnOnce(&[String]) -> Result<Vec<String>, FileError>,
    mut each: impl FnMut(u64, &Cells<'_>) -> Vec<Fault>,
) -> Result<Vec<Wrong>, FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let unclosed = unclosed(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut records = reader.byte_records();
    let first = match records.next() {
        Some(Ok(first)) => first.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect(),
        _ => vec![],
    };
    let columns = columns(&first)?;
    let mut wrong = Vec::new();
    for record in records {
        // Bytes are read from memory, and lines may have any length: nothing else can go wrong.
        let Ok(record) = record else { break };
        let line = record.position().map_or(0, csv::Position::line);
        let more = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
        if let Some((opened, last)) = unclosed
            && (line..=line + more).contains(&opened)
        {
            // Lines before the quote are of this record as well.
            wrong.extend((line..=last).map(|line| never_closes(line, opened)));
            break;
        }
        let faults = match cells(&record, &columns) {
            // Spreadsheets leave rows behind in which nothing stands.
            Ok(cells) if cells.is_empty() => vec![],
            Ok(cells) => each(line, &cells),
            Err(fault) => vec![fault],
        };
        let lines =
            if more == 0 { String::new() } else { format!("; quotes make one of lines {line} to {}", line + more) };
        wrong.extend(faults.into_iter().map(|(column, what)| Wrong { line, column, what: what + &lines }));
    }
    Ok(wrong)
}

/// The line in which a quote opens that never closes, and the last line.
fn unclosed(bytes: &[u8]) -> Option<(u64, u64)> {
    let (mut line, mut opened, mut begins) = (1, None, true);
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        line += u64::from(*byte == b'\n');
        match (byte, opened) {
            (b'"', None) if begins => opened = Some(line),
            // Two of them are one that stands in the cell.
            (b'"', Some(_)) if rest.peek() == Some(&&b'"') => drop(rest.next()),
            (b'"', Some(_)) => opened = None,
            _ => {}
        }
        begins = opened.is_none() && matches!(byte, b',' | b'\n' | b'\r');
    }
    let last = line - u64::from(bytes.ends_with(b"\n"));
    opened.map(|opened| (opened, last.max(opened)))
}

fn never_closes(line: u64, opened: u64) -> Wrong {
    let what = format!("stands after a quote that opens in line {opened} and never closes");
    Wrong { line, column: "(all)".into(), what }
}

fn cells<'a>(record: &'a csv::ByteRecord, columns: &'a [String]) -> Result<Cells<'a>, Fault> {
    if record.len() != columns.len() {
        let what = format!("the line has {} cells, the first line has {}", record.len(), columns.len());
        return Err((columns[record.len().min(columns.len() - 1)].clone(), what));
    }
    let mut cells = Cells::new();
    for (column, cell) in columns.iter().zip(record) {
        let text = std::str::from_utf8(cell).map_err(|_| (column.clone(), "is not UTF-8".to_owned()))?.trim();
        if !text.is_empty() {
            cells.insert(column, text);
        }
    }
    Ok(cells)
}

/// Two columns of which neither is any use alone.
pub(crate) fn both<'a>(cells: &Cells<'a>, one: &str, other: &str) -> Result<Option<(&'a str, &'a str)>, Fault> {
    match (cells.get(one), cells.get(other)) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        (None, _) => Err((one.into(), format!("is empty, but {other} is not"))),
        (_, None) => Err((other.into(), format!("is empty, but {one} is not"))),
    }
}
