//! A CSV file of check-ins: a line for each, or a line for each person with a column for each time.

use domain::{
    GroupId, LocalDay, MemberId,
    instrument::{self, Language, NotAnswered, Number},
    member::ExternalId,
};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::csv_file::{self, Cells, Fault, FileError, Known, Line, Lines, both, same_column};
use crate::args::{CsvForm, Day, Reading, TIMES_MAX};

const NAMES: &[&str] =
    &["member", "external_system", "external_id", "instrument", "version", "taken_on", "language", "group", "score"];
/// Columns of scores and answers, by the ids that the instrument gives them.
const BEGINNINGS: &[&str] = &["score.", "answer."];
/// Which score `score` is.
const TOTAL: &str = "total";

/// What the file calls a field of the API.
pub(crate) fn column(line: &Line, field: &str) -> String {
    let is_value = field == "on" || field.starts_with("given");
    match (&line.column, field.strip_prefix("given.stated."), field.strip_prefix("given.answers.")) {
        (Some(column), ..) if is_value => column.clone(),
        (_, Some(TOTAL), _) => "score".into(),
        (_, Some(score), _) => format!("score.{score}"),
        (_, _, Some(item)) => format!("answer.{item}"),
        _ if field == "on" => "taken_on".into(),
        _ if field == "given" => "score, answer.…".into(),
        _ => field.into(),
    }
}

/// Reads a file of check-ins, as of `today`.
///
/// # Errors
/// If its first line does not name columns, or not those that `reading` speaks of.
pub(crate) fn read(bytes: &[u8], form: &CsvForm, reading: &Reading, today: &LocalDay) -> Result<Lines, FileError> {
    let mut lines = Vec::new();
    let each = |at, cells: &Cells<'_>| {
        let mut cells = cells.clone();
        cells.extend(reading.set.iter().map(|(column, value)| (column.as_str(), value.as_str())));
        cells.retain(|column, _| !reading.ignore.iter().any(|ignored| same_column(ignored, column)));
        match check_ins(at, &cells, reading, today) {
            Ok(some) => {
                let (good, faults): (Vec<_>, Vec<_>) = some.into_iter().partition(Result::is_ok);
                lines.extend(good.into_iter().flatten());
                faults.into_iter().filter_map(Result::err).collect()
            }
            Err(fault) => vec![fault],
        }
    };
    let read = csv_file::read(bytes, form, |names| columns(names, reading), each)?;
    Ok(Lines { lines, ..read })
}

/// The columns of the file, by our names.
fn columns(names: &[String], reading: &Reading) -> Result<Vec<String>, FileError> {
    if reading.time.len() > TIMES_MAX {
        return Err(FileError::Times);
    }
    let times = || reading.time.iter().map(|(column, _)| column);
    let is_there = |named: &str| names.iter().any(|name| same_column(name, named));
    if let Some(missing) = times().chain(&reading.ignore).find(|named| !is_there(named)) {
        return Err(FileError::Missing(missing.clone()));
    }
    let known: Vec<_> = NAMES.iter().copied().chain(times().chain(&reading.ignore).map(String::as_str)).collect();
    for (set, _) in &reading.set {
        Known { names: NAMES, beginnings: BEGINNINGS }.columns(std::slice::from_ref(set))?;
        if is_there(set) {
            return Err(FileError::Twice(set.clone()));
        }
    }
    Known { names: &known, beginnings: BEGINNINGS }.columns(names)
}

/// The check-ins of one line of the file; none where nothing was answered.
fn check_ins(
    at: u64,
    cells: &Cells<'_>,
    reading: &Reading,
    today: &LocalDay,
) -> Result<Vec<Result<Line, Fault>>, Fault> {
    let whole = given(cells)?;
    let times: Vec<_> = reading.time.iter().filter(|(column, _)| cells.contains_key(column.as_str())).collect();
    if whole.is_none() && times.is_empty() {
        return Ok(vec![]);
    }
    let mut base = who(cells)?;
    let one = |column: &str| cells.get(column).copied().ok_or_else(|| (column.to_owned(), "is empty".to_owned()));
    base.insert("instrument".into(), parsed::<instrument::Id>("instrument", one("instrument")?)?);
    for column in ["version", "language", "group"] {
        let Some(value) = cells.get(column) else { continue };
        let value = match column {
            "version" => parsed::<u16>(column, value),
            "language" => parsed::<Language>(column, value),
            _ => parsed::<GroupId>(column, value),
        };
        base.insert(column.into(), value?);
    }
    let taken_on = cells.get("taken_on").map(|day| day.parse::<Date>()).transpose();
    let taken_on = taken_on.map_err(|_| ("taken_on".to_owned(), "must be a day such as 2026-01-31".to_owned()))?;
    let line = |number: u64, column: Option<&str>, on: Option<Date>, given: Value| {
        let place = || column.unwrap_or("taken_on").to_owned();
        let on = on.ok_or_else(|| ("taken_on".to_owned(), "is empty".to_owned()))?;
        if on > today.date() {
            return Err((place(), "is in the future".into()));
        }
        let mut body = base.clone();
        body.extend([("line".into(), number.into()), ("on".into(), json!(on)), ("given".into(), given)]);
        Ok(Line { at, column: column.map(str::to_owned), body: Value::Object(body) })
    };
    let mut all: Vec<_> = whole.into_iter().map(|given| line(number(at, 0, reading), None, taken_on, given)).collect();
    for (nth, (column, day)) in (1..).zip(times) {
        let given = score(column, cells[column.as_str()]).map(|value| json!({ "stated": { TOTAL: value } }));
        let on = match day {
            Day::On(day) => Some(*day),
            Day::After(span) => taken_on.and_then(|on| on.checked_add(*span).ok()),
        };
        all.push(given.and_then(|given| line(number(at, nth, reading), Some(column), on, given)));
    }
    Ok(all)
}

/// The number by which the server names it: that of the line, unless a line is several.
fn number(at: u64, nth: u64, reading: &Reading) -> u64 {
    if reading.time.is_empty() { at } else { at * (1 + TIMES_MAX as u64) + nth }
}

/// Whom it is about.
fn who(cells: &Cells<'_>) -> Result<Map<String, Value>, Fault> {
    let mut who = Map::new();
    if let Some(member) = cells.get("member") {
        who.insert("member".into(), parsed::<MemberId>("member", member)?);
    }
    if let Some((system, value)) = both(cells, "external_system", "external_id")? {
        let id = json!({ "system": system, "value": value });
        let id: ExternalId =
            serde_json::from_value(id).map_err(|error| ("external_id".to_owned(), web::scrubbed(&error)))?;
        who.insert("external_id".into(), json!(id));
    }
    if who.is_empty() { Err(("external_id".into(), "is empty, and so is member".into())) } else { Ok(who) }
}

/// What was answered, or the scores; none if nothing.
fn given(cells: &Cells<'_>) -> Result<Option<Value>, Fault> {
    let (mut scores, mut answers) = (Map::new(), Map::new());
    for (column, value) in cells {
        if let Some(item) = column.strip_prefix("answer.") {
            parsed::<instrument::Id>(column, item)?;
            answers.insert(item.into(), answer(column, value)?);
        } else if let Some(id) = column.strip_prefix("score.").or((*column == "score").then_some(TOTAL)) {
            parsed::<instrument::Id>(column, id)?;
            if scores.insert(id.into(), score(column, value)?).is_some() {
                return Err(((*column).into(), "is there twice".into()));
            }
        }
    }
    match (scores.is_empty(), answers.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Ok(Some(json!({ "answers": answers }))),
        (false, true) => Ok(Some(json!({ "stated": scores }))),
        (false, false) => {
            Err(("score".into(), "must be empty where there are answers: it is computed from them".into()))
        }
    }
}

fn answer(column: &str, value: &str) -> Result<Value, Fault> {
    let raw = value.parse::<Number>().ok().and_then(|number| u8::try_from(number.whole()?).ok());
    if let Some(raw) = raw {
        return Ok(json!(raw));
    }
    serde_json::from_value::<NotAnswered>(json!(value))
        .map(|why| json!(why))
        .map_err(|_| (column.to_owned(), "must be a number, `declined`, `not_shown` or `not_reached`".to_owned()))
}

fn score(column: &str, value: &str) -> Result<Value, Fault> {
    parsed::<Number>(column, value)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display> + serde::Serialize>(
    column: &str,
    value: &str,
) -> Result<Value, Fault> {
    value.parse::<T>().map(|value| json!(value)).map_err(|error| (column.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::args::Columns;

    fn pairs(text: &[(&str, &str)]) -> Vec<(String, String)> {
        text.iter().map(|(left, right)| ((*left).to_owned(), (*right).to_owned())).collect()
    }

    fn reading() -> Reading {
        Reading { set: vec![], time: vec![], ignore: vec![] }
    }

    fn read(text: &str, reading: &Reading) -> Result<Lines, FileError> {
        written(text, &CsvForm::default(), reading)
    }

    fn written(text: &str, form: &CsvForm, reading: &Reading) -> Result<Lines, FileError> {
        super::read(text.as_bytes(), form, reading, &LocalDay::new("2026-06-01".parse().unwrap(), TimeZone::UTC))
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column_and_never_said_again() {
        let head = "member,external_system,external_id,instrument,version,taken_on,language,group,score,answer.9\n";
        for (line, column) in [
            ("zq,,,phq-9,,2026-01-01,,,1,", "member"),
            (",old,,phq-9,,2026-01-01,,,1,", "external_id"),
            (",,,phq-9,,2026-01-01,,,1,", "external_id"),
            (",old,7,,,2026-01-01,,,1,", "instrument"),
            (",old,7,ZQ,,2026-01-01,,,1,", "instrument"),
            (",old,7,phq-9,zq,2026-01-01,,,1,", "version"),
            (",old,7,phq-9,,zq,,,1,", "taken_on"),
            (",old,7,phq-9,,,,,1,", "taken_on"),
            (",old,7,phq-9,,2026-06-02,,,1,", "taken_on"),
            (",old,7,phq-9,,2026-01-01,ZQ,,1,", "language"),
            (",old,7,phq-9,,2026-01-01,,zq,1,", "group"),
            (",old,7,phq-9,,2026-01-01,,,zq,", "score"),
            (",old,7,phq-9,,2026-01-01,,,,zq", "answer.9"),
            (",old,7,phq-9,,2026-01-01,,,1,1", "score"),
            (",old,7,phq-9", "version"),
        ] {
            let found = read(&format!("{head},old,1,phq-9,,2026-01-01,,,1,\n{line}\n"), &reading()).unwrap();
            let [wrong] = &found.wrong[..] else { panic!("{line}: {found:?}") };
            assert_eq!((wrong.line, wrong.column.as_str(), found.lines.len()), (3, column, 1), "{line}: {wrong}");
            assert!(!wrong.to_string().to_lowercase().contains("zq"), "{wrong}");
        }
    }

    #[test]
    fn a_line_has_answers_or_scores_and_a_row_without_either_is_none() {
        let text = "external_system,external_id,instrument,taken_on,score,answer.1,answer.2\n\
            old,1,phq-9,2026-01-01,9.0,,\nold,1,phq-9,2026-01-02,,2,declined\nold,1,phq-9,2026-01-03,,,\n";
        let found = read(text, &reading()).unwrap();
        let given: Vec<_> = found.lines.iter().map(|line| line.body["given"].clone()).collect();
        assert_eq!(given, [json!({ "stated": { "total": 9 } }), json!({ "answers": { "1": 2, "2": "declined" } })]);
        assert!(found.wrong.is_empty());
    }

    #[test]
    fn a_row_for_each_person_with_a_column_for_each_time_is_a_check_in_for_each() {
        let time = |column: &str, day: &str| (column.to_owned(), day.parse().unwrap());
        let reading = Reading {
            set: pairs(&[("external_system", "old"), ("instrument", "bdi-ii")]),
            time: vec![time("pre", "0 days"), time("later", "2 months"), time("end", "2025-12-01")],
            ignore: vec!["sex".into()],
        };
        let columns = Columns(pairs(&[("patient", "external_id"), ("began", "taken_on")]));
        let form = CsvForm { columns: vec![columns], ..CsvForm::default() };
        let text = "Patient,sex,Began,Pre,later,end\n1,f,2025-01-31,20,10,5\n2,m,2025-02-01,zq,,4\n";
        let found = written(text, &form, &reading).unwrap();
        let days: Vec<_> = found.lines.iter().map(|line| line.body["on"].as_str().unwrap()).collect();
        assert_eq!(days, ["2025-01-31", "2025-03-31", "2025-12-01", "2025-12-01"]);
        assert_eq!(found.wrong.len(), 1);
        assert_eq!((found.wrong[0].line, found.wrong[0].column.as_str()), (3, "pre"));
        let numbers: std::collections::BTreeSet<_> =
            found.lines.iter().map(|line| line.body["line"].as_u64()).collect();
        assert_eq!(numbers.len(), 4, "each has a number of its own");
        assert_eq!(column(&found.lines[1], "given.stated.total"), "later");
        assert_eq!(written("patient,began\n", &form, &reading).unwrap_err(), FileError::Missing("pre".into()));
    }
}
