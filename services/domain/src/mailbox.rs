//! A mailbox of somebody who works here, to which is written that there is something to see, and never what.
//!
//! Whose an address is, decides who reads it: it is written to only once somebody has said the code that went there.

mod refusal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::refusal::Refusal;
use crate::{
    Decider, MemberId, MessageId, OrgId, Sealed, Subject,
    event::events,
    outgoing::{Anew, Claimed, Delivered, Ended, Failed, Fault, GivenUp, Line, Outcome},
};

/// Stream kind of mailboxes: one for each subject, see [`id`].
#[derive(Debug)]
pub struct Mailbox;

/// Most codes that are sent for one subject in 24 hours, a count.
pub const CODES_A_DAY_MAX: usize = 5;
/// Most times that a code is tried, a count: then there has to be another one.
pub const TRIES_MAX: u8 = 5;
/// How long a code is good.
pub const CODE_GOOD: SignedDuration = SignedDuration::from_hours(24);
/// Shortest time between two notices of what is urgent.
pub const URGENT_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// Code of an address that nothing can be sent to (RFC 5321, "mailbox name not allowed"), also if no server was asked.
const NAME_NOT_ALLOWED: u16 = 553;
/// A day, in which codes are counted.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The id of the subject's stream.
pub fn id(org: &OrgId, subject: &Subject) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith mailbox {org} {subject}").as_bytes())
}

/// Somebody said where they can be written to; a code goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Set {
    /// Whose it is.
    pub subject: Subject,
    /// Under which id the key is that seals it: nothing else has this one, and it is destroyed with the mailbox.
    pub key: Uuid,
    /// The address.
    pub address: Sealed,
    /// What has to be said to show that somebody reads it.
    pub code: Sealed,
    /// The message that the code goes with.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// Somebody said another code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeRefused {
    /// When.
    pub at: Timestamp,
}

/// Somebody said the code: whoever that is, reads what goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// When.
    pub at: Timestamp,
}

/// Nothing can be delivered there: it is written to no more, until it is set again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// With which code.
    pub code: u16,
    /// When.
    pub at: Timestamp,
}

/// It was removed, with all that waited; its key is destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// When.
    pub at: Timestamp,
}

/// There is a notice for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queued {
    /// Which.
    pub message: MessageId,
    /// Of all that came up until then.
    pub through: Timestamp,
    /// When.
    pub at: Timestamp,
}

events! {
    /// What can have happened to a mailbox.
    pub enum Event of "mailbox" {
        /// Somebody said where they can be written to.
        Set = "mailbox.set" v 1,
        /// Somebody said another code.
        CodeRefused = "mailbox_code.refused" v 1,
        /// Somebody said the code.
        Confirmed = "mailbox.confirmed" v 1,
        /// Nothing can be delivered there.
        Rejected = "mailbox.rejected" v 1,
        /// It was removed.
        Removed = "mailbox.removed" v 1,
        /// There is a notice for it.
        Queued = "mail.queued" v 1,
        /// Somebody is about to send.
        Claimed = "mail.claimed" v 1,
        /// It did not get there.
        Failed = "mail.failed" v 1,
        /// A server took it.
        Delivered = "mail.delivered" v 1,
        /// It is not tried any more.
        GivenUp = "mail.given_up" v 1,
    }
}

/// What is known of a subject's mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The mailbox, if there is one.
    pub known: Option<Box<Known>>,
    /// When codes were sent, oldest first: also to mailboxes that were removed.
    codes: VecDeque<Timestamp>,
    /// Keys of mailboxes that are no more.
    gone: BTreeSet<Uuid>,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As it was set.
    pub set: Set,
    /// Whether somebody said the code.
    pub confirmed: bool,
    /// Times that another code was said, a count.
    pub tries: u8,
    /// With which code it was rejected, if it was.
    pub rejected: Option<u16>,
    /// What waits.
    pub line: Line<Letter>,
    /// When it was last told that there is something to see.
    pub told_at: Option<Timestamp>,
    /// Of all that came up until then.
    pub told_through: Timestamp,
}

/// What is sent to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// The code.
    Code,
    /// That there is something to see.
    Notice,
}

/// What waits for somebody: when the latest of it came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Of what is urgent.
    pub urgent: Option<Timestamp>,
    /// Of anything.
    pub any: Option<Timestamp>,
}

/// Of what somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// When it was last told that there is something to see.
    pub at: Option<Timestamp>,
    /// Of all that came up until then.
    pub through: Timestamp,
}

impl Told {
    /// Of what a notice has to tell, if it is time for one: of all that came up until then.
    pub fn due(self, waiting: Waiting, today: Timestamp, at: Timestamp) -> Option<Timestamp> {
        let pause = self.at.is_none_or(|told| at >= told + URGENT_EVERY);
        let daily = at >= today && self.at.is_none_or(|told| told < today);
        let due = self.urgent(waiting, at).is_some() && pause || self.came_up(waiting.any, at).is_some() && daily;
        let through = waiting.any.max(waiting.urgent);
        through.map(|through| through.min(at)).filter(|_| due)
    }

    /// When something urgent came up of which they were not told, if something did.
    pub fn urgent(self, waiting: Waiting, at: Timestamp) -> Option<Timestamp> {
        self.came_up(waiting.urgent, at)
    }

    fn came_up(self, since: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
        since.filter(|since| *since > self.through && *since <= at)
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Write to this address, once it is confirmed.
    Set(Set),
    /// Say the code, which was compared with what is sealed.
    Confirm {
        /// The key of the mailbox whose code it was compared with: another one that was set meanwhile is not confirmed by it.
        key: Uuid,
        /// Whether it is the code.
        right: bool,
        /// When.
        at: Timestamp,
    },
    /// Remove it.
    Remove(Timestamp),
    /// Do what is due: tell of what waits, claim what stands first.
    Work {
        /// What waits for them.
        waiting: Waiting,
        /// From when on people are told today what is not urgent.
        today: Timestamp,
        /// When the mail server took something, after it had taken nothing.
        recovered: Option<Timestamp>,
        /// The id of a notice that says so.
        message: MessageId,
        /// Who would send: random.
        claim: Uuid,
        /// When.
        at: Timestamp,
    },
    /// Say how an attempt ended.
    End {
        /// Of which message.
        message: MessageId,
        /// By which claim.
        claim: Uuid,
        /// How.
        outcome: Outcome,
        /// Whether it is the address that is refused, for good.
        rejected: bool,
        /// When.
        at: Timestamp,
    },
}

impl Decider for Mailbox {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        match (command, &state.known) {
            (Command::Set(set), _) => state.set(set),
            (Command::Work { .. } | Command::End { .. } | Command::Remove(_), None) => Ok(vec![]),
            (Command::Confirm { .. }, None) => Err(Refusal::None),
            (_, Some(known)) => known.decide(command),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match (event, &mut state.known) {
            (Event::Set(set), _) => {
                state.codes.push_back(set.at);
                if state.codes.len() > CODES_A_DAY_MAX {
                    state.codes.pop_front();
                }
                let before = state.known.replace(Box::new(Known::new(set)));
                state.gone.extend(before.map(|before| before.set.key));
            }
            (Event::Removed(_), _) => {
                let before = state.known.take();
                state.gone.extend(before.map(|before| before.set.key));
            }
            (_, Some(known)) => known.evolve(event),
            (_, None) => {}
        }
        state
    }
}

impl State {
    /// Under which id the key of the mailbox is, if there is one.
    pub fn key(&self) -> Option<MemberId> {
        self.known.as_ref().map(|known| MemberId(known.set.key))
    }

    /// Whether this was the key of a mailbox that is no more.
    pub fn had(&self, key: Uuid) -> bool {
        self.gone.contains(&key)
    }

    fn set(&self, set: &Set) -> Result<Vec<Event>, Refusal> {
        let lately = self.codes.iter().filter(|at| **at > set.at - DAY).count();
        match &self.known {
            Some(known) if known.set == *set => Ok(vec![]),
            _ if lately >= CODES_A_DAY_MAX => Err(Refusal::TooManyCodes),
            _ => Ok(vec![Event::Set(set.clone())]),
        }
    }
}

impl Known {
    fn new(set: &Set) -> Self {
        let mut line = Line::default();
        line.push(set.message, Letter::Code);
        Self { set: set.clone(), confirmed: false, tries: 0, rejected: None, line, told_at: None, told_through: set.at }
    }

    /// Whether there is a code that can be said now.
    ///
    /// # Errors
    /// Why not.
    pub fn asks_for_code(&self, at: Timestamp) -> Result<(), Refusal> {
        match () {
            () if self.tries >= TRIES_MAX => Err(Refusal::TooManyTries),
            () if at > self.set.at + CODE_GOOD => Err(Refusal::CodeEnded),
            () => Ok(()),
        }
    }

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match command {
            // Decided before.
            Command::Set(_) => vec![],
            Command::Confirm { key, .. } if *key != self.set.key => return Err(Refusal::WrongCode),
            Command::Confirm { .. } if self.tries >= TRIES_MAX => return Err(Refusal::TooManyTries),
            Command::Confirm { right: true, .. } if self.confirmed => vec![],
            Command::Confirm { right, at, .. } => {
                self.asks_for_code(*at)?;
                let said = if *right {
                    Event::Confirmed(Confirmed { at: *at })
                } else {
                    Event::CodeRefused(CodeRefused { at: *at })
                };
                vec![said]
            }
            Command::Remove(at) => vec![Event::Removed(Removed { at: *at })],
            Command::Work { waiting, today, recovered, message, claim, at } => {
                match self.notice(*waiting, *today, *at) {
                    None => {
                        let anew = Anew { urgent: self.told().urgent(*waiting, *at), recovered: *recovered };
                        self.line.claim_anew(*claim, *at, anew).map(Event::Claimed).into_iter().collect()
                    }
                    Some(through) => {
                        // It is the only one that waits.
                        let mut line = Line::default();
                        line.push(*message, ());
                        let claimed = line.claim(*claim, *at).map(Event::Claimed);
                        let queued = Event::Queued(Queued { message: *message, through, at: *at });
                        std::iter::once(queued).chain(claimed).collect()
                    }
                }
            }
            Command::End { message, claim, outcome, rejected, at } => {
                self.end((*message, *claim), *outcome, *rejected, *at)
            }
        })
    }

    /// Of what a notice has to tell, if one is due: of all that came up until then.
    fn notice(&self, waiting: Waiting, today: Timestamp, at: Timestamp) -> Option<Timestamp> {
        let may = self.confirmed && self.rejected.is_none() && self.line.is_empty();
        self.told().due(waiting, today, at).filter(|_| may)
    }

    fn told(&self) -> Told {
        Told { at: self.told_at, through: self.told_through }
    }

    fn end(&self, of: (MessageId, Uuid), outcome: Outcome, rejected: bool, at: Timestamp) -> Vec<Event> {
        match self.line.mail_ended(of, outcome, at, rejected) {
            None => vec![],
            Some(Ended::Delivered(delivered)) => vec![Event::Delivered(delivered)],
            Some(Ended::Failed(failed)) => {
                let code = match failed.fault {
                    Fault::Code(code) if rejected => Some(code),
                    Fault::NotAllowed if rejected => Some(NAME_NOT_ALLOWED),
                    _ => None,
                };
                let given_up = Event::GivenUp(GivenUp { message: of.0, at });
                let over = failed.again_at.is_none().then_some(given_up);
                let rejected = code.map(|code| Event::Rejected(Rejected { code, at }));
                std::iter::once(Event::Failed(failed)).chain(over).chain(rejected).collect()
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Set(_) | Event::Removed(_) => {}
            Event::CodeRefused(_) => self.tries = self.tries.saturating_add(1),
            Event::Confirmed(_) => self.confirmed = true,
            Event::Rejected(Rejected { code, .. }) => self.rejected = Some(*code),
            Event::Queued(Queued { message, through, at }) => {
                (self.told_at, self.told_through) = (Some(*at), *through);
                self.line.push(*message, Letter::Notice);
            }
            Event::Claimed(claimed) => self.line.took(claimed),
            Event::Failed(failed) => self.line.failed(failed),
            Event::Delivered(Delivered { message, .. }) | Event::GivenUp(GivenUp { message, .. }) => {
                self.line.over(*message);
            }
        }
    }
}
