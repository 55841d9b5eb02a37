//! How long suppression takes in linked tables: several tables of one cube with hierarchies and many small counts.
//!
//! `cargo run --release -p disclosure-control --example linked_tables [PEOPLE AREAS]`. Deterministic.
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use disclosure_control::problem::Cell;
use disclosure_control::{Atom, Problem, Row, Singletons, suppress};

/// A dimension: its finest codes, and how many of them each level of its hierarchy puts together; the last is the total.
struct Dimension {
    codes: u64,
    levels: &'static [u64],
}

/// Numbers below this are small.
const THRESHOLD: i64 = 5;
/// What stands for the total in every dimension.
const TOTAL: u64 = 1_000_000;

/// The tables: which dimensions each has.
const TABLES: [&[usize]; 5] = [&[0, 1, 2], &[0, 3, 4], &[3, 1, 4], &[1, 2, 4], &[0, 3]];

fn dimensions(areas: u64) -> [Dimension; 5] {
    [
        Dimension { codes: areas, levels: &[1, 10, TOTAL] },
        Dimension { codes: 10, levels: &[1, 5, TOTAL] },
        Dimension { codes: 3, levels: &[1, TOTAL] },
        Dimension { codes: 20, levels: &[1, 4, TOTAL] },
        Dimension { codes: 12, levels: &[1, 3, TOTAL] },
    ]
}

/// A number from a seed: one step of a linear congruence, of which the upper half is taken (D. Knuth's MMIX constants).
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// Of each person a code in each dimension; low codes are more frequent.
fn people(count: u64, dimensions: &[Dimension; 5]) -> BTreeMap<[u64; 5], i64> {
    let (mut seed, mut people) = (20_260_701, BTreeMap::new());
    for _ in 0..count {
        let code = |dimension: &Dimension| {
            let most = 1 + draw(&mut seed, dimension.codes);
            draw(&mut seed, most)
        };
        let codes: Vec<u64> = dimensions.iter().map(code).collect();
        *people.entry(codes.try_into().expect("five dimensions")).or_insert(0) += 1;
    }
    people
}

/// The cells of all tables that are not zero, as atoms and value.
fn cells(people: &BTreeMap<[u64; 5], i64>, dimensions: &[Dimension; 5]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for table in TABLES {
        let mut levels: Vec<Vec<u64>> = vec![Vec::new()];
        for dimension in table {
            let with = |level: &u64| levels.iter().map(|more| [&more[..], &[*level]].concat()).collect::<Vec<_>>();
            levels = dimensions[*dimension].levels.iter().flat_map(with).collect();
        }
        for level in levels {
            let mut of: BTreeMap<Vec<u64>, (Vec<Atom>, i64)> = BTreeMap::new();
            for (atom, (codes, count)) in (0..).zip(people) {
                let key = table.iter().zip(&level).map(|(dimension, level)| codes[*dimension] / level).collect();
                let (atoms, value) = of.entry(key).or_default();
                atoms.push(atom);
                *value += count;
            }
            cells.extend(of.into_values().map(|(atoms, value)| Cell { atoms: Row::sum(atoms), value }));
        }
    }
    cells
}

/// A problem over so many people and areas.
fn problem(count: u64, areas: u64) -> Problem {
    let dimensions = dimensions(areas);
    let people = people(count, &dimensions);
    let cells = cells(&people, &dimensions);
    let primary: BTreeSet<usize> = (0..cells.len()).filter(|cell| cells[*cell].value < THRESHOLD).collect();
    let mut candidates: Vec<usize> = (0..cells.len()).collect();
    candidates.sort_by_key(|cell| (-cells[*cell].value, *cell));
    let singletons = (0..).zip(people.values()).filter(|(_, count)| **count == 1).map(|(atom, _)| atom).collect();
    let problem = Problem { atoms: people.len(), cells, candidates, primary, singletons, ..Problem::default() };
    problem.checked().expect("a problem")
}

/// The most memory that this process had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Seconds of the processor that this process used.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let user = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(11)?.parse::<f64>().ok());
    user.unwrap_or(0.0) / 100.0
}

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = match arguments[..] {
        [people, areas] => vec![(people, areas)],
        _ => vec![(600, 2), (2_000, 10), (8_000, 20), (30_000, 60), (100_000, 200)],
    };
    for (people, areas) in sizes {
        let problem = problem(people, areas);
        let entries: usize = problem.cells.iter().map(|cell| cell.atoms.entries().len()).sum();
        let (cells, atoms, primary) = (problem.cells.len(), problem.atoms, problem.primary.len());
        println!("{cells} cells, {atoms} atoms, {entries} entries, {primary} primary; {} MiB", peak());
        for singletons in [Singletons::Ignored, Singletons::Handled] {
            let (start, cpu) = (Instant::now(), seconds());
            let suppression = suppress(&problem, singletons).expect("small coefficients");
            let (secondary, took) = (&suppression.secondary, start.elapsed().as_millis());
            let sum = secondary.iter().fold(0_usize, |sum, cell| sum.wrapping_mul(31).wrapping_add(*cell));
            println!(
                "  {singletons:?}: {} secondary ({sum:x}), {took} ms, {:.2} s of the processor; peak {} MiB",
                secondary.len(),
                seconds() - cpu,
                peak()
            );
        }
    }
}
