//! Shows in the metrics what was counted.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use eventlog::Position;
use host::{Follower, Rhythm, Views};
use tokio::sync::watch;

use crate::example_view::{EXAMPLES, sum};

/// At once.
pub(crate) const RHYTHM: Rhythm = Rhythm::at_once(Duration::from_secs(5));

/// Who shows it.
pub(crate) struct Counter {
    pub views: Views,
}

#[async_trait]
impl Follower for Counter {
    fn position(&self) -> watch::Receiver<Position> {
        self.views.changed(&EXAMPLES)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let sum = self.views.look(sum).await?.context("what was counted cannot be read")?;
        metrics::gauge!("kith_examples").set(sum);
        Ok(())
    }
}
