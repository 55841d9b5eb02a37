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

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::elimination::{Elimination, Numbers};
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
    match distinct.decide(problem, order, Numbers::Whole) {
        Err(TooWide) => distinct.decide(problem, order, Numbers::Residues),
        decided => decided,
    }
}

/// The distinct columns: cells of the same atoms share one fate. Of atoms that lie in the same cells one is kept; those
/// of several people come first, so that a pivot is a singleton only where nothing else is left.
struct Distinct {
    /// The distinct column of each cell.
    column: Vec<usize>,
    /// A cell of each distinct column.
    cell: Vec<usize>,
    /// The place of each atom that is kept.
    name: Vec<Option<Atom>>,
    atoms: usize,
    /// Atoms from here on are singletons.
    first_singleton: Atom,
}

impl Distinct {
    fn new(problem: &Problem, singletons: Singletons) -> Distinct {
        let class = classes(problem);
        let handled = singletons == Singletons::Handled;
        let is_single: Vec<bool> =
            (0..).take(problem.atoms).map(|atom| handled && problem.singletons.contains(&atom)).collect();
        let mut order: Vec<usize> = (0..problem.atoms).filter(|atom| class[*atom] != 0).collect();
        order.sort_by_key(|atom| is_single[*atom]);
        let (mut name, mut known, mut first_singleton) = (vec![None; problem.atoms], HashSet::new(), Atom::MAX);
        let mut atoms = 0;
        for atom in order {
            if !known.insert(class[atom]) {
                continue;
            }
            if is_single[atom] {
                first_singleton = first_singleton.min(atoms);
            }
            name[atom] = Some(atoms);
            atoms += 1;
        }
        let (mut column, mut cell, mut of) = (Vec::new(), Vec::new(), HashMap::new());
        for (place, one) in problem.cells.iter().enumerate() {
            column.push(*of.entry(&one.atoms).or_insert(cell.len()));
            if column[place] == cell.len() {
                cell.push(place);
            }
        }
        Distinct { column, cell, name, atoms: atoms as usize, first_singleton }
    }

    fn row(&self, problem: &Problem, column: usize) -> Row {
        problem.cells[self.cell[column]].atoms.renamed(|atom| self.name[atom as usize])
    }

    /// For each atom how late the columns that have it are decided.
    fn rank(&self, problem: &Problem, order: &[usize]) -> Vec<u64> {
        let mut rank = vec![0; self.atoms];
        for (place, column) in (0..).zip(order) {
            let atoms = problem.cells[self.cell[*column]].atoms.atoms();
            atoms.filter_map(|atom| self.name[atom as usize]).for_each(|atom| rank[atom as usize] += place);
        }
        rank
    }

    fn decide(&self, problem: &Problem, order: &[usize], numbers: Numbers) -> Result<Suppression, TooWide> {
        let mut decided = vec![false; self.cell.len()];
        let mut hidden = vec![false; self.cell.len()];
        let mut first = |cells: &mut dyn Iterator<Item = &usize>| -> Vec<usize> {
            let columns = cells.map(|cell| self.column[*cell]);
            columns.filter(|column| !std::mem::replace(&mut decided[*column], true)).collect()
        };
        let forced = first(&mut problem.forced.iter());
        let is_forced: HashSet<usize> = forced.iter().copied().collect();
        let primary: BTreeSet<usize> = problem.primary.iter().map(|cell| self.column[*cell]).collect();
        first(&mut problem.primary.iter());
        let order = first(&mut order.iter());
        let mut elimination = Elimination::new(
            self.atoms,
            self.first_singleton,
            problem.singletons_are_primary,
            numbers,
            self.rank(problem, &order),
        );
        for column in &primary {
            hidden[*column] = true;
            elimination.protect(*column, &self.row(problem, *column));
        }
        for known in problem.frame.iter().filter(|known| known.low.is_some() && known.low == known.high) {
            elimination.know(&known.row.renamed(|atom| self.name[atom as usize]))?;
        }
        for column in &forced {
            elimination.know(&self.row(problem, *column))?;
        }
        self.publish(problem, &order, &mut elimination, &mut hidden)?;
        let revealed = |cell: &&usize| {
            let column = self.column[**cell];
            is_forced.contains(&column) || elimination.revealed().contains(&column)
        };
        let others: BTreeSet<usize> =
            problem.forced.iter().chain(&problem.primary).chain(&problem.withheld).copied().collect();
        let hides = |cell: &usize| hidden[self.column[*cell]] && !others.contains(cell);
        Ok(Suppression {
            secondary: (0..problem.cells.len()).filter(hides).collect(),
            revealed: problem.primary.iter().filter(revealed).copied().collect(),
        })
    }

    /// Publishes what may be published, in this order. Large numbers come first, and few of them give anything away: so
    /// many are looked at together, fewer where that fails, and one by one where many are hidden.
    fn publish(
        &self,
        problem: &Problem,
        order: &[usize],
        elimination: &mut Elimination,
        hidden: &mut [bool],
    ) -> Result<(), TooWide> {
        let (mut at, mut size, mut fails) = (0, order.len().div_ceil(8).max(1), usize::MAX);
        while at < order.len() {
            let until = order.len().min(at + size);
            if let [column] = order[at..until] {
                hidden[column] = !elimination.publish(&self.row(problem, column))?;
            } else {
                let rows = order[at..until].iter().map(|column| self.row(problem, *column)).collect();
                if !elimination.publish_together(rows)? {
                    // One of them is to be looked at alone; what comes next ends before it, or with it.
                    (fails, size) = (until, size.div_ceil(4));
                    continue;
                }
            }
            at = until;
            if at >= fails || hidden[order[at - 1]] {
                fails = usize::MAX;
            }
            size = if hidden[order[at - 1]] { 1 } else { size * 2 };
            if fails != usize::MAX {
                size = size.min((fails - at).div_ceil(2));
            }
        }
        Ok(())
    }
}

/// For each atom the class of those that lie in the same cells, equally often; 0: in none. What is everybody's knowledge
/// counts like a cell. Each row in turn splits the classes that it touches.
fn classes(problem: &Problem) -> Vec<u32> {
    let mut class = vec![0_u32; problem.atoms];
    let (mut count, mut split) = (1, HashMap::new());
    let cells = problem.cells.iter().map(|cell| &cell.atoms);
    for row in cells.chain(problem.frame.iter().map(|known| &known.row)) {
        split.clear();
        for (atom, x) in row.entries() {
            let class = &mut class[*atom as usize];
            *class = *split.entry((*class, *x)).or_insert_with(|| {
                count += 1;
                count - 1
            });
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemFile;

    #[test]
    fn residues_decide_as_whole_numbers_do() {
        for line in include_str!("../tests/data/optimum/optimum.jsonl").lines() {
            let file: ProblemFile = serde_json::from_str(line).expect("a problem");
            let problem = Problem::try_from(file).expect("sound");
            for singletons in [Singletons::Ignored, Singletons::Handled] {
                let distinct = Distinct::new(&problem, singletons);
                let decide = |numbers| distinct.decide(&problem, &problem.candidates, numbers);
                assert_eq!(decide(Numbers::Whole), decide(Numbers::Residues));
            }
        }
    }
}
