//! Which hidden cells follow from shown ones by adding and taking away, and how: exactly, over whole numbers.

use std::collections::HashMap;

use crate::audit::zeros;
use crate::row::{Atom, Row, TooWide};
use crate::world::World;

/// Shown cells that add up to a multiple of a hidden one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// How often each shown cell is added, by place.
    pub terms: Vec<(i64, usize)>,
    /// By what the sum is divided.
    pub divided_by: i64,
}

/// A basis of what is known exactly, by the first atom of each row.
#[derive(Debug, Default)]
pub struct Basis {
    rows: HashMap<Atom, Row>,
}

impl Basis {
    /// What is left of a row beyond what is known.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn rest(&self, row: &Row) -> Result<Row, TooWide> {
        let mut row = row.clone();
        let mut from = 0;
        while let Some(&(atom, _)) = row.entries().iter().find(|(atom, _)| *atom >= from) {
            match self.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => from = atom + 1,
            }
        }
        Ok(row)
    }

    /// Takes a row as known. Whether it says anything new.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn learn(&mut self, row: &Row) -> Result<bool, TooWide> {
        let mut row = row.clone();
        while let Some(&(atom, _)) = row.entries().first() {
            match self.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => {
                    self.rows.insert(atom, row.primitive());
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a row follows from what is known.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn implies(&self, row: &Row) -> Result<bool, TooWide> {
        let mut row = row.clone();
        while let Some(&(atom, _)) = row.entries().first() {
            match self.rows.get(&atom) {
                Some(known) => row = row.eliminated(known, atom)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// The hidden cells that follow from shown ones; atoms under a shown zero are zero.
pub(crate) fn revealed(world: &World, hidden: &[usize]) -> Result<Vec<usize>, TooWide> {
    let zero = zeros(world.atoms, &world.zeros());
    let open = |row: &Row| row.without(|atom| zero[atom as usize]);
    let (joins, shown) = world.equations();
    let mut rows: Vec<Row> = joins.iter().map(&open).collect();
    let mut cells: Vec<Row> = shown.iter().map(|cell| open(&world.cells[*cell].atoms)).collect();
    cells.sort_by_key(|row| row.entries().len());
    rows.append(&mut cells);
    let mut basis = Basis::default();
    for row in &rows {
        basis.learn(row)?;
    }
    let mut out = Vec::new();
    for cell in hidden {
        if basis.implies(&open(&world.cells[*cell].atoms))? {
            out.push(*cell);
        }
    }
    Ok(out)
}

/// How a hidden cell follows from shown ones; none: it does not. Joins say nothing of their own: they are zero.
pub(crate) fn combination(world: &World, cell: usize) -> Result<Option<Combination>, TooWide> {
    let zero = zeros(world.atoms, &world.zeros());
    let open = |row: &Row| row.without(|atom| zero[atom as usize]);
    let (joins, shown) = world.equations();
    // Behind the atoms each equation has a place of its own, which keeps count of how often it was used.
    let base = Atom::try_from(world.atoms).map_err(|_| TooWide)?;
    let counted = |row: Row, place: usize| {
        let place = Atom::try_from(place).ok().and_then(|place| base.checked_add(place)).ok_or(TooWide)?;
        Ok(Row::new(row.entries().iter().copied().chain([(place, 1)])))
    };
    let mut rows: Vec<Row> = joins.iter().map(&open).collect();
    let mut order: Vec<(Row, usize)> = shown.iter().map(|at| (open(&world.cells[*at].atoms), *at)).collect();
    order.sort_by_key(|(row, at)| (row.entries().len(), *at));
    for (at, (row, _)) in order.iter().enumerate() {
        rows.push(counted(row.clone(), at)?);
    }
    let mut basis = Basis::default();
    for row in &rows {
        // Only rows with an atom left can be of use.
        let mut row = row.clone();
        while let Some(&(atom, _)) = row.entries().first().filter(|(atom, _)| *atom < base) {
            let Some(known) = basis.rows.get(&atom) else {
                basis.rows.insert(atom, row.primitive());
                break;
            };
            row = row.eliminated(known, atom)?;
        }
    }
    let target = base.checked_add(Atom::try_from(order.len()).map_err(|_| TooWide)?).ok_or(TooWide)?;
    let mut row = Row::new(open(&world.cells[cell].atoms).entries().iter().copied().chain([(target, 1)]));
    while let Some(&(atom, _)) = row.entries().first().filter(|(atom, _)| *atom < base) {
        let Some(known) = basis.rows.get(&atom) else { return Ok(None) };
        row = row.eliminated(known, atom)?;
    }
    let divided_by = row.at(target);
    let terms = row.entries().iter().filter(|(place, _)| *place != target);
    let terms = terms.map(|(place, x)| (-x * divided_by.signum(), order[(place - base) as usize].1)).collect();
    Ok(Some(Combination { terms, divided_by: divided_by.abs() }))
}
