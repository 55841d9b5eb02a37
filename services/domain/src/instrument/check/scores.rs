//! Items that a score is made of, how they are combined, and whether its range is what they can reach.

use super::{Mistakes, no};
use crate::instrument::{
    definition::{Combine, Definition, FACTOR_MAX, Item, LANGUAGES_MAX, Score, Table},
    scale,
};

pub(super) fn check(definition: &Definition, mistakes: &mut Mistakes) {
    mistakes.once(definition.scores.iter().map(|score| &score.id), "scores", ".id");
    for (n, score) in definition.scores.iter().enumerate() {
        let at = format!("scores[{n}]");
        mistakes.length(score.title.len(), 1, LANGUAGES_MAX, format_args!("{at}.title"));
        mistakes.items(definition, &score.items, &format!("{at}.items"));
        let factor = format_args!("must be 1 to {FACTOR_MAX}");
        mistakes.unless((1..=FACTOR_MAX).contains(&score.factor), format_args!("{at}.factor"), factor);
        let items: Vec<&Item> = score.items.iter().filter_map(|id| definition.item(id)).collect();
        if items.len() == score.items.len() && !items.is_empty() {
            missing(score, &items, &at, mistakes);
            left_out(score, &items, &at, mistakes);
            combine(score, &items, &at, mistakes);
            range(score, &items, &at, mistakes);
        }
    }
}

/// A score of some of its items must be one that all of them can make.
fn missing(score: &Score, items: &[&Item], at: &str, mistakes: &mut Mistakes) {
    let Some(missing) = &score.missing else { return };
    let most = usize::from(missing.most);
    let says = "must be 1 or more, and fewer than there are items";
    mistakes.unless(most >= 1 && most < items.len(), format_args!("{at}.missing.most"), says);
    let same = items.iter().all(|item| item.points_range() == items[0].points_range());
    let at = format!("{at}.missing.prorated");
    if missing.prorated {
        mistakes.unless(same, at, "needs items that all give as many points");
    } else {
        mistakes.unless(from_nought(items), at, "must be true, unless every item can give 0 points");
    }
}

fn left_out(score: &Score, items: &[&Item], at: &str, mistakes: &mut Mistakes) {
    let Some(left_out) = &score.left_out else { return };
    let at = format!("{at}.left_out.items");
    mistakes.once(&left_out.items, &at, "");
    for (n, id) in left_out.items.iter().enumerate() {
        mistakes.unless(score.items.contains(id), format_args!("{at}[{n}]"), no("item of the score", id));
    }
    mistakes.unless(
        (1..items.len()).contains(&left_out.items.len()),
        &at,
        "must be some of the score's items, not all",
    );
    let lowers = score.combine == Combine::Sum && from_nought(items);
    mistakes.unless(lowers, at, "needs a score that is a sum of items that can each give 0 points");
}

fn from_nought(items: &[&Item]) -> bool {
    items.iter().all(|item| item.points_range().0 == 0)
}

fn combine(score: &Score, items: &[&Item], at: &str, mistakes: &mut Mistakes) {
    let Combine::Table(Table { values, .. }) = &score.combine else { return };
    let at = format!("{at}.combine.table.values");
    let sums = scale::most(items) - scale::least(items) + 1_u8.into();
    let says = format!("has {} entries, {sums} sums are possible", values.len());
    mistakes.unless(scale::count(values) == sums, &at, says);
    for (n, pair) in values.windows(2).enumerate() {
        mistakes.unless(pair[0] <= pair[1], format_args!("{at}[{}]", n + 1), "must not be below the one before");
    }
    let plain = score.missing.is_none() && score.factor == 1;
    mistakes.unless(plain, at, "a score that is looked up needs all its items, and no factor");
}

fn range(score: &Score, items: &[&Item], at: &str, mistakes: &mut Mistakes) {
    // Without: the table is wrong, and that is said.
    let Some((min, max)) = scale::reach(score, items) else { return };
    mistakes.unless(score.range.min == min, format_args!("{at}.range.min"), format_args!("the items reach from {min}"));
    mistakes.unless(
        score.range.max == max,
        format_args!("{at}.range.max"),
        format_args!("the items reach up to {max}"),
    );
}
