//! Whether the pattern that somebody gives for a suppression problem hides what it is to hide.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{AttackError, TOLD_MAX};
use crate::audit::{Attacker, Level};
use crate::problem::Problem;
use crate::row::Row;
use crate::simplex::Stopped;
use crate::span::Known;

/// What a pattern gives away of its primary cells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Primary cells that follow exactly from shown ones, by linear combination alone.
    pub revealed: Vec<usize>,
    /// How they do; none where there are more than [`TOLD_MAX`] shown cells.
    pub how: Vec<Revealed>,
    /// Primary cells that cannot be one less or one more than they are, for who knows that no number is negative.
    pub closed: Vec<usize>,
    /// Primary cells of which a limit was reached before it was clear: they are not proven safe.
    pub undecided: Vec<usize>,
}

/// How a primary cell follows from shown ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revealed {
    /// The cell.
    pub cell: usize,
    /// Shown cells, each with how often it is added (or taken away).
    pub combination: Vec<(i64, usize)>,
    /// By what the sum is divided.
    pub divided_by: i64,
}

impl Judgement {
    /// Whether every primary cell is hidden.
    pub fn is_safe(&self) -> bool {
        self.revealed.is_empty() && self.closed.is_empty() && self.undecided.is_empty()
    }
}

/// Judges a pattern: whether each `primary` cell is open while all of `hidden` is, and what was not published before.
/// `watch` is told how many of how many primary cells were looked at.
///
/// # Errors
/// [`AttackError`]
pub fn judge(
    problem: &Problem,
    primary: &BTreeSet<usize>,
    hidden: &BTreeSet<usize>,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Judgement, AttackError> {
    let mut hidden: BTreeSet<usize> = hidden.union(primary).copied().collect();
    problem.forced.iter().for_each(|cell| _ = hidden.remove(cell));
    let exact = Known::of_problem(problem, &hidden);
    let atoms = |cell: &usize| (*cell, &problem.cells[*cell].atoms);
    let revealed = exact.revealed(primary.iter().map(atoms))?;
    let mut judgement = Judgement { how: how(problem, &exact, &hidden, &revealed), revealed, ..Judgement::default() };
    let targets: Vec<Row> = primary.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
    let mut attacker = Attacker::new(problem.atoms, problem.known(&hidden, Level::K0, 0), &targets)?;
    for (target, cell) in primary.iter().enumerate() {
        watch(target, primary.len());
        let value = problem.cells[*cell].value;
        match attacker.is_open(target, (value - 1).max(0), value + 1) {
            Ok(true) => {}
            Ok(false) => judgement.closed.push(*cell),
            Err(Stopped::Contradiction) => return Err(Stopped::Contradiction.into()),
            Err(Stopped::TooWide | Stopped::TooLong) => judgement.undecided.push(*cell),
        }
    }
    Ok(judgement)
}

fn how(problem: &Problem, exact: &Known, hidden: &BTreeSet<usize>, revealed: &[usize]) -> Vec<Revealed> {
    if revealed.is_empty() || problem.cells.len() - hidden.len() > TOLD_MAX {
        return Vec::new();
    }
    let all = exact.combinations(revealed.iter().map(|cell| (*cell, &problem.cells[*cell].atoms))).into_iter();
    all.map(|(cell, of)| Revealed { cell, combination: of.terms, divided_by: of.divided_by }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Cell;

    /// A table of two lines and two columns with its margins: 0 total, 1 and 2 lines, 3 and 4 columns, then the cells.
    fn table(values: [i64; 4]) -> Problem {
        let sum = |atoms: &[u32]| {
            let value = atoms.iter().map(|atom| values[*atom as usize]).sum();
            Cell { atoms: Row::sum(atoms.iter().copied()), value }
        };
        let all: [&[u32]; 9] = [&[0, 1, 2, 3], &[0, 1], &[2, 3], &[0, 2], &[1, 3], &[0], &[1], &[2], &[3]];
        Problem {
            atoms: 4,
            cells: all.into_iter().map(sum).collect(),
            candidates: (0..9).collect(),
            ..Problem::default()
        }
    }

    fn judged(problem: &Problem, primary: usize, secondary: &[usize]) -> Judgement {
        judge(problem, &[primary].into(), &secondary.iter().copied().collect(), &mut |_, _| {}).expect("a judgement")
    }

    #[test]
    fn a_cell_that_is_hidden_alone_is_revealed_and_it_is_told_by_which() {
        let judgement = judged(&table([3, 20, 8, 9]), 5, &[]);
        assert_eq!((&judgement.revealed, &judgement.closed), (&vec![5], &vec![5]));
        assert_eq!(judgement.how, [Revealed { cell: 5, combination: vec![(-1, 6), (1, 1)], divided_by: 1 }]);
    }

    #[test]
    fn a_cell_in_a_hidden_rectangle_is_open() {
        assert!(judged(&table([3, 20, 8, 9]), 5, &[6, 7, 8]).is_safe());
    }

    #[test]
    fn a_cell_that_cannot_be_more_is_closed_though_no_sum_reveals_it() {
        // One more in the first cell is one less beside it, where there is nothing.
        let judgement = judged(&table([3, 0, 8, 9]), 5, &[6, 7, 8]);
        assert_eq!((judgement.revealed, judgement.closed), (vec![], vec![5]));
    }

    #[test]
    fn a_cell_that_was_published_before_is_not_hidden_by_a_pattern() {
        let problem = Problem { forced: vec![5], ..table([3, 20, 8, 9]) };
        assert_eq!(judged(&problem, 5, &[6, 7, 8]).revealed, [5]);
    }
}
