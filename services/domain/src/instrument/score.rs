//! From answers to scores, exactly; and, apart from every score, which answers call for something.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Instrument,
    answers::{Answer, Answers, Given, InOrder, NotAnswered},
    definition::{Item, Score, Trigger},
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
    let said = Said::of(instrument, given);
    let scores = instrument.scores.iter().enumerate().map(|(nth, score)| {
        let raw = raw(instrument, nth, &said);
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
    all_values(instrument, &Said::of(instrument, given))
}

/// As [`values`], of what was given as it is stored: a report reads millions, and most without making a map of it.
///
/// # Errors
/// If it is not of the form of what can be given.
pub fn values_in_json(instrument: &Instrument, json: &[u8]) -> serde_json::Result<Vec<Option<Value>>> {
    match InOrder::read(json) {
        Some(answers) => Ok(all_values(instrument, &Said::Answers(placed(instrument, answers.iter())))),
        None => Ok(values(instrument, &serde_json::from_slice(json)?)),
    }
}

fn all_values(instrument: &Instrument, said: &Said<'_>) -> Vec<Option<Value>> {
    let value = |nth| raw(instrument, nth, said).ok().map(|Raw { value, of, .. }| Value { value, of });
    (0..instrument.scores.len()).map(value).collect()
}

/// What was given, as scores look it up.
enum Said<'a> {
    Answers(Placed<'a>),
    Stated(&'a BTreeMap<Id, Number>),
}

/// Answers in the order of the instrument's items; none to items that were not reached.
type Placed<'a> = Vec<Option<&'a Answer>>;

impl<'a> Said<'a> {
    fn of(instrument: &Instrument, given: &'a Given) -> Self {
        match given {
            Given::Answers(answers) => {
                let answers = answers.iter().map(|(id, answer)| (id.as_str(), answer));
                Self::Answers(placed(instrument, answers))
            }
            Given::Stated(values) => Self::Stated(values),
        }
    }
}

/// Puts answers, which come in the order of their ids, where their items stand. One to no item of the instrument is left out.
fn placed<'a, 'b>(instrument: &Instrument, answers: impl Iterator<Item = (&'b str, &'a Answer)>) -> Placed<'a> {
    let mut by_item = vec![None; instrument.items.len()];
    let mut places =
        instrument.items_by_id.iter().map(|place| (*place, instrument.items[*place].id.as_str())).peekable();
    for (id, answer) in answers {
        while places.next_if(|(_, item)| *item < id).is_some() {}
        if let Some((place, _)) = places.next_if(|(_, item)| *item == id) {
            by_item[place] = Some(answer);
        }
    }
    by_item
}

/// The score that stands in this place.
fn raw(instrument: &Instrument, nth: usize, said: &Said<'_>) -> Result<Raw, NoScore> {
    match said {
        Said::Answers(answers) => from_answers(instrument, nth, answers),
        Said::Stated(values) => stated(&instrument.scores[nth], values),
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

fn from_answers(instrument: &Instrument, nth: usize, answers: &Placed<'_>) -> Result<Raw, NoScore> {
    let score = &instrument.scores[nth];
    let mut items = Vec::with_capacity(score.items.len());
    let mut from_items = FromItems { points: 0, answered: 0, items: 0 };
    for place in &instrument.items_of_scores[nth] {
        let (item, answer) = (&instrument.items[*place], answers[*place]);
        if is_left_out(score, item, answer) {
            continue;
        }
        items.push(item);
        if let Some(points) = answer.and_then(|answer| points(item, answer)) {
            from_items.points += points;
            from_items.answered += 1;
        }
    }
    from_items.items = items.len();
    let may_be_missing = score.missing.as_ref().map_or(0, |missing| usize::from(missing.most));
    let needed = items.len().saturating_sub(may_be_missing).max(1);
    if from_items.answered < needed {
        return Err(NoScore::TooFewAnswers { answered: from_items.answered, needed });
    }
    let value = scale::scaled(score, &items, prorated(score, from_items)).expect("a checked table has every sum");
    // The range of a score is what all of its items can reach: that is checked.
    let all = items.len() == score.items.len();
    let of = if all { score.range.max } else { scale::reach(score, &items).expect("a checked table has every sum").1 };
    Ok(Raw { value, of, from_items: Some(from_items) })
}

/// The points, as if those that are missing were like the others, if the score is made so.
fn prorated(score: &Score, FromItems { points, answered, items }: FromItems) -> Number {
    let count = |count: usize| Number::from(u32::try_from(count).unwrap_or(u32::MAX));
    let missing = answered < items && score.missing.as_ref().is_some_and(|missing| missing.prorated);
    if missing { (Number::from(points) * count(items)).over(count(answered)) } else { points.into() }
}

fn is_left_out(score: &Score, item: &Item, answer: Option<&Answer>) -> bool {
    let may_be = score.left_out.as_ref().is_some_and(|left_out| left_out.items.contains(&item.id));
    may_be && answer == Some(&Answer::NotAnswered(NotAnswered::NotShown))
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
