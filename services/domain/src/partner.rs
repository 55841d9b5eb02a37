//! A partner: an agency that members are referred to, with its services. Nothing here is about a member.

mod calendar;
mod listed;
mod refusal;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    calendar::{CLOSED_ON_MAX, Calendar, Day},
    listed::{Listed, ListedService, Part},
    refusal::Refusal,
    vocabulary::{Capacity, CapacityAnswer, Item, LANGUAGES_MAX, SERVICES_MAX, Source, Status},
};
use crate::{Decider, PartnerId, ServiceId, Subject, event::events, member::is_address, text::Text};

/// Stream kind of partners.
#[derive(Debug)]
pub struct Partner;

/// What describes a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PartnerDetails)]
pub struct Details {
    /// Its name.
    pub name: Text<200>,
    /// When and where it works.
    pub calendar: Calendar,
    /// The address of a mailbox of the agency, never of a person, to which links are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 254, example = "intake@example.org")]
    pub mailbox: Option<Text<254>>,
    /// Whether it treats those who are referred to it: only then does a consent for "my treating providers" name it (42 CFR
    /// 2.31(a)(4)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub treats: bool,
    /// Whether it only routes referrals to others (an intermediary, 42 CFR 2.11).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub intermediary: bool,
    /// Whether it is bound by HIPAA; members are told if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hipaa: bool,
    /// Where it was imported from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What describes a service. Names and meanings of HSDS 3.0 where it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PartnerService)]
pub struct Service {
    /// Its name.
    pub name: Text<200>,
    /// Whether it is there.
    pub status: Status,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<4_000>>,
    /// How one applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_process: Option<Text<2_000>>,
    /// For whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligibility_description: Option<Text<2_000>>,
    /// Youngest age, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_age: Option<u8>,
    /// Oldest age, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_age: Option<u8>,
    /// When it is open, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Text<500>>,
    /// Languages spoken there (BCP 47), at most 32.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub languages: BTreeSet<Text<35>>,
    /// How one gets in and around.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessibility: Option<Text<1_000>>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees_description: Option<Text<1_000>>,
    /// What one has to know now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Text<500>>,
    /// When somebody last made sure that all of this is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assured_date: Option<Date>,
    /// What it may be told of a member: nothing else is sent, whatever a member allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub may_receive: BTreeSet<Item>,
    /// Where it was imported from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A partner was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// As registered.
    pub details: Details,
}

/// A partner's details were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// As they are now.
    pub details: Details,
}

/// A partner was closed: nobody is referred to it any more. What is under way goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Closed {}

/// It was opened again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reopened {}

/// A service was added, or described anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceDescribed {
    /// Which.
    pub service: ServiceId,
    /// As it is now.
    pub details: Service,
}

/// Somebody asked whether a service can take a person; nothing was said of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityAsked {
    /// Which.
    pub service: ServiceId,
    /// Who.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
}

/// It was said whether it can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityStated {
    /// Which.
    pub service: ServiceId,
    /// What was said.
    pub answer: CapacityAnswer,
}

events! {
    /// What can have happened to a partner.
    pub enum Event of "partner" {
        /// It was registered.
        Registered = "partner.registered" v 1,
        /// Its details were changed.
        Changed = "partner.changed" v 1,
        /// It was closed.
        Closed = "partner.closed" v 1,
        /// It was opened again.
        Reopened = "partner.reopened" v 1,
        /// A service was added, or described anew.
        ServiceDescribed = "service.described" v 1,
        /// Somebody asked whether it can take a person.
        CapacityAsked = "capacity.asked" v 1,
        /// It was said whether it can.
        CapacityStated = "capacity.stated" v 1,
    }
}

/// What is known of a partner: nothing before it is registered.
pub type State = Option<Box<Known>>;

/// A registered partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What describes it.
    pub details: Details,
    /// Whether it was closed.
    pub closed: bool,
    /// Its services.
    pub services: BTreeMap<ServiceId, Service>,
    /// What it last said about the capacity of each.
    pub capacity: BTreeMap<ServiceId, CapacityAnswer>,
    /// Who asked since, and when.
    pub asked: BTreeMap<ServiceId, CapacityAsked>,
}

/// Where a referral goes: copied into it, because partners change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// To which agency.
    pub partner: PartnerId,
    /// To which of its services.
    pub service: ServiceId,
    /// What the service was called then.
    pub name: Text<200>,
    /// Whether the agency treated those who were referred to it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub treats: bool,
    /// Whether it was an intermediary then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub intermediary: bool,
}

/// A service that somebody can be referred to now: only [`Known::recipient`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    address: Address,
    may_receive: BTreeSet<Item>,
}

impl Recipient {
    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it may be told.
    pub fn may_receive(&self) -> &BTreeSet<Item> {
        &self.may_receive
    }
}

impl Details {
    fn check(&self) -> Result<(), Refusal> {
        let is_address = |mailbox: &Text<254>| is_address(mailbox.as_str());
        if self.mailbox.as_ref().is_none_or(is_address) { self.calendar.check() } else { Err(Refusal::Mailbox) }
    }
}

impl Known {
    /// The service as one that somebody can be referred to. `partner` is this one's id.
    ///
    /// # Errors
    /// [`Refusal::UnknownService`], [`Refusal::Closed`], [`Refusal::NotActive`].
    pub fn recipient(&self, partner: PartnerId, service: ServiceId) -> Result<Recipient, Refusal> {
        let known = self.receiving(service)?;
        let Details { treats, intermediary, .. } = self.details;
        let address = Address { partner, service, name: known.name.clone(), treats, intermediary };
        Ok(Recipient { address, may_receive: known.may_receive.clone() })
    }

    /// The service, if somebody can be referred to it.
    fn receiving(&self, service: ServiceId) -> Result<&Service, Refusal> {
        let known = self.services.get(&service).ok_or(Refusal::UnknownService)?;
        match known.status {
            _ if self.closed => Err(Refusal::Closed),
            Status::Active => Ok(known),
            Status::Inactive | Status::Defunct | Status::TemporarilyClosed => Err(Refusal::NotActive),
        }
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Register it, or change its details to these.
    Describe(Details),
    /// Make it, and services of its, what a directory says.
    Import(Listed),
    /// Close it, or open it again.
    Close(bool),
    /// Add a service, or describe it anew.
    DescribeService(ServiceDescribed),
    /// Ask whether a service can take a person.
    AskCapacity(CapacityAsked),
    /// Say whether it can.
    StateCapacity(CapacityStated),
}

impl Decider for Partner {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let known = match (command, state) {
            (Command::Import(listed), _) => return listed.decide(state),
            (Command::Describe(details), None) => {
                details.check()?;
                return Ok(vec![Event::Registered(Registered { details: details.clone() })]);
            }
            (_, None) => return Err(Refusal::Unknown),
            (_, Some(known)) => known,
        };
        Ok(known.decide(command)?.into_iter().collect())
    }

    fn evolve(state: State, event: &Event) -> State {
        let mut known = match (state, event) {
            (_, Event::Registered(Registered { details })) => {
                return Some(Box::new(Known::new(details.clone())));
            }
            (None, _) => return None,
            (Some(known), _) => known,
        };
        known.evolve(event);
        Some(known)
    }
}

impl Known {
    fn new(details: Details) -> Self {
        let (services, capacity, asked) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { details, closed: false, services, capacity, asked }
    }

    /// At most one event follows from a command on a partner that is there.
    fn decide(&self, command: &Command) -> Result<Option<Event>, Refusal> {
        Ok(match command {
            // Of it more may follow: it is decided before.
            Command::Import(_) => None,
            Command::Describe(details) => {
                details.check()?;
                let changed = Changed { details: details.clone() };
                (self.details != *details).then_some(Event::Changed(changed))
            }
            Command::Close(true) => (!self.closed).then_some(Event::Closed(Closed {})),
            Command::Close(false) => self.closed.then_some(Event::Reopened(Reopened {})),
            Command::DescribeService(described) => self.describe_service(described)?,
            Command::AskCapacity(asked) => {
                self.receiving(asked.service)?;
                let known = self.asked.get(&asked.service).is_some_and(|known| known.by == asked.by);
                (!known).then(|| Event::CapacityAsked(asked.clone()))
            }
            Command::StateCapacity(stated) => {
                self.services.get(&stated.service).ok_or(Refusal::UnknownService)?;
                let known = self.capacity.get(&stated.service) == Some(&stated.answer);
                let answers = self.asked.contains_key(&stated.service);
                (!known || answers).then(|| Event::CapacityStated(stated.clone()))
            }
        })
    }

    fn describe_service(&self, described: &ServiceDescribed) -> Result<Option<Event>, Refusal> {
        let known = self.services.get(&described.service);
        let Service { minimum_age, maximum_age, languages, .. } = &described.details;
        match () {
            () if known == Some(&described.details) => Ok(None),
            () if self.closed => Err(Refusal::Closed),
            () if minimum_age.zip(*maximum_age).is_some_and(|(least, most)| least > most) => Err(Refusal::Ages),
            () if languages.len() > LANGUAGES_MAX => Err(Refusal::Full("languages", LANGUAGES_MAX)),
            () if known.is_none() && self.services.len() >= SERVICES_MAX => {
                Err(Refusal::Full("services", SERVICES_MAX))
            }
            () => Ok(Some(Event::ServiceDescribed(described.clone()))),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => {
                self.details = details.clone();
            }
            Event::Closed(Closed {}) => self.closed = true,
            Event::Reopened(Reopened {}) => self.closed = false,
            Event::ServiceDescribed(ServiceDescribed { service, details }) => {
                self.services.insert(*service, details.clone());
            }
            Event::CapacityAsked(asked) => {
                self.asked.insert(asked.service, asked.clone());
            }
            Event::CapacityStated(CapacityStated { service, answer }) => {
                self.asked.remove(service);
                self.capacity.insert(*service, *answer);
            }
        }
    }
}
