//! One file: what it holds, what of that a power cut cannot take, who has locked it.

use std::{
    cell::UnsafeCell,
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use rand::{RngExt, rngs::StdRng};
use rusqlite::ffi;

use crate::{Code, Counts, SECTOR_BYTES};

#[derive(Debug, Default)]
pub(crate) struct File {
    /// As it is read.
    pub now: Vec<u8>,
    /// As it was synced; none if it never was: then it may not be there at all.
    durable: Option<Vec<u8>>,
    /// What happened since.
    unsynced: Vec<Change>,
    /// Which handles have locked it, and how far.
    pub locks: BTreeMap<u64, i32>,
    pub shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { at: usize, bytes: Box<[u8]> },
    Resize(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Resize(size) => to.resize(*size, 0),
        }
    }
}

impl File {
    pub fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    pub fn sync(&mut self) {
        let durable = self.durable.get_or_insert_default();
        for change in self.unsynced.drain(..) {
            change.apply(durable);
        }
    }

    /// Reads what is there into `bytes`, zeros behind it; whether all of it was there.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> bool {
        let there = self.now.get(at..).unwrap_or_default();
        let count = there.len().min(bytes.len());
        bytes[..count].copy_from_slice(&there[..count]);
        bytes[count..].fill(0);
        count == bytes.len()
    }

    /// Whether it is still there after a power cut, as whatever that left.
    pub fn lose_power(&mut self, chance: &mut StdRng, counts: &mut Counts) -> bool {
        if self.durable.is_none() && (self.unsynced.is_empty() || chance.random_bool(0.5)) {
            counts.lost += self.unsynced.len() as u64;
            return false;
        }
        let changes = std::mem::take(&mut self.unsynced);
        let mut left = self.durable.take().unwrap_or_default();
        let first = chance.random_range(0..=changes.len());
        // Either the first of them in order, or any of them: the system may write them as it likes.
        let in_order = chance.random_bool(0.5);
        for (n, change) in changes.into_iter().enumerate() {
            let kept = if in_order { n < first } else { chance.random_bool(0.5) };
            let torn = in_order && n == first && chance.random_bool(0.5);
            match (kept, change) {
                (true, change) => change.apply(&mut left),
                (false, Change::Write { at, bytes }) if torn && bytes.len() > SECTOR_BYTES => {
                    let sectors = chance.random_range(1..bytes.len().div_ceil(SECTOR_BYTES));
                    counts.torn += 1;
                    Change::Write { at, bytes: bytes[..sectors * SECTOR_BYTES].into() }.apply(&mut left);
                }
                (false, _) => counts.lost += 1,
            }
        }
        self.now.clone_from(&left);
        self.durable = Some(left);
        true
    }

    /// Locks it further, as SQLite's own VFS does: readers until somebody is about to write, one who writes.
    pub fn lock(&mut self, handle: u64, level: i32) -> Result<(), Code> {
        let others = self.locks.iter().filter(|(other, _)| **other != handle).map(|(_, level)| *level).max();
        let (others, mine) = (others.unwrap_or_default(), self.locks.get(&handle).copied().unwrap_or_default());
        if mine >= level {
            return Ok(());
        }
        let free = match level {
            ffi::SQLITE_LOCK_SHARED => others < ffi::SQLITE_LOCK_PENDING,
            ffi::SQLITE_LOCK_RESERVED => others < ffi::SQLITE_LOCK_RESERVED,
            _ if others >= ffi::SQLITE_LOCK_PENDING => false,
            _ => others < ffi::SQLITE_LOCK_SHARED,
        };
        if free {
            self.locks.insert(handle, level);
        } else if level == ffi::SQLITE_LOCK_EXCLUSIVE && others < ffi::SQLITE_LOCK_PENDING {
            self.locks.insert(handle, ffi::SQLITE_LOCK_PENDING);
        }
        if free { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
    }

    pub fn unlock(&mut self, handle: u64, level: i32) {
        if level == ffi::SQLITE_LOCK_NONE {
            self.locks.remove(&handle);
        } else if let Some(mine) = self.locks.get_mut(&handle) {
            *mine = level.min(*mine);
        }
    }

    pub fn reserved(&self) -> bool {
        self.locks.values().any(|level| *level >= ffi::SQLITE_LOCK_RESERVED)
    }
}

/// Memory that all who have a file open share, with its locks: the index of the write-ahead log.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    regions: Vec<Box<[UnsafeCell<u8>]>>,
    /// Handles that have each lock, and whether alone.
    locks: [BTreeMap<u64, bool>; ffi::SQLITE_SHM_NLOCK as usize],
}

impl Shared {
    /// A region; none if it is not there and must not be made. SQLite reads and writes it as it likes, under its locks
    /// and barriers, as long as it has the file open.
    pub fn region(&mut self, index: usize, bytes: usize, make: bool) -> Option<*mut u8> {
        while make && self.regions.len() <= index {
            self.regions.push((0..bytes).map(|_| UnsafeCell::new(0)).collect());
        }
        self.regions.get(index).map(|region| UnsafeCell::raw_get(region.as_ptr()))
    }

    pub fn lock(&mut self, handle: u64, (first, count): (usize, usize), alone: bool) -> Result<(), Code> {
        let slots = self.locks.get_mut(first..first + count).ok_or(ffi::SQLITE_IOERR_SHMLOCK)?;
        let taken = |slot: &BTreeMap<u64, bool>| slot.iter().any(|(other, held)| *other != handle && (alone || *held));
        if slots.iter().any(taken) {
            return Err(ffi::SQLITE_BUSY);
        }
        for slot in slots {
            slot.insert(handle, alone);
        }
        Ok(())
    }

    pub fn unlock(&mut self, handle: u64, (first, count): (usize, usize)) {
        for slot in self.locks.iter_mut().skip(first).take(count) {
            slot.remove(&handle);
        }
    }
}
