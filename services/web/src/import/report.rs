//! What an import did, or would do.

use std::{borrow::Cow, collections::BTreeSet};

use domain::{CheckInId, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use super::distinct;

/// Longest answer that is kept with its lines, in bytes: it must fit into one append.
const KEPT_BYTES_MAX: usize = 512 << 10;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// Is here, with nothing new: nothing was done.
    Matched,
    /// Is here: what is new was set.
    Changed,
    /// Was not here, and is now.
    New,
    /// May be here already: left out.
    Duplicate,
    /// Nobody is here whom it could be about: left out.
    Unmatched,
    /// Cannot be done: left out.
    Rejected,
}

/// What became of a line, and of whom. Says nothing that was in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineReport {
    /// Where in the file.
    pub line: u32,
    /// What became of it.
    pub became: Became,
    /// Who it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// Which check-in it is, or which other one is there, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<CheckInId>,
    /// Who it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub possible_duplicates: Vec<MemberId>,
    /// The line before it that says the same, or something else of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_line: Option<u32>,
    /// Which field it was left out for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'static, str>>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What somebody has to look at. Not said again when the answer is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
}

impl LineReport {
    /// What became of a line.
    pub fn new(line: u32, became: Became) -> Self {
        Self {
            line,
            became,
            member: None,
            check_in: None,
            possible_duplicates: vec![],
            other_line: None,
            field: None,
            what: None,
            remark: None,
        }
    }

    /// A line that cannot be done: in which field, and why.
    pub fn rejected(line: u32, field: impl Into<Cow<'static, str>>, what: String) -> Self {
        Self { field: Some(field.into()), what: Some(what), ..Self::new(line, Became::Rejected) }
    }
}

/// What an import did, or would do; counts of lines.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ImportReport {
    /// Whether nothing was done because it was not asked for.
    pub dry_run: bool,
    /// Whether nothing was done because a line cannot be, and `on_error` is `stop`.
    pub stopped: bool,
    /// Here already, with nothing new.
    pub matched: usize,
    /// Here already, with something new.
    pub changed: usize,
    /// Not here before.
    pub new: usize,
    /// May be here already: left out.
    pub duplicate: usize,
    /// About nobody who is here: left out.
    pub unmatched: usize,
    /// Cannot be done: left out.
    pub rejected: usize,
    /// Each line, in the order in which they were sent.
    pub lines: Vec<LineReport>,
    /// Lines that are not named: an answer that is repeated names none if they were many. A count.
    pub lines_left_out: usize,
}

impl ImportReport {
    pub(super) fn of(lines: impl IntoIterator<Item = LineReport>) -> Self {
        let mut report = Self::default();
        for line in lines {
            *match line.became {
                Became::Matched => &mut report.matched,
                Became::Changed => &mut report.changed,
                Became::New => &mut report.new,
                Became::Duplicate => &mut report.duplicate,
                Became::Unmatched => &mut report.unmatched,
                Became::Rejected => &mut report.rejected,
            } += 1;
            report.lines.push(line);
        }
        report
    }

    /// Whether there is something in the file that cannot be done.
    pub(super) fn lacks_something(&self) -> bool {
        self.unmatched + self.rejected > 0
    }

    /// Whom it says to be here already; of an import that registers, new lines are about others.
    pub(super) fn named(&self, registers: bool) -> Vec<MemberId> {
        let is_new = |line: &&LineReport| registers && line.became == Became::New;
        let new: BTreeSet<_> = self.lines.iter().filter(is_new).filter_map(|line| line.member).collect();
        let all = self.lines.iter().flat_map(|line| line.possible_duplicates.iter().copied().chain(line.member));
        distinct(all.filter(|member| !new.contains(member)))
    }

    /// What is kept of it to be answered again. No remark: that somebody may be in danger stands nowhere in clear.
    pub(super) fn kept(mut self) -> Self {
        self.lines.iter_mut().for_each(|line| line.remark = None);
        let length = serde_json::to_vec(&self.lines).map_or(usize::MAX, |lines| lines.len());
        if length > KEPT_BYTES_MAX {
            self.lines_left_out = std::mem::take(&mut self.lines).len();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: u32) -> ImportReport {
        let line = |n| LineReport { remark: Some("look"), ..LineReport::new(n, Became::New) };
        ImportReport::of((0..lines).map(line))
    }

    #[test]
    fn what_is_kept_has_no_remarks_and_fits_into_one_append() {
        let few = report(10).kept();
        assert!(few.lines.len() == 10 && few.lines.iter().all(|line| line.remark.is_none()));
        let many = report(100_000).kept();
        assert_eq!((many.new, many.lines.len(), many.lines_left_out), (100_000, 0, 100_000));
        assert!(serde_json::to_vec(&many).unwrap().len() < KEPT_BYTES_MAX);
    }
}
