//! The relay: the one writer of the stream. Publishes the log in order, each event once, for ever.
//!
//! Each message carries `Nats-Expected-Last-Sequence`, so that the server itself refuses whatever would duplicate or
//! reorder: which event belongs at which sequence follows from the log and from the start of the stream alone. Two
//! relays, retries and messages that arrive late can therefore do no harm. What has been published is never
//! remembered here; after every failure the last message of the stream says it.
//!
//! Messages go out in trains, of which only the last asks for an acknowledgement: the server stores it where it belongs
//! only if something is stored at every place before it. The first of what waits goes alone, and shows whether that is ours.

use std::{collections::VecDeque, convert::Infallible, future::IntoFuture, sync::Arc, time::Duration};

use async_nats::{
    Client, HeaderMap, client, header,
    jetstream::{
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        message::PublishMessage,
        publish::PublishAck,
    },
};
use bytes::Bytes;
use eventlog::{EventLog, LogError, Position, Recorded};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use metrics::{Counter, Gauge};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{BoxError, Health, Nats, Part, STREAM, backoff::Backoff, cloud_event, read_ahead::ReadAhead};

/// Messages published but not yet acknowledged, at most.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// Messages published with one acknowledgement, at most.
const TRAIN_MAX: usize = IN_FLIGHT_MAX / 4;

/// When to look whether the stream is still as it was left, while there is nothing to publish.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Messages at the end of the stream that are not events of Kith and are passed over, at most.
const GARBAGE_MAX: u64 = 1_000;
/// When to look again at a stream that does not belong to this log: only an operator can help.
const FOREIGN_RETRY: Duration = Duration::from_secs(10);
/// Failures one after the other, without an event that was stored between them, after which the server is said to be
/// stuck: as one is that found its disk full, until it is started again.
const STUCK_AFTER: u32 = 5;
/// Name of the part in [`Health`].
const PART: &str = "relay";

/// Publishes `log` to the stream until `cancel`. Shows itself in `health` as the part `relay`, with its position.
///
/// Any number of relays may run on the same log; one does the work.
pub async fn relay(nats: Nats, log: Arc<dyn EventLog>, health: Health, cancel: CancellationToken) {
    let relay = Relay {
        nats,
        log,
        part: health.part(PART),
        reached: health.part(PART).sender(),
        position: metrics::gauge!("kith_relay_position"),
        published: metrics::counter!("kith_relay_published_total"),
    };
    cancel.run_until_cancelled(relay.run()).await;
}

struct Relay {
    nats: Nats,
    log: Arc<dyn EventLog>,
    part: Part,
    reached: watch::Sender<Position>,
    position: Gauge,
    published: Counter,
}

/// The end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail {
    /// Of the last message, 0 if there never was one.
    sequence: u64,
    /// Of the event in it, the start if there is none.
    position: Position,
}

impl Tail {
    /// A stream without an event, whose last message, if there is one, has this sequence.
    fn without_event(sequence: u64) -> Self {
        Self { sequence, position: Position::START }
    }
}

/// Why publishing ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "the NATS stream {STREAM} holds events that this log does not have (at position {0}): the log was replaced or \
         cut off, the stream belongs to another Kith, or somebody forged them; if the log is right, delete the stream, it \
         will be refilled"
    )]
    Foreign(Position),
    #[error(
        "the last {GARBAGE_MAX} messages of the NATS stream {STREAM} are not events of Kith ({0}); delete the stream, it \
         will be refilled"
    )]
    Unreadable(cloud_event::MessageError),
    #[error("the event at position {0} is larger than the NATS server allows; raise its max_payload")]
    TooLarge(Position),
    #[error("the stream is not as it was left; it is read again")]
    Moved,
    #[error("the connection to NATS is lost")]
    ConnectionLost,
    #[error("an event was not stored by NATS: {0}; if this lasts, look whether its disk is full, and start it again")]
    Publish(PublishError),
    #[error(
        "the NATS stream {STREAM} cannot be read: {0}; if this lasts, look whether its disk is full, and start it again"
    )]
    Stream(BoxError),
    #[error("reading the log ended")]
    Reading,
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        Self::Stream(error)
    }
}

impl Failure {
    fn of_publish(error: PublishError, position: Position) -> Self {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Self::TooLarge(position),
            PublishErrorKind::WrongLastSequence | PublishErrorKind::StreamNotFound => Self::Moved,
            _ => Self::Publish(error),
        }
    }

    /// Whether only an operator can help.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Foreign(_) | Self::Unreadable(_) | Self::TooLarge(_))
    }
}

impl Relay {
    async fn run(self) {
        let (mut backoff, mut failures, mut confirmed) = (self.nats.backoff(), 0, None);
        while !self.nats.is_gone() {
            let before = *self.reached.borrow();
            let Err(failure) = self.session(&mut backoff, &mut confirmed).await;
            metrics::counter!("kith_relay_resumes_total").increment(1);
            failures = match failure {
                Failure::Publish(_) | Failure::Stream(_) if *self.reached.borrow() <= before => failures + 1,
                _ => 0,
            };
            if failures >= STUCK_AFTER {
                failures = 0;
                self.nats.stuck();
            }
            let wait = if failure.is_lasting() { FOREIGN_RETRY } else { backoff.next() };
            match failure {
                Failure::Moved => debug!("{failure}"), // expected: another relay was faster, or the stream was deleted
                _ => self.part.stopped(failure.to_string()),
            }
            sleep(wait).await;
        }
    }

    /// Finds out where the stream ends and publishes from there, until something fails.
    async fn session(&self, backoff: &mut Backoff, confirmed: &mut Option<Tail>) -> Result<Infallible, Failure> {
        let epoch = self.nats.connected().await;
        let tail = self.tail(confirmed.take()).await?;
        debug!(sequence = tail.sequence, position = tail.position.0, "the relay goes on");
        self.part.running();
        self.at(tail.position);
        *confirmed = Some(tail);
        let publishing = Publishing::new(self, tail, backoff, confirmed);
        tokio::select! {
            failure = publishing.run() => failure,
            () = self.nats.lost(epoch) => Err(Failure::ConnectionLost),
        }
    }

    #[allow(clippy::cast_precision_loss)] // exact up to 2^53 events
    fn at(&self, position: Position) {
        self.position.set(position.0 as f64);
        self.reached.send_replace(position);
    }

    /// The end of the stream, checked against the log; also what came after that which was `confirmed` last, since of a
    /// train only the ends are acknowledged.
    async fn tail(&self, confirmed: Option<Tail>) -> Result<Tail, Failure> {
        let stream = self.nats.stream().await?;
        let state = &stream.cached_info().state;
        let sequence = state.last_sequence;
        if state.messages == 0 {
            return Ok(Tail::without_event(sequence));
        }
        let first = state.first_sequence.max(1);
        let mut at = sequence;
        let last = loop {
            let message = stream.get_raw_message(at).await.map_err(|error| Failure::Stream(error.into()))?;
            match cloud_event::decode(Some(&message.headers), message.payload) {
                Ok((event, _)) => break event,
                // Whoever put it there: it is passed over.
                Err(_) if at > first && sequence - at < GARBAGE_MAX => at -= 1,
                Err(_) if at == first => return Ok(Tail::without_event(sequence)),
                Err(error) => return Err(Failure::Unreadable(error)),
            }
        };
        let since = confirmed.map_or(at, |confirmed| confirmed.sequence + 1).max(first);
        for sequence in (since..at).take(IN_FLIGHT_MAX) {
            let message = stream.get_raw_message(sequence).await.map_err(|error| Failure::Stream(error.into()))?;
            if let Ok((event, _)) = cloud_event::decode(Some(&message.headers), message.payload) {
                self.must_have(&event).await?;
            }
        }
        self.must_have(&last).await?;
        Ok(Tail { sequence, position: last.position })
    }

    async fn must_have(&self, event: &Recorded) -> Result<(), Failure> {
        match self.log.at(event.position).await? {
            Some(there) if there.digest() == event.digest() => Ok(()),
            _ => Err(Failure::Foreign(event.position)),
        }
    }

    /// Nobody announces that a stream was deleted; without events to publish it would stay empty.
    async fn look(&self, left: Tail) -> Result<(), Failure> {
        let sequence = self.nats.stream().await?.cached_info().state.last_sequence;
        if sequence == left.sequence { Ok(()) } else { Err(Failure::Moved) }
    }
}

/// The acknowledgement awaited for one train.
type Ack = BoxFuture<'static, (Train, Result<PublishAck, PublishError>)>;

/// Messages of which the last is acknowledged.
#[derive(Debug, Clone, Copy)]
struct Train {
    messages: usize,
    last: Tail,
}

/// Publishing from the end of the stream on, many messages at a time.
struct Publishing<'a> {
    relay: &'a Relay,
    client: Client,
    backoff: &'a mut Backoff,
    /// Where the stream ended when it was as it must be.
    confirmed: &'a mut Option<Tail>,
    events: ReadAhead,
    /// Read, not yet published.
    waiting: VecDeque<Recorded>,
    /// Published, not yet acknowledged, in order.
    in_flight: FuturesOrdered<Ack>,
    /// How many messages that is.
    unacknowledged: usize,
    /// Messages in a train: one at first, because only the acknowledgement of a message says what is wrong with it.
    train_max: usize,
    /// Where the stream ends once all in flight is stored.
    tail: Tail,
}

impl<'a> Publishing<'a> {
    fn new(relay: &'a Relay, tail: Tail, backoff: &'a mut Backoff, confirmed: &'a mut Option<Tail>) -> Self {
        let events = ReadAhead::follow(relay.log.clone(), tail.position);
        let (waiting, in_flight) = (VecDeque::new(), FuturesOrdered::new());
        let client = relay.nats.jetstream().client();
        Self { relay, client, backoff, confirmed, events, waiting, in_flight, unacknowledged: 0, train_max: 1, tail }
    }

    async fn run(mut self) -> Result<Infallible, Failure> {
        loop {
            self.publish_waiting().await?;
            let idle = self.in_flight.is_empty();
            tokio::select! {
                biased;
                Some((train, ack)) = self.in_flight.next() => self.confirm_all(train, ack)?,
                events = self.events.next(), if self.waiting.is_empty() => {
                    self.waiting = events.ok_or(Failure::Reading)??.into();
                }
                () = sleep(LOOK_EVERY), if idle => self.relay.look(self.tail).await?,
            }
        }
    }

    async fn publish_waiting(&mut self) -> Result<(), Failure> {
        // Alone, the first shows whether somebody else published since the last.
        let mut train_max = 1;
        while !self.waiting.is_empty() && self.unacknowledged < IN_FLIGHT_MAX {
            let messages = self.waiting.len().min(train_max).min(IN_FLIGHT_MAX - self.unacknowledged);
            train_max = self.train_max;
            for _ in 1..messages {
                let event = self.waiting.pop_front().expect("as many as were counted");
                self.publish(event).await?;
            }
            let last = self.waiting.pop_front().expect("as many as were counted");
            let ack = self.publish_acknowledged(last).await?;
            let train = Train { messages, last: self.tail };
            self.in_flight.push_back(ack.into_future().map(move |ack| (train, ack)).boxed());
            self.unacknowledged += messages;
        }
        Ok(())
    }

    /// Publishes an event; whether it was stored, the acknowledgement of a later one says.
    async fn publish(&mut self, event: Recorded) -> Result<(), Failure> {
        let headers = self.headers_of_next(&event);
        let sent =
            self.client.publish_with_headers(cloud_event::subject(&event), headers, Bytes::clone(&event.data)).await;
        sent.map_err(|error| match error.kind() {
            client::PublishErrorKind::MaxPayloadExceeded => Failure::TooLarge(event.position),
            _ => Failure::Stream(error.into()),
        })
    }

    async fn publish_acknowledged(&mut self, event: Recorded) -> Result<PublishAckFuture, Failure> {
        let message = PublishMessage::build().headers(self.headers_of_next(&event)).payload(Bytes::clone(&event.data));
        let sent = self.relay.nats.jetstream().send_publish(cloud_event::subject(&event), message).await;
        sent.map_err(|error| Failure::of_publish(error, event.position))
    }

    /// The headers of the message after the tail, which becomes the tail.
    fn headers_of_next(&mut self, event: &Recorded) -> HeaderMap {
        let mut headers = cloud_event::headers(event, self.tail.position);
        headers.insert(header::NATS_EXPECTED_LAST_SEQUENCE, self.tail.sequence.to_string());
        self.tail = Tail { sequence: self.tail.sequence + 1, position: event.position };
        headers
    }

    /// Takes the acknowledgement, and all others that have arrived.
    fn confirm_all(&mut self, train: Train, ack: Result<PublishAck, PublishError>) -> Result<(), Failure> {
        let mut confirmed = confirm(train, ack)?;
        while let Some(Some((train, ack))) = self.in_flight.next().now_or_never() {
            let Train { messages, last } = confirm(train, ack)?;
            confirmed = Train { messages: confirmed.messages + messages, last };
        }
        self.unacknowledged -= confirmed.messages;
        self.train_max = TRAIN_MAX;
        self.relay.published.increment(confirmed.messages as u64);
        self.relay.at(confirmed.last.position);
        *self.confirmed = Some(confirmed.last);
        self.backoff.reset();
        Ok(())
    }
}

/// Stored where it belongs, now. If it was before, by another relay or by who forges, the stream is read again.
fn confirm(train: Train, ack: Result<PublishAck, PublishError>) -> Result<Train, Failure> {
    let ack = ack.map_err(|error| Failure::of_publish(error, train.last.position))?;
    if ack.sequence == train.last.sequence && !ack.duplicate { Ok(train) } else { Err(Failure::Moved) }
}
