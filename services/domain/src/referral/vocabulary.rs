//! Words and limits of needs and referrals.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use super::{
    disclosure::Closing,
    reason::Reason,
    table::{Actor, Step},
};
use crate::{LinkId, Subject};

/// Most needs of one record, a count.
pub const NEEDS_MAX: usize = 500;
/// Most attempts of one need, a count.
pub const ATTEMPTS_MAX: usize = 100;
/// Most links of one attempt, also such as are no longer good, a count.
pub const LINKS_MAX: usize = 64;
/// Longest that a link can be made to last by opening it, from when it was issued.
pub const LINK_LIFE_MAX: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Opening a link moves its end only if by so much: so opening it again and again writes nothing.
pub const LINK_MOVES_BY_MIN: SignedDuration = SignedDuration::from_hours(24);
/// Steps of one attempt from which on nothing is noted any more, a count; what ends it always is.
pub const MOVES_MAX: usize = 1_000;
/// Longest disclosure without consent.
pub const OVERRIDE_MAX: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Fewest tries after which a partner may give up on reaching a member, a count.
pub const TRIES_MIN: u8 = 2;
/// Longest projection that is previewed and sent, in bytes, before it is sealed.
pub const PROJECTION_BYTES_MAX: usize = 16 * 1024;

/// Who did something. Nothing of it is a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[schema(as = ReferralBy)]
pub struct By {
    /// As what.
    pub actor: Actor,
    /// The subject of their token, if they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The link that they used, if they have no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
}

/// A digest of 256 bits, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
pub struct Digest(#[schemars(length(equal = 64))] Box<str>);

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 hexadecimal digits in lower case")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;
    fn from_str(s: &str) -> Result<Self, NoDigest> {
        let fits = s.len() == 64 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if fits { Ok(Self(s.into())) } else { Err(NoDigest) }
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;
    fn try_from(s: String) -> Result<Self, NoDigest> {
        s.parse()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
        Self(bytes.iter().flat_map(digits).collect::<String>().into())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralChannel)]
pub enum Channel {
    /// By e-mail.
    Email,
    /// By text message.
    Sms,
    /// By telephone.
    Phone,
    /// By letter.
    Post,
    /// In the partner's own system, by the API.
    Api,
    /// Face to face.
    InPerson,
}

/// What a partner says that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralOutcome)]
pub enum Outcome {
    /// The member got what the service gives.
    ServiceReceived,
    /// They got some of it.
    PartlyReceived,
    /// They were seen, and it is nothing for them.
    AssessedNoService,
    /// They were sent to others; to whom is said in words.
    ReferredOn,
    /// They were told what they asked.
    InformationOnly,
}

/// What the member says that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralAnswer)]
pub enum Answer {
    /// It helped.
    Helped,
    /// In part.
    Partly,
    /// Not.
    Not,
    /// They were asked, and said nothing.
    NoAnswer,
}

/// What somebody does to a referral, with what belongs to it: each is a [`Step`] of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ReferralWhat)]
pub enum What {
    /// A message has reached the partner.
    Deliver {
        /// How.
        channel: Channel,
    },
    /// It was opened.
    Open {},
    /// It was taken on.
    Accept {},
    /// It was not taken on, or no longer.
    Decline {
        /// Why.
        reason: Reason,
    },
    /// It was taken back.
    Withdraw {
        /// Why.
        reason: Reason,
    },
    /// The member is on a waiting list.
    Waitlist {
        /// At which place, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u16>,
        /// Until about when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_on: Option<Date>,
    },
    /// There is an appointment.
    Schedule {
        /// When it begins.
        starts_at: Timestamp,
    },
    /// The member did not come.
    RecordNoShow {
        /// Why, if anybody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// The appointment was called off.
    CancelSlot {},
    /// They have met or spoken.
    Engage {},
    /// The partner is done.
    Complete {
        /// What came of it: nothing is completed without.
        outcome: Outcome,
    },
    /// The partner gave up on reaching the member.
    GiveUp {
        /// How often it was tried, at least [`TRIES_MIN`].
        tries: u8,
        /// How.
        channels: BTreeSet<Channel>,
    },
    /// The organisation wants to end it.
    RequestCancel {
        /// Why.
        reason: Reason,
    },
    /// It ended as was asked.
    ConfirmCancel {},
    /// It ended as was asked, the partner being silent.
    LapseCancel {},
    /// It ended because nothing may be disclosed any more.
    CloseAccess {
        /// Why not.
        why: Closing,
    },
    /// The member does not want it.
    DeclineForMember {
        /// Why.
        reason: Reason,
    },
    /// Nobody answered.
    Expire {},
    /// It was said whether the member was at the appointment, beside what the partner says.
    SayAttended {
        /// Whether.
        attended: bool,
    },
    /// The member's word, beside the partner's.
    Answer {
        /// What it is.
        answer: Answer,
    },
    /// Whoever sent it knows how it ended.
    Inform {},
    /// The partner was told that there is no consent any more.
    TellWithdrawal {
        /// How.
        channel: Channel,
    },
    /// The partner acknowledged that.
    AcknowledgeWithdrawal {},
    /// It should never have been.
    EnterInError {
        /// Why.
        reason: Reason,
    },
}

impl What {
    /// Which step of the table it is.
    pub fn step(&self) -> Step {
        match self {
            Self::Deliver { .. } => Step::Deliver,
            Self::Open {} => Step::Open,
            Self::Accept {} => Step::Accept,
            Self::Decline { .. } => Step::Decline,
            Self::Withdraw { .. } => Step::Withdraw,
            Self::Waitlist { .. } => Step::Waitlist,
            Self::Schedule { .. } => Step::Schedule,
            Self::RecordNoShow { .. } => Step::RecordNoShow,
            Self::CancelSlot {} => Step::CancelSlot,
            Self::Engage {} => Step::Engage,
            Self::Complete { .. } => Step::Complete,
            Self::GiveUp { .. } => Step::GiveUp,
            Self::RequestCancel { .. } => Step::RequestCancel,
            Self::ConfirmCancel {} => Step::ConfirmCancel,
            Self::LapseCancel {} => Step::LapseCancel,
            Self::CloseAccess { .. } => Step::CloseAccess,
            Self::DeclineForMember { .. } => Step::DeclineForMember,
            Self::Expire {} => Step::Expire,
            Self::SayAttended { .. } => Step::SayAttended,
            Self::Answer { .. } => Step::Answer,
            Self::Inform {} => Step::Inform,
            Self::TellWithdrawal { .. } => Step::TellWithdrawal,
            Self::AcknowledgeWithdrawal {} => Step::AcknowledgeWithdrawal,
            Self::EnterInError { .. } => Step::EnterInError,
        }
    }

    /// Why, if it has a reason.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Decline { reason }
            | Self::Withdraw { reason }
            | Self::RequestCancel { reason }
            | Self::DeclineForMember { reason }
            | Self::EnterInError { reason } => Some(*reason),
            Self::RecordNoShow { reason } => *reason,
            Self::GiveUp { .. } => Some(Reason::Unreachable),
            Self::CloseAccess { why: Closing::Withdrawn | Closing::Expired } => Some(Reason::ConsentWithdrawn),
            Self::Expire {} => Some(Reason::RecipientSilent),
            _ => None,
        }
    }

    /// Whether it follows from another command only, and is not asked for as such.
    pub fn follows(&self) -> bool {
        matches!(self, Self::CloseAccess { .. } | Self::Expire {} | Self::LapseCancel {})
    }
}

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = LinkPurpose)]
pub enum Purpose {
    /// The partner reads what was sent, and answers.
    Partner,
    /// The member says whether one was there, and whether it helped.
    Member,
    /// The partner acknowledges that consent was withdrawn; it reads nothing.
    Acknowledge,
}

impl Purpose {
    /// Whether the link is for this actor and step.
    pub fn serves(self, actor: Actor, step: Step) -> bool {
        match self {
            Self::Partner => actor == Actor::Partner && step != Step::AcknowledgeWithdrawal,
            Self::Member => actor == Actor::Member && matches!(step, Step::SayAttended | Step::Answer),
            Self::Acknowledge => actor == Actor::Partner && step == Step::AcknowledgeWithdrawal,
        }
    }
}

/// How a need ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NeedEnd {
    /// A completed referral met it.
    Met,
    /// It is not pursued any more.
    Dropped,
    /// It should never have been.
    EnteredInError,
}
