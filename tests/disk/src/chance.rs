//! The system's random bytes, as the standard library asks for them: for a simulated thread, from its seed.
//!
//! Hash tables are in an order of chance, and so is who is told first of those who wait for the same. Both draw from the
//! system, by the C library's `getrandom`, which the standard library leaves to be replaced. Only a program that links
//! this crate has this one.

#![allow(unsafe_code)]

use std::{
    cell::Cell,
    ffi::{c_long, c_uint, c_void},
    slice,
};

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on this thread gets bytes that follow from `seed` wherever it asks the system for random ones; as before if
/// there is none. To be called before the thread makes its first hash table.
pub fn seed_thread(seed: Option<u64>) {
    SEED.set(seed);
}

/// As the C library's.
///
/// # Safety
/// There is room for so many bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(to: *mut c_void, length: usize, flags: c_uint) -> isize {
    let Some(mut state) = SEED.get() else {
        // SAFETY: the arguments are those of the system call.
        let written: c_long = unsafe { libc::syscall(libc::SYS_getrandom, to, length, flags) };
        return isize::try_from(written).unwrap_or(-1);
    };
    // SAFETY: as asked for.
    let bytes = unsafe { slice::from_raw_parts_mut(to.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        // SplitMix64: for order, not for secrets.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
    }
    SEED.set(Some(state));
    isize::try_from(length).unwrap_or(isize::MAX)
}
