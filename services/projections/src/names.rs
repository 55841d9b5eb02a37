//! Keeps the names to search by as they are in the views.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    MemberId, OrgId,
    member::{Fields, Record},
};
use eventlog::{Position, Unfinished, blocking};
use host::{Follower, Rhythm, Views};
use tokio::sync::watch;
use vault::{Key, Names, Vault, VaultError, open_profile};

use crate::record_view::{self, RECORDS};

/// Whoever was just registered is searched for next.
pub(crate) const RHYTHM: Rhythm = Rhythm::at_once(Duration::from_secs(1));
/// Members whose names are opened at once, a count.
const BATCH_MEMBERS: u32 = 1_000;

/// Who keeps names.
#[derive(Debug, Clone)]
pub(crate) struct NameKeeper {
    pub views: Views,
    pub vault: Vault,
    pub names: Names,
    /// Says up to where names are kept.
    pub named: watch::Sender<Position>,
    /// Up to where in the log their names are taken.
    pub after: i64,
}

#[async_trait]
impl Follower for NameKeeper {
    fn position(&self) -> watch::Receiver<Position> {
        self.views.changed(&RECORDS)
    }

    async fn see_to(&mut self, known: Position) -> anyhow::Result<()> {
        self.after = self.learn(self.after).await.context("members are not found by their latest names")?;
        self.named.send_replace(known);
        Ok(())
    }
}

impl NameKeeper {
    /// One who takes all names again: whoever kept them before may have stopped in between.
    pub fn anew(&self) -> Self {
        self.names.forget();
        Self { after: 0, ..self.clone() }
    }

    /// Takes what changed after a row; answers the last.
    async fn learn(&self, mut after: i64) -> Result<i64, LearnError> {
        loop {
            let read = move |connection: &_| record_view::changed(connection, after, BATCH_MEMBERS);
            let changed = self.views.look(read).await??;
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

    async fn open(&self, org: &OrgId, members: Vec<(MemberId, Option<Record>)>) -> Result<(), LearnError> {
        let to_find = members.iter().filter(|(_, record)| record.as_ref().is_some_and(is_named));
        let ids: Vec<_> = to_find.map(|(member, _)| *member).collect();
        let keys: HashMap<_, _> = self.vault.keys(org, &ids).await?.into_iter().collect();
        let (names, org) = (self.names.clone(), org.clone());
        // A thousand names take a while, and whoever searches is waited for.
        Ok(blocking(move || learn(&names, &org, &members, &keys)).await?)
    }
}

/// Opens the members' names, and keeps them.
fn learn(names: &Names, org: &OrgId, members: &[(MemberId, Option<Record>)], keys: &HashMap<MemberId, Key>) {
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
        let to_find = record.as_ref().filter(|record| is_named(record));
        (*member, to_find.and_then(|record| profile(*member, &record.fields)))
    });
    names.update(org, opened.collect());
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
