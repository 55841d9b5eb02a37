//! What can have happened to a member's needs and referrals.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    disclosure::{Allowed, Basis, Withdrawn},
    reason::Reason,
    table::Stage,
    vocabulary::{By, Digest, NeedEnd, Purpose, What},
};
use crate::{
    AttemptId, LinkId, NeedId, PartnerId, ServiceId,
    event::events,
    partner::{Address, Item},
    route::{Clocks, Urgency},
    sealed::Sealed,
};

/// A need was stated: what the member needs of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeedStated {
    /// Which.
    pub need: NeedId,
    /// The need that it follows, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub based_on: Option<NeedId>,
    /// How soon.
    pub urgency: Urgency,
    /// What and why.
    pub says: Sealed,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A need was said otherwise. What was sent stays as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeedChanged {
    /// Which.
    pub need: NeedId,
    /// How soon.
    pub urgency: Urgency,
    /// What and why.
    pub says: Sealed,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A need is over: nothing more is sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeedClosed {
    /// Which.
    pub need: NeedId,
    /// How.
    pub end: NeedEnd,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A referral was drafted: an attempt to have a need met by one partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drafted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Of which need.
    pub need: NeedId,
    /// To which partner.
    pub partner: PartnerId,
    /// To which of its services.
    pub service: ServiceId,
    /// The attempt that it takes up again, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AttemptId>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A referral was sent: from now on the partner may read what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Where to, as it was called then.
    pub to: Address,
    /// How soon.
    pub urgency: Urgency,
    /// What is told, and what allows it.
    pub basis: Basis,
    /// Exactly what the partner reads.
    pub projection: Sealed,
    /// Digest of that, as it was previewed; made with the member's key, so that it says nothing to others.
    pub preview: Digest,
    /// The clocks that were in force.
    pub clocks: Clocks,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// Something happened to a referral: a step of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// Which attempt.
    pub attempt: AttemptId,
    /// What.
    pub what: What,
    /// How far it has come by that.
    pub to: Stage,
    /// The member is not referred to this partner again before, unless somebody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_again_before: Option<Timestamp>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// Somebody decided that a partner is told something without the member's consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overridden {
    /// For which attempt.
    pub attempt: AttemptId,
    /// Why.
    pub reason: Sealed,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// Somebody else looked whether that was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideReviewed {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Whether it was.
    pub justified: bool,
    /// Who.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A link was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkIssued {
    /// Which.
    pub link: LinkId,
    /// For which attempt.
    pub attempt: AttemptId,
    /// What for.
    pub purpose: Purpose,
    /// Digest of its secret, which is 256 random bits.
    pub secret: Digest,
    /// At which instant it ends.
    pub until: Timestamp,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// A link that was opened is good for longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkExtended {
    /// Which.
    pub link: LinkId,
    /// At which instant it ends now.
    pub until: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// A link is not good any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkRevoked {
    /// Which.
    pub link: LinkId,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// The member may be referred to a partner again, before the time that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestLifted {
    /// To which.
    pub partner: PartnerId,
    /// What the reason had been.
    pub reason: Reason,
    /// Why, in words.
    pub note: Sealed,
    /// By whom.
    pub by: By,
    /// When.
    pub at: Timestamp,
}

/// The member was erased: all referrals and links have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// Partners that know something of the member, and by which referral: they are told, in words that name nobody
    /// (GDPR Art. 19).
    pub told: BTreeMap<AttemptId, PartnerId>,
    /// When.
    pub at: Timestamp,
}

events! {
    /// What can have happened to a member's needs and referrals.
    pub enum Event of "referral" {
        /// The member allowed that partners are told something.
        Allowed = "disclosure.allowed" v 1,
        /// They do not any more.
        Withdrawn = "disclosure.withdrawn" v 1,
        /// A need was stated.
        NeedStated = "need.stated" v 1,
        /// It was said otherwise.
        NeedChanged = "need.changed" v 1,
        /// It is over.
        NeedClosed = "need.closed" v 1,
        /// A referral was drafted.
        Drafted = "referral.drafted" v 1,
        /// It was sent.
        Sent = "referral.sent" v 1,
        /// Something happened to it.
        Moved = "referral.moved" v 1,
        /// A partner is told something without consent.
        Overridden = "disclosure.overridden" v 1,
        /// Somebody else looked at that.
        OverrideReviewed = "disclosure.override_reviewed" v 1,
        /// A link was issued.
        LinkIssued = "link.issued" v 1,
        /// It is good for longer.
        LinkExtended = "link.extended" v 1,
        /// It is not good any more.
        LinkRevoked = "link.revoked" v 1,
        /// The member may be referred to a partner again.
        RestLifted = "rest.lifted" v 1,
        /// The member was erased.
        Erased = "referrals.erased" v 1,
    }
}

impl Sent {
    /// What is told.
    pub fn items(&self) -> Vec<Item> {
        self.basis.items()
    }
}
