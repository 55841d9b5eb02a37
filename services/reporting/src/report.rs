//! The report on reach, in the three forms it leaves in: JSON, CSV, text.
//!
//! Every form says that it is not for publication (disclosure control has not seen it), the position in the log it
//! was computed at, the unit of each column, and that people must not be added up.

use std::fmt::Write;

use csv::{Terminator, WriterBuilder};
use domain::OrgId;
use eventlog::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    facts::{Facts, FactsError},
    month::{Month, Period},
    reach::{Dimension, ReachRow},
};

/// What may be done with a report: numbers this small can be traced to people.
pub const CLASSIFICATION: &str = "internal, not for publication";
/// What must not be done with it.
pub const NOT_ADDITIVE: &str = "Never add up people or reach: the rows share people, so a sum counts some of them more \
    than once. For a wider group ask for a report on it; it counts afresh.";

/// A number of a report, and what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Measure {
    /// Name of the column.
    pub column: String,
    /// What one of it is.
    pub unit: String,
    /// Whether rows may be added up.
    pub additive: bool,
}

/// Columns: name, unit, whether rows may be added up, value.
type Column = (&'static str, &'static str, bool, fn(&ReachRow) -> u64);

const MEASURES: [Column; 9] = [
    ("people", "person", false, |row| row.people),
    ("attendances", "attendance", true, |row| row.attendances),
    ("attendances_in_person", "attendance", true, |row| row.attendances_in_person),
    ("attendances_video", "attendance", true, |row| row.attendances_video),
    ("attendances_phone", "attendance", true, |row| row.attendances_phone),
    ("meetings_held", "meeting", true, |row| row.meetings_held),
    ("anonymous_heads", "anonymous head", true, |row| row.anonymous_heads),
    ("reach_lower", "person", false, |row| row.reach_lower),
    ("reach_upper", "person", false, |row| row.reach_upper),
];

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachSpec {
    /// Whose meetings.
    pub org: OrgId,
    /// First month.
    pub from: Month,
    /// Last month, included.
    pub through: Month,
    /// A row per combination of these; of none, the total.
    pub by: Vec<Dimension>,
}

/// How many people an organisation reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachReport {
    /// Always "internal, not for publication".
    pub classification: String,
    /// What was asked.
    pub spec: ReachSpec,
    /// Everything in the log up to here is counted, and nothing after. In answers of the API it is sealed.
    pub position: String,
    /// The columns of numbers, with their units.
    pub measures: Vec<Measure>,
    /// What must not be done with the rows.
    pub note: String,
    /// The rows, by month, name of the programme, mode.
    pub rows: Vec<ReachRow>,
}

impl ReachReport {
    /// Computes the report. Blocks on the disk and the processor.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub fn compute(facts: &Facts, org: &OrgId, period: Period, by: &[Dimension]) -> Result<Self, FactsError> {
        let mut by = by.to_vec();
        by.sort_unstable();
        by.dedup();
        let reach = facts.reach(org, period, &by)?;
        let measure = |&(column, unit, additive, _): &Column| Measure {
            column: column.to_owned(),
            unit: unit.to_owned(),
            additive,
        };
        Ok(Self {
            classification: CLASSIFICATION.to_owned(),
            spec: ReachSpec { org: org.clone(), from: period.from(), through: period.through(), by },
            position: reach.position.to_string(),
            measures: MEASURES.iter().map(measure).collect(),
            note: NOT_ADDITIVE.to_owned(),
            rows: reach.rows,
        })
    }

    /// Up to where in the log it counts; none once that is sealed.
    pub fn position(&self) -> Option<Position> {
        self.position.parse().ok().map(Position)
    }

    /// The report for programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has string keys only")
    }

    /// The report for spreadsheets: RFC 4180 with a header line. The marking is a column, so that a copied row keeps
    /// it. The unit is in the header. A cell that a spreadsheet would take for a formula starts with an apostrophe
    /// (OWASP, "CSV Injection").
    pub fn to_csv(&self) -> String {
        let marked = |first: [&str; 2]| first.map(str::to_owned).into_iter();
        let units = MEASURES.iter().map(|(name, unit, ..)| format!("{name} ({unit})"));
        let header = marked(["classification", "position"]).chain(self.key_names()).chain(units);
        let mut table: Vec<Vec<String>> = vec![header.collect()];
        for row in &self.rows {
            let numbers = MEASURES.iter().map(|(.., value)| value(row).to_string());
            let line = marked([&self.classification, &self.position]).chain(self.key_of(row)).chain(numbers);
            table.push(line.collect());
        }
        let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        for line in table {
            csv.write_record(line.into_iter().map(no_formula)).expect("each line has as many cells as the header");
        }
        String::from_utf8(csv.into_inner().expect("memory takes it")).expect("texts make a text")
    }

    /// The report for a terminal, marked at both ends.
    pub fn to_text(&self) -> String {
        let ReachSpec { org, from, through, .. } = &self.spec;
        let marking = self.classification.to_uppercase();
        let mut out =
            format!("{marking}\n\nReach of {org}, {from} through {through}, as of position {}\n\n", self.position);
        let names = MEASURES.iter().map(|(name, ..)| (*name).to_owned());
        let units = MEASURES.iter().map(|(_, unit, ..)| format!("({unit})"));
        let mut table: Vec<Vec<String>> = vec![
            self.key_names().chain(names).collect(),
            self.key_names().map(|_| String::new()).chain(units).collect(),
        ];
        for row in &self.rows {
            let numbers = MEASURES.iter().map(|(.., value)| value(row).to_string());
            table.push(self.key_of(row).chain(numbers).collect());
        }
        align(&mut out, &table, self.key_names().count());
        write!(out, "\n{}\n\n{marking}\n", self.note).expect("a string takes everything");
        out
    }

    fn key_names(&self) -> impl Iterator<Item = String> {
        self.spec.by.iter().flat_map(|dimension| match dimension {
            Dimension::Programme => vec!["programme".to_owned(), "programme_name".to_owned()],
            Dimension::Month | Dimension::Mode => vec![dimension.to_string()],
        })
    }

    fn key_of(&self, row: &ReachRow) -> impl Iterator<Item = String> {
        let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        self.spec.by.iter().flat_map(move |dimension| match dimension {
            Dimension::Month => vec![text(row.month.map(String::from))],
            Dimension::Programme => {
                vec![text(row.programme.map(|id| id.to_string())), text(row.programme_name.clone())]
            }
            Dimension::Mode => vec![text(row.mode.map(|mode| mode.as_str().to_owned()))],
        })
    }
}

/// What no spreadsheet takes for a formula.
fn no_formula(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

/// Columns as wide as their widest cell: the first `keys` to the left, numbers to the right.
fn align(out: &mut String, table: &[Vec<String>], keys: usize) {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|row: &Vec<String>| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in table {
        let cell = |(column, cell): (usize, &String)| match widths[column] {
            width if column < keys => format!("{cell:<width$}"),
            width => format!("{cell:>width$}"),
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use domain::{ProgrammeId, group::MeetingMode};
    use uuid::Uuid;

    use super::*;

    fn report(name: &str) -> ReachReport {
        let month: Month = "2026-01".parse().unwrap();
        let row = ReachRow {
            month: Some(month),
            programme: Some(ProgrammeId(Uuid::nil())),
            programme_name: Some(name.to_owned()),
            mode: Some(MeetingMode::Virtual),
            people: 3,
            attendances: 12,
            attendances_video: 12,
            meetings_held: 4,
            anonymous_heads: 5,
            reach_lower: 4,
            reach_upper: 8,
            ..ReachRow::default()
        };
        let by = vec![Dimension::Month, Dimension::Programme, Dimension::Mode];
        ReachReport {
            classification: CLASSIFICATION.to_owned(),
            spec: ReachSpec { org: "north".parse().unwrap(), from: month, through: month, by },
            position: "77".into(),
            measures: vec![],
            note: NOT_ADDITIVE.to_owned(),
            rows: vec![row],
        }
    }

    #[test]
    fn every_row_of_the_csv_is_marked_and_every_number_has_its_unit() {
        let csv = report("Recovery").to_csv();
        let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
        assert!(lines[0].starts_with("classification,position,month,programme,programme_name,mode,people (person),"));
        assert_eq!(
            lines[1],
            "\"internal, not for publication\",77,2026-01,00000000-0000-0000-0000-000000000000,Recovery,virtual,\
             3,12,0,12,0,4,5,4,8"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_cell_can_be_neither_a_formula_nor_a_second_cell() {
        for (name, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@A1", "'@A1"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("plain - text", "plain - text"),
        ] {
            assert!(report(name).to_csv().contains(&format!(",{cell},")), "{name}");
        }
    }

    #[test]
    fn the_text_is_marked_at_both_ends_and_aligned() {
        let text = report("Für alle").to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), lines.last());
        assert_eq!(lines[0], "INTERNAL, NOT FOR PUBLICATION");
        assert_eq!(lines[2], "Reach of north, 2026-01 through 2026-01, as of position 77");
        let width = |line: &str| line.chars().count();
        assert_eq!(width(lines[4]), width(lines[5]));
        assert_eq!(width(lines[4]), width(lines[6]));
        assert!(text.contains(NOT_ADDITIVE));
    }

    #[test]
    fn the_json_can_be_read_back() {
        let report = report("Recovery");
        assert_eq!(serde_json::from_str::<ReachReport>(&report.to_json()).unwrap(), report);
    }
}
