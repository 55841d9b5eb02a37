//! The last events of the log in memory: relay, views and facts follow it closely, and each would read them again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Position, Recorded};

/// Events kept, a count.
const EVENTS_MAX: usize = 4_096;
/// Bytes of data and metadata kept.
const BYTES_MAX: usize = 8 << 20;

/// The last events that were committed, without a gap, the newest last. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Recorded>,
    bytes: usize,
}

impl Recent {
    /// Takes what was committed, before the head of the log announces it.
    pub fn push(&self, committed: impl IntoIterator<Item = Recorded>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in committed {
            if kept.events.back().is_some_and(|last| last.position.0 + 1 != event.position.0) {
                *kept = Kept::default();
            }
            kept.bytes += bytes(&event);
            kept.events.push_back(event);
            while kept.events.len() > EVENTS_MAX || kept.bytes > BYTES_MAX {
                let Some(oldest) = kept.events.pop_front() else { break };
                kept.bytes -= bytes(&oldest);
            }
        }
    }

    /// At most `max` events after `after`; none if the first of them is not here.
    pub fn after(&self, after: Position, max: usize) -> Option<Vec<Recorded>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.events.front()?.position.0;
        let skip = usize::try_from(after.0.checked_add(1)?.checked_sub(first)?).ok()?;
        (skip < kept.events.len()).then(|| kept.events.iter().skip(skip).take(max).cloned().collect())
    }
}

fn bytes(event: &Recorded) -> usize {
    event.data.len() + event.metadata.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::StreamName;

    fn event(position: u64, bytes: usize) -> Recorded {
        Recorded {
            position: Position(position),
            stream: StreamName::new("group", &"acme".parse().unwrap(), Uuid::nil()),
            revision: position,
            id: Uuid::from_u128(position.into()),
            event_type: "group.registered".into(),
            version: 1,
            recorded_at: Timestamp::UNIX_EPOCH,
            data: vec![0; bytes].into(),
            metadata: Bytes::new(),
        }
    }

    fn positions(recent: &Recent, after: u64, max: usize) -> Option<Vec<u64>> {
        Some(recent.after(Position(after), max)?.iter().map(|event| event.position.0).collect())
    }

    #[test]
    fn the_last_events_are_there_and_what_came_before_them_is_not() {
        let recent = Recent::default();
        assert_eq!(positions(&recent, 0, 9), None);
        recent.push((5..=8).map(|n| event(n, 10)));
        assert_eq!(positions(&recent, 4, 9), Some(vec![5, 6, 7, 8]));
        assert_eq!(positions(&recent, 6, 1), Some(vec![7]));
        assert_eq!(positions(&recent, 3, 9), None, "4 is not here");
        assert_eq!(positions(&recent, 8, 9), None, "nor is anything after 8");
        assert_eq!(positions(&recent, 99, 9), None);
        assert_eq!(positions(&recent, u64::MAX, 9), None, "whoever asks with a position that somebody made up");
        recent.push([event(10, 10)]);
        assert_eq!(positions(&recent, 7, 9), None, "what came before a gap is forgotten");
        assert_eq!(positions(&recent, 9, 9), Some(vec![10]));
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let recent = Recent::default();
        let last = EVENTS_MAX as u64 + 10;
        recent.push((1..=last).map(|n| event(n, 1)));
        assert_eq!(positions(&recent, 9, 1), None);
        assert_eq!(positions(&recent, 10, 1), Some(vec![11]));
        recent.push([event(last + 1, BYTES_MAX)]);
        assert_eq!(positions(&recent, last - 1, 9), None);
        assert_eq!(positions(&recent, last, 9), Some(vec![last + 1]));
        recent.push([event(last + 2, BYTES_MAX + 1)]);
        assert_eq!(positions(&recent, last + 1, 9), None, "one that is larger than all may be is not kept");
    }
}
