//! One import at a time in each organisation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use domain::OrgId;
use tokio::sync::OwnedMutexGuard;

/// Who imports now. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImportLocks(Arc<Mutex<HashMap<OrgId, Arc<tokio::sync::Mutex<()>>>>>);

impl ImportLocks {
    /// Waits for the organisation's turn, which lasts until it is dropped.
    pub(crate) async fn lock(&self, org: &OrgId) -> OwnedMutexGuard<()> {
        let lock = self.0.lock().expect("nothing panics while it is held").entry(org.clone()).or_default().clone();
        lock.lock_owned().await
    }
}
