//! Keeps what runs running: whoever ends before their time is started again, or the process ends. Both show.

use std::time::Duration;

use messaging::{Health, Part};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Shortest and longest wait before a part that ended is started again.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// A part that ran for so long had recovered: the next wait is short.
const RECOVERED_AFTER: Duration = Duration::from_mins(1);

/// The parts of a process.
#[derive(Debug)]
pub struct Supervisor {
    health: Health,
    end: CancellationToken,
    parts: JoinSet<()>,
    fallen: watch::Sender<Option<String>>,
}

impl Supervisor {
    /// Of no part yet. They show themselves in `health`.
    pub fn new(health: Health) -> Self {
        Self { health, end: CancellationToken::new(), parts: JoinSet::new(), fallen: watch::Sender::new(None) }
    }

    /// By which parts are asked to end.
    pub fn end(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Keeps a part: `start` begins it, and begins it anew whenever it ends or panics before the end was asked for.
    /// Meanwhile it shows as stopped; that it runs it says itself.
    pub fn keep<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        name: &'static str,
        mut start: impl FnMut(Part) -> F + Send + 'static,
    ) {
        let (part, end) = (self.health.part(name), self.end.clone());
        self.parts.spawn(async move {
            let mut wait = AGAIN_AFTER.0;
            loop {
                let started = Instant::now();
                let ended = AbortOnDropHandle::new(tokio::spawn(start(part.clone()))).await;
                if end.is_cancelled() {
                    return;
                }
                if started.elapsed() >= RECOVERED_AFTER {
                    wait = AGAIN_AFTER.0;
                }
                metrics::counter!("kith_restarts_total", "part" => name).increment(1);
                part.stopped(format!("it {} and is started again; the server's log says more", how(&ended)));
                if end.run_until_cancelled(sleep(wait)).await.is_none() {
                    return;
                }
                wait = (wait * 2).min(AGAIN_AFTER.1);
            }
        });
    }

    /// Runs a part without which the process must not go on: if it ends or panics before the end was asked for, the
    /// process does.
    pub fn need(&mut self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let (part, end, fallen) = (self.health.part(name), self.end.clone(), self.fallen.clone());
        self.parts.spawn(async move {
            let ended = AbortOnDropHandle::new(tokio::spawn(run)).await;
            if !end.is_cancelled() {
                let why = format!("the part {name}, without which nothing is safe, {}", how(&ended));
                part.stopped(why.clone());
                fallen.send_if_modified(|fallen| {
                    let first = fallen.is_none();
                    fallen.get_or_insert(why);
                    first
                });
            }
        });
    }

    /// As [`Self::need`], of something that would go on for ever.
    pub fn need_always(&mut self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.need(name, async move { end.run_until_cancelled(run).await.unwrap_or_default() });
    }

    /// Why the process must end, once it must.
    pub async fn fallen(&self) -> String {
        let mut fallen = self.fallen.subscribe();
        let why = fallen.wait_for(Option::is_some).await.map(|why| why.clone());
        why.ok().flatten().expect("`self` holds the sender")
    }

    /// Asks all to end, and waits until they have.
    pub async fn stop(&mut self) {
        self.end.cancel();
        while self.parts.join_next().await.is_some() {}
    }
}

/// A panic's words stay in the log: they could quote something.
fn how(ended: &Result<(), JoinError>) -> &'static str {
    match ended {
        Ok(()) => "ended before its time",
        Err(_) => "panicked",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use messaging::PartState;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_or_ends_shows_and_is_started_again() {
        let health = Health::new();
        let mut supervisor = Supervisor::new(health.clone());
        let (times, end) = (Arc::new(AtomicU32::new(0)), supervisor.end());
        let counted = times.clone();
        supervisor.keep("part", move |part| {
            let (time, end) = (counted.fetch_add(1, Ordering::Relaxed), end.clone());
            async move {
                part.running();
                match time {
                    0 => panic!("as it shall"),
                    1 => {}
                    _ => end.cancelled().await,
                }
            }
        });
        let stopped = |words: &'static str| {
            let is = move |state: &PartState| matches!(state, PartState::Stopped { why } if why.contains(words));
            health.wait_until(move |report| report.parts.iter().any(|part| is(&part.state)))
        };
        stopped("panicked").await;
        stopped("ended before its time").await;
        health.wait_until(|report| report.ready).await;
        assert_eq!(times.load(Ordering::Relaxed), 3);
        supervisor.stop().await;
        assert!(health.ready(), "an end that was asked for is none before its time");
    }

    #[tokio::test]
    async fn a_part_that_is_needed_ends_the_process() {
        let mut supervisor = Supervisor::new(Health::new());
        supervisor.need("needed", async { panic!("as it shall") });
        assert_eq!(supervisor.fallen().await, "the part needed, without which nothing is safe, panicked");
        assert!(!supervisor.health.ready());
    }
}
