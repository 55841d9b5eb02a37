//! SQLite's interface to a disk, in C. What is decided is decided in `lib.rs` and `file.rs`, in safe code.
//!
//! Why our own, with `unsafe`: of the crates that give a safe trait, `sqlite-plugin` needs libclang to be built, which a
//! bare machine does not have, and `sqlite-vfs` is no longer kept and knows no write-ahead log.

#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    path::Path,
    ptr::{null, null_mut},
    slice,
    sync::{Arc, Mutex, Once},
};

use rusqlite::ffi;

use crate::{Code, Disk, file::Shared};

/// Longest path, in bytes.
const PATH_BYTES_MAX: c_int = 1_024;
/// Days from the beginning of SQLite's calendar to 2026, in milliseconds.
const NOW_MILLISECONDS: i64 = 212_633_596_800_000;

/// A file that is open.
struct Open {
    disk: Disk,
    name: String,
    handle: u64,
    epoch: u64,
    shared: Arc<Mutex<Shared>>,
    /// One that has no name and goes when it is closed.
    nameless: bool,
}

/// What SQLite keeps for each open file: its own part first.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    /// Owned; made by `Box::into_raw` in `open`, taken back by `close`.
    open: *mut Open,
}

/// Registers the disk as the only one of this process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let vfs = ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<Handle>().try_into().expect("a few words"),
            mxPathname: PATH_BYTES_MAX,
            pNext: null_mut(),
            zName: c"kith-disk".as_ptr(),
            pAppData: null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        };
        // SAFETY: SQLite keeps the pointer for ever, and so do we; every function in the table is there.
        let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 1) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes no VFS");
    });
}

/// Lets SQLite ask the mounted disk for chance again.
pub(crate) fn forget_chance() {
    // SAFETY: it writes no bytes.
    unsafe { ffi::sqlite3_randomness(0, null_mut()) };
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// A size or an offset, which SQLite never gives below zero.
fn size(n: impl TryInto<usize>) -> usize {
    n.try_into().unwrap_or_default()
}

/// The name of a file of the mounted disk, if the path is there.
///
/// # Safety
/// `path` is null or ends with a zero.
unsafe fn named(path: *const c_char) -> Option<(Disk, String)> {
    let disk = Disk::mounted()?;
    if path.is_null() {
        return None;
    }
    // SAFETY: as asked for.
    let path = Path::new(unsafe { CStr::from_ptr(path) }.to_str().ok()?);
    let name = path.strip_prefix(&disk.state().folder).ok()?.to_str()?.to_owned();
    Some((disk, name))
}

/// The open file behind SQLite's pointer.
///
/// # Safety
/// `file` was filled by `open` and not closed since.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a Open {
    // SAFETY: as asked for, it is the first field of a `Handle` whose `open` is a box of ours.
    unsafe { &*(*file.cast::<Handle>()).open }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let handle = file.cast::<Handle>();
    // SAFETY: SQLite gives room for a `Handle`. Without methods it never asks for this file again.
    unsafe { (*handle).base.pMethods = null() };
    // SAFETY: it ends with a zero, or there is none.
    let (disk, name, nameless) = match (unsafe { named(path) }, path.is_null()) {
        (Some((disk, name)), _) => (disk, name, false),
        (None, true) => match Disk::mounted() {
            Some(disk) => (disk, String::new(), true),
            None => return ffi::SQLITE_CANTOPEN,
        },
        (None, false) => return ffi::SQLITE_CANTOPEN,
    };
    match disk.open(name, nameless, flags & ffi::SQLITE_OPEN_CREATE != 0) {
        Ok(open) => {
            // SAFETY: as above; `flags_out` is null or a place for a number.
            unsafe {
                (*handle).open = Box::into_raw(Box::new(open));
                (*handle).base.pMethods = &raw const METHODS;
                if let Some(out) = flags_out.as_mut() {
                    *out = flags;
                }
            }
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

impl Disk {
    fn open(&self, name: String, nameless: bool, create: bool) -> Result<Open, Code> {
        let mut state = self.state();
        state.handles += 1;
        let handle = state.handles;
        let name = if nameless { format!("nameless-{handle}") } else { name };
        state.open(&name, create || nameless)?;
        let shared = state.files.get(&name).ok_or(ffi::SQLITE_CANTOPEN)?.shared.clone();
        let epoch = state.epoch;
        Ok(Open { disk: self.clone(), name, handle, epoch, shared, nameless })
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: made by `open`, and SQLite closes once.
    let open = unsafe { Box::from_raw((*file.cast::<Handle>()).open) };
    let mut state = open.disk.state();
    if state.epoch == open.epoch {
        if let Some(file) = state.files.get_mut(&open.name) {
            file.unlock(open.handle, ffi::SQLITE_LOCK_NONE);
        }
        if open.nameless {
            let _ = state.delete(&open.name);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives an open file and room for so many bytes.
    let (open, bytes) = unsafe { (opened(file), slice::from_raw_parts_mut(to.cast::<u8>(), size(count))) };
    let mut state = open.disk.state();
    if let Err(code) = state.alive(open.epoch).and_then(|()| state.may_fail(ffi::SQLITE_IOERR_READ)) {
        return code;
    }
    match state.files.get(&open.name).map(|file| file.read(size(at), bytes)) {
        Some(true) => ffi::SQLITE_OK,
        Some(false) => ffi::SQLITE_IOERR_SHORT_READ,
        None => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives an open file and so many bytes.
    let (open, bytes) = unsafe { (opened(file), slice::from_raw_parts(from.cast::<u8>(), size(count))) };
    code(open.disk.state().write(&open.name, open.epoch, size(at), bytes))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, bytes: i64) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    code(open.disk.state().truncate(&open.name, open.epoch, size(bytes)))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    code(open.disk.state().sync(&open.name, open.epoch))
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, bytes: *mut i64) -> c_int {
    // SAFETY: SQLite gives an open file and a place for a number.
    let (open, bytes) = unsafe { (opened(file), &mut *bytes) };
    let state = open.disk.state();
    if let Err(code) = state.alive(open.epoch) {
        return code;
    }
    let found = state.files.get(&open.name).map(|file| i64::try_from(file.now.len()).unwrap_or(i64::MAX));
    *bytes = found.unwrap_or_default();
    if found.is_some() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_FSTAT }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    let mut state = open.disk.state();
    let locked = state
        .alive(open.epoch)
        .and_then(|()| state.files.get_mut(&open.name).ok_or(ffi::SQLITE_IOERR_LOCK)?.lock(open.handle, level));
    code(locked)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    let mut state = open.disk.state();
    if state.epoch == open.epoch
        && let Some(file) = state.files.get_mut(&open.name)
    {
        file.unlock(open.handle, level);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, reserved: *mut c_int) -> c_int {
    // SAFETY: SQLite gives an open file and a place for a number.
    let (open, reserved) = unsafe { (opened(file), &mut *reserved) };
    *reserved = open.disk.state().files.get(&open.name).is_some_and(|file| file.reserved()).into();
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4_096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    index: c_int,
    bytes: c_int,
    make: c_int,
    region: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives an open file and a place for a pointer.
    let (open, region) = unsafe { (opened(file), &mut *region) };
    let found = open.shared().region(size(index), size(bytes), make != 0);
    *region = found.map_or(null_mut(), <*mut u8>::cast);
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    let slots = (size(first), size(count));
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        open.shared().unlock(open.handle, slots);
        return ffi::SQLITE_OK;
    }
    code(open.shared().lock(open.handle, slots, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0))
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let open = unsafe { opened(file) };
    open.shared().unlock(open.handle, (0, size(ffi::SQLITE_SHM_NLOCK)));
    ffi::SQLITE_OK
}

impl Open {
    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, _: c_int) -> c_int {
    // SAFETY: it ends with a zero.
    match unsafe { named(path) } {
        Some((disk, name)) => code(disk.state().delete(&name)),
        None => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(_: *mut ffi::sqlite3_vfs, path: *const c_char, _: c_int, there: *mut c_int) -> c_int {
    // SAFETY: it ends with a zero, and there is a place for a number.
    let (named, there) = unsafe { (named(path), &mut *there) };
    *there = named.is_some_and(|(disk, name)| disk.state().exists(&name)).into();
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    bytes_max: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: it ends with a zero, and there is room for so many bytes.
    unsafe {
        let path = CStr::from_ptr(path).to_bytes_with_nul();
        if path.len() > size(bytes_max) {
            return ffi::SQLITE_CANTOPEN;
        }
        out.copy_from_nonoverlapping(path.as_ptr().cast(), path.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    // SAFETY: there is room for so many bytes.
    let bytes = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), size(count)) };
    match Disk::mounted() {
        Some(disk) => disk.state().random(bytes),
        None => bytes.fill(0),
    }
    count
}

/// Nobody else runs meanwhile: who waits for a lock waits in vain, and is soon told so.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, days: *mut f64) -> c_int {
    #[allow(clippy::cast_precision_loss)]
    let now = NOW_MILLISECONDS as f64 / 86_400_000.0;
    // SAFETY: there is a place for a number.
    unsafe { *days = now };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(_: *mut ffi::sqlite3_vfs, milliseconds: *mut i64) -> c_int {
    // SAFETY: there is a place for a number.
    unsafe { *milliseconds = NOW_MILLISECONDS };
    ffi::SQLITE_OK
}
