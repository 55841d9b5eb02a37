//! Small tables against all their solutions.

use std::collections::BTreeSet;

use disclosure_control::audit::{Attacker, Interval, Level};
use disclosure_control::simplex::Constraint;
use disclosure_control::{Row, Singletons, suppress};
use proptest::prelude::*;

use crate::protect::table;

/// All worlds of whole numbers, atom by atom, within what each sum leaves.
fn worlds(known: &[Constraint], most: i64, counts: &mut Vec<i64>, at: usize, out: &mut Vec<Vec<i64>>) {
    if at == counts.len() {
        if known.iter().all(|constraint| constraint.holds(counts)) {
            out.push(counts.clone());
        }
        return;
    }
    for count in 0..=most {
        counts[at] = count;
        // All rows are sums: what is not yet counted only adds.
        let fits = |constraint: &Constraint| constraint.high.is_none_or(|high| constraint.row.of(counts) <= high);
        if !known.iter().all(fits) {
            break;
        }
        worlds(known, most, counts, at + 1, out);
    }
    counts[at] = 0;
}

/// How many tables: 10,000 take minutes.
fn cases() -> u32 {
    std::env::var("KITH_SOLUTIONS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_interval_is_that_of_all_solutions(
        rows in 2..=3_usize,
        columns in 2..=3_u32,
        values in prop::collection::vec(prop_oneof![Just(0_i64), 1..4_i64, 3..9_i64], 9),
        threshold in 2..=5_i64,
        handled: bool,
    ) {
        let mut problem = table(columns, &values[..rows * columns as usize], threshold);
        problem.singletons = (0..).zip(&values).filter(|(_, value)| **value == 1).map(|(atom, _)| atom).collect();
        problem.singletons.retain(|atom| (*atom as usize) < problem.atoms);
        let singletons = if handled { Singletons::Handled } else { Singletons::Ignored };
        let suppression = suppress(&problem, singletons).expect("small numbers");
        let hidden: BTreeSet<usize> = problem.primary.union(&suppression.secondary).copied().collect();
        // Without a total there is no end to the solutions.
        prop_assume!(!hidden.contains(&0));
        let targets: Vec<Row> = hidden.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
        for level in Level::ALL {
            let known = problem.known(&hidden, level, threshold);
            let mut all = Vec::new();
            worlds(&known, problem.cells[0].value, &mut vec![0; problem.atoms], 0, &mut all);
            if all.is_empty() {
                prop_assert!(Attacker::new(problem.atoms, known, &targets).is_err());
                continue;
            }
            let mut attacker = Attacker::new(problem.atoms, known.clone(), &targets).expect("there are solutions");
            for (target, row) in targets.iter().enumerate() {
                let values = || all.iter().map(|world| row.of(world));
                let (low, high) = (values().min().expect("some"), values().max().expect("some"));
                let whole = attacker.whole_interval(target).expect("few branches");
                prop_assert_eq!(whole, Interval { low, high: Some(high) });
                let outer = attacker.interval(target).expect("small numbers");
                prop_assert!(outer.low <= low && outer.high.is_some_and(|most| most >= high));
                for goal in [high - 1, high, high + 1] {
                    let mut fresh = Attacker::new(problem.atoms, known.clone(), &targets).expect("there are solutions");
                    prop_assert_eq!(fresh.is_open(target, low, goal).expect("few branches"), goal <= high);
                }
            }
        }
    }
}
