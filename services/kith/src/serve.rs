//! A running server: all parts put together.

use std::{fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use axum::Extension;
use domain::{GroupId, OrgId};
use eventlog::{
    EventLog, Position, Streams,
    kurrent::{self, KurrentLog},
    sqlite::{Readers, SqliteLog},
};
use jiff::{SignedDuration, Timestamp};
use messaging::{ConsumeOptions, Health, Nats, NatsConfig, NatsServer, NatsServerConfig, consume, relay};
use projections::{NameKeeper, Views};
use reporting::{FactStore, FactsSubscriber};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::PathItem;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;
use vault::Vault;
use web::{Clock, Gate, Issuer, Limits, LogEnd, Role, Shield};

use crate::{
    Config, DataDir, Service, Services,
    api::{self, Around, Machine},
    contexts::{Contexts, Reads},
    data_dir::random,
    erasures,
    listen::{DRAIN_MAX, Serving, listen},
    planner, telemetry,
    tls::Tls,
};

/// How long the facts wait for more, so that each segment holds many.
const FACTS_LINGER: Duration = Duration::from_millis(500);
/// Between two attempts to reach a NATS server that was given.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What runs and what stands still.
    pub health: Health,
    /// The event log.
    pub log: Arc<dyn EventLog>,
    services: Services,
    issuer: Issuer,
    clock: Clock,
    end: CancellationToken,
    tasks: JoinSet<()>,
    nats_server: Option<NatsServer>,
    tls: Option<Arc<Tls>>,
    _lock: File,
}

/// The clock of the system.
#[allow(clippy::disallowed_methods)] // the composition root is where time comes from
pub fn clock() -> Clock {
    Clock::new(Timestamp::now)
}

/// Ids of requests.
#[allow(clippy::disallowed_methods)] // the composition root is where chance comes from
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes for keys.
pub(crate) fn fresh() -> [u8; 56] {
    random().expect("the system has random bytes, as it had for the issuer's key")
}

/// Keys of API clients.
pub(crate) fn new_secret() -> [u8; 32] {
    random().expect("a system without random bytes can keep no secret")
}

/// Starts a server.
///
/// # Errors
/// If a part cannot be started.
pub async fn serve(config: &Config, clock: Clock) -> anyhow::Result<Running> {
    let (metrics, services) = (telemetry::metrics(), Services::of(config)?);
    let data = folders(config)?;
    let lock = data.lock()?;
    let issuer = data.issuer()?;
    let (health, end, mut tasks) = (Health::new(), CancellationToken::new(), JoinSet::new());
    let log = open_log(config, &data, &health, (&mut tasks, &end)).await?;
    let (nats_server, nats) = match services.need_nats() {
        Some(_) => nats(config, &data, &health).await.map(|(server, nats)| (server, Some(nats)))?,
        None => (None, None),
    };

    let vault = if services.need_vault() { Some(open_vault(config, &data)?) } else { None };
    let (access, rates, tls) = (Streams::new(log.clone()), config.rates(), config.tls()?);
    let gate = gate(config, &issuer, &clock)?.heeding(access.clone()).limited(rates.clone());
    let ((named, names_at), (done, erasures_at)) = (watch::channel(Position::START), watch::channel(Position::START));
    let mut reads = Reads { named: names_at, erasures: erasures_at, ..Reads::none() };
    let views = if services.has(Service::Projections) { Some(Views::open(&data.views())?) } else { None };
    if let Some(views) = &views {
        (reads.views, reads.people) = (health.checkpoint("views"), views.people());
    }
    let facts = if services.has(Service::Reporting) {
        let store = FactStore::open(data.path()).context("the facts cannot be opened")?;
        Some(FactsSubscriber::new(store))
    } else {
        None
    };
    if let Some(facts) = &facts {
        reads.facts = facts.applied();
    }
    let vaulted = match &vault {
        Some(vault) => Some((vault, data.attester()?)),
        None => None,
    };
    let contexts = Contexts::new(&log, &gate, access, vaulted, &reads);
    let mut router = contexts.routes(&services, &gate, &data, &reads);
    if log.exclusive() {
        router = router.layer(Extension(LogEnd(log.head())));
    }
    let around = Around {
        limits: Limits::new(config.requests_max, Duration::from_secs(config.request_seconds_max)).and(rates),
        shield: Shield { tls: tls.is_some() },
        cors_origins: config.cors_origins.clone(),
        new_id,
    };
    let (router, _) = api::api(router, Machine { health: health.clone(), metrics }, around);

    if let Some(nats) = nats {
        let instance = if log.exclusive() { None } else { Some(data.instance()?) };
        let work = Work { relay: services.has(Service::Relay), views, facts, instance };
        tasks.spawn(distribute(nats, log.clone(), work, health.clone(), end.clone()));
    }
    if let (true, Some(people), Some(vault)) = (services.has(Service::Projections), contexts.people, vault) {
        let views = Arc::new(Readers::new(&data.views()));
        let keeper = NameKeeper {
            views: views.clone(),
            people: reads.people.clone(),
            vault: vault.clone(),
            names: people.membership.names.clone(),
            named,
        };
        let eraser = erasures::Eraser {
            views: views.clone(),
            people: reads.people,
            named: reads.named,
            rosters: people.membership.rosters,
            vault,
            clock: clock.clone(),
            file: config.erasures_file.clone(),
            done,
        };
        if config.plan_days > 0 {
            tasks.spawn(planner::run(contexts.directory, views, clock.clone(), config.plan_days, end.clone()));
        }
        tasks.spawn(keeper.run(end.clone()));
        tasks.spawn(erasures::run(eraser, end.clone()));
    }
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen at {}", config.listen))?;
    let address = listener.local_addr()?;
    let head_time_max = Duration::from_secs(config.head_seconds_max);
    let serving = Serving { router, connections_max: config.connections_max, head_time_max, tls: tls.clone() };
    tasks.spawn(listen(listener, serving, end.clone()));
    Ok(Running { address, health, log, services, issuer, clock, end, tasks, nats_server, tls, _lock: lock })
}

fn folders(config: &Config) -> anyhow::Result<DataDir> {
    match &config.shared {
        Some(shared) => DataDir::create(shared)?.with_data(&config.data),
        None => DataDir::create(&config.data),
    }
}

/// Opens the log, which shows itself in `health` if others could keep it from us.
async fn open_log(
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
async fn show(mut down: watch::Receiver<Option<String>>, part: messaging::Part) {
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

fn open_vault(config: &Config, data: &DataDir) -> anyhow::Result<Vault> {
    let vault = Vault::open(&data.vault(), data.kek(config.key_file.as_deref())?, fresh)?;
    if config.shared.is_some() {
        vault.heed_others(&data.vault())?;
    }
    Ok(vault)
}

/// The gate before the contexts: whose tokens are accepted.
fn gate(config: &Config, issuer: &Issuer, clock: &Clock) -> anyhow::Result<Gate> {
    let gate = Gate::new(issuer.clone(), clock.clone());
    let gate = if config.builtin_issuer { gate } else { gate.without_issuer() };
    Ok(match config.provider()? {
        Some(provider) => gate.trusting(provider),
        None => gate,
    })
}

/// Starts a NATS server unless one was given.
async fn nats(config: &Config, data: &DataDir, health: &Health) -> anyhow::Result<(Option<NatsServer>, NatsConfig)> {
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
struct Work {
    relay: bool,
    views: Option<Views>,
    facts: Option<FactsSubscriber>,
    instance: Option<String>,
}

/// From the log to NATS, from NATS to views and facts. Commands do not wait for any of it.
async fn distribute(config: NatsConfig, log: Arc<dyn EventLog>, work: Work, health: Health, end: CancellationToken) {
    let Work { relay: relays, views, facts, instance } = work;
    let Some(nats) = end.run_until_cancelled(connect(&config, &health)).await else { return };
    let mut tasks = JoinSet::new();
    if relays {
        tasks.spawn(relay(nats.clone(), log.clone(), health.clone(), end.clone()));
    }
    let at_once = ConsumeOptions { instance: instance.clone(), ..ConsumeOptions::default() };
    let lingering = ConsumeOptions { linger: FACTS_LINGER, instance, ..ConsumeOptions::default() };
    if let Some(views) = views {
        tasks.spawn(consume(Box::new(views), log.clone(), nats.clone(), at_once, health.clone(), end.clone()));
    }
    if let Some(facts) = facts {
        tasks.spawn(consume(Box::new(facts), log, nats, lingering, health, end));
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

/// The document of the API, without a server.
///
/// # Errors
/// If no log can be made in `scratch`, an empty folder.
pub(crate) fn document(scratch: &Path) -> anyhow::Result<utoipa::openapi::OpenApi> {
    let machine = Machine { health: Health::new(), metrics: telemetry::metrics() };
    let (limits, shield) = (Limits::new(1, DRAIN_MAX), Shield { tls: false });
    let around = Around { limits, shield, cors_origins: vec![], new_id };
    Ok(api::api(routes(scratch, &Services::all())?, machine, around).1)
}

/// Methods and paths of a service's operations, without a server.
///
/// # Errors
/// If no log can be made in `scratch`.
pub(crate) fn operations(scratch: &Path, service: Service) -> anyhow::Result<Vec<(&'static str, String)>> {
    let document = routes(scratch, &Services::only(service))?.into_openapi();
    let methods = |(path, item): (String, PathItem)| {
        let of =
            [("GET", item.get), ("PUT", item.put), ("POST", item.post), ("PATCH", item.patch), ("DELETE", item.delete)];
        of.into_iter().filter(|(_, operation)| operation.is_some()).map(move |(method, _)| (method, path.clone()))
    };
    Ok(document.paths.paths.into_iter().flat_map(methods).collect())
}

fn routes(scratch: &Path, services: &Services) -> anyhow::Result<OpenApiRouter> {
    let data = DataDir::create(scratch)?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&data.log())?);
    let gate = Gate::new(Issuer::new(&[0; 32]), Clock::new(|| Timestamp::UNIX_EPOCH));
    let vault = Vault::open(&data.vault(), data.kek(None)?, fresh)?;
    let (vaulted, reads) = (Some((&vault, data.attester()?)), Reads::none());
    let contexts = Contexts::new(&log, &gate, Streams::new(log.clone()), vaulted, &reads);
    Ok(contexts.routes(services, &gate, &data, &reads))
}

impl Running {
    /// A token of the built-in issuer.
    ///
    /// # Errors
    /// If it is out of bounds.
    pub fn token(
        &self,
        org: &OrgId,
        role: Role,
        subject: &str,
        groups: Vec<GroupId>,
    ) -> Result<String, web::TokenError> {
        self.issuer.sign((org, role, subject), groups, self.clock.now(), SignedDuration::from_hours(24))
    }

    /// Reads the listener's certificates again; those of before stay if they cannot be used.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Whether the listener speaks TLS.
    pub fn tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Waits until its views and facts have reached the end of the log, as far as it is known.
    pub async fn settle(&self) {
        let head = *self.log.head().borrow();
        let parts = [(Service::Projections, "views"), (Service::Reporting, "facts")];
        for (_, part) in parts.into_iter().filter(|(service, _)| self.services.has(*service)) {
            // The sender lives as long as `health`.
            let _ = self.health.checkpoint(part).wait_for(|position| *position >= head).await;
        }
    }

    /// Ends it: requests first, then what distributes, then the NATS server.
    pub async fn stop(mut self) {
        self.end.cancel();
        while self.tasks.join_next().await.is_some() {}
        if let Some(server) = self.nats_server.take() {
            server.stop().await;
        }
    }
}
