//! What follows an erasure: sees that it is so everywhere.
//!
//! The views say whose turn it is, the log whether it is true: nobody is forgotten because of a view.
//! The key is destroyed by the operation itself; here that is made sure of after a crash or a restore. Enrolments of
//! those who were erased are ended, and every erasure is written to a file of its own, for `kith restore`.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{Read, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use domain::{
    DecodeError, MemberId, OrgId,
    group::Group,
    member,
    people::{self, People},
    roster::{Ask, CancelReason, Command, Roster},
};
use eventlog::{
    Cause, EventLog, LogError, Position, Recorded, Reply, Streams, TransactError, blocking, sqlite::Readers,
};
use messaging::Part;
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
/// Type of the events that say so.
const ERASED: &str = "member.erased";

/// What seeing to erasures needs.
#[derive(Clone)]
pub struct Eraser {
    /// The views.
    pub views: Arc<Readers>,
    /// Up to where they know members' records.
    pub people: watch::Receiver<Position>,
    /// Up to where names to search by do.
    pub named: watch::Receiver<Position>,
    /// Who was erased, says the log.
    pub erased: Streams<People>,
    /// Groups, which say what day it is there.
    pub groups: Streams<Group>,
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
pub async fn run(mut eraser: Eraser, part: Part, end: CancellationToken) {
    let mut seen = 0;
    loop {
        let known = *eraser.people.borrow_and_update();
        match end.run_until_cancelled(eraser.see_to(seen, known)).await {
            None => return,
            Some(Ok(last)) => {
                seen = last;
                part.running();
                eraser.done.send_replace(known);
            }
            Some(Err(error)) => {
                part.stopped(format!("not all of an erasure is done yet: {error}"));
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
        let said = blocking(move || erased_members(&views, after)).await??;
        let Some(last) = said.last().map(|erased| erased.position) else { return Ok(after) };
        let mut erased = Vec::new();
        for one in said {
            let stream = people::stream_id(&one.org);
            if self.erased.look(&one.org, stream, |people| people.state.is_erased(one.member)).await? {
                erased.push(one);
            } else {
                tracing::error!(org = %one.org, member = %one.member, position = one.position,
                    "the views say that somebody was erased of whom the log does not: nothing was done; delete the views");
            }
        }
        for erased in &erased {
            if !self.vault.is_destroyed(&erased.org, erased.member) {
                self.vault.erase(&erased.org, erased.member).await?;
            }
            self.withdraw(erased).await?;
        }
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
            let id = Uuid::new_v5(&group.0, format!("erased {org} {member}").as_bytes());
            let cause = Cause::of_process("erasures", id, at);
            let now = self.clock.local(at);
            let today = self.groups.look(org, *group, |group| group.state.today(&now)).await?;
            let stream = people::stream_id(org);
            let persons = self.erased.look(org, stream, |people| people.state.persons().clone()).await?;
            // Whoever has not begun cannot end.
            for ask in [
                Ask::Withdraw { member: *member, ends_on: today.date(), reason: BTreeMap::new() },
                Ask::Cancel { member: *member, reason: CancelReason::Other },
            ] {
                let (today, persons) = (today.clone(), persons.clone());
                let command = Command { today, proposed_by: None, persons, ask };
                match self.rosters.transact(org, *group, cause.clone(), command, Reply::DONE).await {
                    Ok(_) | Err(TransactError::Refused(_)) => {}
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
        for event in events.iter().filter(|event| *event.event_type == *ERASED) {
            let records = erased_by(event).map_err(|error| LogError(error.to_string()))?;
            erased.extend(records.into_iter().map(|record| (event.stream.org(), record)));
        }
    }
}

/// Whom an event says to be erased.
///
/// # Errors
/// If this build does not know it.
pub(crate) fn erased_by(event: &Recorded) -> Result<Vec<MemberId>, DecodeError> {
    if let Some(people::Event::Erased(people::Erased { records })) = event.of()? {
        return Ok(records);
    }
    let said = event.of::<member::Event>()?;
    Ok(if let Some(member::Event::Erased(_)) = said { vec![MemberId(event.stream.id())] } else { vec![] })
}

/// Adds those that are not in the file yet; durable when it returns.
fn write(file: &PathBuf, erased: &[ErasedMember]) -> anyhow::Result<()> {
    let mut out = OpenOptions::new().create(true).read(true).append(true).open(file)?;
    let mut known = String::new();
    out.read_to_string(&mut known)?;
    // A line that a full disk or a crash cut off would spoil the next one, and no `kith restore` could read it.
    let whole = known.rfind('\n').map_or(0, |end| end + 1);
    known.truncate(whole);
    out.set_len(whole as u64)?;
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
