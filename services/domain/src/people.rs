//! People: who is the same person as whom, what keeps somebody from being forgotten, what they forbid, and that they
//! were forgotten.
//!
//! What is about more than one record at a time is decided here, in one stream of the organisation, so that no race and
//! no crash leaves a half: a merge is one event, an erasure is one event, however many records it is about. What is
//! about one record alone is its own stream's ([`crate::member`]).

mod persons;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::persons::Persons;
use crate::{
    Decider, HoldId, MemberId, OrgId,
    event::events,
    member::{self, Purpose, Record, Refusal},
    sealed::Sealed,
};

/// Stream kind of an organisation's people; each organisation has one stream.
#[derive(Debug)]
pub struct People;

/// Most legal holds on one record at a time, a count.
pub const HOLDS_MAX: usize = 16;
/// Most second records of one person, a count.
pub const ABSORBED_MAX: usize = 32;
/// Most records that one record is said to be no other person's than, a count.
pub const APART_MAX: usize = 64;
/// Most records that one event takes over from what was written before there was this stream, a count.
pub const ADOPTED_MAX: usize = 1_000;

/// The id of an organisation's stream.
pub fn stream_id(org: &OrgId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith people {org}").as_bytes())
}

/// Two records were found to be of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// The second record.
    pub from: MemberId,
    /// Under which the person goes on.
    pub into: MemberId,
    /// What the second record forbids and the other did not: from now on the other does, too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Purpose>,
    /// Whether use of the other is restricted from now on, because that of the second is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

/// They were found to be of two people after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unmerged {
    /// The second record, which stands alone again.
    pub from: MemberId,
    /// Under which it went meanwhile.
    pub into: MemberId,
}

/// Two records that look like one person's were found to be of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToldApart {
    /// One of them.
    pub one: MemberId,
    /// The other.
    pub other: MemberId,
}

/// A legal hold was placed: the person must not be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldPlaced {
    /// On whom.
    pub member: MemberId,
    /// Which.
    pub hold: HoldId,
    /// Why.
    pub reason: Sealed,
    /// When to look whether it is still needed.
    pub review_on: Date,
}

/// A legal hold was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldLifted {
    /// From whom.
    pub member: MemberId,
    /// Which.
    pub hold: HoldId,
}

/// Use of a record was restricted (GDPR Art. 18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restricted {
    /// Whose.
    pub member: MemberId,
}

/// The restriction was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unrestricted {
    /// Whose.
    pub member: MemberId,
}

/// A member objected to a purpose (GDPR Art. 21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objected {
    /// Who.
    pub member: MemberId,
    /// To what.
    pub purpose: Purpose,
}

/// A member took an objection back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectionWithdrawn {
    /// Who.
    pub member: MemberId,
    /// To what it was.
    pub purpose: Purpose,
}

/// A person was erased: their keys are destroyed, what was sealed with them is lost for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// All records of the person, the one that was asked for first.
    pub records: Vec<MemberId>,
}

/// What the members' own streams said before there was this one was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adopted {
    /// Records of which something stands.
    pub people: BTreeMap<MemberId, Person>,
    /// Those who were erased.
    pub erased: BTreeSet<MemberId>,
}

events! {
    /// What can have happened to an organisation's people.
    pub enum Event of "people" {
        /// Two records became one person's.
        Merged = "member.merged" v 2,
        /// That was undone.
        Unmerged = "member.unmerged" v 2,
        /// Two records were found to be of two people.
        ToldApart = "member.told_apart" v 1,
        /// A legal hold was placed.
        HoldPlaced = "hold.placed" v 2,
        /// A legal hold was lifted.
        HoldLifted = "hold.lifted" v 2,
        /// Use of a record was restricted.
        Restricted = "processing.restricted" v 2,
        /// The restriction was lifted.
        Unrestricted = "processing.unrestricted" v 2,
        /// A member objected to a purpose.
        Objected = "objection.raised" v 2,
        /// A member took an objection back.
        ObjectionWithdrawn = "objection.withdrawn" v 2,
        /// A person was erased.
        Erased = "member.erased" v 2,
        /// What was written before was taken over.
        Adopted = "people.adopted" v 1,
    }
}

impl Event {
    /// What it says of each record alone, in the words of that record's own stream, for those who keep records.
    pub fn of_records(&self) -> Vec<(MemberId, member::Event)> {
        use member::Event as Of;
        match self.clone() {
            Self::Merged(Merged { from, into, objections, restricted }) => {
                let merged =
                    [(from, Of::Merged(member::Merged { into })), (into, Of::Absorbed(member::Absorbed { from }))];
                let objected = objections.into_iter().map(|purpose| (into, Of::Objected(member::Objected { purpose })));
                let restricted = restricted.then_some((into, Of::Restricted(member::Restricted {})));
                merged.into_iter().chain(objected).chain(restricted).collect()
            }
            Self::Unmerged(Unmerged { from, into }) => vec![
                (from, Of::Unmerged(member::Unmerged { from: into })),
                (into, Of::Released(member::Released { from })),
            ],
            Self::HoldPlaced(HoldPlaced { member, hold, reason, review_on }) => {
                vec![(member, Of::HoldPlaced(member::HoldPlaced { hold, reason, review_on }))]
            }
            Self::HoldLifted(HoldLifted { member, hold }) => {
                vec![(member, Of::HoldLifted(member::HoldLifted { hold }))]
            }
            Self::Restricted(Restricted { member }) => vec![(member, Of::Restricted(member::Restricted {}))],
            Self::Unrestricted(Unrestricted { member }) => vec![(member, Of::Unrestricted(member::Unrestricted {}))],
            Self::Objected(Objected { member, purpose }) => {
                vec![(member, Of::Objected(member::Objected { purpose }))]
            }
            Self::ObjectionWithdrawn(ObjectionWithdrawn { member, purpose }) => {
                vec![(member, Of::ObjectionWithdrawn(member::ObjectionWithdrawn { purpose }))]
            }
            Self::Erased(Erased { records }) => {
                records.into_iter().map(|record| (record, Of::Erased(member::Erased {}))).collect()
            }
            // Whoever keeps records has read it where it was written, or learns nothing of either record.
            Self::Adopted(_) | Self::ToldApart(_) => vec![],
        }
    }
}

/// What is known of an organisation's people, but for what their records say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Those of whom anything is known here.
    people: BTreeMap<MemberId, Person>,
    /// Records that were erased, each with the one by which the person was.
    erased: BTreeMap<MemberId, MemberId>,
    persons: Persons,
    /// Of each record those that were found to be another person's.
    apart: BTreeMap<MemberId, BTreeSet<MemberId>>,
}

/// What stands of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Under whom the person goes on, if the record is a second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<MemberId>,
    /// Second records of the same person, which were merged into this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absorbed: BTreeSet<MemberId>,
    /// Legal holds, and when to look at each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<HoldId, Date>,
    /// Purposes that the member objected to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Purpose>,
    /// Whether the record is only kept, and not used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

/// Of whom nothing is known here.
static NOBODY: Person = Person {
    merged_into: None,
    absorbed: BTreeSet::new(),
    holds: BTreeMap::new(),
    objections: BTreeSet::new(),
    restricted: false,
};

impl State {
    /// Whether the record was erased.
    pub fn is_erased(&self, member: MemberId) -> bool {
        self.erased.contains_key(&member)
    }

    /// What stands of a record; nothing of those who were erased.
    pub fn person(&self, member: MemberId) -> &Person {
        self.people.get(&member).unwrap_or(&NOBODY)
    }

    /// Which records are one person's.
    pub fn persons(&self) -> &Persons {
        &self.persons
    }

    /// Whether the persons with these records were found to be two.
    pub fn are_apart(&self, one: MemberId, other: MemberId) -> bool {
        let others = |record: &MemberId| self.apart.get(record).into_iter().flatten();
        let other = self.persons.of(other);
        self.persons.records(&one).iter().flat_map(others).any(|record| self.persons.of(*record) == other)
    }

    fn tell_apart(&self, one: MemberId, other: MemberId) -> Result<Option<Event>, Refusal> {
        self.may_change(one)?;
        self.may_change(other)?;
        let said = |of| self.apart.get(&of).map_or(0, BTreeSet::len);
        match () {
            () if one == other => Err(Refusal::Itself),
            () if self.are_apart(one, other) => Ok(None),
            () if said(one).max(said(other)) >= APART_MAX => {
                Err(Refusal::TooMany { what: "records that are another person's", max: APART_MAX })
            }
            () => Ok(Some(Event::ToldApart(ToldApart { one, other }))),
        }
    }

    /// All records of a person: this one, then those merged into it, and so on.
    pub fn records(&self, member: MemberId) -> Vec<MemberId> {
        let (mut records, mut next) = (vec![member], 0);
        while let Some(record) = records.get(next) {
            let more = self.person(*record).absorbed.iter().filter(|more| !records.contains(more));
            let more: Vec<_> = more.copied().collect();
            records.extend(more);
            next += 1;
        }
        records
    }

    /// All records that were erased by asking for this one, itself first; empty if it was not asked for.
    pub fn erased_by(&self, member: MemberId) -> Vec<MemberId> {
        let others = self.erased.iter().filter(|(record, by)| **by == member && **record != member);
        let itself = (self.erased.get(&member) == Some(&member)).then_some(member);
        itself.into_iter().chain(others.map(|(record, _)| *record)).collect()
    }

    /// Whether the record is there to be changed.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] if it was erased, [`Refusal::Merged`] if it was merged into another.
    pub fn may_change(&self, member: MemberId) -> Result<(), Refusal> {
        match self.person(member).merged_into {
            _ if self.is_erased(member) => Err(Refusal::Unknown),
            Some(into) => Err(Refusal::Merged { into }),
            None => Ok(()),
        }
    }

    /// The record with what stands of it here; none if it was erased.
    pub fn complete(&self, member: MemberId, mut record: Record) -> Option<Record> {
        if self.is_erased(member) {
            return None;
        }
        let Person { merged_into, absorbed, holds, objections, restricted } = self.person(member).clone();
        (record.merged_into, record.absorbed, record.holds) = (merged_into, absorbed, holds);
        (record.permissions.objections, record.permissions.restricted) = (objections, restricted);
        Some(record)
    }
}

/// What can be asked, of records that are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Merge a record into another.
    Merge {
        /// The second record.
        from: MemberId,
        /// Under which the person goes on.
        into: MemberId,
    },
    /// Undo the merge of this one.
    Unmerge(MemberId),
    /// Say that two records are of two people.
    TellApart(MemberId, MemberId),
    /// Place a legal hold.
    PlaceHold(HoldPlaced),
    /// Lift one.
    LiftHold(HoldLifted),
    /// Restrict use of a record, or lift that.
    Restrict(MemberId, bool),
    /// Object to a purpose, or take that back.
    Object(MemberId, Purpose, bool),
    /// Forget a person, with all records.
    Erase(MemberId),
    /// Forget this record alone, whatever stands in the way: it was forgotten once, says who restores a copy of before.
    EraseAgain(MemberId),
    /// Take over what was written before.
    Adopt(Adopted),
}

impl Decider for People {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let one = |event: Option<Event>| event.into_iter().collect();
        let there = |member: &MemberId| if state.is_erased(*member) { Err(Refusal::Unknown) } else { Ok(()) };
        match command {
            Command::Merge { from, into } => state.merge(*from, *into).map(one),
            Command::Unmerge(from) => {
                there(from)?;
                let into = state.person(*from).merged_into.ok_or(Refusal::NotMerged)?;
                Ok(vec![Event::Unmerged(Unmerged { from: *from, into })])
            }
            Command::TellApart(first, second) => state.tell_apart(*first, *second).map(one),
            Command::PlaceHold(placed) => {
                there(&placed.member)?;
                let holds = &state.person(placed.member).holds;
                match () {
                    () if holds.contains_key(&placed.hold) => Ok(vec![]),
                    () if holds.len() >= HOLDS_MAX => Err(Refusal::TooMany { what: "legal holds", max: HOLDS_MAX }),
                    () => Ok(vec![Event::HoldPlaced(placed.clone())]),
                }
            }
            Command::LiftHold(lifted) => {
                there(&lifted.member)?;
                let stands = state.person(lifted.member).holds.contains_key(&lifted.hold);
                if stands { Ok(vec![Event::HoldLifted(lifted.clone())]) } else { Err(Refusal::NoHold) }
            }
            Command::Restrict(member, restrict) => {
                state.may_change(*member)?;
                let member = *member;
                Ok(one(match (state.person(member).restricted, restrict) {
                    (false, true) => Some(Event::Restricted(Restricted { member })),
                    (true, false) => Some(Event::Unrestricted(Unrestricted { member })),
                    _ => None,
                }))
            }
            Command::Object(member, purpose, objects) => {
                state.may_change(*member)?;
                let (member, purpose) = (*member, *purpose);
                Ok(one(match (state.person(member).objections.contains(&purpose), objects) {
                    (false, true) => Some(Event::Objected(Objected { member, purpose })),
                    (true, false) => Some(Event::ObjectionWithdrawn(ObjectionWithdrawn { member, purpose })),
                    _ => None,
                }))
            }
            Command::Erase(member) => state.erase(*member).map(|event| vec![event]),
            Command::EraseAgain(member) => Ok(state.erase_again(*member)),
            Command::Adopt(adopted) => Ok(one(state.adopt(adopted))),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Merged(Merged { from, into, objections, restricted }) => {
                state.of(*from).merged_into = Some(*into);
                let other = state.of(*into);
                other.absorbed.insert(*from);
                other.objections.extend(objections);
                other.restricted |= restricted;
                state.count_as_one(*into);
            }
            Event::Unmerged(Unmerged { from, into }) => {
                state.of(*from).merged_into = None;
                state.of(*into).absorbed.remove(from);
                state.count_as_one(*from);
                state.count_as_one(*into);
            }
            Event::ToldApart(ToldApart { one, other }) => {
                state.apart.entry(*one).or_default().insert(*other);
                state.apart.entry(*other).or_default().insert(*one);
            }
            Event::HoldPlaced(HoldPlaced { member, hold, review_on, .. }) => {
                state.of(*member).holds.insert(*hold, *review_on);
            }
            Event::HoldLifted(HoldLifted { member, hold }) => {
                state.of(*member).holds.remove(hold);
            }
            Event::Restricted(Restricted { member }) => state.of(*member).restricted = true,
            Event::Unrestricted(Unrestricted { member }) => state.of(*member).restricted = false,
            Event::Objected(Objected { member, purpose }) => {
                state.of(*member).objections.insert(*purpose);
            }
            Event::ObjectionWithdrawn(ObjectionWithdrawn { member, purpose }) => {
                state.of(*member).objections.remove(purpose);
            }
            Event::Erased(Erased { records }) => {
                for record in records {
                    state.people.remove(record);
                    for other in state.apart.remove(record).unwrap_or_default() {
                        state.apart.entry(other).or_default().remove(record);
                    }
                    state.erased.insert(*record, records[0]);
                }
            }
            Event::Adopted(Adopted { people, erased }) => {
                state.people.extend(people.iter().map(|(member, person)| (*member, person.clone())));
                state.erased.extend(erased.iter().map(|member| (*member, *member)));
                for member in people.keys() {
                    state.count_as_one(*member);
                }
            }
        }
        state
    }
}

impl State {
    fn of(&mut self, member: MemberId) -> &mut Person {
        self.people.entry(member).or_default()
    }

    /// The record and all that are the same person's by now are.
    fn count_as_one(&mut self, member: MemberId) {
        let mut first = member;
        // No merge closes a circle; were there one, this would end all the same.
        for _ in 0..=ABSORBED_MAX {
            first = self.person(first).merged_into.unwrap_or(first);
        }
        let records = self.records(first);
        self.persons.are_one(&records);
    }

    fn merge(&self, from: MemberId, into: MemberId) -> Result<Option<Event>, Refusal> {
        if from == into {
            return Err(Refusal::Itself);
        }
        if self.is_erased(from) || self.is_erased(into) {
            return Err(Refusal::Unknown);
        }
        if self.person(from).merged_into == Some(into) {
            return Ok(None);
        }
        // Both go under their own names, so that no merge closes a circle.
        self.may_change(from)?;
        self.may_change(into)?;
        if self.records(from).len() + self.records(into).len() > 1 + ABSORBED_MAX {
            return Err(Refusal::TooMany { what: "merged records", max: ABSORBED_MAX });
        }
        let (mine, theirs) = (self.person(from), self.person(into));
        let objections = mine.objections.difference(&theirs.objections).copied().collect();
        let restricted = mine.restricted && !theirs.restricted;
        Ok(Some(Event::Merged(Merged { from, into, objections, restricted })))
    }

    fn erase(&self, member: MemberId) -> Result<Event, Refusal> {
        self.may_change(member)?;
        let records = self.records(member);
        let holds = || records.iter().flat_map(|record| self.person(*record).holds.values());
        match holds().min() {
            Some(review_on) => Err(Refusal::Held { count: holds().count(), review_on: *review_on }),
            None => Ok(Event::Erased(Erased { records })),
        }
    }

    fn erase_again(&self, member: MemberId) -> Vec<Event> {
        if self.is_erased(member) {
            return vec![];
        }
        let Person { merged_into, absorbed, holds, .. } = self.person(member);
        let lifted = holds.keys().map(|hold| Event::HoldLifted(HoldLifted { member, hold: *hold }));
        let apart = merged_into.iter().map(|into| Unmerged { from: member, into: *into });
        let others = absorbed.iter().map(|from| Unmerged { from: *from, into: member });
        let erased = [Event::Erased(Erased { records: vec![member] })];
        lifted.chain(apart.chain(others).map(Event::Unmerged)).chain(erased).collect()
    }

    /// What is new in it.
    fn adopt(&self, adopted: &Adopted) -> Option<Event> {
        let mut new = adopted.clone();
        new.people.retain(|member, _| !self.people.contains_key(member) && !self.is_erased(*member));
        new.erased.retain(|member| !self.is_erased(*member));
        (!new.people.is_empty() || !new.erased.is_empty()).then_some(Event::Adopted(new))
    }
}

#[cfg(test)]
mod tests;
