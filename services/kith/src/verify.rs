//! `kith verify`: the log is as it was written, nothing is in it twice, views and facts follow from it, and nobody who was
//! erased has a key.

use std::{fmt, path::Path};

use anyhow::{Context, bail};
use domain::{MemberId, OrgId};
use eventlog::{EventLog, Position, Verified, sqlite};
use host::Difference;
use indicatif::ProgressBar;
use reporting::{FactStore, Facts};
use vault::Vault;

use crate::{
    DataDir, contexts,
    copy::spinner,
    data_dir::{Log, ServerData},
};

mod keys;

/// Events read at once, a count.
const BATCH_EVENTS: usize = 5_000;
/// Times that facts are compared which a running server writes on, a count.
const COMPARISONS_MAX: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// The log: what is in it, or what is wrong with it.
    pub log: Result<Verified, String>,
    /// The views: up to where they go, or where they differ. Not looked at if the log is not sound.
    pub views: Option<Result<Position, String>>,
    /// The facts: up to where they go, or where they differ. Not looked at if the log is not sound.
    pub facts: Option<Result<Position, String>>,
    /// How many members were erased, or whose key is left. Not looked at if the log is not sound.
    pub erased: Option<Result<usize, String>>,
    /// Keys and blind index beside what the log says of members. Not looked at if the log is not sound, or there is no
    /// vault though the log never needed one.
    pub keys: Option<Keys>,
}

/// What was found of keys and of the blind index.
#[derive(Debug, Default)]
pub struct Keys {
    /// Members of whom the log knows.
    pub members: usize,
    /// What is wrong, a line for each member.
    pub wrong: Vec<String>,
    /// What is worth knowing, though nothing is wrong.
    pub remarks: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn sound(&self) -> bool {
        let forgotten = !matches!(self.erased, Some(Err(_)));
        self.log.is_ok()
            && forgotten
            && self.keys.as_ref().is_none_or(|keys| keys.wrong.is_empty())
            && [&self.views, &self.facts].into_iter().all(|found| matches!(found, None | Some(Ok(_))))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.log {
            Ok(Verified { events, streams, receipts, .. }) => {
                let receipts = receipts.map(|receipts| format!(", {receipts} receipts")).unwrap_or_default();
                writeln!(f, "log    sound: {events} events in {streams} streams{receipts}")?;
                writeln!(f, "       the hash chain holds, nothing is missing in between, no event is there twice")?;
            }
            Err(what) => writeln!(f, "log    BROKEN: {what}")?,
        }
        for (name, found) in [("views", &self.views), ("facts", &self.facts)] {
            match found {
                None => writeln!(f, "{name}  not looked at")?,
                Some(Ok(position)) => {
                    writeln!(f, "{name}  equal a fold of the log from scratch, at position {position}")?;
                }
                Some(Err(what)) => writeln!(f, "{name}  DIFFER: {what}")?,
            }
        }
        match &self.erased {
            None => writeln!(f, "vault  not looked at")?,
            Some(Ok(erased)) => writeln!(f, "vault  has no key of anyone who was erased: {erased} members")?,
            Some(Err(what)) => writeln!(f, "vault  KEY LEFT: {what}")?,
        }
        let Some(Keys { members, wrong, remarks }) = &self.keys else { return Ok(()) };
        match &wrong[..] {
            [] => writeln!(f, "keys   are there for all that is sealed of {members} members, who are found by it")?,
            wrong => wrong.iter().try_for_each(|what| writeln!(f, "keys   WRONG: {what}"))?,
        }
        remarks.iter().try_for_each(|what| writeln!(f, "keys   {what}"))
    }
}

/// Checks a data directory, also while a server uses it.
///
/// # Errors
/// If it cannot be checked; what is wrong with it is in the findings.
pub async fn verify(kept: &ServerData) -> anyhow::Result<Findings> {
    let data = kept.folders()?;
    // On the same disk as the data: a copy of views and facts can be larger than a temporary folder.
    let scratch = tempfile::Builder::new().prefix("verify-").tempdir_in(data.path())?;
    let bar = spinner("checking the chain")?;
    let opened = kept.log().await?;
    let log = check(&opened, bar.clone()).await?;
    if log.is_err() {
        return Ok(Findings { log, views: None, facts: None, erased: None, keys: None });
    }
    let reader = opened.port();
    // Before the rest, and their keys after it: a running server destroys a key a moment after the log says so.
    let erased = membership::in_log(reader).await?;
    bar.set_message("folding the views anew");
    let views = views(&data, scratch.path(), reader).await?;
    bar.set_message("collecting the facts anew");
    let facts = facts(&data, scratch.path(), reader).await?;
    bar.finish_and_clear();
    let keys = keys::compare(&data, reader, &erased).await?;
    let erased = forgotten(&data, &erased)?;
    Ok(Findings { log, views, facts, erased, keys })
}

async fn check(log: &Log, bar: ProgressBar) -> anyhow::Result<Result<Verified, String>> {
    let progress = move |position: Position| bar.set_position(position.0);
    Ok(match log {
        Log::Sqlite(_, path) => {
            let path = path.clone();
            let checked = tokio::task::spawn_blocking(move || sqlite::verify(&path, progress)).await?;
            checked.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        }
        Log::Kurrent(log) => match log.verify(progress).await {
            Ok(found) => found.map_err(|finding| finding.to_string()),
            Err(error) => Err(error.to_string()),
        },
    })
}

fn forgotten(data: &DataDir, erased: &[(OrgId, MemberId)]) -> anyhow::Result<Option<Result<usize, String>>> {
    if !data.vault().is_file() {
        return Ok(None);
    }
    let holders = Vault::holders(&data.vault())?;
    Ok(Some(match erased.iter().find(|erased| holders.contains(erased)) {
        None => Ok(erased.len()),
        Some((org, member)) => Err(format!("of member {member} of {org}, who was erased; `kith serve` destroys it")),
    }))
}

async fn views(data: &DataDir, scratch: &Path, log: &dyn EventLog) -> anyhow::Result<Option<Result<Position, String>>> {
    if !data.views().is_file() {
        return Ok(None);
    }
    let found = contexts::views(data).difference(&scratch.join("views.db"), log).await;
    let (position, difference) =
        found.map_err(|error| anyhow::anyhow!(error)).context("the views cannot be checked")?;
    Ok(Some(difference.map_or(Ok(position), |difference: Difference| Err(difference.to_string()))))
}

async fn facts(data: &DataDir, scratch: &Path, log: &dyn EventLog) -> anyhow::Result<Option<Result<Position, String>>> {
    let (kept, mut anew) = (Facts::at(data.path()), FactStore::open(scratch)?);
    for _ in 0..COMPARISONS_MAX {
        let position = kept.position()?;
        if position == Position::START {
            return Ok(None);
        }
        while anew.checkpoint() < position {
            let mut events = log.read_all(anew.checkpoint(), BATCH_EVENTS).await?;
            events.retain(|event| event.position <= position);
            if events.is_empty() {
                let end = anew.checkpoint();
                return Ok(Some(Err(format!("the facts stand at position {position}, the log ends at {end}"))));
            }
            anew.apply(&events)?;
        }
        let difference = reporting::difference(data.path(), scratch)?;
        // A running server may have gone on meanwhile. Then it is followed, a shorter way each time.
        if difference.is_none() || kept.position()? == position {
            return Ok(Some(difference.map_or(Ok(position), Err)));
        }
    }
    bail!("the server writes facts faster than they can be compared; stop it and check again")
}
