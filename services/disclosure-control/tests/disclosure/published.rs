//! Small tables from the literature and from users' reports, with what must come of them.

use std::collections::BTreeSet;

use disclosure_control::audit::{Attacker, Interval, Level};
use disclosure_control::improve::{Requirement, improve};
use disclosure_control::problem::Cell;
use disclosure_control::{Atom, Problem, Row, Singletons, suppress};

/// A table with its margins: the total, the rows' totals, the columns' totals, and row by row the cells.
struct Table {
    rows: usize,
    columns: usize,
    counts: Vec<i64>,
}

impl Table {
    fn new<const COLUMNS: usize>(rows: &[[i64; COLUMNS]]) -> Table {
        Table { rows: rows.len(), columns: COLUMNS, counts: rows.concat() }
    }

    /// The place of an inner cell.
    fn at(&self, row: usize, column: usize) -> usize {
        1 + self.rows + self.columns + row * self.columns + column
    }

    fn atom(&self, row: usize, column: usize) -> Atom {
        Atom::try_from(row * self.columns + column).expect("small")
    }

    fn cells(&self) -> Vec<Cell> {
        let all = || (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        let sum = |keep: &dyn Fn(usize, usize) -> bool| {
            Row::sum(all().filter(|(row, column)| keep(*row, *column)).map(|(row, column)| self.atom(row, column)))
        };
        let mut sums = vec![sum(&|_, _| true)];
        sums.extend((0..self.rows).map(|of| sum(&|row, _| row == of)));
        sums.extend((0..self.columns).map(|of| sum(&|_, column| column == of)));
        sums.extend(all().map(|of| sum(&|row, column| (row, column) == of)));
        sums.into_iter().map(|atoms| Cell { value: atoms.of(&self.counts), atoms }).collect()
    }

    /// The problem in which the cells that `small` says are primary, and singletons the atoms of a number.
    fn problem(&self, order: Order, small: impl Fn(i64) -> bool, singleton: i64) -> Problem {
        let cells = self.cells();
        let primary = (0..cells.len()).filter(|cell| small(cells[*cell].value)).collect();
        let singletons = (0..).zip(&self.counts).filter(|(_, count)| **count == singleton).map(|(atom, _)| atom);
        let problem = Problem {
            atoms: self.counts.len(),
            candidates: order.of(&cells),
            primary,
            singletons: singletons.collect(),
            singletons_are_primary: small(singleton) && singleton == 0,
            cells,
            ..Problem::default()
        };
        problem.checked().expect("sound")
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Large numbers are kept.
    Natural,
    /// Zeros are kept, then large numbers.
    ZerosFirst,
}

impl Order {
    fn of(self, cells: &[Cell]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by_key(|cell| (self == Order::Natural || cells[*cell].value != 0, -cells[*cell].value, *cell));
        order
    }
}

fn secondary(problem: &Problem, singletons: Singletons) -> BTreeSet<usize> {
    suppress(problem, singletons).expect("fits").secondary
}

fn interval(problem: &Problem, hidden: &BTreeSet<usize>, cell: usize) -> Interval {
    let known = problem.known(hidden, Level::K0, 0);
    let mut attacker =
        Attacker::new(problem.atoms, known, &[problem.cells[cell].atoms.clone()]).expect("the true world");
    attacker.interval(0).expect("few pivots")
}

/// `problemdata` of sdcTools/sdcTable `R/test_problems.R`.
#[test]
fn two_hidden_in_every_line_can_still_leave_one_exact() {
    let table = Table::new(&[[30, 47, 64, 89], [90, 124, 5, 31], [92, 100, 59, 85], [800, 991, 651, 685]]);
    let hidden = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 1), (2, 3), (3, 1), (3, 3)];
    let mut hidden: BTreeSet<usize> = hidden.iter().map(|(row, column)| table.at(*row, *column)).collect();
    let mut problem = table.problem(Order::Natural, |_| false, -1);
    let exact = table.at(0, 1);
    assert_eq!(interval(&problem, &hidden, exact), Interval { low: 47, high: Some(47) });
    problem.primary.clone_from(&hidden);
    assert!(!secondary(&problem, Singletons::Ignored).is_empty(), "nobody hides enough by counting");
    hidden.insert(table.at(1, 1));
    assert!(interval(&problem, &hidden, exact).width() > Some(0));
}

/// Eight regions by county and by size: each table is safe alone.
#[test]
fn linked_tables_are_protected_together() {
    let counts = [2, 2, 8, 8, 3, 3, 3, 7];
    let [counties, sizes] = [[vec![0, 1, 2, 3], vec![4, 5, 6, 7]], [vec![0, 1, 2, 3, 4, 7], vec![5, 6]]];
    let problem = |margins: &[Vec<Atom>]| {
        let sums = (0..8).map(|atom| vec![atom]).chain(margins.iter().cloned()).chain([(0..8).collect()]);
        let cell = |atoms: Row| Cell { value: atoms.of(&counts), atoms };
        let cells: Vec<Cell> = sums.map(|atoms| cell(Row::sum(atoms))).collect();
        let primary = (0..cells.len()).filter(|cell| cells[*cell].value <= 3).collect();
        Problem { atoms: 8, candidates: Order::ZerosFirst.of(&cells), primary, cells, ..Problem::default() }
    };
    assert_eq!(secondary(&problem(&counties), Singletons::Ignored), BTreeSet::new());
    assert_eq!(secondary(&problem(&sizes), Singletons::Ignored), BTreeSet::new());
    assert_eq!(secondary(&problem(&[counties, sizes].concat()), Singletons::Ignored), [7].into());
}

/// `sdcTools/UserSupport` issue 135.
#[test]
fn singletons_and_zeros_ask_for_more() {
    let table = Table::new(&[[1, 1, 7, 1, 0], [1, 0, 0, 2, 8]]);
    let public = table.problem(Order::ZerosFirst, |value| (1..=2).contains(&value), 1);
    assert_eq!(public.primary.len(), 7);
    assert_eq!(secondary(&public, Singletons::Ignored), BTreeSet::new());
    let (total_of_h, first_of_h) = (1 + 2 + 2, table.at(0, 2));
    assert_eq!(secondary(&public, Singletons::Handled), [total_of_h, first_of_h].into());
    let protected = table.problem(Order::Natural, |value| value <= 2, 0);
    assert_eq!(protected.primary.len() + secondary(&protected, Singletons::Handled).len(), 12);
}

/// The example of `SSBtools`' `GaussSuppression`, whose cells are counted from 1.
#[test]
fn the_order_decides_what_is_hidden() {
    let table = Table::new(&[[1, 1, 1, 5, 5], [9, 9, 9, 9, 9], [0, 0, 0, 7, 7]]);
    let small = |value| (1..=4).contains(&value);
    let hidden = |order, singletons| {
        let secondary = secondary(&table.problem(order, small, 1), singletons);
        secondary.into_iter().map(|cell| cell + 1).collect::<Vec<_>>()
    };
    assert_eq!(hidden(Order::Natural, Singletons::Ignored), [20, 21, 22]);
    assert_eq!(hidden(Order::ZerosFirst, Singletons::Ignored), [15, 16, 17]);
    assert_eq!(hidden(Order::ZerosFirst, Singletons::Handled), [14, 15, 16, 17, 19]);
}

/// `example1` of `SSBtools` of 2014, zeros protected.
#[test]
fn a_protected_zero_hides_a_square_and_leaves_its_intervals() {
    let table = Table::new(&[[5, 2, 0], [6, 3, 4]]);
    let problem = table.problem(Order::Natural, |value| value <= 1, 0);
    let square: BTreeSet<usize> = [(0, 1), (0, 2), (1, 1), (1, 2)].map(|(row, column)| table.at(row, column)).into();
    let hidden: BTreeSet<usize> = secondary(&problem, Singletons::Ignored).union(&problem.primary).copied().collect();
    assert_eq!(hidden, square);
    let interval = |row, column| interval(&problem, &hidden, table.at(row, column));
    assert_eq!(interval(0, 1), Interval { low: 0, high: Some(2) });
    assert_eq!(interval(0, 2), Interval { low: 0, high: Some(2) });
    assert_eq!(interval(1, 1), Interval { low: 3, high: Some(5) });
    assert_eq!(interval(1, 2), Interval { low: 2, high: Some(4) });
}

/// `z1` of `SSBtools`, on which tau-Argus agrees.
#[test]
fn eight_regions_by_four_measures_hide_as_much_as_the_optimum() {
    let table = Table::new(&[
        [11, 11, 55, 36],
        [7, 1, 29, 18],
        [5, 8, 35, 25],
        [13, 2, 17, 13],
        [9, 14, 63, 52],
        [12, 9, 24, 22],
        [6, 4, 22, 8],
        [9, 3, 38, 15],
    ]);
    for (most, primary, value) in [(3, 3, 29), (5, 5, 43)] {
        let problem = table.problem(Order::ZerosFirst, |count| (1..=most).contains(&count), -1);
        // In the order as it is, ties decide; what is published is the optimum.
        let improved = improve(&problem, Singletons::Ignored, Requirement::default()).expect("safe");
        let secondary = improved.suppression.secondary;
        assert_eq!((problem.primary.len(), secondary.len()), (primary, primary));
        assert_eq!(secondary.iter().map(|cell| problem.cells[*cell].value).sum::<i64>(), value);
    }
}
