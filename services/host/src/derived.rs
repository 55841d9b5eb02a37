//! What is made of the log, kept on disk, and can be made anew: the views, the facts.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use eventlog::EventLog;
use messaging::{Part, Subscriber};
use tokio::sync::watch;

/// Something that is made of the log and can be made anew.
#[async_trait]
pub trait Derived: Send + Sync {
    /// What it is called, as [`Subscriber::name`] of what writes it.
    fn name(&self) -> &'static str;

    /// Opens it as it is, or makes it anew. Only one at a time may write it.
    ///
    /// # Errors
    /// If the disk refuses.
    fn open(&self, anew: bool) -> anyhow::Result<Box<dyn Subscriber>>;

    /// How long what writes it waits for more events.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }

    /// What is to be done beside following the log, once it is opened; it may end.
    async fn beside(&self, log: Arc<dyn EventLog>, part: Part) {
        let _ = (log, part);
    }

    /// Looks whether all of it is as it was written. Blocks.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), String>;

    /// What was found by who reads it that nobody can have written so.
    fn damaged(&self) -> watch::Receiver<Option<String>>;
}
