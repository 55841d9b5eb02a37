//! Which event log a process uses.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use eventlog::{
    EventLog,
    kurrent::{self, KurrentLog},
    sqlite::SqliteLog,
};
use messaging::{Health, Part};
use tokio::{sync::watch, time::timeout};

use crate::{Config, DataDir, supervisor::Supervisor};

/// How often what cannot be used is tried again.
const PROBED_EVERY: Duration = Duration::from_secs(2);

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
        let probed = log.clone();
        let probe = move || {
            let log = probed.clone();
            async move { log.probe().await }
        };
        supervisor.need_always("log", show(log.down(), health.part("log"), "the event log", probe));
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
    supervisor.need_always("log", show(log.down(), health.part("log"), "the event log", || std::future::ready(())));
    Ok(Arc::new(log))
}

/// Shows whether `what` can be used, as long as there is somebody who uses it. While it cannot be, `probe` tries again:
/// what nobody asks anything of would else not know that it can.
pub async fn show<F: Future<Output = ()>>(
    mut down: watch::Receiver<Option<String>>,
    part: Part,
    what: &'static str,
    probe: impl Fn() -> F,
) {
    let mut first = true;
    loop {
        let why = down.borrow_and_update().clone();
        match &why {
            None => part.running(),
            // Not reached yet is not lost.
            Some(_) if first => part.starting(),
            Some(why) => part.stopped(format!("{what} cannot be used: {why}")),
        }
        first = false;
        let changed = match timeout(PROBED_EVERY, down.changed()).await {
            Ok(changed) => changed,
            Err(_) if why.is_some() => {
                probe().await;
                Ok(())
            }
            Err(_) => down.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}
