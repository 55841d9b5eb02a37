//! The one file that says what the facts are: which segments, up to where in the log.
//!
//! A segment that it does not name does not exist. It is replaced as a whole, so facts are never half-written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use domain::OrgId;
use eventlog::Position;
use serde::{Deserialize, Serialize};

use super::{Cause, kind::Kind, segment};

/// Version of the manifest and of the columns of the facts. Another one is thrown away and rebuilt.
pub(super) const FORMAT: u32 = 5;

const FILE: &str = "manifest.json";

/// What the facts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// Everything up to here is in the segments, and nothing after.
    pub position: Position,
    /// [`eventlog::Recorded::digest`] of the event there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<[u8; 32]>,
    organisations: BTreeMap<OrgId, BTreeMap<Kind, Shelf>>,
}

/// The segments of one kind of fact of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shelf {
    /// In the order of the log.
    pub segments: Vec<Segment>,
    /// Files merged into one of the segments. They stay until the next merge, for those who read an older manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<String>,
}

/// A file of rows that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Segment {
    /// Name in its folder.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, position: Position::START, last: None, organisations: BTreeMap::new() }
    }
}

impl Manifest {
    /// The manifest in `dir`; nothing is there before the first one was saved.
    pub fn load(dir: &Path) -> Result<Option<Self>, Cause> {
        let bytes = match fs::read(dir.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let manifest: Self = serde_json::from_slice(&bytes)?;
        if manifest.format == FORMAT { Ok(Some(manifest)) } else { Err("the facts have another format".into()) }
    }

    /// Replaces the manifest in `dir`. Durable when it returns; before, a crash leaves the old or the new one.
    pub fn save(&self, dir: &Path) -> Result<(), Cause> {
        let new = dir.join("manifest.json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&new, dir.join(FILE))?;
        Ok(File::open(dir)?.sync_all()?)
    }

    /// The segments of `kind` of `org`, empty if there are none.
    pub fn segments(&self, org: &OrgId, kind: Kind) -> &[Segment] {
        self.organisations.get(org).and_then(|kinds| kinds.get(&kind)).map_or(&[], |shelf| &shelf.segments)
    }

    pub fn shelf_mut(&mut self, org: &OrgId, kind: Kind) -> &mut Shelf {
        self.organisations.entry(org.clone()).or_default().entry(kind).or_default()
    }

    /// Organisations that have facts.
    pub fn orgs(&self) -> impl Iterator<Item = &OrgId> {
        self.organisations.keys()
    }

    /// What is wrong with the files in `dir`, if one is missing or is not what was written.
    pub fn damage(&self, dir: &Path) -> Option<String> {
        let shelves = self.organisations.iter().flat_map(|(org, kinds)| kinds.iter().map(move |kind| (org, kind)));
        for (org, (kind, shelf)) in shelves {
            for segment in &shelf.segments {
                let path = segment_path(dir, org, *kind, &segment.file);
                if let Err(why) = segment::check(&path, segment) {
                    return Some(format!("{}: {why}", path.display()));
                }
            }
        }
        None
    }

    /// Forgets the retired files, for a sweep.
    pub fn forget_retired(&mut self) {
        for shelf in self.organisations.values_mut().flat_map(BTreeMap::values_mut) {
            shelf.retired.clear();
        }
    }

    /// Removes every segment in `dir` that is not named here, and says the highest number of all that were there.
    pub fn sweep(&self, dir: &Path) -> Result<u64, Cause> {
        let named = self.named(dir);
        let mut highest = 0;
        for path in files(dir)? {
            let Some(number) = segment::number(&path) else { continue };
            highest = highest.max(number);
            if !named.contains(&path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(highest)
    }

    fn named(&self, dir: &Path) -> BTreeSet<PathBuf> {
        let mut named = BTreeSet::new();
        for (org, kinds) in &self.organisations {
            for (kind, shelf) in kinds {
                let files = shelf.segments.iter().map(|segment| &segment.file).chain(&shelf.retired);
                named.extend(files.map(|file| segment_path(dir, org, *kind, file)));
            }
        }
        named
    }
}

/// Where the segment `file` lies.
pub(super) fn segment_path(dir: &Path, org: &OrgId, kind: Kind, file: &str) -> PathBuf {
    dir.join(org.as_str()).join(kind.folder()).join(file)
}

/// All segments in `dir/{org}/{kind}/`.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Cause> {
    let mut level = vec![dir.to_owned()];
    for _ in ["organisations", "kinds", "segments"] {
        let mut below = Vec::new();
        for folder in level.iter().filter(|path| path.is_dir()) {
            for entry in fs::read_dir(folder)? {
                below.push(entry?.path());
            }
        }
        level = below;
    }
    Ok(level)
}
