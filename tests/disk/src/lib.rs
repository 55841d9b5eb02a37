//! A disk in memory, below SQLite: full, failing, and losing what was not synced, when it is told to.
//!
//! [`Disk::mount`] makes it the disk of this thread: from then on each file that SQLite opens on this thread is on it, in
//! this whole process no other file can be opened. What SQLite writes is there at once, as in a kernel's page cache;
//! what [`Disk::cut_power`] leaves of it is what was synced, and any part of what was not: some writes, in any order,
//! the last one perhaps in half. Everything that is chance follows from one seed.
//!
//! A file that is on it is also there as an empty file of the real file system, for whoever looks whether it is there;
//! whoever removes that one removes this one.
//!
//! [`seed_thread`] does the same to the system's random bytes.
//!
//! **Invariant:** `unsafe` is in `vfs.rs` and `chance.rs` and nowhere else, and there only to speak C.

mod chance;
mod file;
mod vfs;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rusqlite::ffi;

pub use chance::seed_thread;
use file::{Change, File, Shared};

/// Bytes that are written whole or not at all.
const SECTOR_BYTES: usize = 512;

thread_local! {
    static MOUNTED: RefCell<Option<(Disk, MutexGuard<'static, ()>)>> = const { RefCell::new(None) };
}

/// SQLite has one source of chance for the whole process: so there is one disk at a time.
static ONE: Mutex<()> = Mutex::new(());

/// A disk. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

/// How often what went wrong, counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes, truncations, syncs and deletions that were asked for.
    pub changes: u64,
    /// Syncs among them.
    pub syncs: u64,
    /// Writes that found no room (ENOSPC).
    pub full: u64,
    /// Reads, writes and syncs that failed (EIO).
    pub failed: u64,
    /// Crashes of the process: what was written stays.
    pub kills: u64,
    /// Power cuts: what was not synced may be lost.
    pub power_cuts: u64,
    /// Writes that a power cut lost.
    pub lost: u64,
    /// Writes of which a power cut left a part.
    pub torn: u64,
}

/// What a crash leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process ends: the system still writes what it was given.
    Kill,
    /// The power fails: what was not synced may be there, or not, or in part.
    PowerCut,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    files: BTreeMap<String, File>,
    chance: StdRng,
    /// Grows with each crash: handles from before it are dead.
    epoch: u64,
    /// After how many more changes it crashes, and how.
    crash: Option<(u64, Crash)>,
    crashed: bool,
    full: bool,
    /// After how many more reads, writes and syncs one fails.
    failure: Option<u64>,
    counts: Counts,
    handles: u64,
    digest: blake3::Hasher,
}

/// An error of SQLite.
type Code = i32;

impl Disk {
    /// An empty disk for what is in `folder`, and for nothing else. Waits until no other thread of this process has one.
    ///
    /// # Panics
    /// If SQLite takes no VFS, or this thread has one already.
    pub fn mount(folder: &Path, seed: u64) -> Self {
        assert!(Self::mounted().is_none(), "unmount the other disk first");
        vfs::install();
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State {
            folder: folder.into(),
            files: BTreeMap::new(),
            chance: StdRng::seed_from_u64(seed),
            epoch: 0,
            crash: None,
            crashed: false,
            full: false,
            failure: None,
            counts: Counts::default(),
            handles: 0,
            digest: blake3::Hasher::new(),
        };
        let disk = Self(Arc::new(Mutex::new(state)));
        MOUNTED.set(Some((disk.clone(), one)));
        vfs::forget_chance();
        disk
    }

    /// Takes it from this thread.
    pub fn unmount(&self) {
        MOUNTED.set(None);
    }

    fn mounted() -> Option<Self> {
        MOUNTED.with_borrow(|mounted| mounted.as_ref().map(|(disk, _)| disk.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no file can grow from now on.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// Lets one read, write or sync fail: the one after so many more.
    pub fn fail_after(&self, operations: Option<u64>) {
        self.state().failure = operations;
    }

    /// Crashes at the change after so many more: none of what has it open reaches it any more.
    pub fn crash_after(&self, changes: u64, how: Crash) {
        self.state().crash = Some((changes, how));
    }

    /// Crashes now.
    pub fn crash(&self, how: Crash) {
        self.state().crash_now(how);
    }

    /// Whether it crashed: then everything that has files open is to be dropped, and [`Disk::restart`] comes next.
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Lets files be opened again after a crash, without any fault to come.
    pub fn restart(&self) {
        let mut state = self.state();
        (state.crashed, state.crash, state.full, state.failure) = (false, None, false, None);
    }

    /// How often what went wrong.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// A digest of all that was ever changed on it, in order.
    pub fn digest(&self) -> [u8; 32] {
        *self.state().digest.finalize().as_bytes()
    }
}

impl State {
    /// One more change: it may be the one at which the disk crashes.
    fn changes(&mut self, epoch: u64) -> Result<(), Code> {
        self.alive(epoch)?;
        self.counts.changes += 1;
        match &mut self.crash {
            Some((0, how)) => {
                let how = *how;
                self.crash_now(how);
                Err(ffi::SQLITE_IOERR)
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn alive(&self, epoch: u64) -> Result<(), Code> {
        if self.crashed || epoch != self.epoch { Err(ffi::SQLITE_IOERR) } else { Ok(()) }
    }

    /// One more operation: it may be the one that fails.
    fn may_fail(&mut self, code: Code) -> Result<(), Code> {
        match &mut self.failure {
            Some(0) => {
                self.failure = None;
                self.counts.failed += 1;
                Err(code)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn crash_now(&mut self, how: Crash) {
        (self.crashed, self.crash) = (true, None);
        self.epoch += 1;
        match how {
            Crash::Kill => self.counts.kills += 1,
            Crash::PowerCut => {
                self.counts.power_cuts += 1;
                let State { files, chance, counts, folder, .. } = self;
                files.retain(|name, file| {
                    let stays = file.lose_power(chance, counts);
                    if !stays {
                        let _ = std::fs::remove_file(folder.join(name));
                    }
                    stays
                });
            }
        }
        // Locks and shared memory go with the processes that had them.
        for file in self.files.values_mut() {
            file.shared = Arc::new(Mutex::new(Shared::default()));
            file.locks.clear();
        }
        self.digest.update(&[0xff, how as u8]);
    }

    fn open(&mut self, name: &str, create: bool) -> Result<(), Code> {
        self.alive(self.epoch)?;
        let real = self.folder.join(name);
        if self.files.contains_key(name) && !real.exists() {
            self.files.remove(name);
        }
        if self.files.contains_key(name) {
            return Ok(());
        }
        if !create {
            return Err(ffi::SQLITE_CANTOPEN);
        }
        self.changes(self.epoch)?;
        std::fs::write(&real, []).map_err(|_| ffi::SQLITE_CANTOPEN)?;
        self.files.insert(name.into(), File::default());
        Ok(())
    }

    fn exists(&mut self, name: &str) -> bool {
        self.files.contains_key(name) && self.folder.join(name).exists()
    }

    fn delete(&mut self, name: &str) -> Result<(), Code> {
        self.changes(self.epoch)?;
        let _ = std::fs::remove_file(self.folder.join(name));
        self.files.remove(name).map(|_| ()).ok_or(ffi::SQLITE_IOERR_DELETE_NOENT)
    }

    fn write(&mut self, name: &str, epoch: u64, at: usize, bytes: &[u8]) -> Result<(), Code> {
        self.changes(epoch)?;
        self.may_fail(ffi::SQLITE_IOERR_WRITE)?;
        let full = self.full;
        let file = self.files.get_mut(name).ok_or(ffi::SQLITE_IOERR_WRITE)?;
        if full && at + bytes.len() > file.now.len() {
            self.counts.full += 1;
            return Err(ffi::SQLITE_FULL);
        }
        file.change(Change::Write { at, bytes: bytes.into() });
        self.digest.update(name.as_bytes()).update(&at.to_le_bytes()).update(bytes);
        Ok(())
    }

    fn truncate(&mut self, name: &str, epoch: u64, size: usize) -> Result<(), Code> {
        self.changes(epoch)?;
        let file = self.files.get_mut(name).ok_or(ffi::SQLITE_IOERR_TRUNCATE)?;
        file.change(Change::Resize(size));
        self.digest.update(name.as_bytes()).update(&size.to_le_bytes());
        Ok(())
    }

    fn sync(&mut self, name: &str, epoch: u64) -> Result<(), Code> {
        self.changes(epoch)?;
        self.counts.syncs += 1;
        self.may_fail(ffi::SQLITE_IOERR_FSYNC)?;
        self.files.get_mut(name).ok_or(ffi::SQLITE_IOERR_FSYNC)?.sync();
        self.digest.update(name.as_bytes()).update(b"sync");
        Ok(())
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.chance.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests;
