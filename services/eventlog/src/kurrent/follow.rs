//! Looks at the end of the log, for as long as it lives.

use std::sync::Arc;

use eventstore::{ReadAllOptions, StreamPosition};
use tokio::time::timeout;

use super::{Inner, LOOK_EVERY, event};
use crate::{LogError, Position};

/// Events looked at in one step, a count.
const STEP_EVENTS: usize = 1_024;

/// Announces the position of the last event of ours. After a failure it goes on where it was.
pub async fn follow(log: Arc<Inner>) {
    // The checkpoint: what is behind it was looked at, ours or not.
    let mut at = None;
    loop {
        match log.step(&mut at).await {
            Ok(more) => {
                log.down.send_if_modified(|down| down.take().is_some());
                if !more {
                    // Either is a reason to look again.
                    let _ = timeout(LOOK_EVERY, log.appended.notified()).await;
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

impl Inner {
    /// Looks at what came; says whether there is more.
    async fn step(&self, at: &mut Option<Position>) -> Result<bool, LogError> {
        let Some(after) = *at else {
            *at = Some(self.find_end().await?);
            return Ok(true);
        };
        let (events, more) = self.page(after, STEP_EVENTS).await?;
        if let Some(last) = events.last() {
            *at = Some(last.position());
        }
        if let Some((last, _)) = events.into_iter().rev().find_map(event::Met::ours) {
            self.announce(last.position);
        }
        Ok(more)
    }

    /// Goes back from the end to the last event of ours; answers where the end is.
    async fn find_end(&self) -> Result<Position, LogError> {
        let (mut end, mut from) = (None, StreamPosition::End);
        loop {
            let options = ReadAllOptions::default().position(from).backwards().max_count(STEP_EVENTS);
            let events = self.connection.read_all(&options).await?;
            let Some(first) = events.last().map(|event| event.position.clone()) else {
                return Ok(end.unwrap_or(Position::START));
            };
            end = end.or_else(|| events.first().map(|event| Position(event.position.commit)));
            for event in events {
                if let event::Met::Ours(event, _) = event::met(event)? {
                    self.announce(event.position);
                    return Ok(end.unwrap_or(Position::START));
                }
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
