//! A member: a person known to an organisation by as little as an alias, and what they allow.
//!
//! Merges, legal holds, objections, restrictions and erasures are about people, who may have several records: they are
//! decided in [`crate::people`]. Until there was that stream they were written here, so they are still read here.
//!
//! Personal fields arrive sealed. Two seals of one person's field are equal exactly if what they hide is, so that this
//! file can tell a change from a repetition without reading either.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConsentId, Decider, GlassId, GroupId, HoldId, MemberId, Subject, event::events, sealed::Sealed};

mod consent;
mod notice;
mod older;
mod profile;
mod refusal;

use older::{ChangedV1, RegisteredV1};

pub use consent::{Denied, Details, Given, Means, Permissions, Purpose};
pub use notice::{NOTICES, Notice};
pub(crate) use profile::is_address;
pub use profile::{
    BIRTH_YEAR_MIN, Channel, EXTERNAL_IDS_MAX, EmergencyContact, Ethnicity, ExternalId, Field, Gender, Profile,
    ProfileError, SAFE_CONTACT_WORDS_MAX, SafeContact, Told,
};
pub use refusal::Refusal;

/// Stream kind of members.
#[derive(Debug)]
pub struct Member;

/// Most consents of one member, a count.
pub const CONSENTS_MAX: usize = 200;
/// How long broken glass stays open (the pattern of DHIS2).
pub const GLASS_OPEN: SignedDuration = SignedDuration::from_hours(3);
/// How far the clocks of several machines may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
/// Most unreviewed breakings of the glass of one member, a count.
pub const GLASS_MAX: usize = 64;

/// Sealed fields of a profile.
pub type Fields = BTreeMap<Field, Sealed>;

/// A member was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// What is known; may be nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Fields,
    /// Who typed it in, if they lead meetings and have no authority over records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<TypedBy>,
}

/// Who typed a member in without authority over their record: nothing else of it is open to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypedBy {
    /// Who.
    pub subject: Subject,
    /// At whose meeting; those who lead this group share what was typed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
}

/// A member's fields were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// What is known now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: Fields,
    /// What is no longer known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<Field>,
    /// Whether it was typed in by who had typed in all that was known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub typed: bool,
}

/// A consent was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// Which.
    pub consent: ConsentId,
    /// When.
    pub withdrawn_on: Date,
    /// How.
    pub means: Means,
}

/// Use of the record was restricted (GDPR Art. 18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restricted {}

/// The restriction was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unrestricted {}

/// The member objected to a purpose (GDPR Art. 21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objected {
    /// To what.
    pub purpose: Purpose,
}

/// The member took an objection back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectionWithdrawn {
    /// To what it was.
    pub purpose: Purpose,
}

/// A legal hold was placed: the record must not be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldPlaced {
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
    /// Which.
    pub hold: HoldId,
}

/// The record was found to be another's: the same person was registered twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// Under whom the person goes on.
    pub into: MemberId,
}

/// The record was found not to be another's after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unmerged {
    /// Under whom the person went meanwhile.
    pub from: MemberId,
}

/// Another record of the same person became part of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Absorbed {
    /// The second record.
    pub from: MemberId,
}

/// That was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// The second record.
    pub from: MemberId,
}

/// Somebody broke the glass: they may see the record beyond their usual authority, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassBroken {
    /// Which time.
    pub glass: GlassId,
    /// Who.
    pub subject: Subject,
    /// Why.
    pub reason: Sealed,
    /// Until when.
    pub until: Timestamp,
}

/// Somebody else looked at why the glass was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassReviewed {
    /// Which time.
    pub glass: GlassId,
    /// Whether it was right.
    pub justified: bool,
}

/// The member was erased: their key is destroyed, what was sealed with it is lost for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {}

events! {
    /// What can have happened to a member.
    pub enum Event of "member" {
        /// They were registered.
        Registered = "member.registered" v 2 (v 1 RegisteredV1),
        /// Their fields were changed.
        Changed = "member.changed" v 2 (v 1 ChangedV1),
        /// They gave a consent.
        Given = "consent.given" v 1,
        /// They withdrew a consent.
        Withdrawn = "consent.withdrawn" v 1,
        /// Use of their record was restricted.
        Restricted = "processing.restricted" v 1,
        /// The restriction was lifted.
        Unrestricted = "processing.unrestricted" v 1,
        /// They objected to a purpose.
        Objected = "objection.raised" v 1,
        /// They took an objection back.
        ObjectionWithdrawn = "objection.withdrawn" v 1,
        /// A legal hold was placed.
        HoldPlaced = "hold.placed" v 1,
        /// A legal hold was lifted.
        HoldLifted = "hold.lifted" v 1,
        /// The record was merged into another.
        Merged = "member.merged" v 1,
        /// The merge was undone.
        Unmerged = "member.unmerged" v 1,
        /// Another record became part of this one.
        Absorbed = "member.absorbed" v 1,
        /// That was undone.
        Released = "member.released" v 1,
        /// Somebody broke the glass.
        GlassBroken = "glass.broken" v 1,
        /// Somebody else looked at it.
        GlassReviewed = "glass.reviewed" v 1,
        /// They were erased.
        Erased = "member.erased" v 1,
    }
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing.
    #[default]
    Unknown,
    /// A record.
    Known(Box<Record>),
    /// That there was one.
    Erased,
}

/// A member's record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// Their fields, sealed.
    pub fields: Fields,
    /// Who typed the member in, if they have no authority over the record.
    pub typed_by: Option<TypedBy>,
    /// Fields that say what was typed in then, or since by the same.
    pub typed: BTreeSet<Field>,
    /// What they allow.
    pub permissions: Permissions,
    /// Legal holds, and when to look at each.
    pub holds: BTreeMap<HoldId, Date>,
    /// Under whom the person goes on, if the record is a second one.
    pub merged_into: Option<MemberId>,
    /// Second records of the same person, which were merged into this one.
    pub absorbed: BTreeSet<MemberId>,
    /// Who broke the glass; those not yet reviewed.
    pub glass: BTreeMap<GlassId, Glass>,
}

/// Broken glass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// Who broke it.
    pub subject: Subject,
    /// Why.
    pub reason: Sealed,
    /// Until when they may look.
    pub until: Timestamp,
}

impl State {
    /// The record, if there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Known(record) => Some(record),
            Self::Unknown | Self::Erased => None,
        }
    }
}

impl Record {
    /// Whether nothing is known but what was typed in by who has no authority over the record.
    pub fn is_as_typed(&self) -> bool {
        self.typed_by.is_some() && self.fields.keys().all(|field| self.typed.contains(field))
    }

    /// Whether the subject broke the glass and may still look.
    pub fn glass_open_for(&self, subject: &Subject, now: Timestamp) -> bool {
        // What is open for longer than any glass was broken by a clock that was ahead.
        let open = |until: Timestamp| now < until && until.duration_since(now) <= GLASS_OPEN + CLOCKS_DIFFER;
        self.glass.values().any(|glass| glass.subject == *subject && open(glass.until))
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register them.
    Register {
        /// What is known; may be nothing.
        fields: Fields,
        /// Who types it in, if they have no authority over the record.
        typed_by: Option<TypedBy>,
    },
    /// Change fields: set some, remove others, leave the rest.
    Change {
        /// What is known now.
        set: Fields,
        /// What is no longer known.
        removed: BTreeSet<Field>,
        /// Whether it is typed in by who has no authority over the record, but typed in all that is known.
        typed: bool,
    },
    /// Keep a consent.
    GiveConsent(Given),
    /// Withdraw one.
    WithdrawConsent(Withdrawn),
    /// Break the glass.
    BreakGlass(GlassBroken),
    /// Say whether that was right; who broke it cannot.
    ReviewGlass {
        /// Which time.
        glass: GlassId,
        /// Who looked at it.
        reviewer: Subject,
        /// Whether it was right.
        justified: bool,
    },
}

impl Decider for Member {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let record = match (command, state) {
            (Command::Register { fields, typed_by }, State::Unknown) => {
                let registered = Registered { fields: fields.clone(), typed_by: typed_by.clone() };
                return Ok(vec![Event::Registered(registered)]);
            }
            (Command::Register { fields, typed_by }, State::Known(record)) => {
                // Who may not read the record does not learn by trying what is in it.
                let may_know = typed_by.is_none() || (record.typed_by == *typed_by && record.is_as_typed());
                return if may_know && record.fields == *fields { Ok(vec![]) } else { Err(Refusal::Registered) };
            }
            (_, State::Unknown | State::Erased) => return Err(Refusal::Unknown),
            (_, State::Known(record)) => record,
        };
        Ok(record.decide(command)?.into_iter().collect())
    }

    fn evolve(state: State, event: &Event) -> State {
        let mut record = match (state, event) {
            (_, Event::Erased(Erased {})) | (State::Erased, _) => return State::Erased,
            (State::Unknown, _) => Box::default(),
            (State::Known(record), _) => record,
        };
        record.evolve(event);
        State::Known(record)
    }
}

impl Record {
    /// At most one event follows from a command on a record.
    fn decide(&self, command: &Command) -> Result<Option<Event>, Refusal> {
        match command {
            Command::Register { .. } => Ok(None), // decided before
            Command::Change { typed: true, .. } if !self.is_as_typed() => Err(Refusal::Completed),
            Command::Change { set, removed, typed } => Ok(self.change(set, removed, *typed)),
            Command::GiveConsent(given) => self.give_consent(given),
            Command::WithdrawConsent(withdrawn) => self.withdraw_consent(withdrawn),
            Command::BreakGlass(broken) if self.glass.contains_key(&broken.glass) => Ok(None),
            Command::BreakGlass(_) if self.glass.len() >= GLASS_MAX => {
                Err(Refusal::TooMany { what: "unreviewed break-glass accesses", max: GLASS_MAX })
            }
            Command::BreakGlass(broken) => Ok(Some(Event::GlassBroken(broken.clone()))),
            Command::ReviewGlass { glass, reviewer, justified } => self.review(*glass, reviewer, *justified),
        }
    }

    fn change(&self, set: &Fields, removed: &BTreeSet<Field>, typed: bool) -> Option<Event> {
        let set: Fields = set
            .iter()
            .filter(|(field, sealed)| self.fields.get(field) != Some(*sealed))
            .map(|(field, sealed)| (*field, sealed.clone()))
            .collect();
        let removed: BTreeSet<Field> =
            removed.iter().filter(|field| self.fields.contains_key(field)).copied().collect();
        (!set.is_empty() || !removed.is_empty()).then_some(Event::Changed(Changed { set, removed, typed }))
    }

    fn give_consent(&self, given: &Given) -> Result<Option<Event>, Refusal> {
        let known = &self.permissions;
        match () {
            () if known.consents.get(&given.consent) == Some(given) => Ok(None),
            () if given.expires_on.is_some_and(|last| last < given.given_on) => Err(Refusal::ConsentDates),
            () if known.withdrawn.contains(&given.consent) => Ok(None),
            () if known.consents.len() + known.withdrawn.len() >= CONSENTS_MAX => {
                Err(Refusal::TooMany { what: "consents", max: CONSENTS_MAX })
            }
            () => Ok(Some(Event::Given(given.clone()))),
        }
    }

    fn withdraw_consent(&self, withdrawn: &Withdrawn) -> Result<Option<Event>, Refusal> {
        match self.permissions.consents.get(&withdrawn.consent) {
            None if self.permissions.withdrawn.contains(&withdrawn.consent) => Ok(None),
            None => Err(Refusal::NoConsent),
            Some(given) if withdrawn.withdrawn_on < given.given_on => Err(Refusal::ConsentDates),
            Some(_) => Ok(Some(Event::Withdrawn(withdrawn.clone()))),
        }
    }

    fn review(&self, glass: GlassId, reviewer: &Subject, justified: bool) -> Result<Option<Event>, Refusal> {
        match self.glass.get(&glass) {
            None => Err(Refusal::NoGlass),
            Some(glass) if glass.subject == *reviewer => Err(Refusal::OwnGlass),
            Some(_) => Ok(Some(Event::GlassReviewed(GlassReviewed { glass, justified }))),
        }
    }

    /// The record after `event`, which is not that the member was erased.
    pub fn evolve(&mut self, event: &Event) {
        let permissions = &mut self.permissions;
        match event {
            Event::Registered(Registered { fields, typed_by }) => {
                self.fields.clone_from(fields);
                self.typed_by.clone_from(typed_by);
                self.typed = if typed_by.is_some() { fields.keys().copied().collect() } else { BTreeSet::new() };
            }
            Event::Changed(Changed { set, removed, typed }) => {
                self.fields.extend(set.iter().map(|(field, sealed)| (*field, sealed.clone())));
                self.fields.retain(|field, _| !removed.contains(field));
                self.typed.retain(|field| !set.contains_key(field) && !removed.contains(field));
                if *typed {
                    self.typed.extend(set.keys());
                }
            }
            Event::Given(given) => {
                permissions.consents.insert(given.consent, given.clone());
            }
            Event::Withdrawn(Withdrawn { consent, .. }) => {
                let given = permissions.consents.remove(consent);
                permissions.withdrawn_from.extend(given.map(|given| given.purpose));
                permissions.withdrawn.insert(*consent);
            }
            Event::Restricted(Restricted {}) => permissions.restricted = true,
            Event::Unrestricted(Unrestricted {}) => permissions.restricted = false,
            Event::Objected(Objected { purpose }) => {
                permissions.objections.insert(*purpose);
            }
            Event::ObjectionWithdrawn(ObjectionWithdrawn { purpose }) => {
                permissions.objections.remove(purpose);
            }
            Event::HoldPlaced(HoldPlaced { hold, review_on, .. }) => {
                self.holds.insert(*hold, *review_on);
            }
            Event::HoldLifted(HoldLifted { hold }) => {
                self.holds.remove(hold);
            }
            Event::Absorbed(Absorbed { from }) => {
                self.absorbed.insert(*from);
            }
            Event::Released(Released { from }) => {
                self.absorbed.remove(from);
            }
            Event::Merged(Merged { into }) => self.merged_into = Some(*into),
            Event::Unmerged(Unmerged { .. }) => self.merged_into = None,
            Event::GlassBroken(GlassBroken { glass, subject, reason, until }) => {
                let broken = Glass { subject: subject.clone(), reason: reason.clone(), until: *until };
                self.glass.insert(*glass, broken);
            }
            Event::GlassReviewed(GlassReviewed { glass, .. }) => {
                self.glass.remove(glass);
            }
            Event::Erased(Erased {}) => {} // there is no record any more: see the stream's evolve
        }
    }
}

#[cfg(test)]
mod tests;
