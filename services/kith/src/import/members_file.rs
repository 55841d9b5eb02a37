//! A CSV file of members, read and checked. What is wrong is said by line and column, never by what stands there.

use std::collections::HashMap;

use domain::{GroupId, IdError, LocalDay, member::Profile};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::csv_file::{self, Cells, Fault, FileError, Known, Line, Lines, both, one_line};
use crate::args::{CsvForm, MEMBER_COLUMNS};

/// Columns that are fields of a profile, as text.
const TEXTS: &[&str] = &[
    "alias",
    "given_name",
    "family_name",
    "email",
    "phone",
    "postal_address",
    "gender",
    "ethnicity",
    "disability",
    "carer",
    "language",
    "pronouns",
    "notes",
];

/// An empty file: its first row names the columns, its second says what they are for and is left out by an import.
pub(super) fn template() -> anyhow::Result<String> {
    let mut file = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    file.write_record(MEMBER_COLUMNS.iter().map(|(name, _)| *name))?;
    file.write_record(MEMBER_COLUMNS.iter().map(|(_, what)| format!("# {what}")))?;
    Ok(String::from_utf8(file.into_inner()?)?)
}

/// Columns whose cells may have line breaks, and what stands for one here.
const BREAKING: &[(&str, &str)] = &[("postal_address", ", "), ("notes", " ")];
/// What people write where there is nothing to be written, in columns that cannot have it as their value.
const NOTHINGS: &[&str] =
    &["n/a", "n.a.", "na", "#n/a", "nil", "none", "no", "null", "unknown", "unbekannt", "keine", "?", "tbd"];

/// Whether a cell says something: "n/a", "none", "-" do not, and what is known stays.
fn says_something(column: &str, text: &str) -> bool {
    match column {
        "phone" => text.contains(char::is_numeric),
        "email" | "year_of_birth" => {
            text.contains(char::is_alphanumeric) && !NOTHINGS.contains(&text.to_lowercase().as_str())
        }
        "notes" | "emergency_phone" => true,
        // An alias can be an emoji.
        _ => text
            .contains(|c: char| !c.is_whitespace() && !"-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}_.,/?'\"".contains(c)),
    }
}

/// Reads a file of members, as of `today`.
///
/// # Errors
/// If its first line does not name columns.
pub(crate) fn read(bytes: &[u8], form: &CsvForm, today: &LocalDay) -> Result<Lines, FileError> {
    let names: Vec<_> = MEMBER_COLUMNS.iter().map(|(name, _)| *name).collect();
    let (mut lines, mut persons) = (Vec::<Line>::new(), HashMap::<(String, String), usize>::new());
    let mut nobody = 0;
    let each = |at: u64, cells: &Cells<'_>| {
        let mut body = match person(cells, today) {
            Ok(Some(body)) => body,
            Ok(None) => {
                nobody += 1;
                return vec![];
            }
            Err(fault) => return vec![fault],
        };
        body["line"] = at.into();
        let external = external(&body);
        if let Some(first) = external.as_ref().and_then(|external| persons.get(external)) {
            let first = &mut lines[*first];
            if says_no_more(&first.body, &body) {
                return vec![("external_id".into(), format!("line {} says the same", first.at))];
            }
            let joined = join(&mut first.body, &body);
            return joined.err().map(|what| ("external_id".to_owned(), what)).into_iter().collect();
        }
        persons.extend(external.map(|external| (external, lines.len())));
        lines.push(Line { at, column: None, body });
        vec![]
    };
    let read = csv_file::read(bytes, form, |first| Known { names: &names, beginnings: &[] }.columns(first), each)?;
    Ok(Lines { lines, empty: read.empty + nobody, ..read })
}

/// The first external id, as it is compared.
fn external(person: &Value) -> Option<(String, String)> {
    let id = &person["profile"]["external_ids"][0];
    Some((vault::folded(id["system"].as_str()?), id["value"].as_str()?.to_owned()))
}

/// The person as the API takes them; none if nothing is said of anybody.
fn person(cells: &Cells<'_>, today: &LocalDay) -> Result<Option<Value>, Fault> {
    // An address and a note can be of several lines in the file; here they are on one.
    let broken: Vec<_> = BREAKING
        .iter()
        .filter_map(|(column, between)| Some((*column, one_line(cells.get(column)?, between))))
        .collect();
    let mut cells = cells.clone();
    cells.extend(broken.iter().map(|(column, text)| (*column, text.as_str())));
    cells.retain(|column, text| says_something(column, text));
    if !cells.contains_key("emergency_name") {
        cells.retain(|column, text| *column != "emergency_phone" || text.contains(char::is_numeric));
    }
    let cells = &cells;
    if cells.is_empty() {
        return Ok(None);
    }
    let mut profile = Map::new();
    for column in TEXTS {
        if let Some(text) = cells.get(column) {
            field(&mut profile, column, column, json!(text))?;
        }
    }
    if let Some(year) = cells.get("year_of_birth") {
        let year: i16 = year.parse().map_err(|_| ("year_of_birth".to_owned(), "must be a year".to_owned()))?;
        field(&mut profile, "year_of_birth", "year_of_birth", json!(year))?;
    }
    if let Some((name, phone)) = both(cells, "emergency_name", "emergency_phone")? {
        field(&mut profile, "emergency_contact", "emergency_name", json!({ "name": name, "phone": phone }))?;
    }
    if let Some((system, value)) = both(cells, "external_system", "external_id")? {
        field(&mut profile, "external_ids", "external_id", json!([{ "system": system, "value": value }]))?;
    }
    let mut enrolments = vec![];
    if let Some((group, starts_on)) = both(cells, "group", "starts_on")? {
        let group: GroupId = group.parse().map_err(|error: IdError| ("group".to_owned(), error.to_string()))?;
        let starts_on: Date =
            starts_on.parse().map_err(|_| ("starts_on".to_owned(), "must be a day such as 2026-01-31".to_owned()))?;
        enrolments.push(json!({ "group": group, "starts_on": starts_on }));
    }
    let whole: Profile = serde_json::from_value(Value::Object(profile)).unwrap_or_default();
    whole.check(today).map_err(|error| {
        let said = error.to_string();
        (if said.starts_with("email") { "email" } else { "year_of_birth" }.to_owned(), said)
    })?;
    // Texts in their one form: whether two lines say the same is not for spaces to decide.
    Ok(Some(json!({ "profile": whole, "enrolments": enrolments })))
}

/// Takes a value if a profile can have it.
fn field(profile: &mut Map<String, Value>, name: &str, column: &str, value: Value) -> Result<(), Fault> {
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    match serde_json::from_value::<Profile>(alone) {
        Ok(_) => {
            profile.insert(name.to_owned(), value);
            Ok(())
        }
        Err(error) => Err((column.to_owned(), web::scrubbed(&error))),
    }
}

/// Whether a line says nothing that one before it does not: the same of the person, and no group that is not there.
fn says_no_more(first: &Value, second: &Value) -> bool {
    let has = |enrolment: &Value| first["enrolments"].as_array().is_some_and(|all| all.contains(enrolment));
    says_the_same(first, second) && second["enrolments"].as_array().into_iter().flatten().all(has)
}

fn says_the_same(first: &Value, second: &Value) -> bool {
    let said = second["profile"].as_object();
    said.into_iter().flatten().all(|(name, value)| first["profile"][name] == *value)
}

/// A second line of one person brings another group, and nothing else that is new.
fn join(first: &mut Value, second: &Value) -> Result<(), String> {
    let line = first["line"].clone();
    if !says_the_same(first, second) {
        return Err(format!("line {line} has the same, with something else in other columns"));
    }
    let (Some(enrolments), Some(more)) = (first["enrolments"].as_array_mut(), second["enrolments"].as_array()) else {
        return Ok(());
    };
    if enrolments.len() + more.len() > membership::LINE_ENROLMENTS_MAX {
        return Err(format!("line {line} has the same, and no more groups are possible"));
    }
    enrolments.extend(more.iter().cloned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn read(text: &[u8]) -> Result<Lines, FileError> {
        super::read(text, &CsvForm::default(), &LocalDay::new("2026-06-01".parse().unwrap(), TimeZone::UTC))
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column_and_never_said_again() {
        let head = "alias,email,year_of_birth,gender,emergency_name,emergency_phone,group,starts_on\n";
        for (line, column) in [
            ("a,zq,,,,,,", "email"),
            ("a,,zq,,,,,", "year_of_birth"),
            ("a,,1800,,,,,", "year_of_birth"),
            ("a,,,zq,,,,", "gender"),
            ("a,,,,zq,,,", "emergency_phone"),
            ("a,,,,,1,,", "emergency_name"),
            ("a,,,,,,zq,2026-01-01", "group"),
            ("a,,,,,,018f3c7a-0000-7000-8000-000000000099,zq", "starts_on"),
            ("a,,,,,,018f3c7a-0000-7000-8000-000000000099,", "starts_on"),
            ("a,zq@zq", "year_of_birth"),
            ("a\u{1},,,,,,,", "alias"),
        ] {
            let found = read(format!("{head}b,,,,,,,\n{line}\n").as_bytes()).unwrap();
            let [wrong] = &found.wrong[..] else { panic!("{line}: {found:?}") };
            assert_eq!((wrong.line, wrong.column.as_str(), found.lines.len()), (3, column, 1), "{line}: {wrong}");
            assert!(!wrong.to_string().contains("zq"), "{wrong}");
        }
    }

    #[test]
    fn columns_are_known_and_a_file_that_names_none_is_not_quoted() {
        let error = read(b"alias,surname\n").unwrap_err().to_string();
        assert!(error.contains("`surname`") && error.contains("family_name"), "{error}");
        let error = read(b"Anna,Kowalska\n").unwrap_err().to_string();
        assert!(!error.contains("Anna") && error.contains("column 1"), "{error}");
        assert_eq!(read(b"alias,alias\n").unwrap_err(), FileError::Twice("alias".into()));
        assert_eq!(read(b"alias; Alias\n").unwrap_err(), FileError::Twice("alias".into()));
        assert!(read(b"").is_err() && read(b",,\n").is_err());
        let found = read(b"alias,email\n").unwrap();
        assert_eq!((found.lines.len(), found.wrong.len()), (0, 0), "nobody is in it");
    }

    #[test]
    fn two_lines_of_one_person_are_one_with_two_groups() {
        let (one, two) = ("018f3c7a-0000-7000-8000-000000000001", "018f3c7a-0000-7000-8000-000000000002");
        let head = "alias,external_system,external_id,group,starts_on\n";
        let found = read(format!("{head}Bee,old,7,{one},2026-01-01\n,OLD,7,{two},2026-01-01\n").as_bytes()).unwrap();
        assert_eq!((found.lines.len(), found.wrong.len()), (1, 1), "the system is written otherwise: {found:?}");
        let found = read(format!("{head}Bee,old,7,{one},2026-01-01\n,old,7,{two},2026-01-01\n").as_bytes()).unwrap();
        assert_eq!(found.lines[0].body["enrolments"].as_array().map(Vec::len), Some(2));
        assert!(found.wrong.is_empty() && found.lines.len() == 1);
    }

    #[test]
    fn a_row_in_which_nothing_stands_is_nobody() {
        for row in [
            ",,",
            " , ,\t",
            "\"\",\"\",\"\"",
            "\u{a0},\u{3000},\u{200b}",
            "\u{feff},,\u{200e}",
            " ",
            "\"\n\",,",
            "-,—,n/a",
            ",\" \",?",
        ] {
            let text = format!("\u{feff}alias,given_name,phone\nAnn,,\n{row}\n\n{row}\nBea,,");
            let found = read(text.as_bytes()).unwrap();
            assert_eq!((found.lines.len(), found.wrong.len(), found.empty), (2, 0, 3), "{row:?}: {found:?}");
            let last = text.lines().count() as u64;
            assert_eq!(found.lines[1].at, last, "{row:?}");
        }
    }

    #[test]
    fn a_cell_that_says_that_there_is_nothing_says_nothing() {
        let text = "alias,phone,email,year_of_birth\na,n/a,,\nb,none,N/A,unknown\nc,-,-,-\nd,\u{660}\u{661}\u{662} 345,,\n\
            🐝,keine,#N/A,?\nNa,,,\n";
        let found = read(text.as_bytes()).unwrap();
        assert!(found.wrong.is_empty(), "{found:?}");
        let said = |field: &str| -> Vec<bool> {
            found.lines.iter().map(|line| line.body["profile"].get(field).is_some()).collect()
        };
        assert_eq!(said("phone"), [false, false, false, true, false, false]);
        assert_eq!((said("email"), said("year_of_birth")), (vec![false; 6], vec![false; 6]));
        assert_eq!(said("alias"), [true; 6]);
    }

    #[test]
    fn a_quote_that_never_closes_loses_no_line_in_silence() {
        let found = read(b"alias,notes\nAnn,x\nBob,\"likes tea\nCid,y\nDee,z\n").unwrap();
        assert_eq!(found.lines.len(), 1);
        let wrong: Vec<_> = found.wrong.iter().map(ToString::to_string).collect();
        let said = |line: u64| {
            format!("line {line}, column (all): stands after a quote that opens in line 3 and never closes")
        };
        assert_eq!((wrong, found.torn), (vec![said(3), said(4), said(5)], true));
        for text in
            ["alias,notes\nAnn,\"tea\nBob,x\nCid,\"y\"\nDee,z\n", "alias,notes\nAnn,\"tea\nBob,x\nCid,y\"\nDee,z\n"]
        {
            let found = read(text.as_bytes()).unwrap();
            let wrong: Vec<_> = found.wrong.iter().map(|wrong| wrong.line).collect();
            assert_eq!(
                (found.lines.len(), wrong),
                (1, vec![2, 3, 4]),
                "it closes in a line of somebody else: {found:?}"
            );
        }
    }

    #[test]
    fn notes_and_addresses_can_break_lines_and_names_cannot() {
        let text =
            "alias,notes,postal_address\r\nAnn,\"likes\r\ntea, and\ncoffee\",\"1 Road\n\nTown\"\r\n\"Bo\nb\",,\r\n";
        let found = read(text.as_bytes()).unwrap();
        let profile = &found.lines[0].body["profile"];
        assert_eq!(
            (&profile["notes"], &profile["postal_address"]),
            (&json!("likes tea, and coffee"), &json!("1 Road, Town"))
        );
        let [wrong] = &found.wrong[..] else { panic!("{found:?}") };
        assert_eq!((wrong.line, wrong.column.as_str()), (7, "alias"));
        assert!(wrong.to_string().ends_with("quotes make one of lines 7 to 8"), "{wrong}");
    }

    #[test]
    fn lines_of_one_person_are_one_however_they_are_composed_and_spaced() {
        let (one, two) = ("018f3c7a-0000-7000-8000-000000000001", "018F3C7A-0000-7000-8000-000000000002");
        let head = "alias,external_system,external_id,group,starts_on\n";
        let lines =
            format!("{head}Ren\u{e9}e,\u{c9}cole,7,{one},2026-01-01\nRene\u{301}e, e\u{301}cole ,7,{two},2026-01-01\n");
        let found = read(lines.as_bytes()).unwrap();
        assert_eq!((found.lines.len(), found.wrong.len()), (1, 1), "the system is written otherwise: {found:?}");
        let lines = format!("{head}Ren\u{e9}e,old,7,{one},2026-01-01\nRene\u{301}e , old,7,{two},2026-01-01\n");
        let found = read(lines.as_bytes()).unwrap();
        assert_eq!((found.lines.len(), found.wrong.len()), (1, 0), "{found:?}");
        assert_eq!(found.lines[0].body["enrolments"][1]["group"], two.to_lowercase());
    }

    #[test]
    fn the_template_is_a_file_of_nobody_and_goes_on_with_members() {
        let template = template().unwrap();
        let found = read(template.as_bytes()).unwrap();
        assert_eq!((found.lines.len(), found.wrong.len(), found.explanations), (0, 0, 1), "{found:?}");
        assert!(TEXTS.iter().all(|name| crate::args::member_columns().contains(&format!("\n  {name} "))));
        let filled = template.replace('"', "").replace(',', ";").lines().next().unwrap().to_owned() + "\r\nBee\r\n";
        assert_eq!(read(filled.as_bytes()).unwrap().wrong.len(), 1, "cells are missing");
        let row = format!("{template}Bee{}\r\n", ",".repeat(MEMBER_COLUMNS.len() - 1));
        assert_eq!(read(row.as_bytes()).unwrap().lines.len(), 1);
    }

    #[test]
    fn nothing_that_is_sent_is_made_of_what_stands_in_a_line() {
        let found = read(b"alias\nAnn\nBob\n").unwrap();
        assert!(found.lines.iter().all(|line| line.body.get("member").is_none()), "{found:?}");
    }
}
