//! Small messages leave at once.
//!
//! The client sends each request in three pieces and leaves Nagle's algorithm on: the last piece, of nine bytes, waits
//! until the server has acknowledged the first, which a server with nothing to say does after 40 ms. Every append and
//! every read would take that long. Its sockets are not to be had from it, but Linux lends a process copies of its own.

use std::{fs, io, os::fd::RawFd};

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::SockRef;

/// Turns Nagle's algorithm off for all TCP connections of this process; answers for how many it was on.
///
/// # Errors
/// If the system does not allow it, as Docker does not without the capability `SYS_PTRACE`.
pub fn send_at_once() -> io::Result<usize> {
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut changed = 0;
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let socket = fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
        let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        let Some(number) = number.filter(|_| socket) else { continue };
        let copy = match pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) {
            Ok(copy) => copy,
            // Closed meanwhile.
            Err(rustix::io::Errno::BADF) => continue,
            Err(error) => return Err(error.into()),
        };
        let socket = SockRef::from(&copy);
        // Neither of what is not TCP, nor of what only listens, there is anything to change.
        if socket.peer_addr().is_ok() && socket.tcp_nodelay().is_ok_and(|at_once| !at_once) {
            socket.set_tcp_nodelay(true)?;
            changed += 1;
        }
    }
    Ok(changed)
}
