//! Instruments: questionnaires whose answers are scored, as data.
//!
//! A [`Definition`] says what is asked and how answers become scores; [`Instrument`] is one that was [checked](check) as a
//! whole. [`Given`] is what a person answered, kept as given. [`score`](score()) reads it: exact scores, or why there are
//! none; bands and cut-offs of a [`NormSet`]; and, apart from every score, what calls for somebody now. [`changes`]
//! compares two scores, [`nhs_talking_therapies`] a course of therapy. [`SHIPPED`] are those that come with Kith.
//!
//! **Invariants:** no instrument is named in the code. No number that scores are compared with is without its source. No
//! floating point: a score is compared as it is, and rounded only to be shown.

mod answers;
mod change;
mod check;
mod definition;
pub mod jacobson_truax;
mod names;
pub mod nhs_talking_therapies;
mod norms;
mod number;
mod scale;
mod score;
mod shipped;
mod texts;

pub use answers::{Answer, Answers, CIRCLED_MAX, Given, Invalid, NotAnswered, Why};
pub use change::{Change, Verdict, changes};
pub use check::{LoadError, Mistake};
pub use definition::{
    ANSWER_MAX, Circled, Combine, Compare, Definition, Direction, FACTOR_MAX, ITEMS_MAX, Item, LANGUAGES_MAX, LeftOut,
    LoincCodes, Missing, NORM_SETS_MAX, NOTES_MAX, PERIOD_DAYS_MAX, Points, RELIABLE_CHANGES_MAX, Range, SCORES_MAX,
    SOURCES_MAX, Score, TRIGGERS_MAX, Table, Trigger,
};
pub use names::{FormError, Id, Language, Loinc};
pub use norms::{
    BANDS_MAX, Band, Bands, CUT_OFFS_MAX, ChangeDirection, ChangeKind, CutOff, Meaning, NORMS_MAX, Norm, NormSet,
    Population, ReliableChange,
};
pub use number::{Number, NumberError};
pub use score::{FromItems, NoScore, Outcome, Reading, Scored, Signal, Value, risk, score, values, values_in_json};
pub use shipped::{SHIPPED, shipped};
pub use texts::{
    ANSWER_TEXTS_MAX, AnswerText, Basis, Class, ItemText, Licence, LicenceStatus, Source, Sources, TextFile, Texts,
};

use schemars::{Schema, schema_for};

/// A definition that was checked as a whole: what it says of itself fits together.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    definition: Definition,
    /// Of each score, where its items stand among the definition's: looked up once, as scoring is done millions of times.
    items_of_scores: Vec<Vec<usize>>,
    /// Where the items stand, in the order of their ids.
    items_by_id: Vec<usize>,
}

impl Instrument {
    /// The definition, if it is right.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn new(definition: Definition) -> Result<Self, Vec<Mistake>> {
        let mistakes = check::definition(&definition);
        if mistakes.is_empty() { Ok(Self::checked(definition)) } else { Err(mistakes) }
    }

    fn checked(definition: Definition) -> Self {
        let place = |id: &Id| definition.items.iter().position(|item| item.id == *id);
        let items = |score: &Score| score.items.iter().filter_map(place).collect();
        let items_of_scores = definition.scores.iter().map(items).collect();
        let mut items_by_id: Vec<usize> = (0..definition.items.len()).collect();
        items_by_id.sort_by_key(|place| &definition.items[*place].id);
        Self { definition, items_of_scores, items_by_id }
    }

    /// As it stands in a file.
    ///
    /// # Errors
    /// If it is not of the form of a definition, or all that is wrong with what it says.
    pub fn from_json(json: &str) -> Result<Self, LoadError> {
        Ok(Self::new(serde_json::from_str(json)?)?)
    }

    /// Checks texts of it that are in a file of their own: nothing is wrong with them if there are no mistakes.
    pub fn check_texts(&self, file: &TextFile) -> Vec<Mistake> {
        check::text_file(self, file)
    }
}

impl std::ops::Deref for Instrument {
    type Target = Definition;
    fn deref(&self) -> &Definition {
        &self.definition
    }
}

/// The JSON Schemas of definitions and of files of texts, by their path in the folder of schemas.
pub fn schemas() -> [(&'static str, Schema); 2] {
    [
        ("instruments/instrument.schema.json", schema_for!(Definition)),
        ("instruments/texts.schema.json", schema_for!(TextFile)),
    ]
}

#[cfg(test)]
mod tests;
