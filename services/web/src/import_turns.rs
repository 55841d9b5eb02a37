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
