//! From the log to NATS, from NATS to views and facts.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use eventlog::EventLog;
use messaging::{ConsumeOptions, Health, Nats, NatsConfig, NatsServer, NatsServerConfig, consume, relay};
use projections::Views;
use reporting::FactsSubscriber;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Config, DataDir, data_dir::random};

/// How long the facts wait for more, so that each segment holds many.
const FACTS_LINGER: Duration = Duration::from_millis(500);
/// Between two attempts to reach a NATS server that was given.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// Starts a NATS server unless one was given.
pub async fn nats(
    config: &Config,
    data: &DataDir,
    health: &Health,
) -> anyhow::Result<(Option<NatsServer>, NatsConfig)> {
    if let Some(url) = &config.nats {
        let mut nats = NatsConfig::new(url);
        nats.credentials_file.clone_from(&config.nats_credentials);
        nats.tls_ca_file.clone_from(&config.nats_ca);
        nats.tls_required = config.nats_ca.is_some();
        nats.replicas = config.nats_replicas;
        return Ok((None, nats));
    }
    let password = Uuid::from_bytes(random()?).simple().to_string();
    let server = NatsServerConfig { binary: config.nats_server()?, dir: data.nats(), password };
    let server = NatsServer::start(server, health).await.context("the NATS server cannot be started")?;
    let nats = server.config();
    Ok((Some(server), nats))
}

/// What this process distributes.
#[derive(Debug)]
pub struct Work {
    /// Whether it copies the log to NATS.
    pub relay: bool,
    /// The views, if it has them.
    pub views: Option<Views>,
    /// The facts, if it has them.
    pub facts: Option<FactsSubscriber>,
    /// Which of several processes it is.
    pub instance: Option<String>,
}

/// From the log to NATS, from NATS to views and facts. Commands do not wait for any of it.
pub async fn distribute(
    config: NatsConfig,
    log: Arc<dyn EventLog>,
    work: Work,
    health: Health,
    end: CancellationToken,
) {
    let Work { relay: relays, views, facts, instance } = work;
    let Some(nats) = end.run_until_cancelled(connect(&config, &health)).await else { return };
    let (mut tasks, bus) = (JoinSet::new(), Arc::new(nats.clone()));
    if relays {
        tasks.spawn(relay(nats, log.clone(), health.clone(), end.clone()));
    }
    let at_once = ConsumeOptions { instance: instance.clone(), ..ConsumeOptions::default() };
    let lingering = ConsumeOptions { linger: FACTS_LINGER, instance, ..ConsumeOptions::default() };
    if let Some(views) = views {
        tasks.spawn(consume(Box::new(views), log.clone(), bus.clone(), at_once, health.clone(), end.clone()));
    }
    if let Some(facts) = facts {
        tasks.spawn(consume(Box::new(facts), log, bus, lingering, health, end));
    }
    tasks.join_all().await;
}

async fn connect(config: &NatsConfig, health: &Health) -> Nats {
    loop {
        match Nats::connect(config, health).await {
            Ok(nats) => return nats,
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "NATS cannot be reached yet"),
        }
        tokio::time::sleep(CONNECT_AGAIN).await;
    }
}
