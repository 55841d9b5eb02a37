//! The integer variant of the Office for National Statistics: record keys of 0 to 255, a p-table for counts up to 750
//! that is used again above, and a threshold below which counts are hidden.
//!
//! Source: the Python package `cell-key-perturbation` 3.1.0 (ONSdigital/cell-key-perturbation, MIT), with whose results a committed
//! table is compared cell by cell (`tests/data/cell-key.py` makes it). As there: cell key = sum of the record keys
//! modulo 256; row = the count up to 750, above it ((count − 1) modulo 250) + 501; a count of 0 has no row and no noise;
//! what is below the threshold after the noise is hidden, zeros included.
//!
//! The p-table that comes with it, "10-5 rule", follows from its name: below 10 the noise takes the count away, from 10
//! on it rounds to the nearest 5, whatever the key. It is made from that rule here; the script checks that the result
//! equals the 192,000 rows of the shipped file.

/// The largest count with a row of its own.
pub const ROW_MAX: u16 = 750;
/// Of how many of the last rows counts above [`ROW_MAX`] are looked up in turn.
pub const REUSED: u16 = 250;
/// How many record and cell keys there are.
pub const KEYS: usize = 256;
/// The largest threshold, a count.
pub const THRESHOLD_MAX: i64 = 1000;

/// The sum of record keys modulo 256.
///
/// ```
/// assert_eq!(disclosure_control::cell_key::ons::cell_key([200, 100, 3]), 47);
/// ```
pub fn cell_key(record_keys: impl IntoIterator<Item = u8>) -> u8 {
    record_keys.into_iter().fold(0, u8::wrapping_add)
}

/// A p-table: the noise for each row (1 to [`ROW_MAX`]) and cell key (0 to 255), and the threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PTable {
    /// By row, then key.
    noise: Vec<i16>,
    threshold: i64,
}

/// Not a p-table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PTableError {
    /// A result below zero.
    #[error("the p-table adds {noise} to a count of {row} with cell key {key}: the result must not be negative")]
    Negative {
        /// The row.
        row: u16,
        /// The cell key.
        key: u8,
        /// The noise.
        noise: i16,
    },
    /// Threshold out of range.
    #[error("the threshold is {0}: it must be 0 (nothing is hidden) to {THRESHOLD_MAX}")]
    Threshold(i64),
}

impl PTable {
    /// The noise by row and cell key, and the count below which results are hidden (ONS: 10).
    ///
    /// # Errors
    /// [`PTableError`]: a result would be negative, or the threshold is out of range.
    pub fn new(noise: impl Fn(u16, u8) -> i16, threshold: i64) -> Result<PTable, PTableError> {
        if !(0..=THRESHOLD_MAX).contains(&threshold) {
            return Err(PTableError::Threshold(threshold));
        }
        let mut all = Vec::with_capacity(usize::from(ROW_MAX) * KEYS);
        for (row, key) in (1..=ROW_MAX).flat_map(|row| (0..=u8::MAX).map(move |key| (row, key))) {
            let noise = noise(row, key);
            if i64::from(row) + i64::from(noise) < 0 {
                return Err(PTableError::Negative { row, key, noise });
            }
            all.push(noise);
        }
        Ok(PTable { noise: all, threshold })
    }

    /// The shipped "10-5 rule" with its threshold of 10.
    ///
    /// ```
    /// let table = disclosure_control::cell_key::ons::PTable::ten_five();
    /// assert_eq!([0, 9, 10, 12, 13, 753].map(|count| table.shown(count, 47)),
    ///     [None, None, Some(10), Some(10), Some(15), Some(755)]);
    /// ```
    pub fn ten_five() -> PTable {
        PTable::new(ten_five, 10).expect("10 is a threshold, and the rule takes no more away than there is")
    }

    /// The noise of a count with this cell key; none for 0 and what is no count.
    pub fn noise(&self, count: i64, key: u8) -> i64 {
        let row = if count > ROW_MAX.into() {
            (count - 1) % i64::from(REUSED) + i64::from(ROW_MAX - REUSED) + 1
        } else {
            count
        };
        match usize::try_from(row) {
            Ok(row @ 1..) => self.noise[(row - 1) * KEYS + usize::from(key)].into(),
            _ => 0,
        }
    }

    /// What is published for a count with this cell key; none where it is hidden.
    pub fn shown(&self, count: i64, key: u8) -> Option<i64> {
        let perturbed = count.saturating_add(self.noise(count, key));
        (perturbed >= self.threshold).then_some(perturbed)
    }
}

/// The noise of the "10-5 rule".
fn ten_five(row: u16, _key: u8) -> i16 {
    let taken_away = -i16::try_from(row).unwrap_or(i16::MAX);
    match (row, row % 5) {
        (..10, _) => taken_away,
        (_, 1) => -1,
        (_, 2) => -2,
        (_, 3) => 2,
        (_, 4) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What `tests/data/cell-key.py` wrote.
    #[derive(serde::Deserialize)]
    struct Fixture {
        cells: Vec<Cell>,
    }

    #[derive(serde::Deserialize)]
    struct Cell {
        area: String,
        answer: String,
        /// Two hexadecimal digits for each record.
        record_keys: String,
        count: i64,
        key: u8,
        /// By p-table: noise and what is shown.
        results: BTreeMap<String, (i64, Option<i64>)>,
    }

    impl Cell {
        fn keys(&self) -> Vec<u8> {
            let digits = |k: usize| &self.record_keys[k..k + 2];
            (0..self.record_keys.len()).step_by(2).map(|k| u8::from_str_radix(digits(k), 16).unwrap()).collect()
        }
    }

    /// The script's second p-table, in which the key matters: (7 row + 13 key) modulo 5, less 2, never below 0.
    fn mixed(row: u16, key: u8) -> i16 {
        let noise = (u32::from(row) * 7 + u32::from(key) * 13) % 5;
        (i16::try_from(noise).unwrap() - 2).max(-i16::try_from(row).unwrap())
    }

    #[test]
    fn every_cell_comes_out_as_in_cell_key_perturbation() {
        let fixture: Fixture = serde_json::from_str(include_str!("../../tests/data/cell-key.json")).unwrap();
        let tables = BTreeMap::from([
            ("ten-five", PTable::ten_five()),
            ("mixed", PTable::new(mixed, 10).unwrap()),
            ("mixed-all", PTable::new(mixed, 0).unwrap()),
        ]);
        for cell in &fixture.cells {
            let (name, keys) = (format!("{} {}", cell.area, cell.answer), cell.keys());
            assert_eq!(i64::try_from(keys.len()), Ok(cell.count), "{name}");
            assert_eq!(cell_key(keys), cell.key, "{name}");
            assert_eq!(cell.results.len(), tables.len());
            for (table, expected) in &cell.results {
                let table = &tables[table.as_str()];
                let result = (table.noise(cell.count, cell.key), table.shown(cell.count, cell.key));
                assert_eq!(result, *expected, "{name}, a count of {}", cell.count);
            }
        }
        let counts: Vec<_> = fixture.cells.iter().map(|cell| cell.count).collect();
        assert!(counts.contains(&0) && counts.iter().filter(|count| **count > 750).count() >= 5);
    }

    #[test]
    fn the_rows_above_750_repeat_501_to_750() {
        let table = PTable::new(mixed, 0).unwrap();
        for (count, row) in [(750, 750), (751, 501), (1000, 750), (1001, 501), (1251, 501), (2500, 750)] {
            assert_eq!(table.noise(count, 3), table.noise(row, 3), "{count}");
        }
    }

    #[test]
    fn a_zero_is_never_perturbed() {
        let table = PTable::new(|_, _| 3, 0).unwrap();
        assert_eq!((0..=u8::MAX).map(|key| table.shown(0, key)).max(), Some(Some(0)));
        assert_eq!(table.noise(-5, 0), 0);
    }

    #[test]
    fn what_is_no_p_table_is_refused() {
        assert_eq!(PTable::new(|_, _| 0, -1), Err(PTableError::Threshold(-1)));
        let negative = PTable::new(|row, key| if (row, key) == (2, 7) { -3 } else { 0 }, 10);
        assert_eq!(negative, Err(PTableError::Negative { row: 2, key: 7, noise: -3 }));
    }
}
