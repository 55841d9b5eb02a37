//! Secondary suppression by Gaussian elimination over whole numbers.
//!
//! Cells are published one after the other, in the order of the candidates, each only if no primary cell becomes a
//! linear combination of published ones by it. What is published spans a space; a cell that is *a* modulo that space
//! reveals the primary cell *b* exactly if *b* is a multiple of *a* modulo the space. Deterministic, never infeasible.
//!
//! Source: Ø. Langsrud, *Secondary Cell Suppression by Gaussian Elimination*, Privacy in Statistical Databases 2024,
//! doi 10.1007/978-3-031-69651-0_6, and the behaviour of its implementation, `GaussSuppression` (R), which this equals
//! set by set. What it does not promise: that what is left open is open to someone who knows that numbers are whole
//! and not negative, or that zeros are shown. That is [`crate::audit`]'s.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use crate::problem::Problem;
use crate::row::{Atom, Row, TooWide};

/// Whether what single people know about their own cell is reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Singletons {
    /// A sum of singletons is not published, nor a primary cell's difference from one.
    Handled,
    /// Nobody is thought to know an atom.
    Ignored,
}

/// Which cells stay hidden, beside the primary ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suppression {
    /// Cells that are hidden to protect others, by place.
    pub secondary: BTreeSet<usize>,
    /// Primary cells that follow from what was published before: nothing can protect them any more.
    pub revealed: BTreeSet<usize>,
}

/// Decides which cells are hidden beside the primary ones.
///
/// ```
/// use disclosure_control::{Problem, Row, Singletons, suppress};
/// use disclosure_control::problem::Cell;
/// // A total and its three parts; the last is small.
/// let cell = |atoms: &[u32], value| Cell { atoms: Row::sum(atoms.iter().copied()), value };
/// let problem = Problem {
///     atoms: 3,
///     cells: vec![cell(&[0, 1, 2], 32), cell(&[0], 20), cell(&[1], 10), cell(&[2], 2)],
///     candidates: vec![0, 1, 2],
///     primary: [3].into(),
///     ..Problem::default()
/// };
/// assert_eq!(suppress(&problem, Singletons::Ignored)?.secondary, [2].into());
/// # Ok::<(), disclosure_control::TooWide>(())
/// ```
///
/// # Errors
/// [`TooWide`]: then nothing may be published.
pub fn suppress(problem: &Problem, singletons: Singletons) -> Result<Suppression, TooWide> {
    suppress_in(problem, &problem.candidates, singletons)
}

/// The same in another order of the candidates; see [`crate::improve`].
pub(crate) fn suppress_in(problem: &Problem, order: &[usize], singletons: Singletons) -> Result<Suppression, TooWide> {
    let distinct = Distinct::new(problem, singletons);
    let mut elimination = Elimination::new(problem, &distinct);
    let mut decided = vec![false; distinct.rows.len()];
    let mut hidden = vec![false; distinct.rows.len()];
    for row in problem.frame.iter().filter(|known| known.low.is_some() && known.low == known.high) {
        elimination.know(&row.row.renamed(|atom| distinct.name[atom as usize]))?;
    }
    for column in problem.forced.iter().map(|cell| distinct.column[*cell]) {
        if !std::mem::replace(&mut decided[column], true) {
            elimination.force(column)?;
        }
    }
    for column in problem.primary.iter().map(|cell| distinct.column[*cell]) {
        if !hidden[column] && decided[column] {
            elimination.revealed.insert(column);
        }
        (hidden[column], decided[column]) = (true, true);
    }
    for column in order.iter().map(|cell| distinct.column[*cell]) {
        if !std::mem::replace(&mut decided[column], true) {
            hidden[column] = !elimination.publish(column)?;
        }
    }
    let others: BTreeSet<usize> =
        problem.forced.iter().chain(&problem.primary).chain(&problem.withheld).copied().collect();
    let hides = |cell: &usize| hidden[distinct.column[*cell]] && !others.contains(cell);
    let secondary = (0..problem.cells.len()).filter(hides).collect();
    let is_revealed = |cell: &&usize| elimination.revealed.contains(&distinct.column[**cell]);
    Ok(Suppression { secondary, revealed: problem.primary.iter().filter(is_revealed).copied().collect() })
}

/// The distinct columns: cells of the same atoms share one fate. Of atoms that lie in the same cells one is kept; those
/// of several people come first, so that a pivot is a singleton only where nothing else is left.
struct Distinct {
    /// The distinct column of each cell.
    column: Vec<usize>,
    rows: Vec<Row>,
    /// The place of each atom that is kept.
    name: Vec<Option<Atom>>,
    atoms: usize,
    /// Atoms from here on are singletons.
    first_singleton: Atom,
}

impl Distinct {
    fn new(problem: &Problem, singletons: Singletons) -> Distinct {
        let mut lies_in: Vec<Vec<(usize, i64)>> = vec![Vec::new(); problem.atoms];
        let rows = problem.cells.iter().map(|cell| &cell.atoms).chain(problem.frame.iter().map(|known| &known.row));
        for (cell, row) in rows.enumerate() {
            row.entries().iter().for_each(|(atom, x)| lies_in[*atom as usize].push((cell, *x)));
        }
        let handled = singletons == Singletons::Handled;
        let is_single: Vec<bool> =
            (0..).take(problem.atoms).map(|atom| handled && problem.singletons.contains(&atom)).collect();
        let mut order: Vec<usize> = (0..problem.atoms).filter(|atom| !lies_in[*atom].is_empty()).collect();
        order.sort_by_key(|atom| is_single[*atom]);
        let (mut name, mut known, mut first_singleton) = (vec![None; problem.atoms], HashSet::new(), Atom::MAX);
        let mut atoms = 0;
        for atom in order {
            if !known.insert(lies_in[atom].as_slice()) {
                continue;
            }
            if is_single[atom] {
                first_singleton = first_singleton.min(atoms);
            }
            name[atom] = Some(atoms);
            atoms += 1;
        }
        let (mut rows, mut of) = (Vec::new(), HashMap::new());
        let column_of = |cell: &crate::problem::Cell| {
            let row = cell.atoms.renamed(|atom| name[atom as usize]);
            *of.entry(row).or_insert_with_key(|row| {
                rows.push(row.clone());
                rows.len() - 1
            })
        };
        let column = problem.cells.iter().map(column_of).collect();
        Distinct { column, rows, name, atoms: atoms as usize, first_singleton }
    }
}

/// What is published so far, as pivots in the order of their making, and what of the primary cells is open yet.
struct Elimination<'a> {
    distinct: &'a Distinct,
    singletons_are_primary: bool,
    pivots: Vec<(Atom, Row)>,
    /// The pivot at each atom.
    pivot_at: Vec<Option<usize>>,
    /// Atoms of singletons that are as good as published.
    gone: Vec<bool>,
    /// Atoms of singletons of which a difference was published.
    used: HashSet<Atom>,
    primary: Primaries,
    /// Columns of primary cells that nothing protects.
    revealed: HashSet<usize>,
}

impl Elimination<'_> {
    fn new<'a>(problem: &Problem, distinct: &'a Distinct) -> Elimination<'a> {
        let mut columns: Vec<usize> = problem.primary.iter().map(|cell| distinct.column[*cell]).collect();
        columns.sort_unstable();
        columns.dedup();
        let only_singles = |row: &Row| row.atoms().next().is_some_and(|atom| atom >= distinct.first_singleton);
        columns.retain(|column| !(problem.singletons_are_primary && only_singles(&distinct.rows[*column])));
        Elimination {
            distinct,
            singletons_are_primary: problem.singletons_are_primary,
            pivots: Vec::new(),
            pivot_at: vec![None; distinct.atoms],
            gone: vec![false; distinct.atoms],
            used: HashSet::new(),
            primary: Primaries::new(columns.iter().map(|column| (*column, distinct.rows[*column].clone()))),
            revealed: HashSet::new(),
        }
    }

    /// Publishes a column, unless that would reveal a primary cell. Whether it is published.
    fn publish(&mut self, column: usize) -> Result<bool, TooWide> {
        let a = self.rest(&self.distinct.rows[column])?;
        let Some(first) = a.atoms().next() else { return Ok(true) };
        let mut single = first >= self.distinct.first_singleton;
        let mixed = a.entries().iter().any(|(_, x)| *x < 0) && a.entries().iter().any(|(_, x)| *x > 0);
        if single && mixed && a.atoms().all(|atom| !self.used.contains(&atom)) {
            single = false;
            self.used.extend(a.atoms());
        }
        if single && !self.singletons_are_primary {
            if self.primary.within(&a) {
                return Ok(false);
            }
            a.atoms().for_each(|atom| self.gone[atom as usize] = true);
            self.primary.forget(&a);
            return Ok(true);
        }
        if single || self.primary.has_multiple_of(&a) {
            return Ok(false);
        }
        self.eliminate(first, a)?;
        Ok(true)
    }

    /// Takes a column as published, whatever it reveals.
    fn force(&mut self, column: usize) -> Result<(), TooWide> {
        self.know(&self.distinct.rows[column])
    }

    /// Takes a sum as known, whatever it reveals.
    fn know(&mut self, row: &Row) -> Result<(), TooWide> {
        let a = self.rest(row)?;
        let Some(first) = a.atoms().next() else { return Ok(()) };
        self.eliminate(first, a)
    }

    fn eliminate(&mut self, first: Atom, a: Row) -> Result<(), TooWide> {
        self.revealed.extend(self.primary.eliminate(first, &a)?);
        self.pivot_at[first as usize] = Some(self.pivots.len());
        self.pivots.push((first, a));
        Ok(())
    }

    /// What is left of a row once each pivot is taken out, in the order in which they were made: a pivot has nothing at
    /// the places of earlier ones.
    fn rest(&self, row: &Row) -> Result<Row, TooWide> {
        let mut row = row.clone();
        let mut next: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
        next.extend(row.atoms().filter_map(|atom| self.pivot_at[atom as usize]).map(Reverse));
        while let Some(Reverse(pivot)) = next.pop() {
            let (at, pivot) = &self.pivots[pivot];
            if row.at(*at) == 0 {
                continue;
            }
            row = row.eliminated(pivot, *at)?;
            next.extend(pivot.atoms().filter_map(|atom| self.pivot_at[atom as usize]).map(Reverse));
        }
        Ok(row.without(|atom| self.gone[atom as usize]).primitive())
    }
}

/// The primary cells, each without what is published of it, in its normal form.
struct Primaries {
    columns: Vec<usize>,
    rows: Vec<Row>,
    /// Which rows have something at an atom, or had.
    at: HashMap<Atom, Vec<usize>>,
    /// How many rows are of this normal form.
    count: HashMap<Row, usize>,
}

impl Primaries {
    fn new(primary: impl Iterator<Item = (usize, Row)>) -> Primaries {
        let mut all = Primaries { columns: Vec::new(), rows: Vec::new(), at: HashMap::new(), count: HashMap::new() };
        for (column, row) in primary {
            all.columns.push(column);
            all.rows.push(Row::default());
            all.set(all.rows.len() - 1, row.primitive());
        }
        all
    }

    fn set(&mut self, place: usize, row: Row) {
        row.atoms()
            .filter(|atom| self.rows[place].at(*atom) == 0)
            .for_each(|atom| self.at.entry(atom).or_default().push(place));
        let old = std::mem::replace(&mut self.rows[place], row.clone());
        if let Some(count) = self.count.get_mut(&old) {
            *count -= 1;
            if *count == 0 {
                self.count.remove(&old);
            }
        }
        if !row.is_empty() {
            *self.count.entry(row).or_default() += 1;
        }
    }

    /// Whether a primary cell is a multiple of this normal form.
    fn has_multiple_of(&self, a: &Row) -> bool {
        self.count.contains_key(a)
    }

    /// Whether a primary cell has no atom but those of `a`.
    fn within(&self, a: &Row) -> bool {
        let near = a.atoms().filter_map(|atom| self.at.get(&atom)).flatten();
        near.map(|place| &self.rows[*place]).any(|b| !b.is_empty() && b.atoms().all(|atom| a.at(atom) != 0))
    }

    /// Takes the atoms of `a` out of all.
    fn forget(&mut self, a: &Row) {
        let near: BTreeSet<usize> = a.atoms().filter_map(|atom| self.at.get(&atom)).flatten().copied().collect();
        for place in near {
            self.set(place, self.rows[place].without(|atom| a.at(atom) != 0).primitive());
        }
    }

    /// Takes a pivot out of all. The columns of which nothing is left: they are revealed.
    fn eliminate(&mut self, at: Atom, pivot: &Row) -> Result<Vec<usize>, TooWide> {
        let mut revealed = Vec::new();
        for place in self.at.remove(&at).unwrap_or_default() {
            if self.rows[place].at(at) != 0 {
                let row = self.rows[place].eliminated(pivot, at)?;
                if row.is_empty() {
                    revealed.push(self.columns[place]);
                }
                self.set(place, row);
            }
        }
        Ok(revealed)
    }
}
