//! What may happen to a referral, as data: from which stage, by which step, of whom, to which. The decisions, the
//! diagram, what goes to other systems and the tests are made of this one table (reference, section 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use Actor::{Clock, Coordinator, DutyLead, Facilitator, Member, Partner};
use Stage::{
    Accepted, CancelRequested, Completed, DeclinedByMember, DeclinedByService, Draft, Engaged, EnteredInError, Expired,
    NoShow, Received, Scheduled, Sent, SlotCancelled, Unreachable, Waitlisted, Withdrawn,
};

/// Who does something to a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralActor)]
pub enum Actor {
    /// The member, by themselves or by a link.
    Member,
    /// Who leads a group of theirs.
    Facilitator,
    /// Who refers members, also for a member who asked for it.
    Coordinator,
    /// Who may disclose without consent, and has to say why.
    DutyLead,
    /// The agency, by its role or by a link.
    Partner,
    /// Time has passed.
    Clock,
}

/// How far a referral has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralStage)]
pub enum Stage {
    /// Nobody outside knows of it.
    Draft,
    /// It went to the partner.
    Sent,
    /// The partner opened it.
    Received,
    /// The partner takes it on.
    Accepted,
    /// The partner takes it on as soon as there is room.
    Waitlisted,
    /// There is an appointment.
    Scheduled,
    /// The member did not come.
    NoShow,
    /// The appointment was called off.
    SlotCancelled,
    /// They have met or spoken.
    Engaged,
    /// The organisation wants to end it; the partner may still report an outcome.
    CancelRequested,
    /// The partner has done what it does.
    Completed,
    /// The partner does not take it on, or no longer.
    DeclinedByService,
    /// The member does not want it.
    DeclinedByMember,
    /// The partner could not reach the member.
    Unreachable,
    /// The organisation took it back, or there is no consent any more.
    Withdrawn,
    /// Nobody answered.
    Expired,
    /// It should never have been.
    EnteredInError,
}

/// What may be known of a referral by funders: four words for all stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralCoarse)]
pub enum Coarse {
    /// Nobody has taken it on.
    Open,
    /// Somebody has.
    Active,
    /// It ended, and the need was met as far as the partner says.
    ClosedMet,
    /// It ended otherwise.
    ClosedUnmet,
}

impl Stage {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is with the partner: sent, and not at an end.
    pub fn is_live(self) -> bool {
        LIVE.contains(&self)
    }

    /// Whether nothing more comes of it.
    pub fn is_end(self) -> bool {
        ENDS.contains(&self)
    }

    /// In one of four words; nothing of what was an error.
    pub fn coarse(self) -> Option<Coarse> {
        match self {
            Draft | Sent | Received => Some(Coarse::Open),
            Accepted | Waitlisted | Scheduled | NoShow | SlotCancelled | Engaged | CancelRequested => {
                Some(Coarse::Active)
            }
            Completed => Some(Coarse::ClosedMet),
            DeclinedByService | DeclinedByMember | Unreachable | Withdrawn | Expired => Some(Coarse::ClosedUnmet),
            EnteredInError => None,
        }
    }
}

/// What is done to a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralStep)]
pub enum Step {
    /// Write it.
    Draft,
    /// Send it, with consent.
    Send,
    /// Send it without consent, for a reason that somebody else reviews.
    Override,
    /// Note that a message has reached the partner.
    Deliver,
    /// Open it.
    Open,
    /// Take it on.
    Accept,
    /// Not take it on, or no longer.
    Decline,
    /// Take it back before it was taken on.
    Withdraw,
    /// Put the member on the waiting list, or say that they still are.
    Waitlist,
    /// Make an appointment, or another one.
    Schedule,
    /// Note that the member did not come.
    RecordNoShow,
    /// Call an appointment off.
    CancelSlot,
    /// Note that they have met or spoken.
    Engage,
    /// Report the outcome.
    Complete,
    /// Give up on reaching the member.
    GiveUp,
    /// Ask to end it.
    RequestCancel,
    /// End it as was asked.
    ConfirmCancel,
    /// End it as was asked, because the partner says nothing.
    LapseCancel,
    /// End it because what was allowed is not allowed any more.
    CloseAccess,
    /// End it because the member does not want it.
    DeclineForMember,
    /// End it because nobody answered.
    Expire,
    /// Say whether one was at the appointment.
    SayAttended,
    /// Say whether it helped.
    Answer,
    /// Note that whoever sent it knows how it ended.
    Inform,
    /// Note that the partner was told that consent is withdrawn.
    TellWithdrawal,
    /// Acknowledge that.
    AcknowledgeWithdrawal,
    /// Say that it should never have been.
    EnterInError,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// From these stages; from none, if there is no referral yet.
    pub from: &'static [Stage],
    /// By this step.
    pub step: Step,
    /// Of one of these.
    pub by: &'static [Actor],
    /// To this stage; without one, the stage stays and something is noted.
    pub to: Option<Stage>,
    /// Whether it is ours, and not in the reference.
    pub ours: bool,
}

const fn row(from: &'static [Stage], step: Step, by: &'static [Actor], to: Stage) -> Row {
    Row { from, step, by, to: Some(to), ours: false }
}

const fn note(from: &'static [Stage], step: Step, by: &'static [Actor]) -> Row {
    Row { from, step, by, to: None, ours: false }
}

const fn ours(row: Row) -> Row {
    Row { ours: true, ..row }
}

const UNANSWERED: &[Stage] = &[Sent, Received];
/// Stages in which a referral is with the partner.
pub const LIVE: &[Stage] =
    &[Sent, Received, Accepted, Waitlisted, Scheduled, NoShow, SlotCancelled, Engaged, CancelRequested];
/// Stages from which nothing more comes but notes.
pub const ENDS: &[Stage] =
    &[Completed, DeclinedByService, DeclinedByMember, Unreachable, Withdrawn, Expired, EnteredInError];
const ENDS_BUT_ERROR: &[Stage] = &[Completed, DeclinedByService, DeclinedByMember, Unreachable, Withdrawn, Expired];
const TAKEN_ON: &[Stage] = &[Accepted, Waitlisted, Scheduled, NoShow, SlotCancelled, Engaged];
const ALL_BUT_ERROR: &[Stage] = &[
    Draft,
    Sent,
    Received,
    Accepted,
    Waitlisted,
    Scheduled,
    NoShow,
    SlotCancelled,
    Engaged,
    CancelRequested,
    Completed,
    DeclinedByService,
    DeclinedByMember,
    Unreachable,
    Withdrawn,
    Expired,
];
const STAFF: &[Actor] = &[Coordinator, Partner];

/// The table. No stage, step and actor is in two rows.
pub const ROWS: &[Row] = &[
    row(&[], Step::Draft, &[Facilitator, Coordinator, Member], Draft),
    row(&[Draft], Step::Send, &[Coordinator], Sent),
    row(&[Draft], Step::Override, &[DutyLead], Sent),
    ours(note(UNANSWERED, Step::Deliver, &[Coordinator, Clock])),
    row(&[Sent], Step::Open, &[Partner], Received),
    row(UNANSWERED, Step::Accept, &[Partner], Accepted),
    row(UNANSWERED, Step::Decline, &[Partner], DeclinedByService),
    row(UNANSWERED, Step::Withdraw, &[Coordinator, Member], Withdrawn),
    row(UNANSWERED, Step::Expire, &[Clock], Expired),
    row(&[Accepted], Step::Waitlist, STAFF, Waitlisted),
    ours(row(&[Waitlisted], Step::Waitlist, STAFF, Waitlisted)),
    row(&[Accepted, Waitlisted, Scheduled, NoShow, Engaged], Step::Schedule, STAFF, Scheduled),
    row(&[SlotCancelled], Step::Schedule, &[Partner], Scheduled),
    row(&[Accepted, Waitlisted, Scheduled, Engaged], Step::Engage, STAFF, Engaged),
    row(&[Accepted, Waitlisted, Scheduled, Engaged], Step::Complete, STAFF, Completed),
    row(&[Accepted, Scheduled, NoShow, Engaged], Step::Decline, &[Partner], DeclinedByService),
    row(&[Waitlisted], Step::Decline, STAFF, DeclinedByService),
    row(&[Scheduled], Step::RecordNoShow, STAFF, NoShow),
    row(&[Scheduled, NoShow, Engaged], Step::CancelSlot, STAFF, SlotCancelled),
    note(&[Scheduled], Step::SayAttended, &[Member, Coordinator]),
    ours(note(&[NoShow, Engaged], Step::SayAttended, &[Member, Coordinator])),
    row(&[NoShow], Step::GiveUp, STAFF, Unreachable),
    row(TAKEN_ON, Step::RequestCancel, &[Coordinator], CancelRequested),
    row(&[CancelRequested], Step::ConfirmCancel, &[Partner], Withdrawn),
    row(&[CancelRequested], Step::Complete, &[Partner], Completed),
    row(&[CancelRequested], Step::LapseCancel, &[Clock], Withdrawn),
    row(LIVE, Step::CloseAccess, &[Member, Coordinator], Withdrawn),
    ours(row(LIVE, Step::CloseAccess, &[DutyLead, Clock], Withdrawn)),
    row(LIVE, Step::DeclineForMember, &[Member, Coordinator], DeclinedByMember),
    note(&[Completed], Step::Answer, &[Member, Coordinator]),
    ours(note(&[Engaged], Step::Answer, &[Member, Coordinator])),
    ours(note(ENDS_BUT_ERROR, Step::Inform, &[Coordinator, Clock])),
    ours(note(&[Withdrawn], Step::TellWithdrawal, &[Coordinator, Clock])),
    ours(note(&[Withdrawn], Step::AcknowledgeWithdrawal, &[Partner])),
    row(ALL_BUT_ERROR, Step::EnterInError, &[Coordinator, DutyLead], EnteredInError),
];

/// Where the step leads, if the actor may take it there: from no stage, if there is no referral yet.
pub fn next(from: Option<Stage>, step: Step, by: Actor) -> Option<Stage> {
    let is_from = |row: &Row| from.map_or(row.from.is_empty(), |from| row.from.contains(&from));
    let row = ROWS.iter().find(|row| row.step == step && row.by.contains(&by) && is_from(row))?;
    row.to.or(from)
}

/// What an actor may do next.
pub fn possible(from: Option<Stage>, by: Actor) -> Vec<(Step, Stage)> {
    Step::VARIANTS.iter().filter_map(|step| Some((*step, next(from, *step, by)?))).collect()
}
