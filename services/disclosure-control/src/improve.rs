//! A search over the order of the candidates, for a pattern that hides fewer and smaller numbers.
//!
//! Which cells [`suppress`](crate::suppress()) hides depends on the order alone: of its patterns no single cell can be
//! shown again, but in another order a single cell may protect what two protect in this one. So a hidden cell is put
//! first, where it is published for certain, and others are hidden for it; or a shown one is put last, so that it may be
//! hidden and others shown for it. What is better is kept. That is a local search in the space of priorities, as
//! R. Storer, D. Wu and R. Vaccari, *New search spaces for sequencing problems*, Management Science 38 (1992), have it
//! for heuristics that decide one thing after the other. Where nothing near is better, the search starts anew from the
//! given order, shaken, and keeps the best of all (H. Lourenço, O. Martin and T. Stützle, *Iterated local search*, 2003).
//!
//! A pattern is only taken if it is proven safe by [`Attacker`]: whole worlds were found for both ends of what each
//! primary cell must be able to be. Deterministic; at most [`ELIMINATIONS_MAX`] orders are tried.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;

use crate::audit::{Attacker, Level};
use crate::problem::Problem;
use crate::row::{Row, TooWide};
use crate::simplex::Stopped;
use crate::suppress::{Singletons, Suppression, suppress_in};

/// The largest number of orders that are tried for one problem, the first one included.
pub const ELIMINATIONS_MAX: usize = 64;

/// What a hidden cell costs beside its number: as much as one of this size.
///
/// By numbers alone two cells of 1 are hidden rather than one of 3; by cells alone a total rather than two small ones.
const CELL_PRICE: i128 = 16;
/// How many shown cells near the hidden ones are given away before the search starts anew.
const GIVEN_AWAY_MAX: usize = 12;

/// What each primary cell must be able to be for somebody who knows that numbers are not negative ([`Level::K0`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// How much lower than it is.
    pub below: i64,
    /// How much higher than it is.
    pub above: i64,
}

impl Default for Requirement {
    /// One lower and one higher: never known exactly.
    fn default() -> Requirement {
        Requirement { below: 1, above: 1 }
    }
}

/// The best pattern that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Improved {
    /// What is hidden.
    pub suppression: Suppression,
    /// How many orders were tried.
    pub eliminations: usize,
    /// How many patterns were held against the attacker.
    pub proofs: usize,
}

/// Why there is no improved pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImproveError {
    /// What was published before gives these cells away.
    #[error("what was published before gives {} protected cells away", cells.len())]
    Revealed {
        /// The cells, by place.
        cells: Vec<usize>,
    },
    /// No pattern was proven to leave each primary cell what the requirement asks for.
    #[error("none of {eliminations} patterns is proven to leave each protected number open enough")]
    NotSafe {
        /// How many orders were tried.
        eliminations: usize,
    },
    /// A number left the range of 64 bits.
    #[error(transparent)]
    TooWide(#[from] TooWide),
}

/// Looks for a better order of the candidates, and proves what it finds.
///
/// # Errors
/// [`ImproveError`]
pub fn improve(problem: &Problem, singletons: Singletons, requirement: Requirement) -> Result<Improved, ImproveError> {
    let opened = problem.without_zeros();
    let mut search = Search::new(problem, &opened, singletons, requirement);
    search.start()?;
    while search.publish_one()? || search.give_one_away()? || search.start_anew()? {}
    search.finished()
}

struct Search<'a> {
    problem: &'a Problem,
    opened: &'a Problem,
    /// The cells of each line of a table, a margin and its parts.
    lines: Vec<Vec<usize>>,
    singletons: Singletons,
    requirement: Requirement,
    /// Where the search is, since it last started.
    current: Option<Pattern>,
    best: Option<Pattern>,
    /// Patterns that were held against the attacker.
    proven: HashMap<BTreeSet<usize>, bool>,
    eliminations: usize,
    /// The state of the sequence of numbers by which orders are shaken: the same for each problem, no chance in it.
    sequence: u64,
}

#[derive(Debug, Clone)]
struct Pattern {
    order: Vec<usize>,
    suppression: Suppression,
    cost: i128,
}

impl Search<'_> {
    fn new<'a>(
        problem: &'a Problem,
        opened: &'a Problem,
        singletons: Singletons,
        requirement: Requirement,
    ) -> Search<'a> {
        Search {
            problem,
            opened,
            lines: lines(opened),
            singletons,
            requirement,
            current: None,
            best: None,
            proven: HashMap::new(),
            eliminations: 0,
            sequence: 3,
        }
    }

    fn value(&self, cell: usize) -> i128 {
        self.problem.cells[cell].value.into()
    }

    fn may_go_on(&self) -> bool {
        self.eliminations < ELIMINATIONS_MAX
    }

    /// The order as it was given; where that is not safe, with singletons handled.
    fn start(&mut self) -> Result<(), ImproveError> {
        let order = self.opened.candidates.clone();
        if !self.attempt(order.clone(), self.singletons)? && self.singletons == Singletons::Ignored {
            self.attempt(order, Singletons::Handled)?;
        }
        Ok(())
    }

    /// Tries an order. Whether it is better than where the search is, and safe: then the search is there.
    fn attempt(&mut self, order: Vec<usize>, singletons: Singletons) -> Result<bool, ImproveError> {
        self.eliminations += 1;
        let suppression = suppress_in(self.opened, &order, singletons)?;
        if !suppression.revealed.is_empty() {
            return Err(ImproveError::Revealed { cells: suppression.revealed.into_iter().collect() });
        }
        let cost = suppression.secondary.iter().map(|cell| CELL_PRICE + self.value(*cell)).sum();
        let is_cheaper = |than: &Option<Pattern>| than.as_ref().is_none_or(|than| cost < than.cost);
        if !is_cheaper(&self.current) || !self.is_safe(&suppression.secondary) {
            return Ok(false);
        }
        let pattern = Pattern { order, suppression, cost };
        if is_cheaper(&self.best) {
            self.best = Some(pattern.clone());
        }
        self.current = Some(pattern);
        Ok(true)
    }

    /// Whether each primary cell is proven to be as open as required. What was not proven counts as not safe.
    fn is_safe(&mut self, secondary: &BTreeSet<usize>) -> bool {
        if let Some(proven) = self.proven.get(secondary) {
            return *proven;
        }
        let proven = self.proof(secondary) == Ok(true);
        self.proven.insert(secondary.clone(), proven);
        proven
    }

    fn proof(&self, secondary: &BTreeSet<usize>) -> Result<bool, Stopped> {
        let (problem, Requirement { below, above }) = (self.problem, self.requirement);
        let hidden = problem.primary.iter().chain(secondary).chain(&problem.withheld).copied().collect();
        let targets: Vec<Row> = problem.primary.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
        // At K0 no mark tells anything, so the threshold is of no matter.
        let mut attacker = Attacker::new(problem.atoms, problem.known(&hidden, Level::K0, 0), &targets)?;
        for (target, cell) in problem.primary.iter().enumerate() {
            let value = problem.cells[*cell].value;
            if !attacker.is_open(target, value - below, value + above)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts each hidden cell first, the largest before others, until one order is better. Whether one was.
    fn publish_one(&mut self) -> Result<bool, ImproveError> {
        let Some(Pattern { order, suppression, .. }) = self.current.clone() else { return Ok(false) };
        let mut hidden: Vec<usize> = suppression.secondary.into_iter().collect();
        hidden.sort_by_key(|cell| (-self.value(*cell), *cell));
        for cell in hidden {
            let others = order.iter().copied().filter(|other| *other != cell);
            let order = iter::once(cell).chain(others).collect();
            if !self.may_go_on() || self.attempt(order, self.singletons)? {
                return Ok(self.may_go_on());
            }
        }
        Ok(false)
    }

    /// Puts shown cells last that lie in lines with many hidden ones, until one order is better. Whether one was.
    fn give_one_away(&mut self) -> Result<bool, ImproveError> {
        let Some(Pattern { order, suppression, .. }) = self.current.clone() else { return Ok(false) };
        for cell in self.near(&suppression.secondary) {
            let others = order.iter().copied().filter(|other| *other != cell);
            let order = others.chain([cell]).collect();
            if !self.may_go_on() || self.attempt(order, self.singletons)? {
                return Ok(self.may_go_on());
            }
        }
        Ok(false)
    }

    /// Shown cells in lines with cells that are hidden for others: those with many hidden ones around first.
    fn near(&self, secondary: &BTreeSet<usize>) -> Vec<usize> {
        let is_hidden = |cell: &usize| secondary.contains(cell) || self.problem.primary.contains(cell);
        let all: i128 = secondary.iter().map(|cell| self.value(*cell)).sum();
        let mut near: BTreeMap<usize, usize> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.iter().any(|cell| secondary.contains(cell))) {
            let hidden = line.iter().filter(|cell| is_hidden(cell)).count();
            let shown = line.iter().filter(|cell| !is_hidden(cell) && (1..all).contains(&self.value(**cell)));
            shown.for_each(|cell| *near.entry(*cell).or_default() += hidden);
        }
        let mut near: Vec<(usize, usize)> = near.into_iter().collect();
        near.sort_by_key(|(cell, hidden)| (Reverse(*hidden), self.value(*cell), *cell));
        near.into_iter().map(|(cell, _)| cell).take(GIVEN_AWAY_MAX).collect()
    }

    /// Starts anew from an order in which each number counts once to twice. Whether there is where to go on from.
    fn start_anew(&mut self) -> Result<bool, ImproveError> {
        while self.may_go_on() {
            let mut order: Vec<(i128, usize)> = Vec::new();
            for cell in &self.opened.candidates {
                // Zeros are public: they stay first.
                let value = self.problem.cells[*cell].value;
                let weight = 1_000 + i128::from(next(&mut self.sequence) % 1_000);
                order.push((if value == 0 { i128::MIN } else { -i128::from(value) * weight }, *cell));
            }
            order.sort_unstable();
            self.current = None;
            if self.attempt(order.into_iter().map(|(_, cell)| cell).collect(), self.singletons)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finished(self) -> Result<Improved, ImproveError> {
        let (eliminations, proofs) = (self.eliminations, self.proven.len());
        let best = self.best.ok_or(ImproveError::NotSafe { eliminations })?;
        Ok(Improved { suppression: best.suppression, eliminations, proofs })
    }
}

/// The next number of a sequence that looks like chance (D. Knuth's MMIX congruence; the upper half is taken).
fn next(sequence: &mut u64) -> u64 {
    *sequence = sequence.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *sequence >> 33
}

/// The lines of the tables: for each cell those that lie in it and in nothing smaller that lies in it.
fn lines(problem: &Problem) -> Vec<Vec<usize>> {
    let row = |cell: usize| &problem.cells[cell].atoms;
    let within = |small: usize, large: usize| {
        let (small, large) = (row(small), row(large));
        small.entries().len() < large.entries().len() && small.entries().iter().all(|(atom, x)| *x <= large.at(*atom))
    };
    let mut at: Vec<Vec<usize>> = vec![Vec::new(); problem.atoms];
    for cell in 0..problem.cells.len() {
        row(cell).atoms().for_each(|atom| at[atom as usize].push(cell));
    }
    let mut lines: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for cell in 0..problem.cells.len() {
        let Some(first) = row(cell).atoms().next() else { continue };
        let above: Vec<usize> = at[first as usize].iter().copied().filter(|large| within(cell, *large)).collect();
        for large in &above {
            if !above.iter().any(|between| within(*between, *large)) {
                lines.entry(*large).or_default().push(cell);
            }
        }
    }
    lines.into_values().collect()
}
