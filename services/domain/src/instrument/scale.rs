//! From points to a score, and how far a score can reach.

use super::{
    definition::{Combine, Item, Score},
    number::Number,
};

/// The score that `points` of these items make; none if it is looked up in a table that has no such sum.
pub(super) fn scaled(score: &Score, items: &[&Item], points: Number) -> Option<Number> {
    let combined = match &score.combine {
        Combine::Sum => points,
        Combine::Mean => points.over(count(items)),
        Combine::Table(table) => {
            let above = (points - least(items)).whole()?;
            *table.values.get(usize::try_from(above).ok()?)?
        }
    };
    Some(combined * score.factor.into())
}

/// Lowest and highest score that these items can make.
pub(super) fn reach(score: &Score, items: &[&Item]) -> Option<(Number, Number)> {
    Some((scaled(score, items, least(items))?, scaled(score, items, most(items))?))
}

/// Fewest points that these items can give together.
pub(super) fn least(items: &[&Item]) -> Number {
    items.iter().map(|item| u32::from(item.points_range().0)).sum::<u32>().into()
}

/// Most points that these items can give together.
pub(super) fn most(items: &[&Item]) -> Number {
    items.iter().map(|item| u32::from(item.points_range().1)).sum::<u32>().into()
}

/// How many they are.
pub(super) fn count<T>(items: &[T]) -> Number {
    u32::try_from(items.len()).unwrap_or(u32::MAX).into()
}
