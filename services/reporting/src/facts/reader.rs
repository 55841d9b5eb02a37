//! Reading facts while somebody else writes them.

use std::{path::Path, sync::Arc};

use domain::OrgId;
use eventlog::Position;
use polars::prelude::*;

use super::{
    Cause,
    kind::Kind,
    manifest::{Manifest, Segment, segment_path},
    segment,
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

    /// Whether every file is there and is what was written, if there should be any.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, expected: bool) -> Result<(), String> {
        let damage = || match Manifest::load(&self.dir) {
            Ok(Some(manifest)) => manifest.damage(&self.dir).map(|damage| (Some(manifest.position), damage)),
            Ok(None) => expected.then(|| (None, "the manifest is gone".into())),
            Err(error) => Some((None, error.to_string())),
        };
        // Whoever writes them may have merged files away meanwhile.
        for _ in 1..READS_MAX {
            let Some((position, damage_found)) = damage() else { return Ok(()) };
            if damage().is_some_and(|(again, _)| again == position) {
                return Err(damage_found);
            }
        }
        Ok(())
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
#[derive(Clone)]
pub(crate) struct Snapshot {
    dir: Arc<Path>,
    pub manifest: Manifest,
}

impl Snapshot {
    /// All rows of `kind` of `org`, also the superseded ones, in the order of the log.
    ///
    /// Read at once: what a question leaves out of a table is little, and polars' scanning engine is much of polars to
    /// compile.
    pub fn scan(&self, org: &OrgId, kind: Kind) -> Result<LazyFrame, Cause> {
        let path = |segment: &Segment| segment_path(&self.dir, org, kind, &segment.file);
        Ok(segment::read(kind, self.manifest.segments(org, kind).iter().map(path))?.lazy())
    }

    /// The rows of `kind` of `org` that hold.
    pub fn current(&self, org: &OrgId, kind: Kind) -> Result<LazyFrame, Cause> {
        Ok(kind.current(self.scan(org, kind)?))
    }
}
