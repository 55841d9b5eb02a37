//! Where consumers take frames from: `JetStream`, or whoever plays it to see what they make of frames that are lost,
//! doubled, late, out of order or forged.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        Message,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        message::Acker,
        stream::Stream,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use eventlog::{Position, Recorded};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tracing::debug;

use crate::{BoxError, Nats, cloud_event, consumer::BATCH_EVENTS_MAX};

/// Messages delivered but not yet acknowledged, at most.
pub const ACK_PENDING_MAX: i64 = 8_192;
/// A message not acknowledged within this time is delivered again.
pub const ACK_WAIT: Duration = Duration::from_secs(30);

/// Messages asked for at once.
const PULL_MESSAGES: usize = 2 * BATCH_EVENTS_MAX;
/// How long the server keeps a request for messages.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// How often the server shows that it still has the request; twice without it the consumer is taken for lost.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A consumer of one of several processes that nobody asked for messages for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// A message as it arrives: nothing of it is believed yet.
pub struct Frame {
    subject: String,
    headers: Option<HeaderMap>,
    payload: Bytes,
    acker: Option<Acker>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Frame {
    /// The frame in which the relay sends an event, whose predecessor in the log is at `previous`.
    pub fn of(event: &Recorded, previous: Position) -> Self {
        let (subject, headers) = (cloud_event::subject(event), cloud_event::headers(event, previous));
        Self { subject, headers: Some(headers), payload: event.data.clone(), acker: None }
    }

    /// The same with another header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// Where it was published.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The event that it says it is, and where in the log it says the one before it is.
    pub(crate) fn event(&self) -> Result<(Recorded, Position), cloud_event::MessageError> {
        cloud_event::decode(self.headers.as_ref(), self.payload.clone())
    }

    /// Lets whoever sent it know that it need not come again, nor any before it.
    pub(crate) async fn acknowledge(&self) -> Result<(), BoxError> {
        match &self.acker {
            Some(acker) => acker.ack().await,
            None => Ok(()),
        }
    }
}

impl From<Message> for Frame {
    fn from(message: Message) -> Self {
        let (message, acker) = message.split();
        let async_nats::Message { subject, headers, payload, .. } = message;
        Self { subject: subject.into_string(), headers, payload, acker: Some(acker) }
    }
}

/// Frames as they arrive. It ends only by failing.
pub type Frames = BoxStream<'static, Result<Frame, BoxError>>;

/// What brings frames to consumers.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Frames for the consumer `name`, of this one of several processes: that of the first event after `after`, present
    /// or to come, and all later ones, until they are acknowledged.
    ///
    /// # Errors
    /// If there are none to be had now.
    async fn subscribe(&self, name: &str, instance: Option<&str>, after: Position) -> Result<Frames, BoxError>;

    /// Waits, a moment at most, until acknowledgements have left.
    async fn flush(&self);
}

#[async_trait]
impl Bus for Nats {
    async fn subscribe(&self, name: &str, instance: Option<&str>, after: Position) -> Result<Frames, BoxError> {
        self.connected().await;
        let stream = self.stream().await?;
        let consumer = durable(&stream, name, instance, after).await?;
        let messages = consumer.stream().max_messages_per_batch(PULL_MESSAGES).expires(PULL_EXPIRES);
        let messages = messages.heartbeat(HEARTBEAT).messages().await?;
        Ok(messages.map_ok(Frame::from).map_err(Into::into).boxed())
    }

    async fn flush(&self) {
        self.flush().await;
    }
}

/// The durable consumer `name` of this process, made anew at the first message after `checkpoint`: what the server
/// remembers of an earlier session could only be less right.
async fn durable(
    stream: &Stream,
    name: &str,
    instance: Option<&str>,
    checkpoint: Position,
) -> Result<PullConsumer, BoxError> {
    let name = instance.map_or_else(|| name.to_owned(), |instance| format!("{name}-{instance}"));
    if let Err(error) = stream.delete_consumer(&name).await {
        debug!(consumer = name, %error, "there is no durable consumer to be replaced");
    }
    let start_sequence = first_after(stream, checkpoint).await?;
    debug!(consumer = name, start_sequence, "the durable consumer is made");
    let config = pull::Config {
        durable_name: Some(name),
        inactive_threshold: instance.map_or(Duration::ZERO, |_| FORGOTTEN_AFTER),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::All,
        ack_wait: ACK_WAIT,
        max_ack_pending: ACK_PENDING_MAX,
        ..pull::Config::default()
    };
    Ok(stream.create_consumer(config).await?)
}

/// Sequence of the first message after `checkpoint`, present or to come, by bisection.
async fn first_after(stream: &Stream, checkpoint: Position) -> Result<u64, BoxError> {
    let state = &stream.cached_info().state;
    let (mut low, mut high) = (state.first_sequence.max(1), state.last_sequence + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let message = stream.get_raw_message(middle).await?;
        // What is not an event does not matter, wherever it is.
        if cloud_event::position(&message.headers).is_ok_and(|position| position > checkpoint) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}
