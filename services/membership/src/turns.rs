//! Turns of imports: one at a time in each organisation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use domain::OrgId;
use tokio::sync::OwnedMutexGuard;

/// Who imports now. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<OrgId, Arc<tokio::sync::Mutex<()>>>>>);

impl Turns {
    /// Waits for the organisation's turn, which lasts until it is dropped.
    pub(crate) async fn turn(&self, org: &OrgId) -> OwnedMutexGuard<()> {
        let turn = self.0.lock().expect("nothing panics while it is held").entry(org.clone()).or_default().clone();
        turn.lock_owned().await
    }
}
