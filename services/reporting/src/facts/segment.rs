//! Segments: Parquet files that are written once, merged, and removed.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use polars::prelude::*;

use super::{
    Cause,
    kind::Kind,
    manifest::{Segment, Shelf},
};

/// Name of the segment with this number.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:012}.parquet")
}

/// The number in a segment's name.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".parquet")?.parse().ok()
}

/// Writes `table` to a new file. Durable when it returns, but for its name: that is the folder's.
pub(super) fn write(path: &Path, table: &mut DataFrame) -> Result<Segment, Cause> {
    let written = write_whole(path, table);
    if written.is_err() {
        // A disk that is full is not filled further, once for each time that it is tried again.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_whole(path: &Path, table: &mut DataFrame) -> Result<Segment, Cause> {
    let file = File::create_new(path)?;
    let mut buffer = BufWriter::new(&file);
    ParquetWriter::new(&mut buffer)
        .with_compression(ParquetCompression::Lz4Raw)
        .with_statistics(StatisticsOptions::empty())
        .set_parallel(false)
        .finish(table)?;
    buffer.flush()?;
    drop(buffer);
    file.sync_all()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Segment { file: name, rows: table.height() as u64, bytes: file.metadata()?.len() })
}

/// Refuses a file that is not what was written: its size, and the rows that its footer counts.
pub(super) fn check(path: &Path, segment: &Segment) -> Result<(), Cause> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes != segment.bytes {
        return Err(format!("has {bytes} bytes instead of {}", segment.bytes).into());
    }
    let rows = ParquetReader::new(file).num_rows()? as u64;
    if rows != segment.rows {
        return Err(format!("has {rows} rows instead of {}", segment.rows).into());
    }
    Ok(())
}

/// All rows of the files, in their order.
pub(super) fn read(kind: Kind, files: impl IntoIterator<Item = PathBuf>) -> Result<DataFrame, Cause> {
    let mut all = DataFrame::empty_with_schema(&kind.schema());
    for path in files {
        let rows = ParquetReader::new(File::open(path)?).read_parallel(ParallelStrategy::None).finish()?;
        all.vstack_mut_owned(rows)?;
    }
    Ok(all)
}

/// The rows of the files that none of them supersedes. Those that say "no longer recorded" stay: they supersede rows
/// of older segments.
pub(super) fn merged(kind: Kind, files: impl IntoIterator<Item = PathBuf>) -> Result<DataFrame, Cause> {
    Ok(kind.current(read(kind, files)?.lazy()).collect()?)
}

/// Which segments to merge: none unless more than `segments_max` lie after the last full one; of these the newest, and
/// every older one that has no more rows than those after it, up to two full segments in all.
///
/// So a row is copied about once each time its segment grows tenfold, and never once its segment is full.
pub(super) fn to_merge(shelf: &Shelf, segments_max: usize, rows_max: u64) -> Option<usize> {
    let open = shelf.segments.iter().rev().take_while(|segment| segment.rows < rows_max);
    if open.clone().count() <= segments_max {
        return None;
    }
    let (mut taken, mut rows) = (0, 0);
    for segment in open {
        if taken >= 2 && (segment.rows > rows || rows + segment.rows > 2 * rows_max) {
            break;
        }
        taken += 1;
        rows += segment.rows;
    }
    (taken >= 2).then(|| shelf.segments.len() - taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(rows: &[u64]) -> Shelf {
        let segment = |&rows| Segment { file: String::new(), rows, bytes: 0 };
        Shelf { segments: rows.iter().map(segment).collect(), retired: vec![] }
    }

    #[test]
    fn few_segments_are_left_alone() {
        assert_eq!(to_merge(&shelf(&[1, 1, 1]), 3, 100), None);
        assert_eq!(to_merge(&shelf(&[100, 100, 100, 1, 1, 1]), 3, 100), None);
        assert_eq!(to_merge(&shelf(&[]), 0, 100), None);
    }

    #[test]
    fn small_segments_are_merged_before_large_ones() {
        assert_eq!(to_merge(&shelf(&[1, 1, 1, 1]), 3, 100), Some(0));
        assert_eq!(to_merge(&shelf(&[50, 1, 1, 1]), 3, 100), Some(1));
        assert_eq!(to_merge(&shelf(&[50, 40, 5, 1]), 3, 100), Some(2));
        assert_eq!(to_merge(&shelf(&[100, 99, 98, 97, 1, 1]), 3, 100), Some(4));
    }

    #[test]
    fn a_merge_is_of_bounded_size_and_makes_progress() {
        assert_eq!(to_merge(&shelf(&[99, 99, 99, 99]), 3, 100), Some(2));
        // A full segment amid open ones ends the merge.
        assert_eq!(to_merge(&shelf(&[1, 1, 1, 100, 1]), 3, 100), None);
    }

    #[test]
    fn rows_are_copied_seldom() {
        let (mut written, mut copied) = (0, 0);
        let mut shelf = shelf(&[]);
        for _ in 0..20_000 {
            shelf.segments.push(Segment { file: String::new(), rows: 500, bytes: 0 });
            written += 500;
            if let Some(first) = to_merge(&shelf, 16, 1 << 17) {
                let rows = shelf.segments.drain(first..).map(|segment| segment.rows).sum();
                copied += rows;
                shelf.segments.push(Segment { file: String::new(), rows, bytes: 0 });
            }
        }
        assert!(copied < 3 * written, "{copied} rows were copied to write {written}");
        let full = written.div_ceil(1 << 17);
        assert!(shelf.segments.len() as u64 <= 16 + 2 * full, "{} segments", shelf.segments.len());
    }
}
