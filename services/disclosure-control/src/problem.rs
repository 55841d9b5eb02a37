//! A suppression problem: which cells are published over which atoms, and which of them break a rule themselves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::audit::{Level, zeros};
use crate::row::{Atom, Row};
use crate::simplex::Constraint;

/// The largest number of cells of one problem.
pub const CELLS_MAX: usize = 200_000;
/// The largest number of atoms of one problem.
pub const ATOMS_MAX: usize = 1_000_000;
/// The largest number of atoms of all cells of one problem together.
pub const ENTRIES_MAX: usize = 20_000_000;

/// The largest value of a cell.
pub const VALUE_MAX: i64 = 1_000_000_000_000_000;
/// How often an atom counts in a cell at most.
pub const TIMES_MAX: i64 = 1_000_000;

/// A published cell: a sum of atoms, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Which atoms, how often.
    pub atoms: Row,
    /// The true number.
    pub value: i64,
}

/// A suppression problem over one release, or over several that share atoms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// How many atoms there are.
    pub atoms: usize,
    /// The cells of all tables.
    pub cells: Vec<Cell>,
    /// Cells that are published already; places in `cells`.
    pub forced: Vec<usize>,
    /// The order in which cells are tried for publishing: the first are kept most surely.
    pub candidates: Vec<usize>,
    /// Cells that break a rule themselves.
    pub primary: BTreeSet<usize>,
    /// Cells that are not published whatever comes out; nobody is harmed who works them out.
    pub withheld: BTreeSet<usize>,
    /// What everybody knows of the atoms beside the published numbers: which margins are equal, what contains what.
    pub frame: Vec<Constraint>,
    /// Atoms whose number somebody knows: of one person (who knows it), or zeros where zeros are hidden.
    pub singletons: BTreeSet<Atom>,
    /// Whether the cells of single singletons are primary themselves.
    pub singletons_are_primary: bool,
}

/// What is wrong with a problem as it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// More than a limit allows.
    #[error("{count} {what}: at most {max} are taken")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many are taken.
        max: usize,
    },
    /// A cell has an atom that there is not.
    #[error("cell {cell} has atom {atom}, but there are only {atoms} atoms, from 0")]
    Atom {
        /// The cell.
        cell: usize,
        /// The atom that it names.
        atom: Atom,
        /// How many atoms there are.
        atoms: usize,
    },
    /// A number that cannot be reckoned with.
    #[error("cell {cell} has {what} {number}: from -{max} to {max} is taken")]
    Number {
        /// The cell.
        cell: usize,
        /// Its value, or how often an atom counts.
        what: &'static str,
        /// The number.
        number: i64,
        /// The largest that is taken.
        max: i64,
    },
    /// What is known beside the cells has an atom that there is not, or a number that cannot be reckoned with.
    #[error("constraint {place} of the frame has an atom that there is not, or a number beyond the limits of cells")]
    Frame {
        /// The place of the constraint.
        place: usize,
    },
    /// A singleton that there is not.
    #[error("atom {atom} is a singleton, but there are only {atoms} atoms, from 0")]
    Singleton {
        /// The atom.
        atom: Atom,
        /// How many atoms there are.
        atoms: usize,
    },
    /// A list has a cell that there is not.
    #[error("`{list}` has cell {cell}, but there are only {cells} cells, from 0")]
    Place {
        /// Which list.
        list: &'static str,
        /// The place that it names.
        cell: usize,
        /// How many cells there are.
        cells: usize,
    },
    /// Neither published before, nor primary, nor a candidate.
    #[error("cell {cell} is in neither `candidates` nor `primary` nor `forced`: say what is to become of it")]
    Forgotten {
        /// The cell.
        cell: usize,
    },
    /// Two cells of the same atoms with different numbers.
    #[error("cells {a} and {b} are of the same atoms but of different values")]
    Differ {
        /// One cell.
        a: usize,
        /// The other.
        b: usize,
    },
}

/// The problem as a file has it; see `kith suppress --help`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProblemFile {
    /// What the problem is called.
    #[serde(default)]
    pub name: String,
    /// How many atoms there are.
    pub atoms: usize,
    /// The cells.
    pub cells: Vec<CellOfFile>,
    /// The order in which cells are tried for publishing.
    pub candidates: Vec<usize>,
    /// Cells that break a rule themselves.
    pub primary: Vec<usize>,
    /// Cells that are published already.
    #[serde(default)]
    pub forced: Vec<usize>,
    /// Atoms of one person, or zeros.
    #[serde(default)]
    pub singleton_atoms: Vec<Atom>,
    /// Whether the singletons are primary themselves.
    #[serde(default)]
    pub singletons_are_primary: bool,
}

/// A cell as a file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CellOfFile {
    /// Atoms with how often each counts.
    pub atoms: Vec<(Atom, i64)>,
    /// The true number.
    pub value: i64,
}

impl TryFrom<ProblemFile> for Problem {
    type Error = ProblemError;

    fn try_from(file: ProblemFile) -> Result<Problem, ProblemError> {
        for (cell, of) in file.cells.iter().enumerate() {
            within_limits(cell, of.atoms.iter().map(|(_, times)| *times), of.value)?;
        }
        let cells = file.cells.into_iter().map(|cell| Cell { atoms: Row::new(cell.atoms), value: cell.value });
        let problem = Problem {
            atoms: file.atoms,
            cells: cells.collect(),
            forced: file.forced,
            candidates: file.candidates,
            primary: file.primary.into_iter().collect(),
            withheld: BTreeSet::new(),
            frame: Vec::new(),
            singletons: file.singleton_atoms.into_iter().collect(),
            singletons_are_primary: file.singletons_are_primary,
        };
        problem.checked()
    }
}

fn within_limits(cell: usize, times: impl Iterator<Item = i64>, value: i64) -> Result<(), ProblemError> {
    let times = times.map(|times| ("an atom this many times:", times, TIMES_MAX));
    let mut all = times.chain([("the value", value, VALUE_MAX)]);
    let wide = all.find(|(_, number, max)| number.unsigned_abs() > max.unsigned_abs());
    wide.map_or(Ok(()), |(what, number, max)| Err(ProblemError::Number { cell, what, number, max }))
}

impl Problem {
    /// The same problem, if it is one: what else is asked of a problem takes it for that.
    ///
    /// # Errors
    /// [`ProblemError`]
    pub fn checked(self) -> Result<Problem, ProblemError> {
        let cells = self.cells.len();
        let entries = self.cells.iter().map(|cell| cell.atoms.entries().len()).sum();
        let limits =
            [("cells", cells, CELLS_MAX), ("atoms", self.atoms, ATOMS_MAX), ("atoms of cells", entries, ENTRIES_MAX)];
        if let Some(&(what, count, max)) = limits.iter().find(|(_, count, max)| count > max) {
            return Err(ProblemError::TooMany { what, count, max });
        }
        for (cell, of) in self.cells.iter().enumerate() {
            if let Some(atom) = of.atoms.atoms().find(|atom| *atom as usize >= self.atoms) {
                return Err(ProblemError::Atom { cell, atom, atoms: self.atoms });
            }
            within_limits(cell, of.atoms.entries().iter().map(|(_, times)| *times), of.value)?;
        }
        for (place, known) in self.frame.iter().enumerate() {
            let bounds = known.low.into_iter().chain(known.high).map(i64::unsigned_abs);
            let times = known.row.entries().iter().map(|(_, times)| times.unsigned_abs());
            if known.row.atoms().any(|atom| atom as usize >= self.atoms)
                || bounds.max() > Some(VALUE_MAX.unsigned_abs())
                || times.max() > Some(TIMES_MAX.unsigned_abs())
            {
                return Err(ProblemError::Frame { place });
            }
        }
        if let Some(&atom) = self.singletons.iter().find(|atom| **atom as usize >= self.atoms) {
            return Err(ProblemError::Singleton { atom, atoms: self.atoms });
        }
        let primary: Vec<usize> = self.primary.iter().copied().collect();
        let withheld: Vec<usize> = self.withheld.iter().copied().collect();
        let lists = [
            ("candidates", &self.candidates),
            ("primary", &primary),
            ("forced", &self.forced),
            ("withheld", &withheld),
        ];
        let mut named = vec![false; cells];
        for (list, places) in lists {
            for &cell in places {
                *named.get_mut(cell).ok_or(ProblemError::Place { list, cell, cells })? = true;
            }
        }
        if let Some(cell) = named.iter().position(|named| !named) {
            return Err(ProblemError::Forgotten { cell });
        }
        self.values_agree()?;
        Ok(self)
    }

    /// What somebody knows at a level who sees the cells but for the hidden ones, zeros being public. At [`Level::K2`]
    /// primary and secondary cells have different marks: the ones are below the threshold, the others not.
    pub fn known(&self, hidden: &BTreeSet<usize>, level: Level, threshold: i64) -> Vec<Constraint> {
        let of = |(place, cell): (usize, &Cell)| {
            if !hidden.contains(&place) {
                return Some(Constraint::equal(cell.atoms.clone(), cell.value));
            }
            let (low, high) = match (level, self.primary.contains(&place)) {
                (Level::K0, _) => return None,
                (Level::K1, _) => (1, None),
                (Level::K2, true) => (1, Some(threshold - 1)),
                (Level::K2, false) => (threshold, None),
            };
            Some(Constraint { row: cell.atoms.clone(), low: Some(low), high })
        };
        self.frame.iter().cloned().chain(self.cells.iter().enumerate().filter_map(of)).collect()
    }

    /// The same without atoms under a zero, where zeros are shown: everybody knows that they are zero.
    #[must_use]
    pub(crate) fn without_zeros(&self) -> Problem {
        let shown = self.cells.iter().filter(|cell| cell.value == 0);
        let shown = shown.map(|cell| Constraint::equal(cell.atoms.clone(), 0));
        let zero = zeros(self.atoms, &self.frame.iter().cloned().chain(shown).collect::<Vec<_>>());
        let mut opened = self.clone();
        opened.cells.iter_mut().for_each(|cell| cell.atoms = cell.atoms.without(|atom| zero[atom as usize]));
        opened.frame.iter_mut().for_each(|known| known.row = known.row.without(|atom| zero[atom as usize]));
        opened.frame.retain(|known| !known.row.is_empty());
        opened
    }

    fn values_agree(&self) -> Result<(), ProblemError> {
        let mut first = std::collections::HashMap::new();
        for (b, cell) in self.cells.iter().enumerate() {
            let a = *first.entry(&cell.atoms).or_insert(b);
            if self.cells[a].value != cell.value {
                return Err(ProblemError::Differ { a, b });
            }
        }
        Ok(())
    }
}
