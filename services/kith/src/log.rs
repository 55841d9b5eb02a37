//! Which event log a process uses.

use std::sync::Arc;

use anyhow::bail;
use eventlog::{
    EventLog,
    kurrent::{self, KurrentLog},
    sqlite::SqliteLog,
};
use messaging::{Health, Part};
use tokio::sync::watch;

use crate::{Config, DataDir, supervisor::Supervisor};

/// Opens the log, which shows itself in `health` if others could keep it from us.
pub async fn open(
    config: &Config,
    data: &DataDir,
    health: &Health,
    supervisor: &mut Supervisor,
) -> anyhow::Result<Arc<dyn EventLog>> {
    let Some(url) = &config.eventstore else {
        if config.nats_given() {
            // NATS may speak TLS, too, and could not choose between two providers of cryptography.
            kurrent::settle_tls().await?;
        }
        let log = SqliteLog::open(&data.log())?;
        supervisor.need_always("log", show(log.down(), health.part("log"), "the event log"));
        return Ok(Arc::new(log));
    };
    if data.log().is_file() {
        bail!(
            "{} has a log.db: this data directory keeps its own log; without --eventstore it is used, another folder \
             starts anew",
            data.path().display()
        );
    }
    let log = KurrentLog::open(url).await?;
    supervisor.need_always("log", show(log.down(), health.part("log"), "the event log"));
    Ok(Arc::new(log))
}

/// Shows whether `what` can be used, as long as there is somebody who uses it.
pub async fn show(mut down: watch::Receiver<Option<String>>, part: Part, what: &'static str) {
    let mut first = true;
    loop {
        match down.borrow_and_update().as_ref() {
            None => part.running(),
            // Not reached yet is not lost.
            Some(_) if first => part.starting(),
            Some(why) => part.stopped(format!("{what} cannot be used: {why}")),
        }
        first = false;
        if down.changed().await.is_err() {
            return;
        }
    }
}
