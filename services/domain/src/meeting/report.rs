//! All that somebody has to say of a meeting, at once, from a page that may have been offline: marks, walk-ins, heads, and
//! what became of it.
//!
//! Each line names what it was based on: what the page showed when it was entered. Where the register says something else
//! by now, somebody else was there: the line is not done, and is told what stands. So two phones never overwrite each
//! other in silence, and one line that cannot be done keeps no other from being done.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    AttendanceCorrected, Event, HeadcountRecorded, Held, MarkRefusal, Person, Refusal, Register, end_of, entry, mark,
    open,
    undo::{says_somebody_came, taken_back},
    vocabulary::{AttendanceMode, Entry, HEADS_MAX, Headcount, MARKS_MAX, Mark, Status},
};
use crate::{MemberId, sealed::Sealed};

/// What is said of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When: a register that is needed is opened.
    pub at: Timestamp,
    /// Of members, those who walked in included.
    pub marks: Vec<ReportedMark>,
    /// How many more came.
    pub heads: Option<ReportedHeads>,
    /// What became of it: [`Status::Open`] if that is still to be said. None if nothing is said of it.
    pub outcome: Option<Status>,
    /// Why, sealed for the meeting.
    pub reason: Option<Sealed>,
}

/// A mark, as it is said.
pub type Said = (Mark, Option<AttendanceMode>);

/// What is said of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedMark {
    /// Of whom.
    pub person: Person,
    /// What the register shall say; nothing to make it not recorded.
    pub says: Option<Said>,
    /// What it said when this was entered; nothing if it was not recorded.
    pub based_on: Option<Said>,
    /// Whether they came without being on the roster.
    pub walks_in: bool,
    /// Why, sealed for each of their records; needed once the register is closed.
    pub reasons: BTreeMap<MemberId, Sealed>,
}

/// How many came without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedHeads {
    /// All of them.
    pub heads: Headcount,
    /// How many were counted when this was entered.
    pub based_on: Headcount,
}

/// What became of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It was done.
    Applied,
    /// It stood so already.
    Same,
    /// Something else stands than what it was based on: not done.
    Differs,
    /// The register is closed, and no reason was given: not done.
    ReasonNeeded,
    /// It cannot be: not done.
    Refused(Refusal),
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<T> {
    /// What became of it.
    pub became: Became,
    /// What stands now.
    pub stands: T,
}

/// The answer to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// For each mark, in their order; what the register says of the person, nothing if it is not recorded.
    pub marks: Vec<Line<Option<Entry>>>,
    /// For the heads, if any were said.
    pub heads: Option<Line<Headcount>>,
    /// For the outcome, if one was said.
    pub outcome: Option<Line<Status>>,
    /// What the meeting is now.
    pub status: Status,
}

/// The events that follow, and what is answered.
pub(super) fn report(register: &Register, report: &Report) -> Result<(Vec<Event>, Reported), Refusal> {
    let mut draft = Draft {
        register,
        entries: register.entries.clone(),
        heads: register.heads.clone(),
        status: register.status,
        events: vec![],
    };
    let mut seen = BTreeSet::new();
    let marks = report.marks.iter().map(|line| {
        // Whoever is nobody to the caller is not told to be somebody else.
        let who = line.person.records.first().filter(|_| !line.person.erased).unwrap_or(&line.person.member);
        draft.mark(line, !seen.insert(who))
    });
    let marks = marks.collect();
    let heads = report.heads.as_ref().map(|heads| draft.count(heads, report.reason.as_ref()));
    if register.status == Status::Planned
        && (!draft.events.is_empty() || matches!(report.outcome, Some(Status::Open | Status::Held)))
    {
        draft.events.splice(0..0, open(register, report.at)?);
        draft.status = Status::Open;
    }
    let outcome = report.outcome.map(|outcome| draft.end(outcome, report.reason.as_ref()));
    Ok((draft.events, Reported { marks, heads, outcome, status: draft.status }))
}

/// What a line asks of a register.
enum Step {
    Nothing,
    Differs,
    ReasonNeeded,
    Do(Vec<Event>),
}

/// A register, with what was done of a report so far.
struct Draft<'a> {
    /// As it was before: no two lines are of one person.
    register: &'a Register,
    entries: BTreeMap<MemberId, Entry>,
    heads: Headcount,
    status: Status,
    events: Vec<Event>,
}

impl Draft<'_> {
    fn mark(&mut self, line: &ReportedMark, twice: bool) -> Line<Option<Entry>> {
        let became = match self.step(line, twice) {
            Ok(Step::Nothing) => Became::Same,
            Ok(Step::Differs) => Became::Differs,
            Ok(Step::ReasonNeeded) => Became::ReasonNeeded,
            Ok(Step::Do(events)) => {
                self.apply(&events);
                self.events.extend(events);
                Became::Applied
            }
            Err(refusal) => Became::Refused(refusal),
        };
        Line { became, stands: stands(&self.entries, &line.person) }
    }

    fn step(&self, line: &ReportedMark, twice: bool) -> Result<Step, Refusal> {
        let (person, plan) = (&line.person, &self.register.plan);
        let now = line.says.map(|(mark, mode)| entry(plan, mark, mode)).transpose().map_err(Refusal::Mark)?;
        // What cannot stand in a register was not seen there.
        let based_on = line.based_on.map(|(mark, mode)| entry(plan, mark, mode)).transpose();
        let is_as_seen = based_on.is_ok_and(|based_on| self.shows(person, based_on));
        match self.register.status {
            _ if twice => Err(Refusal::Mark(MarkRefusal::Twice)),
            // Of nobody nothing is recorded either.
            _ if now.is_none() && self.shows(person, now) => Ok(Step::Nothing),
            _ if !(line.walks_in || self.register.stands(person)) => Err(Refusal::Mark(MarkRefusal::NotOnRoster)),
            _ if self.shows(person, now) => Ok(Step::Nothing),
            status @ (Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => Err(Refusal::NotOpen { status }),
            Status::Planned | Status::Open | Status::Held if is_as_seen => self.change(line, now),
            Status::Planned | Status::Open | Status::Held => Ok(Step::Differs),
        }
    }

    /// What follows for a person of whom the register says what the line was based on.
    fn change(&self, line: &ReportedMark, now: Option<Entry>) -> Result<Step, Refusal> {
        let (person, records) = (&line.person, &line.person.records);
        let is_new = person.erased || !self.register.has(records);
        match () {
            () if line.walks_in && !now.is_some_and(|now| now.mark.attended()) => {
                Err(Refusal::Mark(MarkRefusal::WalkInAbsent))
            }
            () if is_new && self.entries.len() >= MARKS_MAX => Err(Refusal::Mark(MarkRefusal::Full)),
            // Last, so that no other refusal tells somebody from nobody.
            () if person.erased => Err(Refusal::Mark(MarkRefusal::UnknownMember)),
            // Whoever walked in is added to a closed register as well: nothing that it said is changed.
            () if self.register.status == Status::Held && (!is_new || person.enrolled) => Ok(self.correct(line, now)),
            () => Ok(Step::Do(match now {
                None => taken_back(self.register, records),
                Some(now) => mark(self.register, records, now, !person.enrolled),
            })),
        }
    }

    fn correct(&self, line: &ReportedMark, now: Option<Entry>) -> Step {
        let corrected = |member| {
            let (was, reason) = (self.register.entries.get(&member).copied(), line.reasons.get(&member)?.clone());
            Some(Event::AttendanceCorrected(AttendanceCorrected { member, was, now, reason }))
        };
        let changed = self.register.to_change(&line.person.records, now);
        changed.into_iter().map(corrected).collect::<Option<_>>().map_or(Step::ReasonNeeded, Step::Do)
    }

    /// Whether this is what the register shows of the person: of several marks, the better attended; of nobody, none.
    fn shows(&self, person: &Person, entry: Option<Entry>) -> bool {
        let records = if person.erased { &[][..] } else { &person.records };
        let of_records = || records.iter().filter_map(|record| self.register.entries.get(record));
        let best = of_records().map(|entry| entry.mark).min();
        match entry {
            None => best.is_none(),
            Some(entry) => best == Some(entry.mark) && of_records().any(|other| *other == entry),
        }
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::AttendanceRecorded(now) => _ = self.entries.insert(now.member, now.entry),
                Event::AttendanceCorrected(AttendanceCorrected { member, now: Some(entry), .. }) => {
                    self.entries.insert(*member, *entry);
                }
                Event::AttendanceCorrected(AttendanceCorrected { member, now: None, .. }) => {
                    self.entries.remove(member);
                }
                Event::AttendanceTakenBack(taken) => _ = self.entries.remove(&taken.member),
                _ => {}
            }
        }
    }

    fn count(&mut self, said: &ReportedHeads, reason: Option<&Sealed>) -> Line<Headcount> {
        let (heads, based_on) = (counted(&said.heads), counted(&said.based_on));
        let became = match self.register.status {
            _ if said.heads.values().any(|heads| *heads > HEADS_MAX) => {
                let most = said.heads.values().copied().max().unwrap_or_default();
                Became::Refused(Refusal::TooManyHeads(most))
            }
            _ if heads == self.heads => Became::Same,
            status @ (Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
                Became::Refused(Refusal::NotOpen { status })
            }
            _ if based_on != self.heads => Became::Differs,
            Status::Held if reason.is_none() => Became::ReasonNeeded,
            status @ (Status::Planned | Status::Open | Status::Held) => {
                let reason = reason.filter(|_| status == Status::Held).cloned();
                self.heads.clone_from(&heads);
                self.events.push(Event::HeadcountRecorded(HeadcountRecorded { heads, reason }));
                Became::Applied
            }
        };
        Line { became, stands: self.heads.clone() }
    }

    /// What became of the meeting, if nobody has said that yet: that is changed by what is there for it.
    fn end(&mut self, to: Status, reason: Option<&Sealed>) -> Line<Status> {
        let came = || says_somebody_came(self.entries.values(), &self.heads);
        let became = match (to, self.status) {
            (to, status) if to == status && self.register.status == Status::Planned => Became::Applied,
            (to, status) if to == status => Became::Same,
            (_, Status::Held | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => Became::Differs,
            (Status::Held, Status::Open) => {
                self.events.push(Event::Held(Held {}));
                Became::Applied
            }
            (Status::Cancelled | Status::DidNotOccur, _) => match reason {
                _ if came() => Became::Refused(Refusal::AttendanceRecorded { to }),
                None => Became::ReasonNeeded,
                Some(reason) => {
                    self.events.push(end_of(to, reason));
                    Became::Applied
                }
            },
            // A meeting is planned by its calendar, and was opened above.
            (Status::Planned | Status::Open | Status::Held | Status::Unplanned, status) => {
                Became::Refused(Refusal::NotPossible { status, to })
            }
        };
        if became == Became::Applied {
            self.status = to;
        }
        Line { became, stands: self.status }
    }
}

/// What is said of a person: of several marks, the better attended.
fn stands(entries: &BTreeMap<MemberId, Entry>, person: &Person) -> Option<Entry> {
    let of_records = person.records.iter().filter_map(|record| entries.get(record).copied());
    of_records.min_by_key(|entry| entry.mark).filter(|_| !person.erased)
}

/// Without categories that have none.
fn counted(heads: &Headcount) -> Headcount {
    heads.iter().filter(|(_, heads)| **heads > 0).map(|(category, heads)| (*category, *heads)).collect()
}

#[cfg(test)]
pub(super) mod tests;
