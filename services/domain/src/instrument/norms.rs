//! With what scores are compared: bands, cut-offs, norms, reliable changes. None without a source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{definition::Compare, names::Id, number::Number, texts::Sources};
use crate::text::Text;

/// Most bands of one score, a count.
pub const BANDS_MAX: usize = 20;
/// Most cut-offs of one norm set, a count.
pub const CUT_OFFS_MAX: usize = 40;
/// Most norms of one norm set, a count.
pub const NORMS_MAX: usize = 100;

/// Whom a number was found with.
pub type Population = Text<200>;

/// What scores are read with: bands, cut-offs and norms that go together. A version never changes, and a score that was
/// read keeps the one that it was read with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentNormSet)]
pub struct NormSet {
    /// Its id, the same in all versions.
    pub id: Id,
    /// Its version, from 1.
    #[schemars(range(min = 1))]
    pub version: u16,
    /// The bands of scores, each score once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Bands>,
    /// Its cut-offs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = CUT_OFFS_MAX))]
    pub cut_offs: Vec<CutOff>,
    /// Its norms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NORMS_MAX))]
    pub norms: Vec<Norm>,
}

/// The bands of one score: each goes from its lower bound to the next one's, so that there is none between two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentBands)]
pub struct Bands {
    /// Of which score.
    pub score: Id,
    /// From the score's minimum up.
    #[schemars(length(min = 1, max = BANDS_MAX))]
    pub bands: Vec<Band>,
    /// Who says so.
    pub source: Sources,
}

/// A band of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentBand)]
pub struct Band {
    /// Its id.
    pub id: Id,
    /// Where it begins.
    pub lower: Number,
    /// Whether it begins above that number, which itself is in the band before.
    #[serde(default)]
    pub exclusive: bool,
}

/// A number that parts a score in two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentCutOff)]
pub struct CutOff {
    /// Its id: what is said of a score that meets it.
    pub id: Id,
    /// Of which score.
    pub score: Id,
    /// How the score is compared.
    pub compare: Compare,
    /// With which number.
    pub value: Number,
    /// Who says so.
    pub source: Sources,
}

/// What was found of a score in a population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentNorm)]
pub struct Norm {
    /// Of which score.
    pub score: Id,
    /// With whom.
    pub population: Population,
    /// How many people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Mean.
    pub mean: Number,
    /// Standard deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Number>,
    /// Median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<Number>,
    /// Who says so.
    pub source: Sources,
}

/// From which difference on two scores of a person are said to differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstrumentReliableChange)]
pub struct ReliableChange {
    /// Its id.
    pub id: Id,
    /// Of which score.
    pub score: Id,
    /// What such a difference means.
    pub meaning: Meaning,
    /// In what the difference is counted.
    pub kind: ChangeKind,
    /// How the difference is compared, `>=` or `>`.
    pub compare: Compare,
    /// With which number, in points of the score or in per cent of the first score.
    pub threshold: Number,
    /// Which ways it holds.
    pub direction: ChangeDirection,
    /// Level of the confidence interval, in per cent, if the source says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 99))]
    pub ci_level: Option<u8>,
    /// With whom it was found.
    pub population: Population,
    /// Who says so.
    pub source: Sources,
}

/// What a difference of two scores means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentChangeMeaning)]
pub enum Meaning {
    /// It is more than the instrument's error of measurement.
    Reliable,
    /// It is the smallest that people find important (MCID).
    Important,
}

/// In what a difference of two scores is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentChangeKind)]
pub enum ChangeKind {
    /// In points of the score.
    Absolute,
    /// In per cent of the first score, by which the last is lower.
    PercentReduction,
}

/// Which ways a reliable change holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstrumentChangeDirection)]
pub enum ChangeDirection {
    /// For the better and for the worse.
    Both,
    /// For the better only.
    Improvement,
}

impl NormSet {
    /// The band in which a score is, if it has bands.
    pub fn band(&self, score: &Id, value: Number) -> Option<&Band> {
        let bands = self.bands.iter().find(|bands| bands.score == *score)?;
        bands.bands.iter().rev().find(|band| band.begins_at_or_below(value))
    }
}

impl Band {
    fn begins_at_or_below(&self, value: Number) -> bool {
        if self.exclusive { self.lower < value } else { self.lower <= value }
    }
}
