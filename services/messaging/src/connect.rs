//! The connection to NATS and the stream [`STREAM`].

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr,
    jetstream::{
        Context,
        context::ContextBuilder,
        stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
    },
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, warn};

use crate::{BoxError, Health, Part, backoff::Backoff, relay::IN_FLIGHT_MAX};

/// Name of the stream.
pub const STREAM: &str = "KITH";
/// What the stream holds: every event of every organisation.
pub const SUBJECTS: &str = "kith.>";
/// At start the connection and the stream must be there within this time. Later they are waited for without end.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Longest message in bytes, headers included: an event may be as large as an append. A NATS server of one's own needs
/// `max_payload` of at least this; its default is 1 MiB.
pub const PAYLOAD_BYTES_MAX: usize = eventlog::APPEND_BYTES_MAX + HEADER_BYTES_MAX;

/// Longest headers in bytes, generously.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Longest wait for an answer of NATS.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// How long an acknowledgement that nobody waits for any more holds its place among those in flight.
const ABANDONED_ACK_FOR: Duration = Duration::from_secs(1);
/// Messages that came and that nobody has taken yet, at most, whole; those after them are dropped.
const SUBSCRIPTION_MESSAGES_MAX: usize = 512;
/// Shortest and longest wait between two attempts to reconnect.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// Name of the part in [`Health`]: the connection of who may publish.
const PART: &str = "nats";
/// Name of the part in [`Health`]: the connection of who only reads.
const READER_PART: &str = "nats-reader";

/// How to reach NATS.
#[derive(Clone)]
pub struct NatsConfig {
    /// `nats://host:port` or `nats://user:password@host:port`, several separated by commas; `tls://` requires TLS.
    pub url: String,
    /// File with a user's JWT and key, as `nsc` writes it.
    pub credentials_file: Option<PathBuf>,
    /// Certificates (PEM) of the authority to be trusted besides the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Never to speak to a server without TLS.
    pub tls_required: bool,
    /// User and password.
    pub user_password: Option<(String, String)>,
    /// Copies of the stream that a cluster keeps, 1 to 5.
    pub replicas: usize,
    /// By which whoever keeps the server learns that it takes no events, though it answers.
    pub(crate) stuck: Arc<Notify>,
    /// Whether this user only reads: then the stream is somebody else's to make.
    pub reads_only: bool,
    /// Drawn for each process: who loses the same server as others comes back to it at another time.
    pub jitter: u64,
}

impl NatsConfig {
    /// A server at `url`, one copy, nothing else.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials_file: None,
            tls_ca_file: None,
            tls_required: false,
            user_password: None,
            replicas: 1,
            stuck: Arc::default(),
            reads_only: false,
            jitter: 0,
        }
    }

    /// User and password in the URL, which async-nats reads but does not send.
    fn url_user_password(&self) -> Option<(String, String)> {
        let first = self.url.split(',').next()?.trim().parse::<ServerAddr>().ok()?;
        Some((first.username()?.to_owned(), first.password()?.to_owned()))
    }

    /// The URL without user and password.
    fn shown_url(&self) -> String {
        let shown = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            _ => url.to_owned(),
        };
        self.url.split(',').map(shown).collect::<Vec<_>>().join(",")
    }

    fn stream(&self) -> Config {
        Config {
            name: STREAM.into(),
            description: Some("Copy of Kith's event log. Can be deleted: the relay refills it.".into()),
            subjects: vec![SUBJECTS.into()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New, // a full stream must stop the relay, not lose its beginning
            max_bytes: -1,
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            num_replicas: self.replicas,
            deny_delete: true,
            deny_purge: true, // delete the stream instead
            ..Config::default()
        }
    }
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig").field("url", &self.shown_url()).finish_non_exhaustive()
    }
}

/// NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The credentials cannot be read.
    #[error("the NATS credentials in {} cannot be read", path.display())]
    Credentials {
        /// Where they should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nobody answers, or not in a way that we can speak with.
    #[error("no NATS server can be used at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// What happened last.
        #[source]
        source: BoxError,
    },
    /// Older than 2.10.
    #[error("the NATS server at {url} has version {version}, Kith needs 2.10 or later")]
    TooOld {
        /// Where.
        url: String,
        /// As it says.
        version: String,
    },
    /// The stream does not exist and cannot be created, or is not as it must be.
    #[error("the NATS stream {STREAM} cannot be set up")]
    Stream(#[source] BoxError),
}

/// How the connection is: `epoch` grows whenever it is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    connected: bool,
    epoch: u64,
}

impl Link {
    fn lose(&mut self) {
        *self = Self { connected: false, epoch: self.epoch + 1 };
    }
}

/// A connection to NATS, which reconnects for ever. Clones share it.
#[derive(Clone)]
pub struct Nats {
    jetstream: Context,
    link: watch::Receiver<Link>,
    stream: Config,
    stuck: Arc<Notify>,
    jitter: u64,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("link", &*self.link.borrow()).finish_non_exhaustive()
    }
}

impl Nats {
    /// Connects, and sets up the stream unless it only reads. Shows the connection in `health` as the part `nats`, of who
    /// only reads as `nats-reader`.
    ///
    /// # Errors
    /// If it does not succeed within [`CONNECT_WITHIN`].
    pub async fn connect(config: &NatsConfig, health: &Health) -> Result<Self, ConnectError> {
        let deadline = Instant::now() + CONNECT_WITHIN;
        let link = Arc::new(watch::Sender::new(Link::default()));
        let part = health.part(if config.reads_only { READER_PART } else { PART });
        let client = connect_by(config, &link, &part, deadline).await?;
        check_server(config, &client)?;
        link.send_modify(|link| link.connected = true);
        part.running();
        let (jetstream, link) = (jetstream(client), link.subscribe());
        let stuck = config.stuck.clone();
        let nats = Self { jetstream, link, stream: config.stream(), stuck, jitter: config.jitter };
        if !config.reads_only {
            nats.set_up_stream_by(deadline).await?;
        }
        Ok(nats)
    }

    async fn set_up_stream_by(&self, deadline: Instant) -> Result<(), ConnectError> {
        let mut backoff = self.backoff();
        loop {
            let Err(error) = self.jetstream.create_or_update_stream(self.stream.clone()).await else { return Ok(()) };
            let wait = backoff.next(); // just started, a server or cluster may not have its JetStream ready
            if Instant::now() + wait >= deadline {
                return Err(ConnectError::Stream(error.into()));
            }
            debug!(%error, "the stream cannot be set up yet");
            sleep(wait).await;
        }
    }

    /// The stream, created anew if it was deleted.
    pub(crate) async fn stream(&self) -> Result<Stream, BoxError> {
        Ok(self.jetstream.get_or_create_stream(self.stream.clone()).await?)
    }

    /// Waits of whoever tries again with this server.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.jitter)
    }

    pub(crate) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// Waits until the connection is up and says how often it was lost. At once if nobody keeps it any more.
    pub(crate) async fn connected(&self) -> u64 {
        let mut link = self.link.clone();
        let up = link.wait_for(|link| link.connected).await.map(|link| link.epoch);
        up.unwrap_or_else(|_| self.link.borrow().epoch)
    }

    /// Whether whoever keeps the connection has ended: it will not be made again, another one must be.
    pub fn is_gone(&self) -> bool {
        self.link.has_changed().is_err()
    }

    /// Says that the server takes no events, though it answers.
    pub(crate) fn stuck(&self) {
        self.stuck.notify_one();
    }

    /// Waits until the connection that was up at `epoch` is lost.
    pub(crate) async fn lost(&self, epoch: u64) {
        let mut link = self.link.clone();
        let _ = link.wait_for(|link| link.epoch != epoch).await;
    }
}

/// Room for all that one relay has in flight, twice, since abandoned acknowledgements hold theirs for a while.
fn jetstream(client: Client) -> Context {
    ContextBuilder::new()
        .timeout(REQUEST_WITHIN)
        .ack_timeout(ABANDONED_ACK_FOR)
        .max_ack_inflight(4 * IN_FLIGHT_MAX)
        .build(client)
}

async fn connect_by(
    config: &NatsConfig,
    link: &Arc<watch::Sender<Link>>,
    part: &Part,
    deadline: Instant,
) -> Result<Client, ConnectError> {
    let mut backoff = Backoff::new(config.jitter);
    loop {
        let options = options(config, link, part).await?;
        let unreachable = |source| ConnectError::Unreachable { url: config.shown_url(), source };
        let addresses: Vec<_> = config.url.split(',').map(str::trim).collect();
        let error = match timeout_at(deadline, options.connect(addresses)).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error,
            Err(elapsed) => return Err(unreachable(elapsed.into())),
        };
        let wait = backoff.next();
        if is_final(error.kind()) || Instant::now() + wait >= deadline {
            return Err(unreachable(error.into()));
        }
        debug!(%error, "no connection to NATS yet");
        sleep(wait).await;
    }
}

/// Whether trying again cannot help.
fn is_final(kind: ConnectErrorKind) -> bool {
    use ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse};
    matches!(kind, Authentication | AuthorizationViolation | ServerParse)
}

async fn options(
    config: &NatsConfig,
    link: &Arc<watch::Sender<Link>>,
    part: &Part,
) -> Result<ConnectOptions, ConnectError> {
    let (link, part) = (link.clone(), part.clone());
    let mut options = ConnectOptions::new()
        .name("kith")
        .require_tls(config.tls_required)
        .request_timeout(Some(REQUEST_WITHIN))
        .client_capacity(2 * IN_FLIGHT_MAX)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .reconnect_delay_callback(reconnect_after)
        .event_callback(move |event| {
            on_event(&event, &link, &part);
            std::future::ready(())
        });
    if let Some(path) = &config.tls_ca_file {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((user, password)) = config.user_password.clone().or_else(|| config.url_user_password()) {
        options = options.user_and_password(user, password);
    }
    if let Some(path) = &config.credentials_file {
        let read = options.credentials_file(path).await;
        options = read.map_err(|source| ConnectError::Credentials { path: path.clone(), source })?;
    }
    Ok(options)
}

fn reconnect_after(attempts: usize) -> Duration {
    let (min, max) = RECONNECT_AFTER;
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(10);
    (min * 2_u32.pow(doublings)).min(max)
}

fn on_event(event: &Event, link: &watch::Sender<Link>, part: &Part) {
    match event {
        Event::Connected => {
            link.send_modify(|link| link.connected = true);
            part.running();
        }
        Event::Closed => link.send_modify(Link::lose), // the last handle was dropped: we are ending
        Event::Disconnected => {
            link.send_modify(Link::lose);
            part.stopped("the connection to NATS is lost; it will be made again as soon as a server answers");
        }
        Event::ServerError(error) => warn!(%error, "the NATS server refuses something"),
        other => debug!(event = %other, "nats"),
    }
}

fn check_server(config: &NatsConfig, client: &Client) -> Result<(), ConnectError> {
    let server = client.server_info();
    if !client.is_server_compatible(2, 10, 0) {
        return Err(ConnectError::TooOld { url: config.shown_url(), version: server.version });
    }
    if server.max_payload < PAYLOAD_BYTES_MAX {
        let (has, needs) = (server.max_payload, PAYLOAD_BYTES_MAX);
        warn!(has, needs, "max_payload of the NATS server is too small for the largest events");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PartState, tests::world};

    #[test]
    fn a_password_is_never_shown() {
        let mut config = NatsConfig::new("nats://kith:secret@one:4222,two:4222");
        config.user_password = Some(("kith".into(), "secret".into()));
        assert_eq!(format!("{config:?}"), r#"NatsConfig { url: "nats://one:4222,two:4222", .. }"#);
    }

    #[tokio::test]
    async fn a_wrong_password_is_said_at_once() {
        let server = world::server().await;
        let wrong = Some(("kith".to_owned(), "wrong".to_owned()));
        let config = NatsConfig { user_password: wrong, ..server.config() };
        let error = Nats::connect(&config, &Health::new()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("no NATS server can be used at {}", config.url));
    }

    #[tokio::test]
    async fn missing_credentials_are_said_with_their_path() {
        let config = NatsConfig { credentials_file: Some("/nowhere".into()), ..NatsConfig::new("nats://127.0.0.1:1") };
        let error = Nats::connect(&config, &Health::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the NATS credentials in /nowhere cannot be read");
    }

    #[tokio::test]
    async fn a_stream_set_up_otherwise_is_set_right() {
        let server = world::server().await;
        let health = Health::new();
        let nats = Nats::connect(&server.config(), &health).await.unwrap();
        let other = Config { max_age: Duration::from_hours(1), ..nats.stream.clone() };
        nats.jetstream.update_stream(other).await.unwrap();
        let nats = Nats::connect(&server.config(), &health).await.unwrap();
        let config = nats.stream().await.unwrap().get_info().await.unwrap().config;
        assert_eq!(config.subjects, [SUBJECTS]);
        assert!(config.deny_delete && config.max_age.is_zero());
        assert_eq!(config.retention, RetentionPolicy::Limits);
        let nats_part = health.report().parts.into_iter().find(|part| part.name == PART).unwrap();
        assert_eq!(nats_part.state, PartState::Running);
    }
}
