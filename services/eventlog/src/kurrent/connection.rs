//! A client that is replaced when it fails.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use eventstore::{
    AppendToStreamOptions, ClientSettings, Error, EventData, ReadAllOptions, ReadStreamOptions, RecordedEvent,
    WriteResult,
};
use tokio::time::{Instant, sleep_until};

use super::{
    client::Client,
    settings::{self, OpenError},
};
use crate::LogError;

/// Shortest and longest wait before a client that failed is replaced.
const REPLACED_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What came of asking.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server's answer.
    #[error("KurrentDB says: {0}")]
    Said(Error),
    /// The server understood, and will not.
    #[error("KurrentDB refuses: {0}")]
    Refused(Error),
    /// What was asked for makes no sense to the server, such as a position where no event is.
    #[error("KurrentDB refuses: {0}")]
    Invalid(Error),
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
            Error::Grpc { code, .. } if is(code, &["InvalidArgument"]) => Self::Invalid(error),
            // All but a timeout of the server's, a request that was cancelled or pushed back.
            Error::Grpc { code, .. } if !is(code, &["Aborted", "Cancelled", "ResourceExhausted"]) => {
                Self::Refused(error)
            }
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

/// The type of the codes is of a crate that we do not name.
fn is(code: impl fmt::Debug, any_of: &[&str]) -> bool {
    any_of.contains(&format!("{code:?}").as_str())
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
    client: Arc<Client>,
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
        let settings = settings::parse(connection_string)?;
        settings::settle_tls().await?;
        settings::check_certificates(&settings)?;
        let client = Arc::new(settings::start(&settings)?);
        Ok(Self { settings, current: Mutex::new(Current { client, failures: 0, not_before: None }) })
    }

    pub async fn append(
        &self,
        stream: &str,
        options: &AppendToStreamOptions,
        events: Vec<EventData>,
    ) -> Result<WriteResult, Failure> {
        let client = self.client();
        let answer = match client.append(stream.into(), options.clone(), events).await {
            // So a node says that it does not lead and knows of none who does.
            Err(Error::ResourceNotFound) => Err(Error::ServerError("there is no leader".into())),
            answer => answer,
        };
        self.judge(&client, answer)
    }

    /// All that is asked for; nothing if there is no such stream.
    pub async fn read_stream(&self, stream: &str, options: ReadStreamOptions) -> Result<Vec<RecordedEvent>, Failure> {
        let client = self.client();
        match self.judge(&client, client.read_stream(stream.into(), options).await) {
            Err(Failure::Said(Error::ResourceNotFound)) => Ok(Vec::new()),
            read => read,
        }
    }

    pub async fn read_all(&self, options: ReadAllOptions) -> Result<Vec<RecordedEvent>, Failure> {
        let client = self.client();
        self.judge(&client, client.read_all(options).await)
    }

    /// Waits until a client that failed may be replaced; after a failure that is not the client's, as while the nodes
    /// elect a leader, a little.
    pub async fn pause(&self) {
        let until = self.lock().not_before;
        sleep_until(until.unwrap_or_else(|| Instant::now() + REPLACED_AFTER.0)).await;
    }

    fn client(&self) -> Arc<Client> {
        let mut current = self.lock();
        if current.not_before.is_some_and(|until| until <= Instant::now()) {
            current.not_before = None;
            match settings::start(&self.settings) {
                Ok(client) => current.client = Arc::new(client),
                Err(error) => tracing::error!(%error, "the former client of KurrentDB stays"),
            }
        }
        current.client.clone()
    }

    /// Learns from an answer whether the client works.
    fn judge<T>(&self, client: &Arc<Client>, answer: Result<T, Error>) -> Result<T, Failure> {
        let failure = match answer {
            Ok(answer) => {
                self.worked(client);
                return Ok(answer);
            }
            Err(error) => Failure::of(error),
        };
        match failure {
            Failure::Lost(_) => self.failed(client),
            // To whom it was sent the client goes by itself.
            Failure::NotLeader => {}
            _ => self.worked(client),
        }
        Err(failure)
    }

    fn worked(&self, client: &Arc<Client>) {
        let mut current = self.lock();
        if Arc::ptr_eq(&current.client, client) && current.not_before.is_none() {
            current.failures = 0;
        }
    }

    fn failed(&self, client: &Arc<Client>) {
        let mut current = self.lock();
        if Arc::ptr_eq(&current.client, client) && current.not_before.is_none() {
            let (shortest, longest) = REPLACED_AFTER;
            let wait = shortest.saturating_mul(1 << current.failures.min(16)).min(longest);
            current.failures = current.failures.saturating_add(1);
            current.not_before = Some(Instant::now() + wait);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().expect("nothing panics while it is held")
    }
}
