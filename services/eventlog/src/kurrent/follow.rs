//! Looks at the end of the log, for as long as it lives.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use eventstore::{ReadAllOptions, StreamPosition};
use tokio::time::{Instant, sleep};

use super::{Inner, LOOK_EVERY, at_once, event};
use crate::{LogError, Position};

/// Events looked at in one step, a count.
const STEP_EVENTS: usize = 1_024;
/// How often connections are looked for that the client made by itself.
const CONNECTIONS_EVERY: Duration = Duration::from_secs(1);

/// Announces the position of the last event of ours. After a failure it goes on where it was.
pub async fn follow(log: Arc<Inner>) {
    // The checkpoint: what is behind it was looked at, ours or not.
    let mut at = None;
    let mut connections_seen = None::<Instant>;
    loop {
        let step = log.step(&mut at).await;
        if step.is_err() || connections_seen.is_none_or(|seen| seen.elapsed() > CONNECTIONS_EVERY) {
            // Also of one that was made just now.
            hurry();
            connections_seen = step.is_ok().then(Instant::now);
        }
        match step {
            Ok(more) => {
                log.down.send_if_modified(|down| down.take().is_some());
                if !more {
                    sleep(LOOK_EVERY).await; // what others append, nobody announces; our own was, when it was acknowledged
                }
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
    /// Looks at what came; says whether there is more.
    async fn step(&self, at: &mut Option<Position>) -> Result<bool, LogError> {
        let Some(after) = *at else {
            *at = Some(self.find_end().await?);
            return Ok(true);
        };
        let (events, more) = self.raw_page(after, STEP_EVENTS).await?;
        if let Some(last) = events.last() {
            *at = Some(Position(last.position.commit));
        }
        if let Some(last) = events.iter().rev().find(|event| event::is_ours(event)) {
            self.announce(Position(last.position.commit));
        }
        Ok(more)
    }

    /// Goes back from the end to the last event of ours; answers where the end is.
    async fn find_end(&self) -> Result<Position, LogError> {
        let (mut end, mut from) = (None, StreamPosition::End);
        loop {
            let options = ReadAllOptions::default().position(from).backwards().max_count(STEP_EVENTS);
            let events = self.connection.read_all(&options).await?;
            let Some(first) = events.last().map(|event| event.position) else {
                return Ok(end.unwrap_or(Position::START));
            };
            end = end.or_else(|| events.first().map(|event| Position(event.position.commit)));
            if let Some(last) = events.iter().find(|event| event::is_ours(event)) {
                self.announce(Position(last.position.commit));
                return Ok(end.unwrap_or(Position::START));
            }
            from = StreamPosition::Position(first);
        }
    }

    pub(super) fn announce(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let moved = *head < position;
            *head = position.max(*head);
            moved
        });
    }
}
