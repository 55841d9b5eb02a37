//! What a `release.json` must be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Dimension, Manifest, Measure, NAME_BYTES_MAX, ReleaseError, TABLES_MAX, TOTAL, Table, shown};

/// The most finest codes of one dimension, a count.
pub const CODES_MAX: usize = 10_000;
/// The largest base that numbers are rounded to.
const BASE_MAX: i64 = 1_000_000;

/// The fields that are read, by where they stand.
const FIELDS: [(&str, &[&str]); 5] = [
    ("", &["format", "release", "threshold", "zeros", "marker", "marks", "dimensions", "measures", "tables"]),
    ("dimensions", &["codes"]),
    ("measures", &["unit", "overlapping", "part_of", "per_release"]),
    ("tables", &["file", "dims", "measure", "rounded_to", "percent"]),
    ("percent", &["numerator", "denominator", "step"]),
];

impl Manifest {
    /// Reads `release.json`.
    ///
    /// # Errors
    /// [`ReleaseError::Manifest`], [`ReleaseError::Unknown`]
    pub fn read(json: &[u8]) -> Result<Manifest, ReleaseError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let manifest: Manifest =
            serde_json::from_slice(json).map_err(|error| ReleaseError::Manifest(error.to_string()))?;
        manifest.checked()
    }

    /// The fields of a `release.json` that are not read, such as `measures.people.overlaping`: mostly misspelt.
    pub fn unread(json: &[u8]) -> Vec<String> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let Ok(all) = serde_json::from_slice::<Value>(json) else { return Vec::new() };
        let mut out = unknown(&all, "", "");
        for list in ["dimensions", "measures"] {
            for (name, of) in all[list].as_object().into_iter().flatten() {
                out.extend(unknown(of, list, &format!("{list}.{name}.")));
            }
        }
        for (at, table) in all["tables"].as_array().into_iter().flatten().enumerate() {
            out.extend(unknown(table, "tables", &format!("tables[{at}].")));
            out.extend(unknown(&table["percent"], "percent", &format!("tables[{at}].percent.")));
        }
        out
    }

    pub(super) fn checked(self) -> Result<Manifest, ReleaseError> {
        let wrong = |problem: String| Err(ReleaseError::Manifest(problem));
        if self.format != 1 {
            return wrong(format!("`format` is {}; known is 1", self.format));
        }
        if !(1..=1000).contains(&self.threshold) {
            return wrong(format!("`threshold` is {}; it is from 1 to 1000", self.threshold));
        }
        if self.tables.len() > TABLES_MAX {
            return wrong(format!("{} tables: at most {TABLES_MAX} are read; split the release", self.tables.len()));
        }
        if let Some(name) = self.names().find(|name| !is_name(name)) {
            let what = format!("not empty, without control characters, at most {NAME_BYTES_MAX} bytes");
            return wrong(format!("`{}` is no name: {what}", shown(name)));
        }
        for (mark, (low, high)) in &self.marks {
            if *low < 0 || high.is_some_and(|high| high < *low) {
                return wrong(format!("the mark `{mark}` is [lowest, highest], such as [1, 4]; highest can be null"));
            }
        }
        self.dimensions.iter().try_for_each(|(name, dimension)| dimension.check(name))?;
        self.measures.iter().try_for_each(|(name, measure)| self.check_measure(name, measure))?;
        self.tables.iter().try_for_each(|table| self.check_table(table))?;
        Ok(self)
    }

    /// All that can be said again to somebody.
    fn names(&self) -> impl Iterator<Item = &String> {
        let codes = self.dimensions.values().flat_map(|dimension| dimension.codes.iter());
        let codes = codes.flat_map(|(code, finest)| [code].into_iter().chain(finest));
        let files = self.tables.iter().map(|table| &table.file);
        self.dimensions.keys().chain(self.measures.keys()).chain(codes).chain(files)
    }

    fn check_measure(&self, name: &str, measure: &Measure) -> Result<(), ReleaseError> {
        let unknown = |what, of: &String, list| {
            Err(ReleaseError::Unknown { file: format!("measure `{name}`"), what, name: of.clone(), list })
        };
        if let Some(dim) = measure.overlapping.iter().find(|dim| !self.dimensions.contains_key(*dim)) {
            return unknown("dimension", dim, "dimensions");
        }
        match measure.part_of.iter().find(|whole| !self.measures.contains_key(*whole)) {
            Some(whole) => unknown("measure", whole, "measures"),
            None => Ok(()),
        }
    }

    fn check_table(&self, table: &Table) -> Result<(), ReleaseError> {
        let wrong = |problem: String| Err(ReleaseError::Manifest(problem));
        let file = &table.file;
        if !is_plain(file) {
            let what = "the name of a file beside release.json, without a folder";
            return wrong(format!("`{}` is no table's `file`: that is {what}", shown(file)));
        }
        let unknown = |what, name: &str, list| {
            Err(ReleaseError::Unknown { file: file.clone(), what, name: name.to_owned(), list })
        };
        if let Some(dim) = table.dims.iter().find(|dim| !self.dimensions.contains_key(*dim)) {
            return unknown("dimension", dim, "dimensions");
        }
        if table.dims.iter().collect::<BTreeSet<_>>().len() < table.dims.len() {
            return wrong(format!("{file} names a dimension twice in `dims`"));
        }
        let percent = table.percent.iter().flat_map(|percent| [&percent.numerator, &percent.denominator]);
        let measures: Vec<_> = table.measure.iter().chain(percent).collect();
        if let Some(measure) = measures.iter().find(|measure| !self.measures.contains_key(**measure)) {
            return unknown("measure", measure, "measures");
        }
        if measures.is_empty() || (table.measure.is_some() && table.percent.is_some()) {
            return wrong(format!("{file} has either a `measure` or a `percent`"));
        }
        if let Some(base) = table.rounded_to.filter(|base| !(1..=BASE_MAX).contains(base)) {
            return wrong(format!("{file} is `rounded_to` {base}; it is from 1 to {BASE_MAX}"));
        }
        match table.percent.as_ref().filter(|percent| !(percent.step > 0.0 && percent.step <= 100.0)) {
            Some(percent) => wrong(format!("{file} has the `step` {}; it is above 0, such as 0.1", percent.step)),
            None => Ok(()),
        }
    }
}

impl Dimension {
    fn check(&self, name: &str) -> Result<(), ReleaseError> {
        let wrong = |problem: String| Err(ReleaseError::Manifest(problem));
        if ["value", "mark"].contains(&name) {
            return wrong(format!("no dimension can be called `{name}`: tables have a column of that name"));
        }
        let finest: BTreeSet<&String> = self.codes.values().flatten().collect();
        if self.codes.contains_key(TOTAL) || finest.iter().any(|code| *code == TOTAL) {
            let what = "that is the margin, in every table: leave it out of `codes`, or call the code something else";
            return wrong(format!("the dimension `{name}` has a code `{TOTAL}`; {what}"));
        }
        if let Some((code, _)) = self.codes.iter().find(|(_, finest)| finest.is_empty()) {
            let what = format!("a finest one stands for itself: \"{code}\": [\"{code}\"]");
            return wrong(format!("the code `{code}` of `{name}` stands for no finest codes; {what}"));
        }
        match finest.len() {
            0 => wrong(format!("the dimension `{name}` has no codes")),
            1..=CODES_MAX => Ok(()),
            many => wrong(format!("the dimension `{name}` has {many} finest codes; at most {CODES_MAX} are read")),
        }
    }
}

fn unknown(of: &Value, place: &str, path: &str) -> Vec<String> {
    let known = FIELDS.iter().find(|(name, _)| *name == place).map_or(&[][..], |(_, fields)| *fields);
    let fields = of.as_object().into_iter().flatten().map(|(field, _)| field);
    fields.filter(|field| !known.contains(&field.as_str())).map(|field| format!("{path}{}", shown(field))).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// Whether this is the name of a file in the same folder, on every system.
fn is_plain(file: &str) -> bool {
    let is_odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    !file.starts_with('.') && file != "release.json" && !file.contains(is_odd) && file.trim() == file
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"format": 1, "threshold": 5,
        "dimensions": {"area": {"codes": {"North": ["Ashby", "Brook"], "Ashby": ["Ashby"], "Brook": ["Brook"]}}},
        "measures": {"people": {}, "new people": {"part_of": "people"}},
        "tables": [{"file": "people.csv", "measure": "people", "dims": ["area"]}]}"#;

    fn why(old: &str, new: &str) -> String {
        assert!(GOOD.contains(old), "{old}");
        Manifest::read(GOOD.replacen(old, new, 1).as_bytes()).expect_err(new).to_string()
    }

    #[test]
    fn a_release_json_is_read_with_and_without_a_mark_of_its_encoding() {
        let plain = Manifest::read(GOOD.as_bytes()).expect("it is one");
        assert_eq!(Manifest::read(format!("\u{feff}{GOOD}").as_bytes()).expect("it is one"), plain);
    }

    #[test]
    fn a_table_is_a_file_beside_release_json_and_nothing_else() {
        for odd in ["../../etc/passwd", "/etc/passwd", "a/b.csv", "..", ".", ".hidden", "release.json", "C:x", "a\\\\b"]
        {
            let why = why("people.csv", odd);
            assert!(
                why.contains("is no table's `file`: that is the name of a file beside release.json"),
                "{odd}: {why}"
            );
        }
        assert!(why("people.csv", "").contains("is no name"));
        assert!(why("people.csv", "a\\u001b[2J").contains("`a\\u{1b}[2J` is no name"), "nothing is done to a terminal");
    }

    #[test]
    fn what_is_named_must_be_explained() {
        let why = |old, new| why(old, new);
        assert_eq!(
            why("\"dims\": [\"area\"]", "\"dims\": [\"aera\"]"),
            "release.json: people.csv has the dimension `aera`, which `dimensions` does not list: add it there, or mend the name"
        );
        assert!(why("\"measure\": \"people\"", "\"measure\": \"x\"").contains("people.csv has the measure `x`"));
        assert!(
            why("\"part_of\": \"people\"", "\"part_of\": \"x\"").contains("measure `new people` has the measure `x`")
        );
        let overlapping = why("\"people\": {}", "\"people\": {\"overlapping\": [\"quarter\"]}");
        assert!(overlapping.contains("measure `people` has the dimension `quarter`"), "{overlapping}");
    }

    #[test]
    fn the_margin_is_no_code() {
        let why = why("\"North\"", "\"Total\"");
        assert!(why.starts_with("release.json: the dimension `area` has a code `Total`; that is the margin"), "{why}");
    }

    #[test]
    fn what_is_wrong_in_release_json_is_said_with_what_is_right() {
        for (old, new, says) in [
            ("\"format\": 1", "\"format\": 2", "`format` is 2; known is 1"),
            ("\"threshold\": 5", "\"threshold\": 0", "`threshold` is 0; it is from 1 to 1000"),
            ("\"threshold\": 5,", "", "missing field `threshold` at line 4"),
            ("[\"Ashby\"]", "[]", "the code `Ashby` of `area` stands for no finest codes"),
            ("\"dims\": [\"area\"]", "\"dims\": [\"area\", \"area\"]", "people.csv names a dimension twice"),
            ("\"measure\": \"people\", ", "", "people.csv has either a `measure` or a `percent`"),
            ("\"dims\"", "\"rounded_to\": 0, \"dims\"", "people.csv is `rounded_to` 0"),
            ("\"threshold\"", "\"marks\": {\"<5\": [4, 1]}, \"threshold\"", "the mark `<5` is [lowest, highest]"),
            ("\"area\": {", "\"value\": {", "no dimension can be called `value`"),
        ] {
            let why = why(old, new);
            assert!(why.starts_with("release.json: ") && why.contains(says), "{why}");
        }
    }

    #[test]
    fn a_field_that_is_not_read_is_named() {
        assert_eq!(Manifest::unread(GOOD.as_bytes()), Vec::<String>::new());
        let misspelt =
            GOOD.replacen("\"people\": {}", "\"people\": {\"overlaping\": []}", 1).replacen("\"dims\"", "\"dim\"", 1);
        assert_eq!(Manifest::unread(misspelt.as_bytes()), ["measures.people.overlaping", "tables[0].dim"]);
    }
}
