//! A release as anybody reads it: tables in long form with what their columns mean, and which cells are hidden.
//!
//! The neutral format: a folder with `release.json` (a [`Manifest`]) and a CSV per table, a column per dimension
//! (`Total` = the margin), `value` (empty: hidden) and, if hidden cells are marked differently, `mark`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod manifest;
mod table;

pub use manifest::CODES_MAX;

/// What a margin is called in every table.
pub const TOTAL: &str = "Total";

/// The largest number of cells in a release that is read.
pub const CELLS_MAX: usize = 200_000;

/// The largest number of tables of a release that is read.
pub const TABLES_MAX: usize = 1_000;

/// The longest name of a file, a measure, a dimension or a code, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// The most characters of something that is wrong which are said again.
const SHOWN_CHARS_MAX: usize = 60;

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
    #[error(
        "release.json: {file} has the {what} `{name}`, which `{list}` does not list: add it there, or mend the name"
    )]
    Unknown {
        /// The table's file, or the measure.
        file: String,
        /// A dimension or a measure.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it should be listed.
        list: &'static str,
    },
    /// One cell has two values.
    #[error("{file}: {cell} is {value} here and {other} in {elsewhere}: mend one of them")]
    Differ {
        /// The table's file.
        file: String,
        /// The cell.
        cell: String,
        /// Its value in this table.
        value: i64,
        /// Its value in another.
        other: i64,
        /// The file of the other table.
        elsewhere: String,
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
    fn name_apart(&self, measure: &str, number: usize) -> String {
        let own = self.measures.get(measure).is_some_and(|measure| measure.per_release);
        if own { format!("{measure} [{number}]") } else { measure.to_owned() }
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
        // The table in which each cell was seen first.
        let mut first: BTreeMap<(String, Key), usize> = BTreeMap::new();
        for (number, (table, lines)) in described.iter().zip(tables).enumerate() {
            for (at, line) in lines.iter().enumerate() {
                let key = table.key(line);
                match (&table.measure, &table.percent) {
                    (Some(measure), _) => {
                        let name = (measure.clone(), key);
                        let elsewhere = first.get(&name).map_or(number, |first| *first);
                        release.count(table, &name, line, at + 2, &described[elsewhere].file)?;
                        if line.value.is_some() {
                            first.entry(name).or_insert(number);
                        }
                    }
                    (None, Some(percent)) => {
                        release.percents.extend(line.value.map(|value| (percent.clone(), key, value)));
                    }
                    (None, None) => {}
                }
            }
            if release.cells.len() > CELLS_MAX {
                return Err(ReleaseError::TooMany);
            }
        }
        Ok(release)
    }

    fn count(
        &mut self,
        table: &Table,
        name: &(String, Key),
        line: &Line,
        at: usize,
        elsewhere: &str,
    ) -> Result<(), ReleaseError> {
        let value =
            line.value.map(|value| whole(value).ok_or(value)).transpose().map_err(|value| ReleaseError::Line {
                file: table.file.clone(),
                line: at,
                problem: format!("{value} is no count: a whole number from 0"),
            })?;
        let fresh = Seen { value: None, mark: String::new(), hidden: false, rounded_to: table.rounded_to };
        let cell = self.cells.entry(name.clone()).or_insert(fresh);
        match (value, cell.value) {
            (Some(value), Some(other)) if value != other => {
                let (file, cell) = (table.file.clone(), named(&name.0, &name.1));
                return Err(ReleaseError::Differ { file, cell, value, other, elsewhere: elsewhere.to_owned() });
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
            *percent = Percent {
                numerator: name(&percent.numerator),
                denominator: name(&percent.denominator),
                step: percent.step,
            };
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
    ((0.0..1e15).contains(&value) && value.fract() == 0.0).then_some(value as i64)
}

/// What somebody wrote, to be said again: shortened, and so that it does nothing to a terminal.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_CHARS_MAX {
        out.push('…');
    }
    out
}

/// A cell in words: the measure, then its codes by dimension.
pub fn named(measure: &str, key: &Key) -> String {
    let codes: Vec<String> = key.iter().map(|(dim, code)| format!("{dim}={code}")).collect();
    if codes.is_empty() { format!("{measure} total") } else { format!("{measure} {}", codes.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tables_that_differ_are_named_with_the_cell_and_both_values() {
        let manifest = br#"{"format": 1, "threshold": 5,
            "dimensions": {"area": {"codes": {"Elm": ["Elm"]}}}, "measures": {"people": {}},
            "tables": [{"file": "a.csv", "measure": "people", "dims": ["area"]},
                {"file": "b.csv", "measure": "people", "dims": ["area"]}]}"#;
        let manifest = Manifest::read(manifest).expect("it is one");
        let read = |number: usize, csv: &str| manifest.tables[number].read(&manifest, csv.as_bytes()).expect("a table");
        let tables = [read(0, "area,value\nElm,7\n"), read(1, "area,value\nElm,9\n")];
        let why = Release::new(manifest.clone(), &tables).expect_err("they differ").to_string();
        assert_eq!(why, "b.csv: people area=Elm is 9 here and 7 in a.csv: mend one of them");
        let tables = [read(0, "area,value\nElm,7\n"), read(1, "area,value\nElm,\n")];
        let release = Release::new(manifest, &tables).expect("what one hides another shows");
        let cell = &release.cells[&("people".to_owned(), vec![("area".to_owned(), "Elm".to_owned())])];
        assert!(cell.hidden && cell.value == Some(7));
    }
}
