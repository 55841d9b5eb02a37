//! The fact store: rows derived from the log, in immutable Parquet segments that one manifest names.
//!
//! A batch of events becomes a segment per organisation and kind it touches; then the manifest that names them and
//! holds the position in the log replaces the one before. Whenever the process is killed, what is there is the facts
//! up to that position. What cannot be trusted is thrown away and rebuilt from the log.
//!
//! **Invariants:** one process writes (a lock says so), any number read; a segment never changes; a row is never
//! changed, only superseded by one with a higher position, so merging segments does not change a result.

mod kind;
mod manifest;
mod reader;
mod rows;
mod segment;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use domain::OrgId;
use eventlog::{Position, Recorded};
use messaging::ApplyError;
use polars::prelude::DataFrame;

pub(crate) use kind::Kind;
use manifest::{Manifest, Segment, segment_path};
use rows::Batch;

pub(crate) use reader::Snapshot;
pub use reader::{Facts, FactsError};

/// Most segments of one kind of fact of one organisation that are not full, a count; more are merged.
pub const SEGMENTS_MAX: usize = 16;
/// Rows from which a segment is full: it is not merged any more, which bounds the memory of a merge to that of twice
/// as many rows (some 20 MB).
pub const SEGMENT_ROWS_MAX: u64 = 1 << 17;

/// What broke beneath, without the type of the library it came from.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Facts that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else does.
    #[error("another process writes the facts in `{}`", .0.display())]
    Locked(PathBuf),
    /// The disk or a file on it.
    #[error("the facts cannot be written")]
    Write(#[source] Cause),
}

/// When segments are merged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub segments: usize,
    pub segment_rows: u64,
}

/// The facts of all organisations, for the one who writes them.
#[derive(Debug)]
pub struct FactStore {
    dir: PathBuf,
    manifest: Manifest,
    /// Number of the next segment. Numbers are not used twice, so that a name means one content for ever.
    next: u64,
    limits: Limits,
    /// Held open: the lock ends with the process, however it ends.
    _lock: File,
}

impl FactStore {
    /// Opens the facts in `dir/facts`, or starts new ones at position 0 if there are none or they are damaged.
    ///
    /// # Errors
    /// If another process has opened them, or the disk refuses.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Limits { segments: SEGMENTS_MAX, segment_rows: SEGMENT_ROWS_MAX })
    }

    pub(crate) fn open_with(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let dir = dir.join("facts");
        let lock = lock(&dir)?;
        let (manifest, highest) = recover(&dir).map_err(StoreError::Write)?;
        Ok(Self { dir, manifest, next: highest + 1, limits, _lock: lock })
    }

    /// Position of the last event applied.
    pub fn checkpoint(&self) -> Position {
        self.manifest.position
    }

    /// [`Recorded::digest`] of the event there, if it is known.
    pub fn last_applied(&self) -> Option<[u8; 32]> {
        self.manifest.last
    }

    /// Applies events in the order of the log; those at or before the checkpoint were applied already and are
    /// skipped. All are durable when it returns; if it fails, or the process is killed, none is. Blocks on the disk.
    ///
    /// # Errors
    /// If an event cannot be read or the disk refuses: nothing was applied.
    pub fn apply(&mut self, events: &[Recorded]) -> Result<(), ApplyError> {
        let mut batch = Batch::default();
        let (mut position, mut last) = (self.checkpoint(), None);
        for event in events {
            if event.position > position {
                batch.add(event)?;
                position = event.position;
                last = Some(event);
            }
        }
        if let Some(last) = last {
            self.commit(&batch, last).map_err(|error| ApplyError::store(&StoreError::Write(error)))?;
        }
        Ok(())
    }

    /// Writes the segments, then the manifest. A failure leaves files that nobody names, for the next sweep.
    fn commit(&mut self, batch: &Batch, last: &Recorded) -> Result<(), Cause> {
        let mut manifest = self.manifest.clone();
        let mut unneeded = Vec::new();
        for (org, rows) in &batch.orgs {
            for (kind, mut table) in rows.tables()? {
                metrics::counter!("kith_fact_rows_total", "kind" => kind.folder()).increment(table.height() as u64);
                let segment = self.write(org, kind, &mut table)?;
                manifest.shelf_mut(org, kind).segments.push(segment);
                unneeded.extend(self.merge(&mut manifest, org, kind)?);
            }
        }
        manifest.position = last.position;
        manifest.last = Some(last.digest());
        manifest.save(&self.dir)?;
        self.manifest = manifest;
        for path in unneeded {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "a merged segment of facts stays until the next start");
            }
        }
        Ok(())
    }

    fn write(&mut self, org: &OrgId, kind: Kind, table: &mut DataFrame) -> Result<Segment, Cause> {
        let path = segment_path(&self.dir, org, kind, &segment::file_name(self.next));
        self.next += 1;
        let folder = path.parent().expect("a segment lies in a folder");
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            File::open(&self.dir)?.sync_all()?;
            File::open(self.dir.join(org.as_str()))?.sync_all()?;
        }
        let segment = segment::write(&path, table)?;
        File::open(folder)?.sync_all()?;
        Ok(segment)
    }

    /// Merges segments if there are too many, and names the files that nobody needs once the manifest is saved: not
    /// those just merged, but those of the merge before.
    fn merge(&mut self, manifest: &mut Manifest, org: &OrgId, kind: Kind) -> Result<Vec<PathBuf>, Cause> {
        let stored = manifest.shelf_mut(org, kind);
        let Some(first) = segment::to_merge(stored, self.limits.segments, self.limits.segment_rows) else {
            return Ok(vec![]);
        };
        let files: Vec<String> = stored.segments.drain(first..).map(|segment| segment.file).collect();
        let path = |file: &String| segment_path(&self.dir, org, kind, file);
        let mut rows = segment::merged(kind, files.iter().map(path))?;
        let unneeded = stored.retired.iter().map(path).collect();
        stored.retired = files;
        let segment = self.write(org, kind, &mut rows)?;
        stored.segments.push(segment);
        Ok(unneeded)
    }
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let open = || {
        fs::create_dir_all(dir)?;
        File::options().create(true).append(true).open(dir.join("lock"))
    };
    let file = open().map_err(|error| StoreError::Write(error.into()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::Write(error.into())),
    }
}

/// What can be trusted of the facts in `dir`, everything else removed; and the highest number of a segment so far.
fn recover(dir: &Path) -> Result<(Manifest, u64), Cause> {
    let mut manifest = match Manifest::load(dir) {
        Ok(Some(manifest)) => match manifest.damage(dir) {
            None => manifest,
            Some(damage) => start_over(dir, &damage)?,
        },
        Ok(None) => Manifest::default(),
        Err(error) => start_over(dir, &error.to_string())?,
    };
    manifest.forget_retired();
    let highest = manifest.sweep(dir)?;
    Ok((manifest, highest))
}

fn start_over(dir: &Path, damage: &str) -> Result<Manifest, Cause> {
    tracing::warn!(dir = %dir.display(), damage, "the facts are damaged and will be rebuilt from the log");
    let manifest = Manifest::default();
    // Saved before any file goes, so that no reader is sent to a file that is gone.
    manifest.save(dir)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests;
