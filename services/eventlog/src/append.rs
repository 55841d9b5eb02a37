//! When an append is written, when it was written before, when it is refused: `KurrentDB`'s rules, for every adapter.

use uuid::Uuid;

/// What must hold of a stream for an append to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Any,
    /// It has no events.
    NoStream,
    /// It has events.
    StreamExists,
    /// Its last event has this revision.
    Exact(u64),
}

/// What becomes of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Write it.
    Write,
    /// It was written before; its last event has this revision.
    Already {
        /// Of the last event.
        last: u64,
    },
    /// Refuse it.
    Conflict,
}

/// The rules of `KurrentDB` (`IndexWriter.CheckCommit`).
///
/// With an exact revision or `NoStream`, ids are compared with those of the stream itself at `expected + 1 ..`, for
/// ever. With `Any` and `StreamExists`, only with recently committed ids. A full match is success, a partial one a
/// conflict. `current` is the revision of the stream's last event, `at` the id of the event at a revision, `recent`
/// the revision at which an id was recently committed to this stream.
pub fn decide_append(
    expected: Expected,
    current: Option<u64>,
    ids: &[Uuid],
    at: impl Fn(u64) -> Option<Uuid>,
    recent: impl Fn(Uuid) -> Option<u64>,
) -> Decision {
    let next = match (expected, current) {
        (Expected::StreamExists | Expected::Exact(_), None) => return Decision::Conflict,
        (Expected::Any | Expected::StreamExists, _) => return decide_by_recent(ids, recent),
        (Expected::NoStream, None) => return Decision::Write,
        (Expected::NoStream, Some(_)) => 0,
        (Expected::Exact(expected), Some(current)) if expected > current => return Decision::Conflict,
        (Expected::Exact(expected), Some(current)) if expected == current => return Decision::Write,
        (Expected::Exact(expected), Some(_)) => expected + 1,
    };
    match ids.len() as u64 {
        0 => Decision::Conflict,
        _ if (next..).zip(ids).any(|(revision, id)| at(revision) != Some(*id)) => Decision::Conflict,
        n => Decision::Already { last: next + n - 1 },
    }
}

fn decide_by_recent(ids: &[Uuid], recent: impl Fn(Uuid) -> Option<u64>) -> Decision {
    let mut known = ids.iter().map(|id| recent(*id));
    match known.next().flatten() {
        None => Decision::Write,
        Some(first) => {
            known.try_fold(first, |_, revision| revision).map_or(Decision::Conflict, |last| Decision::Already { last })
        }
    }
}
