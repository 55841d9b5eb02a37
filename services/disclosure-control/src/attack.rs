//! What can be worked out from published tables, by somebody who knows nothing of who made them.
//!
//! Reads releases as anybody sees them ([`Release`]): which hidden cells follow exactly from shown ones, by which
//! combination, which are narrow at which level of knowledge, and what changed between two releases.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::audit::{Attacker, Interval, Level};
use crate::release::{Key, Release, Zeros, named};
use crate::row::{Row, TooWide};
use crate::simplex::Stopped;
use crate::span::{Combination, Known};
use crate::world::{World, WorldError};

mod pattern;

pub use pattern::{Judgement, Revealed, judge};

/// The most shown cells of which is remembered how others follow from them. With more, it is said that they follow.
pub const TOLD_MAX: usize = 5_000;

/// Why an attack has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttackError {
    /// The releases do not go together.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The tables have no solution, or no solution was found within the limits.
    #[error("{0}")]
    Stopped(#[from] Stopped),
}

impl From<TooWide> for AttackError {
    fn from(wide: TooWide) -> AttackError {
        AttackError::Stopped(wide.into())
    }
}

/// What can be worked out from one release, or from several of the same facts.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// How many distinct cells there are.
    pub cells: usize,
    /// How many of them a release hides.
    pub hidden: usize,
    /// Hidden cells that follow exactly from shown ones, by linear combination alone; by name.
    pub span: Vec<String>,
    /// The same with the combination that does it; none where there are more than [`TOLD_MAX`] shown cells.
    pub how: Vec<How>,
    /// What somebody finds whose knowledge ends at K0.
    #[serde(rename = "K0")]
    pub k0: Found,
    /// … at K1.
    #[serde(rename = "K1")]
    pub k1: Found,
    /// … at K2.
    #[serde(rename = "K2")]
    pub k2: Found,
}

/// A cell as its readers find it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cited {
    /// The cell in words, as the first of the releases calls it.
    pub cell: String,
    /// Where several releases are attacked, those that show it; of a hidden cell, those that hide it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.releases[..] {
            [] => f.write_str(&self.cell),
            releases => write!(f, "{} [{}]", self.cell, releases.join(", ")),
        }
    }
}

/// A hidden cell and the shown ones that it is worked out from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct How {
    /// The hidden cell.
    #[serde(flatten)]
    pub cell: Cited,
    /// What it is.
    pub value: Option<i64>,
    /// Shown cells, each with how often it is added (or taken away).
    pub combination: Vec<Term>,
    /// By what the sum is divided.
    pub divided_by: i64,
}

/// A shown cell in a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// How often it is added; below zero, taken away.
    pub times: i64,
    /// The cell.
    #[serde(flatten)]
    pub cell: Cited,
    /// What is printed there.
    pub value: Option<i64>,
}

/// A hidden cell that is known exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exact {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cited,
    /// What it is.
    pub value: i64,
}

/// A hidden cell of which both ends are known, and lie close together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Narrow {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cited,
    /// It is at least this.
    pub low: i64,
    /// It is at most this.
    pub high: i64,
}

/// What is found at a level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many hidden cells are known exactly.
    pub exact: usize,
    /// How many of them are small.
    pub exact_small: usize,
    /// How many are not exact, but closer than the width that was asked for.
    pub narrow: usize,
    /// The narrowest interval.
    pub min_width: Option<i64>,
    /// The cells that are exact, with their values.
    pub exact_cells: Vec<Exact>,
    /// The cells that are narrow, with both ends.
    pub narrow_cells: Vec<Narrow>,
    /// Cells of which a limit was reached before it was clear what they can be: they are not proven safe.
    pub undecided_cells: Vec<Cited>,
}

impl Found {
    /// Whether there is nothing.
    pub fn is_safe(&self) -> bool {
        self.exact == 0 && self.narrow == 0 && self.undecided_cells.is_empty()
    }
}

impl Findings {
    /// Whether anything was found.
    pub fn is_safe(&self) -> bool {
        self.span.is_empty() && self.levels().iter().all(|(_, found)| found.is_safe())
    }

    /// What is found at each level, from who knows least to who knows most.
    pub fn levels(&self) -> [(Level, &Found); 3] {
        [(Level::K0, &self.k0), (Level::K1, &self.k1), (Level::K2, &self.k2)]
    }
}

/// Attacks one release, or several of the same facts (see [`Release::apart`]). Narrow is what lies in an interval of
/// fewer than `width` steps.
///
/// # Errors
/// [`AttackError`]
pub fn attack(releases: &[Release], width: i64) -> Result<Findings, AttackError> {
    attack_watched(releases, width, &mut |_, _, _| {})
}

/// The same; `watch` is told the level, and how many of how many hidden cells were looked at.
///
/// # Errors
/// [`AttackError`]
pub fn attack_watched(
    releases: &[Release],
    width: i64,
    watch: &mut dyn FnMut(Level, usize, usize),
) -> Result<Findings, AttackError> {
    let world = World::new(releases)?;
    let teller = Teller::new(&world, releases);
    let hidden: Vec<usize> = (0..world.cells.len()).filter(|cell| world.cells[*cell].hidden).collect();
    let known = Known::of_world(&world);
    let revealed = known.revealed(hidden.iter().map(|cell| (*cell, &world.cells[*cell].atoms)))?;
    let mut span: Vec<String> = revealed.iter().map(|cell| world.cells[*cell].name()).collect();
    span.sort();
    let how = teller.how(&known, &revealed);
    let [k0, k1, k2] = Level::ALL.map(|level| teller.found(&hidden, level, width, watch));
    Ok(Findings { cells: world.cells.len(), hidden: hidden.len(), span, how, k0: k0?, k1: k1?, k2: k2? })
}

/// Who tells of the cells of a world.
struct Teller<'a> {
    world: &'a World,
    releases: &'a [Release],
    /// What each release calls each cell, and whether it shows it.
    calls: Vec<Vec<(usize, &'a str, &'a Key, bool)>>,
}

impl<'a> Teller<'a> {
    fn new(world: &'a World, releases: &'a [Release]) -> Teller<'a> {
        let mut calls = vec![Vec::new(); world.cells.len()];
        for (number, release) in releases.iter().enumerate() {
            for (name, seen) in &release.cells {
                let Some(cell) = world.at.get(&(number, name.0.clone(), name.1.clone())) else { continue };
                calls[*cell].push((number, name.0.as_str(), &name.1, seen.value.is_some()));
            }
        }
        Teller { world, releases, calls }
    }

    /// A cell as those releases have it that show it, or hide it.
    fn cite(&self, cell: usize, shown: bool) -> Cited {
        let all = self.calls[cell].iter().filter(|(.., shows)| *shows == shown);
        let (first, several) = (all.clone().next(), self.releases.len() > 1);
        let Some((number, measure, key, _)) = first.filter(|_| several) else {
            return Cited { cell: self.world.cells[cell].name(), releases: Vec::new() };
        };
        // With the release's name, nothing more is needed to tell its own facts from those of others.
        let measure = measure.strip_suffix(&format!(" [{number}]")).unwrap_or(measure);
        let numbers: BTreeSet<usize> = all.map(|(number, ..)| *number).collect();
        let releases = numbers.into_iter().map(|number| self.releases[number].manifest.release.clone());
        Cited { cell: named(measure, key), releases: releases.collect() }
    }

    fn how(&self, known: &Known, revealed: &[usize]) -> Vec<How> {
        let shown = self.world.cells.iter().filter(|cell| cell.value.is_some()).count();
        if revealed.is_empty() || shown > TOLD_MAX {
            return Vec::new();
        }
        let atoms = revealed.iter().map(|cell| (*cell, &self.world.cells[*cell].atoms));
        let all = known.combinations(atoms).into_iter();
        let mut how: Vec<How> = all.map(|(cell, combination)| self.told(cell, &combination)).collect();
        how.sort_by(|a, b| a.cell.cmp(&b.cell));
        how
    }

    fn told(&self, cell: usize, Combination { terms, divided_by }: &Combination) -> How {
        let value = |cell: usize| self.world.cells[cell].value;
        let sum: Option<i64> = terms.iter().map(|(times, shown)| times.checked_mul(value(*shown)?)).sum();
        let term =
            |(times, shown): &(i64, usize)| Term { times: *times, cell: self.cite(*shown, true), value: value(*shown) };
        let mut combination: Vec<Term> = terms.iter().map(term).collect();
        // What is added comes first, the largest before others: a total less its parts.
        combination.sort_by_key(|term| (term.times < 0, std::cmp::Reverse(term.value)));
        How {
            cell: self.cite(cell, false),
            value: sum.map(|sum| sum / divided_by),
            combination,
            divided_by: *divided_by,
        }
    }

    fn found(
        &self,
        hidden: &[usize],
        level: Level,
        width: i64,
        watch: &mut dyn FnMut(Level, usize, usize),
    ) -> Result<Found, Stopped> {
        let targets: Vec<Row> = hidden.iter().map(|cell| self.world.cells[*cell].atoms.clone()).collect();
        // Where a limit is reached, nothing is known to be safe; what adding and taking away finds stays found.
        let mut attacker = match Attacker::new(self.world.atoms, self.world.known(level), &targets) {
            Err(Stopped::TooWide | Stopped::TooLong) => None,
            attacker => Some(attacker?),
        };
        let mut found = Found::default();
        for (target, place) in hidden.iter().enumerate() {
            watch(level, target, hidden.len());
            let shown = self.world.cells[*place].value.map(|value| Ok(Interval { low: value, high: Some(value) }));
            let worked_out = || attacker.as_mut().map_or(Err(Stopped::TooLong), |attacker| attacker.interval(target));
            let interval = match shown.unwrap_or_else(worked_out) {
                Ok(interval) => interval,
                Err(Stopped::Contradiction) => return Err(Stopped::Contradiction),
                Err(Stopped::TooWide | Stopped::TooLong) => {
                    found.undecided_cells.push(self.cite(*place, false));
                    continue;
                }
            };
            self.note(&mut found, *place, interval, width);
        }
        (found.exact, found.narrow) = (found.exact_cells.len(), found.narrow_cells.len());
        Ok(found)
    }

    /// Notes what a hidden cell can be.
    fn note(&self, found: &mut Found, place: usize, Interval { low, high }: Interval, width: i64) {
        let Some(high) = high else { return };
        let distance = high - low;
        found.min_width = Some(found.min_width.map_or(distance, |least| least.min(distance)));
        let cell = || self.cite(place, false);
        if distance == 0 {
            found.exact_small += usize::from(self.is_small(place, high));
            found.exact_cells.push(Exact { cell: cell(), value: high });
        } else if distance < width {
            found.narrow_cells.push(Narrow { cell: cell(), low, high });
        }
    }

    /// Whether a release that hides a cell takes such a number as small.
    fn is_small(&self, cell: usize, value: i64) -> bool {
        self.world.cells[cell].marks.iter().any(|(release, _)| {
            let manifest = &self.releases[*release].manifest;
            (i64::from(manifest.zeros == Zeros::Public)..manifest.threshold).contains(&value)
        })
    }
}

/// What two releases tell by how they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// The names of both.
    pub releases: [String; 2],
    /// How many cells both have.
    pub cells_in_both: usize,
    /// How many of them both show, with a difference of 1 to T − 1.
    pub small_changes: usize,
    /// How many one hides and the other shows.
    pub hidden_in_one_shown_in_other: usize,
    /// The cells with small changes.
    pub changes: Vec<(String, i64)>,
}

/// Compares what two releases show of the same cells.
pub fn differences(a: &Release, b: &Release) -> Differences {
    let threshold = a.manifest.threshold;
    let dims = |measure: &str| -> BTreeSet<&String> {
        let tables = a.manifest.tables.iter().chain(&b.manifest.tables);
        tables.filter(|table| table.measure.as_deref() == Some(measure)).flat_map(|table| &table.dims).collect()
    };
    let mut out = Differences {
        releases: [a.manifest.release.clone(), b.manifest.release.clone()],
        cells_in_both: 0,
        small_changes: 0,
        hidden_in_one_shown_in_other: 0,
        changes: Vec::new(),
    };
    for ((measure, key), seen) in &a.cells {
        let Some(other) = b.cells.get(&(measure.clone(), key.clone())) else { continue };
        let code = |dim: &str| key.iter().find(|(name, _)| name == dim).map_or(crate::release::TOTAL, |(_, code)| code);
        if dims(measure).iter().any(|dim| a.finest(dim, code(dim)) != b.finest(dim, code(dim))) {
            continue;
        }
        out.cells_in_both += 1;
        match (seen.value, other.value) {
            (Some(x), Some(y)) if (1..threshold).contains(&(y - x).abs()) => {
                out.changes.push((named(measure, key), y - x));
            }
            (None, Some(_)) | (Some(_), None) => out.hidden_in_one_shown_in_other += 1,
            _ => {}
        }
    }
    out.small_changes = out.changes.len();
    out
}
