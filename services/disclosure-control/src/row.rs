//! Sparse vectors of whole numbers: a published cell as a sum of atoms, an equation between cells.
//!
//! **Invariant:** entries are sorted by place, none is zero, and no result wraps around: what does not fit is an error.

/// The place of an atom (a finest inner cell) in a problem.
pub type Atom = u32;

/// A number left the range of 64 bits. Nothing is concluded from such a row: who asked must hide or refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a coefficient does not fit 64 bits")]
pub struct TooWide;

/// A sparse vector: places and what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Row(Vec<(Atom, i64)>);

impl Row {
    /// The sum of these atoms, each once or as often as it is named; in any order.
    ///
    /// ```
    /// let row = disclosure_control::Row::new([(2, 1), (0, 1), (2, -1)]);
    /// assert_eq!(row.entries(), [(0, 1)]);
    /// ```
    pub fn new(entries: impl IntoIterator<Item = (Atom, i64)>) -> Row {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_unstable_by_key(|(atom, _)| *atom);
        entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        entries.retain(|(_, x)| *x != 0);
        Row(entries)
    }

    /// Of entries that are sorted by place, none of them zero.
    pub(crate) fn sorted(entries: Vec<(Atom, i64)>) -> Row {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0) && entries.iter().all(|(_, x)| *x != 0), "an entry each");
        Row(entries)
    }

    /// Each of these atoms once.
    pub fn sum(atoms: impl IntoIterator<Item = Atom>) -> Row {
        Row::new(atoms.into_iter().map(|atom| (atom, 1)))
    }

    /// Places with what stands there, by place.
    pub fn entries(&self) -> &[(Atom, i64)] {
        &self.0
    }

    /// The places that are not zero.
    pub fn atoms(&self) -> impl Iterator<Item = Atom> + '_ {
        self.0.iter().map(|(atom, _)| *atom)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands at a place.
    pub fn at(&self, atom: Atom) -> i64 {
        self.0.binary_search_by_key(&atom, |(at, _)| *at).map_or(0, |k| self.0[k].1)
    }

    /// Without the places of which `drop` says so.
    #[must_use]
    pub fn without(&self, drop: impl Fn(Atom) -> bool) -> Row {
        Row(self.0.iter().copied().filter(|(atom, _)| !drop(*atom)).collect())
    }

    /// The same with each place renamed; places that become one are added up, those without a name go.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(Atom) -> Option<Atom>) -> Row {
        Row::new(self.0.iter().filter_map(|(atom, x)| Some((name(*atom)?, *x))))
    }

    /// What the row comes to where atom *i* is `counts[i]`.
    pub fn of(&self, counts: &[i64]) -> i64 {
        self.0.iter().map(|(atom, x)| x * counts[*atom as usize]).sum()
    }

    /// The same direction in its one normal form: no common divisor, the first entry positive.
    #[must_use]
    pub fn primitive(mut self) -> Row {
        let mut divisor = self.0.iter().fold(0, |divisor, (_, x)| gcd(divisor, *x));
        if self.0.first().is_some_and(|(_, x)| *x < 0) {
            divisor = -divisor;
        }
        if !matches!(divisor, 0 | 1) {
            self.0.iter_mut().for_each(|(_, x)| *x /= divisor);
        }
        self
    }

    /// `self` × `by` − `other` × `times`.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn minus(&self, by: i64, other: &Row, times: i64) -> Result<Row, TooWide> {
        let mut out = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let place = match (a.peek(), b.peek()) {
                (None, None) => return Ok(Row(out)),
                (Some(x), None) => x.0,
                (None, Some(y)) => y.0,
                (Some(x), Some(y)) => x.0.min(y.0),
            };
            let x = a.next_if(|(at, _)| *at == place).map_or(0, |(_, x)| *x);
            let y = b.next_if(|(at, _)| *at == place).map_or(0, |(_, y)| *y);
            let left = x.checked_mul(by).ok_or(TooWide)?;
            let value = left.checked_sub(y.checked_mul(times).ok_or(TooWide)?).ok_or(TooWide)?;
            if value != 0 {
                out.push((place, value));
            }
        }
    }

    /// `self` with the entry at the pivot's place taken away by a multiple of the pivot, without a common divisor.
    ///
    /// # Errors
    /// [`TooWide`]
    pub fn eliminated(&self, pivot: &Row, at: Atom) -> Result<Row, TooWide> {
        let (p, x) = (pivot.at(at), self.at(at));
        if x == 0 {
            return Ok(self.clone());
        }
        let divisor = gcd(p, x);
        Ok(self.minus(p / divisor, pivot, x / divisor)?.primitive())
    }
}

/// The greatest common divisor; of zero and x it is |x|. By halving (J. Stein, *Computational problems associated with
/// Racah algebra*, Journal of Computational Physics 1, 1967), since a division takes longer.
pub(crate) fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    if a == 0 || b == 0 {
        return (a | b).try_into().unwrap_or(i64::MAX);
    }
    let twos = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    while b != 0 {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
    }
    (a << twos).try_into().unwrap_or(i64::MAX)
}
