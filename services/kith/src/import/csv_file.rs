//! A CSV file whose first line names its columns, as spreadsheets write it. What is wrong is said by line and column, never
//! by what stands there.

mod encoding;
mod rows;

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use domain::{Text, is_invisible};
use serde_json::Value;

use self::rows::{QuoteFault, Row, Rows};
use crate::args::{CsvForm, is_separator};

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// What stands between cells, if nobody says; where several are possible, the first that makes the most columns.
const SEPARATORS: &[u8] = b",;\t|";
/// Longest name of a column that is composed before it is compared, in characters.
const HEADING_MAX: usize = 1_000;
/// What can be done about letters that are not read.
const ENCODINGS: &str =
    "save the file as `CSV UTF-8`, or say how it is written, such as --encoding windows-1252 or windows-1250";

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
    #[error("line {0}: a quote opens in the names of the columns and does not close there")]
    Quote(u64),
    #[error("line {0} is not UTF-8: {ENCODINGS}")]
    Letters(u64),
    #[error("this is a spreadsheet: save it as `CSV UTF-8`")]
    Spreadsheet,
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
#[allow(clippy::struct_field_names)] // as the API calls them
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// As the API takes them.
    pub lines: Vec<Line>,
    /// What is wrong, in order.
    pub wrong: Vec<Wrong>,
    /// Rows in which nothing stands: they are nobody. A count.
    pub empty: u64,
    /// Rows that explain columns, as in a template: they are nobody either. A count.
    pub explanations: u64,
    /// How its letters were read.
    pub encoding: &'static str,
    /// Whether lines could not be told apart from some line on: then not all went well, whatever was asked for.
    pub torn: bool,
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
    /// The columns of a first line by our names, each once and known, in whatever case they are written.
    pub fn columns(&self, names: &[String]) -> Result<Vec<String>, FileError> {
        let found: Vec<_> = names.iter().map(|name| self.called(name)).collect();
        let is_header = found.iter().any(Option::is_some);
        let mut columns: Vec<String> = Vec::with_capacity(found.len());
        for (n, name) in found.into_iter().enumerate() {
            let Some(name) = name else {
                // A file without a first line of names begins with a person: then nothing of it is said.
                let said = if is_header { format!(", `{}`,", names[n]) } else { String::new() };
                return Err(FileError::Unknown { number: n + 1, named: said, known: self.to_string() });
            };
            if columns.contains(&name) {
                return Err(FileError::Twice(name));
            }
            columns.push(name);
        }
        if columns.is_empty() { Err(FileError::Empty(self.to_string())) } else { Ok(columns) }
    }

    fn called(&self, name: &str) -> Option<String> {
        let name = compared(name);
        let begins = |beginning: &&str| name.len() > beginning.len() && name.starts_with(*beginning);
        let known = self.names.iter().find(|known| compared(known) == name).map(|known| (*known).to_owned());
        known.or_else(|| self.beginnings.iter().any(begins).then(|| name.clone()))
    }
}

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beginnings = self.beginnings.iter().map(|beginning| format!("{beginning}…"));
        let all: Vec<_> = self.names.iter().map(ToString::to_string).chain(beginnings).collect();
        f.write_str(&all.join(", "))
    }
}

/// Whether two names of columns are the same but for case, composition, spaces and hyphens.
pub(crate) fn same_column(one: &str, other: &str) -> bool {
    compared(one) == compared(other)
}

fn compared(name: &str) -> String {
    let form = name.parse::<Text<HEADING_MAX>>().map_or_else(|_| name.trim().to_owned(), |form| form.to_string());
    form.to_lowercase().replace([' ', '-'], "_")
}

/// Text of a cell on one line: where it breaks, `between` stands.
pub(crate) fn one_line(text: &str, between: &str) -> String {
    let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(between)
}

/// Reads a file: `columns` says what the columns of its first line are by our names, `each` takes the cells of each row
/// in which something stands, with the number of its line, and says what is wrong with it. The lines are for whoever asks.
///
/// # Errors
/// If its first line does not name columns.
pub(crate) fn read(
    bytes: &[u8],
    form: &CsvForm,
    columns: impl Fn(&[String]) -> Result<Vec<String>, FileError>,
    mut each: impl FnMut(u64, &Cells<'_>) -> Vec<Fault>,
) -> Result<Lines, FileError> {
    let (text, encoding) = encoding::decoded(bytes, form.encoding)?;
    let text = line_ends(&text);
    let table = Table::of(&text, form, columns)?;
    let mut read = Lines { encoding: encoding.name(), ..Lines::default() };
    let mut reader = reader(table.body, table.separator);
    let rows = Rows::new(table.body, table.separator, table.columns.len(), table.line);
    for (row, record) in rows.zip(reader.byte_records()) {
        // Bytes are read from memory, and rows may have any length: nothing else can go wrong.
        let Ok(record) = record else { break };
        read.empty += row.blank;
        if let Some(fault) = row.fault {
            read.torn |= matches!(fault, QuoteFault::NeverCloses { .. });
            read.wrong.extend(named(row, fault));
            continue;
        }
        let Row { first, last, .. } = row;
        let faults = match table.cells(&record) {
            // Spreadsheets leave rows behind in which nothing stands.
            Ok(cells) if cells.is_empty() => {
                read.empty += 1;
                vec![]
            }
            Ok(cells) if explains(&cells) => {
                read.explanations += 1;
                vec![]
            }
            Ok(cells) => each(first, &cells),
            Err(fault) => vec![fault],
        };
        let lines = if last == first { String::new() } else { format!("; quotes make one of lines {first} to {last}") };
        let wrong = |(column, what)| Wrong { line: first, column, what: format!("{what}{lines}") };
        read.wrong.extend(faults.into_iter().map(wrong));
    }
    Ok(read)
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text)
}

/// With `\n` at the end of each line, however the file ends them.
fn line_ends(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len());
    let mut rest = text.iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte == b'\r' {
            rest.next_if_eq(&&b'\n');
            lines.push(b'\n');
        } else {
            lines.push(*byte);
        }
    }
    lines
}

/// Each line of a row of which nobody knows what stands in it: nobody is lost in silence.
fn named(row: Row, fault: QuoteFault) -> impl Iterator<Item = Wrong> {
    let what = match fault {
        QuoteFault::NeverCloses { opened } => {
            format!("stands after a quote that opens in line {opened} and never closes")
        }
        QuoteFault::Followed { opened, closed } => format!(
            "stands in a row with a quote that opens in line {opened} and closes in line {closed} before its cell ends: \
            a quote within quotes is written twice"
        ),
        QuoteFault::Swallows { opened, line } => format!(
            "stands in a row with a quote that opens in line {opened} and does not close before line {line}, which looks \
            like a row of its own"
        ),
    };
    (row.first..=row.last).map(move |line| Wrong { line, column: "(all)".into(), what: what.clone() })
}

/// What a column is.
enum Column {
    /// By our name.
    Ours(String),
    /// Nobody wants it.
    Ignored,
    /// The first line does not name it: nothing may stand there.
    Unnamed,
}

/// A file whose columns are known.
struct Table<'a> {
    separator: u8,
    columns: Vec<Column>,
    /// What comes after the columns.
    body: &'a [u8],
    /// The line that it begins in.
    line: u64,
}

impl<'a> Table<'a> {
    fn of(
        text: &'a [u8],
        form: &CsvForm,
        columns: impl Fn(&[String]) -> Result<Vec<String>, FileError>,
    ) -> Result<Self, FileError> {
        let (said, text, line) = match said_separator(text) {
            Some((separator, rest)) => (Some(separator), rest, 2),
            None => (None, text, 1),
        };
        let separators = form.separator.or(said).map_or(SEPARATORS.to_vec(), |separator| vec![separator]);
        let tried: Vec<_> = separators.iter().map(|separator| Heads::of(text, line, *separator)).collect();
        let mut best: Option<(usize, Result<Self, FileError>)> = None;
        for heads in tried {
            let width = heads.names.len();
            let made = heads.table(text, form, &columns);
            let better = best.as_ref().is_none_or(|(most, so_far)| match (so_far, &made) {
                (Ok(_), Err(_)) => false,
                (Err(_), Ok(_)) => true,
                _ => width > *most,
            });
            if better {
                best = Some((width, made));
            }
        }
        best.expect("there is a separator to be tried").1
    }

    /// The cells of a row in which something stands.
    fn cells<'c>(&'c self, record: &'c csv::ByteRecord) -> Result<Cells<'c>, Fault> {
        let name = |n: usize| match self.columns.get(n) {
            Some(Column::Ours(name)) => name.clone(),
            _ => (n + 1).to_string(),
        };
        let mut cells = Cells::new();
        for (n, cell) in record.iter().enumerate() {
            let column = self.columns.get(n);
            if matches!(column, Some(Column::Ignored)) {
                continue;
            }
            let text = std::str::from_utf8(cell).map_err(|_| (name(n), format!("is not UTF-8: {ENCODINGS}")))?;
            if text.contains(char::REPLACEMENT_CHARACTER) {
                return Err((name(n), format!("has a letter that was lost in an encoding: {ENCODINGS}")));
            }
            let text = bare(text);
            match column {
                _ if text.is_empty() => {}
                Some(Column::Ours(name)) => drop(cells.insert(name, text)),
                Some(_) => return Err((name(n), "has no name in the first line".into())),
                None => return Err((name(self.columns.len() - 1), self.misfit(record))),
            }
        }
        if !cells.is_empty() && record.len() < self.columns.len() {
            return Err((name(record.len()), self.misfit(record)));
        }
        Ok(cells)
    }

    fn misfit(&self, record: &csv::ByteRecord) -> String {
        let (cells, columns) = (record.len(), self.columns.len());
        format!(
            "the line has {cells} cells, the first line has {columns}: a separator is missing, or a cell with one, or with \
            a line break, is not in quotes"
        )
    }
}

/// Whether a row explains columns: several cells, all of which begin with `# `.
fn explains(cells: &Cells<'_>) -> bool {
    cells.len() > 1 && cells.values().all(|text| text.starts_with("# "))
}

/// What can be seen of a cell, and without what spreadsheets write around digits to keep them as they are (`="007"`).
fn bare(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let kept = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).filter(|kept| !kept.contains('"'));
    kept.map_or(text, str::trim)
}

/// The separator that a line `sep=;` says, and what comes after this line.
fn said_separator(text: &[u8]) -> Option<(u8, &[u8])> {
    let (line, rest) = text.split_at(text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1));
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] if is_separator(*separator) => {
            Some((*separator, rest))
        }
        _ => None,
    }
}

/// The first row in which something stands, as one separator takes it apart.
struct Heads {
    separator: u8,
    names: Vec<Vec<u8>>,
    row: Option<Row>,
    /// Where it ends.
    end: usize,
}

impl Heads {
    fn of(text: &[u8], line: u64, separator: u8) -> Self {
        let mut rows = Rows::new(text, separator, 0, line);
        let mut names = Vec::new();
        let row = rows.next();
        let end = rows.at();
        if row.is_some() {
            let mut read = reader(&text[..end], separator);
            let record = read.byte_records().next().and_then(Result::ok).unwrap_or_default();
            names = record.iter().map(<[u8]>::to_vec).collect();
        }
        // Spreadsheets leave columns behind in which nothing stands.
        while names.last().is_some_and(|name| bare(&String::from_utf8_lossy(name)).is_empty()) {
            names.pop();
        }
        Self { separator, names, row, end }
    }

    fn table<'a>(
        self,
        text: &'a [u8],
        form: &CsvForm,
        columns: impl Fn(&[String]) -> Result<Vec<String>, FileError>,
    ) -> Result<Table<'a>, FileError> {
        let line = self.row.map_or(1, |row| row.first);
        if self.row.is_some_and(|row| row.fault.is_some()) {
            return Err(FileError::Quote(line));
        }
        let mut names = Vec::with_capacity(self.names.len());
        for name in self.names {
            let name = String::from_utf8(name).map_err(|_| FileError::Letters(line))?;
            names.push(bare(&one_line(&name, " ")).to_owned());
        }
        for (theirs, _) in form.renamed() {
            if !names.iter().any(|name| same_column(name, theirs)) {
                return Err(FileError::Missing(theirs.clone()));
            }
        }
        let ours = |name: &String| {
            let renamed = form.renamed().find(|(theirs, _)| same_column(name, theirs));
            renamed.map_or_else(|| name.clone(), |(_, ours)| ours.clone())
        };
        let is_ignored = |name: &String| !name.is_empty() && ours(name).is_empty();
        let asked: Vec<_> = (0..names.len()).filter(|n| !ours(&names[*n]).is_empty()).collect();
        let known = columns(&asked.iter().map(|n| ours(&names[*n])).collect::<Vec<_>>());
        let mut known = known.map_err(|error| numbered(error, &asked))?.into_iter();
        let column = |name: &String| match () {
            () if is_ignored(name) => Column::Ignored,
            () if name.is_empty() => Column::Unnamed,
            () => known.next().map_or(Column::Unnamed, Column::Ours),
        };
        let columns: Vec<_> = names.iter().map(column).collect();
        let next = self.row.map_or(1, |row| row.last + 1);
        Ok(Table { separator: self.separator, columns, body: &text[self.end..], line: next })
    }
}

/// With the number that a column has in the file.
fn numbered(error: FileError, asked: &[usize]) -> FileError {
    match error {
        FileError::Unknown { number, named, known } => {
            FileError::Unknown { number: asked.get(number - 1).map_or(number, |n| n + 1), named, known }
        }
        error => error,
    }
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

#[cfg(test)]
mod tests;
