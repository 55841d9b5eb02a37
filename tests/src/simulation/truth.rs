//! What happened, and what a report must therefore say: counted with sets, one meeting after the other.

use std::collections::{BTreeMap, HashSet};

use domain::{MemberId, ProgrammeId, group::MeetingMode, meeting::AttendanceMode};
use reporting::{Dimension, Month, ReachRow};

use super::CareTruth;

/// A meeting that was held and recorded as held.
#[derive(Debug, Clone)]
pub struct Held {
    /// Month of its local start.
    pub month: Month,
    /// Its group's programme.
    pub programme: ProgrammeId,
    /// How it met.
    pub mode: MeetingMode,
    /// Who came and how, after all corrections.
    pub came: Vec<(MemberId, AttendanceMode)>,
    /// Anonymous heads, after all corrections; a count.
    pub heads: u64,
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// All held meetings.
    pub held: Vec<Held>,
    /// What people said of how they are.
    pub care: CareTruth,
}

/// By what rows of a report differ.
type Key = (Option<Month>, Option<ProgrammeId>, Option<MeetingMode>);

/// What is known of one row while it is counted.
#[derive(Debug, Default)]
struct Cell {
    people: HashSet<MemberId>,
    fullest: u64,
    row: ReachRow,
}

impl Cell {
    fn add(&mut self, held: &Held) {
        for (member, how) in &held.came {
            self.people.insert(*member);
            self.row.attendances += 1;
            match how {
                AttendanceMode::InPerson => self.row.attendances_in_person += 1,
                AttendanceMode::Video => self.row.attendances_video += 1,
                AttendanceMode::Phone => self.row.attendances_phone += 1,
            }
        }
        self.row.meetings_held += 1;
        self.row.anonymous_heads += held.heads;
        self.fullest = self.fullest.max(held.came.len() as u64 + held.heads);
    }

    fn row(self) -> ReachRow {
        let people = self.people.len() as u64;
        ReachRow {
            people,
            reach_lower: people.max(self.fullest),
            reach_upper: people + self.row.anonymous_heads,
            ..self.row
        }
    }
}

impl Truth {
    /// The rows of a report by these dimensions, without names.
    pub fn reach(&self, by: &[Dimension]) -> Vec<ReachRow> {
        self.cells(by).into_values().collect()
    }

    fn cells(&self, by: &[Dimension]) -> BTreeMap<Key, ReachRow> {
        let mut cells = BTreeMap::<Key, Cell>::new();
        if by.is_empty() {
            cells.entry((None, None, None)).or_default();
        }
        for held in &self.held {
            let key = (
                by.contains(&Dimension::Month).then_some(held.month),
                by.contains(&Dimension::Programme).then_some(held.programme),
                by.contains(&Dimension::Mode).then_some(held.mode),
            );
            cells.entry(key).or_default().add(held);
        }
        let named = |((month, programme, mode), cell): (Key, Cell)| {
            ((month, programme, mode), ReachRow { month, programme, mode, ..cell.row() })
        };
        cells.into_iter().map(named).collect()
    }

    /// Where a report by these dimensions says something else, one sentence each. Names of programmes are not compared.
    pub fn differences(&self, by: &[Dimension], report: &[ReachRow]) -> Vec<String> {
        let mut expected = self.cells(by);
        let mut found = Vec::new();
        for row in report {
            let row = ReachRow { programme_name: None, ..row.clone() };
            match expected.remove(&(row.month, row.programme, row.mode)) {
                Some(truth) if truth == row => (),
                Some(truth) => found.push(format!("the report says {row:?}, but it was {truth:?}")),
                None => {
                    found
                        .push(format!("the report has a row for which there was no meeting, or has it twice: {row:?}"));
                }
            }
        }
        found.extend(expected.into_values().map(|truth| format!("the report lacks {truth:?}")));
        found
    }
}
