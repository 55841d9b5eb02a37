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
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    DecodeError, MemberId, OrgId, member,
    people::{self},
    roster::{Ask, CancelReason, Command, Roster},
};
use eventlog::{Cause, EventLog, LogError, Position, Recorded, Reply, Streams, TransactError, blocking};
use host::{Follower, Rhythm};
use projections::{ErasedMember, RECORDS, erased_members};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::Membership;

/// Whoever erases somebody waits for it.
pub(crate) const RHYTHM: Rhythm = Rhythm::at_once(Duration::from_secs(5));
/// Events read at once, a count.
const BATCH_EVENTS: usize = 5_000;
/// Type of the events that say so.
const ERASED: &str = "member.erased";

/// Who sees to erasures.
#[derive(Debug, Clone)]
pub(crate) struct Eraser {
    pub membership: Membership,
    /// Who is enrolled: nobody asks for what follows an erasure.
    pub rosters: Streams<Roster>,
    /// Up to where names to search by are known.
    pub named: watch::Receiver<Position>,
    /// Where erasures are written as well.
    pub file: Option<PathBuf>,
    /// Says up to where all of this is done.
    pub done: watch::Sender<Position>,
    /// The last erasure that is.
    pub seen: u64,
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

#[async_trait]
impl Follower for Eraser {
    fn position(&self) -> watch::Receiver<Position> {
        self.membership.views.changed(&RECORDS)
    }

    async fn see_to(&mut self, known: Position) -> anyhow::Result<()> {
        self.seen = self.follow(self.seen, known).await.context("not all of an erasure is done yet")?;
        self.done.send_replace(known);
        Ok(())
    }
}

impl Eraser {
    /// Sees to all who were erased after a position, as far as the views know; answers the last.
    async fn follow(&self, after: u64, known: Position) -> anyhow::Result<u64> {
        let Membership { views, people, vault, .. } = &self.membership;
        let said = views.look(move |connection| erased_members(connection, after)).await??;
        let Some(last) = said.last().map(|erased| erased.position) else { return Ok(after) };
        let mut erased = Vec::new();
        for one in said {
            let stream = people::stream_id(&one.org);
            if people.look(&one.org, stream, |people| people.state.is_erased(one.member)).await? {
                erased.push(one);
            } else {
                tracing::error!(org = %one.org, member = %one.member, position = one.position,
                    "the views say that somebody was erased of whom the log does not: nothing was done; delete the views");
            }
        }
        for erased in &erased {
            let ended = self.membership.end_referrals(&erased.org, erased.member, self.now()).await;
            ended.map_err(|problem| anyhow::anyhow!("referrals of who was erased do not end: {problem:?}"))?;
            if !vault.is_destroyed(&erased.org, erased.member) {
                vault.erase(&erased.org, erased.member).await?;
            }
            self.withdraw(erased).await?;
        }
        if let Some(file) = self.file.clone() {
            blocking(move || write(&file, &erased)).await??;
        }
        self.named.clone().wait_for(|named| *named >= known).await?;
        Ok(last)
    }

    fn now(&self) -> jiff::Timestamp {
        self.membership.authenticator.clock.now()
    }

    async fn withdraw(&self, erased: &ErasedMember) -> anyhow::Result<()> {
        let ErasedMember { org, member, groups: enrolled_in, .. } = erased;
        let Membership { authenticator, groups, people, .. } = &self.membership;
        for group in enrolled_in {
            let at = authenticator.clock.now();
            let id = Uuid::new_v5(&group.0, format!("erased {org} {member}").as_bytes());
            let cause = Cause::of_process("erasures", id, at);
            let now = authenticator.clock.local(at);
            let today = groups.look(org, *group, |group| group.state.today(&now)).await?;
            let stream = people::stream_id(org);
            let persons = people.look(org, stream, |people| people.state.persons().clone()).await?;
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
pub async fn in_log(log: &dyn EventLog) -> Result<Vec<(OrgId, MemberId)>, LogError> {
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
pub fn erased_by(event: &Recorded) -> Result<Vec<MemberId>, DecodeError> {
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
