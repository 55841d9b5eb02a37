//! Why something is refused about needs, referrals, consents to disclose and links.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    disclosure::Element,
    reason::Reason,
    table::{Actor, Stage, Step},
    vocabulary::{OVERRIDE_MAX, TRIES_MIN},
};
use crate::{AttemptId, RefusalKind, partner::Item};

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such need.
    #[error("the member has no such need")]
    UnknownNeed,
    /// No such referral.
    #[error("there is no such referral")]
    UnknownAttempt,
    /// No such consent.
    #[error("the member has no such consent")]
    UnknownConsent,
    /// No such link, or one that is not good for this any more: the answer is the same.
    #[error("this link is not good, or not any more")]
    NoLink,
    /// The partner may not read or do anything any more.
    #[error("there is no such referral any more")]
    Closed,
    /// There is one with this id, and it is another.
    #[error("there is a {0} with this id already, and it says something else")]
    There(&'static str),
    /// A consent that says too little.
    #[error("the consent does not say all that the law asks for: {}", words(.0))]
    Incomplete(BTreeSet<Element>),
    /// A consent for nobody or nothing.
    #[error("a disclosure has at least one item, and a consent names at least one partner or all who treat the member")]
    Nothing,
    /// Ends before it begins.
    #[error("a consent cannot end before it begins")]
    ConsentDates,
    /// Not allowed.
    #[error("the member has not allowed this partner to be told: {}", words(.0))]
    NotAllowed(BTreeSet<Item>),
    /// Something else would be sent than was seen.
    #[error("what the partner would read is not what was previewed: preview it again")]
    PreviewChanged,
    /// Not for this service.
    #[error("this service is not to be told: {}", words(.0))]
    NotForService(BTreeSet<Item>),
    /// Restricted.
    #[error("use of the member's record is restricted: it is only kept")]
    Restricted,
    /// Objected.
    #[error("the member objected to referrals")]
    Objected,
    /// The need is over.
    #[error("the need is closed: state another one")]
    NeedClosed,
    /// Referrals of it are under way.
    #[error("{} referrals of the need are under way: withdraw them with it, or wait", .0.len())]
    UnderWay(Vec<AttemptId>),
    /// No completed referral.
    #[error("no referral of the need is completed: it was not met by one")]
    NotMet,
    /// Not in the table.
    #[error("a {} cannot {} a referral that is {}", word(.by), word(.step), .from.map_or("not there yet", Stage::as_str))]
    NotPossible {
        /// From where; none, if there is no referral.
        from: Option<Stage>,
        /// What.
        step: Step,
        /// Who.
        by: Actor,
    },
    /// Not theirs.
    #[error("this is not for a {} to do", word(.0))]
    NotFor(Actor),
    /// It goes elsewhere.
    #[error("the referral was drafted for another service: draft another one")]
    OtherRecipient,
    /// It is there already.
    #[error("the need is with this service already, in another referral")]
    AlreadyWith(AttemptId),
    /// Not so soon.
    #[error("the member is not to be referred to this partner before {until}, for the reason {}", word(.reason))]
    NotAgainBefore {
        /// Before when.
        until: Timestamp,
        /// Why not.
        reason: Reason,
    },
    /// There is no such rest.
    #[error("nothing keeps the member from being referred to this partner for that reason")]
    NoRest,
    /// A reason for something else.
    #[error("{} is no reason to {}", word(.reason), word(.step))]
    NotAReason {
        /// The reason.
        reason: Reason,
        /// For what.
        step: Step,
    },
    /// It has to be said in words.
    #[error("this has to be said in words as well")]
    NoWords,
    /// Not tried often enough.
    #[error("a partner gives up after {TRIES_MIN} tries at least, and says how it tried")]
    TooFewTries,
    /// Nothing is due.
    #[error("it is not time yet")]
    NotYet,
    /// Too long.
    #[error("a disclosure without consent ends after it begins, and within {} days", OVERRIDE_MAX.as_hours() / 24)]
    OverrideTime,
    /// Own affairs.
    #[error("a disclosure without consent is reviewed by somebody else than who decided it")]
    OwnOverride,
    /// None.
    #[error("there is no disclosure without consent to review")]
    NoOverride,
    /// It cannot be taken up again.
    #[error("a referral is taken up again by a coordinator, once it has ended, for the same need or one that follows")]
    NoParent,
    /// A time that a link cannot end at.
    #[error("a link ends after it is issued, and within 90 days")]
    LinkTime,
    /// Out of range.
    #[error("{what} must be {least} to {most}")]
    OutOfRange {
        /// Of what.
        what: &'static str,
        /// The least.
        least: u16,
        /// The most.
        most: u16,
    },
    /// As many as can be kept.
    #[error("there are {1} {0}, the most that are possible")]
    Full(&'static str, usize),
}

fn word<T: Copy + Into<&'static str>>(code: &T) -> &'static str {
    (*code).into()
}

fn words<T: Copy + Into<&'static str>>(codes: &BTreeSet<T>) -> String {
    codes.iter().map(word).collect::<Vec<_>>().join(", ")
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownNeed => "unknown-need",
            Self::UnknownAttempt | Self::Closed => "unknown-referral",
            Self::UnknownConsent => "unknown-disclosure",
            Self::NoLink => "link-not-good",
            Self::There(_) => "referral-there",
            Self::Incomplete(_) => "consent-incomplete",
            Self::Nothing => "disclosure-of-nothing",
            Self::ConsentDates => "disclosure-dates",
            Self::NotAllowed(_) => "disclosure-not-allowed",
            Self::PreviewChanged => "preview-changed",
            Self::NotForService(_) => "not-for-service",
            Self::Restricted => "processing-restricted",
            Self::Objected => "referral-objected",
            Self::NeedClosed => "need-closed",
            Self::UnderWay(_) => "referrals-under-way",
            Self::NotMet => "need-not-met",
            Self::NotPossible { .. } => "referral-step-not-possible",
            Self::NotFor(_) => "referral-not-for-actor",
            Self::OtherRecipient => "other-recipient",
            Self::AlreadyWith(_) => "referral-with-service",
            Self::NotAgainBefore { .. } => "not-again-before",
            Self::NoRest => "unknown-rest",
            Self::NotAReason { .. } => "not-a-reason",
            Self::NoWords => "referral-words-missing",
            Self::TooFewTries => "too-few-tries",
            Self::NotYet => "referral-not-due",
            Self::OverrideTime => "override-time",
            Self::OwnOverride => "own-override",
            Self::NoOverride => "unknown-override",
            Self::NoParent => "referral-no-parent",
            Self::LinkTime => "link-time",
            Self::OutOfRange { .. } => "referral-out-of-range",
            Self::Full(..) => "referrals-full",
        }
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownNeed
            | Self::UnknownAttempt
            | Self::UnknownConsent
            | Self::NoLink
            | Self::Closed
            | Self::NoRest
            | Self::NoOverride => RefusalKind::Absent,
            _ => RefusalKind::Conflict,
        }
    }

    fn parts(&self) -> Vec<(String, String)> {
        match self {
            Self::UnderWay(attempts) => {
                attempts.iter().map(|attempt| (attempt.to_string(), "is under way".into())).collect()
            }
            Self::NotAllowed(items) => part(items, "is not allowed to be told"),
            Self::NotForService(items) => part(items, "is not for this service"),
            Self::Incomplete(elements) => part(elements, "is missing"),
            _ => Vec::new(),
        }
    }
}

fn part<T: Copy + Into<&'static str>>(codes: &BTreeSet<T>, why: &str) -> Vec<(String, String)> {
    codes.iter().map(|code| (word(code).to_owned(), why.to_owned())).collect()
}
