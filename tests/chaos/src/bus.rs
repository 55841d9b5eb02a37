//! The bus: what the relay published, and what becomes of it on the way to who reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use eventlog::{Position, Recorded};
use futures::{StreamExt, stream};
use messaging::{BoxError, Bus, Frame, Frames};
use tokio::sync::mpsc;

/// A bus. Clones are the same one; it outlives the machines that use it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the relay published, in order.
    published: Vec<(Recorded, Position)>,
    /// Who reads now, and which message comes next.
    reader: Option<(mpsc::UnboundedSender<Result<Frame, BoxError>>, usize)>,
    /// On their way for longer than those after them.
    late: Vec<(Recorded, Position)>,
}

/// What becomes of the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It arrives.
    Arrives,
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Doubled,
    /// It arrives after others that were sent later.
    Late,
    /// It arrives with a header that cannot be read.
    Damaged,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Position of the last event that was published.
    pub fn end(&self) -> Position {
        self.state().published.last().map_or(Position::START, |(event, _)| event.position)
    }

    /// Publishes events that follow the last one.
    pub fn publish(&self, events: Vec<Recorded>) {
        let mut state = self.state();
        for event in events {
            let previous = state.published.last().map_or(Position::START, |(event, _)| event.position);
            state.published.push((event, previous));
        }
    }

    /// How many messages are on their way to who reads, a count.
    pub fn waiting(&self) -> usize {
        let state = self.state();
        match &state.reader {
            Some((reader, next)) if !reader.is_closed() => state.published.len() - next + state.late.len(),
            _ => 0,
        }
    }

    /// Brings the next message, in a way.
    pub fn pass(&self, passage: Passage) {
        let mut state = self.state();
        let Some((reader, next)) = state.reader.clone() else { return };
        if next >= state.published.len() {
            let late = state.late.pop();
            drop(state);
            if let Some((event, previous)) = late {
                let _ = reader.send(Ok(Frame::of(&event, previous)));
            }
            return;
        }
        let (event, previous) = state.published[next].clone();
        state.reader = Some((reader.clone(), next + 1));
        let frame = || Ok(Frame::of(&event, previous));
        match passage {
            Passage::Arrives => drop(reader.send(frame())),
            Passage::Lost => {}
            Passage::Doubled => {
                let _ = reader.send(frame());
                let _ = reader.send(frame());
            }
            Passage::Late => state.late.push((event, previous)),
            Passage::Damaged => drop(reader.send(frame().map(|frame| frame.with_header("kith-position", "?")))),
        }
    }

    /// Brings a message that nobody published; false if nobody reads.
    pub fn forge(&self, event: &Recorded, previous: Position) -> bool {
        let reader = self.state().reader.clone();
        reader.is_some_and(|(reader, _)| reader.send(Ok(Frame::of(event, previous))).is_ok())
    }

    /// Breaks the connection of who reads.
    pub fn disconnect(&self) {
        let mut state = self.state();
        (state.reader, state.late) = (None, Vec::new());
    }

    /// Loses all that was published.
    pub fn wipe(&self) {
        *self.state() = State::default();
    }
}

#[async_trait]
impl Bus for Wire {
    async fn subscribe(&self, _: &str, _: Option<&str>, after: Position) -> Result<Frames, BoxError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state();
        let next = state.published.partition_point(|(event, _)| event.position <= after);
        (state.reader, state.late) = (Some((sender, next)), Vec::new());
        Ok(stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|frame| (frame, receiver)) })
            .boxed())
    }

    async fn flush(&self) {}
}
