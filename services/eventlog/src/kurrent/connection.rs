//! A client that is replaced when it fails.

use std::{fmt, sync::Mutex, time::Duration};

use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, Error, EventData, ReadAllOptions, ReadEvent, ReadStream,
    ReadStreamOptions, RecordedEvent, WriteResult,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::LogError;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Longest wait for an append. The client only asks the server to keep it.
pub const APPEND_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for the next event of a read.
pub const READ_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for a client to set up what is set up once.
const SET_UP_WITHIN: Duration = Duration::from_secs(10);
/// Shortest and longest wait before a client that failed is replaced.
const REPLACED_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Whether the client has set up what it needs of rustls in this process.
static TLS_SETTLED: OnceCell<()> = OnceCell::const_new();

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not say where the log is. What it says is not shown: there may be a password in it.
    #[error("the connection string of the event log cannot be used: {0}")]
    ConnectionString(&'static str),
    /// The client of `KurrentDB` would fail.
    #[error(
        "another provider of cryptography was set up for rustls in this process before the client of KurrentDB, which \
         insists on its own"
    )]
    Tls,
    /// The client would fail.
    #[error("certificates for the event log cannot be used: {0}; name a file of good ones with tlsCAFile=")]
    Certificate(String),
    /// It does not even start.
    #[error("the client of KurrentDB cannot be made: {0}")]
    Client(String),
}

/// What came of asking.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server's answer.
    #[error("KurrentDB says: {0}")]
    Said(Error),
    /// The server understood, and will not.
    #[error("KurrentDB refuses: {0}")]
    Refused(Error),
    /// This node does not lead.
    #[error("KurrentDB changes its leader")]
    NotLeader,
    /// The connection failed; whether what was asked took effect is not known.
    #[error("KurrentDB cannot be reached: {0}")]
    Lost(String),
}

impl Failure {
    fn of(error: Error) -> Self {
        match error {
            Error::NotLeaderException(_) => Self::NotLeader,
            Error::AccessDenied | Error::ResourceDeleted | Error::UnsupportedFeature => Self::Refused(error),
            Error::Grpc { code, .. } if !is_passing(code) => Self::Refused(error),
            Error::WrongExpectedVersion { .. } | Error::ResourceNotFound => Self::Said(error),
            error => Self::Lost(error.to_string()),
        }
    }

    /// Whether it may go well when asked again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotLeader | Self::Lost(_))
    }

    /// Whether what was asked for certainly did not take effect.
    pub fn has_no_effect(&self) -> bool {
        !matches!(self, Self::Lost(_))
    }
}

/// A timeout of the server's, a request that was cancelled or pushed back. The type of the codes is of a crate that we
/// do not name.
fn is_passing(code: impl fmt::Debug) -> bool {
    ["Aborted", "Cancelled", "ResourceExhausted"].contains(&format!("{code:?}").as_str())
}

impl From<Failure> for LogError {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// The way to the server.
pub struct Connection {
    settings: ClientSettings,
    current: Mutex<Current>,
}

struct Current {
    client: Client,
    /// Counts clients.
    number: u64,
    /// How many failed since something went well.
    failures: u32,
    /// When to go on after the last failure.
    not_before: Option<Instant>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    pub async fn new(connection_string: &str) -> Result<Self, OpenError> {
        let settings = settings(connection_string)?;
        check_certificates(&settings)?;
        settle_tls().await?;
        let client = client(&settings)?;
        let current = Mutex::new(Current { client, number: 0, failures: 0, not_before: None });
        Ok(Self { settings, current })
    }

    pub async fn append(
        &self,
        stream: &str,
        options: &AppendToStreamOptions,
        events: Vec<EventData>,
    ) -> Result<WriteResult, Failure> {
        let (client, number) = self.client();
        let asked = client.append_to_stream(stream, options, events);
        let answer = match within(APPEND_WITHIN, asked).await {
            // So a node says that it does not lead and knows of none who does.
            Err(Error::ResourceNotFound) => Err(Error::ServerError("there is no leader".into())),
            answer => answer,
        };
        self.judge(number, answer)
    }

    /// All that is asked for; nothing if there is no such stream.
    pub async fn read_stream(&self, stream: &str, options: &ReadStreamOptions) -> Result<Vec<RecordedEvent>, Failure> {
        let (client, number) = self.client();
        let read = async { all(within(READ_WITHIN, client.read_stream(stream, options)).await?).await };
        match self.judge(number, read.await) {
            Err(Failure::Said(Error::ResourceNotFound)) => Ok(Vec::new()),
            read => read,
        }
    }

    pub async fn read_all(&self, options: &ReadAllOptions) -> Result<Vec<RecordedEvent>, Failure> {
        let (client, number) = self.client();
        let read = async { all(within(READ_WITHIN, client.read_all(options)).await?).await };
        self.judge(number, read.await)
    }

    /// Waits until a client that failed may be replaced.
    pub async fn pause(&self) {
        let until = self.lock().not_before;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    fn client(&self) -> (Client, u64) {
        let mut current = self.lock();
        if current.not_before.is_some_and(|until| until <= Instant::now()) {
            current.not_before = None;
            match client(&self.settings) {
                Ok(client) => {
                    current.client = client;
                    current.number += 1;
                }
                Err(error) => tracing::error!(%error, "the former client of KurrentDB stays"),
            }
        }
        (current.client.clone(), current.number)
    }

    /// Learns from an answer whether the client works.
    fn judge<T>(&self, number: u64, answer: Result<T, Error>) -> Result<T, Failure> {
        let failure = match answer {
            Ok(answer) => {
                self.worked(number);
                return Ok(answer);
            }
            Err(error) => Failure::of(error),
        };
        match failure {
            Failure::Lost(_) => self.failed(number),
            // To whom it was sent the client goes by itself.
            Failure::NotLeader => {}
            _ => self.worked(number),
        }
        Err(failure)
    }

    fn worked(&self, number: u64) {
        let mut current = self.lock();
        if current.number == number && current.not_before.is_none() {
            current.failures = 0;
        }
    }

    fn failed(&self, number: u64) {
        let mut current = self.lock();
        if current.number == number && current.not_before.is_none() {
            let (shortest, longest) = REPLACED_AFTER;
            let wait = shortest.saturating_mul(1 << current.failures.min(16)).min(longest);
            current.failures = current.failures.saturating_add(1);
            current.not_before = Some(Instant::now() + wait);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().expect("nothing panics while it is held")
    }
}

/// As the client would answer if it kept its deadline.
pub async fn within<T>(time: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(time, asked).await.unwrap_or(Err(Error::DeadlineExceeded))
}

async fn all(mut stream: ReadStream) -> Result<Vec<RecordedEvent>, Error> {
    let mut events = Vec::new();
    while let Some(read) = within(READ_WITHIN, stream.next_read_event()).await? {
        // A link whose event is gone has none.
        if let ReadEvent::Event(resolved) = read
            && let Some(event) = resolved.event
        {
            events.push(event);
        }
    }
    Ok(events)
}

/// The settings, with what the client's defaults get wrong.
fn settings(connection_string: &str) -> Result<ClientSettings, OpenError> {
    let wrong = OpenError::ConnectionString;
    let lower = connection_string.to_ascii_lowercase();
    if !["esdb://", "esdb+discover://"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Err(wrong("it begins with neither esdb:// nor esdb+discover://"));
    }
    let parse = |text: &str| {
        let example = "it is none; esdb://user:password@host:2113?tls=true would be one";
        text.parse::<ClientSettings>().map_err(|_| wrong(example))
    };
    let asked = parse(connection_string)?;
    let mut mended = String::from(connection_string);
    let mut mend = |setting| {
        mended.push(if mended.contains('?') { '&' } else { '?' });
        mended.push_str(setting);
    };
    if !lower.contains("discoveryinterval=") {
        // It waits for as long before its first attempt.
        mend("discoveryInterval=10");
    }
    if asked.max_discover_attempts() < 2 {
        // With one it never connects.
        mend("maxDiscoverAttempts=2");
    }
    if !asked.is_secure_mode_enabled() {
        // It reads the system's certificates all the same, unless it is given others, if only none.
        mend("tlsCAFile=/dev/null");
    }
    let settings = parse(&mended)?;
    if settings.hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    Ok(settings)
}

/// The client panics over certificates that it cannot use.
fn check_certificates(settings: &ClientSettings) -> Result<(), OpenError> {
    if !settings.is_secure_mode_enabled() {
        return Ok(());
    }
    let (certificates, of) = match settings.tls_ca_file() {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            (read.map_err(|error| OpenError::Certificate(format!("{file}: {error}")))?, file.as_str())
        }
        None => (rustls_native_certs::load_native_certs().certs, "the system's"),
    };
    let count: usize = certificates.len();
    for (n, certificate) in (1..).zip(certificates) {
        let added = RootCertStore::empty().add(certificate);
        added.map_err(|error| OpenError::Certificate(format!("{of}, number {n} of {count}: {error}")))?;
    }
    if count == 0 { Err(OpenError::Certificate(format!("{of}: there is none"))) } else { Ok(()) }
}

fn client(settings: &ClientSettings) -> Result<Client, OpenError> {
    Client::new(settings.clone()).map_err(|error| OpenError::Client(error.to_string()))
}

/// Lets the client set up its provider of cryptography for rustls, once in a process and before anybody speaks TLS.
///
/// The client insists on being the one who does, in the background, and if it is not, no client works in this process
/// any more. Others then use its provider: with two of them linked in they could not choose one by themselves.
///
/// # Errors
/// If somebody else was faster.
pub async fn settle_tls() -> Result<(), OpenError> {
    TLS_SETTLED.get_or_try_init(let_client_settle).await.copied()
}

async fn let_client_settle() -> Result<(), OpenError> {
    let provided = || rustls::crypto::CryptoProvider::get_default().is_some();
    if provided() {
        return Err(OpenError::Tls);
    }
    // It sets up when it is made, and connects only when it is used.
    let _client = client(&settings("esdb://127.0.0.1:1?tls=false")?)?;
    let deadline = Instant::now() + SET_UP_WITHIN;
    while !provided() {
        if Instant::now() > deadline {
            return Err(OpenError::Client("it does not set up its cryptography".into()));
        }
        sleep(LOOK_EVERY).await; // nobody announces it
    }
    Ok(())
}
