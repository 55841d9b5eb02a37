//! A running server: all parts put together.

use std::{fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use access::Access;
use anyhow::Context;
use attendance::Attendance;
use axum::{Extension, middleware::from_fn_with_state};
use directory::Directory;
use domain::{GroupId, OrgId};
use eventlog::{
    EventLog, Position, Streams,
    sqlite::{Readers, SqliteLog},
};
use jiff::{SignedDuration, Timestamp};
use membership::Membership;
use messaging::{ConsumeOptions, Health, Nats, NatsConfig, NatsServer, NatsServerConfig, consume, relay};
use projections::{NameKeeper, Personal, Projections, Views};
use reporting::{FactStore, Facts, FactsSubscriber, Reports};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;
use vault::{Names, Vault};
use web::{Attester, Audit, Clock, Gate, Issuer, Limits, LogEnd, Role, Shield};

use crate::{
    Config, DataDir,
    api::{self, Around, Machine},
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
fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes for keys.
pub(crate) fn fresh() -> [u8; 56] {
    random().expect("the system has random bytes, as it had for the issuer's key")
}

/// Keys of API clients.
fn new_secret() -> [u8; 32] {
    random().expect("a system without random bytes can keep no secret")
}

/// Starts a server.
///
/// # Errors
/// If a part cannot be started.
pub async fn serve(config: &Config, clock: Clock) -> anyhow::Result<Running> {
    let metrics = telemetry::metrics();
    let data = DataDir::create(&config.data)?;
    let lock = data.lock()?;
    let issuer = data.issuer()?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&data.log())?);
    let health = Health::new();
    let (nats_server, nats) = nats(config, &data, &health).await?;
    let (end, mut tasks) = (CancellationToken::new(), JoinSet::new());

    let vault = Vault::open(&data.vault(), data.kek(config.key_file.as_deref())?, fresh)?;
    let views = Views::open(&data.views())?;
    let facts = FactsSubscriber::new(FactStore::open(data.path()).context("the facts cannot be opened")?);
    let (access, rates, tls) = (Streams::new(log.clone()), config.rates(), config.tls()?);
    let gate = gate(config, &issuer, &clock)?.heeding(access.clone()).limited(rates.clone());
    let ((named, names_at), (done, erasures_at)) = (watch::channel(Position::START), watch::channel(Position::START));
    let reads = Reads {
        views: health.checkpoint("views"),
        facts: facts.applied(),
        people: views.people(),
        named: names_at,
        erasures: erasures_at,
    };
    let contexts = Contexts::new(&log, &gate, access, (&vault, data.attester()?), &reads);
    let readers = Arc::new(Readers::new(&data.views()));
    let keeper = NameKeeper {
        views: readers.clone(),
        people: reads.people.clone(),
        vault: vault.clone(),
        names: contexts.membership.names.clone(),
        named,
    };
    let eraser = erasures::Eraser {
        views: readers.clone(),
        people: reads.people.clone(),
        named: reads.named.clone(),
        rosters: contexts.membership.rosters.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        file: config.erasures_file.clone(),
        done,
    };
    let mut router = contexts.routes(&gate, &data, reads);
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

    tasks.spawn(distribute(nats, log.clone(), (views, facts), health.clone(), end.clone()));
    if config.plan_days > 0 {
        tasks.spawn(planner::run(contexts.directory, readers, clock.clone(), config.plan_days, end.clone()));
    }
    tasks.spawn(keeper.run(end.clone()));
    tasks.spawn(erasures::run(eraser, end.clone()));
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen at {}", config.listen))?;
    let address = listener.local_addr()?;
    let head_time_max = Duration::from_secs(config.head_seconds_max);
    let serving = Serving { router, connections_max: config.connections_max, head_time_max, tls: tls.clone() };
    tasks.spawn(listen(listener, serving, end.clone()));
    Ok(Running { address, health, log, issuer, clock, end, tasks, nats_server, tls, _lock: lock })
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

/// From the log to NATS, from NATS to views and facts. Commands do not wait for any of it.
async fn distribute(
    config: NatsConfig,
    log: Arc<dyn EventLog>,
    (views, facts): (Views, FactsSubscriber),
    health: Health,
    end: CancellationToken,
) {
    let Some(nats) = end.run_until_cancelled(connect(&config, &health)).await else { return };
    let options = ConsumeOptions { linger: FACTS_LINGER, ..ConsumeOptions::default() };
    let mut tasks = JoinSet::new();
    tasks.spawn(relay(nats.clone(), log.clone(), health.clone(), end.clone()));
    let views =
        consume(Box::new(views), log.clone(), nats.clone(), ConsumeOptions::default(), health.clone(), end.clone());
    tasks.spawn(views);
    tasks.spawn(consume(Box::new(facts), log, nats, options, health, end));
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

/// The contexts. Streams of one kind are one value, shared by all who use them.
struct Contexts {
    directory: Directory,
    membership: Membership,
    attendance: Attendance,
    access: Access,
    personal: Personal,
}

/// Up to where everything that is read has come.
struct Reads {
    views: watch::Receiver<Position>,
    facts: watch::Receiver<Position>,
    people: watch::Receiver<Position>,
    named: watch::Receiver<Position>,
    erasures: watch::Receiver<Position>,
}

impl Contexts {
    fn new(
        log: &Arc<dyn EventLog>,
        gate: &Gate,
        access: Streams<domain::access::Access>,
        (vault, attester): (&Vault, Attester),
        reads: &Reads,
    ) -> Self {
        let (programmes, groups) = (Streams::new(log.clone()), Streams::new(log.clone()));
        let (rosters, meetings) = (Streams::new(log.clone()), Streams::new(log.clone()));
        let (members, names) = (Streams::new(log.clone()), Names::default());
        let (gate, vault) = (gate.clone(), vault.clone());
        let access = Access { gate: gate.clone(), access, groups: groups.clone(), log: log.clone(), new_secret };
        Self {
            access,
            directory: Directory { gate: gate.clone(), programmes, groups: groups.clone(), meetings: meetings.clone() },
            membership: Membership {
                gate: gate.clone(),
                rosters: rosters.clone(),
                groups,
                members: members.clone(),
                vault: vault.clone(),
                attester,
                names: names.clone(),
                erasures: reads.erasures.clone(),
                imports: membership::Turns::default(),
            },
            attendance: Attendance { gate: gate.clone(), meetings, rosters, members, vault: vault.clone() },
            personal: Personal {
                vault,
                audit: Audit::new(log.clone(), gate.clock, new_id),
                names,
                people: reads.people.clone(),
                named: reads.named.clone(),
            },
        }
    }

    fn routes(&self, gate: &Gate, data: &DataDir, reads: Reads) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(directory::routes(self.directory.clone()))
            .merge(membership::routes(self.membership.clone()))
            .merge(attendance::routes(self.attendance.clone()))
            .merge(access::routes(self.access.clone()))
            .merge(projections::routes(self.projections(gate, data, reads.views)))
            .merge(reporting::routes(Reports::new(Facts::at(data.path()), reads.facts, gate.clone())))
            .route_layer(from_fn_with_state(gate.clone(), web::authenticate))
    }

    fn projections(&self, gate: &Gate, data: &DataDir, views: watch::Receiver<Position>) -> Projections {
        Projections::new(gate.clone(), &data.views(), views, self.personal.clone())
    }
}

/// The document of the API, without a server.
///
/// # Errors
/// If no log can be made in `scratch`, an empty folder.
pub(crate) fn document(scratch: &Path) -> anyhow::Result<utoipa::openapi::OpenApi> {
    let data = DataDir::create(scratch)?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&data.log())?);
    let gate = Gate::new(Issuer::new(&[0; 32]), Clock::new(|| Timestamp::UNIX_EPOCH));
    let (_, nothing) = watch::channel(Position::START);
    let [views, facts, people, named, erasures] = std::array::from_fn(|_| nothing.clone());
    let reads = Reads { views, facts, people, named, erasures };
    let vault = Vault::open(&data.vault(), data.kek(None)?, fresh)?;
    let vaulted = (&vault, data.attester()?);
    let router = Contexts::new(&log, &gate, Streams::new(log.clone()), vaulted, &reads).routes(&gate, &data, reads);
    let machine = Machine { health: Health::new(), metrics: telemetry::metrics() };
    let (limits, shield) = (Limits::new(1, DRAIN_MAX), Shield { tls: false });
    Ok(api::api(router, machine, Around { limits, shield, cors_origins: vec![], new_id }).1)
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

    /// Waits until views and facts have reached the end of the log.
    pub async fn settle(&self) {
        let head = *self.log.head().borrow();
        for part in ["views", "facts"] {
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
