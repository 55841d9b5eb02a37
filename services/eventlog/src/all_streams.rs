//! The streams of every kind in a log: of each kind one value, so that nobody keeps a second cache of it.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex},
};

use domain::Decider;

use crate::{EventLog, Streams};

/// The streams of every kind in a log. Clones share them.
#[derive(Debug, Clone)]
pub struct AllStreams {
    log: Arc<dyn EventLog>,
    kinds: Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>,
}

impl AllStreams {
    /// All streams in `log`.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, kinds: Arc::default() }
    }

    /// The log.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The streams of one kind: the same value, whoever asks.
    pub fn of<D: Decider>(&self) -> Streams<D> {
        let mut kinds = self.kinds.lock().expect("nothing panics while it is held");
        let streams = kinds.entry(TypeId::of::<D>()).or_insert_with(|| Box::new(Streams::<D>::new(self.log.clone())));
        streams.downcast_ref::<Streams<D>>().expect("it was put there under its type").clone()
    }
}
