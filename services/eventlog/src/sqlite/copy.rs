//! A copy of the log, taken while it is written.

use std::path::Path;

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::schema;

/// Pages copied between two calls of the progress function, a count.
const STEP_PAGES: i32 = 4_096;

/// A log that could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// SQLite says no.
    #[error("the event log cannot be copied")]
    Sqlite(#[from] rusqlite::Error),
    /// Somebody holds one of the files.
    #[error("the event log cannot be copied: one of the files is locked")]
    Locked,
}

/// Copies the log at `path`, as it is now, to a new file: one file, with nothing beside it. Whoever writes meanwhile
/// does not wait. `progress` hears how many pages are copied, and of how many.
///
/// # Errors
/// If a file cannot be read or written; then `to` is of no use.
pub fn copy(path: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> Result<(), CopyError> {
    let from = schema::reader(path)?;
    // One snapshot for all steps: without it, each append would start the copy again.
    let from = from.unchecked_transaction()?;
    from.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut to = Connection::open(to)?;
    {
        let backup = Backup::new(&from, &mut to)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let done = backup.progress();
            progress(super::unsigned((done.pagecount - done.remaining).into()), super::unsigned(done.pagecount.into()));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(CopyError::Locked),
            }
        }
    }
    // The copy would need files beside it to be read; who opens it as a log turns this on again.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    to.close().map_err(|(_, error)| error)?;
    Ok(())
}
