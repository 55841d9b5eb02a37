//! What is asked, in words, and whose words they are. And where everything that a definition says is from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{Id, Language};
use crate::text::Text;

/// Most words for the answers to one item, a count.
pub const ANSWER_TEXTS_MAX: usize = 101;

/// Where something is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentSource)]
pub struct Source {
    /// What it is, so that it can be found.
    pub cite: Text<400>,
    /// How it was come by.
    pub basis: Basis,
    /// When somebody last looked.
    pub checked_on: Date,
}

/// How something was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentBasis)]
pub enum Basis {
    /// It was read there.
    Seen,
    /// It was read where somebody else says so, without what they took it from.
    Secondary,
    /// It was computed from what was read.
    Computed,
    /// No source says it: it was decided, with care.
    Decided,
}

/// Ids of sources, one at least: nothing that needs a source can be without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(transparent)]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
#[schema(as = InstrumentSources, min_items = 1)]
pub struct Sources(BTreeSet<Id>);

impl Sources {
    /// The ids.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ids = BTreeSet::deserialize(deserializer)?;
        if ids.is_empty() {
            return Err(serde::de::Error::custom("must name at least one source"));
        }
        Ok(Self(ids))
    }
}

/// Whose an instrument is, and what may be done with its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentLicence)]
pub struct Licence {
    /// What may be done with its texts.
    pub class: Class,
    /// How sure that is.
    pub status: LicenceStatus,
    /// Whose it is.
    pub owner: Text<200>,
    /// What the owner says, word for word, and when and where they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Text<800>>,
    /// What must stand beside the texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Text<400>>,
    /// Who says so.
    pub source: Sources,
}

/// What may be done with the texts of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentLicenceClass)]
pub enum Class {
    /// They are free: the definition has them.
    A,
    /// They are free on terms: they are in a file of their own, for somebody to accept the terms.
    B,
    /// They need a licence: only the rules are here, and an organisation that has a licence adds the texts.
    C,
}

/// How sure it is what may be done with texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentLicenceStatus)]
pub enum LicenceStatus {
    /// The owner says so.
    OwnerStated,
    /// The owner says so, and something else elsewhere.
    OwnerStatementConflict,
    /// The owner's word was not found.
    NotConfirmed,
}

/// What is asked, in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentTexts)]
pub struct Texts {
    /// What stands before the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<Text<1000>>,
    /// The words of each item.
    pub items: BTreeMap<Id, ItemText>,
    /// The words of the answers to items that have none of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = ANSWER_TEXTS_MAX))]
    pub answers: Vec<AnswerText>,
    /// Where they were read.
    pub source: Sources,
}

/// The words of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentItemText)]
pub struct ItemText {
    /// What is asked.
    pub text: Text<500>,
    /// The words of its answers, if they are others than those of the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = ANSWER_TEXTS_MAX))]
    pub answers: Vec<AnswerText>,
}

/// The words of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentAnswerText)]
pub struct AnswerText {
    /// The number that it stands for.
    pub answer: u8,
    /// Its words.
    pub text: Text<200>,
}

/// The texts of an instrument that its definition may not have, on their terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentTextFile, example = json!({
    "instrument": "gad-7", "version": 1, "language": "de", "owner": "The organisation",
    "attribution": "Translated by the organisation", "terms": "As agreed", "non_commercial": false,
    "sources": { "ours": { "cite": "Translated by the organisation", "basis": "decided", "checked_on": "2026-11-24" } },
    "texts": { "items": { "1": { "text": "Eins" }, "2": { "text": "Zwei" }, "3": { "text": "Drei" },
        "4": { "text": "Vier" }, "5": { "text": "Fünf" }, "6": { "text": "Sechs" }, "7": { "text": "Sieben" } },
        "source": ["ours"] }
}))]
pub struct TextFile {
    /// Of which instrument.
    pub instrument: Id,
    /// Of which version of it.
    #[schemars(range(min = 1))]
    pub version: u16,
    /// In which language.
    pub language: Language,
    /// Whose they are.
    pub owner: Text<200>,
    /// What must stand beside them.
    pub attribution: Text<400>,
    /// What somebody accepts who uses them.
    pub terms: Text<2000>,
    /// Whether they may not be used for profit, nor be part of what is sold.
    pub non_commercial: bool,
    /// Where this file is from, by ids that the rest of it names.
    pub sources: BTreeMap<Id, Source>,
    /// The texts.
    pub texts: Texts,
}
