//! Controlled rounding of a two-way table: every cell and every margin becomes a neighbouring multiple of the base and
//! everything still adds up.
//!
//! Zero-restricted: a multiple stays, anything else goes to the multiple just below or just above. Of all tables that
//! are possible, one with the smallest sum of distances |rounded − true| over inner cells, margins and the total is
//! chosen (Handbook on SDC, 2nd edition, 5.5, the "optimal solution" of zero-restricted controlled rounding).
//!
//! The table is a circulation: source → rows → columns → sink → source, each number a flow between the multiple below
//! and the one above. The true numbers ÷ base are such a flow, so there is one in whole numbers (integrality of
//! network flows; Cox, JASA 82 (1987) 520–524), which is why a two-way table can always be rounded. The cheapest is found by
//! shortest augmenting paths (Ahuja, Magnanti & Orlin, Network Flows, 9.7), starting from the nearest multiples.
//!
//! More than two dimensions or linked tables are no network: round their inner cells with [`super::small_counts`].

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Base;

/// The largest number of inner cells.
pub const CELLS_MAX: usize = 40_000;
/// The largest inner cell, a count.
pub const VALUE_MAX: i64 = 1_000_000_000_000;

/// A two-way table with its margins. **Invariant:** it adds up and all numbers are multiples of its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlledTable {
    /// Inner cells by row.
    pub inner: Vec<Vec<i64>>,
    /// The sum of each row.
    pub row_totals: Vec<i64>,
    /// The sum of each column.
    pub column_totals: Vec<i64>,
    /// The sum of everything.
    pub total: i64,
}

/// Not a table that can be rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlledError {
    /// Rows of different lengths.
    #[error("row {row} has {len} cells, row 0 has {first}: fill in zeros")]
    Ragged {
        /// Which row, from 0.
        row: usize,
        /// Its length.
        len: usize,
        /// The length of row 0.
        first: usize,
    },
    /// No cell, or too many.
    #[error("the table has {0} cells, 1 to {CELLS_MAX} are taken: split it by the larger dimension")]
    Cells(usize),
    /// Not a count.
    #[error("row {row}, column {column} is {value}: counts of 0 to {VALUE_MAX} are rounded")]
    Value {
        /// Which row, from 0.
        row: usize,
        /// Which column, from 0.
        column: usize,
        /// What stands there.
        value: i64,
    },
}

/// A two-way table in multiples of the base that adds up, as near to the true one as possible.
///
/// The same table always gives the same result.
///
/// # Errors
/// [`ControlledError`]: no rectangle, too large, or a number below 0 or above [`VALUE_MAX`].
///
/// ```
/// use disclosure_control::rounding::{Base, controlled};
/// let table = controlled(&[vec![1, 0], vec![3, 3], vec![12, 20]], Base::FIVE)?;
/// assert_eq!(table.inner, [[0, 0], [5, 5], [10, 20]]);
/// assert_eq!((table.row_totals, table.column_totals, table.total), (vec![0, 10, 30], vec![15, 25], 40));
/// # Ok::<(), disclosure_control::rounding::ControlledError>(())
/// ```
pub fn controlled(inner: &[Vec<i64>], base: Base) -> Result<ControlledTable, ControlledError> {
    let columns = checked(inner)?;
    let mut network = Network::of(inner, columns, base);
    while network.augment() {}
    let units = network.units();
    let row = |i: usize| (0..columns).map(|j| units[i * columns + j] * base.get()).collect::<Vec<_>>();
    let inner: Vec<_> = (0..inner.len()).map(row).collect();
    let row_totals: Vec<i64> = inner.iter().map(|row| row.iter().sum()).collect();
    let column_totals = (0..columns).map(|j| inner.iter().map(|row| row[j]).sum()).collect();
    Ok(ControlledTable { total: row_totals.iter().sum(), inner, row_totals, column_totals })
}

/// The number of columns of a table that can be rounded.
fn checked(inner: &[Vec<i64>]) -> Result<usize, ControlledError> {
    let first = inner.first().map_or(0, Vec::len);
    let cells = inner.iter().map(Vec::len).sum();
    if cells == 0 || cells > CELLS_MAX {
        return Err(ControlledError::Cells(cells));
    }
    for (row, cells) in inner.iter().enumerate() {
        if cells.len() != first {
            return Err(ControlledError::Ragged { row, len: cells.len(), first });
        }
        if let Some(column) = cells.iter().position(|value| !(0..=VALUE_MAX).contains(value)) {
            return Err(ControlledError::Value { row, column, value: cells[column] });
        }
    }
    Ok(first)
}

/// A number of the table as a flow: `below` units of the base, and one more where it is rounded up.
struct Arc {
    from: usize,
    to: usize,
    below: i64,
    up: bool,
    /// What it costs to round up rather than down: base − 2 × residue; none for a multiple, which stays.
    cost: Option<i64>,
}

impl Arc {
    /// Where one more unit can be sent from this end, and what it costs.
    fn residual(&self, at: usize) -> Option<(usize, i64)> {
        let cost = self.cost?;
        match (at == self.from, self.up) {
            (true, false) => Some((self.to, cost)),
            (false, true) => Some((self.from, -cost)),
            _ => None,
        }
    }
}

/// The circulation. Arcs: inner cells by row, row margins, column margins, the total.
struct Network {
    arcs: Vec<Arc>,
    /// The arcs at each node: rows, columns, source, sink.
    at: Vec<Vec<usize>>,
    /// How many more units come in than go out.
    excess: Vec<i64>,
    /// Keeps the costs of what can still be sent from going below zero.
    potential: Vec<i64>,
}

impl Network {
    fn of(inner: &[Vec<i64>], columns: usize, base: Base) -> Network {
        let (rows, source) = (inner.len(), inner.len() + columns);
        let nodes = source + 2;
        let mut network =
            Network { arcs: vec![], at: vec![vec![]; nodes], excess: vec![0; nodes], potential: vec![0; nodes] };
        for (i, row) in inner.iter().enumerate() {
            row.iter().enumerate().for_each(|(j, value)| network.add(i, rows + j, *value, base));
        }
        for (i, row) in inner.iter().enumerate() {
            network.add(source, i, row.iter().sum(), base);
        }
        for j in 0..columns {
            network.add(rows + j, source + 1, inner.iter().map(|row| row[j]).sum(), base);
        }
        network.add(source + 1, source, inner.iter().flatten().sum(), base);
        network
    }

    /// One number, at its nearest multiple.
    fn add(&mut self, from: usize, to: usize, value: i64, base: Base) {
        let residue = base.residue(value);
        let cost = (residue > 0).then_some(base.get() - 2 * residue);
        let arc = Arc { from, to, below: value / base.get(), up: cost.is_some_and(|cost| cost <= 0), cost };
        let units = arc.below + i64::from(arc.up);
        self.excess[from] -= units;
        self.excess[to] += units;
        self.at[from].push(self.arcs.len());
        self.at[to].push(self.arcs.len());
        self.arcs.push(arc);
    }

    /// Sends one unit from a node that has too much to one that has too little, the cheapest way. False: all balance.
    fn augment(&mut self) -> bool {
        let Some((end, distance, by)) = self.cheapest() else {
            debug_assert!(self.excess.iter().all(|excess| *excess == 0), "a two-way table can always be rounded");
            return false;
        };
        for (node, potential) in self.potential.iter_mut().enumerate() {
            *potential += distance[node].min(distance[end]);
        }
        let mut node = end;
        while let Some(arc) = by[node] {
            self.arcs[arc].up = !self.arcs[arc].up;
            node = self.arcs[arc].from + self.arcs[arc].to - node;
        }
        self.excess[node] -= 1;
        self.excess[end] += 1;
        true
    }

    /// The nearest node with too little, the distance of each node from those with too much (Dijkstra), and by which
    /// arc it is reached.
    fn cheapest(&self) -> Option<(usize, Vec<i64>, Vec<Option<usize>>)> {
        let mut distance = vec![i64::MAX; self.at.len()];
        let mut by = vec![None; self.at.len()];
        let mut open = BinaryHeap::new();
        for node in (0..self.at.len()).filter(|node| self.excess[*node] > 0) {
            distance[node] = 0;
            open.push(Reverse((0, node)));
        }
        while let Some(Reverse((so_far, node))) = open.pop() {
            if so_far > distance[node] {
                continue;
            }
            if self.excess[node] < 0 {
                return Some((node, distance, by));
            }
            for arc in &self.at[node] {
                let Some((next, cost)) = self.arcs[*arc].residual(node) else { continue };
                let far = so_far + cost + self.potential[node] - self.potential[next];
                if far < distance[next] {
                    (distance[next], by[next]) = (far, Some(*arc));
                    open.push(Reverse((far, next)));
                }
            }
        }
        None
    }

    /// How many units each arc has, in the order of the arcs.
    fn units(&self) -> Vec<i64> {
        self.arcs.iter().map(|arc| arc.below + i64::from(arc.up)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Inner cells, row totals, column totals, the total.
    fn numbers(inner: &[Vec<i64>]) -> Vec<i64> {
        let mut all: Vec<i64> = inner.iter().flatten().copied().collect();
        all.extend(inner.iter().map(|row| row.iter().sum::<i64>()));
        all.extend((0..inner[0].len()).map(|j| inner.iter().map(|row| row[j]).sum::<i64>()));
        all.push(inner.iter().flatten().sum());
        all
    }

    /// The sum of distances, if every number is a neighbouring multiple.
    fn distance(truth: &[Vec<i64>], rounded: &[Vec<i64>], base: i64) -> Option<i64> {
        let pairs = numbers(truth).into_iter().zip(numbers(rounded));
        pairs.map(|(y, z)| (z % base == 0 && (z - y).abs() < base).then_some((z - y).abs())).sum()
    }

    /// The smallest distance, from trying everything.
    fn best(truth: &[Vec<i64>], base: i64) -> i64 {
        let cells = truth.len() * truth[0].len();
        let table = |bits: u32| -> Vec<Vec<i64>> {
            let cell = |k: usize, y: i64| y / base * base + i64::from(bits >> k & 1) * base;
            let row = |(i, row): (usize, &Vec<i64>)| {
                row.iter().enumerate().map(|(j, y)| cell(i * row.len() + j, *y)).collect()
            };
            truth.iter().enumerate().map(row).collect()
        };
        (0..1 << cells).filter_map(|bits| distance(truth, &table(bits), base)).min().unwrap()
    }

    #[test]
    fn the_handbooks_table_is_rounded_at_least_as_well_as_there() {
        let truth = [vec![1, 0], vec![3, 3], vec![12, 20]];
        let handbook = [vec![5, 0], vec![0, 5], vec![10, 20]];
        let ours = controlled(&truth, Base::FIVE).unwrap();
        assert_eq!(distance(&truth, &handbook, 5), Some(22));
        assert_eq!(distance(&truth, &ours.inner, 5), Some(18));
        assert_eq!((ours.column_totals, ours.total), (vec![15, 25], 40));
    }

    #[test]
    fn a_table_of_multiples_stays() {
        let truth = vec![vec![0, 5, 10], vec![15, 20, 25]];
        assert_eq!(controlled(&truth, Base::FIVE).unwrap().inner, truth);
    }

    #[test]
    fn what_is_no_table_of_counts_is_refused() {
        let refused = |inner: &[Vec<i64>]| controlled(inner, Base::FIVE).unwrap_err();
        assert_eq!(refused(&[]), ControlledError::Cells(0));
        assert_eq!(refused(&[vec![], vec![]]), ControlledError::Cells(0));
        assert_eq!(refused(&[vec![1, 2], vec![3]]), ControlledError::Ragged { row: 1, len: 1, first: 2 });
        assert_eq!(refused(&[vec![1], vec![-2]]), ControlledError::Value { row: 1, column: 0, value: -2 });
        assert_eq!(
            refused(&[vec![1, VALUE_MAX + 1]]),
            ControlledError::Value { row: 0, column: 1, value: VALUE_MAX + 1 }
        );
        assert_eq!(refused(&[vec![0; CELLS_MAX + 1]]), ControlledError::Cells(CELLS_MAX + 1));
    }

    #[test]
    fn a_large_table_is_rounded_too() {
        let cell = |i: i64, j: i64| (i * 7919 + j * 104_729 + i * j * 31) % 23;
        let truth: Vec<Vec<i64>> = (0..200).map(|i| (0..200).map(|j| cell(i, j)).collect()).collect();
        let rounded = controlled(&truth, Base::FIVE).unwrap();
        assert!(distance(&truth, &rounded.inner, 5).is_some());
    }

    fn tables() -> impl Strategy<Value = Vec<Vec<i64>>> {
        (1..=7_usize, 1..=7_usize)
            .prop_flat_map(|(rows, columns)| prop::collection::vec(prop::collection::vec(0..40_i64, columns), rows))
    }

    fn small_tables() -> impl Strategy<Value = Vec<Vec<i64>>> {
        (1..=3_usize, 1..=3_usize)
            .prop_flat_map(|(rows, columns)| prop::collection::vec(prop::collection::vec(0..12_i64, columns), rows))
    }

    proptest! {
        #[test]
        fn every_number_is_a_neighbouring_multiple_and_all_adds_up(truth in tables(), base in 2..12_u16) {
            let base = Base::new(base).unwrap();
            let rounded = controlled(&truth, base).unwrap();
            prop_assert!(distance(&truth, &rounded.inner, base.get()).is_some());
            let margins = [rounded.row_totals, rounded.column_totals, vec![rounded.total]].concat();
            prop_assert!(numbers(&rounded.inner).ends_with(&margins));
        }

        #[test]
        fn no_other_table_is_nearer(truth in small_tables(), base in 2..8_u16) {
            let base = Base::new(base).unwrap();
            let rounded = controlled(&truth, base).unwrap();
            prop_assert_eq!(distance(&truth, &rounded.inner, base.get()), Some(best(&truth, base.get())));
        }
    }
}
