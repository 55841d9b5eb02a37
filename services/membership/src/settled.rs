//! Waiting until places follow from who is one person.

use eventlog::{Done, Position};
use tokio::time::timeout;
use web::VISIBLE_WAIT_MAX;

use crate::Membership;

/// Up to where places follow from who is one person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Everything up to here that was said of who is one person.
    pub seen: Position,
    /// Up to where in the log to read to see what followed.
    pub at: Position,
}

impl Membership {
    /// What was done of people, once places follow from it. It is done all the same if that takes long: then places
    /// follow when the views do.
    pub(crate) async fn settled(&self, done: Done) -> Done {
        let mut settled = self.settled.clone();
        match timeout(VISIBLE_WAIT_MAX, settled.wait_for(|settled| settled.seen >= done.position)).await {
            Ok(Ok(settled)) => Done { position: done.position.max(settled.at), ..done },
            _ => done,
        }
    }
}
