//! Bands, cut-offs, norms and reliable changes: of scores that there are, and within what those can reach.

use super::{Mistakes, no};
use crate::instrument::{
    definition::{Compare, Definition, Direction, Score},
    names::Id,
    norms::{BANDS_MAX, Bands, CUT_OFFS_MAX, ChangeDirection, ChangeKind, NORMS_MAX, Norm, NormSet, ReliableChange},
    number::Number,
};

pub(super) fn check(definition: &Definition, mistakes: &mut Mistakes) {
    let named = definition.norm_sets.iter().map(|set| format!("{} version {}", set.id, set.version));
    mistakes.once(named, "norm_sets", ".id");
    for (n, set) in definition.norm_sets.iter().enumerate() {
        norm_set(definition, set, &format!("norm_sets[{n}]"), mistakes);
    }
    mistakes.once(definition.reliable_change.iter().map(|reliable| &reliable.id), "reliable_change", ".id");
    for (n, reliable) in definition.reliable_change.iter().enumerate() {
        let at = format!("reliable_change[{n}]");
        if let Some(score) = mistakes.score(definition, &reliable.score, &at) {
            reliable_change(score, reliable, &at, mistakes);
        }
    }
}

impl Mistakes {
    /// The score of this id, or that there is none.
    fn score<'a>(&mut self, definition: &'a Definition, id: &Id, at: &str) -> Option<&'a Score> {
        let score = definition.score(id);
        self.unless(score.is_some(), format_args!("{at}.score"), no("score", id));
        score
    }

    fn within(&mut self, score: &Score, value: Number, at: String) {
        let (min, max) = (score.range.min, score.range.max);
        self.unless((min..=max).contains(&value), at, format_args!("must be {min} to {max}, as the score is"));
    }
}

fn norm_set(definition: &Definition, set: &NormSet, at: &str, mistakes: &mut Mistakes) {
    mistakes.unless(set.version >= 1, format_args!("{at}.version"), "must be 1 or more");
    mistakes.once(set.bands.iter().map(|bands| &bands.score), &format!("{at}.bands"), ".score");
    for (n, of_score) in set.bands.iter().enumerate() {
        let at = format!("{at}.bands[{n}]");
        if let Some(score) = mistakes.score(definition, &of_score.score, &at) {
            bands(score, of_score, &at, mistakes);
        }
    }
    mistakes.length(set.cut_offs.len(), 0, CUT_OFFS_MAX, format_args!("{at}.cut_offs"));
    mistakes.once(set.cut_offs.iter().map(|cut_off| &cut_off.id), &format!("{at}.cut_offs"), ".id");
    for (n, cut_off) in set.cut_offs.iter().enumerate() {
        let at = format!("{at}.cut_offs[{n}]");
        if let Some(score) = mistakes.score(definition, &cut_off.score, &at) {
            mistakes.within(score, cut_off.value, format!("{at}.value"));
        }
    }
    mistakes.length(set.norms.len(), 0, NORMS_MAX, format_args!("{at}.norms"));
    for (n, of_score) in set.norms.iter().enumerate() {
        let at = format!("{at}.norms[{n}]");
        if let Some(score) = mistakes.score(definition, &of_score.score, &at) {
            norm(score, of_score, &at, mistakes);
        }
    }
}

/// They begin where the score does, and each above the one before, so that every score is in one of them.
fn bands(score: &Score, Bands { bands, .. }: &Bands, at: &str, mistakes: &mut Mistakes) {
    let at = format!("{at}.bands");
    mistakes.length(bands.len(), 1, BANDS_MAX, &at);
    mistakes.once(bands.iter().map(|band| &band.id), &at, ".id");
    if let Some(first) = bands.first() {
        let (min, begins) = (score.range.min, first.lower == score.range.min && !first.exclusive);
        mistakes.unless(begins, format_args!("{at}[0].lower"), format_args!("the first band must begin at {min}"));
    }
    for (n, pair) in bands.windows(2).enumerate() {
        let rises = (pair[0].lower, pair[0].exclusive) < (pair[1].lower, pair[1].exclusive);
        mistakes.unless(rises, format_args!("{at}[{}].lower", n + 1), "must be above the band before");
    }
    for (n, band) in bands.iter().enumerate() {
        mistakes.within(score, band.lower, format!("{at}[{n}].lower"));
    }
}

fn norm(score: &Score, norm: &Norm, at: &str, mistakes: &mut Mistakes) {
    mistakes.within(score, norm.mean, format!("{at}.mean"));
    mistakes.within(score, norm.median.unwrap_or(norm.mean), format!("{at}.median"));
    mistakes.unless(norm.n != Some(0), format_args!("{at}.n"), "must be above 0");
    mistakes.unless(norm.sd.is_none_or(|sd| sd > Number::ZERO), format_args!("{at}.sd"), "must be above 0");
}

fn reliable_change(score: &Score, reliable: &ReliableChange, at: &str, mistakes: &mut Mistakes) {
    let upward = matches!(reliable.compare, Compare::AtLeast | Compare::Above);
    mistakes.unless(upward, format_args!("{at}.compare"), "must be `>=` or `>`");
    let ci_level = reliable.ci_level.is_none_or(|level| (50..=99).contains(&level));
    mistakes.unless(ci_level, format_args!("{at}.ci_level"), "must be 50 to 99 per cent");
    let most = match reliable.kind {
        ChangeKind::Absolute => score.range.max - score.range.min,
        ChangeKind::PercentReduction => 100_u8.into(),
    };
    let possible = reliable.threshold > Number::ZERO && reliable.threshold <= most;
    mistakes.unless(possible, format_args!("{at}.threshold"), format_args!("must be above 0, and at most {most}"));
    let reduction = score.direction == Direction::HigherIsWorse && reliable.direction == ChangeDirection::Improvement;
    let says = "a reduction in per cent is an improvement only, of a score whose higher values are worse";
    mistakes.unless(reliable.kind == ChangeKind::Absolute || reduction, format_args!("{at}.kind"), says);
}
