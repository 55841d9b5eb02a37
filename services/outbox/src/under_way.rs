//! Work that goes on while it is looked for more: each thing at most once at a time, and not too many at once.

use std::{collections::HashMap, hash::Hash};

use tokio::task::{Id, JoinSet};

/// What is under way. What is dropped with it ends.
pub(crate) struct UnderWay<K> {
    most: usize,
    tasks: JoinSet<anyhow::Result<()>>,
    of: HashMap<Id, K>,
}

impl<K: Eq + Hash> UnderWay<K> {
    /// Nothing; `most`: how many can be under way at once.
    pub fn new(most: usize) -> Self {
        Self { most, tasks: JoinSet::new(), of: HashMap::new() }
    }

    /// Begins something of this, unless that is under way, or too much is.
    pub fn begin(&mut self, of: K, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        if self.of.len() < self.most && self.of.values().all(|known| *known != of) {
            let id = self.tasks.spawn(work).id();
            self.of.insert(id, of);
        }
    }

    /// Whether something more can be under way.
    pub fn has_room(&self) -> bool {
        self.of.len() < self.most
    }

    /// How much is under way that is like this, a count.
    pub fn count(&self, is_like: impl Fn(&K) -> bool) -> usize {
        self.of.values().filter(|known| is_like(known)).count()
    }

    /// Forgets what has ended.
    ///
    /// # Errors
    /// The first failure of those that have.
    pub fn ended(&mut self) -> anyhow::Result<()> {
        let mut all = Ok(());
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let (id, result) = match ended {
                Ok(ended) => ended,
                Err(panic) => (panic.id(), Err(panic.into())),
            };
            self.of.remove(&id);
            all = all.and(result);
        }
        all
    }
}
