//! Whose turn it is to import: one file at a time in each organisation, and few long ones on the machine.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::OrgId;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::Problem;

/// Long files that are imported at once, a count: each is in memory as a whole.
const LONG_AT_ONCE: usize = 2;
/// Longest wait for one's turn. With the time until an answer begins it is less than a request may take by default.
const TURN_WITHIN: Duration = Duration::from_secs(20);

/// Who imports now. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ImportTurns {
    orgs: Arc<Mutex<HashMap<OrgId, Arc<tokio::sync::Mutex<()>>>>>,
    long: Arc<Semaphore>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _org: OwnedMutexGuard<()>,
    _long: Option<OwnedSemaphorePermit>,
}

impl Default for ImportTurns {
    fn default() -> Self {
        Self { orgs: Arc::default(), long: Arc::new(Semaphore::new(LONG_AT_ONCE)) }
    }
}

impl ImportTurns {
    /// Waits for the organisation's turn: of two files about the same people, the second one must find whom the first one
    /// brought.
    ///
    /// # Errors
    /// 503 if others take too long.
    pub async fn turn(&self, org: &OrgId, is_long: bool) -> Result<Turn, Problem> {
        let turn = async {
            let own =
                self.orgs.lock().expect("nothing panics while it is held").entry(org.clone()).or_default().clone();
            let org = own.lock_owned().await;
            let long = self.long.clone();
            let long = if is_long { Some(long.acquire_owned().await.expect("it is never closed")) } else { None };
            Turn { _org: org, _long: long }
        };
        tokio::time::timeout(TURN_WITHIN, turn).await.map_err(|_| Problem::overloaded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_organisation_imports_one_file_at_a_time_and_holds_up_no_other() {
        let turns = ImportTurns::default();
        let first = turns.turn(&org("north"), false).await.unwrap();
        assert!(turns.turn(&org("south"), false).await.is_ok());
        assert!(turns.turn(&org("north"), false).await.is_err(), "who waits too long is told to come again");
        drop(first);
        assert!(turns.turn(&org("north"), false).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn few_long_files_are_in_memory_at_once_and_short_ones_do_not_wait_for_them() {
        let turns = ImportTurns::default();
        let mut long = Vec::new();
        for n in 0..LONG_AT_ONCE {
            long.push(turns.turn(&org(&format!("org-{n}")), true).await.unwrap());
        }
        assert!(turns.turn(&org("north"), true).await.is_err());
        assert!(turns.turn(&org("north"), false).await.is_ok());
        long.pop();
        assert!(turns.turn(&org("north"), true).await.is_ok());
    }
}
