//! Whether two scores of a person differ, by each reliable change that the instrument has.

use schemars::JsonSchema;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Instrument,
    definition::Direction,
    names::Id,
    norms::{ChangeDirection, ChangeKind, ReliableChange},
    number::Number,
    score::Reading,
};

/// How a score has changed, by one reliable change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, ToSchema)]
#[schema(as = InstrumentChange)]
pub struct Change {
    /// By which reliable change.
    pub reliable_change: Id,
    /// The last score less the first.
    pub by: Number,
    /// That, in per cent of the first; none if the first is not above 0.
    pub percent: Option<Number>,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from a difference of two scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentVerdict)]
pub enum Verdict {
    /// It is better.
    Improved,
    /// It is worse.
    Deteriorated,
    /// It does not differ enough to say.
    NoChange,
}

/// How a score of a person has changed, by each reliable change of it. Nothing if the two were not of as many items.
pub fn changes(instrument: &Instrument, score: &Id, first: &Reading, last: &Reading) -> Vec<Change> {
    let Some(score) = instrument.score(score).filter(|_| first.of == last.of) else { return vec![] };
    let of_score = instrument.reliable_change.iter().filter(|reliable| reliable.score == score.id);
    let change = |reliable: &ReliableChange| Change {
        reliable_change: reliable.id.clone(),
        by: last.value - first.value,
        percent: percent(last.value - first.value, first.value),
        verdict: reliable.verdict(score.direction, first.value, last.value),
    };
    of_score.map(change).collect()
}

impl ReliableChange {
    /// What follows from two scores, by this reliable change.
    pub fn verdict(&self, direction: Direction, first: Number, last: Number) -> Verdict {
        let better = match direction {
            Direction::HigherIsWorse => first - last,
            Direction::HigherIsBetter => last - first,
        };
        let better = match self.kind {
            ChangeKind::Absolute => Some(better),
            ChangeKind::PercentReduction => percent(better, first),
        };
        let reaches = |difference: Number| self.compare.holds(difference, self.threshold);
        match (better, self.direction) {
            (Some(better), _) if reaches(better) => Verdict::Improved,
            (Some(better), ChangeDirection::Both) if reaches(better.negated()) => Verdict::Deteriorated,
            _ => Verdict::NoChange,
        }
    }
}

/// `part` in per cent of `whole`, if that is above 0.
fn percent(part: Number, whole: Number) -> Option<Number> {
    (whole > Number::ZERO).then(|| (part * 100_u8.into()).over(whole))
}
