//! The book: everything that was asked and answered, kept by those who asked. What Kith did must fit it.

use std::collections::BTreeMap;

use domain::{GroupId, HoldId, MeetingId, MemberId, OrgId};
use serde_json::Value;

/// What was asked for, as far as it matters to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody is registered, or imported.
    Register(Option<MemberId>),
    /// What is known of somebody is changed.
    Change(MemberId),
    /// A group.
    Group,
    /// A group's meetings are planned.
    Plan(GroupId),
    /// Somebody is enrolled.
    Enrol(GroupId, Option<MemberId>),
    /// A meeting goes on: it is opened, held, called off.
    Meeting(MeetingId),
    /// Somebody's mark.
    Mark(MeetingId, MemberId, &'static str),
    /// Somebody walks in.
    WalkIn(MeetingId),
    /// A record becomes part of another.
    Merge(MemberId, MemberId),
    /// That is undone.
    Unmerge(MemberId),
    /// A legal hold.
    Hold(MemberId),
    /// It is lifted.
    Lift(MemberId, HoldId),
    /// Somebody is erased.
    Erase(MemberId),
    /// The glass is broken.
    Glass(MemberId),
    /// Somebody's record is opened: the member's name is read.
    Open(MemberId, &'static str),
    /// Something else about somebody.
    About(MemberId),
    /// Something else.
    Other,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    Waiting,
    /// Nobody knows: no answer came, or one that says so.
    Unknown,
    /// It was not done.
    Refused(u16),
    /// It was done.
    Done { status: u16, body: Vec<u8>, position: u64 },
}

/// A request, as it was sent and may be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub org: OrgId,
    /// Which of the callers.
    pub caller: usize,
    pub asked: Asked,
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub key: String,
    pub outcome: Outcome,
    /// At which step it was sent first, and at which the outcome was known.
    pub sent: u64,
    pub answered: u64,
    /// Where the log ended when it was sent last.
    pub after: u64,
    /// How many times it was sent, and how many of these wait for an answer.
    pub waiting: usize,
}

impl Entry {
    pub fn done(&self) -> bool {
        matches!(self.outcome, Outcome::Done { .. })
    }

    /// Whether it may have been done.
    pub fn possible(&self) -> bool {
        !matches!(self.outcome, Outcome::Refused(_))
    }

    /// Whether it was surely answered before a step.
    fn over_by(&self, step: u64) -> bool {
        self.waiting == 0 && self.answered < step
    }
}

/// Everything that was asked.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub entries: Vec<Entry>,
    /// Requests about merges, holds and erasures, by organisation.
    grave: BTreeMap<OrgId, Vec<usize>>,
}

impl Book {
    pub fn write(&mut self, entry: Entry) -> usize {
        let grave = matches!(
            entry.asked,
            Asked::Merge(..) | Asked::Unmerge(_) | Asked::Hold(_) | Asked::Lift(..) | Asked::Erase(_)
        );
        if grave {
            self.grave.entry(entry.org.clone()).or_default().push(self.entries.len());
        }
        self.entries.push(entry);
        self.entries.len() - 1
    }

    fn grave(&self, org: &OrgId) -> impl Iterator<Item = &Entry> + Clone {
        self.grave.get(org).into_iter().flatten().map(|entry| &self.entries[*entry])
    }

    /// The request that may have erased a member: of theirs, or of one whom they may have been merged into then. None
    /// if nobody asked for that, or all who did were told that it was not done.
    pub fn cause_of_erasure(&self, org: &OrgId, member: MemberId) -> Option<&Entry> {
        self.erasures_of(org, member).find(|erasure| erasure.possible())
    }

    /// As [`Book::cause_of_erasure`], if it was refused.
    pub fn refused_erasure(&self, org: &OrgId, member: MemberId) -> Option<&Entry> {
        self.erasures_of(org, member).find(|erasure| !erasure.possible())
    }

    fn erasures_of(&self, org: &OrgId, member: MemberId) -> impl Iterator<Item = &Entry> {
        self.grave(org).filter(move |entry| match entry.asked {
            Asked::Erase(whose) => self.may_be_one(org, member, whose, entry),
            _ => false,
        })
    }

    /// What was asked of a member's erasure, and what came of it: to be printed.
    pub fn erasures_asked(&self, org: &OrgId) -> String {
        let about = |entry: &Entry| {
            let known = format!("{:?} at step {}: {:.60}", entry.asked, entry.sent, format!("{:?}", entry.outcome));
            known
        };
        self.grave(org).map(about).collect::<Vec<_>>().join("\n    ")
    }

    /// Whether one record may have been part of another, by any way of merges, when that was erased.
    fn may_be_one(&self, org: &OrgId, from: MemberId, into: MemberId, erasure: &Entry) -> bool {
        let (mut reached, mut ahead) = (vec![from], vec![from]);
        while let Some(member) = ahead.pop() {
            if member == into {
                return true;
            }
            for entry in self.grave(org).filter(|entry| entry.possible()) {
                if let Asked::Merge(second, first) = entry.asked
                    && second == member
                    && !reached.contains(&first)
                    && !self.undone(org, entry, erasure.sent)
                {
                    reached.push(first);
                    ahead.push(first);
                }
            }
        }
        false
    }

    /// Whether a merge was surely undone before a step: after its answer, and answered itself.
    fn undone(&self, org: &OrgId, merge: &Entry, by: u64) -> bool {
        let Asked::Merge(second, _) = merge.asked else { return false };
        let undoes = |entry: &Entry| entry.asked == Asked::Unmerge(second) && entry.done() && merge.over_by(entry.sent);
        merge.done() && self.grave(org).any(|entry| undoes(entry) && entry.over_by(by))
    }

    /// A hold that surely stood, on one of a person's surely merged records, from before an erasure was asked for until
    /// after its answer.
    pub fn hold_against(&self, erasure: &Entry) -> Option<MemberId> {
        let (org, Asked::Erase(whose)) = (&erasure.org, &erasure.asked) else { return None };
        self.surely_one(org, *whose, erasure).into_iter().find(|member| {
            let mut holds = self.grave(org).filter(|entry| entry.asked == Asked::Hold(*member) && entry.done());
            holds.any(|hold| {
                let lifted = |entry: &Entry| {
                    matches!(&entry.asked, Asked::Lift(of, which) if of == member && hold.names(*which))
                        && entry.possible()
                        && entry.sent < erasure.answered
                };
                hold.over_by(erasure.sent) && !self.grave(org).any(lifted)
            })
        })
    }

    /// The record and those that were surely part of it all through an erasure.
    pub fn surely_one(&self, org: &OrgId, whose: MemberId, erasure: &Entry) -> Vec<MemberId> {
        let mut all = vec![whose];
        let mut next = 0;
        while let Some(into) = all.get(next).copied() {
            next += 1;
            for merge in self.grave(org).filter(|entry| entry.done() && entry.over_by(erasure.sent)) {
                let Asked::Merge(second, first) = merge.asked else { continue };
                // Any attempt to undo it, or to merge it elsewhere, makes it less than sure.
                let in_doubt = |entry: &Entry| {
                    let other = match entry.asked {
                        Asked::Unmerge(member) => member == second,
                        Asked::Merge(member, elsewhere) => member == second && elsewhere != first,
                        _ => false,
                    };
                    other && entry.possible() && entry.sent < erasure.answered
                };
                if first == into && !all.contains(&second) && !self.grave(org).any(in_doubt) {
                    all.push(second);
                }
            }
        }
        all
    }
}

impl Entry {
    /// Whether the answer names this hold.
    fn names(&self, hold: HoldId) -> bool {
        let Outcome::Done { body, .. } = &self.outcome else { return false };
        serde_json::from_slice::<Value>(body).is_ok_and(|body| body["hold"] == hold.to_string())
    }
}
