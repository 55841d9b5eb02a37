//! Watches the room on the disk, and that the files that must be there are.
//!
//! Room that is gone is noticed too late: the log cannot be written then, NATS stops for good, and nobody can be shut out
//! any more. So little room shows first; with less, commands are refused, but for those that must always be possible.
//! For these a file holds room, which is given back when everything else is gone.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use eventlog::{blocking, sqlite::FileId};
use messaging::Part;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use web::{Looks, Room};

use crate::{Config, DataDir};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Times that room can be given back, a count.
const PORTIONS: u64 = 4;
const MIB: u64 = 1 << 20;

/// Watches the disk of a data directory.
pub struct Watch {
    /// Folders with what is written; they may be on disks of their own.
    folders: Vec<PathBuf>,
    low: u64,
    full: u64,
    /// Holds room, and how much.
    reserve: (PathBuf, u64),
    /// What must be there, and is read and written as these files.
    files: Vec<(PathBuf, Option<FileId>)>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    room: Room,
    /// What to say of it, if it is not enough.
    why: Option<String>,
    /// A file that is not there any more.
    missing: Option<String>,
}

impl Watch {
    /// Of these folders, with these limits.
    pub fn new(config: &Config, data: &DataDir) -> Self {
        let mut folders = vec![data.path().to_owned()];
        folders.extend(config.shared.clone());
        folders.extend(config.erasures_file.as_ref().and_then(|file| file.parent()).map(Path::to_owned));
        // An erasure writes the vault anew, beside the old one.
        let vault = fs::metadata(data.vault()).map_or(0, |file| file.len());
        let reserve = (data.path().join("reserve"), config.disk_reserve_mib * MIB + 8 * vault);
        let (low, full) = (config.disk_low_mib * MIB, config.disk_full_mib * MIB);
        Self { folders, low, full, reserve, files: Vec::new() }
    }

    /// From now on these files must be there.
    #[must_use]
    pub fn of_files(self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = files.into_iter().map(|path| (path.clone(), FileId::of(&path)));
        Self { files: files.filter(|(_, file)| file.is_some()).collect(), ..self }
    }

    /// Gives back some of the room that is held, if there is no other: for whoever is about to start on a full disk.
    pub fn make_room(&self) {
        self.look(true);
    }

    /// Watches until it is told to end.
    pub async fn run(self, looks: Looks, (disk, files): (Part, Part), end: CancellationToken) {
        let (mut watch, mut needed) = (self, false);
        loop {
            let look = move || {
                let seen = watch.look(needed);
                (watch, seen)
            };
            let Ok((back, seen)) = blocking(look).await else { return };
            watch = back;
            looks.room.send_if_modified(|before| std::mem::replace(before, seen.room) != seen.room);
            looks.looks.send_modify(|looks| *looks += 1);
            match (seen.room, seen.why) {
                (_, None) => disk.running(),
                (Room::Enough, Some(why)) => disk.strained(why),
                (_, Some(why)) => disk.stopped(why),
            }
            match seen.missing {
                None => files.running(),
                Some(what) => files.stopped(what),
            }
            needed = tokio::select! {
                () = end.cancelled() => return,
                () = sleep(EVERY) => false,
                () = looks.needed.notified() => true,
            };
        }
    }

    /// Looks; and if room is `needed` for what must be done, gives back some of what is held.
    fn look(&self, needed: bool) -> Seen {
        let (mut free, mut folder) = self.free();
        if needed && free < self.portion() {
            self.give_back();
            (free, folder) = self.free();
        } else if free >= self.full.saturating_add(self.reserve.1) {
            self.hold();
        }
        #[allow(clippy::cast_precision_loss)] // nobody counts single bytes there
        metrics::gauge!("kith_disk_free_bytes").set(free as f64);
        let room = match free {
            free if free < self.full / 2 => Room::None,
            free if free < self.full => Room::Little,
            _ => Room::Enough,
        };
        let said = |limit: u64, what: &str| {
            format!(
                "the disk of {} has {} MiB left, less than {} MiB: {what}",
                folder.display(),
                free / MIB,
                limit / MIB
            )
        };
        let why = match room {
            Room::None => {
                Some(said(self.full / 2, "only revocations, erasures and what else protects people are done"))
            }
            Room::Little => Some(said(self.full, "commands are refused, but for what protects people")),
            Room::Enough => (free < self.low).then(|| said(self.low, "soon commands will be refused (disk_full_mib)")),
        };
        Seen { room, why, missing: self.missing() }
    }

    /// The least that one of the folders has, in bytes. One that says nothing of itself is not held against anybody.
    fn free(&self) -> (u64, &Path) {
        let free = |folder: &PathBuf| {
            let said = statvfs(folder).ok().filter(|said| said.f_blocks > 0)?;
            Some(said.f_bavail.saturating_mul(said.f_frsize))
        };
        let least = self.folders.iter().filter_map(|folder| Some((free(folder)?, folder.as_path()))).min();
        least.unwrap_or((u64::MAX, &self.folders[0]))
    }

    /// How much of what is held is given back at once, in bytes: enough for an erasure.
    fn portion(&self) -> u64 {
        (self.reserve.1 / PORTIONS).max(MIB)
    }

    fn give_back(&self) {
        let (path, _) = &self.reserve;
        let Ok(held) = fs::metadata(path).map(|file| file.len()) else { return };
        let rest = held.saturating_sub(self.portion());
        if held > 0 && OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(rest)).is_ok() {
            tracing::warn!(
                rest,
                "the disk is full: some of the room that was held for what protects people is given back"
            );
        }
    }

    /// Holds room, if it does not yet. Not every filesystem can.
    fn hold(&self) {
        let (path, bytes) = &self.reserve;
        if fs::metadata(path).is_ok_and(|file| file.len() >= *bytes) {
            return;
        }
        let hold = |file: &File| fallocate(file, FallocateFlags::empty(), 0, *bytes);
        let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
        if let Ok(file) = open
            && hold(&file).is_err()
        {
            let _ = file.set_len(0); // without it, the limits are all that is left
        }
    }

    fn missing(&self) -> Option<String> {
        let gone = self.files.iter().find(|(path, file)| FileId::of(path) != *file);
        gone.map(|(path, _)| {
            format!(
                "{} was deleted or replaced while it was in use: put it back, or restore a backup; nothing is acknowledged \
                 that would be lost with it",
                path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_held_while_there_is_enough_and_given_back_bit_by_bit() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = (dir.path().join("reserve"), 2 * MIB);
        let watch = |full| Watch {
            folders: vec![dir.path().into()],
            low: 0,
            full,
            reserve: reserve.clone(),
            files: Vec::new(),
        };
        assert_eq!(watch(0).look(false), Seen { room: Room::Enough, why: None, missing: None });
        let held = fs::metadata(&reserve.0).unwrap().len();
        let seen = watch(u64::MAX).look(false);
        assert_eq!(seen.room, Room::None);
        assert!(seen.why.unwrap().contains("MiB left"));
        assert_eq!((held, fs::metadata(&reserve.0).unwrap().len()), (2 * MIB, 2 * MIB), "nobody needs it");
        assert_eq!(watch(0).portion(), MIB);
        watch(0).give_back();
        assert_eq!(fs::metadata(&reserve.0).unwrap().len(), MIB);
        watch(0).look(false);
        assert_eq!(fs::metadata(&reserve.0).unwrap().len(), 2 * MIB, "it is held again");
    }
}
