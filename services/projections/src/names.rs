//! Keeps the names to search by as they are in the views.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::{
    MemberId, OrgId,
    member::{Fields, Record},
};
use eventlog::{Position, Unfinished, blocking, sqlite::Readers};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vault::{Names, Vault, VaultError, open_profile};

use crate::record_view;

/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Members whose names are opened at once, a count.
const BATCH_MEMBERS: u32 = 1_000;

/// What keeping names needs.
#[derive(Debug)]
pub struct NameKeeper {
    /// The views.
    pub views: Arc<Readers>,
    /// Up to where they know members' records.
    pub people: watch::Receiver<Position>,
    /// The keys.
    pub vault: Vault,
    /// What is kept.
    pub names: Names,
    /// Up to where it is.
    pub named: watch::Sender<Position>,
}

impl NameKeeper {
    /// Keeps them until it is told to end. Opens what is in the views already first.
    pub async fn run(mut self, end: CancellationToken) {
        let mut after = 0;
        loop {
            let known = *self.people.borrow_and_update();
            match end.run_until_cancelled(self.learn(after)).await {
                None => return,
                Some(Ok(last)) => {
                    after = last;
                    self.named.send_replace(known);
                    match end.run_until_cancelled(self.people.changed()).await {
                        Some(Ok(())) => {}
                        _ => return,
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "members are not found by their latest names yet");
                    if end.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Takes what changed after a row; answers the last.
    async fn learn(&self, mut after: i64) -> Result<i64, LearnError> {
        loop {
            let views = self.views.clone();
            let read = move || views.with(|connection| record_view::changed(connection, after, BATCH_MEMBERS));
            let changed = blocking(read).await??;
            let Some((last, ..)) = changed.last() else { return Ok(after) };
            let last = *last;
            let mut orgs: BTreeMap<OrgId, Vec<(MemberId, Option<Record>)>> = BTreeMap::new();
            for (_, org, member, record) in changed {
                orgs.entry(org).or_default().push((member, record));
            }
            for (org, members) in orgs {
                self.open(&org, members).await?;
            }
            after = last;
        }
    }

    async fn open(&self, org: &OrgId, members: Vec<(MemberId, Option<Record>)>) -> Result<(), VaultError> {
        let named = members.iter().filter(|(_, record)| record.as_ref().is_some_and(is_named));
        let ids: Vec<_> = named.map(|(member, _)| *member).collect();
        let keys: HashMap<_, _> = self.vault.keys(org, &ids).await?.into_iter().collect();
        let profile = |member: MemberId, fields: &Fields| {
            // Without a key: erased since the view was read.
            match open_profile(keys.get(&member)?, org, member.0, fields, Names::KNOWN) {
                Ok(profile) => Some(profile),
                Err(error) => {
                    tracing::error!(%error, %member, "a member cannot be found by name");
                    None
                }
            }
        };
        let opened = members.iter().map(|(member, record)| {
            let named = record.as_ref().filter(|record| is_named(record));
            (*member, named.and_then(|record| profile(*member, &record.fields)))
        });
        self.names.update(org, opened.collect());
        Ok(())
    }
}

/// Whether a record is to be found by name.
fn is_named(record: &Record) -> bool {
    record.merged_into.is_none()
        && !record.permissions.restricted
        && record.fields.keys().any(|field| Names::FIELDS.contains(field))
}

/// Names that were not learnt.
#[derive(Debug, thiserror::Error)]
enum LearnError {
    #[error("the views cannot be read")]
    Views(#[from] rusqlite::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}
