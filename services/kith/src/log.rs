//! Which event log a process uses.

use std::sync::Arc;

use anyhow::bail;
use eventlog::{
    EventLog,
    kurrent::{self, KurrentLog},
    sqlite::SqliteLog,
};
use messaging::{Health, Part};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Config, DataDir};

/// Opens the log, which shows itself in `health` if others could keep it from us.
pub async fn open(
    config: &Config,
    data: &DataDir,
    health: &Health,
    (tasks, end): (&mut JoinSet<()>, &CancellationToken),
) -> anyhow::Result<Arc<dyn EventLog>> {
    let Some(url) = &config.eventstore else {
        if config.nats.is_some() {
            // NATS may speak TLS, too, and could not choose between two providers of cryptography.
            kurrent::settle_tls().await?;
        }
        return Ok(Arc::new(SqliteLog::open(&data.log())?));
    };
    if data.log().is_file() {
        bail!(
            "{} has a log.db: this data directory keeps its own log; without --eventstore it is used, another folder \
             starts anew",
            data.path().display()
        );
    }
    let log = KurrentLog::open(url).await?;
    let (shown, end) = (show(log.down(), health.part("log")), end.clone());
    tasks.spawn(async move { end.run_until_cancelled(shown).await.unwrap_or_default() });
    Ok(Arc::new(log))
}

/// Shows whether the log can be used, as long as there is one.
async fn show(mut down: watch::Receiver<Option<String>>, part: Part) {
    let mut first = true;
    loop {
        match down.borrow_and_update().as_ref() {
            None => part.running(),
            // Not reached yet is not lost.
            Some(_) if first => part.starting(),
            Some(why) => part.stopped(format!("the event log cannot be used: {why}")),
        }
        first = false;
        if down.changed().await.is_err() {
            return;
        }
    }
}
