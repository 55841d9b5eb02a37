//! Elimination of published columns, one after the other, from those that are asked about: which of them the published
//! ones imply, and which would give a primary cell away.
//!
//! What is decided depends only on the space that the published columns span, not on the atoms by which they are
//! eliminated. So the pivot of each is chosen for sparseness: an atom of no primary cell if there is one (then the
//! primary cells stay as they are), and of those the one that no cell needs for the longest time (as L. Belady, *A study
//! of replacement algorithms*, IBM Systems Journal 5, 1966, keeps pages). Only singletons are told apart: an atom of one
//! is a pivot only where a column has no other, and then its first, as in the reference implementation.
//!
//! Numbers are whole. Where one leaves 64 bits, all is reckoned anew with residues modulo a prime: a column that
//! follows from others over the rational numbers follows from them modulo the prime as well, unless the prime divides a
//! certain minor of the columns. Of 61 bits that happens by no accident, and no table is made to measure for it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet};

use crate::row::{Atom, Row, TooWide, gcd};

/// The prime: 2^61 − 1.
const PRIME: i64 = (1 << 61) - 1;

/// From how many columns on it is looked at now and then whether they reveal something together.
const TOGETHER_MIN: usize = 32;

/// The numbers that coefficients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Whole numbers of 64 bits.
    Whole,
    /// Residues modulo [`PRIME`].
    Residues,
}

/// A product modulo the prime.
fn product(a: i64, b: i64) -> i64 {
    let product = i128::from(a) * i128::from(b) % i128::from(PRIME);
    i64::try_from(product).expect("below the prime")
}

/// What gives 1 with `x`, modulo the prime: x^(p − 2).
fn inverse(x: i64) -> i64 {
    let (mut out, mut square, mut exponent) = (1, x, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = product(out, square);
        }
        square = product(square, square);
        exponent >>= 1;
    }
    out
}

/// The fraction of small whole numbers that a residue stands for: whether it is below zero. None: of no small one.
fn is_negative(residue: i64) -> Option<bool> {
    const SMALL: i64 = 1 << 30;
    let (mut a, mut b, mut s, mut t) = (PRIME, residue, 0_i64, 1_i64);
    while b >= SMALL {
        let quotient = a / b;
        (a, b) = (b, a - quotient * b);
        (s, t) = (t, s - quotient * t);
    }
    (t.abs() < SMALL).then_some(t < 0)
}

impl Numbers {
    /// The one normal form of a direction.
    fn normal(self, row: Vec<(Atom, i64)>) -> Row {
        let row = Row::sorted(row);
        match self {
            Numbers::Whole => row.primitive(),
            Numbers::Residues => {
                let by = row.entries().first().map_or(1, |(_, x)| inverse(*x));
                Row::sorted(row.entries().iter().map(|(atom, x)| (*atom, product(*x, by))).collect())
            }
        }
    }

    /// Whether entries of a normal form have different signs; where that cannot be told they do not.
    fn mixed(self, row: &Row) -> bool {
        let mut entries = row.entries().iter();
        match self {
            // The first of a normal form is positive.
            Numbers::Whole => entries.any(|(_, x)| *x < 0),
            Numbers::Residues => entries.any(|(_, x)| is_negative(*x) == Some(true)),
        }
    }
}

/// What becomes of a column that is to be published.
pub(crate) struct Elimination {
    numbers: Numbers,
    first_singleton: Atom,
    singletons_are_primary: bool,
    pivots: Vec<Pivot>,
    /// Atoms of singletons that are as good as published.
    gone: Vec<bool>,
    /// Atoms of singletons of which a difference was published.
    used: HashSet<Atom>,
    primary: Primaries,
    /// Columns of primary cells that nothing protects.
    revealed: HashSet<usize>,
    /// Atoms of less are eliminated first.
    rank: Vec<u64>,
    work: Work,
}

struct Pivot {
    at: Atom,
    row: Row,
}

impl Elimination {
    /// `first_singleton`: atoms from here on are singletons.
    pub(crate) fn new(
        atoms: usize,
        first_singleton: Atom,
        singletons_are_primary: bool,
        numbers: Numbers,
        rank: Vec<u64>,
    ) -> Elimination {
        Elimination {
            numbers,
            first_singleton,
            singletons_are_primary,
            pivots: Vec::new(),
            gone: vec![false; atoms],
            used: HashSet::new(),
            primary: Primaries::new(atoms),
            revealed: HashSet::new(),
            rank,
            work: Work { places: vec![Place { value: 0, pivot: NO_PIVOT, touched: false }; atoms], ..Work::default() },
        }
    }

    /// Protects a column from now on.
    pub(crate) fn protect(&mut self, column: usize, row: &Row) {
        let only_singles = row.atoms().next().is_some_and(|atom| atom >= self.first_singleton);
        if self.singletons_are_primary && only_singles {
            return;
        }
        self.primary.columns.push(column);
        self.primary.rows.push(Row::default());
        let row = self.numbers.normal(self.numbers.of(row));
        self.primary.set(self.primary.rows.len() - 1, row);
    }

    /// Protected columns that nothing protects any more.
    pub(crate) fn revealed(&self) -> &HashSet<usize> {
        &self.revealed
    }

    /// Publishes a column, unless that would reveal a primary cell. Whether it is published.
    pub(crate) fn publish(&mut self, row: &Row) -> Result<bool, TooWide> {
        let a = self.rest(row)?;
        let Some(first) = a.atoms().next() else { return Ok(true) };
        let mut single = first >= self.first_singleton;
        if single && a.atoms().all(|atom| !self.used.contains(&atom)) && self.numbers.mixed(&a) {
            single = false;
            self.used.extend(a.atoms());
        }
        if single && !self.singletons_are_primary {
            if self.primary.within(&a) {
                return Ok(false);
            }
            a.atoms().for_each(|atom| self.gone[atom as usize] = true);
            self.forget(&a);
            return Ok(true);
        }
        if single || self.primary.has_multiple_of(&a) {
            return Ok(false);
        }
        self.eliminate(a)?;
        Ok(true)
    }

    /// Publishes columns together, unless one of them would have to be looked at alone: because it reveals a primary
    /// cell, or because only singletons are left of it. Whether they are published; if not, nothing has changed.
    ///
    /// If none is such a column in this order, none is in another: the space that they span has then no primary cell,
    /// and nothing but zero that has only singletons. So short columns go first, and of sums little is left.
    pub(crate) fn publish_together(&mut self, mut rows: Vec<Row>) -> Result<bool, TooWide> {
        rows.sort_by_key(|row| row.entries().len());
        let before = self.pivots.len();
        let mut look = before + TOGETHER_MIN;
        for row in rows {
            let a = self.rest(&row)?;
            let Some(first) = a.atoms().next() else { continue };
            let fits = first < self.first_singleton;
            if fits {
                self.add(a)?;
            }
            // What is revealed already need not wait for the long columns.
            let looks = self.pivots.len() >= look;
            if looks {
                look += look - before;
            }
            if !fits || looks && self.without(before)?.iter().any(|(_, rest)| rest.is_empty()) {
                self.take_back(before);
                return Ok(false);
            }
        }
        let rests = self.without(before)?;
        if rests.iter().any(|(_, rest)| rest.is_empty()) {
            self.take_back(before);
            return Ok(false);
        }
        for (place, rest) in rests {
            self.primary.set(place, rest);
        }
        Ok(true)
    }

    fn take_back(&mut self, before: usize) {
        for pivot in self.pivots.drain(before..) {
            self.work.places[pivot.at as usize].pivot = NO_PIVOT;
        }
    }

    /// Takes a sum as known, whatever it reveals.
    pub(crate) fn know(&mut self, row: &Row) -> Result<(), TooWide> {
        let a = self.rest(row)?;
        if a.is_empty() { Ok(()) } else { self.eliminate(a) }
    }

    fn eliminate(&mut self, a: Row) -> Result<(), TooWide> {
        let before = self.pivots.len();
        self.add(a)?;
        for (place, rest) in self.without(before)? {
            if rest.is_empty() {
                self.revealed.insert(self.primary.columns[place]);
            }
            self.primary.set(place, rest);
        }
        Ok(())
    }

    fn add(&mut self, a: Row) -> Result<(), TooWide> {
        let several = a.atoms().take_while(|atom| *atom < self.first_singleton);
        let key = |atom: &Atom| (self.primary.live[*atom as usize], self.rank[*atom as usize], *atom);
        let at = several.min_by_key(key).unwrap_or(a.entries()[0].0);
        self.work.places[at as usize].pivot = u32::try_from(self.pivots.len()).map_err(|_| TooWide)?;
        self.pivots.push(Pivot { at, row: a });
        Ok(())
    }

    /// The primary cells that have something at the pivots from one on, without them.
    fn without(&mut self, from: usize) -> Result<Vec<(usize, Row)>, TooWide> {
        let mut places = BTreeSet::new();
        for at in self.pivots[from..].iter().map(|pivot| pivot.at).filter(|at| self.primary.live[*at as usize] > 0) {
            let rows = &self.primary.rows;
            places.extend(self.primary.at[at as usize].iter().copied().filter(|place| rows[*place].at(at) != 0));
        }
        let mut out = Vec::new();
        for place in places {
            let row = std::mem::take(&mut self.primary.rows[place]);
            let rest = self.rest(&row);
            self.primary.rows[place] = row;
            out.push((place, rest?));
        }
        Ok(out)
    }

    /// Takes the atoms of `a` out of the primary cells.
    fn forget(&mut self, a: &Row) {
        let near: BTreeSet<usize> = a.atoms().flat_map(|atom| &self.primary.at[atom as usize]).copied().collect();
        for place in near {
            let row = self.primary.rows[place].without(|atom| a.at(atom) != 0);
            self.primary.set(place, self.numbers.normal(row.entries().to_vec()));
        }
    }

    /// What is left of a row once each pivot is taken out, in the order in which they were made: a pivot has nothing at
    /// the places of earlier ones.
    fn rest(&mut self, row: &Row) -> Result<Row, TooWide> {
        for (atom, x) in self.numbers.of(row) {
            *self.work.touch(atom) = x;
        }
        let mut all = Ok(());
        while let Some(Reverse(next)) = self.work.next.pop() {
            let pivot = &self.pivots[next as usize];
            if all.is_ok() && self.work.places[pivot.at as usize].value != 0 {
                all = self.work.take_out(pivot, self.numbers);
            }
        }
        let row = self.work.gather(&self.gone);
        all.map(|()| self.numbers.normal(row))
    }
}

impl Numbers {
    /// The entries of a row of whole numbers.
    fn of(self, row: &Row) -> Vec<(Atom, i64)> {
        match self {
            Numbers::Whole => row.entries().to_vec(),
            Numbers::Residues => row.entries().iter().map(|(atom, x)| (*atom, x.rem_euclid(PRIME))).collect(),
        }
    }
}

/// A row that is worked on, with a place for each atom.
#[derive(Default)]
struct Work {
    places: Vec<Place>,
    /// The atoms that were touched.
    touched: Vec<Atom>,
    /// The pivots that are to be taken out.
    next: BinaryHeap<Reverse<u32>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    value: i64,
    /// The number of the pivot here, or [`NO_PIVOT`].
    pivot: u32,
    touched: bool,
}

/// No pivot: a problem has fewer cells.
const NO_PIVOT: u32 = u32::MAX;

impl Work {
    /// The value at a place. Its pivot is noted the first time: once it is taken out, no later one has anything there.
    fn touch(&mut self, atom: Atom) -> &mut i64 {
        let place = &mut self.places[atom as usize];
        if !place.touched {
            place.touched = true;
            self.touched.push(atom);
            if place.pivot != NO_PIVOT {
                self.next.push(Reverse(place.pivot));
            }
        }
        &mut place.value
    }

    /// Takes a multiple of a pivot away, so that nothing is left at its place.
    fn take_out(&mut self, pivot: &Pivot, numbers: Numbers) -> Result<(), TooWide> {
        let (p, x) = (pivot.row.at(pivot.at), self.places[pivot.at as usize].value);
        match numbers {
            Numbers::Whole => {
                let divisor = gcd(p, x) * p.signum();
                let (by, times) = (p / divisor, x / divisor);
                if by != 1 {
                    for atom in &self.touched {
                        let value = &mut self.places[*atom as usize].value;
                        *value = value.checked_mul(by).ok_or(TooWide)?;
                    }
                }
                for (atom, y) in pivot.row.entries() {
                    let value = self.touch(*atom);
                    *value = y.checked_mul(times).and_then(|y| value.checked_sub(y)).ok_or(TooWide)?;
                }
            }
            Numbers::Residues => {
                let times = product(x, inverse(p));
                for (atom, y) in pivot.row.entries() {
                    let value = self.touch(*atom);
                    *value = (*value - product(*y, times)).rem_euclid(PRIME);
                }
            }
        }
        Ok(())
    }

    /// What is left, and the places are clean again.
    fn gather(&mut self, gone: &[bool]) -> Vec<(Atom, i64)> {
        let mut row = Vec::new();
        for atom in self.touched.drain(..) {
            let place = &mut self.places[atom as usize];
            place.touched = false;
            let value = std::mem::take(&mut place.value);
            if value != 0 && !gone[atom as usize] {
                row.push((atom, value));
            }
        }
        row.sort_unstable();
        row
    }
}

/// The primary cells, each without what is published of it, in its normal form.
struct Primaries {
    columns: Vec<usize>,
    rows: Vec<Row>,
    /// Which rows have something at an atom, or had.
    at: Vec<Vec<usize>>,
    /// How many rows have something at an atom.
    live: Vec<u32>,
}

impl Primaries {
    fn new(atoms: usize) -> Primaries {
        Primaries { columns: Vec::new(), rows: Vec::new(), at: vec![Vec::new(); atoms], live: vec![0; atoms] }
    }

    fn set(&mut self, place: usize, row: Row) {
        let old = std::mem::take(&mut self.rows[place]);
        old.atoms().for_each(|atom| self.live[atom as usize] -= 1);
        let mut had = old.atoms().peekable();
        for atom in row.atoms() {
            self.live[atom as usize] += 1;
            while had.next_if(|other| *other < atom).is_some() {}
            if had.next_if_eq(&atom).is_none() {
                self.at[atom as usize].push(place);
            }
        }
        self.rows[place] = row;
    }

    /// Whether a primary cell is a multiple of this normal form.
    fn has_multiple_of(&self, a: &Row) -> bool {
        if a.atoms().any(|atom| self.live[atom as usize] == 0) {
            return false;
        }
        let near = a.atoms().map(|atom| &self.at[atom as usize]).min_by_key(|near| near.len());
        near.is_some_and(|near| near.iter().any(|place| self.rows[*place] == *a))
    }

    /// Whether a primary cell has no atom but those of `a`.
    fn within(&self, a: &Row) -> bool {
        let mut near = a.atoms().flat_map(|atom| &self.at[atom as usize]).map(|place| &self.rows[*place]);
        near.any(|b| !b.is_empty() && b.atoms().all(|atom| a.at(atom) != 0))
    }
}
