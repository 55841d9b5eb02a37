//! Which hidden cells follow from shown ones by adding and taking away, and how: exactly, over whole numbers.

use std::collections::{BTreeSet, HashMap};

use crate::problem::Problem;
use crate::row::{Atom, Row, TooWide};
use crate::simplex::Constraint;
use crate::world::World;

/// Shown cells that add up to a multiple of another cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// How often each shown cell is added, by place.
    pub terms: Vec<(i64, usize)>,
    /// By what the sum is divided.
    pub divided_by: i64,
}

/// A basis of what is known exactly, by the first atom of each row.
#[derive(Debug, Default)]
pub struct Basis {
    rows: HashMap<Atom, Row>,
}

impl Basis {
    /// What is left of a row beyond what is known.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn rest(&self, row: &Row) -> Result<Row, TooWide> {
        let mut row = row.clone();
        let mut from = 0;
        while let Some(&(atom, _)) = row.entries().iter().find(|(atom, _)| *atom >= from) {
            match self.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => from = atom + 1,
            }
        }
        Ok(row)
    }

    /// Takes a row as known. Whether it says anything new.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn learn(&mut self, row: &Row) -> Result<bool, TooWide> {
        let mut row = row.clone();
        while let Some(&(atom, _)) = row.entries().first() {
            let Some(known) = self.rows.get(&atom) else {
                self.rows.insert(atom, row.primitive());
                return Ok(true);
            };
            row = row.eliminated(known, atom)?;
        }
        Ok(false)
    }

    /// Whether a row follows from what is known.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn implies(&self, row: &Row) -> Result<bool, TooWide> {
        let mut row = row.clone();
        while let Some(&(atom, _)) = row.entries().first() {
            match self.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// What is known exactly of atoms: sums that are zero, and shown cells. Atoms under a shown zero are zero.
pub(crate) struct Known {
    atoms: usize,
    zero: Vec<bool>,
    /// Sums that are zero, such as the differences of equal margins.
    nothing: Vec<Row>,
    /// Shown cells by place, those of few atoms first.
    shown: Vec<(usize, Row)>,
}

impl Known {
    /// What is known to who sees a world's releases.
    pub fn of_world(world: &World) -> Known {
        let (joins, shown) = world.equations();
        let shown = shown.into_iter().map(|cell| (cell, world.cells[cell].atoms.clone()));
        Known::new(world.atoms, &world.zeros(), &joins, shown.collect())
    }

    /// What is known to who sees the cells of a problem, but for the hidden ones.
    pub fn of_problem(problem: &Problem, hidden: &BTreeSet<usize>) -> Known {
        let shown = problem.cells.iter().enumerate().filter(|(place, _)| !hidden.contains(place));
        let mut zeros = problem.frame.clone();
        let nought = shown.clone().filter(|(_, cell)| cell.value == 0);
        zeros.extend(nought.map(|(_, cell)| Constraint::equal(cell.atoms.clone(), 0)));
        let joins = problem.frame.iter().filter(|known| known.low == Some(0) && known.high == Some(0));
        let joins: Vec<Row> = joins.map(|known| known.row.clone()).collect();
        Known::new(problem.atoms, &zeros, &joins, shown.map(|(place, cell)| (place, cell.atoms.clone())).collect())
    }

    fn new(atoms: usize, zeros: &[Constraint], nothing: &[Row], shown: Vec<(usize, Row)>) -> Known {
        let mut known =
            Known { atoms, zero: crate::audit::zeros(atoms, zeros), nothing: Vec::new(), shown: Vec::new() };
        known.nothing = nothing.iter().map(|row| known.open(row)).collect();
        known.shown = shown.into_iter().map(|(place, row)| (place, known.open(&row))).collect();
        known.shown.sort_by_key(|(place, row)| (row.entries().len(), *place));
        known
    }

    fn open(&self, row: &Row) -> Row {
        row.without(|atom| self.zero[atom as usize])
    }

    /// Which of these cells follow from shown ones.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn revealed<'a>(&self, cells: impl Iterator<Item = (usize, &'a Row)>) -> Result<Vec<usize>, TooWide> {
        let mut basis = Basis::default();
        for row in self.nothing.iter().chain(self.shown.iter().map(|(_, row)| row)) {
            basis.learn(row)?;
        }
        let mut out = Vec::new();
        for (place, row) in cells {
            if basis.implies(&self.open(row))? {
                out.push(place);
            }
        }
        Ok(out)
    }

    /// How cells follow from shown ones, for those of these cells that do and of which it can be said within 64 bits:
    /// the shorter of two ways, by small cells first and by large ones first.
    pub fn combinations<'a>(&self, cells: impl Iterator<Item = (usize, &'a Row)>) -> Vec<(usize, Combination)> {
        let ways: Vec<Recipes<'_>> = [false, true].into_iter().filter_map(|large| self.recipes(large).ok()).collect();
        let shortest = |(place, row): (usize, &Row)| {
            let all = ways.iter().filter_map(|recipes| recipes.of(row).ok().flatten());
            Some((place, all.min_by_key(|combination| combination.terms.len())?))
        };
        cells.filter_map(shortest).collect()
    }

    /// A basis that remembers of which shown cells each of its rows was made.
    fn recipes(&self, large_first: bool) -> Result<Recipes<'_>, TooWide> {
        let base = Atom::try_from(self.atoms).map_err(|_| TooWide)?;
        let places = Atom::try_from(self.shown.len()).ok();
        let target = places.and_then(|places| base.checked_add(places)).ok_or(TooWide)?;
        let mut recipes = Recipes { known: self, basis: Basis::default(), base, target };
        for row in &self.nothing {
            recipes.learn(row.clone())?;
        }
        let mut shown: Vec<(&Row, Atom)> = self.shown.iter().map(|(_, row)| row).zip(base..).collect();
        if large_first {
            shown.reverse();
        }
        shown.into_iter().try_for_each(|(row, place)| recipes.learn(marked(row, place)))?;
        Ok(recipes)
    }
}

/// A row with a place of its own behind the atoms, which keeps count of how often it was used.
fn marked(row: &Row, place: Atom) -> Row {
    Row::new(row.entries().iter().copied().chain([(place, 1)]))
}

/// How cells follow from shown ones. Sums that are zero say nothing of their own.
struct Recipes<'a> {
    known: &'a Known,
    basis: Basis,
    /// The place of the first shown cell.
    base: Atom,
    /// The place of the cell that is asked about.
    target: Atom,
}

impl Recipes<'_> {
    /// What is left of a row, beyond the atoms: nothing, if an atom is left.
    fn rest(&self, mut row: Row) -> Result<Result<Row, (Atom, Row)>, TooWide> {
        while let Some(&(atom, _)) = row.entries().first().filter(|(atom, _)| *atom < self.base) {
            match self.basis.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => return Ok(Err((atom, row))),
            }
        }
        Ok(Ok(row))
    }

    fn learn(&mut self, row: Row) -> Result<(), TooWide> {
        if let Err((atom, row)) = self.rest(row)? {
            self.basis.rows.insert(atom, row.primitive());
        }
        Ok(())
    }

    /// How a cell follows from shown ones; none: it does not.
    fn of(&self, cell: &Row) -> Result<Option<Combination>, TooWide> {
        let Ok(row) = self.rest(marked(&self.known.open(cell), self.target))? else { return Ok(None) };
        let divided_by = row.at(self.target);
        let terms = row.entries().iter().filter(|(place, _)| *place != self.target);
        let shown = |place: Atom| self.known.shown[(place - self.base) as usize].0;
        let terms = terms.map(|(place, x)| (-x * divided_by.signum(), shown(*place))).collect();
        Ok(Some(Combination { terms, divided_by: divided_by.abs() }))
    }
}
