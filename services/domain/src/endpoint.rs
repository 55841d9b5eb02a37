//! An endpoint: a program elsewhere that is told that something has changed, and where to look, and never what.
//!
//! What changed is told by topics. As long as one message waits, no other is made: the next one says all that has changed
//! since, so that an endpoint that was away for a week is told once.

mod refusal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::refusal::Refusal;
use crate::{
    Decider, EndpointId, MessageId, OrgId, Sealed,
    event::events,
    outgoing::{Claimed, Delivered, Ended, Failed, Fault, GivenUp, Line, Outcome},
    text::Text,
};

/// Stream kind of endpoints: one for each place of an organisation, see [`id`].
#[derive(Debug)]
pub struct Endpoint;

/// Most endpoints of one organisation, a count.
pub const ENDPOINTS_MAX: usize = 10;
/// Most topics of one endpoint, a count.
pub const TOPICS_MAX: usize = 32;
/// Shortest time between two messages that something has changed.
pub const CHANGES_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// Messages of an endpoint that are kept to be sent again, a count.
pub const MESSAGES_KEPT_MAX: usize = 1_000;
/// Attempts of an endpoint that are shown, a count.
pub const ATTEMPTS_SHOWN_MAX: usize = 20;
/// How long a secret still signs after there is a new one.
pub const OLD_SECRET_SIGNS: SignedDuration = SignedDuration::from_hours(24);
/// Most secrets that sign at once, a count.
pub const SECRETS_MAX: usize = 4;
/// The answer of an endpoint that is gone for good.
const GONE: u16 = 410;

/// The id of the organisation's endpoint with this number, from 0: as many as there are numbers there can be, which the
/// log decides without looking at all of them at once.
pub fn id(org: &OrgId, number: usize) -> EndpointId {
    EndpointId(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith endpoint {org} {number}").as_bytes()))
}

/// What can change, such as `referrals`.
pub type Topic = Text<40>;

/// An endpoint was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// Where it is: sealed with the organisation's key, for there may be a secret in it.
    pub address: Sealed,
    /// What it is told of; of all if nothing is said.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub topics: BTreeSet<Topic>,
    /// With what is signed that goes there: sealed with the organisation's key.
    pub secret: Sealed,
    /// Up to where in the log it is told nothing of.
    pub from: u64,
    /// When.
    pub at: Timestamp,
}

/// It is elsewhere, or told of something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// Where it is: sealed.
    pub address: Sealed,
    /// What it is told of; of all if nothing is said.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub topics: BTreeSet<Topic>,
}

/// There is a new secret; the one before signs as well for a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRotated {
    /// Sealed.
    pub secret: Sealed,
    /// When.
    pub at: Timestamp,
}

/// There is a message for it: what it says is fixed from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queued {
    /// Which.
    pub message: MessageId,
    /// What it says.
    pub says: Says,
    /// When.
    pub at: Timestamp,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Says {
    /// Something has changed.
    Changed {
        /// Of what.
        topics: BTreeSet<Topic>,
        /// After where in the log.
        from: u64,
        /// Up to where.
        through: u64,
    },
    /// Nothing: somebody tries whether it arrives.
    Ping,
}

/// Messages are sent once more, with the same ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// Which, oldest first.
    pub messages: Vec<MessageId>,
    /// When.
    pub at: Timestamp,
}

/// Nothing is sent there for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    /// Why.
    pub why: Why,
    /// When.
    pub at: Timestamp,
}

/// Why nothing is sent to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = EndpointDisabledWhy)]
pub enum Why {
    /// Somebody wanted it so.
    Asked,
    /// It took nothing for three days.
    Failing,
    /// It said that it is gone for good (410).
    Gone,
}

/// It is sent to again, from what stands first on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enabled {
    /// When.
    pub at: Timestamp,
}

/// It was removed, with all that waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {}

events! {
    /// What can have happened to an endpoint.
    pub enum Event of "endpoint" {
        /// It was registered.
        Registered = "endpoint.registered" v 1,
        /// It is elsewhere, or told of something else.
        Changed = "endpoint.changed" v 1,
        /// There is a new secret.
        SecretRotated = "endpoint_secret.rotated" v 1,
        /// There is a message for it.
        Queued = "webhook.queued" v 1,
        /// Somebody is about to send.
        Claimed = "webhook.claimed" v 1,
        /// It did not arrive.
        Failed = "webhook.failed" v 1,
        /// It was taken.
        Delivered = "webhook.delivered" v 1,
        /// It is not tried any more.
        GivenUp = "webhook.given_up" v 1,
        /// Messages are sent once more.
        Replayed = "webhook.replayed" v 1,
        /// Nothing is sent there for now.
        Disabled = "endpoint.disabled" v 1,
        /// It is sent to again.
        Enabled = "endpoint.enabled" v 1,
        /// It was removed.
        Removed = "endpoint.removed" v 1,
    }
}

/// What is known of an endpoint: nothing before it is registered, nor after it was removed.
pub type State = Option<Box<Known>>;

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it is: sealed.
    pub address: Sealed,
    /// What it is told of; of all if it is empty.
    pub topics: BTreeSet<Topic>,
    /// With what is signed: sealed.
    pub secret: Sealed,
    /// What signs as well, and until when.
    pub old_secrets: Vec<(Sealed, Timestamp)>,
    /// Since when it is there.
    pub since: Timestamp,
    /// Up to where in the log it was told, or is about to be; what was given up was not.
    pub through: u64,
    /// When it was last told that something has changed.
    pub changed_at: Option<Timestamp>,
    /// Why nothing is sent there, if nothing is.
    pub disabled: Option<Disabled>,
    /// What waits.
    pub line: Line<Message>,
    /// Messages that can be sent once more, oldest first.
    pub kept: VecDeque<(MessageId, Message)>,
    /// The last attempts, oldest first.
    pub attempts: VecDeque<Tried>,
}

/// A message, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub says: Says,
    /// When it was made.
    pub at: Timestamp,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Of which message.
    pub message: MessageId,
    /// Which attempt of it, from 1.
    pub n: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

/// Something that may be due.
#[derive(Debug, Clone)]
pub struct Work {
    /// What has changed since it was last told, and up to where in the log; nothing if it is empty.
    pub topics: BTreeSet<Topic>,
    /// Up to where in the log.
    pub through: u64,
    /// The id of a message that says so: random.
    pub message: MessageId,
    /// Who would send: random.
    pub claim: Uuid,
    /// When.
    pub at: Timestamp,
}

/// What is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Whatever was made since then.
    Since(Timestamp),
    /// One message.
    One(MessageId),
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Register it.
    Register(Registered),
    /// Make it this.
    Change(Changed),
    /// Sign with another secret.
    Rotate(SecretRotated),
    /// Try whether something arrives.
    Ping(MessageId, Timestamp),
    /// Send once more.
    Replay(Which, Timestamp),
    /// Send nothing there for now.
    Disable(Timestamp),
    /// Send there again, and at once what failed.
    Enable(Timestamp),
    /// Remove it.
    Remove,
    /// Do what is due: make a message of what has changed, claim what stands first.
    Work(Work),
    /// Say how an attempt ended.
    End {
        /// Of which message.
        message: MessageId,
        /// By which claim.
        claim: Uuid,
        /// How.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

impl Decider for Endpoint {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        match (command, state) {
            (Command::Register(registered), None) => {
                check(&registered.topics)?;
                Ok(vec![Event::Registered(registered.clone())])
            }
            (Command::Register(registered), Some(known)) => {
                let same = known.address == registered.address && known.secret == registered.secret;
                if same { Ok(vec![]) } else { Err(Refusal::Full) }
            }
            // What is due is seen in a view, which may be behind.
            (Command::Work(_) | Command::End { .. } | Command::Remove, None) => Ok(vec![]),
            (_, None) => Err(Refusal::Unknown),
            (_, Some(known)) => known.decide(command),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        let mut known = match (state, event) {
            (_, Event::Registered(registered)) => return Some(Box::new(Known::new(registered))),
            (None, _) | (_, Event::Removed(Removed {})) => return None,
            (Some(known), _) => known,
        };
        known.evolve(event);
        Some(known)
    }
}

fn check(topics: &BTreeSet<Topic>) -> Result<(), Refusal> {
    if topics.len() > TOPICS_MAX { Err(Refusal::Topics) } else { Ok(()) }
}

impl Known {
    fn new(registered: &Registered) -> Self {
        let Registered { address, topics, secret, from, at } = registered.clone();
        Self {
            address,
            topics,
            secret,
            old_secrets: Vec::new(),
            since: at,
            through: from,
            changed_at: None,
            disabled: None,
            line: Line::default(),
            kept: VecDeque::new(),
            attempts: VecDeque::new(),
        }
    }

    /// Whether it is told of this.
    pub fn wants(&self, topic: &Topic) -> bool {
        self.topics.is_empty() || self.topics.contains(topic)
    }

    /// What signs now: the newest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Sealed> {
        let old = self.old_secrets.iter().filter(move |(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(old)
    }

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match command {
            // Decided before: it is there, or is to be gone.
            Command::Register(_) => vec![],
            Command::Change(changed) => {
                check(&changed.topics)?;
                let same = self.address == changed.address && self.topics == changed.topics;
                if same { vec![] } else { vec![Event::Changed(changed.clone())] }
            }
            Command::Rotate(rotated) if rotated.secret == self.secret => vec![],
            Command::Rotate(rotated) => vec![Event::SecretRotated(rotated.clone())],
            Command::Ping(message, at) => self.ping(*message, *at)?,
            Command::Replay(which, at) => self.replay(*which, *at)?,
            Command::Disable(_) if self.disabled.is_some() => vec![],
            Command::Disable(at) => vec![Event::Disabled(Disabled { why: Why::Asked, at: *at })],
            Command::Enable(_) if self.disabled.is_none() && self.line.failing_since().is_none() => vec![],
            Command::Enable(at) => vec![Event::Enabled(Enabled { at: *at })],
            Command::Remove => vec![Event::Removed(Removed {})],
            Command::Work(work) => self.work(work),
            Command::End { message, claim, outcome, at } => self.end(*message, *claim, *outcome, *at),
        })
    }

    fn ping(&self, message: MessageId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let is_ping = |(_, waiting): &(MessageId, Message)| waiting.says == Says::Ping;
        match () {
            () if self.disabled.is_some() => Err(Refusal::IsDisabled),
            () if self.line.waiting().any(is_ping) => Ok(vec![]),
            () => Ok(vec![Event::Queued(Queued { message, says: Says::Ping, at })]),
        }
    }

    fn replay(&self, which: Which, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let wanted = |(id, message): &&(MessageId, Message)| match which {
            Which::Since(since) => message.at >= since,
            Which::One(one) => *id == one,
        };
        let found: Vec<_> = self.kept.iter().filter(wanted).map(|(id, _)| *id).collect();
        if found.is_empty() && matches!(which, Which::One(_)) {
            return Err(Refusal::UnknownMessage);
        }
        let messages: Vec<_> = found.into_iter().filter(|message| !self.line.has(*message)).collect();
        Ok(if messages.is_empty() { vec![] } else { vec![Event::Replayed(Replayed { messages, at })] })
    }

    fn work(&self, work: &Work) -> Vec<Event> {
        if self.disabled.is_some() {
            return vec![];
        }
        let Some(queued) = self.changed(work) else {
            return self.line.claim(work.claim, work.at).map(Event::Claimed).into_iter().collect();
        };
        // It is the only one that waits.
        let mut line = Line::default();
        line.push(queued.message, ());
        let claimed = line.claim(work.claim, work.at).map(Event::Claimed);
        std::iter::once(Event::Queued(queued)).chain(claimed).collect()
    }

    /// The message that something has changed, if something has that it is told of, and nothing waits.
    fn changed(&self, work: &Work) -> Option<Queued> {
        let Work { through, message, at, .. } = *work;
        let topics: BTreeSet<_> = work.topics.iter().filter(|topic| self.wants(topic)).cloned().collect();
        let soon = self.changed_at.is_some_and(|before| at < before + CHANGES_EVERY);
        let due = !topics.is_empty() && through > self.through && self.line.is_empty() && !soon;
        let says = Says::Changed { topics, from: self.through, through };
        due.then_some(Queued { message, says, at })
    }

    fn end(&self, message: MessageId, claim: Uuid, outcome: Outcome, at: Timestamp) -> Vec<Event> {
        let gone = outcome == Err(Fault::Code(GONE));
        match self.line.ended((message, claim), outcome, at, gone) {
            None => vec![],
            Some(Ended::Delivered(delivered)) => vec![Event::Delivered(delivered)],
            Some(Ended::Failed(failed)) if failed.again_at.is_some() => vec![Event::Failed(failed)],
            Some(Ended::Failed(failed)) => {
                let why = if gone { Why::Gone } else { Why::Failing };
                let given_up = Event::GivenUp(GivenUp { message, at });
                vec![Event::Failed(failed), given_up, Event::Disabled(Disabled { why, at })]
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(_) | Event::Removed(_) => {}
            Event::Changed(Changed { address, topics }) => {
                (self.address, self.topics) = (address.clone(), topics.clone());
            }
            Event::SecretRotated(SecretRotated { secret, at }) => {
                let old = std::mem::replace(&mut self.secret, secret.clone());
                self.old_secrets.retain(|(_, until)| at < until);
                self.old_secrets.insert(0, (old, *at + OLD_SECRET_SIGNS));
                self.old_secrets.truncate(SECRETS_MAX - 1);
            }
            Event::Queued(Queued { message, says, at }) => {
                if let Says::Changed { through, .. } = says {
                    (self.through, self.changed_at) = (*through, Some(*at));
                }
                let queued = Message { says: says.clone(), at: *at };
                self.line.push(*message, queued.clone());
                self.kept.push_back((*message, queued));
                if self.kept.len() > MESSAGES_KEPT_MAX {
                    self.kept.pop_front();
                }
            }
            Event::Claimed(claimed) => self.line.took(claimed),
            Event::Failed(failed) => {
                self.line.failed(failed);
                self.tried(failed.message, failed.n, Err(failed.fault), failed.at);
            }
            Event::Delivered(delivered) => {
                self.line.over(delivered.message);
                self.tried(delivered.message, delivered.n, Ok(delivered.code), delivered.at);
            }
            Event::GivenUp(GivenUp { message, .. }) => {
                self.was_not_told(*message);
                self.line.over(*message);
            }
            Event::Replayed(Replayed { messages, .. }) => {
                for message in messages {
                    if let Some((id, kept)) = self.kept.iter().find(|(id, _)| id == message) {
                        self.line.push(*id, kept.clone());
                    }
                }
            }
            Event::Disabled(disabled) => self.disabled = Some(*disabled),
            Event::Enabled(Enabled { .. }) => {
                self.disabled = None;
                self.line.retry();
            }
        }
    }

    /// What the last message about changes said was told to nobody: it is told again with what has changed since. What an
    /// older one said was told, or told again, before there was this one.
    fn was_not_told(&mut self, message: MessageId) {
        let of_changes = |(id, kept): &(MessageId, Message)| match kept.says {
            Says::Changed { from, .. } => Some((*id, from)),
            Says::Ping => None,
        };
        let last = self.kept.iter().rev().find_map(of_changes);
        if let Some((_, from)) = last.filter(|(last, _)| *last == message) {
            self.through = from;
        }
    }

    fn tried(&mut self, message: MessageId, n: u32, outcome: Outcome, at: Timestamp) {
        self.attempts.push_back(Tried { message, n, outcome, at });
        if self.attempts.len() > ATTEMPTS_SHOWN_MAX {
            self.attempts.pop_front();
        }
    }
}
