//! Whether the log is as it was written.

use std::collections::{HashMap, HashSet};

use domain::{DomainEvent, audit};

use super::{
    KurrentLog, PAGE_EVENTS_MAX,
    event::{self, Met},
};
use crate::{Finding, LogError, Position, Verified, chain::Hash};

impl KurrentLog {
    /// Reads the whole log and checks that revisions of each stream have no gap, no event id occurs twice, and each
    /// event carries the hash of the one before it in its stream, but for the audit, which is appended wherever it ends.
    /// `progress` hears the position from time to time. Many processes write one log, so there is no chain through
    /// all of it: that the last events of a stream were cut off does not show.
    ///
    /// # Errors
    /// If it cannot be read. What is wrong with it is in the answer: the first thing.
    pub async fn verify(&self, mut progress: impl FnMut(Position)) -> Result<Result<Verified, Finding>, LogError> {
        let (mut verified, mut at) = (Verified::default(), Position::START);
        let (mut ids, mut ends) = (HashSet::new(), HashMap::<_, (u64, Hash)>::new());
        loop {
            let (events, more) = self.inner().page(at, PAGE_EVENTS_MAX).await?;
            let Some(last) = events.last() else { break };
            at = last.position();
            for (event, previous) in events.into_iter().filter_map(Met::ours) {
                let broken = |what: String| Ok(Err(Finding::of(Some(event.position), Some(&event), what)));
                let before = ends.insert(event.stream.clone(), (event.revision, event::hash(&event, previous)));
                let expected = before.map_or(0, |(revision, _)| revision + 1);
                if event.revision != expected {
                    return broken(format!("its revision should be {expected}"));
                }
                if previous.is_some_and(|previous| before.is_none_or(|(_, hash)| hash != previous)) {
                    return broken("the hash that it carries is not that of the event before it".into());
                }
                if previous.is_none() && before.is_some() && event.stream.category() != audit::Event::CATEGORY {
                    return broken("does not carry the hash of the event before it".into());
                }
                if !ids.insert(event.id) {
                    return broken("was written twice: its id occurs before".into());
                }
                verified.events += 1;
                verified.head = event.position;
            }
            progress(at);
            if !more {
                break;
            }
        }
        verified.streams = ends.len() as u64;
        Ok(Ok(verified))
    }
}
