//! A running server: all parts put together.

use std::{fs::File, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Extension, Router};
use domain::{GroupId, OrgId};
use eventlog::{AllStreams, EventLog, Streams, sqlite::SqliteLog};
use host::{Boards, Host, Outgoing, Task};
use jiff::{SignedDuration, Timestamp};
use messaging::{Health, NatsServer};
use tokio::{net::TcpListener, sync::watch};
use utoipa::openapi::PathItem;
use uuid::Uuid;
use vault::{Names, Vault};
use web::{
    Audit, Authenticator, Clock, Door, Issuer, Limits, LogEnd, Looks, Rates, Role, Rooms, SecurityHeaders, Signer,
};

use crate::{
    Config, DataDir, Service, Services,
    adopt::adopt,
    api::{self, Around, Machine},
    contexts::{self, Assembled},
    data_dir::random,
    distribute::{self, Background, Distribution},
    listen::{DRAIN_MAX, Serving, listen},
    log, missing, pages,
    places::Places,
    room,
    supervisor::Supervisor,
    telemetry,
    tls::Tls,
};

/// Connections of operators at once, a count.
const OPS_CONNECTIONS_MAX: usize = 32;

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where operators ask how it is.
    pub ops: SocketAddr,
    /// What runs and what stands still.
    pub health: Health,
    /// The event log.
    pub log: Arc<dyn EventLog>,
    derived: Vec<&'static str>,
    issuer: Issuer,
    clock: Clock,
    supervisor: Supervisor,
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

/// Bytes that are never to come twice, for what is sealed: from the generator of the thread, which the system seeds.
#[allow(clippy::disallowed_methods)] // as above
fn new_nonce() -> [u8; 32] {
    rand::random()
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
    missing::check_files(&data, config.eventstore.is_none())?;
    let disk = room::Watch::new(config, &data);
    disk.make_room();
    let issuer = data.issuer()?;
    let health = Health::new();
    let mut supervisor = Supervisor::new(health.clone());
    let log = log::open(config, &data, &health, &mut supervisor).await?;
    if services.need_vault() {
        missing::check_vault(&data, &*log, config.accept_lost_keys).await?;
    }
    let (nats_server, nats) = if services.relay() || services.hear() {
        distribute::nats(config, &services, &data, &health).await.map(|(server, nats)| (server, Some(nats)))?
    } else {
        (None, None)
    };
    if let Some(server) = &nats_server {
        supervisor.need_always("nats-server", server.ended());
    }
    let vault = if services.need_vault() { Some(open_vault(config, &data).await?) } else { None };
    if let Some(vault) = &vault {
        let probed = vault.clone();
        let probe = move || {
            let vault = probed.clone();
            async move { vault.probe().await }
        };
        let shown = log::show(vault.down(), health.part("vault"), "the vault", probe);
        let unheeding = vault.unheeding();
        supervisor.need_always("vault", async {
            tokio::select! { () = shown => {}, () = unheeding => {} }
        });
    }
    if services.need_views() && !contexts::views(&data).are_there() {
        let adopted = adopt(&*log, &Streams::new(log.clone()), clock.now()).await?;
        tracing::info!(adopted, "what members' own streams say of people was taken over");
    }
    let tls = config.tls()?;
    let proxies = Arc::new(config.proxies()?);
    let (stores, chance) = (Stores { log: log.clone(), vault }, Chance { new_id, new_secret, new_nonce });
    let around = (&clock, chance, &health);
    let (looks, rooms) = Looks::new();
    let Parts { router, work } = assemble(config, &services, &data, stores, around, (&mut supervisor, rooms))?;
    let derived = work.derived.iter().map(|(derived, _)| derived.name()).collect();
    let end = supervisor.end();
    let files = [data.log(), data.vault(), data.issuer_key()];
    let (disk, parts) = (disk.of_files(files), (health.part("disk"), health.part("files")));
    supervisor.need("disk", disk.run(looks, parts, end.clone()));
    supervisor.keep("telemetry", {
        let end = end.clone();
        move |part| {
            part.running();
            telemetry::upkeep(end.clone())
        }
    });
    if let Some(connections) = nats {
        Distribution { connections, log: log.clone(), health: health.clone() }.start(work, &mut supervisor);
    }
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen at {}", config.listen))?;
    let address = listener.local_addr()?;
    let head_time_max = Duration::from_secs(config.head_seconds_max);
    let places = Places::new(config.connections_max, config.address_connections_max);
    let serving = Serving { router, places, proxies: proxies.clone(), head_time_max, tls: tls.clone() };
    health.part("listener").running();
    supervisor.need("listener", listen(listener, serving, end.clone()));
    let listener = TcpListener::bind(config.ops_listen).await;
    let listener = listener.with_context(|| {
        format!(
            "cannot listen at {} for /readyz and /metrics; give another address with --ops-listen",
            config.ops_listen
        )
    })?;
    let ops = listener.local_addr()?;
    let places = Places::new(OPS_CONNECTIONS_MAX, OPS_CONNECTIONS_MAX);
    let router = api::ops(machine(&health, &*log));
    let serving = Serving { router, places, proxies, head_time_max, tls: None };
    health.part("ops-listener").running();
    supervisor.need("ops-listener", listen(listener, serving, end));
    Ok(Running { address, ops, health, log, derived, issuer, clock, supervisor, nats_server, tls, _lock: lock })
}

/// Where chance comes from.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Ids of requests, and of events that no command asked for.
    pub new_id: fn() -> Uuid,
    /// Keys of API clients.
    pub new_secret: fn() -> [u8; 32],
    /// Bytes that are never to come twice.
    pub new_nonce: fn() -> [u8; 32],
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
pub struct Parts {
    /// What answers requests.
    pub router: Router,
    /// What follows the log.
    pub work: Background,
}

/// Puts a server together, but for its listener and its NATS; starts what follows the views, which `supervisor` keeps.
///
/// # Errors
/// If the issuer's key, the views or the facts cannot be used.
pub fn assemble(
    config: &Config,
    services: &Services,
    data: &DataDir,
    Stores { log, vault }: Stores,
    (clock, chance, health): (&Clock, Chance, &Health),
    (supervisor, rooms): (&mut Supervisor, Rooms),
) -> anyhow::Result<Parts> {
    let clock = &clock.clone().in_zone(config.zone()?);
    let (streams, rates) = (AllStreams::new(log.clone()), config.rates());
    let authenticator = authenticator(config, &data.issuer()?, clock)?
        .heeding(streams.of())
        .admitting_links(streams.of())
        .limited(rates.clone())
        .within(rooms);
    let authenticator = authenticator.sealing(log.clone(), chance.new_nonce);
    let keys = vault.map(|vault| anyhow::Ok((vault, data.signer()?))).transpose()?;
    let host = Host {
        plan_days: config.plan_days,
        erasures_file: config.erasures_file.clone(),
        outgoing: config.outgoing()?,
        door: Door::new(rates.clone()),
        ..host(authenticator, streams, keys, data, chance)
    };
    let Assembled { routes: mut router, public, pages, derived, tasks } = contexts::assemble(services, &host)?;
    if log.exclusive() {
        router = router.layer(Extension(LogEnd(log.head())));
    }
    let around = Around {
        limits: Limits::new(config.requests_max, Duration::from_secs(config.request_seconds_max)).and(rates),
        security_headers: SecurityHeaders { tls: config.tls_certificate.is_some() && config.tls_key.is_some() },
        cors_origins: config.cors_origins.clone(),
        new_id: chance.new_id,
    };
    let pages = pages::router(&pages, chance.new_secret);
    let (router, _) = api::api((router, public), pages, machine(health, &*log), around);
    for Task { name, mut start } in tasks {
        let end = supervisor.end();
        supervisor.keep(name, move |part| start(part, end.clone()));
    }
    Ok(Parts { router, work: Background { relays: services.relay(), derived } })
}

/// What there is for contexts, which by itself plans nothing.
fn host(
    authenticator: Authenticator,
    streams: AllStreams,
    keys: Option<(Vault, Signer)>,
    data: &DataDir,
    Chance { new_id, new_secret, .. }: Chance,
) -> Host {
    let views = contexts::views(data);
    Host {
        boards: Boards::new(views.clone(), authenticator.clock.clone()),
        topics: contexts::topics().collect(),
        audit: Audit::new(streams.log().clone(), &authenticator, new_id),
        authenticator,
        door: Door::new(Rates::new(Rates::NONE)),
        streams,
        keys,
        names: Names::default(),
        named: watch::Sender::default(),
        views,
        operations: contexts::operations().collect(),
        data: data.path().into(),
        planned: contexts::PLANNED,
        plan_days: 0,
        erasures_file: None,
        outgoing: Outgoing::default(),
        new_secret,
    }
}

fn folders(config: &Config) -> anyhow::Result<DataDir> {
    match &config.shared {
        Some(shared) => DataDir::create(shared)?.with_data(&config.data),
        None => DataDir::create(&config.data),
    }
}

async fn open_vault(config: &Config, data: &DataDir) -> anyhow::Result<Vault> {
    let vault = Vault::open(&data.vault(), data.kek(config.key_file.as_deref())?, fresh)?;
    if config.shared.is_some() {
        vault.heed_others(&data.vault())?;
    }
    tokio::task::spawn_blocking(vault::learn_numbers).await?;
    if vault.compare_in(config.country()?).await? {
        tracing::info!("the blind index is made anew: until then fewer are found who may be here already");
    }
    Ok(vault)
}

/// The authenticator before the contexts: whose tokens are accepted.
fn authenticator(config: &Config, issuer: &Issuer, clock: &Clock) -> anyhow::Result<Authenticator> {
    let authenticator = Authenticator::new(issuer.clone(), clock.clone());
    let authenticator = if config.builtin_issuer { authenticator } else { authenticator.without_issuer() };
    Ok(match config.provider()? {
        Some(provider) => authenticator.trusting(provider),
        None => authenticator,
    })
}

/// What is asked about the machine.
fn machine(health: &Health, log: &dyn EventLog) -> Machine {
    Machine { health: health.clone(), metrics: telemetry::metrics(), head: log.head() }
}

/// The document of the API, without a server.
///
/// # Errors
/// If no log can be made in `scratch`, an empty folder.
pub(crate) fn document(scratch: &Path) -> anyhow::Result<utoipa::openapi::OpenApi> {
    let log = SqliteLog::open(&DataDir::create(scratch)?.log())?;
    let machine = machine(&Health::new(), &log);
    let (limits, security_headers) = (Limits::new(1, DRAIN_MAX), SecurityHeaders { tls: false });
    let around = Around { limits, security_headers, cors_origins: vec![], new_id };
    let Assembled { routes, public, .. } = routes(scratch, &Services::all())?;
    Ok(api::api((routes, public), Router::new(), machine, around).1)
}

/// Methods and paths of a service's operations, without a server.
///
/// # Errors
/// If no log can be made in `scratch`.
pub(crate) fn operations(scratch: &Path, service: Service) -> anyhow::Result<Vec<(&'static str, String)>> {
    let Assembled { routes, public, .. } = routes(scratch, &Services::these([service]))?;
    let document = routes.merge(public).into_openapi();
    let methods = |(path, item): (String, PathItem)| {
        let of =
            [("GET", item.get), ("PUT", item.put), ("POST", item.post), ("PATCH", item.patch), ("DELETE", item.delete)];
        of.into_iter().filter(|(_, operation)| operation.is_some()).map(move |(method, _)| (method, path.clone()))
    };
    Ok(document.paths.paths.into_iter().flat_map(methods).collect())
}

fn routes(scratch: &Path, services: &Services) -> anyhow::Result<Assembled> {
    let data = DataDir::create(scratch)?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&data.log())?);
    let authenticator = Authenticator::new(Issuer::new(&[0; 32]), Clock::new(|| Timestamp::UNIX_EPOCH));
    let vault = Vault::open(&data.vault(), data.kek(None)?, fresh)?;
    let (keys, chance) = (Some((vault, data.signer()?)), Chance { new_id, new_secret, new_nonce });
    let host = host(authenticator, AllStreams::new(log), keys, &data, chance);
    contexts::assemble(services, &host)
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

    /// Waits until what it makes of the log has reached the end of the log, as far as it is known.
    pub async fn settle(&self) {
        let head = *self.log.head().borrow();
        for part in &self.derived {
            // The sender lives as long as `health`.
            let _ = self.health.checkpoint(part).wait_for(|position| *position >= head).await;
        }
    }

    /// Waits until it must end, because something without which nothing is safe has ended; says what.
    pub async fn fallen(&self) -> String {
        self.supervisor.fallen().await
    }

    /// Ends it: requests first, then what distributes, then the NATS server.
    pub async fn stop(mut self) {
        self.supervisor.stop().await;
        if let Some(server) = self.nats_server.take() {
            server.stop().await;
        }
    }
}
