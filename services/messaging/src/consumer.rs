//! The way of the events to those who read them: views, the facts.
//!
//! A [`Subscriber`] keeps its own checkpoint, with its work, in one transaction; that decides what it gets. NATS says when
//! there is more ([`crate::hear`]), the log says what: so every event is applied once and in order, and none that did not
//! happen, whatever NATS does.
//!
//! Consuming goes in sessions. Each begins by catching up with the log; whatever fails ends the session, and the next one
//! begins after a while.

use std::{convert::Infallible, error::Error, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::{EventLog, LogError, Position, Recorded};
use metrics::Counter;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{Health, Part, backoff::Backoff, read_ahead::ReadAhead};

/// Events given to a subscriber at once, at most: a view that is far behind writes each page once for many of them.
pub const BATCH_EVENTS_MAX: usize = 10_000;
/// Longest [`ConsumeOptions::linger`].
pub const LINGER_MAX: Duration = Duration::from_secs(1);
/// When an event that cannot be applied is tried again by itself.
pub const POISON_RETRY: Duration = Duration::from_secs(30);

/// Whatever the log has had for so long is read from it, though NATS says nothing.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How often a long catching up is logged.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// One reader of the log that keeps its own checkpoint.
#[async_trait]
pub trait Subscriber: Send {
    /// Name of the part in [`Health`] and label in metrics: letters, digits, `-` and `_`. Only one subscriber at a time may
    /// have it.
    fn name(&self) -> &'static str;

    /// Position of the last event applied; [`Position::START`] if there is none.
    fn checkpoint(&self) -> Position;

    /// [`Recorded::digest`] of the event at the checkpoint, kept with it; none if that is not known. By it a log that was
    /// replaced is found.
    fn last_applied(&self) -> Option<[u8; 32]>;

    /// Applies events, which follow the checkpoint in order, and moves the checkpoint to the last: both durable in one
    /// step, or neither. At most [`BATCH_EVENTS_MAX`] events, without metadata.
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

impl ApplyError {
    /// This event cannot be applied.
    pub fn event(event: &Recorded, why: &dyn Error) -> Self {
        let event_type = event.event_type.to_string();
        Self::Event { position: event.position, id: event.id, event_type, why: in_full(why) }
    }

    /// Events cannot be stored now.
    pub fn store(why: &dyn Error) -> Self {
        Self::Store(in_full(why))
    }
}

/// An error and what caused it, on one line.
fn in_full(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// How to consume.
#[derive(Debug, Clone, Default)]
pub struct ConsumeOptions {
    /// How long to wait for more events after the first: zero for the lowest latency, up to [`LINGER_MAX`] for fewer
    /// and larger batches.
    pub linger: Duration,
    /// Cuts the linger short.
    pub flush: Arc<Notify>,
    /// Tries at once what would only be tried again after a while, above all an event that could not be applied.
    pub retry: Arc<Notify>,
    /// Drawn for each consumer: who loses the same log as others comes back to it at another time.
    pub jitter: u64,
}

/// Brings every event of `log` to `subscriber`, once and in order, until `cancel` or until nothing more can be `heard`
/// (see [`crate::hear`]). Shows itself in `health` under the subscriber's name, with its checkpoint.
pub async fn consume(
    subscriber: Box<dyn Subscriber>,
    log: Arc<dyn EventLog>,
    heard: watch::Receiver<Position>,
    options: ConsumeOptions,
    health: Health,
    cancel: CancellationToken,
) {
    Consumer::new(subscriber, log, heard, options, &health, cancel).run().await;
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
        "the checkpoint is at position {0}, where the log does not reach: the log was replaced or cut off; if the log is \
         right, what was built must be deleted and rebuilt"
    )]
    LogReplaced(Position),
    #[error(
        "what was applied at position {0} is not what the log has there: the log was replaced; if the log is right, what \
         was built must be deleted and rebuilt"
    )]
    OtherEvent(Position),
    #[error("the connection to NATS is gone")]
    Gone,
}

impl Ended {
    /// How long to wait before the next session.
    fn wait(&self, backoff: &mut Backoff) -> Duration {
        match self {
            Self::Apply(ApplyError::Event { .. }) | Self::LogReplaced(_) | Self::OtherEvent(_) => POISON_RETRY,
            _ => backoff.next(),
        }
    }
}

struct Consumer {
    subscriber: Box<dyn Subscriber>,
    log: Arc<dyn EventLog>,
    heard: watch::Receiver<Position>,
    options: ConsumeOptions,
    cancel: CancellationToken,
    part: Part,
    reached: watch::Sender<Position>,
    /// An event that could not be applied: those before it are applied without it.
    poison: Option<Position>,
    /// Whether NATS did not say of what was applied last that it is there.
    silent: bool,
    backoff: Backoff,
    metrics: Metrics,
}

struct Metrics {
    applied: Counter,
    silent: Counter,
    position: metrics::Gauge,
}

impl Metrics {
    fn new(consumer: &'static str) -> Self {
        Self {
            applied: metrics::counter!("kith_consumer_applied_total", "consumer" => consumer),
            silent: metrics::counter!("kith_consumer_silent_total", "consumer" => consumer),
            position: metrics::gauge!("kith_consumer_position", "consumer" => consumer),
        }
    }
}

impl Consumer {
    fn new(
        subscriber: Box<dyn Subscriber>,
        log: Arc<dyn EventLog>,
        heard: watch::Receiver<Position>,
        options: ConsumeOptions,
        health: &Health,
        cancel: CancellationToken,
    ) -> Self {
        let name = subscriber.name();
        let part = health.part(name);
        let reached = part.sender();
        reached.send_replace(subscriber.checkpoint());
        let (metrics, backoff) = (Metrics::new(name), Backoff::new(options.jitter));
        Self { subscriber, log, heard, options, cancel, part, reached, poison: None, silent: false, backoff, metrics }
    }

    async fn run(mut self) {
        loop {
            let Err(ended) = self.session().await;
            if matches!(ended, Ended::Cancelled | Ended::Gone) {
                break;
            }
            if !self.isolate(&ended) && !self.pause(&ended).await {
                break;
            }
        }
    }

    /// Whether an event failed that was not known to: then those before it are to be applied at once, without it.
    fn isolate(&mut self, ended: &Ended) -> bool {
        let Ended::Apply(ApplyError::Event { position, .. }) = ended else { return false };
        self.poison.replace(*position) != Some(*position)
    }

    /// Waits before the next session, and says why. False if it is time to end.
    async fn pause(&mut self, ended: &Ended) -> bool {
        self.part.stopped(ended.to_string());
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
        self.part.running();
        loop {
            self.more().await?;
            linger(&self.options, &self.cancel).await?;
            let head = *self.log.head().borrow();
            self.catch_up(head).await?;
            self.backoff.reset();
        }
    }

    /// Does what may take long, or ends when asked to. Never used around `apply`, which must not be torn.
    async fn unless_cancelled<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Ended> {
        cancel.run_until_cancelled(work).await.ok_or(Ended::Cancelled)
    }

    /// Whether the log has what was applied last.
    async fn check_log(&mut self) -> Result<(), Ended> {
        let checkpoint = self.subscriber.checkpoint();
        if checkpoint == Position::START {
            return Ok(());
        }
        let there = Self::unless_cancelled(&self.cancel, self.log.at(checkpoint)).await??;
        let Some(there) = there else { return Err(Ended::LogReplaced(checkpoint)) };
        let other = self.subscriber.last_applied().is_some_and(|applied| applied != there.digest());
        if other { Err(Ended::OtherEvent(checkpoint)) } else { Ok(()) }
    }

    /// Applies the log up to `until`, reading while applying.
    async fn catch_up(&mut self, until: Position) -> Result<(), Ended> {
        let mut progress = Progress::new(self.subscriber.name(), self.subscriber.checkpoint(), until);
        let mut batches = ReadAhead::until(self.log.clone(), self.subscriber.checkpoint(), until);
        while let Some(events) = Self::unless_cancelled(&self.cancel, batches.next()).await? {
            let mut events = events?;
            for event in &mut events {
                event.metadata = Bytes::new(); // says who acted: that stays in the log
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

    /// Waits until NATS says that there is more and the log has it, or until the log has had it for a while.
    async fn more(&mut self) -> Result<(), Ended> {
        let (checkpoint, mut head) = (self.subscriber.checkpoint(), self.log.head());
        let mut silence = pin!(silence(head.clone(), checkpoint));
        loop {
            let (said, there) = (*self.heard.borrow_and_update(), *head.borrow_and_update());
            if said.min(there) > checkpoint {
                self.silent = false;
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                changed = self.heard.changed() => changed.map_err(|_| Ended::Gone)?,
                // Another process wrote it, and this one does not know of it yet.
                Ok(()) = head.changed(), if said > there => (),
                () = silence.as_mut() => {
                    if !std::mem::replace(&mut self.silent, true) {
                        let consumer = self.subscriber.name();
                        warn!(consumer, %checkpoint, "NATS does not say what the log has: it is followed without, later");
                    }
                    self.metrics.silent.increment(1);
                    return Ok(());
                }
            }
        }
    }
}

/// Waits for what else may come.
async fn linger(options: &ConsumeOptions, cancel: &CancellationToken) -> Result<(), Ended> {
    let linger = options.linger.min(LINGER_MAX);
    if linger.is_zero() {
        return Ok(());
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Ended::Cancelled),
        () = options.flush.notified() => Ok(()),
        () = sleep(linger) => Ok(()),
    }
}

/// Ends when the log has had something for a while that is not applied.
async fn silence(head: watch::Receiver<Position>, checkpoint: Position) {
    loop {
        let there = *head.borrow();
        sleep(SILENT_FOR).await;
        if checkpoint < there {
            return;
        }
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
