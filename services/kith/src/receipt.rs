//! `kith verify --receipt`: what the receipt of an erasure says is so.

use std::{collections::HashSet, fmt, fs, io::Read, path::Path};

use anyhow::Context;
use domain::{DomainEvent, MemberId, OrgId, member, people};
use eventlog::{EventLog, Position, Recorded, StreamName};
use membership::{ErasedRecord, Erasure, RECEIPT, erased_by};
use serde::Deserialize;
use serde_json::Value;
use vault::Vault;
use web::Seal;

use crate::{DataDir, contexts, data_dir::ServerData, restore::RESTORE, serve::new_secret};

/// Longest file with a receipt, in bytes: an answer says everything once in clear and once signed.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Events of a member read at most, a count.
const EVENTS_MAX: usize = 1_000_000;

/// What was looked at, and whether it is so.
#[derive(Debug)]
pub(crate) struct Checks(Vec<(bool, String)>);

impl Checks {
    /// Whether all of it is so.
    pub fn hold(&self) -> bool {
        self.0.iter().all(|(so, _)| *so)
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (so, what) in &self.0 {
            writeln!(f, "{} {what}", if *so { "so      " } else { "NOT SO  " })?;
        }
        Ok(())
    }
}

/// Checks a receipt against a data directory, also while a server uses it.
///
/// # Errors
/// If it cannot be checked.
pub(crate) async fn check(kept: &ServerData, file: &Path) -> anyhow::Result<Checks> {
    let data = kept.folders()?;
    let mut text = String::new();
    let read = fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.with_context(|| format!("{} cannot be read", file.display()))?;
    let log = kept.log().await?;
    let seal = Seal::kept_in(log.port(), new_secret).await?;
    let Some(erasure) = signed(&data, seal.as_ref(), &text)? else {
        return Ok(Checks(vec![(false, "this server signed the receipt, and it was not changed".into())]));
    };
    let Erasure { organisation: org, position, records, .. } = &erasure;
    let mut checks = vec![(true, format!("this server signed the receipt, at {}", erasure.signed_at))];
    let log = kept.log().await?;
    checks.push(logged(log.port(), &erasure).await?);
    checks.push(named(log.port(), &erasure).await?);
    let holders = Vault::holders(&data.vault())?;
    let key = records.iter().any(|record| holders.contains(&(org.clone(), record.member)));
    checks.push((!key, "the vault has no key of these records, and nothing to find them by".into()));
    if data.views().is_file() {
        let (views, mut shown) = (contexts::views(&data), false);
        for record in records {
            let found = views.have(org, record.member);
            shown |= found.with_context(|| format!("the views cannot be read, at position {position}"))?;
        }
        checks.push((!shown, "no view has any of them".into()));
    } else {
        checks.push((true, "there are no views yet".into()));
    }
    Ok(Checks(checks))
}

/// What this server signed; none if it did not. Receipts of before are not sealed.
fn signed(data: &DataDir, seal: Option<&Seal>, text: &str) -> anyhow::Result<Option<Erasure>> {
    /// The answer of `erase_member`.
    #[derive(Deserialize)]
    struct Answer {
        erasure: Value,
        receipt: String,
    }
    let server = data.signer()?;
    let check = |receipt: &str| {
        let opened = seal.and_then(|seal| opened(seal, receipt.trim()));
        server.check::<Erasure>(opened.as_deref().unwrap_or(receipt)).ok()
    };
    let answer = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Answer>(text));
    Ok(match answer {
        None => check(text),
        Some(Err(_)) => None,
        // What is readable in it must be what was signed.
        Some(Ok(Answer { erasure, receipt })) => {
            let shown = |signed: &Erasure| -> serde_json::Result<bool> {
                Ok(serde_json::to_value(signed.shown())? == erasure || serde_json::to_value(signed)? == erasure)
            };
            match check(&receipt) {
                Some(signed) if shown(&signed)? => Some(signed),
                _ => None,
            }
        }
    })
}

/// The JWS in a sealed receipt: for whom it was sealed stands before it.
fn opened(seal: &Seal, receipt: &str) -> Option<String> {
    let (org, sealed) = receipt.split_once('.')?;
    String::from_utf8(seal.open(&org.parse().ok()?, RECEIPT, sealed)?).ok()
}

/// Whether the log says what the receipt says, there or, after a restore, later.
async fn logged(log: &dyn EventLog, erasure: &Erasure) -> anyhow::Result<(bool, String)> {
    let Erasure { organisation: org, member, position, .. } = erasure;
    let events = events(log, org, *member).await?;
    let erased = |event: &&Recorded| erased_by(event).is_ok_and(|erased| erased.contains(member));
    if events.iter().filter(erased).any(|event| event.position == Position(*position)) {
        return Ok((true, format!("the log says at position {position} that member {member} of {org} was erased")));
    }
    let again = events.iter().filter(erased).find(|event| by_restore(event));
    Ok(match again {
        Some(event) => {
            let at = event.position;
            (
                true,
                format!("the log says at position {at} that member {member} of {org} was erased again, by a restore"),
            )
        }
        None => (false, format!("the log says at position {position} that member {member} of {org} was erased")),
    })
}

/// Whether the log has the events that the receipt names, each about its record. What was written after the copy was
/// taken of which the log was restored is lost with it.
async fn named(log: &dyn EventLog, erasure: &Erasure) -> anyhow::Result<(bool, String)> {
    let (mut all, mut count, mut lost) = (true, 0, 0);
    for ErasedRecord { member, events: named, .. } in &erasure.records {
        let events = events(log, &erasure.organisation, *member).await?;
        let there: HashSet<u64> = events.iter().map(|event| event.position.0).collect();
        let restored_at = events.iter().filter(|event| by_restore(event)).map(|event| event.position.0).min();
        let (kept, after): (Vec<u64>, Vec<u64>) =
            named.iter().partition(|position| restored_at.is_none_or(|restored_at| **position < restored_at));
        all &= kept.iter().all(|position| there.contains(position));
        count += kept.len();
        lost += after.len();
    }
    let lost = if lost == 0 { String::new() } else { format!("; {lost} were written after the copy was taken") };
    Ok((
        all,
        format!("the log has the {count} events that the receipt names, of {} records{lost}", erasure.records.len()),
    ))
}

/// What the log says about a record: in its own stream, and in that of the organisation's people.
async fn events(log: &dyn EventLog, org: &OrgId, member: MemberId) -> anyhow::Result<Vec<Recorded>> {
    let stream = StreamName::new(member::Event::CATEGORY, org, member.0);
    let people = StreamName::new(people::Event::CATEGORY, org, people::stream_id(org));
    let mut events = log.read_stream(&stream, 0, EVENTS_MAX).await?;
    for event in log.read_stream(&people, 0, EVENTS_MAX).await? {
        if let Some(said) = event.of::<people::Event>()?
            && said.of_records().iter().any(|(record, _)| *record == member)
        {
            events.push(event);
        }
    }
    Ok(events)
}

fn by_restore(event: &Recorded) -> bool {
    serde_json::from_slice::<Value>(&event.metadata).is_ok_and(|metadata| metadata["actor"] == RESTORE)
}
