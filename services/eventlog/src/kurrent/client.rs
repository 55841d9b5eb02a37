//! The crate's client, on a thread of its own: it does not end by itself, and what it leaves running when it is
//! replaced ends with its thread.

use std::{io, thread, time::Duration};

use eventstore::{
    AppendToStreamOptions, ClientSettings, Error, EventData, ReadAllOptions, ReadEvent, ReadStream, ReadStreamOptions,
    RecordedEvent, WriteResult,
};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::timeout,
};

/// Longest wait for an append. The client only asks the server to keep it.
pub const APPEND_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for the next event of a read.
pub const READ_WITHIN: Duration = Duration::from_secs(5);

/// Name of the thread.
const THREAD: &str = "kurrentdb";

/// The client. Dropping it ends its thread, and whatever is asked there.
pub struct Client {
    inner: eventstore::Client,
    runtime: Handle,
    /// Never used: the thread sees that it is gone.
    _alive: oneshot::Sender<()>,
}

impl Client {
    /// Starts one. It connects when it is asked for something.
    pub fn start(settings: &ClientSettings) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::InitializationError(error.to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (alive, gone) = oneshot::channel::<()>();
        let run = move || {
            let _ = runtime.block_on(gone); // nothing is sent
            // A name that is being resolved is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name(THREAD.into()).spawn(run).map_err(failed)?;
        let inner = eventstore::Client::with_runtime_handle(handle.clone(), settings.clone())?;
        Ok(Self { inner, runtime: handle, _alive: alive })
    }

    pub async fn append(
        &self,
        stream: String,
        options: AppendToStreamOptions,
        events: Vec<EventData>,
    ) -> Result<WriteResult, Error> {
        let client = self.inner.clone();
        self.run(async move { within(APPEND_WITHIN, client.append_to_stream(stream, &options, events)).await }).await
    }

    pub async fn read_stream(&self, stream: String, options: ReadStreamOptions) -> Result<Vec<RecordedEvent>, Error> {
        let client = self.inner.clone();
        self.run(async move { all(within(READ_WITHIN, client.read_stream(stream, &options)).await?).await }).await
    }

    pub async fn read_all(&self, options: ReadAllOptions) -> Result<Vec<RecordedEvent>, Error> {
        let client = self.inner.clone();
        self.run(async move { all(within(READ_WITHIN, client.read_all(&options)).await?).await }).await
    }

    async fn run<T: Send + 'static>(
        &self,
        asked: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        // It panics over answers that it does not expect.
        self.runtime.spawn(asked).await.unwrap_or(Err(Error::InternalClientError))
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
