//! A letter to a member: that there is something to see, and never what. Whether and how one is written at all, the member
//! has said.

mod safe;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::safe::{Asked, Fold, may_be_written_to};
use crate::{
    Decider, MessageId, RefusalKind,
    event::events,
    outgoing::{Anew, CLAIM, Claimed, Delivered, Ended, Failed, GivenUp, Line, Outcome},
};

/// Stream kind of letters: one for each record of a member, under its id.
#[derive(Debug)]
pub struct Letters;

/// Shortest time between two letters to one member.
pub const LETTERS_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What there is to see: not said in the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = LetterAbout)]
pub enum About {
    /// A partner answered, or there is an appointment.
    Referral,
}

/// Why a member is not written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = LetterWithheldWhy)]
pub enum Why {
    /// They were erased, or are not there.
    Gone,
    /// Their record is only kept.
    Restricted,
    /// They objected to being contacted.
    Objected,
    /// They allowed it no more.
    NotAllowed,
    /// There is no e-mail address, or none that anything can be sent to.
    NoAddress,
    /// Nobody asked them how they can be reached safely.
    NotAsked,
    /// E-mail is not safe.
    NotByEmail,
    /// They said when, in words that no machine can heed.
    OnlyWhen,
    /// Something would be in it that must never be mentioned.
    Mentions,
    /// Somebody else has the same address, and no message may be left with others.
    Shared,
    /// It could not be written within a day.
    TooLate,
}

/// There is a letter for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queued {
    /// Which.
    pub message: MessageId,
    /// What there is to see.
    pub about: About,
    /// Of what happened up to there in the log.
    pub through: u64,
    /// When.
    pub at: Timestamp,
}

/// It is not sent, now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withheld {
    /// Which.
    pub message: MessageId,
    /// Why.
    pub why: Why,
    /// When.
    pub at: Timestamp,
}

events! {
    /// What can have happened to letters to a member.
    pub enum Event of "letter" {
        /// There is one.
        Queued = "letter.queued" v 1,
        /// It is not sent.
        Withheld = "letter.withheld" v 1,
        /// Somebody is about to send it.
        Claimed = "letter.claimed" v 1,
        /// It did not get there.
        Failed = "letter.failed" v 1,
        /// A server took it.
        Delivered = "letter.delivered" v 1,
        /// It is not tried any more.
        GivenUp = "letter.given_up" v 1,
    }
}

/// What is known of letters to a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// What waits.
    pub line: Line<About>,
    /// Of what happened up to there in the log a letter was written, or withheld.
    pub through: u64,
    /// When the last one was made that was not withheld.
    last: Option<Timestamp>,
    /// When the one before was.
    before: Option<Timestamp>,
    /// When somebody last began to send one that may have arrived.
    begun: Option<Timestamp>,
}

/// Something happened that there is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// What.
    pub about: About,
    /// Up to where in the log.
    pub through: u64,
    /// Whether it is so long ago that nobody is written to of it any more.
    pub late: bool,
}

/// Letters to the same person under other records of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Others {
    /// When somebody last began to send one that may have arrived.
    begun: Option<Timestamp>,
    /// Whether one waits.
    waits: bool,
}

impl Others {
    /// With those of one more record.
    #[must_use]
    pub fn and(self, letters: &State) -> Self {
        Self { begun: self.begun.max(letters.begun), waits: self.waits || !letters.line.is_empty() }
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Do what is due: write of what happened, claim what stands first, or withhold it.
    Work {
        /// What happened that there is to see.
        news: Option<News>,
        /// Whether the member may be written to, now.
        may: Result<(), Why>,
        /// What is written to the same person under other records.
        others: Others,
        /// When the mail server took something, after it had taken nothing.
        recovered: Option<Timestamp>,
        /// The id of a letter that says so: random.
        message: MessageId,
        /// Who would send: random.
        claim: Uuid,
        /// When.
        at: Timestamp,
    },
    /// Withhold what was claimed: what was so a moment ago is not any more.
    Withhold {
        /// By which claim.
        claim: Uuid,
        /// Why.
        why: Why,
        /// When.
        at: Timestamp,
    },
    /// Say how an attempt ended.
    End {
        /// Of which letter.
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

/// Nothing is refused: nobody asks for letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match *self {}
    }
    fn kind(&self) -> RefusalKind {
        match *self {}
    }
}

impl Decider for Letters {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        Ok(match command {
            Command::Work { news, may, others, recovered, message, claim, at } => {
                let due = news.filter(|news| state.line.is_empty() && news.through > state.through);
                let within = |last: Option<Timestamp>| last.is_some_and(|last| *at < last + LETTERS_EVERY);
                let soon = within(state.last) || within(others.begun) || others.waits;
                // What is not sent does not have to wait.
                match due.filter(|news| !soon || news.late) {
                    None => {
                        let anew = Anew { urgent: None, recovered: *recovered };
                        let claimed = state.line.claim_anew(*claim, *at, anew);
                        let claimed = claimed.filter(|_| may.is_err() || !within(others.begun));
                        claimed.map(|claimed| sends(claimed, *may, *at)).into_iter().collect()
                    }
                    Some(News { about, through, late }) => {
                        let may = if late { may.and(Err(Why::TooLate)) } else { *may };
                        // It is the only one that waits.
                        let mut line = Line::default();
                        line.push(*message, about);
                        let then = line.claim(*claim, *at).map(|claimed| sends(claimed, may, *at));
                        let queued = Event::Queued(Queued { message: *message, about, through, at: *at });
                        std::iter::once(queued).chain(then).collect()
                    }
                }
            }
            Command::Withhold { claim, why, at } => {
                let withheld = |message| Event::Withheld(Withheld { message, why: *why, at: *at });
                state.line.claimed(*claim).map(|(message, _)| withheld(*message)).into_iter().collect()
            }
            Command::End { message, claim, outcome, rejected, at } => {
                match state.line.mail_ended((*message, *claim), *outcome, *at, *rejected) {
                    None => vec![],
                    Some(Ended::Delivered(delivered)) => vec![Event::Delivered(delivered)],
                    Some(Ended::Failed(failed)) => {
                        let given_up = Event::GivenUp(GivenUp { message: *message, at: *at });
                        let over = failed.again_at.is_none().then_some(given_up);
                        std::iter::once(Event::Failed(failed)).chain(over).collect()
                    }
                }
            }
        })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Queued(Queued { message, about, through, at }) => {
                (state.through, state.before, state.last) = (*through, state.last, Some(*at));
                state.line.push(*message, *about);
            }
            Event::Claimed(claimed) => {
                state.begun = Some(claimed.until - CLAIM);
                state.line.took(claimed);
            }
            Event::Failed(failed) => {
                state.begun = None;
                state.line.failed(failed);
            }
            Event::Withheld(Withheld { message, .. }) => {
                (state.last, state.begun) = (state.before, None);
                state.line.over(*message);
            }
            Event::Delivered(Delivered { message, .. }) | Event::GivenUp(GivenUp { message, .. }) => {
                state.line.over(*message);
            }
        }
        state
    }
}

/// What stands first is sent, or it is not.
fn sends(claimed: Claimed, may: Result<(), Why>, at: Timestamp) -> Event {
    match may {
        Ok(()) => Event::Claimed(claimed),
        Err(why) => Event::Withheld(Withheld { message: claimed.message, why, at }),
    }
}
