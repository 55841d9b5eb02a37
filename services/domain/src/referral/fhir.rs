//! What a referral is in FHIR R4, for each of two guides that do not agree: Gravity SDOH-CC and `BSeR`. Data and functions
//! of a stage; where something is lost, it is named.

use strum::{IntoStaticStr, VariantArray};

use super::{
    state::Need,
    table::Stage::{
        self, Accepted, CancelRequested, Completed, DeclinedByMember, DeclinedByService, Draft, Engaged,
        EnteredInError, Expired, NoShow, Received, Scheduled, Sent, SlotCancelled, Unreachable, Waitlisted, Withdrawn,
    },
    vocabulary::NeedEnd,
};
use crate::route::Urgency;

/// Status of a `Task`, as far as any guide uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum TaskStatus {
    /// Not sent.
    Draft,
    /// Sent (Gravity).
    Requested,
    /// Sent (`BSeR`).
    Received,
    /// Taken on.
    Accepted,
    /// Not taken on.
    Rejected,
    /// Under way.
    InProgress,
    /// Waiting.
    OnHold,
    /// Done.
    Completed,
    /// Ended by either side.
    Cancelled,
    /// Ended without success.
    Failed,
    /// Never should have been.
    EnteredInError,
}

/// The ten business statuses of `BSeR` (`TaskBusinessStatusCS`). Its table of transitions uses a `5.1` that this code system
/// does not define: that is never said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
pub enum BserStatus {
    /// Created.
    #[strum(serialize = "2.0")]
    Created,
    /// Accepted.
    #[strum(serialize = "3.0")]
    Accepted,
    /// Declined.
    #[strum(serialize = "4.0")]
    Declined,
    /// Event scheduled.
    #[strum(serialize = "5.1.1")]
    Scheduled,
    /// Scheduled event unattended.
    #[strum(serialize = "5.1.2")]
    Unattended,
    /// Scheduled event cancelled.
    #[strum(serialize = "5.1.3")]
    SlotCancelled,
    /// Event completed, in between.
    #[strum(serialize = "5.1.4")]
    Interim,
    /// Cancellation requested.
    #[strum(serialize = "5.2")]
    CancelRequested,
    /// Fulfilment cancelled.
    #[strum(serialize = "6.0")]
    Cancelled,
    /// Fulfilment completed.
    #[strum(serialize = "7.0")]
    Completed,
}

/// Status of a `ServiceRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum RequestStatus {
    /// Nothing was sent.
    Draft,
    /// Something was.
    Active,
    /// Met.
    Completed,
    /// Not pursued any more.
    Revoked,
    /// Never should have been.
    EnteredInError,
}

/// A guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Guide {
    /// HL7 Gravity SDOH Clinical Care.
    Gravity,
    /// HL7 Bidirectional Services e-Referral.
    Bser,
}

/// A place where a guide says less than we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Which guide.
    pub guide: Guide,
    /// Of which stage.
    pub stage: Stage,
    /// What is lost.
    pub what: &'static str,
}

const fn loss(guide: Guide, stage: Stage, what: &'static str) -> Loss {
    Loss { guide, stage, what }
}

/// Every lossy place.
pub const LOSSES: &[Loss] = &[
    loss(Guide::Gravity, Received, "shown as requested, with a local business status"),
    loss(Guide::Gravity, Waitlisted, "shown as on-hold: that it is a waiting list says an enrolment Observation"),
    loss(Guide::Gravity, Scheduled, "shown as in-progress"),
    loss(Guide::Gravity, NoShow, "shown as in-progress"),
    loss(Guide::Gravity, SlotCancelled, "shown as in-progress"),
    loss(Guide::Gravity, Engaged, "shown as in-progress"),
    loss(Guide::Gravity, CancelRequested, "shown as in-progress"),
    loss(
        Guide::Gravity,
        DeclinedByService,
        "after acceptance shown as failed: there is no way from accepted to rejected",
    ),
    loss(Guide::Gravity, DeclinedByMember, "shown as cancelled: by whom says statusReason"),
    loss(Guide::Gravity, Withdrawn, "shown as cancelled: by whom says statusReason"),
    loss(Guide::Gravity, Unreachable, "shown as failed: why says statusReason"),
    loss(Guide::Gravity, Expired, "shown as cancelled by the requester: why says statusReason"),
    loss(Guide::Bser, Draft, "without a business status"),
    loss(Guide::Bser, Sent, "shown as received: not told from one that was opened"),
    loss(Guide::Bser, Received, "not told from one that was not opened"),
    loss(Guide::Bser, Waitlisted, "in-progress without a business status"),
    loss(Guide::Bser, Unreachable, "shown as rejected by the recipient"),
    loss(Guide::Bser, DeclinedByMember, "shown as cancelled: by whom says statusReason"),
    loss(Guide::Bser, Withdrawn, "shown as cancelled: by whom says statusReason"),
    loss(Guide::Bser, Expired, "not exported: it has no equivalent"),
    loss(Guide::Bser, EnteredInError, "without a business status"),
];

/// The edges that Gravity draws, but for those to entered-in-error, which lead from anywhere. The one that is drawn from
/// cancelled to in-progress is read the other way round.
pub const GRAVITY_EDGES: &[(TaskStatus, TaskStatus)] = &[
    (TaskStatus::Draft, TaskStatus::Requested),
    (TaskStatus::Requested, TaskStatus::Accepted),
    (TaskStatus::Requested, TaskStatus::Rejected),
    (TaskStatus::Requested, TaskStatus::Cancelled),
    (TaskStatus::Accepted, TaskStatus::InProgress),
    (TaskStatus::Accepted, TaskStatus::OnHold),
    (TaskStatus::Accepted, TaskStatus::Completed),
    (TaskStatus::Accepted, TaskStatus::Failed),
    (TaskStatus::Accepted, TaskStatus::Cancelled),
    (TaskStatus::InProgress, TaskStatus::Completed),
    (TaskStatus::InProgress, TaskStatus::Failed),
    (TaskStatus::InProgress, TaskStatus::Cancelled),
    (TaskStatus::OnHold, TaskStatus::InProgress),
    (TaskStatus::OnHold, TaskStatus::Completed),
    (TaskStatus::OnHold, TaskStatus::Failed),
    (TaskStatus::OnHold, TaskStatus::Cancelled),
];

/// `BSeR`'s transitions that are transitions of ours, by its numbers (reference, section 3).
pub const BSER_EDGES: &[(u8, Stage, Stage)] = &[
    (1, Draft, Sent),
    (2, Sent, Accepted),
    (3, Sent, DeclinedByService),
    (5, Accepted, DeclinedByService),
    (6, Accepted, Scheduled),
    (7, Accepted, CancelRequested),
    (8, Accepted, Engaged),
    (9, Accepted, Completed),
    (10, Scheduled, DeclinedByService),
    (11, Scheduled, Scheduled),
    (12, Scheduled, NoShow),
    (13, Scheduled, SlotCancelled),
    (14, Scheduled, CancelRequested),
    (15, Scheduled, Engaged),
    (16, Scheduled, Completed),
    (17, NoShow, DeclinedByService),
    (18, NoShow, Scheduled),
    (19, NoShow, SlotCancelled),
    (20, NoShow, CancelRequested),
    (21, SlotCancelled, Scheduled),
    (22, SlotCancelled, CancelRequested),
    (23, CancelRequested, Withdrawn),
    (24, CancelRequested, Completed),
    (25, Engaged, DeclinedByService),
    (26, Engaged, Scheduled),
    (27, Engaged, SlotCancelled),
    (28, Engaged, CancelRequested),
    (29, Engaged, Engaged),
    (30, Engaged, Completed),
];

/// The status of a Task of Gravity; `accepted` says whether the partner had ever taken it on.
pub fn gravity(stage: Stage, accepted: bool) -> TaskStatus {
    match stage {
        Draft => TaskStatus::Draft,
        Sent | Received => TaskStatus::Requested,
        Accepted => TaskStatus::Accepted,
        Waitlisted => TaskStatus::OnHold,
        Scheduled | NoShow | SlotCancelled | Engaged | CancelRequested => TaskStatus::InProgress,
        Completed => TaskStatus::Completed,
        DeclinedByService if accepted => TaskStatus::Failed,
        DeclinedByService => TaskStatus::Rejected,
        Unreachable => TaskStatus::Failed,
        DeclinedByMember | Withdrawn | Expired => TaskStatus::Cancelled,
        EnteredInError => TaskStatus::EnteredInError,
    }
}

/// The local business status that Gravity's value set leaves to us, where it loses a stage.
pub fn gravity_business_status(stage: Stage) -> Option<&'static str> {
    let is_lost = LOSSES.iter().any(|loss| loss.guide == Guide::Gravity && loss.stage == stage);
    is_lost.then_some(stage.as_str())
}

/// The enrolment status that Gravity's Observation says; of other stages we do not know it.
pub fn gravity_enrolment(stage: Stage) -> Option<&'static str> {
    (stage == Waitlisted).then_some("not-enrolled-on-waitlist")
}

/// Status and business status of a Task of `BSeR`; nothing of what has no equivalent.
pub fn bser(stage: Stage) -> Option<(TaskStatus, Option<BserStatus>)> {
    Some(match stage {
        Draft => (TaskStatus::Draft, None),
        Sent | Received => (TaskStatus::Received, Some(BserStatus::Created)),
        Accepted => (TaskStatus::Accepted, Some(BserStatus::Accepted)),
        Waitlisted => (TaskStatus::InProgress, None),
        Scheduled => (TaskStatus::InProgress, Some(BserStatus::Scheduled)),
        NoShow => (TaskStatus::InProgress, Some(BserStatus::Unattended)),
        SlotCancelled => (TaskStatus::InProgress, Some(BserStatus::SlotCancelled)),
        Engaged => (TaskStatus::InProgress, Some(BserStatus::Interim)),
        CancelRequested => (TaskStatus::InProgress, Some(BserStatus::CancelRequested)),
        Completed => (TaskStatus::Completed, Some(BserStatus::Completed)),
        DeclinedByService | Unreachable => (TaskStatus::Rejected, Some(BserStatus::Declined)),
        DeclinedByMember | Withdrawn => (TaskStatus::Cancelled, Some(BserStatus::Cancelled)),
        EnteredInError => (TaskStatus::EnteredInError, None),
        Expired => return None,
    })
}

/// Priority of a `ServiceRequest`.
pub fn priority(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Routine => "routine",
        Urgency::Urgent => "urgent",
        Urgency::Emergency => "stat",
    }
}

impl Need {
    /// Status of its `ServiceRequest`, which the requester alone controls: no decline and no waiting list changes it.
    /// `sent` says whether any attempt was ever sent.
    pub fn request_status(&self, sent: bool) -> RequestStatus {
        match self.closed.as_ref().map(|closed| closed.end) {
            Some(NeedEnd::Met) => RequestStatus::Completed,
            Some(NeedEnd::Dropped) => RequestStatus::Revoked,
            Some(NeedEnd::EnteredInError) => RequestStatus::EnteredInError,
            None if sent => RequestStatus::Active,
            None => RequestStatus::Draft,
        }
    }
}
