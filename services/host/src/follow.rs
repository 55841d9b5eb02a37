//! The loop of whoever follows up to where something has come.

use std::time::Duration;

use async_trait::async_trait;
use eventlog::Position;
use messaging::Part;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Who follows up to where something has come, such as a view.
#[async_trait]
pub trait Follower: Send + 'static {
    /// What is followed.
    fn position(&self) -> watch::Receiver<Position>;

    /// Sees to all that was said up to `known`.
    ///
    /// # Errors
    /// As a sentence for the operator: then it is asked for again.
    async fn see_to(&mut self, known: Position) -> anyhow::Result<()>;
}

/// How often it is looked.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// Before each look: much that is said at once is then seen at once.
    pub pause: Duration,
    /// Looked at least so often, although nothing was said.
    pub every: Option<Duration>,
    /// After a failure, unless something is said before: what was broken may have been made anew.
    pub again_after: Duration,
}

impl Rhythm {
    /// At once, and only when something was said.
    pub const fn at_once(again_after: Duration) -> Self {
        Self { pause: Duration::ZERO, every: None, again_after }
    }
}

/// Follows until it is told to end, and shows itself as `part`.
pub async fn follow<F: Follower>(mut follower: F, rhythm: Rhythm, part: Part, end: CancellationToken) {
    let mut position = follower.position();
    let following = async {
        loop {
            sleep(rhythm.pause).await;
            let known = *position.borrow_and_update();
            let wait = match follower.see_to(known).await {
                Ok(()) => {
                    part.running();
                    rhythm.every
                }
                Err(error) => {
                    part.stopped(format!("{error:#}"));
                    Some(rhythm.again_after)
                }
            };
            let gone = match wait {
                Some(wait) => matches!(timeout(wait, position.changed()).await, Ok(Err(_))),
                None => position.changed().await.is_err(),
            };
            if gone {
                return;
            }
        }
    };
    end.run_until_cancelled(following).await;
}
