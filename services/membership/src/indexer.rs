//! Sees that the blind index follows from the log, whatever came between a decision and its index: a crash, a disk that
//! was full, a race for an id.
//!
//! The views say of whom the log says something new; what it says is asked of the log. Of whom the index follows from all
//! of that, nothing is opened.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;
use axum::http::StatusCode;
use domain::{MemberId, OrgId};
use eventlog::Position;
use futures::{StreamExt, TryStreamExt, stream};
use host::{Follower, Rhythm};
use projections::{RECORDS, members_after};
use tokio::{sync::watch, time::Instant};
use web::Problem;

use crate::Membership;

/// Between two looks for those whose registration failed after they were indexed: whoever is ahead of the log at both is
/// looked up in it. One that takes longer and is done after all is indexed again, because the views then say more of it.
const LEFT_BEHIND_EVERY: Duration = Duration::from_secs(10);
/// Before it looks whether a command has indexed somebody, who mostly is by then, it waits.
pub(crate) const RHYTHM: Rhythm =
    Rhythm { pause: Duration::from_secs(2), every: Some(LEFT_BEHIND_EVERY), again_after: Duration::from_secs(5) };
/// Members looked at together, a count.
const BATCH_MEMBERS: u32 = 1_000;
/// Members indexed at once, a count: they share the turns of the disk.
const INDEXED_AT_ONCE: usize = 64;

/// Who sees to the index: first of everybody, then of those of whom something new is said.
#[derive(Debug, Clone)]
pub(crate) struct Indexer {
    membership: Membership,
    after: i64,
    /// Who was ahead of the log at the last look.
    ahead: HashSet<(OrgId, MemberId)>,
    looked: Instant,
}

#[async_trait]
impl Follower for Indexer {
    fn position(&self) -> watch::Receiver<Position> {
        self.membership.views.changed(&RECORDS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let first = self.after == 0;
        let seen_to = async {
            let last = self.follow(self.after).await?;
            if first {
                self.strays().await?;
            } else if self.looked.elapsed() >= LEFT_BEHIND_EVERY {
                self.looked = Instant::now();
                self.left_behind().await?;
            }
            self.after = last;
            Ok(())
        };
        seen_to.await.map_err(|error: anyhow::Error| error.context("the blind index may not follow from the log"))
    }
}

impl Indexer {
    pub fn new(membership: Membership) -> Self {
        Self { membership, after: 0, ahead: HashSet::new(), looked: Instant::now() }
    }

    /// One who begins with everybody.
    pub fn anew(&self) -> Self {
        Self::new(self.membership.clone())
    }

    /// Indexes those of whom the log says more, after a position, than their index follows from; answers the last.
    async fn follow(&self, mut after: i64) -> anyhow::Result<i64> {
        loop {
            let read = move |connection: &_| members_after(connection, after, BATCH_MEMBERS);
            let members = self.membership.views.look(read).await??;
            let Some((last, ..)) = members.last() else { return Ok(after) };
            after = *last;
            let mut said = BTreeMap::<OrgId, BTreeMap<MemberId, u64>>::new();
            for (position, org, member) in members {
                said.entry(org).or_default().insert(member, position.unsigned_abs());
            }
            for (org, mut said) in said {
                let ids: Vec<_> = said.keys().copied().collect();
                for (member, position) in self.membership.vault.indexed(&org, &ids).await? {
                    said.retain(|other, said| *other != member || *said > position);
                }
                self.index(said.into_keys().map(|member| (org.clone(), member)).collect()).await?;
            }
        }
    }

    /// Those who are found by something although the log never came to say it.
    async fn strays(&self) -> anyhow::Result<()> {
        let mut found = BTreeMap::<OrgId, Vec<MemberId>>::new();
        for (org, member) in self.membership.vault.found().await? {
            found.entry(org).or_default().push(member);
        }
        for (org, members) in found {
            let confirmed = |(member, position)| (position > 0).then_some(member);
            let followed: HashSet<_> =
                self.membership.vault.indexed(&org, &members).await?.into_iter().filter_map(confirmed).collect();
            let strays = members.into_iter().filter(|member| !followed.contains(member));
            self.index(strays.map(|member| (org.clone(), member)).collect()).await?;
        }
        Ok(())
    }

    /// Those who are found by something and whose registration failed since, as on a disk that was full.
    async fn left_behind(&mut self) -> anyhow::Result<()> {
        let now: HashSet<_> = self.membership.vault.ahead().await?.into_iter().collect();
        self.index(now.intersection(&self.ahead).cloned().collect()).await?;
        self.ahead = now;
        Ok(())
    }

    async fn index(&self, members: Vec<(OrgId, MemberId)>) -> anyhow::Result<()> {
        let index = |(org, member): (OrgId, MemberId)| async move { self.membership.index(&org, member).await };
        let done = |indexed: Result<(), Problem>| async move {
            match indexed {
                Ok(()) => {
                    metrics::counter!("kith_members_indexed_again_total").increment(1);
                    Ok(())
                }
                // Log or vault do not answer; it is not about this member.
                Err(problem) if problem.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    Err(anyhow::anyhow!("the log or the vault does not answer"))
                }
                // Of this one it was logged what is wrong; the others are seen to.
                Err(_) => Ok(()),
            }
        };
        stream::iter(members).map(index).buffer_unordered(INDEXED_AT_ONCE).map(Ok).try_for_each(done).await
    }
}
