//! What NATS says: that there is more in the log.
//!
//! One subscription brings every message once to a process, however many read the log there. Of a message only the
//! position is taken, and that only as a reason to look: what happened, the log says. So it does not matter what NATS
//! loses, repeats, or lets somebody forge.

use eventlog::Position;
use futures::StreamExt;
use tokio::sync::watch;
use tracing::debug;

use crate::{BoxError, Nats, SUBJECTS, cloud_event};

/// Messages taken at once, at most: room for so many is made each time.
const MESSAGES_MAX: usize = 64;

/// Up to where events were published, as whoever publishes says; it only grows. It closes when the connection is gone.
///
/// # Errors
/// If it is gone already.
pub async fn hear(nats: &Nats) -> Result<watch::Receiver<Position>, BoxError> {
    let messages = nats.jetstream().client().subscribe(SUBJECTS).await?;
    let (heard, receiver) = watch::channel(Position::START);
    let unreadable = metrics::counter!("kith_heard_unreadable_total");
    tokio::spawn(async move {
        let mut messages = messages.ready_chunks(MESSAGES_MAX);
        loop {
            let messages = tokio::select! {
                biased;
                () = heard.closed() => return,
                messages = messages.next() => messages,
            };
            let Some(messages) = messages else { return };
            let mut furthest = *heard.borrow();
            for message in messages {
                if let Some(Ok(position)) = message.headers.as_ref().map(cloud_event::position) {
                    furthest = furthest.max(position);
                } else {
                    unreadable.increment(1);
                    debug!(subject = message.subject.as_str(), "a message that is not an event of Kith is passed over");
                }
            }
            heard.send_if_modified(|at| std::mem::replace(at, furthest) != furthest);
        }
    });
    Ok(receiver)
}
