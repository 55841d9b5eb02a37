//! A release as anybody reads it: tables in long form with what their columns mean, and which cells are hidden.
//!
//! The neutral format: a folder with `release.json` (a [`Manifest`]) and a CSV per table, a column per dimension
//! (`Total` = the margin), `value` (empty: hidden) and, if hidden cells are marked differently, `mark`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a margin is called in every table.
pub const TOTAL: &str = "Total";

/// The largest number of cells in a release that is read.
pub const CELLS_MAX: usize = 200_000;

/// What a release is made of: `release.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format: 1.
    pub format: u32,
    /// The release's name.
    #[serde(default)]
    pub release: String,
    /// Numbers below this, other than zero, are hidden.
    pub threshold: i64,
    /// Whether zeros are shown.
    #[serde(default)]
    pub zeros: Zeros,
    /// What is printed instead of a hidden number, where all have the same mark.
    #[serde(default)]
    pub marker: String,
    /// What each mark gives away: the lowest and the highest number that it stands for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<String, (i64, Option<i64>)>,
    /// The dimensions by name.
    pub dimensions: BTreeMap<String, Dimension>,
    /// The measures by name.
    pub measures: BTreeMap<String, Measure>,
    /// The tables, in their order.
    pub tables: Vec<Table>,
}

/// Whether a zero is shown or hidden like a small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zeros {
    /// A zero is printed as 0; so a hidden number is not zero.
    #[default]
    Public,
    /// A zero is hidden like a small number.
    Hidden,
}

/// A dimension: its codes, each with the finest codes that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimension {
    /// A code, and the finest codes under it (itself, for a finest one).
    pub codes: BTreeMap<String, Vec<String>>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measure {
    /// The unit, such as `person`.
    #[serde(default)]
    pub unit: String,
    /// Dimensions of which one unit can have several codes (a person comes in two quarters): margins are no sums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlapping: Vec<String>,
    /// The measure of which this one counts a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// About the whole period of the release: other facts in the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_release: bool,
}

/// A table of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The file, beside `release.json`.
    pub file: String,
    /// The dimensions, in the order of the columns.
    pub dims: Vec<String>,
    /// What the table counts; a percentage has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// The base that numbers were rounded to: each stands for those nearer to it than to its neighbours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounded_to: Option<i64>,
    /// The two counts that the table divides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Percent>,
}

/// A percentage of two counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Percent {
    /// The measure above the line.
    pub numerator: String,
    /// The measure below it.
    pub denominator: String,
    /// The distance between two neighbouring printed values, in percent.
    pub step: f64,
}

/// A cell of a table: the code of each dimension in the table's order, and what is printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Codes in the order of the table's dimensions; [`TOTAL`] for a margin.
    pub codes: Vec<String>,
    /// The number; none where it is hidden.
    pub value: Option<f64>,
    /// What is printed instead of it.
    pub mark: String,
}

/// What is wrong with a release as it was given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReleaseError {
    /// `release.json` cannot be read.
    #[error("release.json: {0}")]
    Manifest(String),
    /// A table cannot be read.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The table's file.
        file: String,
        /// The line, from 1; the first is the header.
        line: usize,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// `release.json` names what it does not explain.
    #[error("release.json: {file} has the {what} `{name}`, which `{list}` does not list")]
    Unknown {
        /// The table's file.
        file: String,
        /// A dimension or a measure.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it should be listed.
        list: &'static str,
    },
    /// One cell has two values.
    #[error("{file}: {cell} is {value} here and {other} elsewhere")]
    Differ {
        /// The table's file.
        file: String,
        /// The cell.
        cell: String,
        /// Its value in this table.
        value: i64,
        /// Its value in another.
        other: i64,
    },
    /// More cells than are read.
    #[error("more than {CELLS_MAX} cells: split the release")]
    TooMany,
}

/// Which cell of a measure: dimensions with their codes, by dimension; margins are left out.
pub type Key = Vec<(String, String)>;

/// A cell as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The number; none where it is hidden everywhere.
    pub value: Option<i64>,
    /// What is printed where it is hidden.
    pub mark: String,
    /// Whether it is hidden somewhere.
    pub hidden: bool,
    /// The base that it was rounded to.
    pub rounded_to: Option<i64>,
}

/// A release, cell by cell.
#[derive(Debug, Clone)]
pub struct Release {
    /// What it is made of.
    pub manifest: Manifest,
    /// The cells of all counts: measure and key.
    pub cells: BTreeMap<(String, Key), Seen>,
    /// The percentages that are shown: of which table, of which cell, in percent.
    pub percents: Vec<(Percent, Key, f64)>,
}

impl Manifest {
    /// Reads `release.json`.
    ///
    /// # Errors
    /// [`ReleaseError::Manifest`], [`ReleaseError::Unknown`]
    pub fn read(json: &[u8]) -> Result<Manifest, ReleaseError> {
        let manifest: Manifest =
            serde_json::from_slice(json).map_err(|error| ReleaseError::Manifest(error.to_string()))?;
        manifest.checked()
    }

    fn name_apart(&self, measure: &str, number: usize) -> String {
        let own = self.measures.get(measure).is_some_and(|measure| measure.per_release);
        if own { format!("{measure} [{number}]") } else { measure.to_owned() }
    }

    fn checked(self) -> Result<Manifest, ReleaseError> {
        let wrong = |problem: String| Err(ReleaseError::Manifest(problem));
        if self.format != 1 {
            return wrong(format!("`format` is {}; known is 1", self.format));
        }
        if !(1..=1000).contains(&self.threshold) {
            return wrong(format!("`threshold` is {}; it is from 1 to 1000", self.threshold));
        }
        for table in &self.tables {
            let unknown = |what, name: &str, list| {
                Err(ReleaseError::Unknown { file: table.file.clone(), what, name: name.to_owned(), list })
            };
            if let Some(dim) = table.dims.iter().find(|dim| !self.dimensions.contains_key(*dim)) {
                return unknown("dimension", dim, "dimensions");
            }
            let percent = table.percent.iter().flat_map(|percent| [&percent.numerator, &percent.denominator]);
            let measures: Vec<_> = table.measure.iter().chain(percent).collect();
            if let Some(measure) = measures.iter().find(|measure| !self.measures.contains_key(**measure)) {
                return unknown("measure", measure, "measures");
            }
            if measures.is_empty() || (table.measure.is_some() && table.percent.is_some()) {
                return wrong(format!("{} has either a `measure` or a `percent`", table.file));
            }
        }
        Ok(self)
    }
}

impl Table {
    /// Reads the lines of a table.
    ///
    /// # Errors
    /// [`ReleaseError::Line`], [`ReleaseError::TooMany`]
    pub fn read(&self, manifest: &Manifest, csv: &[u8]) -> Result<Vec<Line>, ReleaseError> {
        let wrong = |line: usize, problem: String| ReleaseError::Line { file: self.file.clone(), line, problem };
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(csv);
        let header = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
        let place = |name: &str| header.iter().position(|column| column.trim() == name);
        let column = |name: &str| {
            place(name).ok_or_else(|| wrong(1, format!("there is no column `{name}`; there are: {}", header.iter().collect::<Vec<_>>().join(", "))))
        };
        let dims = self.dims.iter().map(|dim| column(dim)).collect::<Result<Vec<_>, _>>()?;
        let (value, mark) = (column("value")?, place("mark"));
        let mut lines = Vec::new();
        for (at, record) in reader.records().enumerate() {
            let record = record.map_err(|error| wrong(at + 2, error.to_string()))?;
            let cell = |column: usize| record.get(column).unwrap_or_default().trim();
            let codes: Vec<String> = dims.iter().map(|column| cell(*column).to_owned()).collect();
            for (dim, code) in self.dims.iter().zip(&codes) {
                if code != TOTAL && !manifest.dimensions[dim].codes.contains_key(code) {
                    return Err(wrong(at + 2, format!("`{code}` is no code of `{dim}`, nor `{TOTAL}`")));
                }
            }
            let text = cell(value);
            let number = (!text.is_empty()).then(|| text.parse::<f64>().ok().filter(|x| x.is_finite() && x.abs() < 1e15));
            if number == Some(None) {
                return Err(wrong(at + 2, format!("`{text}` is no number; a hidden value is empty, with what is printed in `mark`")));
            }
            lines.push(Line { codes, value: number.flatten(), mark: mark.map(&cell).unwrap_or_default().to_owned() });
            if lines.len() > CELLS_MAX {
                return Err(ReleaseError::TooMany);
            }
        }
        Ok(lines)
    }

    /// Which cell a line is of.
    pub fn key(&self, line: &Line) -> Key {
        let mut key: Key = self.dims.iter().cloned().zip(line.codes.iter().cloned()).filter(|(_, code)| code != TOTAL).collect();
        key.sort();
        key
    }
}

impl Release {
    /// Puts the tables' lines together, in the order of the manifest's tables.
    ///
    /// # Errors
    /// [`ReleaseError`]
    pub fn new(manifest: Manifest, tables: &[Vec<Line>]) -> Result<Release, ReleaseError> {
        let manifest = manifest.checked()?;
        let mut release = Release { cells: BTreeMap::new(), percents: Vec::new(), manifest };
        let described = release.manifest.tables.clone();
        for (table, lines) in described.iter().zip(tables) {
            for (at, line) in lines.iter().enumerate() {
                let key = table.key(line);
                match (&table.measure, &table.percent) {
                    (Some(measure), _) => release.count(table, measure, key, line, at + 2)?,
                    (None, Some(percent)) => {
                        release.percents.extend(line.value.map(|value| (percent.clone(), key, value)));
                    }
                    (None, None) => {}
                }
            }
        }
        if release.cells.len() > CELLS_MAX { Err(ReleaseError::TooMany) } else { Ok(release) }
    }

    fn count(&mut self, table: &Table, measure: &str, key: Key, line: &Line, at: usize) -> Result<(), ReleaseError> {
        let value = line.value.map(|value| whole(value).ok_or(value)).transpose().map_err(|value| ReleaseError::Line {
            file: table.file.clone(),
            line: at,
            problem: format!("{value} is no count: a whole number from 0"),
        })?;
        let fresh = Seen { value: None, mark: String::new(), hidden: false, rounded_to: table.rounded_to };
        let cell = self.cells.entry((measure.to_owned(), key)).or_insert(fresh);
        match (value, cell.value) {
            (Some(value), Some(other)) if value != other => {
                let cell = line.codes.join(", ");
                return Err(ReleaseError::Differ { file: table.file.clone(), cell, value, other });
            }
            (Some(_), _) => cell.value = value,
            (None, _) => {
                cell.hidden = true;
                cell.mark.clone_from(&line.mark);
            }
        }
        Ok(())
    }

    /// The same release with the measures that are about its whole period named apart: beside other releases of the
    /// same facts they are other facts.
    #[must_use]
    pub fn apart(mut self, number: usize) -> Release {
        let before = self.manifest.clone();
        let name = |measure: &str| before.name_apart(measure, number);
        self.cells = self.cells.into_iter().map(|((measure, key), cell)| ((name(&measure), key), cell)).collect();
        for (percent, _, _) in &mut self.percents {
            *percent = Percent { numerator: name(&percent.numerator), denominator: name(&percent.denominator), step: percent.step };
        }
        for table in &mut self.manifest.tables {
            table.measure = table.measure.as_deref().map(name);
        }
        let measures = std::mem::take(&mut self.manifest.measures).into_iter();
        self.manifest.measures = measures
            .map(|(measure, of)| (name(&measure), Measure { part_of: of.part_of.as_deref().map(name), ..of }))
            .collect();
        self
    }

    /// What a measure is called beside other releases, in the release of this number.
    pub fn name_apart(&self, measure: &str, number: usize) -> String {
        self.manifest.name_apart(measure, number)
    }

    /// The finest codes under a code of a dimension; of the margin, all.
    pub fn finest(&self, dim: &str, code: &str) -> Vec<&str> {
        let Some(dimension) = self.manifest.dimensions.get(dim) else { return Vec::new() };
        let mut finest: Vec<&str> = match dimension.codes.get(code) {
            Some(finest) if code != TOTAL => finest.iter().map(String::as_str).collect(),
            _ => dimension.codes.values().flatten().map(String::as_str).collect(),
        };
        finest.sort_unstable();
        finest.dedup();
        finest
    }
}

/// A count that was read as a number.
#[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^15 fits")]
fn whole(value: f64) -> Option<i64> {
    (value >= 0.0 && value < 1e15 && value.fract() == 0.0).then_some(value as i64)
}

/// A cell in words: the measure, then its codes by dimension.
pub fn named(measure: &str, key: &Key) -> String {
    let codes: Vec<String> = key.iter().map(|(dim, code)| format!("{dim}={code}")).collect();
    if codes.is_empty() { format!("{measure} total") } else { format!("{measure} {}", codes.join(", ")) }
}
