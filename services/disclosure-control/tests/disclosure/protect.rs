//! What is published after protection stays open, and says how open.

use std::collections::BTreeSet;

use disclosure_control::audit::{Attacker, Level};
use disclosure_control::problem::Cell;
use disclosure_control::protect::{Openness, ProtectError, protect};
use disclosure_control::simplex::Constraint;
use disclosure_control::{Problem, Row};
use proptest::prelude::*;

/// A table with its margins: the total, the rows, the columns, then the cells by rows; zeros are shown.
pub fn table(columns: u32, values: &[i64], threshold: i64) -> Problem {
    let atoms = 0..u32::try_from(values.len()).expect("a small table");
    let rows = atoms.end / columns;
    let sums = [Row::sum(atoms.clone())].into_iter();
    let sums = sums.chain((0..rows).map(|row| Row::sum(row * columns..(row + 1) * columns)));
    let sums = sums.chain((0..columns).map(|column| Row::sum((0..rows).map(|row| row * columns + column))));
    let sums = sums.chain(atoms.map(|atom| Row::sum([atom])));
    let cells: Vec<Cell> = sums.map(|atoms| Cell { value: atoms.of(values), atoms }).collect();
    let is_small = |cell: &usize| (1..threshold).contains(&cells[*cell].value);
    let primary: BTreeSet<usize> = (0..cells.len()).filter(is_small).collect();
    let mut candidates: Vec<usize> = (0..cells.len()).filter(|cell| !primary.contains(cell)).collect();
    candidates.sort_by_key(|cell| (cells[*cell].value != 0, -cells[*cell].value, *cell));
    Problem { atoms: values.len(), cells, candidates, primary, ..Problem::default() }
}

/// The table of the reference: three ones in one row, beside them two fives.
const ONES: [i64; 15] = [1, 1, 1, 5, 5, 9, 9, 9, 9, 9, 0, 0, 0, 7, 7];

#[test]
fn three_ones_that_add_up_to_three_are_given_company() {
    let problem = table(5, &ONES, 5);
    let protection = protect(&problem, Openness::full(5)).expect("it can be protected");
    let hidden: BTreeSet<usize> = problem.primary.union(&protection.secondary).copied().collect();
    let targets: Vec<Row> = hidden.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
    let seen = problem.known(&hidden, Level::K1, 5);
    let mut attacker = Attacker::new(problem.atoms, seen, &targets).expect("the true table is a world");
    for (target, cell) in hidden.iter().enumerate() {
        let interval = attacker.whole_interval(target).expect("a small table");
        assert!(interval.width().is_none_or(|width| width >= 2), "{cell}: {interval:?}");
        if problem.primary.contains(cell) {
            assert!(interval.low <= 1 && interval.high.is_none_or(|high| high >= 4), "{cell}: {interval:?}");
        }
    }
    // One more of the first row, and what its columns would give away.
    assert_eq!(protection.secondary, [12, 14, 15, 16, 17].into());
}

#[test]
fn what_is_out_already_can_refuse_everything() {
    let mut problem = table(5, &ONES, 5);
    problem.forced = std::mem::take(&mut problem.candidates);
    assert_eq!(protect(&problem, Openness::full(5)), Err(ProtectError::Revealed { cells: vec![9, 10, 11] }));
    // Three numbers, none of them zero, that add up to three: no equation gives them away, and yet everybody knows them.
    problem.withheld = [14, 15, 16].into();
    problem.forced.retain(|cell| !problem.withheld.contains(cell));
    assert!(matches!(protect(&problem, Openness::full(5)), Err(ProtectError::NotProven { .. })));
}

#[test]
fn what_a_zero_makes_the_same_as_a_published_number_is_not_called_open() {
    // 5 was published; what is hidden is that and one atom more, of which a new table shows that it is zero.
    let cell = |atoms: &[u32], value| Cell { atoms: Row::sum(atoms.iter().copied()), value };
    let problem = Problem {
        atoms: 3,
        cells: vec![cell(&[0], 5), cell(&[0, 1], 5), cell(&[1], 0), cell(&[2], 9)],
        forced: vec![0],
        withheld: [1].into(),
        candidates: vec![2, 3],
        ..Problem::default()
    };
    assert_eq!(protect(&problem, Openness::full(5)), Err(ProtectError::Revealed { cells: vec![1] }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_hidden_cell_is_as_open_as_the_rule_says(
        columns in 2..=5u32, rows in 2..=5usize,
        values in prop::collection::vec(prop_oneof![Just(0_i64), 1..6_i64, 5..40_i64], 25),
        threshold in 2..=6_i64,
    ) {
        let values = &values[..rows * columns as usize];
        let problem = table(columns, values, threshold);
        let protection = match protect(&problem, Openness::full(threshold)) {
            Ok(protection) => protection,
            // A table can be too small for anything to hide behind.
            Err(error) => return Err(TestCaseError::reject(error.to_string())),
        };
        prop_assert_eq!(&protection, &protect(&problem, Openness::full(threshold)).expect("as before"));
        let hidden: BTreeSet<usize> = problem.primary.union(&protection.secondary).copied().collect();
        let targets: Vec<Row> = hidden.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
        for level in [Level::K0, Level::K1] {
            let seen = problem.known(&hidden, level, threshold);
            prop_assert!(seen.iter().all(|constraint: &Constraint| constraint.holds(values)));
            let mut attacker = Attacker::new(problem.atoms, seen, &targets).expect("the true table is a world");
            for (target, cell) in hidden.iter().enumerate() {
                let interval = attacker.interval(target).expect("small numbers");
                prop_assert!(interval.width().is_none_or(|width| width >= 2), "{} {:?}", cell, interval);
                if problem.primary.contains(cell) {
                    let value = problem.cells[*cell].value;
                    prop_assert!(interval.high.is_none_or(|high| high >= (threshold - 1).max(value + 1)));
                }
            }
        }
    }
}
