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

/// All that the hidden cells can be, by trying each world of small counts.
fn possible(problem: &Problem, hidden: &BTreeSet<usize>, most: i64) -> Vec<BTreeSet<i64>> {
    let known = problem.known(hidden, Level::K1, 5);
    let mut found = vec![BTreeSet::new(); hidden.len()];
    let mut counts = vec![0; problem.atoms];
    loop {
        if known.iter().all(|constraint| constraint.holds(&counts)) {
            for (found, cell) in found.iter_mut().zip(hidden) {
                found.insert(problem.cells[*cell].atoms.of(&counts));
            }
        }
        let Some(at) = counts.iter().position(|count| *count < most) else { return found };
        counts[..at].fill(0);
        counts[at] += 1;
    }
}

fn overlapping<const N: usize>(atoms: usize, sums: [(&[u32], i64); N], primary: &[usize]) -> Problem {
    let cells = sums.map(|(atoms, value)| Cell { atoms: Row::sum(atoms.iter().copied()), value });
    let primary: BTreeSet<usize> = primary.iter().copied().collect();
    let candidates = (0..N).filter(|cell| !primary.contains(cell)).collect();
    let problem = Problem { atoms, cells: cells.into(), candidates, primary, ..Problem::default() };
    problem.checked().expect("a problem")
}

#[test]
fn a_hidden_number_can_be_each_small_one_and_not_only_odd_ones() {
    // Of three sums of pairs: their sum is even, so two that are shown leave the third odd or even.
    let pairs = overlapping(3, [(&[0, 1], 8), (&[1, 2], 3), (&[0, 2], 7)], &[1]);
    // Two worlds, of which the one number is 1 or 3, the other 6 or 8.
    let two = overlapping(
        6,
        [
            (&[0, 1, 2, 3, 4, 5], 15),
            (&[0, 1, 2], 9),
            (&[3, 4, 5], 6),
            (&[0, 3], 6),
            (&[2, 5], 7),
            (&[0, 1, 3, 5], 11),
            (&[0, 2, 4], 9),
            (&[2, 4], 4),
            (&[3], 1),
        ],
        &[8],
    );
    for (problem, most) in [(pairs, 16), (two, 8)] {
        let protection = protect(&problem, Openness::full(4)).expect("it can be protected");
        let hidden: BTreeSet<usize> = problem.primary.union(&protection.secondary).copied().collect();
        for (cell, values) in hidden.iter().zip(possible(&problem, &hidden, most)) {
            assert!(values.len() > 2, "{cell}: {values:?}");
            let is_small = problem.primary.contains(cell);
            assert!(!is_small || (1..=4).all(|value| values.contains(&value)), "{cell}: {values:?}");
        }
    }
}

#[test]
fn a_number_that_breaks_a_rule_may_be_as_large_as_there_is() {
    let large = 1_000_000_000_000;
    let problem = overlapping(3, [(&[0, 1, 2], 2 * large + 7), (&[0], large), (&[1], large), (&[2], 7)], &[1]);
    let protection = protect(&problem, Openness::full(5)).expect("it can be protected");
    assert!(protection.open[&1].high.is_none_or(|high| high > large), "{protection:?}");
}

#[test]
fn what_else_is_known_of_a_sum_that_is_hidden_stays_known() {
    let mut problem = overlapping(2, [(&[0, 1], 2), (&[0], 1)], &[0]);
    let order = Constraint::at_least(Row::new([(0, 1), (1, -1)]), 0);
    problem.frame = vec![order, Constraint { row: Row::sum([0]), low: None, high: Some(1) }];
    assert!(matches!(protect(&problem, Openness::full(4)), Err(ProtectError::NotProven { .. })));
}

#[test]
fn a_sum_is_not_refused_for_what_follows_from_a_part_of_it() {
    let problem = overlapping(3, [(&[0, 1, 2], 4), (&[1, 2], 2)], &[0, 1]);
    assert_eq!(protect(&problem, Openness::full(5)).expect("nothing is shown").secondary, BTreeSet::new());
    let known = vec![Constraint::at_least(Row::sum([0, 1, 2]), 4), Constraint::equal(Row::sum([1, 2]), 4)];
    let mut attacker = Attacker::new(3, known, &[Row::sum([0, 1, 2])]).expect("there are worlds");
    let interval = attacker.whole_interval(0).expect("a small table");
    assert_eq!((interval.low, interval.high), (4, None));
}

#[test]
fn a_sum_without_an_end_has_none_in_whole_numbers_either() {
    let known = vec![
        Constraint::at_least(Row::new([(0, 1), (1, -1)]), 0),
        Constraint::at_least(Row::new([(0, -1), (1, 1)]), 0),
        Constraint::at_least(Row::sum([0, 1]), 1),
    ];
    let mut attacker = Attacker::new(2, known, &[Row::sum([0, 1]), Row::sum([0])]).expect("there are worlds");
    let ends = [0, 1].map(|target| attacker.whole_interval(target).expect("a small table"));
    assert_eq!(ends.map(|interval| (interval.low, interval.high)), [(2, None), (1, None)]);
}

#[test]
fn numbers_and_atoms_beyond_the_limits_are_refused() {
    let good = overlapping(2, [(&[0, 1], 2), (&[0], 1)], &[1]);
    let change = |change: fn(&mut Problem)| {
        let mut problem = good.clone();
        change(&mut problem);
        problem.checked().map_err(|error| error.to_string())
    };
    assert!(change(|_| {}).is_ok());
    let wide: [fn(&mut Problem); 5] = [
        |problem| problem.cells[0].value = i64::MAX,
        |problem| problem.cells[0].atoms = Row::new([(0, i64::MIN)]),
        |problem| problem.frame.push(Constraint::at_least(Row::sum([2]), 0)),
        |problem| problem.frame.push(Constraint::at_least(Row::sum([0]), i64::MAX)),
        |problem| _ = problem.singletons.insert(2),
    ];
    assert!(wide.into_iter().all(|wide| change(wide).is_err()));
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
