//! From the log to NATS, from NATS to what is made of the log.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use eventlog::{EventLog, Position};
use host::Derived;
use messaging::{
    ConsumeOptions, Health, Nats, NatsConfig, NatsServer, NatsServerConfig, Part, Subscriber, consume, hear, relay,
};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Config, DataDir, Services, contexts::Opened, data_dir::random, private, supervisor::Supervisor};

/// Between two attempts to reach a NATS server that was given.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);
/// Shortest time between two looks at whether views and facts are as they were written.
const CHECKED_EVERY: Duration = Duration::from_secs(5);
/// Of the time, no more than one part in so many goes into these looks.
const CHECKED_SHARE: u32 = 100;
/// Shortest time between two times that views, or facts, are made anew: what is damaged as soon as it is made, something
/// else damages.
const ANEW_EVERY: Duration = Duration::from_mins(1);

/// How this process connects with NATS: only the relay's user may publish events.
pub struct Connections {
    relay: Option<NatsConfig>,
    reader: Option<NatsConfig>,
}

/// Starts a NATS server unless one was given.
pub async fn nats(
    config: &Config,
    services: &Services,
    data: &DataDir,
    health: &Health,
) -> anyhow::Result<(Option<NatsServer>, Connections)> {
    let (relays, reads) = (services.relay(), services.hear());
    if config.nats_given() {
        return Ok((None, given(config, relays, reads)?));
    }
    let password = Uuid::from_bytes(random()?).simple().to_string();
    let server = NatsServerConfig { binary: config.nats_server()?, dir: data.nats(), password };
    let server = NatsServer::start(server, health).await.context("the NATS server cannot be started")?;
    let (relay, reader) = (relays.then(|| server.config()), reads.then(|| server.reader_config()));
    Ok((Some(server), Connections { relay, reader }))
}

fn given(config: &Config, relays: bool, reads: bool) -> anyhow::Result<Connections> {
    let at = |url: &String, credentials: &Option<PathBuf>, reads_only| {
        credentials.as_deref().map_or(Ok(()), private::check_file)?;
        let mut nats = NatsConfig::new(url);
        nats.credentials_file.clone_from(credentials);
        nats.tls_ca_file.clone_from(&config.nats_ca);
        nats.tls_required = config.nats_ca.is_some();
        (nats.replicas, nats.reads_only) = (config.nats_replicas, reads_only);
        nats.jitter = rand::random();
        Ok::<_, anyhow::Error>(nats)
    };
    let reader = config.nats.as_ref().filter(|_| reads);
    let reader = reader.map(|url| at(url, &config.nats_credentials, true)).transpose()?;
    let relay = match (&config.nats_relay, &config.nats) {
        _ if !relays => None,
        (Some(url), _) => Some(at(url, &config.nats_relay_credentials, false)?),
        (None, Some(url)) => {
            tracing::warn!("without nats_relay, whoever reads events from NATS may also forge them there");
            Some(at(url, &config.nats_credentials, false)?)
        }
        (None, None) => None,
    };
    Ok(Connections { relay, reader })
}

/// What this process does besides answering: what follows the log.
pub struct Background {
    /// Whether it copies the log to NATS.
    pub relays: bool,
    /// What it makes of the log.
    pub derived: Vec<Opened>,
}

/// Who distributes, and to what.
pub struct Distribution {
    pub connections: Connections,
    pub log: Arc<dyn EventLog>,
    pub health: Health,
}

impl Distribution {
    /// Starts it: from the log to NATS, and to what is derived from it. Commands do not wait for any of it.
    pub fn start(self, work: Background, supervisor: &mut Supervisor) {
        let Background { relays, derived } = work;
        let end = supervisor.end();
        let connection =
            |config| Connection { config, health: self.health.clone(), kept: Arc::default(), heard: Arc::default() };
        let Connections { relay: publishes, reader } = self.connections;
        if let Some(connection) = publishes.filter(|_| relays).map(connection) {
            let (log, health, end) = (self.log.clone(), self.health.clone(), end.clone());
            supervisor.keep("relay", move |_| {
                let (connection, log, health, end) = (connection.clone(), log.clone(), health.clone(), end.clone());
                async move {
                    if let Some(nats) = end.run_until_cancelled(connection.nats()).await {
                        Box::pin(relay(nats, log, health, end)).await;
                    }
                }
            });
        }
        let Some(connection) = reader.map(connection) else { return };
        for (derived, opened) in derived {
            let following = Following {
                opened: Mutex::new(Some(opened)),
                derived,
                connection: connection.clone(),
                log: self.log.clone(),
                health: self.health.clone(),
                anew: watch::Sender::new(None),
            };
            let (following, end) = (Arc::new(following), end.clone());
            supervisor.keep(following.derived.name(), move |part| {
                let (following, end) = (following.clone(), end.clone());
                async move { Box::pin(following.follow(part, end)).await }
            });
        }
    }
}

/// The connection to NATS, which whoever comes first makes for all.
#[derive(Clone)]
struct Connection {
    config: NatsConfig,
    health: Health,
    kept: Arc<Mutex<Option<Nats>>>,
    /// The one subscription of this process.
    heard: Arc<Mutex<Option<watch::Receiver<Position>>>>,
}

impl Connection {
    async fn nats(&self) -> Nats {
        let mut kept = self.kept.lock().await;
        if let Some(nats) = kept.as_ref().filter(|nats| !nats.is_gone()) {
            return nats.clone();
        }
        loop {
            match Nats::connect(&self.config, &self.health).await {
                Ok(nats) => return kept.insert(nats).clone(),
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "NATS cannot be reached yet"),
            }
            sleep(CONNECT_AGAIN).await;
        }
    }

    /// What is heard on it, as long as it lives.
    async fn heard(&self) -> watch::Receiver<Position> {
        let mut kept = self.heard.lock().await;
        if let Some(heard) = kept.as_ref().filter(|heard| heard.has_changed().is_ok()) {
            return heard.clone();
        }
        loop {
            match hear(&self.nats().await).await {
                Ok(heard) => return kept.insert(heard).clone(),
                Err(error) => tracing::warn!(error = &*error, "NATS cannot be heard yet"),
            }
            sleep(CONNECT_AGAIN).await;
        }
    }
}

/// What brings the log to one thing that is derived from it.
struct Following {
    derived: Arc<dyn Derived>,
    /// As it was found at the start.
    opened: Mutex<Option<Box<dyn Subscriber>>>,
    connection: Connection,
    log: Arc<dyn EventLog>,
    health: Health,
    /// When it was last made anew.
    anew: watch::Sender<Option<Instant>>,
}

impl Following {
    /// Follows the log, and makes anew what is found damaged.
    async fn follow(&self, part: Part, end: CancellationToken) {
        let mut damage = None::<String>;
        loop {
            let opened = self.opened.lock().await.take();
            let subscriber = match opened.map_or_else(|| self.derived.open(damage.is_some()), Ok) {
                Ok(subscriber) => subscriber,
                Err(error) => return tracing::error!("{} cannot be opened: {error:#}", self.derived.name()),
            };
            if let Some(damage) = damage.take() {
                part.stopped(format!("it was damaged ({damage}) and is made anew from the log"));
            }
            let over = end.child_token();
            let consuming = async {
                let heard = Box::pin(over.run_until_cancelled(self.connection.heard()));
                let Some(heard) = heard.await else { return };
                let (linger, jitter) = (self.derived.linger(), rand::random());
                let options = ConsumeOptions { linger, jitter, ..ConsumeOptions::default() };
                let consume = consume(subscriber, self.log.clone(), heard, options, self.health.clone(), over.clone());
                let beside = async {
                    self.derived.beside(self.log.clone(), part.clone()).await;
                    std::future::pending::<()>().await;
                };
                tokio::select! { () = consume => {}, () = beside => {} }
            };
            let mut consuming = std::pin::pin!(consuming);
            damage = tokio::select! {
                () = &mut consuming => return,
                damage = self.damage(&part) => Some(damage),
            };
            over.cancel();
            consuming.await;
            metrics::counter!("kith_made_anew_total", "part" => self.derived.name()).increment(1);
        }
    }

    /// Looks whether all of it is as it was written; answers what is not.
    async fn check(&self) -> Option<String> {
        let derived = self.derived.clone();
        let checked = tokio::task::spawn_blocking(move || derived.check()).await;
        checked.unwrap_or_else(|panic| Err(panic.to_string())).err()
    }

    /// Waits until it is found damaged and may be made anew; answers what is wrong.
    async fn damage(&self, part: &Part) -> String {
        let mut read = self.derived.damaged();
        read.mark_unchanged();
        let mut wait = CHECKED_EVERY;
        let damage = loop {
            tokio::select! {
                () = sleep(wait) => {}
                Ok(()) = read.changed() => {
                    if let Some(damage) = read.borrow_and_update().clone() {
                        break damage;
                    }
                }
            }
            let began = Instant::now();
            if let Some(damage) = self.check().await {
                break damage;
            }
            wait = CHECKED_EVERY.max(began.elapsed() * CHECKED_SHARE);
        };
        part.stopped(format!("it is damaged: {damage}"));
        let last = *self.anew.borrow();
        if let Some(last) = last {
            sleep((last + ANEW_EVERY).saturating_duration_since(Instant::now())).await;
        }
        self.anew.send_replace(Some(Instant::now()));
        damage
    }
}
