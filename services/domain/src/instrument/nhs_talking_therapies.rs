//! What became of a course of therapy, as NHS Talking Therapies counts it: recovery, reliable improvement, reliable
//! deterioration, reliable recovery.
//!
//! Definitions: NHS Digital, "Outcomes" pages of the monthly statistics (June 2020 to May 2021); Public Health England,
//! Fingertips, glossary of common mental disorders. Thresholds are those of the instruments' cut-offs and reliable changes.

use super::{
    change::Verdict,
    definition::Direction,
    norms::{CutOff, ReliableChange},
    number::Number,
};

/// One measure of a course, with its first and its last score. A measure that lacks one of them is left out: it is not 0.
#[derive(Debug, Clone, Copy)]
pub struct Measure<'a> {
    /// Who meets it is a case.
    pub caseness: &'a CutOff,
    /// What counts as a change.
    pub reliable: &'a ReliableChange,
    /// Which way is worse.
    pub direction: Direction,
    /// The first score.
    pub first: Number,
    /// The last score.
    pub last: Number,
}

/// What is said if one measure improves reliably and another deteriorates. No source decides it, so there is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixedChange {
    /// That nothing has changed reliably.
    NoChange,
    /// Both, side by side.
    Both,
}

/// What became of a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the person, a case at the start on any measure, is at the end one on none. Nothing if they were none at the
    /// start: they are not counted among those who could recover.
    pub recovery: Option<bool>,
    /// Whether a measure has improved reliably.
    pub reliable_improvement: bool,
    /// Whether a measure has deteriorated reliably.
    pub reliable_deterioration: bool,
}

/// What became of a course; nothing can be said without a measure.
pub fn outcome(measures: &[Measure], mixed: MixedChange) -> Option<Outcome> {
    let is_case = |score: fn(&Measure) -> Number| {
        measures.iter().any(|measure| measure.caseness.compare.holds(score(measure), measure.caseness.value))
    };
    let any = |verdict| measures.iter().any(|measure| measure.verdict() == verdict);
    let (improved, deteriorated) = (any(Verdict::Improved), any(Verdict::Deteriorated));
    let counts = !(improved && deteriorated) || mixed == MixedChange::Both;
    (!measures.is_empty()).then(|| Outcome {
        recovery: is_case(|measure| measure.first).then(|| !is_case(|measure| measure.last)),
        reliable_improvement: improved && counts,
        reliable_deterioration: deteriorated && counts,
    })
}

impl Measure<'_> {
    fn verdict(&self) -> Verdict {
        self.reliable.verdict(self.direction, self.first, self.last)
    }
}

impl Outcome {
    /// Whether they recovered and improved reliably; nothing as with recovery.
    pub fn reliable_recovery(self) -> Option<bool> {
        self.recovery.map(|recovered| recovered && self.reliable_improvement)
    }
}

/// Courses that are counted. What became of those without a measure is not known; they are finished all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Courses finished: referrals that ended after two attended contacts for treatment or more.
    pub finished: u32,
    /// Of them, those of people who were not a case at the start.
    pub not_cases_at_start: u32,
    /// Of them, those that ended in recovery.
    pub recovered: u32,
    /// Of them, those that ended in reliable recovery.
    pub reliably_recovered: u32,
    /// Of them, those that ended in reliable improvement.
    pub reliably_improved: u32,
    /// Of them, those that ended in reliable deterioration.
    pub reliably_deteriorated: u32,
}

impl Tally {
    /// Counts one more finished course.
    pub fn add(&mut self, outcome: Option<Outcome>) {
        let counts = |holds: Option<bool>| u32::from(holds == Some(true));
        self.finished += 1;
        self.not_cases_at_start += counts(outcome.map(|outcome| outcome.recovery.is_none()));
        self.recovered += counts(outcome.and_then(|outcome| outcome.recovery));
        self.reliably_recovered += counts(outcome.and_then(Outcome::reliable_recovery));
        self.reliably_improved += counts(outcome.map(|outcome| outcome.reliable_improvement));
        self.reliably_deteriorated += counts(outcome.map(|outcome| outcome.reliable_deterioration));
    }

    /// Recovery, in per cent of those finished who were a case at the start.
    pub fn recovery_percent(&self) -> Option<Number> {
        percent(self.recovered, self.cases_at_start())
    }

    /// Reliable recovery, in per cent of the same.
    pub fn reliable_recovery_percent(&self) -> Option<Number> {
        percent(self.reliably_recovered, self.cases_at_start())
    }

    /// Reliable improvement, in per cent of all that are finished.
    pub fn reliable_improvement_percent(&self) -> Option<Number> {
        percent(self.reliably_improved, self.finished)
    }

    fn cases_at_start(&self) -> u32 {
        self.finished - self.not_cases_at_start
    }
}

fn percent(part: u32, whole: u32) -> Option<Number> {
    (whole > 0).then(|| Number::ratio(i64::from(part) * 100, whole.into()))
}
