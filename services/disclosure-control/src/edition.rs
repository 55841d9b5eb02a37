//! A release on its way out: from true tables to published ones, beside what was published before.
//!
//! Earlier editions are of the same facts, or the facts have changed since. Of the same facts, all are looked at as one
//! problem: what is shown stays shown, and no hidden cell of any of them may become narrow. Where a fact changed (a
//! correction, an erasure, a merge of two records), a number that moves by 1 to T − 1 tells of those few people, and no
//! suppression mends that: the edition is held back until more has changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Cell, Problem};
use crate::protect::{Openness, ProtectError, Protection, protect, protected_by};
use crate::release::{Key, Release, TOTAL, Zeros, named};
use crate::world::{World, WorldCell, WorldError};

/// The largest number of editions that one is decided beside.
pub const LEDGER_EDITIONS_MAX: usize = 100;

pub use crate::rule::Name;
use crate::rule::{Contributors, RuleError, Rules};

/// True tables with who is behind each number. **Secret**.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The true numbers.
    pub truth: Release,
    /// Who is behind each.
    pub by: BTreeMap<Name, Contributors>,
}

/// A release as it was decided: what the ledger keeps. **Secret**: it has the true numbers.
#[derive(Debug, Clone)]
pub struct Edition {
    /// The true numbers.
    pub truth: Release,
    /// Cells that break a rule themselves.
    pub primary: BTreeSet<Name>,
    /// All cells that are hidden.
    pub hidden: BTreeSet<Name>,
    /// What was assumed and what was proven.
    pub certificate: Certificate,
}

/// What was assumed of whoever reads an edition, and what was proven.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Certificate {
    /// Numbers below this are small.
    pub threshold: i64,
    /// How many cells there are, margins among them.
    pub cells: usize,
    /// How many of them are hidden because they break a rule themselves.
    pub primary: usize,
    /// How many are hidden to protect others.
    pub secondary: usize,
    /// The narrowest interval of a hidden cell that was proven: the real ones are this wide or wider; none: nothing is
    /// hidden, or no interval has an end.
    pub narrowest: Option<i64>,
    /// How many earlier editions have measures of the same facts, and were looked at together with it.
    pub together_with: usize,
    /// How many earlier editions it was compared with, number by number.
    pub compared_with: usize,
    /// How many rounds of audit and repair it took.
    pub rounds: usize,
}

/// A number that an earlier edition shows and that has moved by too little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The cell, in words.
    pub cell: String,
    /// By how much it moved: from 1 − T to T − 1, never 0.
    pub by: i64,
}

/// Why there is no edition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditionError {
    /// The tables do not go together.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The rules do not fit the tables.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The rules hide zeros, and it is proven only what is safe where zeros are shown.
    #[error("the rules hide zeros: an edition shows them")]
    ZerosHidden,
    /// What must be hidden cannot be protected.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// Too little has changed since an earlier edition.
    #[error("{} numbers moved by fewer than {threshold} since an earlier edition, which tells of those few people: wait for {waits_for} more changes, or publish coarser tables", changes.len())]
    HeldBack {
        /// The numbers that moved by too little.
        changes: Vec<Change>,
        /// The threshold.
        threshold: i64,
        /// How many more changes the most telling of them waits for, if all go the same way.
        waits_for: i64,
    },
    /// More earlier editions than are looked at.
    #[error("{count} earlier editions: at most {LEDGER_EDITIONS_MAX} are looked at; begin a new series of tables")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// Decides an edition of true tables after earlier ones, oldest first. What breaks one of the rules is hidden, and whatever
/// else must be for that to stay hidden; all zeros are shown. Small is what is below the largest threshold of the rules,
/// or of the release, if that is larger.
///
/// # Errors
/// [`EditionError`]: then nothing may be published.
pub fn decide(earlier: &[Edition], Tables { truth, by }: Tables, rules: &Rules) -> Result<Edition, EditionError> {
    if earlier.len() > LEDGER_EDITIONS_MAX {
        return Err(EditionError::TooMany { count: earlier.len() });
    }
    if rules.zeros == Zeros::Hidden {
        return Err(EditionError::ZerosHidden);
    }
    let primary: BTreeSet<Name> = rules.broken(&truth, &by)?.into_keys().collect();
    let mut beside: Vec<Edition> = earlier.iter().map(|edition| edition.of_the_same_facts(&truth)).collect();
    beside.retain(|edition| !edition.truth.cells.is_empty());
    let together_with = beside.len();
    let threshold = truth.manifest.threshold.max(rules.threshold());
    beside.push(Edition { truth, primary, hidden: BTreeSet::new(), certificate: Certificate::default() });
    let ledger = Ledger::new(&beside)?;
    let protection = protect(&ledger.problem, Openness::full(threshold))?;
    let hidden = ledger.hidden(&beside, &protection);
    let mut edition = beside.pop().expect("one was pushed");
    let hides = hidden.difference(&edition.primary).count();
    edition.certificate = Certificate {
        threshold,
        cells: edition.truth.cells.len(),
        primary: edition.primary.intersection(&hidden).count(),
        secondary: hides,
        narrowest: protection.open.values().filter_map(|seen| seen.width()).min(),
        together_with,
        compared_with: earlier.len(),
        rounds: protection.rounds,
    };
    edition.hidden = hidden;
    not_too_little_changed(earlier, &edition)?;
    Ok(edition)
}

/// The cells that two releases have in common, with the value in each; none of a measure that is about the whole period
/// of its release.
fn common<'a>(a: &'a Release, b: &'a Release) -> impl Iterator<Item = (&'a Name, Option<i64>, Option<i64>)> {
    let own = |release: &Release, measure: &str| release.manifest.measures.get(measure).is_none_or(|of| of.per_release);
    let dims = |measure: &str| -> BTreeSet<String> {
        let tables = a.manifest.tables.iter().chain(&b.manifest.tables);
        tables
            .filter(|table| table.measure.as_deref() == Some(measure))
            .flat_map(|table| table.dims.iter().cloned())
            .collect()
    };
    let mut of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    a.cells.keys().for_each(|(measure, _)| _ = of.entry(measure).or_insert_with(|| dims(measure)));
    a.cells.iter().filter_map(move |(name, seen)| {
        let other = b.cells.get(name)?;
        let code = |dim: &str| name.1.iter().find(|(other, _)| other == dim).map_or(TOTAL, |(_, code)| code);
        let same = of[name.0.as_str()].iter().all(|dim| a.finest(dim, code(dim)) == b.finest(dim, code(dim)));
        (same && !own(a, &name.0) && !own(b, &name.0)).then_some((name, seen.value, other.value))
    })
}

fn not_too_little_changed(earlier: &[Edition], edition: &Edition) -> Result<(), EditionError> {
    let threshold = edition.certificate.threshold;
    let now = edition.published();
    let mut changes = Vec::new();
    for before in earlier {
        for (name, old, new) in common(&before.published(), &now) {
            let by = new.zip(old).map_or(0, |(new, old)| new - old);
            if (1..threshold).contains(&by.abs()) {
                changes.push(Change { cell: named(&name.0, &name.1), by });
            }
        }
    }
    let waits_for = changes.iter().map(|change| threshold - change.by.abs()).max();
    waits_for.map_or(Ok(()), |waits_for| Err(EditionError::HeldBack { changes, threshold, waits_for }))
}

/// Editions of the same facts as one problem, the last of them open yet.
struct Ledger {
    world: World,
    problem: Problem,
}

impl Ledger {
    fn new(editions: &[Edition]) -> Result<Ledger, WorldError> {
        let apart: Vec<Release> =
            editions.iter().enumerate().map(|(number, edition)| edition.truth.clone().apart(number)).collect();
        let world = World::new(&apart)?;
        let last = editions.len() - 1;
        let mut problem = Problem { atoms: world.atoms, ..Problem::default() };
        let cell = |cell: &WorldCell| Cell { atoms: cell.atoms.clone(), value: cell.value.unwrap_or_default() };
        problem.cells = world.cells.iter().map(cell).collect();
        problem.frame = world.frame().into_iter().chain(world.part_of()).collect();
        let (mut shown, mut kept, mut own) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (number, edition) in editions.iter().enumerate() {
            for name in edition.truth.cells.keys() {
                let at = place(&world, edition, number, name);
                if number == last {
                    own.insert(at);
                } else if edition.hidden.contains(name) {
                    kept.insert(at);
                } else {
                    shown.insert(at);
                }
                if edition.primary.contains(name) {
                    problem.primary.insert(at);
                }
            }
        }
        // A number that came out once is out, and one that was hidden stays hidden: what it protected is still there.
        problem.primary.retain(|at| !shown.contains(at));
        let open = |at: &usize| !shown.contains(at) && !problem.primary.contains(at);
        problem.withheld = kept.iter().copied().filter(open).collect();
        problem.candidates = own.iter().copied().filter(|at| open(at) && !kept.contains(at)).collect();
        problem.candidates.sort_by_key(|at| (problem.cells[*at].value != 0, -problem.cells[*at].value, *at));
        problem.forced = shown.into_iter().collect();
        Ok(Ledger { world, problem })
    }

    /// What the last edition hides.
    fn hidden(&self, editions: &[Edition], protection: &Protection) -> BTreeSet<Name> {
        let last = editions.len() - 1;
        let hides = |name: &&Name| {
            let at = place(&self.world, &editions[last], last, name);
            let hides = [&self.problem.primary, &self.problem.withheld, &protection.secondary];
            hides.iter().any(|hidden| hidden.contains(&at))
        };
        editions[last].truth.cells.keys().filter(hides).cloned().collect()
    }
}

fn place(world: &World, edition: &Edition, number: usize, name: &Name) -> usize {
    world.at[&(number, edition.truth.name_apart(&name.0, number), name.1.clone())]
}

impl Edition {
    /// Those of its measures of which no number has changed since: what somebody can put beside a later release.
    fn of_the_same_facts(&self, later: &Release) -> Edition {
        let differs: BTreeSet<&str> =
            common(&self.truth, later).filter(|(_, a, b)| a != b).map(|(name, _, _)| name.0.as_str()).collect();
        let mut same = self.clone();
        same.truth.cells.retain(|name, _| !differs.contains(name.0.as_str()));
        same.truth.percents.clear();
        same.primary.retain(|name| !differs.contains(name.0.as_str()));
        same
    }

    /// Which hidden cells one hidden cell protects: with it shown as well, they would not be open enough any more. None
    /// for a cell that breaks a rule itself: it is hidden for its own sake.
    ///
    /// # Errors
    /// [`EditionError`]
    pub fn protects(&self, earlier: &[Edition], name: &Name) -> Result<Vec<Name>, EditionError> {
        let mut beside: Vec<Edition> = earlier.iter().map(|edition| edition.of_the_same_facts(&self.truth)).collect();
        beside.retain(|edition| !edition.truth.cells.is_empty());
        beside.push(self.clone());
        let ledger = Ledger::new(&beside)?;
        let last = beside.len() - 1;
        let place = |name: &Name| place(&ledger.world, self, last, name);
        let hidden: BTreeSet<usize> = self.hidden.iter().map(place).collect();
        let openness = Openness::full(self.certificate.threshold);
        let narrow = protected_by(&ledger.problem, openness, &hidden, place(name))?;
        Ok(self.hidden.iter().filter(|name| narrow.contains(&place(name))).cloned().collect())
    }

    /// What everybody sees: hidden numbers are gone, and with each the percentages that it is in.
    pub fn published(&self) -> Release {
        let mut release = self.truth.clone();
        for (_, cell) in release.cells.iter_mut().filter(|(name, _)| self.hidden.contains(*name)) {
            (cell.value, cell.hidden) = (None, true);
        }
        let hidden = |measure: &str, key: &Key| self.hidden.contains(&(measure.to_owned(), key.clone()));
        release.percents.retain(|(of, key, _)| !hidden(&of.numerator, key) && !hidden(&of.denominator, key));
        release
    }
}
