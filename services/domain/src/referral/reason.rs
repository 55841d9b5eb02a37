//! Why a referral ended or was put off: codes that say at whom it failed, as data, so that an organisation's figures
//! do not depend on what a reader makes of a word (reference, section 5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use super::table::Step;

/// Longest time that a pair of member and partner rests, in days.
pub const REST_DAYS_MAX: u16 = 730;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralReason)]
pub enum Reason {
    /// No room.
    NoCapacity,
    /// The waiting list is closed.
    WaitlistClosed,
    /// Not among those for whom it is.
    NotEligible,
    /// They live elsewhere.
    OutOfArea,
    /// It is another service that they need.
    WrongService,
    /// They need more than it can give.
    NeedsHigherLevelOfCare,
    /// Others ask for more.
    AdditionalCriteria,
    /// It would not be safe.
    SafetyRisk,
    /// They are barred from it.
    BarredFromService,
    /// They are there already, or were referred twice.
    Duplicate,
    /// Too little was said.
    IncompleteInformation,
    /// They did not take what was offered.
    DeclinedOffer,
    /// They do not want it any more.
    NoLongerWanted,
    /// They found other help.
    FoundOtherHelp,
    /// It solved itself.
    SelfResolved,
    /// They would not be safe there.
    UnsafeForMe,
    /// They do not agree to its terms.
    DoesNotAgreeToTerms,
    /// They moved.
    Moved,
    /// They do not allow it any more, or not for longer.
    ConsentWithdrawn,
    /// They could not be reached.
    Unreachable,
    /// They stay away.
    Disengaged,
    /// They are in hospital.
    Hospitalised,
    /// They are in treatment elsewhere.
    InTreatment,
    /// They are in prison.
    Incarcerated,
    /// They died.
    Deceased,
    /// They had no time.
    NoTime,
    /// They could not get there.
    Transport,
    /// It costs too much.
    Cost,
    /// They were unwell.
    Unwell,
    /// They forgot.
    Forgot,
    /// They were afraid.
    Fear,
    /// The need is met.
    NeedMet,
    /// It went to the wrong partner.
    WrongRecipient,
    /// The member asked for it.
    MemberRequest,
    /// The recipient fell silent.
    RecipientSilent,
    /// The sender fell silent.
    SenderSilent,
    /// It was opened by mistake.
    OpenedByMistake,
    /// It was about somebody else.
    WrongPerson,
    /// Something else, which is said in words.
    Other,
}

/// What a reason is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralReasonKind)]
pub enum Kind {
    /// A partner declines.
    Decline,
    /// A member does.
    Member,
    /// There is no contact, or none is possible.
    Contact,
    /// A member did not come.
    NoShow,
    /// The organisation takes it back.
    Withdrawal,
    /// Nobody answered.
    Expiry,
    /// It should never have been.
    Error,
}

/// At whom it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralParty)]
pub enum Party {
    /// The member.
    Client,
    /// The partner.
    Provider,
    /// The organisation that refers.
    Requester,
    /// Nobody.
    Neither,
}

/// What is known of a reason, given for one thing: the same word of another party is another line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribution {
    /// For what it is given.
    pub kind: Kind,
    /// The reason.
    pub reason: Reason,
    /// At whom it failed.
    pub party: Party,
    /// Result in HMIS: 2 unsuccessful, client rejected; 3 unsuccessful, provider rejected.
    pub hmis: Option<u8>,
    /// For how many days nobody refers the member to that partner again unless something else is said; 0 is not at all.
    /// These are ours.
    pub rest_days: u16,
}

const fn line(kind: Kind, reason: Reason, party: Party, hmis: u8, rest_days: u16) -> Attribution {
    Attribution { kind, reason, party, hmis: if hmis == 0 { None } else { Some(hmis) }, rest_days }
}

/// What is known of each reason.
pub const REASONS: &[Attribution] = &[
    line(Kind::Decline, Reason::NoCapacity, Party::Provider, 3, 14),
    line(Kind::Decline, Reason::WaitlistClosed, Party::Provider, 3, 30),
    line(Kind::Decline, Reason::NotEligible, Party::Provider, 3, 90),
    line(Kind::Decline, Reason::OutOfArea, Party::Provider, 3, 90),
    line(Kind::Decline, Reason::WrongService, Party::Provider, 3, 0),
    line(Kind::Decline, Reason::NeedsHigherLevelOfCare, Party::Provider, 3, 90),
    line(Kind::Decline, Reason::AdditionalCriteria, Party::Provider, 3, 0),
    line(Kind::Decline, Reason::SafetyRisk, Party::Provider, 3, 90),
    line(Kind::Decline, Reason::BarredFromService, Party::Provider, 3, 180),
    line(Kind::Decline, Reason::Duplicate, Party::Neither, 0, 0),
    line(Kind::Decline, Reason::IncompleteInformation, Party::Requester, 3, 0),
    line(Kind::Decline, Reason::Other, Party::Provider, 3, 0),
    line(Kind::Member, Reason::DeclinedOffer, Party::Client, 2, 0),
    line(Kind::Member, Reason::NoLongerWanted, Party::Client, 2, 0),
    line(Kind::Member, Reason::FoundOtherHelp, Party::Client, 2, 0),
    line(Kind::Member, Reason::SelfResolved, Party::Client, 2, 0),
    line(Kind::Member, Reason::UnsafeForMe, Party::Client, 2, 180),
    line(Kind::Member, Reason::DoesNotAgreeToTerms, Party::Client, 2, 30),
    line(Kind::Member, Reason::Moved, Party::Client, 2, 0),
    line(Kind::Member, Reason::Other, Party::Client, 2, 0),
    // "Unable to reach client after multiple attempts" counts as the provider's in Boston's CAS, "disappeared" as the
    // client's.
    line(Kind::Contact, Reason::Unreachable, Party::Provider, 3, 14),
    line(Kind::Contact, Reason::Disengaged, Party::Client, 2, 14),
    line(Kind::Contact, Reason::Hospitalised, Party::Neither, 2, 0),
    line(Kind::Contact, Reason::InTreatment, Party::Neither, 2, 0),
    line(Kind::Contact, Reason::Incarcerated, Party::Neither, 2, 0),
    line(Kind::Contact, Reason::Deceased, Party::Neither, 2, 0),
    line(Kind::NoShow, Reason::NoTime, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Transport, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Cost, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Unwell, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Forgot, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Fear, Party::Client, 0, 0),
    line(Kind::NoShow, Reason::Other, Party::Client, 0, 0),
    line(Kind::Withdrawal, Reason::Duplicate, Party::Requester, 0, 0),
    line(Kind::Withdrawal, Reason::NeedMet, Party::Neither, 0, 0),
    line(Kind::Withdrawal, Reason::WrongRecipient, Party::Requester, 0, 0),
    line(Kind::Withdrawal, Reason::MemberRequest, Party::Client, 2, 0),
    line(Kind::Withdrawal, Reason::ConsentWithdrawn, Party::Client, 0, 0),
    line(Kind::Expiry, Reason::RecipientSilent, Party::Provider, 3, 0),
    line(Kind::Expiry, Reason::SenderSilent, Party::Requester, 0, 0),
    line(Kind::Error, Reason::OpenedByMistake, Party::Requester, 0, 0),
    line(Kind::Error, Reason::WrongPerson, Party::Requester, 0, 0),
    line(Kind::Error, Reason::Duplicate, Party::Requester, 0, 0),
];

/// For what reasons of which kinds a step takes; `accepted` says whether the partner had taken the referral on.
pub fn kinds(step: Step, accepted: bool) -> &'static [Kind] {
    match step {
        Step::Decline if accepted => &[Kind::Decline, Kind::Contact],
        Step::Decline => &[Kind::Decline],
        Step::DeclineForMember => &[Kind::Member, Kind::Contact],
        Step::GiveUp => &[Kind::Contact],
        Step::RecordNoShow => &[Kind::NoShow],
        Step::Withdraw | Step::RequestCancel | Step::CloseAccess => &[Kind::Withdrawal],
        Step::Expire => &[Kind::Expiry],
        Step::EnterInError => &[Kind::Error],
        _ => &[],
    }
}

/// For what reasons a step can be taken.
pub fn reasons(step: Step, accepted: bool) -> Vec<Reason> {
    let kinds = kinds(step, accepted);
    REASONS.iter().filter(|line| kinds.contains(&line.kind)).map(|line| line.reason).collect()
}

/// What is known of a reason for a step, if it is one for it.
pub fn attribution(step: Step, accepted: bool, reason: Reason) -> Option<&'static Attribution> {
    let kinds = kinds(step, accepted);
    REASONS.iter().find(|line| line.reason == reason && kinds.contains(&line.kind))
}
