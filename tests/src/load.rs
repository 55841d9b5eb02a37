//! Commands sent as fast as they are answered, over many connections, with the time that each took.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use tokio::task::JoinSet;

use crate::{
    http::{Answer, Client},
    simulation::{Command, Expected},
};

/// Longest latency that is told from longer ones, in microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;
/// Digits of a latency that are kept.
const LATENCY_DIGITS: u8 = 3;

/// Latencies.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_max(LATENCY_MAX_US, LATENCY_DIGITS).expect("bounds and digits fit"))
    }
}

impl Latencies {
    /// Keeps one.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX_US));
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        self.0.add(&others.0).expect("both have the same bounds");
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// That which so many of a hundred do not exceed, in milliseconds.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        millis(self.0.value_at_percentile(percent))
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }
}

fn millis(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}

/// What came of playing.
#[derive(Debug, Default)]
pub struct Played {
    /// Of each command; the number of commands is theirs.
    pub latencies: Latencies,
    /// Up to where to read to see all effects.
    pub position: u64,
    /// From the first command to the last answer.
    pub took: Duration,
}

impl Played {
    /// Commands per second.
    pub fn per_second(&self) -> f64 {
        per_second(self.latencies.count(), self.took)
    }

    fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.position = self.position.max(other.position);
    }
}

/// So many in this time, per second.
#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
pub fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(f64::EPSILON)
}

type Queue = Arc<Mutex<VecDeque<Vec<Command>>>>;

/// Plays scripts over so many connections, each script in order on one of them, and moves `bar` by one for each
/// command.
///
/// # Errors
/// At the first answer that is not as expected.
pub async fn play(
    (address, token): (SocketAddr, &str),
    connections: usize,
    mut scripts: Vec<Vec<Command>>,
    bar: &ProgressBar,
) -> anyhow::Result<Played> {
    // The longest first, so that all connections end at about the same time.
    scripts.sort_by_key(|script| std::cmp::Reverse(script.len()));
    let queue: Queue = Arc::new(Mutex::new(scripts.into()));
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..connections.max(1) {
        workers.spawn(work(Client::new(address, token), queue.clone(), bar.clone()));
    }
    let mut played = Played::default();
    while let Some(part) = workers.join_next().await {
        played.add(&part.context("a connection's task ended")??);
    }
    played.took = started.elapsed();
    Ok(played)
}

async fn work(mut client: Client, queue: Queue, bar: ProgressBar) -> anyhow::Result<Played> {
    let mut played = Played::default();
    let next = || queue.lock().expect("nothing panics while it is held").pop_front();
    while let Some(script) = next() {
        for command in script {
            let sent = Instant::now();
            let answer = client.command(command.method.clone(), &command.path, &command.key, &command.body).await?;
            played.latencies.record(sent.elapsed());
            played.position = played.position.max(answer.position.unwrap_or_default());
            check(&command, &answer)?;
            bar.inc(1);
        }
    }
    Ok(played)
}

/// Whether a command was answered as it must be.
///
/// # Errors
/// If not, says both.
pub fn check(command: &Command, answer: &Answer) -> anyhow::Result<()> {
    let repeated = answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true");
    let fits = match command.expected {
        Expected::Done => answer.status.is_success() && !repeated,
        Expected::Repeated => answer.status.is_success() && repeated,
        Expected::Refused(code) => answer.problem().as_deref() == Some(code),
    };
    if !fits {
        let body = String::from_utf8_lossy(&answer.body);
        bail!("{command:?} was answered {}{}: {body}", answer.status, if repeated { ", repeated" } else { "" });
    }
    Ok(())
}
