//! Reads the log a little ahead of who works on it, so that reading and working overlap.

use std::{sync::Arc, time::Duration};

use eventlog::{EventLog, LogError, Position, Recorded};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::BATCH_EVENTS_MAX;

/// Events read at once without a known end.
const READ_EVENTS: usize = 2_000;
/// Batches that wait to be worked on.
const BATCHES_AHEAD: usize = 1;
/// When to look at the log even if it announced nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Batches of the log, in order, none of them empty. Reading ends when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    batches: mpsc::Receiver<Result<Vec<Recorded>, LogError>>,
    _reader: AbortOnDropHandle<()>,
}

impl ReadAhead {
    /// Everything after `after`, without end: waits for new events.
    pub(crate) fn follow(log: Arc<dyn EventLog>, after: Position) -> Self {
        Self::spawn(|batches| follow(log, after, batches))
    }

    /// Everything after `after` up to `until` (included); ends there, or earlier at the end of the log.
    pub(crate) fn until(log: Arc<dyn EventLog>, after: Position, until: Position) -> Self {
        Self::spawn(|batches| read_until(log, after, until, batches))
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(read: impl FnOnce(Batches) -> F) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        Self { batches, _reader: AbortOnDropHandle::new(tokio::spawn(read(sender))) }
    }

    /// The next batch; none at the end, or after a failure.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<Recorded>, LogError>> {
        self.batches.recv().await
    }
}

type Batches = mpsc::Sender<Result<Vec<Recorded>, LogError>>;

async fn follow(log: Arc<dyn EventLog>, mut after: Position, batches: Batches) {
    let mut head = log.head();
    loop {
        head.mark_unchanged();
        let read = log.read_all(after, READ_EVENTS).await;
        let failed = read.is_err();
        match read.as_ref().map(|events| events.last()) {
            Ok(None) => {
                wait_for_more(&mut head).await;
                continue;
            }
            Ok(Some(last)) => after = last.position,
            Err(_) => (),
        }
        if batches.send(read).await.is_err() || failed {
            return;
        }
    }
}

async fn wait_for_more(head: &mut watch::Receiver<Position>) {
    let announced = async {
        if head.changed().await.is_err() {
            std::future::pending::<()>().await; // the log is gone; whoever reads it next says so
        }
    };
    let _ = tokio::time::timeout(LOOK_EVERY, announced).await;
}

async fn read_until(log: Arc<dyn EventLog>, mut after: Position, until: Position, batches: Batches) {
    while after < until {
        let mut read = log.read_all(after, BATCH_EVENTS_MAX).await;
        if let Ok(events) = &mut read {
            let Some(last) = events.last() else { return };
            after = last.position;
            events.truncate(events.partition_point(|event| event.position <= until));
            if events.is_empty() {
                return;
            }
        }
        let failed = read.is_err();
        if batches.send(read).await.is_err() || failed {
            return;
        }
    }
}
