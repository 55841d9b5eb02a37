//! Sees that the blind index follows from the log, whatever came between a decision and its index: a crash, a disk that
//! was full, a race for an id.
//!
//! The views say of whom the log says something new; what it says is asked of the log. Of whom the index follows from all
//! of that, nothing is opened.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use axum::http::StatusCode;
use domain::{MemberId, OrgId};
use eventlog::{Position, blocking, sqlite::Readers};
use futures::{StreamExt, TryStreamExt, stream};
use membership::Membership;
use messaging::Part;
use projections::members_after;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use web::Problem;

/// Before it is looked whether a command has indexed somebody, who mostly is by then.
const SEEN_TO_AFTER: Duration = Duration::from_secs(2);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Between two looks for those whose registration failed after they were indexed: whoever is ahead of the log at both is
/// looked up in it. One that takes longer and is done after all is indexed again, because the views then say more of it.
const LEFT_BEHIND_EVERY: Duration = Duration::from_secs(10);
/// Members looked at together, a count.
const BATCH_MEMBERS: u32 = 1_000;
/// Members indexed at once, a count: they share the turns of the disk.
const INDEXED_AT_ONCE: usize = 64;

/// What seeing to the index needs.
#[derive(Clone)]
pub struct Indexer {
    /// The views.
    pub views: Arc<Readers>,
    /// Up to where they know members' records.
    pub people: watch::Receiver<Position>,
    /// What the log says of members, and their keys.
    pub membership: Membership,
}

/// Sees to the index until it is told to end: first of everybody, then of those of whom something new is said.
pub async fn run(mut indexer: Indexer, part: Part, end: CancellationToken) {
    let (mut after, mut ahead, mut looked) = (0, HashSet::new(), Instant::now());
    end.run_until_cancelled(async {
        loop {
            indexer.people.mark_unchanged();
            sleep(SEEN_TO_AFTER).await;
            let seen_to = match indexer.see_to(after).await {
                Ok(last) if after == 0 => indexer.strays().await.map(|()| last),
                Ok(last) if looked.elapsed() >= LEFT_BEHIND_EVERY => {
                    looked = Instant::now();
                    indexer.left_behind(&mut ahead).await.map(|()| last)
                }
                seen_to => seen_to,
            };
            match seen_to {
                Ok(last) => {
                    after = last;
                    part.running();
                    if let Ok(Err(_)) = timeout(LEFT_BEHIND_EVERY, indexer.people.changed()).await {
                        return;
                    }
                }
                Err(error) => {
                    part.stopped(format!("the blind index may not follow from the log: {error:#}"));
                    sleep(AGAIN_AFTER).await;
                }
            }
        }
    })
    .await;
}

impl Indexer {
    /// Indexes those of whom the log says more, after a position, than their index follows from; answers the last.
    async fn see_to(&self, mut after: i64) -> anyhow::Result<i64> {
        loop {
            let views = self.views.clone();
            let members = blocking(move || members_after(&views, after, BATCH_MEMBERS)).await??;
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
    async fn left_behind(&self, ahead: &mut HashSet<(OrgId, MemberId)>) -> anyhow::Result<()> {
        let now: HashSet<_> = self.membership.vault.ahead().await?.into_iter().collect();
        self.index(now.intersection(ahead).cloned().collect()).await?;
        *ahead = now;
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
