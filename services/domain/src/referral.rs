//! Needs of one member, the referrals by which partners are to meet them, what the member allows to be told for that,
//! and the links by which those answer who have no account.
//!
//! All of it is one stream for each record of a member, so that sending and withdrawing cannot race: a consent that is
//! withdrawn ends every referral that rests on it in the same append. A need can be referred to several partners; each
//! attempt is a referral of its own, and its end does not end the need. Which step leads where, and whose it is, is the
//! table ([`table`]). What is said of the member is sealed; in clear are ids, stages, codes and instants.

pub mod clocks;
mod decide;
mod disclosure;
mod event;
pub mod fhir;
mod projection;
pub mod reason;
mod refusal;
mod sending;
mod state;
pub mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use self::{
    disclosure::{Allowed, Basis, CONSENTS_MAX, Closing, Element, Law, RECIPIENTS_MAX, Withdrawn},
    event::{
        Drafted, Erased, Event, LinkExtended, LinkIssued, LinkRevoked, Moved, NeedChanged, NeedClosed, NeedStated,
        Overridden, OverrideReviewed, RestLifted, Sent,
    },
    projection::{NeedWords, Projection},
    reason::Reason,
    refusal::Refusal,
    state::{Attempt, Link, Need, Rests, Standing, State},
    table::{Actor, Stage, Step},
    vocabulary::{
        ATTEMPTS_MAX, Answer, By, Channel, Digest, LINK_LIFE_MAX, LINK_MOVES_BY_MIN, LINKS_MAX, MOVES_MAX, NEEDS_MAX,
        NeedEnd, NoDigest, OVERRIDE_MAX, Outcome, PROJECTION_BYTES_MAX, Purpose, TRIES_MIN, What,
    },
};
use crate::{
    AttemptId, ConsentId, Decider, LinkId,
    member::Means,
    partner::{Calendar, Item, Recipient},
    route::Clocks,
    sealed::Sealed,
};

/// Stream kind of needs and referrals: one for each record of a member, under the member's id.
#[derive(Debug)]
pub struct Referral;

/// To send a referral.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Which.
    pub attempt: AttemptId,
    /// To which service, as it is now.
    pub recipient: Recipient,
    /// What is told.
    pub items: BTreeSet<Item>,
    /// Exactly what the partner will read.
    pub projection: Sealed,
    /// Digest of that, as it was previewed.
    pub preview: Digest,
    /// The clocks in force for that partner.
    pub clocks: Clocks,
    /// What the organisation's people say of the record.
    pub standing: Standing,
    /// Rests that stand in the streams of the person's other records.
    pub rests: Rests,
    /// If it is sent without consent: why, and until when the partner may read it.
    pub overriding: Option<(Sealed, Timestamp)>,
    /// A link for the partner, if it is to have one.
    pub link: Option<LinkIssued>,
    /// Who.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// To do something to a referral that was drafted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which.
    pub attempt: AttemptId,
    /// What.
    pub what: What,
    /// For how many days the member is not referred there again, 0 (not at all) to [`reason::REST_DAYS_MAX`]; as the
    /// reason says, if nobody says otherwise.
    pub rest_days: Option<u16>,
    /// In words.
    pub note: Option<Sealed>,
    /// Who.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Keep a consent to disclose.
    Allow(Allowed),
    /// Withdraw one, or all there are: ends all that rests on it, and is not refused but for an id of nothing.
    Withdraw {
        /// Which; its own id, or that of the member's consent that it takes over. None for all, and for what is sent
        /// without consent.
        consent: Option<ConsentId>,
        /// How it was said.
        means: Means,
        /// By whom.
        by: By,
        /// When.
        at: Timestamp,
    },
    /// See which consents have ended by now, and end what rested on them.
    Expire(Timestamp),
    /// State a need, and draft its first referral if there is one.
    StateNeed(NeedStated, Option<Drafted>),
    /// Say it otherwise.
    ChangeNeed(NeedChanged),
    /// Close it; with a reason, also what is under way for it.
    CloseNeed(NeedClosed, Option<Reason>),
    /// Draft a referral.
    Draft(Drafted),
    /// Send it.
    Send(Box<Sending>),
    /// Do something to it.
    Act(Ask),
    /// Do to it what time does.
    Lapse {
        /// To which.
        attempt: AttemptId,
        /// The recipient's calendar.
        calendar: Calendar,
        /// When.
        at: Timestamp,
    },
    /// Say whether it was right to disclose without consent.
    Review(OverrideReviewed),
    /// Issue a link.
    IssueLink(LinkIssued),
    /// Make a link that was opened last as long again as when it was issued, if that is long enough to be written.
    OpenLink {
        /// Which.
        link: LinkId,
        /// When.
        at: Timestamp,
    },
    /// Revoke it.
    RevokeLink(LinkRevoked),
    /// Let the member be referred to a partner again.
    LiftRest(RestLifted),
    /// Forget all of it: the member was erased.
    Forget(Timestamp),
}

impl Decider for Referral {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Forget(at) => Ok(state.forget(*at)),
            _ if state.erased => Err(Refusal::UnknownAttempt),
            Command::Allow(allowed) => state.allow(allowed),
            Command::Withdraw { consent, means, by, at } => state.withdraw(*consent, *means, by, *at),
            Command::Expire(at) => Ok(state.expire(*at)),
            Command::StateNeed(stated, first) => state.state_need_with(stated, first.as_ref()),
            Command::ChangeNeed(changed) => state.change_need(changed),
            Command::CloseNeed(closed, reason) => state.close_need(closed, *reason),
            Command::Draft(drafted) => state.draft(drafted),
            Command::Send(asked) => state.send(asked),
            Command::Act(ask) => state.act(ask),
            Command::Lapse { attempt, calendar, at } => state.lapse(*attempt, calendar, *at),
            Command::Review(reviewed) => state.review(reviewed),
            Command::IssueLink(issued) => state.issue_link(issued),
            Command::OpenLink { link, at } => state.open_link(*link, *at),
            Command::RevokeLink(revoked) => state.revoke_link(revoked),
            Command::LiftRest(lifted) => state.lift_rest(lifted),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}
