//! A release on its way out: from true tables to published ones, beside what was published before.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Cell, Problem};
use crate::protect::{Openness, ProtectError, Protection, protect, protect_from};
use crate::release::{Key, Release};
use crate::world::{World, WorldError};

/// Who stands behind a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contributors {
    /// Distinct members.
    pub members: u32,
    /// Distinct groups.
    pub groups: u32,
}

/// Which cell of a release.
pub type Name = (String, Key);

/// A release as it was decided: what the ledger keeps. Secret: it has the true numbers.
#[derive(Debug, Clone)]
pub struct Edition {
    /// The true numbers.
    pub truth: Release,
    /// Cells that break a rule themselves.
    pub primary: BTreeSet<Name>,
    /// All cells that are hidden.
    pub hidden: BTreeSet<Name>,
}

/// Why there is no edition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditionError {
    /// The tables do not go together.
    #[error(transparent)]
    World(#[from] WorldError),
    /// What must be hidden cannot be protected.
    #[error(transparent)]
    Protect(#[from] ProtectError),
}

/// Decides an edition of true tables, after earlier editions of the same facts.
///
/// # Errors
/// [`EditionError`]: then nothing may be published.
pub fn decide(
    earlier: &[Edition],
    truth: Release,
    contributors: &BTreeMap<Name, Contributors>,
    groups_min: u32,
) -> Result<(Edition, Protection), EditionError> {
    let number = earlier.len();
    let threshold = truth.manifest.threshold;
    let is_small = |name: &Name, value: i64| {
        let by = contributors.get(name).copied().unwrap_or_default();
        value > 0 && (i64::from(by.members) < threshold || by.groups < groups_min)
    };
    let primary: BTreeSet<Name> = truth
        .cells
        .iter()
        .filter(|(name, cell)| is_small(name, cell.value.unwrap_or_default()))
        .map(|(name, _)| name.clone())
        .collect();
    let mut editions = earlier.to_vec();
    editions.push(Edition { truth, primary, hidden: BTreeSet::new() });
    let apart: Vec<Release> = editions.iter().enumerate().map(|(at, edition)| edition.truth.clone().apart(at)).collect();
    let world = World::new(&apart)?;
    let problem = problem(&world, &editions);
    let openness = Openness::full(threshold);
    let protection = if number == 0 {
        protect(&problem, openness)?
    } else {
        let (alone, _) = decide(&[], editions[number].truth.clone(), contributors, groups_min)?;
        let place = |name: &Name| world.at[&(number, alone.truth.name_apart(&name.0, number), name.1.clone())];
        let hidden: BTreeSet<usize> = alone.hidden.iter().map(place).filter(|at| problem.candidates.contains(at)).collect();
        protect_from(&problem, openness, &hidden)?
    };
    let mut edition = editions.pop().expect("one was pushed");
    let hides = |name: &&Name| {
        let measure = edition.truth.name_apart(&name.0, number);
        let at = world.at[&(number, measure, name.1.clone())];
        problem.primary.contains(&at) || protection.secondary.contains(&at)
    };
    edition.hidden = edition.truth.cells.keys().filter(hides).cloned().collect();
    Ok((edition, protection))
}

/// The problem of the last edition beside the earlier ones.
fn problem(world: &World, editions: &[Edition]) -> Problem {
    let last = editions.len() - 1;
    let mut problem = Problem { atoms: world.atoms, ..Problem::default() };
    let value = |cell: &crate::world::WorldCell| cell.value.unwrap_or_default();
    problem.cells = world.cells.iter().map(|cell| Cell { atoms: cell.atoms.clone(), value: value(cell) }).collect();
    problem.frame = world.frame().into_iter().chain(world.part_of()).collect();
    let (mut shown, mut own) = (BTreeSet::new(), BTreeSet::new());
    for (number, edition) in editions.iter().enumerate() {
        for name in edition.truth.cells.keys() {
            let at = world.at[&(number, edition.truth.name_apart(&name.0, number), name.1.clone())];
            if number == last {
                own.insert(at);
            } else if !edition.hidden.contains(name) {
                shown.insert(at);
            }
            if edition.primary.contains(name) {
                problem.primary.insert(at);
            }
        }
    }
    // A number that came out once is out.
    problem.primary.retain(|at| !shown.contains(at));
    problem.withheld = (0..world.cells.len()).filter(|at| !own.contains(at) && !shown.contains(at) && !problem.primary.contains(at)).collect();
    problem.candidates = own.iter().copied().filter(|at| !shown.contains(at) && !problem.primary.contains(at)).collect();
    problem.candidates.sort_by_key(|at| (problem.cells[*at].value != 0, -problem.cells[*at].value, *at));
    problem.forced = shown.into_iter().collect();
    problem
}

impl Edition {
    /// What everybody sees.
    pub fn published(&self) -> Release {
        let mut release = self.truth.clone();
        for (name, cell) in &mut release.cells {
            if self.hidden.contains(name) {
                cell.value = None;
                cell.hidden = true;
            }
        }
        let hidden = |measure: &str, key: &Key| self.hidden.contains(&(measure.to_owned(), key.clone()));
        release.percents.retain(|(of, key, _)| !hidden(&of.numerator, key) && !hidden(&of.denominator, key));
        release
    }
}
