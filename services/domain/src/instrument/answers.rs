//! What a person answered, as given: never turned, never filled in.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use utoipa::ToSchema;

use super::{
    Instrument,
    definition::{Combine, Item, Score},
    names::Id,
    number::Number,
};

/// Most numbers that can be circled for one item, a count.
pub const CIRCLED_MAX: usize = 10;

/// What is known of one time that an instrument was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentGiven)]
pub enum Given {
    /// The answers.
    Answers(#[serde(deserialize_with = "each_once")] Answers),
    /// Only scores, by their ids, without the answers that they come from.
    Stated(#[serde(deserialize_with = "each_once")] BTreeMap<Id, Number>),
}

/// Reads a map in which nothing is said twice: of two answers to one question the one that matters could be lost.
fn each_once<'de, T: Deserialize<'de>, D: Deserializer<'de>>(map: D) -> Result<BTreeMap<Id, T>, D::Error> {
    struct Once<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Once<T> {
        type Value = BTreeMap<Id, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut all = BTreeMap::new();
            while let Some((id, said)) = map.next_entry::<Id, T>()? {
                if all.insert(id, said).is_some() {
                    return Err(M::Error::custom("must not have the same name twice"));
                }
            }
            Ok(all)
        }
    }

    map.deserialize_map(Once(PhantomData))
}

/// Answers as they stand in JSON, in the order of the items' ids, which are not copied.
pub(super) struct InOrder<'a>(Vec<(&'a str, Answer)>);

impl<'a> InOrder<'a> {
    /// Room for the answers to most instruments, a count.
    const ROOM: usize = 16;

    /// Reads what was given; none unless it is answers that stand as a [`Given`] writes them. What is none may be one that
    /// somebody else wrote: only reading it as a [`Given`] tells.
    pub fn read(json: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Standing<'a> {
            #[serde(borrow)]
            Answers(InOrder<'a>),
        }
        // It is filled up with spaces, each of which a parser would look at.
        let end = json.iter().rposition(|byte| *byte != b' ')?;
        let Standing::Answers(answers) = serde_json::from_slice(&json[..=end]).ok()?;
        Some(answers)
    }

    /// Ids of items, ascending, and the answers to them.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &Answer)> {
        self.0.iter().map(|(id, answer)| (*id, answer))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for InOrder<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ascending;

        impl<'de> Visitor<'de> for Ascending {
            type Value = InOrder<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut all: Vec<(&str, Answer)> = Vec::with_capacity(InOrder::ROOM);
                while let Some((id, answer)) = map.next_entry()? {
                    if !Id::fits(id) || all.last().is_some_and(|(last, _)| *last >= id) {
                        return Err(M::Error::custom("ids must ascend"));
                    }
                    all.push((id, answer));
                }
                Ok(InOrder(all))
            }
        }

        deserializer.deserialize_map(Ascending)
    }
}

/// The answers by the ids of items. An item that is not named was not reached.
pub type Answers = BTreeMap<Id, Answer>;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(untagged)]
#[schema(as = InstrumentAnswer)]
pub enum Answer {
    /// It was answered with this number.
    Answered(u8),
    /// Several numbers were circled on paper, at most [`CIRCLED_MAX`].
    Circled(Vec<u8>),
    /// It was not answered.
    NotAnswered(NotAnswered),
}

/// What an answer can be.
const AN_ANSWER: &str =
    "must be a number, a list of the numbers that were circled, `declined`, `not_shown` or `not_reached`";

/// Read by what stands there, not by trying one form after the other: a report opens millions. An error says nothing of what
/// that was.
impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyAnswer).map_err(|_| D::Error::custom(AN_ANSWER))
    }
}

struct AnyAnswer;

impl<'de> Visitor<'de> for AnyAnswer {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_u64<E: Error>(self, raw: u64) -> Result<Answer, E> {
        raw.try_into().map(Answer::Answered).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, why: &str) -> Result<Answer, E> {
        NotAnswered::deserialize(why.into_deserializer()).map(Answer::NotAnswered)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, circled: S) -> Result<Answer, S::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(circled)).map(Answer::Circled)
    }
}

/// Why an item was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentNotAnswered)]
pub enum NotAnswered {
    /// The person did not want to.
    Declined,
    /// The person was not asked, as it does not concern them.
    NotShown,
    /// The person stopped before it.
    NotReached,
}

/// Something that was given and does not fit the instrument. Says nothing of what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{id}` {why}")]
pub struct Invalid {
    /// Of which item or score.
    pub id: Id,
    /// What is wrong.
    pub why: Why,
}

/// Why something that was given does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The instrument has none of this id.
    #[error("is not one of the instrument")]
    Unknown,
    /// Not an answer that can be given.
    #[error("must be {min} to {max}")]
    AnswerOutOfRange {
        /// Lowest.
        min: u8,
        /// Highest.
        max: u8,
    },
    /// Not several numbers.
    #[error("must have 2 to {CIRCLED_MAX} different numbers, if several are circled")]
    Circled,
    /// The instrument's scores need answers.
    #[error("cannot be stated without its answers")]
    NotStated,
    /// Not a score that can be.
    #[error("must be {min} to {max}")]
    ScoreOutOfRange {
        /// Lowest.
        min: Number,
        /// Highest.
        max: Number,
    },
    /// Within the range of the score, but not in its table.
    #[error("is not a value of the score's table")]
    NotInTable,
}

impl Given {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Answers(answers) => answers.is_empty(),
            Self::Stated(scores) => scores.is_empty(),
        }
    }
}

impl Instrument {
    /// Whether what was given fits the instrument.
    ///
    /// # Errors
    /// All that does not.
    pub fn validate(&self, given: &Given) -> Result<(), Vec<Invalid>> {
        let invalid: Vec<_> = match given {
            Given::Answers(answers) => answers.iter().filter_map(|(id, answer)| self.misfit(id, answer)).collect(),
            Given::Stated(scores) => scores.iter().filter_map(|(id, value)| self.stated_misfit(id, *value)).collect(),
        };
        if invalid.is_empty() { Ok(()) } else { Err(invalid) }
    }

    fn misfit(&self, id: &Id, answer: &Answer) -> Option<Invalid> {
        let why = self.item(id).map_or(Some(Why::Unknown), |item| item.misfit(answer));
        why.map(|why| Invalid { id: id.clone(), why })
    }

    fn stated_misfit(&self, id: &Id, value: Number) -> Option<Invalid> {
        let why = match self.score(id) {
            None => Some(Why::Unknown),
            Some(_) if !self.stated_scores => Some(Why::NotStated),
            Some(score) => score.misfit(value),
        };
        why.map(|why| Invalid { id: id.clone(), why })
    }
}

impl Item {
    fn misfit(&self, answer: &Answer) -> Option<Why> {
        let fits = |raw: &u8| (self.min..=self.max).contains(raw);
        let out_of_range = Why::AnswerOutOfRange { min: self.min, max: self.max };
        match answer {
            Answer::Answered(raw) => (!fits(raw)).then_some(out_of_range),
            Answer::Circled(raws) if !are_several(raws) => Some(Why::Circled),
            Answer::Circled(raws) => (!raws.iter().all(fits)).then_some(out_of_range),
            Answer::NotAnswered(_) => None,
        }
    }
}

fn are_several(raws: &[u8]) -> bool {
    let different = raws.iter().enumerate().all(|(n, raw)| !raws[..n].contains(raw));
    (2..=CIRCLED_MAX).contains(&raws.len()) && different
}

impl Score {
    fn misfit(&self, value: Number) -> Option<Why> {
        let (min, max) = (self.range.min, self.range.max);
        match &self.combine {
            _ if value < min || value > max => Some(Why::ScoreOutOfRange { min, max }),
            Combine::Table(table) => (!table.values.contains(&value)).then_some(Why::NotInTable),
            Combine::Sum | Combine::Mean => None,
        }
    }
}
