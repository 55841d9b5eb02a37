//! Proof that facts are what the log says: compared with facts that were rebuilt.

use std::{collections::BTreeSet, path::Path};

use polars::prelude::*;
use strum::IntoEnumIterator;
use uuid::Uuid;

use crate::facts::{Cause, Facts, FactsError, Kind, Snapshot};

/// The first difference between the facts in `left/facts` and in `right/facts`, in words; nothing if there is none.
///
/// Two stores that applied the same events do not differ, whatever the batches they came in and whatever was merged.
/// Superseded rows do not count. Holds one table of one organisation of each side in memory. Not to be called while
/// one of them is being written: they are then at different positions, which is a difference.
///
/// # Errors
/// If one of them cannot be read.
pub fn difference(left: &Path, right: &Path) -> Result<Option<String>, FactsError> {
    Facts::at(left).read(|left| Facts::at(right).read(|right| compare(left, right)).map_err(Cause::from))
}

fn compare(left: &Snapshot, right: &Snapshot) -> Result<Option<String>, Cause> {
    let (a, b) = (left.manifest.position, right.manifest.position);
    if a != b {
        return Ok(Some(format!("one is at position {a}, the other at {b}")));
    }
    let orgs: BTreeSet<_> = left.manifest.orgs().chain(right.manifest.orgs()).collect();
    for org in orgs {
        for kind in Kind::iter() {
            let table = |facts: &Snapshot| -> Result<DataFrame, Cause> {
                let rows = facts.current(org, kind)?.collect()?;
                Ok(rows.sort(kind.key().iter().copied(), SortMultipleOptions::default())?)
            };
            if let Some(row) = first_difference(&table(left)?, &table(right)?) {
                return Ok(Some(format!("{} of {org}: {row}", kind.folder())));
            }
        }
    }
    let known = left.manifest.last.as_ref().zip(right.manifest.last.as_ref());
    if known.is_some_and(|(left, right)| left != right) {
        return Ok(Some(format!("the event at position {a} that one took is not the one that the other took")));
    }
    Ok(None)
}

/// The first rows of two sorted tables with the same columns that differ.
fn first_difference(left: &DataFrame, right: &DataFrame) -> Option<String> {
    if left.equals_missing(right) {
        return None;
    }
    let row = |table: &DataFrame, index| table.get(index).map_or("nothing".into(), |row| in_words(table, &row));
    (0..left.height().max(right.height()))
        .map(|index| (row(left, index), row(right, index)))
        .find(|(left, right)| left != right)
        .map(|(left, right)| format!("one has {left}, the other {right}"))
}

fn in_words(table: &DataFrame, row: &[AnyValue]) -> String {
    let cell = |(name, value): (&PlSmallStr, &AnyValue)| match value {
        AnyValue::Binary(id) => Uuid::from_slice(id).map_or(format!("{name}=?"), |id| format!("{name}={id}")),
        AnyValue::BinaryOwned(id) => Uuid::from_slice(id).map_or(format!("{name}=?"), |id| format!("{name}={id}")),
        value => format!("{name}={value}"),
    };
    table.get_column_names().into_iter().zip(row).map(cell).collect::<Vec<_>>().join(" ")
}
