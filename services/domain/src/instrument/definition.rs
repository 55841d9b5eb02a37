//! What an instrument is, as data: its items, how their answers become scores, and what is read from those.
//!
//! The form of the files in `schemas/instruments/`. What a file says as a whole is checked by [`super::check`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    names::{Id, Language, Loinc},
    norms::{NormSet, ReliableChange},
    number::Number,
    texts::{Licence, Source, Sources, Texts},
};
use crate::text::Text;

/// Most items of an instrument, a count.
pub const ITEMS_MAX: usize = 100;
/// Most scores of an instrument, a count.
pub const SCORES_MAX: usize = 20;
/// Most triggers of one kind, a count.
pub const TRIGGERS_MAX: usize = 20;
/// Most norm sets of an instrument, a count.
pub const NORM_SETS_MAX: usize = 20;
/// Most reliable changes of an instrument, a count.
pub const RELIABLE_CHANGES_MAX: usize = 40;
/// Most sources of an instrument, a count.
pub const SOURCES_MAX: usize = 50;
/// Most languages of one definition, a count.
pub const LANGUAGES_MAX: usize = 50;
/// Most notes of an instrument, a count.
pub const NOTES_MAX: usize = 20;
/// Highest number that can be answered, and most points that one answer can give.
pub const ANSWER_MAX: u8 = 100;
/// Highest factor of a score.
pub const FACTOR_MAX: u8 = 100;
/// Longest time that questions ask about, in days.
pub const PERIOD_DAYS_MAX: u16 = 366;

/// An instrument: a questionnaire whose answers can be scored. A version never changes: check-ins are for ever read with
/// the one that they were taken with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentDefinition, example = json!({
    "id": "one-question", "version": 1, "title": { "en": "How are you?" }, "language": "en",
    "licence": { "class": "a", "status": "owner_stated", "owner": "The organisation", "source": ["ours"] },
    "sources": { "ours": { "cite": "Decided by the organisation", "basis": "decided", "checked_on": "2026-11-24" } },
    "items_source": ["ours"], "items": [{ "id": "1", "min": 0, "max": 10 }],
    "scores": [{ "id": "total", "title": { "en": "Well-being" }, "items": ["1"], "combine": "sum",
        "direction": "higher_is_better", "range": { "min": 0, "max": 10, "source": ["ours"] } }],
    "stated_scores": false
}))]
pub struct Definition {
    /// Its id, the same in all versions.
    pub id: Id,
    /// Its version, from 1.
    #[schemars(range(min = 1))]
    pub version: u16,
    /// Its name, by language.
    pub title: BTreeMap<Language, Text<120>>,
    /// The language in which this file speaks of it: populations, notes, sources.
    pub language: Language,
    /// How many days back the questions ask, where all ask the same and a source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = PERIOD_DAYS_MAX))]
    pub period_days: Option<u16>,
    /// Whose it is, and what may be done with its texts.
    pub licence: Licence,
    /// What this file says and where it is from, by ids that the rest of it names.
    pub sources: BTreeMap<Id, Source>,
    /// Who says which items there are, in which order and with which answers.
    pub items_source: Sources,
    /// Its items, in the order in which they are asked.
    #[schemars(length(min = 1, max = ITEMS_MAX))]
    pub items: Vec<Item>,
    /// Its scores.
    #[schemars(length(min = 1, max = SCORES_MAX))]
    pub scores: Vec<Score>,
    /// With what scores can be compared. The first is the one to take if nobody chose another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NORM_SETS_MAX))]
    pub norm_sets: Vec<NormSet>,
    /// From which difference on two scores of a person are said to differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = RELIABLE_CHANGES_MAX))]
    pub reliable_change: Vec<ReliableChange>,
    /// Answers that call for somebody to look after the person now, whatever the scores are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TRIGGERS_MAX))]
    pub risk: Vec<Trigger>,
    /// Answers that are worth a question, and no risk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TRIGGERS_MAX))]
    pub screens: Vec<Trigger>,
    /// Whether scores can be stated without the answers that they come from, such as totals of the past.
    pub stated_scores: bool,
    /// LOINC codes, where they are confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loinc: Option<LoincCodes>,
    /// What is asked, by language: only for class A of licences. Others have files of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<Language, Texts>,
    /// What else should be known of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NOTES_MAX))]
    pub notes: Vec<Text<600>>,
}

/// A question, answered with a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentItem)]
pub struct Item {
    /// Its id.
    pub id: Id,
    /// Lowest number that can be answered.
    pub min: u8,
    /// Highest number that can be answered, at most [`ANSWER_MAX`].
    #[schemars(range(max = ANSWER_MAX))]
    pub max: u8,
    /// How many points an answer gives.
    #[serde(default)]
    pub points: Points,
    /// What is made of several numbers that were circled on paper.
    #[serde(default)]
    pub circled: Circled,
    /// Its LOINC code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loinc: Option<Loinc>,
}

/// How many points an answer gives. Answers are kept as given; they are turned here and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentPoints)]
pub enum Points {
    /// The number itself.
    #[default]
    AsGiven,
    /// The item is worded the other way round: the lowest number gives as many points as the highest is, and so on.
    Reversed,
    /// These, in the order of the numbers from the lowest up.
    Each(Vec<u8>),
}

/// What is made of several numbers that were circled on paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentCircled)]
pub enum Circled {
    /// The item counts as not answered.
    #[default]
    NotScored,
    /// Of two numbers next to each other the lower; otherwise the item counts as not answered.
    LowerOfTwoConsecutive,
}

/// A number that is made of the answers to some items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentScore)]
pub struct Score {
    /// Its id.
    pub id: Id,
    /// Its name, by language.
    pub title: BTreeMap<Language, Text<120>>,
    /// The items that it is made of.
    #[schemars(length(min = 1, max = ITEMS_MAX))]
    pub items: Vec<Id>,
    /// How their points become one number.
    pub combine: Combine,
    /// By which that is multiplied, 1 to [`FACTOR_MAX`].
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = FACTOR_MAX))]
    pub factor: u8,
    /// Which way is worse.
    pub direction: Direction,
    /// Between which numbers it is.
    pub range: Range,
    /// How many items may be missing. Without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Items that do not concern everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Its LOINC code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loinc: Option<Loinc>,
}

fn one() -> u8 {
    1
}

/// How the points of several items become one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentCombine)]
pub enum Combine {
    /// Added up.
    Sum,
    /// Their mean.
    Mean,
    /// Added up, and the sum looked up.
    Table(Table),
}

/// What a sum of points is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentTable)]
pub struct Table {
    /// One value for each sum that can be, from the lowest up.
    pub values: Vec<Number>,
    /// Where it is from.
    pub source: Sources,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentDirection)]
pub enum Direction {
    /// The higher, the worse.
    HigherIsWorse,
    /// The higher, the better.
    HigherIsBetter,
}

/// Between which numbers a score is, both included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentRange)]
pub struct Range {
    /// Lowest.
    pub min: Number,
    /// Highest.
    pub max: Number,
    /// Who says so.
    pub source: Sources,
}

/// How many items may be missing, and what is done about those that are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentMissing)]
pub struct Missing {
    /// Most of them, from 1.
    #[schemars(range(min = 1))]
    pub most: u8,
    /// Whether each counts as the mean of those that are answered; otherwise it gives no points.
    pub prorated: bool,
    /// Who says so.
    pub source: Sources,
}

/// Items that are not shown to people whom they do not concern. The score is then that of the others, its maximum is
/// lower, and it is not compared with what was found for all items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentLeftOut)]
pub struct LeftOut {
    /// Which.
    #[schemars(length(min = 1, max = ITEMS_MAX))]
    pub items: Vec<Id>,
    /// Who says so.
    pub source: Sources,
}

/// Answers that call for something: any of them does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentTrigger)]
pub struct Trigger {
    /// Its id.
    pub id: Id,
    /// The items that are looked at.
    #[schemars(length(min = 1, max = ITEMS_MAX))]
    pub items: Vec<Id>,
    /// How an answer, as given, is compared.
    pub compare: Compare,
    /// With which number.
    pub answer: u8,
    /// Who says so.
    pub source: Sources,
}

/// How a number is compared with another, which stands to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[schema(as = InstrumentCompare)]
pub enum Compare {
    /// Below it.
    #[serde(rename = "<")]
    Below,
    /// It, or below.
    #[serde(rename = "<=")]
    AtMost,
    /// It, or above.
    #[serde(rename = ">=")]
    AtLeast,
    /// Above it.
    #[serde(rename = ">")]
    Above,
}

impl Compare {
    /// Whether it is so.
    pub fn holds<T: Copy + PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::AtLeast => left >= right,
            Self::Above => left > right,
        }
    }
}

/// LOINC codes, where they are confirmed. Those of items and scores stand there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentLoincCodes)]
pub struct LoincCodes {
    /// That of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<Loinc>,
    /// Who says so, of all codes in this file.
    pub source: Sources,
}

impl Definition {
    /// The item of this id.
    pub fn item(&self, id: &Id) -> Option<&Item> {
        self.items.iter().find(|item| item.id == *id)
    }

    /// The score of this id.
    pub fn score(&self, id: &Id) -> Option<&Score> {
        self.scores.iter().find(|score| score.id == *id)
    }

    /// The norm set of this id and version.
    pub fn norm_set(&self, id: &Id, version: u16) -> Option<&NormSet> {
        self.norm_sets.iter().find(|set| set.id == *id && set.version == version)
    }
}

impl Item {
    /// How many points a number gives that was answered; none if it cannot be answered.
    pub fn points_of(&self, raw: u8) -> Option<u8> {
        if !(self.min..=self.max).contains(&raw) {
            return None;
        }
        let above = raw - self.min;
        match &self.points {
            Points::AsGiven => Some(raw),
            Points::Reversed => Some(self.max - above),
            Points::Each(points) => points.get(usize::from(above)).copied(),
        }
    }

    /// Fewest and most points that it can give.
    pub fn points_range(&self) -> (u8, u8) {
        match &self.points {
            Points::AsGiven | Points::Reversed => (self.min, self.max),
            Points::Each(points) => {
                (points.iter().copied().min().unwrap_or_default(), points.iter().copied().max().unwrap_or_default())
            }
        }
    }
}

impl Circled {
    /// The number that several circled ones stand for, if for one.
    pub fn read(self, circled: &[u8]) -> Option<u8> {
        match (self, circled) {
            (Self::LowerOfTwoConsecutive, [a, b]) if a.abs_diff(*b) == 1 => Some(*a.min(b)),
            (Self::LowerOfTwoConsecutive | Self::NotScored, _) => None,
        }
    }
}
