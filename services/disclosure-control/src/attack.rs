//! What can be worked out from published tables, by somebody who knows nothing of who made them.
//!
//! Reads releases as anybody sees them ([`Release`]): which hidden cells follow exactly from shown ones, by which
//! combination, which are narrow at which level of knowledge, and what changed between two releases.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::audit::{Attacker, Interval, Level};
use crate::release::{Release, named};
use crate::row::{Row, TooWide};
use crate::simplex::Stopped;
use crate::span::{self, Combination};
use crate::world::{World, WorldError};

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
    /// The same with the combination that does it, where it is short enough to be told.
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

/// A hidden cell and the shown ones that it is worked out from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct How {
    /// The hidden cell.
    pub cell: String,
    /// What it is.
    pub value: Option<i64>,
    /// Shown cells, each with how often it is added (or taken away).
    pub combination: Vec<(i64, String)>,
    /// By what the sum is divided.
    pub divided_by: i64,
}

/// What is found at a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub exact_cells: Vec<(String, i64)>,
    /// The cells that are narrow, with both ends.
    pub narrow_cells: Vec<(String, i64, i64)>,
}

impl Findings {
    /// Whether anything was found.
    pub fn is_safe(&self) -> bool {
        self.span.is_empty() && [&self.k0, &self.k1, &self.k2].iter().all(|found| found.exact == 0 && found.narrow == 0)
    }
}

/// Attacks one release, or several of the same facts (see [`Release::apart`]). Narrow is what lies in an interval of
/// fewer than `width` steps.
///
/// # Errors
/// [`AttackError`]
pub fn attack(releases: &[Release], width: i64) -> Result<Findings, AttackError> {
    let world = World::new(releases)?;
    let hidden: Vec<usize> = (0..world.cells.len()).filter(|cell| world.cells[*cell].hidden).collect();
    let revealed = span::revealed(&world, &hidden)?;
    let name = |cell: &usize| world.cells[*cell].name();
    let mut span: Vec<String> = revealed.iter().map(name).collect();
    span.sort();
    let how = revealed.iter().filter_map(|cell| Some((cell, span::combination(&world, *cell).ok()??)));
    let how = how.map(|(cell, combination)| told(&world, *cell, combination)).collect();
    let threshold = releases.first().map_or(0, |release| release.manifest.threshold);
    let at = |level| found(&world, &hidden, level, width, threshold);
    let (k0, k1, k2) = (at(Level::K0)?, at(Level::K1)?, at(Level::K2)?);
    Ok(Findings { cells: world.cells.len(), hidden: hidden.len(), span, how, k0, k1, k2 })
}

fn told(world: &World, cell: usize, Combination { terms, divided_by }: Combination) -> How {
    let sum: Option<i64> = terms.iter().map(|(x, shown)| Some(x * world.cells[*shown].value?)).sum();
    let name = |cell: usize| world.cells[cell].name();
    let combination = terms.iter().map(|(x, shown)| (*x, name(*shown))).collect();
    How { cell: name(cell), value: sum.map(|sum| sum / divided_by), combination, divided_by }
}

fn found(world: &World, hidden: &[usize], level: Level, width: i64, threshold: i64) -> Result<Found, Stopped> {
    let targets: Vec<Row> = hidden.iter().map(|cell| world.cells[*cell].atoms.clone()).collect();
    let mut attacker = Attacker::new(world.atoms, world.known(level), &targets)?;
    let mut found =
        Found { exact: 0, exact_small: 0, narrow: 0, min_width: None, exact_cells: Vec::new(), narrow_cells: Vec::new() };
    for (target, cell) in hidden.iter().enumerate() {
        let cell = &world.cells[*cell];
        let interval = match cell.value {
            Some(value) => Interval { low: value, high: Some(value) },
            None => attacker.interval(target)?,
        };
        let Some(high) = interval.high else { continue };
        let distance = high - interval.low;
        found.min_width = Some(found.min_width.map_or(distance, |least| least.min(distance)));
        if distance == 0 {
            found.exact_small += usize::from((1..threshold).contains(&high));
            found.exact_cells.push((cell.name(), high));
        } else if distance < width {
            found.narrow_cells.push((cell.name(), interval.low, high));
        }
    }
    found.exact = found.exact_cells.len();
    found.narrow = found.narrow_cells.len();
    Ok(found)
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
