//! The way of the events to those who read them: views, the facts.
//!
//! A [`Subscriber`] keeps its own checkpoint, with its work, in one transaction. That, and not what NATS remembers of
//! it, decides what it gets: what it has is skipped, what is missing is read from the log. So whatever NATS does, lose,
//! repeat or reorder, every event is applied once and in order.
//!
//! Consuming goes in sessions. Each begins by catching up with the log and then follows the stream; whatever fails ends
//! the session, and the next one begins after a while.

use std::{convert::Infallible, mem, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::{EventLog, LogError, Position, Recorded};
use futures::{FutureExt, StreamExt};
use metrics::Counter;
use tokio::{
    sync::{Notify, watch},
    task::unconstrained,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{BoxError, Bus, Frame, Frames, Health, Part, STREAM, backoff::Backoff, cloud_event, read_ahead::ReadAhead};

/// Events given to a subscriber at once, at most.
pub const BATCH_EVENTS_MAX: usize = 2_000;
/// Longest [`ConsumeOptions::linger`].
pub const LINGER_MAX: Duration = Duration::from_secs(1);
/// When an event that cannot be applied is tried again by itself.
pub const POISON_RETRY: Duration = Duration::from_secs(30);

/// An event announced by the log that the stream does not bring within this time is read from the log.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// Longest wait for NATS; then the log is read again, so that a view follows it, if slowly, even without NATS.
const NATS_WITHIN: Duration = Duration::from_secs(10);
/// How often a long catching up is logged.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// One reader of the log that keeps its own checkpoint.
#[async_trait]
pub trait Subscriber: Send {
    /// Name of the durable consumer, the part in [`Health`] and the label in metrics: letters, digits, `-` and `_`.
    /// Only one subscriber at a time may have it.
    fn name(&self) -> &'static str;

    /// Position of the last event applied; [`Position::START`] if there is none.
    fn checkpoint(&self) -> Position;

    /// Applies events, which follow the checkpoint in order, and moves the checkpoint to the last: both durable in one
    /// step, or neither. At most [`BATCH_EVENTS_MAX`] events, five times as many while catching up, without metadata.
    ///
    /// # Errors
    /// If nothing was applied.
    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), ApplyError>;

    /// Has applied all that the log held; from now on events come as they happen. Time for what is cheaper done once.
    ///
    /// # Errors
    /// If it was not done; it is asked for again.
    async fn caught_up(&mut self) -> Result<(), ApplyError> {
        Ok(())
    }
}

/// Events that were not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// One of them cannot be applied: the subscriber stands still at it.
    #[error("the event {event_type} {id} at position {position} cannot be applied: {why}")]
    Event {
        /// Of the event.
        position: Position,
        /// Of the event.
        id: Uuid,
        /// Of the event.
        event_type: String,
        /// What is wrong with it.
        why: String,
    },
    /// They cannot be stored now.
    #[error("events cannot be stored: {0}")]
    Store(String),
}

/// How to consume.
#[derive(Debug, Clone, Default)]
pub struct ConsumeOptions {
    /// How long to wait for more events after the first: zero for the lowest latency, up to [`LINGER_MAX`] for fewer
    /// and larger batches.
    pub linger: Duration,
    /// Which of several processes this is, if there may be several with such a subscriber, each with work of its own:
    /// letters, digits, `-` and `_`. The durable consumers of processes that are gone are forgotten after a day.
    pub instance: Option<String>,
    /// Cuts the linger short.
    pub flush: Arc<Notify>,
    /// Tries at once what would only be tried again after a while, above all an event that could not be applied.
    pub retry: Arc<Notify>,
}

/// Brings every event of `log` to `subscriber`, once and in order, until `cancel`. Shows itself in `health` under the
/// subscriber's name, with its checkpoint.
pub async fn consume(
    subscriber: Box<dyn Subscriber>,
    log: Arc<dyn EventLog>,
    bus: Arc<dyn Bus>,
    options: ConsumeOptions,
    health: Health,
    cancel: CancellationToken,
) {
    Consumer::new(subscriber, log, bus, options, &health, cancel).run().await;
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it was asked to end")]
    Cancelled,
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "the checkpoint is at position {0}, where the log does not reach: the log was replaced or cut off; \
         if the log is right, what was built from the former one must be deleted and rebuilt"
    )]
    LogReplaced(Position),
    #[error(
        "the NATS stream {STREAM} holds an event at position {0} that this log does not have: the log was replaced or \
         cut off, or the stream belongs to another Kith"
    )]
    StreamAhead(Position),
    #[error("the log announced events up to position {0} that the stream does not bring")]
    Stalled(Position),
    #[error("the events in NATS cannot be read: {0}")]
    Nats(BoxError),
}

impl Ended {
    fn nats(error: impl Into<BoxError>) -> Self {
        Self::Nats(error.into())
    }

    /// How long to wait before the next session.
    fn wait(&self, backoff: &mut Backoff) -> Duration {
        match self {
            Self::Apply(ApplyError::Event { .. }) | Self::LogReplaced(_) | Self::StreamAhead(_) => POISON_RETRY,
            Self::Stalled(_) => Duration::ZERO,
            _ => backoff.next(),
        }
    }
}

struct Consumer {
    subscriber: Box<dyn Subscriber>,
    log: Arc<dyn EventLog>,
    bus: Arc<dyn Bus>,
    options: ConsumeOptions,
    cancel: CancellationToken,
    part: Part,
    reached: watch::Sender<Position>,
    /// An event that could not be applied: those before it are applied without it.
    poison: Option<Position>,
    backoff: Backoff,
    metrics: Metrics,
}

struct Metrics {
    applied: Counter,
    duplicates: Counter,
    gaps: Counter,
    unreadable: Counter,
    position: metrics::Gauge,
}

impl Metrics {
    fn new(consumer: &'static str) -> Self {
        Self {
            applied: metrics::counter!("kith_consumer_applied_total", "consumer" => consumer),
            duplicates: metrics::counter!("kith_consumer_duplicates_total", "consumer" => consumer),
            gaps: metrics::counter!("kith_consumer_gaps_total", "consumer" => consumer),
            unreadable: metrics::counter!("kith_consumer_unreadable_total", "consumer" => consumer),
            position: metrics::gauge!("kith_consumer_position", "consumer" => consumer),
        }
    }
}

impl Consumer {
    fn new(
        subscriber: Box<dyn Subscriber>,
        log: Arc<dyn EventLog>,
        bus: Arc<dyn Bus>,
        options: ConsumeOptions,
        health: &Health,
        cancel: CancellationToken,
    ) -> Self {
        let name = subscriber.name();
        let part = health.part(name);
        let reached = part.sender();
        reached.send_replace(subscriber.checkpoint());
        let (metrics, backoff) = (Metrics::new(name), Backoff::new());
        Self { subscriber, log, bus, options, cancel, part, reached, poison: None, backoff, metrics }
    }

    async fn run(mut self) {
        loop {
            let Err(ended) = self.session().await;
            if let Ended::Cancelled = ended {
                break;
            }
            if !self.isolate(&ended) && !self.pause(&ended).await {
                break;
            }
        }
        self.bus.flush().await; // the last acknowledgements
    }

    /// Whether an event failed that was not known to: then those before it are to be applied at once, without it.
    fn isolate(&mut self, ended: &Ended) -> bool {
        let Ended::Apply(ApplyError::Event { position, .. }) = ended else { return false };
        self.poison.replace(*position) != Some(*position)
    }

    /// Waits before the next session, and says why. False if it is time to end.
    async fn pause(&mut self, ended: &Ended) -> bool {
        if let Ended::Stalled(position) = ended {
            warn!(consumer = self.subscriber.name(), %position, "{ended}; reading it from the log");
        } else {
            self.part.stopped(ended.to_string());
        }
        let wait = ended.wait(&mut self.backoff);
        let waited = async {
            tokio::select! { biased; () = sleep(wait) => (), () = self.options.retry.notified() => () }
        };
        self.cancel.run_until_cancelled(waited).await.is_some()
    }

    async fn session(&mut self) -> Result<Infallible, Ended> {
        self.check_log().await?;
        let head = *self.log.head().borrow();
        self.catch_up(head).await?;
        self.subscriber.caught_up().await?;
        let mut messages = self.subscribe().await?;
        self.part.running();
        loop {
            let batch = self.next_batch(&mut messages).await?;
            self.take(batch).await?;
            self.backoff.reset();
        }
    }

    /// Does what may take long, or ends when asked to. Never used around `apply`, which must not be torn.
    async fn unless_cancelled<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Ended> {
        cancel.run_until_cancelled(work).await.ok_or(Ended::Cancelled)
    }

    /// Whether the log has what was applied from it.
    async fn check_log(&mut self) -> Result<(), Ended> {
        let checkpoint = self.subscriber.checkpoint();
        if checkpoint == Position::START {
            return Ok(());
        }
        let there = Self::unless_cancelled(&self.cancel, self.log.at(checkpoint)).await??;
        if there.is_none() { Err(Ended::LogReplaced(checkpoint)) } else { Ok(()) }
    }

    /// Applies the log up to `until`, reading while applying.
    async fn catch_up(&mut self, until: Position) -> Result<(), Ended> {
        let mut progress = Progress::new(self.subscriber.name(), self.subscriber.checkpoint(), until);
        let mut batches = ReadAhead::until(self.log.clone(), self.subscriber.checkpoint(), until);
        while let Some(events) = Self::unless_cancelled(&self.cancel, batches.next()).await? {
            let mut events = events?;
            for event in &mut events {
                event.metadata = Bytes::new(); // as if it had come over NATS
            }
            self.apply_around_poison(events).await?;
            progress.at(self.subscriber.checkpoint());
        }
        Ok(())
    }

    async fn apply_around_poison(&mut self, mut events: Vec<Recorded>) -> Result<(), Ended> {
        let Some(poison) = self.poison else { return self.apply(events).await };
        let rest = events.split_off(events.partition_point(|event| event.position < poison));
        self.apply(events).await?;
        self.apply(rest).await
    }

    async fn apply(&mut self, events: Vec<Recorded>) -> Result<(), Ended> {
        let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
        let count = events.len() as u64;
        self.subscriber.apply(events).await?;
        let checkpoint = self.subscriber.checkpoint();
        if checkpoint != last {
            let why = format!("the checkpoint is at position {checkpoint} after the event at {last} was applied");
            return Err(ApplyError::Store(why).into());
        }
        self.poison.take_if(|poison| *poison <= last);
        self.metrics.applied.increment(count);
        #[allow(clippy::cast_precision_loss)] // exact up to 2^53 events
        self.metrics.position.set(last.0 as f64);
        self.reached.send_replace(last);
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<Frames, Ended> {
        let (name, checkpoint) = (self.subscriber.name(), self.subscriber.checkpoint());
        let subscribing = self.bus.subscribe(name, self.options.instance.as_deref(), checkpoint);
        let subscribed = Self::unless_cancelled(&self.cancel, timeout(NATS_WITHIN, subscribing)).await?;
        subscribed.map_err(Ended::nats)?.map_err(Ended::Nats)
    }

    /// Waits for a message and takes what else is there, or comes within the linger.
    async fn next_batch(&mut self, messages: &mut Frames) -> Result<Vec<Frame>, Ended> {
        let first = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Ended::Cancelled),
            message = messages.next() => received(message)?,
            position = stalled(self.log.head(), self.subscriber.checkpoint()) => return Err(Ended::Stalled(position)),
        };
        let mut batch = vec![first];
        let deadline = Instant::now() + self.options.linger.min(LINGER_MAX);
        loop {
            take_what_is_there(messages, &mut batch)?;
            if batch.len() >= BATCH_EVENTS_MAX || Instant::now() >= deadline {
                return Ok(batch);
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                message = messages.next() => batch.push(received(message)?),
                () = sleep_until(deadline) => (),
                () = self.options.flush.notified() => return take_what_is_there(messages, &mut batch).map(|()| batch),
            }
        }
    }

    /// Applies what is new in the messages and acknowledges them all, once it is durable.
    async fn take(&mut self, messages: Vec<Frame>) -> Result<(), Ended> {
        let mut events = Vec::with_capacity(messages.len());
        let mut taken = self.subscriber.checkpoint();
        for message in &messages {
            match message.event() {
                Ok((event, _)) if event.position <= taken => self.metrics.duplicates.increment(1),
                Ok((event, previous)) if previous == taken => {
                    taken = event.position;
                    events.push(event);
                }
                Ok((event, previous)) => {
                    self.apply(mem::take(&mut events)).await?;
                    self.fill_gap(previous, event.position).await?;
                    taken = event.position;
                }
                Err(error) => self.skip_unreadable(message, &error),
            }
        }
        self.apply(events).await?;
        let acknowledged = timeout(NATS_WITHIN, acknowledge(&messages));
        Self::unless_cancelled(&self.cancel, acknowledged).await?.map_err(Ended::nats)?
    }

    /// Applies the log up to the event `at`, which did not follow the one before it.
    async fn fill_gap(&mut self, previous: Position, at: Position) -> Result<(), Ended> {
        let checkpoint = self.subscriber.checkpoint();
        info!(consumer = self.subscriber.name(), %checkpoint, %previous, %at, "a gap is filled from the log");
        self.metrics.gaps.increment(1);
        self.catch_up(at).await?;
        if self.subscriber.checkpoint() == at { Ok(()) } else { Err(Ended::StreamAhead(at)) }
    }

    /// Skipping is safe: had it been an event, the next one would show the gap.
    fn skip_unreadable(&self, message: &Frame, error: &cloud_event::MessageError) {
        self.metrics.unreadable.increment(1);
        let (consumer, subject) = (self.subscriber.name(), message.subject());
        warn!(consumer, subject, %error, "a message that is not an event of Kith is skipped");
    }
}

/// Ends when the log has announced something for a while and nothing came.
async fn stalled(head: watch::Receiver<Position>, checkpoint: Position) -> Position {
    loop {
        let announced = *head.borrow();
        sleep(STALLED_AFTER).await;
        if checkpoint < announced {
            return announced;
        }
    }
}

fn received(message: Option<Result<Frame, BoxError>>) -> Result<Frame, Ended> {
    message.ok_or_else(|| Ended::nats("the messages ended"))?.map_err(Ended::Nats)
}

fn take_what_is_there(messages: &mut Frames, batch: &mut Vec<Frame>) -> Result<(), Ended> {
    while batch.len() < BATCH_EVENTS_MAX {
        // Without `unconstrained`, tokio would pretend after 128 messages that there are no more.
        let Some(message) = unconstrained(messages.next()).now_or_never() else { break };
        batch.push(received(message)?);
    }
    Ok(())
}

/// The last message acknowledges all before it.
async fn acknowledge(messages: &[Frame]) -> Result<(), Ended> {
    match messages.last() {
        Some(last) => last.acknowledge().await.map_err(Ended::Nats),
        None => Ok(()),
    }
}

/// Tells now and then how far a long catching up is.
struct Progress {
    consumer: &'static str,
    from: Position,
    until: Position,
    since: Instant,
    told: Instant,
}

impl Progress {
    fn new(consumer: &'static str, from: Position, until: Position) -> Self {
        let now = Instant::now();
        Self { consumer, from, until, since: now, told: now }
    }

    fn at(&mut self, position: Position) {
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            let Self { consumer, from, until, since, .. } = self;
            let seconds = since.elapsed().as_secs();
            info!(consumer, %from, at = %position, %until, seconds, "catching up with the log");
        }
    }
}
