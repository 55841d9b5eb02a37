//! What somebody has to see to: kinds of items, each with what resolves it, and the queues that find them.
//!
//! An item is nothing that is kept: it follows from what is known and what time it is, and is gone when its cause is.

use std::hash::{Hash, Hasher};

use async_trait::async_trait;
use domain::{GroupId, MemberId, OrgId, Subject};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::May;

use crate::Change;

/// A kind of item.
#[derive(Debug)]
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// What an item is about, as the word that stands before its id in paths.
    pub about: &'static str,
    /// Why it is there, in a sentence.
    pub why: &'static str,
    /// What resolves it: items are shown to those who may call one of these.
    pub resolved_by: &'static [May],
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// How soon somebody has to see to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QueueUrgency)]
pub enum Urgency {
    /// When there is time.
    Routine,
    /// Within days.
    Urgent,
    /// Somebody may be in danger.
    Emergency,
}

/// Something that somebody has to see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: &'static Kind,
    /// The id of what it is about.
    pub about: Uuid,
    /// Whom it is about, under the record under which they go on.
    pub member: Option<MemberId>,
    /// Of possible duplicates, the other record.
    pub other: Option<MemberId>,
    /// In which group.
    pub group: Option<GroupId>,
    /// Whether whoever leads the group sees it, too.
    pub for_leaders: bool,
    /// Whom it is kept from, because it is about what they did themselves.
    pub not_for: Option<Subject>,
    /// Whose it is; nobody's is for everybody who may resolve it.
    pub owner: Option<Subject>,
    /// How soon.
    pub urgency: Urgency,
    /// Since when it is there.
    pub since: Timestamp,
    /// From when on it is overdue, if it ever is.
    pub due_at: Option<Timestamp>,
}

impl Item {
    /// What tells it from all others of its organisation.
    pub fn key(&self) -> ItemKey {
        (self.kind.name, self.about, self.member, self.group)
    }

    /// Whether it is overdue.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }
}

/// What tells an item from all others of its organisation.
pub type ItemKey = (&'static str, Uuid, Option<MemberId>, Option<GroupId>);

/// Something that is in somebody's care, whether or not anything has to be done about it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Whose.
    pub owner: Subject,
    /// What: the word for its kind.
    pub what: &'static str,
    /// Its id.
    pub about: Uuid,
    /// Whom it is about.
    pub member: MemberId,
}

/// Of what items are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Of {
    /// All.
    Everything,
    /// Those of a group.
    Group(GroupId),
    /// Those about a person, by the record under which they go on.
    Member(MemberId),
}

impl Of {
    /// Whether an item is among them.
    pub fn has(self, item: &Item) -> bool {
        match self {
            Self::Everything => true,
            Self::Group(asked) => item.group == Some(asked),
            Self::Member(asked) => item.member == Some(asked) || item.other == Some(asked),
        }
    }

    /// Whether a case is among them.
    pub fn has_case(self, case: &Case) -> bool {
        match self {
            Self::Everything => true,
            Self::Group(_) => false,
            Self::Member(asked) => case.member == asked,
        }
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Of what: all that was known of it before is replaced.
    pub of: Of,
    /// What there is.
    pub items: Vec<Item>,
    /// What is in whose care.
    pub cases: Vec<Case>,
    /// When more comes, or something goes, although nothing happens; none if nothing does.
    pub next: Option<Timestamp>,
}

impl Found {
    /// Items that nothing but what happens changes.
    pub fn items(of: Of, items: Vec<Item>) -> Self {
        Self { of, items, cases: vec![], next: None }
    }
}

/// What finds items, of kinds that follow from the same things.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Its kinds.
    fn kinds(&self) -> &'static [&'static Kind];

    /// Of what items may be others after a change; none if of nothing.
    fn touched_by(&self, change: &Change) -> Option<Of>;

    /// Whether it takes so long that nobody waits for it: then it may be behind the others, and is asked for everything
    /// in [`Self::parts`].
    fn is_slow(&self) -> bool {
        false
    }

    /// Of what to ask one after the other to have asked for everything.
    ///
    /// # Errors
    /// As a sentence for the operator: then it is asked again.
    async fn parts(&self, _: &OrgId) -> anyhow::Result<Vec<Of>> {
        Ok(vec![Of::Everything])
    }

    /// What there is now of these.
    ///
    /// # Errors
    /// As a sentence for the operator: then it is asked again.
    async fn find(&self, org: &OrgId, of: Of, now: Timestamp) -> anyhow::Result<Found>;
}
