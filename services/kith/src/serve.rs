//! A running server: all parts put together.

use std::{fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Extension, Router};
use domain::{GroupId, OrgId};
use eventlog::{
    EventLog, Streams,
    sqlite::{Readers, SqliteLog},
};
use jiff::{SignedDuration, Timestamp};
use messaging::{Health, NatsServer};
use projections::Views;
use reporting::{FactStore, FactsSubscriber};
use tokio::{net::TcpListener, task::JoinSet};
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
    distribute::{self, Work},
    listen::{DRAIN_MAX, Serving, listen},
    log, telemetry,
    tls::Tls,
    upkeep::Upkeep,
};

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
    telemetry::metrics(); // before anything is counted
    let services = Services::of(config)?;
    let data = folders(config)?;
    let lock = data.lock()?;
    let issuer = data.issuer()?;
    let (health, end, mut tasks) = (Health::new(), CancellationToken::new(), JoinSet::new());
    let log = log::open(config, &data, &health, (&mut tasks, &end)).await?;
    let (nats_server, nats) = match services.need_nats() {
        Some(_) => distribute::nats(config, &data, &health).await.map(|(server, nats)| (server, Some(nats)))?,
        None => (None, None),
    };
    let vault = if services.need_vault() { Some(open_vault(config, &data)?) } else { None };
    let tls = config.tls()?;
    let (stores, chance) = (Stores { log: log.clone(), vault }, Chance { new_id, new_secret });
    let around = (&clock, chance, &health);
    let Parts { router, work } = assemble(config, &services, &data, stores, around, (&mut tasks, &end))?;
    if let Some(nats) = nats {
        tasks.spawn(distribute::distribute(nats, log.clone(), work, health.clone(), end.clone()));
    }
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen at {}", config.listen))?;
    let address = listener.local_addr()?;
    let head_time_max = Duration::from_secs(config.head_seconds_max);
    let serving = Serving { router, connections_max: config.connections_max, head_time_max, tls: tls.clone() };
    tasks.spawn(listen(listener, serving, end.clone()));
    Ok(Running { address, health, log, services, issuer, clock, end, tasks, nats_server, tls, _lock: lock })
}

/// Where chance comes from.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Ids of requests, and of events that no command asked for.
    pub new_id: fn() -> Uuid,
    /// Keys of API clients.
    pub new_secret: fn() -> [u8; 32],
}

/// What is kept, opened.
#[derive(Debug, Clone)]
pub struct Stores {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// People's keys, for those services that need them.
    pub vault: Option<Vault>,
}

/// A server without its listener and its NATS.
#[derive(Debug)]
pub struct Parts {
    /// What answers requests.
    pub router: Router,
    /// What follows the log.
    pub work: Work,
}

/// Puts a server together, but for its listener and its NATS; starts what follows the views, in `tasks`.
///
/// # Errors
/// If the issuer's key, the views or the facts cannot be used.
pub fn assemble(
    config: &Config,
    services: &Services,
    data: &DataDir,
    Stores { log, vault }: Stores,
    (clock, chance, health): (&Clock, Chance, &Health),
    (tasks, end): (&mut JoinSet<()>, &CancellationToken),
) -> anyhow::Result<Parts> {
    let (access, rates) = (Streams::new(log.clone()), config.rates());
    let gate = gate(config, &data.issuer()?, clock)?.heeding(access.clone()).limited(rates.clone());
    let work = work(services, data, log.exclusive())?;
    let upkeep = Upkeep::new();
    let reads = reads(&work, health, &upkeep);
    let vaulted = match &vault {
        Some(vault) => Some((vault, data.attester()?)),
        None => None,
    };
    let contexts = Contexts::new(&log, &gate, access, vaulted, &reads, chance);
    let mut router = contexts.routes(services, &gate, data, &reads);
    if log.exclusive() {
        router = router.layer(Extension(LogEnd(log.head())));
    }
    let around = Around {
        limits: Limits::new(config.requests_max, Duration::from_secs(config.request_seconds_max)).and(rates),
        shield: Shield { tls: config.tls_certificate.is_some() && config.tls_key.is_some() },
        cors_origins: config.cors_origins.clone(),
        new_id: chance.new_id,
    };
    let (router, _) = api::api(router, Machine { health: health.clone(), metrics: telemetry::metrics() }, around);
    if let (true, Some(vault)) = (services.has(Service::Projections), vault) {
        let views = Arc::new(Readers::new(&data.views()));
        upkeep.start(config, (contexts, vault, views), reads, clock, (tasks, end));
    }
    Ok(Parts { router, work })
}

/// What this process does besides answering.
fn work(services: &Services, data: &DataDir, exclusive: bool) -> anyhow::Result<Work> {
    let facts = || FactStore::open(data.path()).context("the facts cannot be opened").map(FactsSubscriber::new);
    Ok(Work {
        relay: services.has(Service::Relay),
        views: services.has(Service::Projections).then(|| Views::open(&data.views())).transpose()?,
        facts: services.has(Service::Reporting).then(facts).transpose()?,
        instance: if exclusive { None } else { Some(data.instance()?) },
    })
}

fn reads(work: &Work, health: &Health, upkeep: &Upkeep) -> Reads {
    let mut reads = Reads { named: upkeep.named(), erasures: upkeep.erasures(), ..Reads::none() };
    if let Some(views) = &work.views {
        (reads.views, reads.people) = (health.checkpoint("views"), views.people());
    }
    if let Some(facts) = &work.facts {
        reads.facts = facts.applied();
    }
    reads
}

fn folders(config: &Config) -> anyhow::Result<DataDir> {
    match &config.shared {
        Some(shared) => DataDir::create(shared)?.with_data(&config.data),
        None => DataDir::create(&config.data),
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
    let chance = Chance { new_id, new_secret };
    let contexts = Contexts::new(&log, &gate, Streams::new(log.clone()), vaulted, &reads, chance);
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
