//! Large problems of suppression: several tables of one cube, with hierarchies and many small counts. The same on every
//! machine.

use std::collections::{BTreeMap, BTreeSet};

use disclosure_control::{Atom, Problem, Row, problem::Cell};

/// Numbers below this are small.
const THRESHOLD: i64 = 5;
/// What stands for the total in every dimension.
const TOTAL: u64 = 1_000_000;

/// A dimension: its finest codes, and how many of them each level of its hierarchy puts together; the last is the total.
struct Dimension {
    codes: u64,
    levels: &'static [u64],
}

/// One table of three dimensions with all margins: 20 groups, 12 months in quarters and 3 kinds; 720 atoms, 1,428 cells,
/// of which 494 are small.
///
/// # Panics
/// Never: it is the same each time.
pub fn cube() -> Problem {
    let dimensions = [
        Dimension { codes: 20, levels: &[1, TOTAL] },
        Dimension { codes: 12, levels: &[1, 3, TOTAL] },
        Dimension { codes: 3, levels: &[1, TOTAL] },
    ];
    let mut people = people(800, &dimensions);
    for (group, month, kind) in (0..20).flat_map(|g| (0..12).flat_map(move |m| (0..3).map(move |k| (g, m, k)))) {
        people.entry(vec![group, month, kind]).or_insert(0);
    }
    problem(&people, &dimensions, &[&[0, 1, 2]])
}

/// Five tables of two and three dimensions of one cube of so many people and areas.
///
/// # Panics
/// Where a limit of problems is reached.
pub fn tables(count: u64, areas: u64) -> Problem {
    let dimensions = [
        Dimension { codes: areas, levels: &[1, 10, TOTAL] },
        Dimension { codes: 10, levels: &[1, 5, TOTAL] },
        Dimension { codes: 3, levels: &[1, TOTAL] },
        Dimension { codes: 20, levels: &[1, 4, TOTAL] },
        Dimension { codes: 12, levels: &[1, 3, TOTAL] },
    ];
    let tables: [&[usize]; 5] = [&[0, 1, 2], &[0, 3, 4], &[3, 1, 4], &[1, 2, 4], &[0, 3]];
    problem(&people(count, &dimensions), &dimensions, &tables)
}

/// A number from a seed: one step of a linear congruence, of which the upper half is taken (D. Knuth's MMIX constants).
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// How many people have which code of each dimension; low codes are more frequent.
fn people(count: u64, dimensions: &[Dimension]) -> BTreeMap<Vec<u64>, i64> {
    let (mut seed, mut people) = (20_260_701, BTreeMap::new());
    for _ in 0..count {
        let code = |dimension: &Dimension| {
            let most = 1 + draw(&mut seed, dimension.codes);
            draw(&mut seed, most)
        };
        *people.entry(dimensions.iter().map(code).collect()).or_insert(0) += 1;
    }
    people
}

/// The cells of all tables, as atoms and value.
fn cells(people: &BTreeMap<Vec<u64>, i64>, dimensions: &[Dimension], tables: &[&[usize]]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for table in tables {
        let mut levels: Vec<Vec<u64>> = vec![Vec::new()];
        for dimension in *table {
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

fn problem(people: &BTreeMap<Vec<u64>, i64>, dimensions: &[Dimension], tables: &[&[usize]]) -> Problem {
    let cells = cells(people, dimensions, tables);
    let is_small = |cell: &usize| (1..THRESHOLD).contains(&cells[*cell].value);
    let primary: BTreeSet<usize> = (0..cells.len()).filter(is_small).collect();
    let mut candidates: Vec<usize> = (0..cells.len()).filter(|cell| !primary.contains(cell)).collect();
    candidates.sort_by_key(|cell| (-cells[*cell].value, *cell));
    let singletons = (0..).zip(people.values()).filter(|(_, count)| **count == 1).map(|(atom, _)| atom).collect();
    let problem = Problem { atoms: people.len(), cells, candidates, primary, singletons, ..Problem::default() };
    problem.checked().expect("a problem within the limits")
}
