//! What has changed, for those who watch: of which topic, where in the log, and whom it is about; never what it was.
//!
//! The views say it as they fold, and it is told once their rows can be read. So many changes are kept, in memory: whoever
//! watches from further back is told that everything may have changed.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use domain::{GroupId, MemberId, OrgId};
use eventlog::Position;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use web::{Caller, May};

use crate::Kind;

/// Changes that are kept, a count: some ten seconds of all that one machine can write.
pub const CHANGES_KEPT_MAX: usize = 65_536;

/// Something that can be read again when it has changed.
#[derive(Debug)]
pub struct Topic {
    /// What it is called to those who watch.
    pub name: &'static str,
    /// What reads it: who may call one of these may know that it has changed.
    pub reads: &'static [May],
}

/// What there is to do.
pub static QUEUE: Topic = Topic { name: "queue", reads: &[] };

/// Whom a change is about: who may not see them must not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// No group or person.
    Organisation,
    /// A group.
    Group(GroupId),
    /// A person, by any of their records, in no certain group.
    Member(MemberId),
}

/// A change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Up to where the views were when it could be read.
    pub at: Position,
    /// Whose it is.
    pub org: OrgId,
    /// Of what.
    pub topic: &'static Topic,
    /// Whom it is about.
    pub scope: Scope,
    /// Of the queue: of which kind the items are.
    pub kind: Option<&'static Kind>,
}

impl Change {
    /// Whether it is of one of these topics.
    pub fn is_of(&self, topics: &[&Topic]) -> bool {
        topics.iter().any(|topic| topic.name == self.topic.name)
    }

    /// Whether the caller may know of it, who is a member with `own` records, or none.
    pub fn is_for(&self, caller: &Caller, own: &[MemberId]) -> bool {
        let reads = self.kind.map_or(self.topic.reads, |kind| kind.resolved_by);
        self.org == caller.org && reads.iter().any(|may| caller.may_call(may)) && reaches(caller, own, self.scope)
    }
}

/// Whether something about these is within the caller's reach.
fn reaches(caller: &Caller, own: &[MemberId], scope: Scope) -> bool {
    match (caller.role, scope) {
        (web::Role::Member, Scope::Member(member)) => own.contains(&member),
        (web::Role::Member, _) => false,
        (_, Scope::Organisation) => true,
        (_, Scope::Group(group)) => caller.own_groups().is_none_or(|own| own.contains(&group)),
        // Which records are open to who leads a group, takes more than a change tells.
        (_, Scope::Member(_)) => caller.own_groups().is_none(),
    }
}

/// Up to where changes were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// The number of the next one.
    pub next: u64,
    /// Up to where in the log: the rows of the views are as far.
    pub at: Position,
}

/// The latest changes. Clones share them.
#[derive(Debug, Clone)]
pub struct Changes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: RwLock<Kept>,
    told: watch::Sender<Told>,
    positions: watch::Sender<Position>,
    over: CancellationToken,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the first that is kept.
    first: u64,
    changes: VecDeque<Change>,
    /// All that changed after this place in the log is kept.
    since: Position,
}

impl Default for Changes {
    fn default() -> Self {
        Self(Arc::new(Shared {
            kept: RwLock::default(),
            told: watch::Sender::new(Told::default()),
            positions: watch::Sender::new(Position::START),
            over: CancellationToken::new(),
        }))
    }
}

impl Changes {
    /// Forgets all: what changed up to there is not known.
    pub(crate) fn begin(&self, at: Position) {
        let mut kept = self.0.kept.write().unwrap_or_else(PoisonError::into_inner);
        let first = kept.first + kept.changes.len() as u64 + 1;
        *kept = Kept { first, changes: VecDeque::new(), since: at };
        self.0.told.send_replace(Told { next: first, at });
        self.0.positions.send_replace(at);
    }

    /// Tells of changes, and that the views are as far as `at`; or of such as have come about where they are now.
    pub(crate) fn tell(&self, changes: impl IntoIterator<Item = Change>, at: Option<Position>) {
        let mut kept = self.0.kept.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.told.borrow().at;
        // In order of their places, by which they are found again.
        kept.changes.extend(changes.into_iter().map(|change| match at {
            Some(_) => change,
            None => Change { at: now, ..change },
        }));
        while kept.changes.len() > CHANGES_KEPT_MAX {
            let gone = kept.changes.pop_front().expect("there are more than none");
            kept.since = gone.at;
            kept.first += 1;
        }
        let next = kept.first + kept.changes.len() as u64;
        self.0.told.send_modify(|told| *told = Told { next, at: at.unwrap_or(told.at) });
        if let Some(at) = at {
            self.0.positions.send_replace(at);
        }
    }

    /// How far the views are, whenever they went on, or somebody is in a hurry.
    pub(crate) fn positions(&self) -> watch::Receiver<Position> {
        self.0.positions.subscribe()
    }

    /// Has whoever follows [`Self::positions`] look now.
    pub(crate) fn nudge(&self) {
        self.0.positions.send_modify(|_| ());
    }

    /// Sends away all who watch: the process ends.
    pub(crate) fn end(&self) {
        self.0.over.cancel();
    }

    /// Over when nothing more is told.
    pub fn over(&self) -> CancellationToken {
        self.0.over.clone()
    }

    /// Says how far it is whenever something is told.
    pub fn told(&self) -> watch::Receiver<Told> {
        self.0.told.subscribe()
    }

    /// The number of the first change after a place in the log; none if it is not known what changed since.
    pub fn after(&self, at: Position) -> Option<u64> {
        let kept = self.0.kept.read().unwrap_or_else(PoisonError::into_inner);
        let known = at >= kept.since && at <= self.0.told.borrow().at;
        known.then(|| kept.first + kept.changes.partition_point(|change| change.at <= at) as u64)
    }

    /// Looks at each change from this number on; answers how far it is told, or none if some are not kept any more.
    pub fn look(&self, from: u64, mut look: impl FnMut(&Change)) -> Option<Told> {
        let kept = self.0.kept.read().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(from.checked_sub(kept.first)?).ok()?;
        kept.changes.range(skip.min(kept.changes.len())..).for_each(&mut look);
        Some(*self.0.told.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NEWS: Topic = Topic { name: "news", reads: &[] };

    fn change(at: u64) -> Change {
        let org = "north".parse().unwrap();
        Change { at: Position(at), org, topic: &NEWS, scope: Scope::Organisation, kind: None }
    }

    fn seen(changes: &Changes, from: u64) -> Option<Vec<u64>> {
        let mut seen = vec![];
        changes.look(from, |change| seen.push(change.at.0)).map(|_| seen)
    }

    #[test]
    fn whoever_watches_from_a_place_is_told_each_change_after_it() {
        let changes = Changes::default();
        changes.begin(Position(10));
        changes.tell([change(11), change(11), change(13)], Some(Position(14)));
        for (from, expected) in [(10, vec![11, 11, 13]), (11, vec![13]), (12, vec![13]), (14, vec![])] {
            let from = changes.after(Position(from)).expect("it is known");
            assert_eq!(seen(&changes, from), Some(expected), "from {from}");
        }
    }

    #[test]
    fn what_comes_about_late_is_kept_where_the_views_are() {
        let changes = Changes::default();
        changes.begin(Position(10));
        changes.tell([change(11), change(15)], Some(Position(15)));
        changes.tell([change(12)], None);
        changes.tell([change(16)], Some(Position(16)));
        let from = changes.after(Position(12)).expect("it is known");
        assert_eq!(seen(&changes, from), Some(vec![15, 15, 16]));
    }

    #[test]
    fn what_is_not_known_any_more_is_not_said_to_be_nothing() {
        let changes = Changes::default();
        changes.begin(Position(10));
        assert_eq!(changes.after(Position(9)), None, "before this process began");
        assert_eq!(changes.after(Position(11)), None, "further than anything was told");
        let first = changes.after(Position(10)).unwrap();
        let many = CHANGES_KEPT_MAX as u64 + 5;
        changes.tell((0..many).map(|n| change(11 + n)), Some(Position(11 + many)));
        assert_eq!(changes.after(Position(14)), None);
        assert_eq!(changes.after(Position(15)).and_then(|from| seen(&changes, from)).unwrap().len(), CHANGES_KEPT_MAX);
        assert_eq!(seen(&changes, first), None, "whoever is too slow is told so");
        changes.begin(Position(0));
        assert_eq!(seen(&changes, first), None, "numbers are not used twice");
    }
}
