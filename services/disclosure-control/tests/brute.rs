//! Small problems against all their solutions.
use std::collections::BTreeSet;
use disclosure_control::audit::{Attacker, Interval, Level, known};
use disclosure_control::problem::Cell;
use disclosure_control::{Problem, Row, Singletons, suppress};
use proptest::prelude::*;

/// All whole worlds: atoms one after the other, within what each cell leaves.
fn worlds(atoms: usize, known: &[disclosure_control::simplex::Constraint], cap: i64) -> Vec<Vec<i64>> {
    fn go(at: usize, counts: &mut Vec<i64>, known: &[disclosure_control::simplex::Constraint], cap: i64, out: &mut Vec<Vec<i64>>) {
        if at == counts.len() {
            if known.iter().all(|k| k.holds(counts)) { out.push(counts.clone()); }
            return;
        }
        for x in 0..=cap {
            counts[at] = x;
            // What is not yet counted only adds: all rows are sums.
            if known.iter().all(|k| k.high.is_none_or(|high| k.row.of(counts) <= high)) { go(at + 1, counts, known, cap, out); } else { break; }
        }
        counts[at] = 0;
    }
    let mut out = Vec::new();
    go(0, &mut vec![0; atoms], known, cap, &mut out);
    out
}

fn table(rows: usize, columns: usize, values: &[i64], threshold: i64) -> Problem {
    let at = |r: usize, c: usize| u32::try_from(r * columns + c).unwrap();
    let mut rows_of: Vec<Row> = vec![Row::sum((0..rows * columns).map(|a| a as u32))];
    rows_of.extend((0..rows).map(|r| Row::sum((0..columns).map(|c| at(r, c)))));
    rows_of.extend((0..columns).map(|c| Row::sum((0..rows).map(|r| at(r, c)))));
    rows_of.extend((0..rows * columns).map(|a| Row::sum([a as u32])));
    let cells: Vec<Cell> = rows_of.into_iter().map(|atoms| { let value = atoms.of(values); Cell { atoms, value } }).collect();
    let primary: BTreeSet<usize> = (0..cells.len()).filter(|c| (1..threshold).contains(&cells[*c].value)).collect();
    let mut candidates: Vec<usize> = (0..cells.len()).filter(|c| !primary.contains(c)).collect();
    candidates.sort_by_key(|c| (cells[*c].value != 0, -cells[*c].value, *c));
    let singletons = (0..).zip(values).filter(|(_, v)| **v == 1).map(|(a, _)| a).collect();
    Problem { atoms: values.len(), cells, forced: Vec::new(), candidates, primary, singletons, ..Problem::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(600), ..ProptestConfig::default() })]
    #[test]
    fn every_interval_equals_that_of_all_solutions(
        rows in 2..=3usize, columns in 2..=3usize,
        values in prop::collection::vec(prop_oneof![Just(0i64), 1..4i64, 3..9i64], 9),
        threshold in 2..=5i64, handled: bool,
    ) {
        let problem = table(rows, columns, &values[..rows * columns], threshold);
        let singletons = if handled { Singletons::Handled } else { Singletons::Ignored };
        let suppression = suppress(&problem, singletons).unwrap();
        let hidden: BTreeSet<usize> = problem.primary.union(&suppression.secondary).copied().collect();
        let total = problem.cells[0].value;
        if hidden.contains(&0) { return Ok(()); }
        for level in Level::ALL {
            let known = known(&problem, &hidden, level, threshold);
            let worlds = worlds(problem.atoms, &known, total);
            let targets: Vec<Row> = hidden.iter().map(|c| problem.cells[*c].atoms.clone()).collect();
            if worlds.is_empty() {
                prop_assert!(Attacker::new(problem.atoms, known, &targets).is_err());
                continue;
            }
            let mut attacker = Attacker::new(problem.atoms, known.clone(), &targets).unwrap();
            for (t, row) in targets.iter().enumerate() {
                let (low, high) = worlds.iter().map(|w| row.of(w)).fold((i64::MAX, 0), |(l, h), v| (l.min(v), h.max(v)));
                prop_assert_eq!(attacker.whole_interval(t).unwrap(), Interval { low, high: Some(high) });
                let outer = attacker.interval(t).unwrap();
                prop_assert!(outer.low <= low && outer.high.unwrap() >= high);
                for goal in [high - 1, high, high + 1] {
                    let mut fresh = Attacker::new(problem.atoms, known.clone(), &targets).unwrap();
                    prop_assert_eq!(fresh.is_open(t, low, goal).unwrap(), goal <= high);
                }
            }
        }
    }
}
