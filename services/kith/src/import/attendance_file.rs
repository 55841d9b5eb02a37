//! A CSV file of attendance: a line for each mark, or a line for each person with a column for each date.

use std::cell::Cell;

use domain::{
    GroupId, LocalDay, MemberId,
    meeting::{AttendanceMode, Mark},
    member::ExternalId,
};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::csv_file::{self, Cells, Fault, FileError, Known, Line, Lines, both, same_column};
use crate::args::{AttendanceTable, CsvForm, DateFormat};

const NAMES: &[&str] = &["member", "external_system", "external_id", "email", "phone", "group", "date", "mark", "mode"];
/// Columns of the table that Kith writes, which say nothing that is imported.
const OF_OUR_TABLE: &[&str] =
    &["called", "held", "recorded", "came", "late", "excused", "walk_ins", "of_held", "of_recorded"];
/// What our table says where nothing is recorded.
const NOT_RECORDED: &str = "not recorded";
/// Most columns of dates, a count: more than a year of days.
pub(super) const DATES_MAX: usize = 500;

/// What the file calls a field of the API.
pub(crate) fn column(line: &Line, field: &str) -> String {
    match (&line.column, field) {
        (Some(column), "on" | "mark" | "mode") => column.clone(),
        (None, "on") => "date".into(),
        (_, "contact") => "email".into(),
        _ => field.into(),
    }
}

/// Reads a file of attendance, as of `today`; answers also how many columns of dates it has.
///
/// # Errors
/// If its first line does not name columns, or one that nobody knows.
pub(crate) fn read(
    bytes: &[u8],
    form: &CsvForm,
    table: &AttendanceTable,
    today: &LocalDay,
) -> Result<(Lines, usize), FileError> {
    let (mut lines, dates) = (Vec::new(), Cell::new(0));
    let each = |at, cells: &Cells<'_>| {
        let mut cells = cells.clone();
        cells.retain(|column, _| {
            !OF_OUR_TABLE.contains(column) && !table.ignore.iter().any(|one| same_column(one, column))
        });
        let mut faults = vec![];
        for found in marks(at, &cells, table, today) {
            match found {
                Ok(line) => lines.push(line),
                Err(fault) => faults.push(fault),
            }
        }
        faults
    };
    let columns = |names: &[String]| {
        let days: Vec<_> = names.iter().filter_map(|name| Some((name, heading(name, table.date_format)?))).collect();
        // It is asked for each sign that may stand between cells.
        dates.set(days.len().max(dates.get()));
        for (n, (name, day)) in days.iter().enumerate() {
            if days[..n].iter().any(|(_, other)| other == day) {
                return Err(FileError::Twice((*name).clone()));
            }
        }
        let days = days.iter().map(|(name, _)| name.as_str());
        let ignored = table.ignore.iter().map(String::as_str);
        let known: Vec<_> = NAMES.iter().chain(OF_OUR_TABLE).copied().chain(days).chain(ignored).collect();
        Known { names: &known, beginnings: &[] }.columns(names)
    };
    let read = csv_file::read(bytes, form, columns, each)?;
    Ok((Lines { lines, ..read }, dates.get()))
}

/// The day that a column is of, if its name begins with one: our table says the time and the group after it.
fn heading(name: &str, format: DateFormat) -> Option<Date> {
    day(name.split_whitespace().next()?, format)
}

/// A date as ISO 8601 has it, or as the file is said to.
fn day(text: &str, format: DateFormat) -> Option<Date> {
    let parts: Vec<_> = text.split(['-', '.', '/']).collect();
    let [one, two, three] = parts[..] else { return None };
    let is_number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (year, month, day) = match format {
        _ if is_number(one, 4..=4) => (one, two, three),
        DateFormat::Iso => return None,
        DateFormat::DayMonthYear => (three, two, one),
        DateFormat::MonthDayYear => (three, one, two),
    };
    let is_iso_only = is_number(one, 4..=4) && (!text.contains('-') || two.len() != 2 || three.len() != 2);
    if is_iso_only || !is_number(year, 4..=4) || !is_number(month, 1..=2) || !is_number(day, 1..=2) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// The marks of one line of the file.
fn marks(at: u64, cells: &Cells<'_>, table: &AttendanceTable, today: &LocalDay) -> Vec<Result<Line, Fault>> {
    let base = match base(cells, table) {
        Ok(base) => base,
        Err(fault) => return vec![Err(fault)],
    };
    let line = |nth: u64, column: Option<&str>, on: Date, said: Said| {
        let place = || column.unwrap_or("date").to_owned();
        if on > today.date() {
            return Err((place(), "is in the future".into()));
        }
        let mut body = base.clone();
        let number = at * (1 + DATES_MAX as u64) + nth;
        body.extend([("line".into(), number.into()), ("on".into(), json!(on)), ("mark".into(), json!(said.mark))]);
        body.extend(said.mode.map(|mode| ("mode".into(), json!(mode))));
        if said.walk_in {
            body.insert("walk_in".into(), true.into());
        }
        Ok(Line { at, column: column.map(str::to_owned), body: Value::Object(body) })
    };
    let wide = cells.iter().filter_map(|(column, cell)| Some((*column, *cell, heading(column, table.date_format)?)));
    let mut all: Vec<_> = (1..)
        .zip(wide)
        .filter_map(|(nth, (column, cell, on))| match said(column, cell, table) {
            Ok(None) => None,
            Ok(Some(said)) => Some(line(nth, Some(column), on, said)),
            Err(fault) => Some(Err(fault)),
        })
        .collect();
    match (cells.get("date"), cells.get("mark")) {
        (None, None) => {
            if let Some(mode) = cells.get("mode") {
                all.push(Err(("mode".into(), format!("is {} letters, but mark is empty", mode.len()))));
            }
        }
        (Some(on), Some(mark)) => all.push(long(on, mark, cells, table).and_then(|(on, said)| line(0, None, on, said))),
        (None, Some(_)) => all.push(Err(("date".into(), "is empty, but mark is not".into()))),
        (Some(_), None) => all.push(Err(("mark".into(), "is empty, but date is not".into()))),
    }
    all
}

fn long(on: &str, mark: &str, cells: &Cells<'_>, table: &AttendanceTable) -> Result<(Date, Said), Fault> {
    let on = day(on, table.date_format).ok_or_else(|| ("date".to_owned(), table.date_format.wants().to_owned()))?;
    let said =
        said("mark", mark, table)?.ok_or_else(|| ("mark".to_owned(), "says that nothing is recorded".to_owned()))?;
    let mode = cells.get("mode").map(|mode| word::<AttendanceMode>("mode", mode)).transpose()?;
    Ok((on, Said { mode: mode.or(said.mode), ..said }))
}

/// What is the same of all marks of a line: who, and in which group.
fn base(cells: &Cells<'_>, table: &AttendanceTable) -> Result<Map<String, Value>, Fault> {
    let mut base = Map::new();
    if let Some(member) = cells.get("member") {
        base.insert("member".into(), parsed::<MemberId>("member", member)?);
    }
    if let Some((system, value)) = both(cells, "external_system", "external_id")? {
        let id = json!({ "system": system, "value": value });
        let id: ExternalId =
            serde_json::from_value(id).map_err(|error| ("external_id".to_owned(), web::scrubbed(&error)))?;
        base.insert("external_id".into(), json!(id));
    }
    let contact: Map<_, _> = ["email", "phone"]
        .into_iter()
        .filter_map(|column| Some((column.to_owned(), json!(cells.get(column)?))))
        .collect();
    if !contact.is_empty() {
        base.insert("contact".into(), contact.into());
    }
    if base.is_empty() {
        return Err(("external_id".into(), "is empty, and so are member, email and phone".into()));
    }
    let group = match (cells.get("group"), table.group) {
        (Some(group), None) => parsed::<GroupId>("group", group)?,
        (None, Some(group)) => json!(group),
        (Some(_), Some(_)) => return Err(("group".into(), "must be empty where --group says it".into())),
        (None, None) => return Err(("group".into(), "is empty, and there is no --group".into())),
    };
    base.insert("group".into(), group);
    for (field, asked) in [("walk_in", table.walk_ins), ("extra_meeting", table.extra_meetings)] {
        if asked {
            base.insert(field.into(), true.into());
        }
    }
    Ok(base)
}

/// What a cell says.
struct Said {
    mark: Mark,
    mode: Option<AttendanceMode>,
    walk_in: bool,
}

/// A mark, and after it in brackets, as in our table, how somebody took part and whether they walked in.
fn said(column: &str, cell: &str, table: &AttendanceTable) -> Result<Option<Said>, Fault> {
    if let Some((_, mark)) = table.mark.iter().find(|(theirs, _)| theirs == cell) {
        return Ok(mark.map(|mark| Said { mark, mode: None, walk_in: false }));
    }
    if cell == NOT_RECORDED {
        return Ok(None);
    }
    let (mark, brackets) = match cell.split_once(" (") {
        Some((mark, rest)) => (mark, rest.strip_suffix(')').unwrap_or(rest)),
        None => (cell, ""),
    };
    let mut said = Said { mark: word(column, mark)?, mode: None, walk_in: false };
    for part in brackets.split(", ").filter(|part| !part.is_empty()) {
        match part {
            "walk_in" => said.walk_in = true,
            mode => said.mode = Some(word(column, mode)?),
        }
    }
    Ok(Some(said))
}

/// One of our words, in any case.
fn word<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    let what = if column == "mode" {
        "must be in_person, video or phone"
    } else {
        "must be present, late, excused or absent; say --mark x=present for other words"
    };
    serde_json::from_value(json!(text.to_lowercase())).map_err(|_| (column.to_owned(), what.to_owned()))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display> + serde::Serialize>(
    column: &str,
    value: &str,
) -> Result<Value, Fault> {
    value.parse::<T>().map(|value| json!(value)).map_err(|error| (column.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::{civil::date, tz::TimeZone};

    use super::*;

    fn table() -> AttendanceTable {
        AttendanceTable {
            group: "018f3c7a-0000-7000-8000-000000000001".parse().ok(),
            date_format: DateFormat::Iso,
            mark: vec![],
            ignore: vec![],
            walk_ins: false,
            extra_meetings: false,
        }
    }

    fn read(text: &str, table: &AttendanceTable) -> Result<(Lines, usize), FileError> {
        super::read(
            text.as_bytes(),
            &CsvForm::default(),
            table,
            &LocalDay::new("2026-06-01".parse().unwrap(), TimeZone::UTC),
        )
    }

    #[test]
    fn a_day_is_read_as_it_is_said_to_be_and_never_guessed() {
        use DateFormat::{DayMonthYear, Iso, MonthDayYear};
        let april = Some(date(2026, 4, 3));
        for format in [Iso, DayMonthYear, MonthDayYear] {
            assert_eq!(day("2026-04-03", format), april);
            for wrong in ["2026/04/03", "2026-4-3", "03/04/26", "3 April 2026", "03/04", "2026-04-31", "", "x"] {
                assert_eq!(day(wrong, format), None, "{wrong} {format:?}");
            }
        }
        for (text, dmy, mdy) in
            [("03/04/2026", april, Some(date(2026, 3, 4))), ("31.1.2026", Some(date(2026, 1, 31)), None)]
        {
            assert_eq!((day(text, Iso), day(text, DayMonthYear), day(text, MonthDayYear)), (None, dmy, mdy));
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column_and_never_said_again() {
        let head = "member,external_system,external_id,email,date,mark,mode\n";
        let good = ",old,1,,2026-01-06,present,video\n";
        for (line, column) in [
            ("zq,,,,2026-01-06,late,", "member"),
            (",old,,,2026-01-06,late,", "external_id"),
            (",,,,2026-01-06,late,", "external_id"),
            (",old,7,,06.01.2026,late,", "date"),
            (",old,7,,2026-06-02,late,", "date"),
            (",old,7,,,late,", "date"),
            (",old,7,,2026-01-06,,", "mark"),
            (",old,7,,2026-01-06,zq,", "mark"),
            (",old,7,,2026-01-06,late,zq", "mode"),
        ] {
            let (found, _) = read(&format!("{head}{good}{line}\n"), &table()).unwrap();
            let [wrong] = &found.wrong[..] else { panic!("{line}: {found:?}") };
            assert_eq!((wrong.line, wrong.column.as_str(), found.lines.len()), (3, column, 1), "{line}: {wrong}");
            assert!(!wrong.to_string().contains("zq"), "{wrong}");
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_cell_also_our_own() {
        let ours = "member,called,2026-01-06 19:00,2026-01-13 19:00,held,of_held\n\
            018f3c7a-0000-7000-8000-000000000002,'=Ann,\"late (video, walk_in)\",not recorded,2,0.5\n";
        let (found, dates) = read(ours, &table()).unwrap();
        assert_eq!((found.lines.len(), found.wrong.len(), dates), (1, 0, 2), "{found:?}");
        let body = &found.lines[0].body;
        assert_eq!((&body["mark"], &body["mode"], &body["walk_in"]), (&json!("late"), &json!("video"), &json!(true)));
        let theirs = AttendanceTable {
            date_format: DateFormat::DayMonthYear,
            mark: vec![("x".into(), Some(Mark::Present)), ("-".into(), Some(Mark::Absent)), ("?".into(), None)],
            ignore: vec!["Name".into()],
            ..table()
        };
        let (found, _) = read("email,Name,06.01.2026,13.01.2026,20.01.2026\na@b.c,Ann,x,-,?\n", &theirs).unwrap();
        let days: Vec<_> =
            found.lines.iter().map(|line| (line.body["on"].clone(), line.body["mark"].clone())).collect();
        assert_eq!(days, [(json!("2026-01-06"), json!("present")), (json!("2026-01-13"), json!("absent"))]);
        assert_eq!(
            read("email,2026-01-06,2026-01-06 20:00\n", &table()).unwrap_err(),
            FileError::Twice("2026-01-06 20:00".into())
        );
        assert!(matches!(read("email,06.01.2026\n", &table()), Err(FileError::Unknown { number: 2, .. })));
    }
}
