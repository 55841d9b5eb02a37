//! What must be there before a server starts: what the rest says was there. None of it is made anew in silence.

use std::path::Path;

use anyhow::bail;
use eventlog::{EventLog, Position};
use vault::Vault;

use crate::DataDir;

/// Events read at once, a count.
const BATCH_EVENTS: usize = 5_000;
/// Most keys of people of whom the log may not know yet when everything is killed, a count.
const KEYS_AHEAD_MAX: usize = 64;
/// How each sealed value begins, in JSON.
const SEALED: &[u8] = b"\"s1.";

/// Looks at the files, before any of them is opened: a log beside what was made of one, the key that signs beside either.
///
/// # Errors
/// If one is missing; says what to do.
pub fn check_files(data: &DataDir, embedded: bool) -> anyhow::Result<()> {
    let (log, vault, signing) = (data.log(), data.vault(), data.issuer_key());
    let derived = [vault.clone(), data.views(), data.facts().join("manifest.json")];
    if embedded
        && !is_there(&log)
        && let Some(left) = derived.iter().find(|path| is_there(path))
    {
        bail!(
            "{} is missing, though {} is there: the event log was lost. Put it back, or restore a backup with `kith \
             restore` into a new folder; a new log would be an empty one",
            log.display(),
            left.display()
        );
    }
    if !is_there(&signing)
        && let Some(left) = [log, vault].iter().find(|path| is_there(path))
    {
        bail!(
            "{} is missing, though {} is there: it signs tokens and receipts of erasures. Put it back from a backup; or, \
             if it is lost, make another with `head -c 32 /dev/urandom > {0} && chmod 600 {0}`: tokens of before end, and \
             receipts of before cannot be checked any more",
            signing.display(),
            left.display()
        );
    }
    Ok(())
}

/// One that is empty is as good as none, unless all of it is still in its write-ahead log.
fn is_there(path: &Path) -> bool {
    let mut ahead = path.as_os_str().to_owned();
    ahead.push("-wal");
    let has_bytes = |path: &Path| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0);
    path.is_file() && (has_bytes(path) || has_bytes(Path::new(&ahead)))
}

/// Looks whether the vault has keys, if the log says that there were some. `accepted` goes on without them.
///
/// # Errors
/// If there are none, says what to do; or if one of the two cannot be read.
pub async fn check_vault(data: &DataDir, log: &dyn EventLog, accepted: bool) -> anyhow::Result<()> {
    let path = data.vault();
    let keys = if is_there(&path) { Vault::holders(&path)?.len() } else { 0 };
    // Whoever had one and was erased left that behind.
    let has_keys = keys > 0 || is_there(&path) && (Vault::has_org_keys(&path)? || !Vault::destroyed(&path)?.is_empty());
    // A few may be of commands that were never done: a key is on disk before what is sealed with it.
    if keys > KEYS_AHEAD_MAX && log.exclusive() && *log.head().borrow() == Position::START {
        bail!(
            "{} has no events, though {} has keys of people: the event log was lost. Restore a backup with `kith restore` \
             into a new folder",
            data.log().display(),
            path.display()
        );
    }
    if has_keys || accepted {
        return Ok(());
    }
    let Some(position) = first_sealed(log).await? else { return Ok(()) };
    bail!(
        "{} is missing or has no keys, though the log holds what was sealed with them (first at position {position}): \
         without it nobody is ever named again. Put it back, or restore a backup with `kith restore` into a new folder. If \
         there is none, `kith serve --accept-lost-keys` goes on: what was known of people until now is lost for good",
        path.display()
    );
}

/// Where the log first holds something sealed, if it does.
async fn first_sealed(log: &dyn EventLog) -> anyhow::Result<Option<Position>> {
    let mut after = Position::START;
    loop {
        let events = log.read_all(after, BATCH_EVENTS).await?;
        let Some(last) = events.last() else { return Ok(None) };
        after = last.position;
        let is_sealed = |data: &[u8]| data.windows(SEALED.len()).any(|window| window == SEALED);
        if let Some(sealed) = events.iter().find(|event| is_sealed(&event.data)) {
            return Ok(Some(sealed.position));
        }
    }
}
