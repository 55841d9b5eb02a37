//! The table of attendance as files for spreadsheets.
//!
//! **Invariant:** what somebody typed is text in a spreadsheet, never a formula.

use std::{borrow::Cow, collections::HashMap};

use domain::{
    GroupId,
    meeting::{AttendanceMode, Status},
};
use rust_xlsxwriter::{Format, Workbook, XlsxError};

use crate::attendance_table::{AttendanceTable, Cell, Counts, TableMeeting};

/// Columns before those of the meetings.
const WHO: [&str; 2] = ["member", "called"];
/// Columns after them: each rate beside what it is a part of.
const COUNTS: [&str; 8] = ["held", "recorded", "came", "late", "excused", "walk_ins", "of_held", "of_recorded"];
/// What stands where somebody had a place and has no mark.
const NOT_RECORDED: &str = "not recorded";

/// What a spreadsheet would take for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// As CSV, with a first line of columns.
pub(crate) fn csv(table: &AttendanceTable) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(vec![]);
    let heads = heads(table);
    let meetings = heads.iter().map(String::as_str);
    out.write_record(WHO.into_iter().chain(meetings).chain(COUNTS).map(|cell| text(cell).into_owned()))?;
    for person in &table.people {
        let who = [person.member.to_string(), person.called.clone().unwrap_or_default()];
        let cells = person.cells.iter().map(|cell| said(*cell));
        let all = who.into_iter().chain(cells).map(|cell| text(&cell).into_owned());
        out.write_record(all.chain(counts(&person.counts).map(number)))?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

/// As XLSX, with the same columns.
pub(crate) fn xlsx(table: &AttendanceTable) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Attendance")?;
    let (plain, bold, percent) = (Format::new(), Format::new().set_bold(), Format::new().set_num_format("0%"));
    let heads = heads(table);
    let columns = WHO.into_iter().chain(heads.iter().map(String::as_str)).chain(COUNTS);
    for (column, head) in (0..).zip(columns) {
        sheet.write_string_with_format(0, column, head, &bold)?;
    }
    sheet.set_freeze_panes(1, 2)?;
    for (row, person) in (1..).zip(&table.people) {
        sheet.write_string(row, 0, person.member.to_string())?;
        sheet.write_string(row, 1, person.called.as_deref().unwrap_or_default())?;
        let mut column = 2;
        for cell in &person.cells {
            let said = said(*cell);
            if !said.is_empty() {
                sheet.write_string(row, column, said)?;
            }
            column += 1;
        }
        for (count, name) in counts(&person.counts).into_iter().zip(COUNTS) {
            if let Some(count) = count {
                let format = if name.starts_with("of_") { &percent } else { &plain };
                sheet.write_number_with_format(row, column, count, format)?;
            }
            column += 1;
        }
    }
    book.save_to_buffer()
}

/// What stands above each meeting: when, of which group if they are several, and whether it is not over.
fn heads(table: &AttendanceTable) -> Vec<String> {
    let names: HashMap<GroupId, &str> = table.groups.iter().map(|group| (group.group, group.name.as_str())).collect();
    let head = |meeting: &TableMeeting| {
        let mut head = meeting.starts_at_local.strftime("%Y-%m-%d %H:%M").to_string();
        if let ([_, _, ..], Some(name)) = (&table.groups[..], names.get(&meeting.group)) {
            head = format!("{head} {name}");
        }
        if meeting.status == Status::Held { head } else { format!("{head} (open)") }
    };
    table.meetings.iter().map(head).collect()
}

/// What a cell says.
fn said(cell: Option<Cell>) -> String {
    let Some(Cell { mark, mode, walk_in }) = cell else { return String::new() };
    let Some(mark) = mark else { return NOT_RECORDED.to_owned() };
    let more: Vec<_> = mode.map(AttendanceMode::as_str).into_iter().chain(walk_in.then_some("walk_in")).collect();
    if more.is_empty() { mark.as_str().to_owned() } else { format!("{} ({})", mark.as_str(), more.join(", ")) }
}

fn counts(counts: &Counts) -> [Option<f64>; 8] {
    let Counts { held, recorded, came, late, excused, walk_ins, of_held, of_recorded } = *counts;
    let [held, recorded, came, late, excused, walk_ins] =
        [held, recorded, came, late, excused, walk_ins].map(|count| Some(f64::from(count)));
    [held, recorded, came, late, excused, walk_ins, of_held, of_recorded]
}

fn number(count: Option<f64>) -> String {
    let Some(count) = count else { return String::new() };
    let rounded = format!("{count:.3}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a spreadsheet takes for text: an apostrophe before what it would take for a formula.
fn text(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA) { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_take_for_a_formula_is_text() {
        for name in ["=1+1", "+49 30", "-x", "@SUM(A1)", "\tx", "\r=x"] {
            assert_eq!(text(name), format!("'{name}"));
        }
        assert_eq!(text("Ann = Anna"), "Ann = Anna");
    }

    #[test]
    fn rates_are_short_and_counts_whole() {
        let numbers = [Some(0.0), Some(1.0), Some(10.0), Some(2.0 / 3.0), Some(0.5), None].map(number);
        assert_eq!(numbers, ["0", "1", "10", "0.667", "0.5", ""]);
    }
}
