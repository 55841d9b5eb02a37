//! Which codes to merge so that more can be shown.
//!
//! Where more is hidden than shown, the tables are too fine. Each single merge (two neighbours of an ordered dimension,
//! two codes of another, all children of a code) and each pair of merges is tried: the tables are made anew, protected,
//! and what is hidden then is counted. Proposed, never applied by itself: a merge changes what an organisation reports,
//! and is a new version of its tables, in the ledger like any other.
//!
//! Only dimensions of which each unit has one code are merged here: what is in two of their codes is a sum. Distinct
//! people over quarters or programmes must be counted anew by who has the records.

use std::collections::{BTreeMap, BTreeSet};

use crate::edition::{EditionError, Name, Tables, decide};
use crate::release::{Key, Release};
use crate::rule::{Contributors, RuleError, Rules};

/// The largest number of merges that are tried: with their pairs, half a million protections.
pub const MERGES_MAX: usize = 1_000;

/// Codes that become one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Merge {
    /// Of which dimension.
    pub dimension: String,
    /// The codes that go.
    pub codes: BTreeSet<String>,
    /// What takes their place: a code that is there already (their parent), or a new one.
    pub into: String,
}

/// What a release would be with codes merged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Proposal {
    /// One merge or two.
    pub merges: Vec<Merge>,
    /// How many numbers other than zero would be hidden.
    pub hidden: usize,
    /// How many would be shown.
    pub shown: usize,
    /// How many there would be no more, since they are merged.
    pub lost: usize,
}

impl Proposal {
    /// What it costs: numbers that are hidden, and detail that is lost.
    pub fn cost(&self) -> usize {
        self.hidden + self.lost
    }
}

/// Why nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoarsenError {
    /// The rules do not fit the tables.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Too many merges to try.
    #[error("{0} merges: at most {MERGES_MAX} are tried; name fewer dimensions")]
    TooMany(usize),
}

/// All single merges of a release: of the dimensions in `ordered` two neighbours, by the order that is given; of others
/// any two codes without children; of each code with children all of these.
pub fn merges(release: &Release, ordered: &BTreeMap<String, Vec<String>>) -> Vec<Merge> {
    let overlapping: BTreeSet<&String> = release.manifest.measures.values().flat_map(|of| &of.overlapping).collect();
    let used: BTreeSet<&String> = release.manifest.tables.iter().flat_map(|table| &table.dims).collect();
    let mut all = Vec::new();
    for (name, dimension) in &release.manifest.dimensions {
        if overlapping.contains(name) || !used.contains(name) {
            continue;
        }
        let merge = |codes: &[&String], into: String| Merge {
            dimension: name.clone(),
            codes: codes.iter().map(|code| (*code).clone()).collect(),
            into,
        };
        let parents = || dimension.codes.iter().filter(|(_, finest)| finest.len() > 1);
        let children: Vec<&String> = parents().flat_map(|(_, finest)| finest).collect();
        if !children.is_empty() {
            let of =
                |(parent, finest): (&String, &Vec<String>)| merge(&finest.iter().collect::<Vec<_>>(), parent.clone());
            all.extend(parents().map(of));
        }
        let single = |code: &&String| {
            dimension.codes.get(*code).is_some_and(|finest| finest.len() == 1) && !children.contains(code)
        };
        if let Some(order) = ordered.get(name) {
            let order: Vec<&String> = order.iter().filter(single).collect();
            all.extend(order.windows(2).map(|two| merge(two, format!("{} to {}", two[0], two[1]))));
        } else {
            let codes: Vec<&String> = dimension.codes.keys().filter(single).collect();
            for (at, a) in codes.iter().enumerate() {
                all.extend(codes[at + 1..].iter().map(|b| merge(&[a, b], format!("{a} or {b}"))));
            }
        }
    }
    all
}

/// Tries each merge and each pair of merges; the cheapest first, of equals the one with fewer merges. `progress` is told
/// how many of how many were tried.
///
/// # Errors
/// [`CoarsenError`]
pub fn propose(
    tables: &Tables,
    rules: &Rules,
    merges: &[Merge],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Proposal>, CoarsenError> {
    if merges.len() > MERGES_MAX {
        return Err(CoarsenError::TooMany(merges.len()));
    }
    let apart = |a: &Merge, b: &Merge| a.dimension != b.dimension || a.codes.is_disjoint(&b.codes);
    let pairs = merges.iter().enumerate().flat_map(|(at, a)| merges[at + 1..].iter().map(move |b| (a, b)));
    let pairs = pairs.filter(|(a, b)| apart(a, b)).map(|(a, b)| vec![a.clone(), b.clone()]);
    let all: Vec<Vec<Merge>> = merges.iter().map(|merge| vec![merge.clone()]).chain(pairs).collect();
    let before = numbers(&tables.truth).count();
    let mut proposals = Vec::new();
    for (at, merges) in all.iter().enumerate() {
        let coarse = merges.iter().fold(tables.clone(), Tables::merged);
        let decided = decide(&[], coarse, rules);
        if let Err(EditionError::Rule(error)) = decided {
            return Err(error.into());
        }
        // What cannot be protected is not proposed.
        if let Ok(edition) = decided {
            let hidden = numbers(&edition.truth).filter(|name| edition.hidden.contains(*name)).count();
            let after = numbers(&edition.truth).count();
            proposals.push(Proposal { merges: merges.clone(), hidden, shown: after - hidden, lost: before - after });
        }
        progress(at + 1, all.len());
    }
    proposals.sort_by_key(|proposal| (proposal.cost(), proposal.merges.len(), proposal.merges.clone()));
    Ok(proposals)
}

/// The cells that are not zero.
fn numbers(release: &Release) -> impl Iterator<Item = &Name> {
    release.cells.iter().filter(|(_, cell)| cell.value != Some(0)).map(|(name, _)| name)
}

impl Tables {
    /// The same with codes merged: the numbers of the codes that go are added up, as are the people behind them.
    #[must_use]
    pub fn merged(mut self, merge: &Merge) -> Tables {
        let Some(dimension) = self.truth.manifest.dimensions.get_mut(&merge.dimension) else { return self };
        let gone: Vec<Vec<String>> = merge.codes.iter().filter_map(|code| dimension.codes.remove(code)).collect();
        let is_new = !dimension.codes.contains_key(&merge.into);
        dimension.codes.entry(merge.into.clone()).or_insert_with(|| gone.concat());
        let going =
            |name: &Name| name.1.iter().any(|(dim, code)| *dim == merge.dimension && merge.codes.contains(code));
        let renamed = |name: &Name| {
            let code = |(dim, code): &(String, String)| {
                let code = if *dim == merge.dimension && merge.codes.contains(code) { &merge.into } else { code };
                (dim.clone(), code.clone())
            };
            (name.0.clone(), name.1.iter().map(code).collect::<Key>())
        };
        let cells: Vec<Name> = self.truth.cells.keys().filter(|name| going(name)).cloned().collect();
        for name in cells {
            let (cell, by) = (self.truth.cells.remove(&name), self.by.remove(&name));
            if !is_new {
                continue;
            }
            if let Some(cell) = cell {
                let sum = self.truth.cells.entry(renamed(&name));
                sum.and_modify(|sum| sum.value = sum.value.zip(cell.value).map(|(a, b)| a + b)).or_insert(cell);
            }
            if let Some(by) = by {
                self.by.entry(renamed(&name)).and_modify(|sum| add(sum, &by)).or_insert(by);
            }
        }
        let keeps = |key: &Key| !key.iter().any(|(dim, code)| *dim == merge.dimension && merge.codes.contains(code));
        self.truth.percents.retain(|(_, key, _)| keeps(key));
        self
    }
}

/// The people of two codes together: no member is in both. Groups may be, so that there are at least as many as in one.
fn add(sum: &mut Contributors, by: &Contributors) {
    sum.members += by.members;
    sum.groups = sum.groups.max(by.groups);
    sum.largest = sum.largest.take().zip(by.largest.clone()).map(|(a, b)| {
        let mut both = [a, b].concat();
        both.sort_unstable_by_key(|one| std::cmp::Reverse(*one));
        both
    });
}
