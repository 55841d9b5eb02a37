//! Reading facts while somebody else writes them.

use std::{path::Path, sync::Arc};

use domain::OrgId;
use eventlog::Position;
use polars::prelude::*;

use super::{
    Cause,
    kind::Kind,
    manifest::{Manifest, segment_path},
};

/// How often a read starts again because the segments it was about to read were merged away, a count.
const READS_MAX: usize = 5;

/// Facts that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the facts cannot be read")]
pub struct FactsError(#[source] pub(crate) Cause);

/// The facts of all organisations, for those who read them, in this process or another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Facts {
    dir: Arc<Path>,
}

impl Facts {
    /// The facts in `dir/facts`; there need not be any yet.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.join("facts").into() }
    }

    /// Up to where in the log the facts go.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn position(&self) -> Result<Position, FactsError> {
        self.read(|facts| Ok(facts.manifest.position))
    }

    /// Answers a question to the facts as they are at one position.
    pub(crate) fn read<T>(&self, ask: impl Fn(&Snapshot) -> Result<T, Cause>) -> Result<T, FactsError> {
        let read = || {
            let manifest = Manifest::load(&self.dir)?.unwrap_or_default();
            ask(&Snapshot { dir: self.dir.clone(), manifest })
        };
        let mut answer = read();
        for _ in 1..READS_MAX {
            if answer.is_ok() {
                break;
            }
            answer = read();
        }
        answer.map_err(FactsError)
    }
}

/// The facts at one position.
pub(crate) struct Snapshot {
    dir: Arc<Path>,
    pub manifest: Manifest,
}

impl Snapshot {
    /// All rows of `kind` of `org`, also the superseded ones, in the order of the log.
    pub fn scan(&self, org: &OrgId, kind: Kind) -> Result<LazyFrame, Cause> {
        let segments = self.manifest.segments(org, kind);
        if segments.is_empty() {
            return Ok(DataFrame::empty_with_schema(&kind.schema()).lazy());
        }
        let path = |file: &str| PlRefPath::try_from_path(&segment_path(&self.dir, org, kind, file));
        let paths = segments.iter().map(|segment| path(&segment.file)).collect::<PolarsResult<Vec<_>>>()?;
        let args = ScanArgsParquet {
            schema: Some(kind.schema().into()),
            hive_options: HiveOptions::new_disabled(),
            glob: false,
            ..ScanArgsParquet::default()
        };
        Ok(LazyFrame::scan_parquet_files(paths.into_iter().collect(), args)?)
    }

    /// The rows of `kind` of `org` that hold.
    pub fn current(&self, org: &OrgId, kind: Kind) -> Result<LazyFrame, Cause> {
        Ok(kind.current(self.scan(org, kind)?))
    }
}
