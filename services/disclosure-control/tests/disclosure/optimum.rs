//! Patterns against the optimum of a hundred problems, and against somebody who attacks them.
//!
//! See `tests/data/optimum/README.md`.

use std::collections::BTreeSet;

use disclosure_control::audit::{Attacker, Level};
use disclosure_control::improve::{ELIMINATIONS_MAX, Requirement, improve};
use disclosure_control::problem::ProblemFile;
use disclosure_control::protect::{Openness, protect};
use disclosure_control::span::Basis;
use disclosure_control::{Problem, Row, Singletons, suppress};

#[derive(serde::Deserialize)]
struct Line {
    #[serde(flatten)]
    problem: ProblemFile,
    threshold: i64,
    optimum: Optimum,
}

#[derive(serde::Deserialize)]
struct Optimum {
    fewest_cells: usize,
    least_value: i64,
}

struct Case {
    name: String,
    problem: Problem,
    threshold: i64,
    optimum: Optimum,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../data/optimum/optimum.jsonl").lines();
    let case = |line: &str| {
        let Line { problem, threshold, optimum } = serde_json::from_str(line).expect("a problem");
        Case { name: problem.name.clone(), problem: problem.try_into().expect("sound"), threshold, optimum }
    };
    let cases: Vec<Case> = lines.map(case).collect();
    assert_eq!(cases.len(), 100);
    cases
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).expect("among them")
}

/// Primary cells whose interval at a level is narrower than from one below to one above, and those known exactly.
fn unsafe_at(problem: &Problem, secondary: &BTreeSet<usize>, level: Level, threshold: i64) -> (usize, usize) {
    let hidden: BTreeSet<usize> = problem.primary.union(secondary).copied().collect();
    let targets: Vec<Row> = problem.primary.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
    let known = problem.known(&hidden, level, threshold);
    let mut attacker = Attacker::new(problem.atoms, known, &targets).expect("the true world");
    let (mut narrow, mut exact) = (0, 0);
    for (target, cell) in problem.primary.iter().enumerate() {
        let value = problem.cells[*cell].value;
        narrow += usize::from(attacker.is_open(target, value - 1, value + 1) != Ok(true));
        exact += usize::from(attacker.interval(target).expect("few pivots").width() == Some(0));
    }
    (narrow, exact)
}

/// How many primary cells follow from the shown ones by adding and taking away.
fn in_the_span(problem: &Problem, secondary: &BTreeSet<usize>) -> usize {
    let mut basis = Basis::default();
    let is_shown = |cell: &usize| !secondary.contains(cell) && !problem.primary.contains(cell);
    for cell in (0..problem.cells.len()).filter(is_shown) {
        basis.learn(&problem.cells[cell].atoms).expect("fits");
    }
    let follows = |cell: &&usize| basis.implies(&problem.cells[**cell].atoms).expect("fits");
    problem.primary.iter().filter(follows).count()
}

/// Hidden cells and their value over all problems, in thousandths of the optimum.
#[derive(Default)]
struct Ratios {
    cells: usize,
    fewest: usize,
    value: i64,
    least: i64,
}

impl Ratios {
    fn add(&mut self, case: &Case, secondary: &BTreeSet<usize>) {
        self.cells += secondary.len();
        self.fewest += case.optimum.fewest_cells;
        self.value += secondary.iter().map(|cell| case.problem.cells[*cell].value).sum::<i64>();
        self.least += case.optimum.least_value;
    }

    fn thousandths(&self) -> (usize, i64) {
        (self.cells * 1000 / self.fewest, self.value * 1000 / self.least)
    }
}

#[test]
fn with_singletons_handled_no_protected_number_is_known_exactly() {
    let mut ratios = Ratios::default();
    for case in cases() {
        let secondary = suppress(&case.problem, Singletons::Handled).expect("fits").secondary;
        assert_eq!(in_the_span(&case.problem, &secondary), 0, "{} exactly", case.name);
        assert_eq!(unsafe_at(&case.problem, &secondary, Level::K0, case.threshold), (0, 0), "{} at K0", case.name);
        ratios.add(&case, &secondary);
    }
    assert_eq!(ratios.thousandths(), (1431, 1126));
}

#[test]
fn with_singletons_ignored_no_protected_number_follows_from_shown_ones() {
    let mut ratios = Ratios::default();
    for case in cases() {
        let secondary = suppress(&case.problem, Singletons::Ignored).expect("fits").secondary;
        assert_eq!(in_the_span(&case.problem, &secondary), 0, "{}", case.name);
        ratios.add(&case, &secondary);
    }
    assert_eq!(ratios.thousandths(), (1308, 1079));
}

#[test]
fn improved_patterns_are_near_the_optimum_and_safe() {
    let mut ratios = Ratios::default();
    for case in cases() {
        let improved = improve(&case.problem, Singletons::Ignored, Requirement::default()).expect("safe");
        let secondary = improved.suppression.secondary;
        assert!(improved.eliminations <= ELIMINATIONS_MAX, "{}", case.name);
        assert_eq!(in_the_span(&case.problem, &secondary), 0, "{} exactly", case.name);
        assert_eq!(unsafe_at(&case.problem, &secondary, Level::K0, case.threshold), (0, 0), "{} at K0", case.name);
        ratios.add(&case, &secondary);
    }
    let (cells, value) = ratios.thousandths();
    assert!(cells <= 1_120, "{cells} thousandths of the fewest cells");
    assert!(value <= 1_020, "{value} thousandths of the least value");
}

#[test]
fn an_improved_pattern_is_the_same_each_time() {
    for case in ["cube-034", "flat-046", "linked-036", "periods-019", "tree-030", "trees-013"].map(case) {
        let improved = || improve(&case.problem, Singletons::Ignored, Requirement::default());
        assert_eq!(improved(), improved(), "{}", case.name);
    }
}

#[test]
fn singletons_are_not_enough_where_hidden_numbers_are_known_not_to_be_zero() {
    let Case { problem, threshold, .. } = case("linked-036");
    let suppressed = suppress(&problem, Singletons::Handled).expect("fits").secondary;
    assert!(unsafe_at(&problem, &suppressed, Level::K1, threshold).1 > 0, "this is what the case is kept for");
    let protected = protect(&problem, Openness::full(threshold)).expect("can be protected").secondary;
    assert_eq!(unsafe_at(&problem, &protected, Level::K1, threshold).1, 0);
}
