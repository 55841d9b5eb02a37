//! What follows an erasure: asks the views who was erased, and sees that it is so everywhere.
//!
//! The key is destroyed by the operation itself; here that is made sure of after a crash or a restore. Enrolments of
//! those who were erased are ended, and every erasure is written to a file of its own, for `kith restore`.

use std::{fs::OpenOptions, io::Write, path::PathBuf, sync::Arc, time::Duration};

use domain::{
    DomainEvent, MemberId, OrgId, member,
    roster::{Ask, CancelReason, Command, Roster},
};
use eventlog::{
    Cause, EventLog, LogError, Position, Recorded, Reply, Streams, TransactError, blocking, sqlite::Readers,
};
use jiff::tz::TimeZone;
use projections::{ErasedMember, erased_members};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::Vault;
use web::Clock;

/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Events read at once, a count.
const BATCH_EVENTS: usize = 5_000;

/// What seeing to erasures needs.
pub struct Eraser {
    /// The views.
    pub views: Arc<Readers>,
    /// Up to where they know members' records.
    pub people: watch::Receiver<Position>,
    /// Up to where names to search by do.
    pub named: watch::Receiver<Position>,
    /// Who is enrolled.
    pub rosters: Streams<Roster>,
    /// The keys.
    pub vault: Vault,
    /// The time.
    pub clock: Clock,
    /// Where erasures are written as well.
    pub file: Option<PathBuf>,
    /// Up to where all of this is done.
    pub done: watch::Sender<Position>,
}

/// A line of the file of erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Of which organisation.
    pub organisation: OrgId,
    /// Who it was.
    pub member: MemberId,
    /// Where the log says so.
    pub position: u64,
}

/// Sees to erasures until it is told to end.
pub async fn run(mut eraser: Eraser, end: CancellationToken) {
    let mut seen = 0;
    loop {
        let known = *eraser.people.borrow_and_update();
        match end.run_until_cancelled(eraser.see_to(seen, known)).await {
            None => return,
            Some(Ok(last)) => {
                seen = last;
                eraser.done.send_replace(known);
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "not all of an erasure is done yet");
                if end.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
                    return;
                }
                continue;
            }
        }
        match end.run_until_cancelled(eraser.people.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}

impl Eraser {
    /// Sees to all who were erased after a position, as far as the views know; answers the last.
    async fn see_to(&self, after: u64, known: Position) -> anyhow::Result<u64> {
        let views = self.views.clone();
        let erased = blocking(move || erased_members(&views, after)).await??;
        for erased in &erased {
            if !self.vault.is_erased(&erased.org, erased.member) {
                self.vault.erase(&erased.org, erased.member).await?;
            }
            self.withdraw(erased).await?;
        }
        let Some(last) = erased.last().map(|erased| erased.position) else { return Ok(after) };
        if let Some(file) = self.file.clone() {
            blocking(move || write(&file, &erased)).await??;
        }
        self.named.clone().wait_for(|named| *named >= known).await?;
        Ok(last)
    }

    async fn withdraw(&self, erased: &ErasedMember) -> anyhow::Result<()> {
        let ErasedMember { org, member, groups, .. } = erased;
        for group in groups {
            let at = self.clock.now();
            let cause = Cause {
                id: Uuid::new_v5(&group.0, format!("erased {org} {member}").as_bytes()),
                actor: "erasures".into(),
                role: "kith",
                at,
                key: None,
            };
            let today = at.to_zoned(TimeZone::UTC).date();
            // Whoever has not begun cannot end.
            for ask in [
                Ask::Withdraw { member: *member, ends_on: today, reason: None },
                Ask::Cancel { member: *member, reason: CancelReason::Other },
            ] {
                match self.rosters.transact(org, *group, cause.clone(), Command { today, ask }, Reply::DONE).await {
                    Ok(_) => break,
                    Err(TransactError::Rejected(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Everyone of whom the log says that they were erased, in its order.
///
/// # Errors
/// If the log cannot be read.
pub(crate) async fn in_log(log: &dyn EventLog) -> Result<Vec<(OrgId, MemberId)>, LogError> {
    let (mut erased, mut after) = (Vec::new(), Position::START);
    loop {
        let events = log.read_all(after, BATCH_EVENTS).await?;
        let Some(last) = events.last() else { return Ok(erased) };
        after = last.position;
        let said = events.iter().filter(|event| is_erasure(event));
        erased.extend(said.map(|event| (event.stream.org(), MemberId(event.stream.id()))));
    }
}

/// Whether an event says that its member was erased.
pub(crate) fn is_erasure(event: &Recorded) -> bool {
    *event.event_type == *member::Event::Erased(member::Erased {}).event_type().0
}

/// Adds those that are not in the file yet; durable when it returns.
fn write(file: &PathBuf, erased: &[ErasedMember]) -> anyhow::Result<()> {
    let known = std::fs::read_to_string(file).unwrap_or_default();
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    for ErasedMember { org, member, position, .. } in erased {
        let line = Line { organisation: org.clone(), member: *member, position: *position };
        let line = serde_json::to_string(&line)?;
        if !known.lines().any(|known| known == line) {
            writeln!(out, "{line}")?;
        }
    }
    out.sync_all()?;
    Ok(())
}
