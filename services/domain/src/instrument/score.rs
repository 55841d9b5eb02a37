//! From answers to scores, exactly; and, apart from every score, which answers call for something.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Instrument,
    answers::{Answer, Answers, Given, NotAnswered},
    definition::{Definition, Item, Score, Trigger},
    names::Id,
    norms::NormSet,
    number::Number,
    scale,
};

/// All that can be read from what a person gave.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, ToSchema)]
#[schema(as = InstrumentScored)]
pub struct Scored {
    /// Each score of the instrument, by its id.
    pub scores: BTreeMap<Id, Outcome>,
    /// Whether an answer calls for somebody to look after the person now.
    pub risk: Signal,
    /// The instrument's other screens, by their ids.
    pub screens: BTreeMap<Id, Signal>,
}

/// A score, or why there is none. None is never 0.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentOutcome)]
pub enum Outcome {
    /// There is one.
    Scored(Reading),
    /// There is none.
    NotScored(NoScore),
}

/// A score, and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, ToSchema)]
#[schema(as = InstrumentReading)]
pub struct Reading {
    /// The score, exact.
    pub value: Number,
    /// The highest that it could have been. It is lower than the score's maximum if items were left out; such a score is
    /// read by no band and no cut-off, as those are for all items.
    pub of: Number,
    /// What it was made of; nothing if only the score was stated.
    pub from_items: Option<FromItems>,
    /// The band in which it is, if the norm set has bands of this score.
    pub band: Option<Id>,
    /// Of each cut-off of this score in the norm set, whether it is met.
    pub cut_offs: BTreeMap<Id, bool>,
}

/// What a score was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[schema(as = InstrumentFromItems)]
pub struct FromItems {
    /// The points of the items that were answered, added up.
    pub points: u32,
    /// How many were answered.
    pub answered: usize,
    /// How many could have been.
    pub items: usize,
}

/// Why there is no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentNoScore)]
pub enum NoScore {
    /// Not enough items were answered.
    TooFewAnswers {
        /// So many were.
        answered: usize,
        /// So many would have been enough.
        needed: usize,
    },
    /// Other scores were stated without answers, this one was not.
    NotStated,
}

/// Whether answers call for something.
///
/// There is no "no risk": an answer that calls for nothing rules nothing out (item 9 of the PHQ-9 has a sensitivity of
/// 0.69; PMC3121214).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentSignal)]
pub enum Signal {
    /// The answers to these items do.
    RaisedBy(BTreeSet<Id>),
    /// No answer does, and these items were not answered.
    NotAnswered(BTreeSet<Id>),
    /// All was answered, and no answer does.
    NotRaised,
    /// Nothing that was given could: the instrument does not ask, or only scores were stated.
    NotAvailable,
}

/// Reads what a person gave. What does not fit the instrument ([`Instrument::validate`]) is not scored.
pub fn score(instrument: &Instrument, given: &Given, norm_set: Option<&NormSet>) -> Scored {
    let scores = instrument.scores.iter().map(|score| {
        let raw = raw(instrument, score, given);
        let outcome = raw.map_or_else(Outcome::NotScored, |raw| Outcome::Scored(raw.read(score, norm_set)));
        (score.id.clone(), outcome)
    });
    let screens = instrument.screens.iter();
    Scored {
        scores: scores.collect(),
        risk: risk(instrument, given),
        screens: screens.map(|screen| (screen.id.clone(), signal(std::slice::from_ref(screen), given))).collect(),
    }
}

/// Whether an answer calls for somebody to look after the person now: [`Scored::risk`] alone.
pub fn risk(instrument: &Instrument, given: &Given) -> Signal {
    signal(&instrument.risk, given)
}

fn signal(triggers: &[Trigger], given: &Given) -> Signal {
    match given {
        Given::Answers(answers) => raised(triggers, answers),
        Given::Stated(_) => Signal::NotAvailable,
    }
}

/// A score, without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// The score, exact.
    pub value: Number,
    /// As in [`Reading::of`]: only scores that could have been as high are compared.
    pub of: Number,
}

/// The scores that [`score`] reads, in the instrument's order, and nothing of what they say: for many people at once.
pub fn values(instrument: &Instrument, given: &Given) -> Vec<Option<Value>> {
    let value = |score| raw(instrument, score, given).ok().map(|Raw { value, of, .. }| Value { value, of });
    instrument.scores.iter().map(value).collect()
}

fn raw(instrument: &Instrument, score: &Score, given: &Given) -> Result<Raw, NoScore> {
    match given {
        Given::Answers(answers) => from_answers(instrument, score, answers),
        Given::Stated(values) => stated(score, values),
    }
}

impl Scored {
    /// The score of this id, if there is one.
    pub fn reading(&self, score: &str) -> Option<&Reading> {
        match self.scores.get(score)? {
            Outcome::Scored(reading) => Some(reading),
            Outcome::NotScored(_) => None,
        }
    }
}

/// A score that nobody has compared with anything yet.
struct Raw {
    value: Number,
    of: Number,
    from_items: Option<FromItems>,
}

fn stated(score: &Score, values: &BTreeMap<Id, Number>) -> Result<Raw, NoScore> {
    let value = *values.get(&score.id).ok_or(NoScore::NotStated)?;
    Ok(Raw { value, of: score.range.max, from_items: None })
}

fn from_answers(definition: &Definition, score: &Score, answers: &Answers) -> Result<Raw, NoScore> {
    let concerned = |id: &&Id| !is_left_out(score, id, answers);
    let items: Vec<&Item> = score.items.iter().filter(concerned).filter_map(|id| definition.item(id)).collect();
    let points: Vec<u32> = items.iter().filter_map(|item| points(item, answers.get(&item.id)?)).collect();
    let from_items = FromItems { points: points.iter().sum(), answered: points.len(), items: items.len() };
    let may_be_missing = score.missing.as_ref().map_or(0, |missing| usize::from(missing.most));
    let needed = items.len().saturating_sub(may_be_missing).max(1);
    if from_items.answered < needed {
        return Err(NoScore::TooFewAnswers { answered: from_items.answered, needed });
    }
    let prorated = score.missing.as_ref().is_some_and(|missing| missing.prorated);
    let total = Number::from(from_items.points);
    let total = if prorated { (total * scale::count(&items)).over(scale::count(&points)) } else { total };
    let value = scale::scaled(score, &items, total).expect("a checked table has every sum");
    // The range of a score is what all of its items can reach: that is checked.
    let all = items.len() == score.items.len();
    let of = if all { score.range.max } else { scale::reach(score, &items).expect("a checked table has every sum").1 };
    Ok(Raw { value, of, from_items: Some(from_items) })
}

fn is_left_out(score: &Score, id: &Id, answers: &Answers) -> bool {
    let may_be = score.left_out.as_ref().is_some_and(|left_out| left_out.items.contains(id));
    may_be && answers.get(id) == Some(&Answer::NotAnswered(NotAnswered::NotShown))
}

/// The points of an answer; none if it counts as missing.
fn points(item: &Item, answer: &Answer) -> Option<u32> {
    let raw = match answer {
        Answer::Answered(raw) => *raw,
        Answer::Circled(raws) => item.circled.read(raws)?,
        Answer::NotAnswered(_) => return None,
    };
    item.points_of(raw).map(u32::from)
}

impl Raw {
    fn read(self, score: &Score, norm_set: Option<&NormSet>) -> Reading {
        let Self { value, of, from_items } = self;
        let norm_set = norm_set.filter(|_| of == score.range.max);
        let cut_offs = norm_set.iter().flat_map(|set| &set.cut_offs).filter(|cut_off| cut_off.score == score.id);
        Reading {
            value,
            of,
            from_items,
            band: norm_set.and_then(|set| set.band(&score.id, value)).map(|band| band.id.clone()),
            cut_offs: cut_offs
                .map(|cut_off| (cut_off.id.clone(), cut_off.compare.holds(value, cut_off.value)))
                .collect(),
        }
    }
}

fn raised(triggers: &[Trigger], answers: &Answers) -> Signal {
    if triggers.is_empty() {
        return Signal::NotAvailable;
    }
    let (mut by, mut blank) = (BTreeSet::new(), BTreeSet::new());
    for trigger in triggers {
        for item in &trigger.items {
            match answers.get(item) {
                Some(answer) if trigger.is_met(answer) => _ = by.insert(item.clone()),
                None | Some(Answer::NotAnswered(_)) => _ = blank.insert(item.clone()),
                Some(Answer::Answered(_) | Answer::Circled(_)) => {}
            }
        }
    }
    match (by.is_empty(), blank.is_empty()) {
        (false, _) => Signal::RaisedBy(by),
        (true, false) => Signal::NotAnswered(blank),
        (true, true) => Signal::NotRaised,
    }
}

impl Trigger {
    /// Of several numbers that are circled, one is enough.
    fn is_met(&self, answer: &Answer) -> bool {
        let meets = |raw: &u8| self.compare.holds(*raw, self.answer);
        match answer {
            Answer::Answered(raw) => meets(raw),
            Answer::Circled(raws) => raws.iter().any(meets),
            Answer::NotAnswered(_) => false,
        }
    }
}
