//! Looks at the end of the log, for as long as it lives.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use eventstore::{ReadAllOptions, StreamPosition};
use tokio::time::{Instant, sleep};

use super::{Inner, LOOK_EVERY, at_once, event};
use crate::{LogError, Position};

/// Most events read at once, a count. The first is read alone: mostly it was seen, or is one of ours.
const STEP_EVENTS_MAX: usize = 1_024;
/// How many times more events each next read of one look asks for.
const STEP_GROWTH: usize = 32;
/// How often connections are looked for that the client made by itself.
const CONNECTIONS_EVERY: Duration = Duration::from_secs(1);

/// Announces the position of the last event of ours, as long as the log lives.
pub async fn follow(log: Arc<Inner>) {
    // What is there was looked at, ours or not.
    let mut seen = Position::START;
    let mut connections_seen = None::<Instant>;
    loop {
        let look = log.look(&mut seen).await;
        if look.is_err() || connections_seen.is_none_or(|seen| seen.elapsed() > CONNECTIONS_EVERY) {
            // Also of one that was made just now.
            hurry();
            connections_seen = look.is_ok().then(Instant::now);
        }
        match look {
            Ok(()) => {
                log.down.send_if_modified(|down| down.take().is_some());
                sleep(LOOK_EVERY).await; // what others append, nobody announces; our own was, when it was acknowledged
            }
            Err(LogError(why)) => {
                log.down.send_if_modified(|down| {
                    let news = down.as_ref() != Some(&why);
                    *down = Some(why);
                    news
                });
                log.connection.pause().await;
            }
        }
    }
}

/// Lets connections send at once.
fn hurry() {
    static WARN: Once = Once::new();
    if let Err(error) = at_once::send_at_once() {
        WARN.call_once(|| {
            tracing::warn!(
                %error,
                "each append and each read may wait for 40 ms: the system does not let this process set TCP_NODELAY on \
                 its connections to KurrentDB (in Docker, add the capability SYS_PTRACE)"
            );
        });
    }
}

impl Inner {
    /// Goes back from the end to the last event of ours, but not behind what was `seen`.
    async fn look(&self, seen: &mut Position) -> Result<(), LogError> {
        let (mut end, mut from, mut max) = (None, StreamPosition::End, 1);
        loop {
            let options = ReadAllOptions::default().position(from).backwards().max_count(max);
            let events = self.connection.read_all(options).await?;
            end = end.or_else(|| events.first().map(|event| Position(event.position.commit)));
            if let Some(last) = events.iter().find(|event| event::is_ours(event)) {
                self.announce(Position(last.position.commit));
                break;
            }
            match events.last() {
                Some(first) if events.len() == max && first.position.commit > seen.0 => {
                    from = StreamPosition::Position(first.position);
                }
                _ => break,
            }
            max = (max * STEP_GROWTH).min(STEP_EVENTS_MAX);
        }
        *seen = end.unwrap_or(*seen);
        Ok(())
    }

    pub(super) fn announce(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let moved = *head < position;
            *head = position.max(*head);
            moved
        });
    }
}
