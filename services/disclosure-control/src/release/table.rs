//! How the lines of a table are read.

use std::collections::HashMap;

use super::{CELLS_MAX, Key, Line, Manifest, ReleaseError, TOTAL, Table, shown, whole};

/// Where the columns of a table are.
struct Columns {
    dims: Vec<usize>,
    value: usize,
    mark: Option<usize>,
}

impl Table {
    /// Reads the lines of a table.
    ///
    /// # Errors
    /// [`ReleaseError::Line`], [`ReleaseError::TooMany`]
    pub fn read(&self, manifest: &Manifest, csv: &[u8]) -> Result<Vec<Line>, ReleaseError> {
        if csv.starts_with(b"\xff\xfe") || csv.starts_with(b"\xfe\xff") {
            return Err(self.wrong(1, "the file is UTF-16: save it as CSV in UTF-8"));
        }
        let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
        let mut reader = csv::ReaderBuilder::new().from_reader(csv);
        let unreadable = |error: csv::Error| self.unreadable(csv, &error);
        let header = reader.headers().map_err(unreadable)?.clone();
        let columns = self.columns(&header)?;
        let (mut lines, mut first) = (Vec::new(), HashMap::new());
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            let at = line_at(csv, record.position());
            let line = self.line(manifest, &columns, &record).map_err(|problem| self.wrong(at, problem))?;
            if let Some(before) = first.insert(line.codes.clone(), at) {
                let what = "a cell has one line; if a column tells them apart, name it in `dims`";
                let cell = shown(&line.codes.join(", "));
                return Err(self.wrong(at, format!("the cell ({cell}) is in line {before} already: {what}")));
            }
            lines.push(line);
            if lines.len() > CELLS_MAX {
                return Err(ReleaseError::TooMany);
            }
        }
        Ok(lines)
    }

    /// Which cell a line is of.
    pub fn key(&self, line: &Line) -> Key {
        let codes = self.dims.iter().cloned().zip(line.codes.iter().cloned());
        let mut key: Key = codes.filter(|(_, code)| code != TOTAL).collect();
        key.sort();
        key
    }

    fn columns(&self, header: &csv::StringRecord) -> Result<Columns, ReleaseError> {
        let all: Vec<&str> = header.iter().map(str::trim).collect();
        let place = |name: &str| all.iter().position(|column| *column == name);
        let column = |name: &str| {
            let others = shown(&all.join(", "));
            let hint = match all[..] {
                [one] if one.contains([';', '\t']) => "separate columns by commas",
                _ => "name it so in the first line, or mend release.json",
            };
            place(name).ok_or_else(|| self.wrong(1, format!("there is no column `{name}`, but: {others}; {hint}")))
        };
        let dims = self.dims.iter().map(|dim| column(dim)).collect::<Result<Vec<_>, _>>()?;
        let columns = Columns { dims, value: column("value")?, mark: place("mark") };
        let read = self.dims.iter().map(String::as_str).chain(["value", "mark"]);
        match read.into_iter().find(|name| all.iter().filter(|column| *column == name).count() > 1) {
            Some(twice) => Err(self.wrong(1, format!("there are two columns `{twice}`: leave one out"))),
            None => Ok(columns),
        }
    }

    fn line(&self, manifest: &Manifest, columns: &Columns, record: &csv::StringRecord) -> Result<Line, String> {
        let cell = |column: usize| record.get(column).unwrap_or_default().trim();
        let codes: Vec<String> = columns.dims.iter().map(|column| cell(*column).to_owned()).collect();
        for (dim, code) in self.dims.iter().zip(&codes) {
            let is_known = manifest.dimensions.get(dim).is_some_and(|dimension| dimension.codes.contains_key(code));
            if code != TOTAL && !is_known {
                let what = "add it to the codes in release.json, or mend it here";
                return Err(format!("`{}` is no code of `{dim}`, nor `{TOTAL}`: {what}", shown(code)));
            }
        }
        let value = self.value(cell(columns.value))?;
        Ok(Line { codes, value, mark: columns.mark.map(cell).unwrap_or_default().to_owned() })
    }

    /// What a value says; none: it is hidden.
    fn value(&self, text: &str) -> Result<Option<f64>, String> {
        let quoted = shown(text);
        if text.is_empty() {
            return Ok(None);
        }
        let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) else {
            return Err(format!("`{quoted}` is no number: {}", how_to_write(text)));
        };
        if number < 0.0 {
            return Err(format!("`{quoted}` is negative: numbers are from 0; a hidden one is left empty"));
        }
        if number >= 1e15 {
            return Err(format!("`{quoted}` is too large: numbers are below 10^15"));
        }
        if self.percent.is_some() {
            return Ok(Some(number));
        }
        let after = text.split_once('.').map_or("", |(_, after)| after);
        if after.len() == 3 && after.bytes().all(|byte| byte.is_ascii_digit()) {
            let (without, or) = (text.replace('.', ""), text.split('.').next().unwrap_or_default());
            return Err(format!("`{quoted}` can be {without} or a fraction: write {without}, or {or}"));
        }
        let Some(count) = whole(number) else {
            return Err(format!("`{quoted}` is no count: a whole number from 0"));
        };
        match self.rounded_to.filter(|base| count % base != 0) {
            Some(base) => Err(format!("`{quoted}` is no multiple of {base}, to which release.json says it is rounded")),
            None => Ok(Some(number)),
        }
    }

    fn wrong(&self, line: u64, problem: impl Into<String>) -> ReleaseError {
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        ReleaseError::Line { file: self.file.clone(), line, problem: problem.into() }
    }

    fn unreadable(&self, csv: &[u8], error: &csv::Error) -> ReleaseError {
        let line = line_at(csv, error.position());
        self.wrong(
            line,
            match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    let what = "a number is written without commas, a code with a comma in quotes";
                    format!("the line has {len} cells, the first line has {expected_len}: {what}")
                }
                csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8: save the file as CSV in UTF-8".to_owned(),
                _ => error.to_string(),
            },
        )
    }
}

/// The line at which a record begins, from 1: where it is said to begin, ends of lines before it are part of it.
fn line_at(csv: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let before = csv.iter().skip(usize::try_from(position.byte()).unwrap_or(usize::MAX));
    let ends = before.take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    ends.fold(position.line(), |line, _| line + 1)
}

/// What is to be done with a value that is no number.
fn how_to_write(text: &str) -> String {
    let is_separator = |c: char| c.is_whitespace() || "',’_".contains(c);
    let digits: String = text.chars().filter(|c| !is_separator(*c)).collect();
    let is_number =
        digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.contains(|c: char| c.is_ascii_digit());
    let decimals = text.split_once(',').map(|(_, after)| after.len()).filter(|_| text.matches(',').count() == 1);
    match (is_number, decimals) {
        (true, Some(decimals)) if decimals != 3 && !text.contains('.') => {
            format!("write {}, with a point", text.replace(',', "."))
        }
        (true, _) => format!("write {digits}, without a separator of thousands"),
        (false, _) if text.ends_with('%') => "write it without `%`".to_owned(),
        (false, _) => {
            "leave `value` empty where a number is hidden, and put what is printed there in a column `mark`".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"format": 1, "threshold": 5,
        "dimensions": {"area": {"codes": {"Elm": ["Elm"], "Dale, upper": ["Dale, upper"]}}},
        "measures": {"people": {}, "better": {"part_of": "people"}},
        "tables": [{"file": "people.csv", "measure": "people", "dims": ["area"]},
            {"file": "rounded.csv", "measure": "better", "dims": ["area"], "rounded_to": 5},
            {"file": "share.csv", "percent": {"numerator": "better", "denominator": "people", "step": 0.1}, "dims": ["area"]}]}"#;

    fn read(table: usize, csv: impl AsRef<[u8]>) -> Result<Vec<Line>, String> {
        let manifest = Manifest::read(MANIFEST.as_bytes()).expect("it is one");
        manifest.tables[table].read(&manifest, csv.as_ref()).map_err(|error| error.to_string())
    }

    fn why(csv: impl AsRef<[u8]>) -> String {
        read(0, csv).expect_err("it is wrong")
    }

    #[test]
    fn a_table_is_read_whatever_its_ends_of_lines_and_with_a_mark_of_its_encoding() {
        let plain = read(0, "area,value,mark\nTotal,20,\n\"Dale, upper\",,<5\n").expect("a table");
        assert_eq!(plain[0].value, Some(20.0));
        assert_eq!((plain[1].value, plain[1].mark.as_str()), (None, "<5"));
        let windows = "\u{feff}area,value,mark\r\nTotal, 20 ,\r\n\r\n\"Dale, upper\",,<5";
        assert_eq!(read(0, windows).expect("a table"), plain);
        assert_eq!(read(0, "more,value,area\nx,3.0,Elm\n").expect("a table")[0].value, Some(3.0));
    }

    #[test]
    fn a_column_that_is_missing_is_named_with_those_that_are_there() {
        assert_eq!(
            why("region,value\nElm,3\n"),
            "people.csv, line 1: there is no column `area`, but: region, value; name it so in the first line, or mend release.json"
        );
        assert!(why("area;value\nElm;3\n").ends_with("but: area;value; separate columns by commas"));
        assert!(why("area,count\nElm,3\n").contains("there is no column `value`, but: area, count"));
        assert!(why("").contains("line 1: there is no column `area`"));
        assert!(why("area,value,value\nElm,3,4\n").contains("line 1: there are two columns `value`"));
    }

    #[test]
    fn a_code_that_release_json_does_not_have_is_named_with_its_line() {
        let said = why("area,value\nTotal,3\n\nElmm,3\n");
        assert!(said.starts_with("people.csv, line 4: `Elmm` is no code of `area`, nor `Total`: add it"), "{said}");
        assert!(why("area,value\r\nTotal,3\r\n\r\nElmm,3\r\n").starts_with("people.csv, line 4: "));
        assert!(why("\u{feff}area,value\r\nElmm,3\r\n").starts_with("people.csv, line 2: "));
        assert!(why("area,value\n\u{1b}[2J,3\n").contains("`\\u{1b}[2J` is no code"), "nothing is done to a terminal");
    }

    #[test]
    fn a_value_that_is_no_number_is_told_how_to_be_written() {
        for (value, says) in [
            ("\"1,234\"", "`1,234` is no number: write 1234, without a separator of thousands"),
            ("1 234", "write 1234, without a separator of thousands"),
            ("1'234'567", "write 1234567, without"),
            ("1.234", "`1.234` can be 1234 or a fraction: write 1234, or 1"),
            ("2.5", "`2.5` is no count: a whole number from 0"),
            ("-3", "`-3` is negative: numbers are from 0"),
            ("1e15", "`1e15` is too large"),
            ("NaN", "`NaN` is no number: leave `value` empty where a number is hidden"),
            ("Infinity", "`Infinity` is no number"),
            ("<5", "`<5` is no number: leave `value` empty where a number is hidden, and put what is printed there"),
            ("*", "`*` is no number"),
        ] {
            let said = why(format!("area,value\nTotal,9\nElm,{value}\n"));
            assert!(said.starts_with("people.csv, line 3: ") && said.contains(says), "{value}: {said}");
        }
        let said = why("area,value\nElm,1,234\n");
        assert!(
            said.contains("line 2: the line has 3 cells, the first line has 2: a number is written without"),
            "{said}"
        );
    }

    #[test]
    fn a_percentage_can_be_a_fraction_and_what_is_rounded_is_a_multiple() {
        assert_eq!(read(2, "area,value\nElm,12.345\n").expect("a table")[0].value, Some(12.345));
        for (value, says) in
            [("12.5%", "write it without `%`"), ("\"12,5\"", "write 12.5, with a point"), ("-1", "negative")]
        {
            let said = read(2, format!("area,value\nElm,{value}\n")).expect_err(value);
            assert!(said.starts_with("share.csv, line 2: ") && said.contains(says), "{said}");
        }
        let said = read(1, "area,value\nElm,12\n").expect_err("no multiple");
        assert!(said.contains("`12` is no multiple of 5, to which release.json says it is rounded"), "{said}");
    }

    #[test]
    fn a_cell_has_one_line() {
        let said = why("area,value\nElm,3\nTotal,9\nElm,3\n");
        assert!(
            said.starts_with("people.csv, line 4: the cell (Elm) is in line 2 already: a cell has one line"),
            "{said}"
        );
    }

    #[test]
    fn a_file_that_is_not_utf_8_is_said_to_be_none() {
        assert!(
            why(b"area,value\nElm\xe9,3\n").contains("line 2: the line is not UTF-8: save the file as CSV in UTF-8")
        );
        assert!(why(b"\xff\xfea\0").contains("line 1: the file is UTF-16"));
    }
}
