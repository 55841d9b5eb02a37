//! When something about a referral is due, and who is silent: computed of what happened, the recipient's calendar and
//! the time it is. Nothing that is due or overdue is ever stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use super::{
    event::Moved,
    reason::Party,
    state::Attempt,
    table::{Actor, Stage, Step},
    vocabulary::{Channel, What},
};
use crate::{
    partner::Calendar,
    route::{Clocks, Within},
};

/// When what happened to a referral.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ReferralTimes)]
pub struct Times {
    /// It was drafted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// It was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// A message first reached the partner, by each way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub delivered: BTreeMap<Channel, Timestamp>,
    /// The partner first opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_opened: Option<Timestamp>,
    /// The partner took it on, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Timestamp>,
    /// It was taken on, or left the waiting list: from then on contact is to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Timestamp>,
    /// Somebody last said how the wait goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waitlist_said: Option<Timestamp>,
    /// An appointment was first offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_offer: Option<Timestamp>,
    /// They first met or spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_contact: Option<Timestamp>,
    /// The organisation asked to end it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested: Option<Timestamp>,
    /// It ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// Whoever sent it knows how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer_informed: Option<Timestamp>,
    /// The member first said whether it helped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_confirmed: Option<Timestamp>,
    /// Access ended because nothing may be disclosed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
    /// The partner was first told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawal_told: Option<Timestamp>,
    /// The partner acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawal_acknowledged: Option<Timestamp>,
}

impl Times {
    /// Notes when something happened that is to be known later; `from` is how far it had come before.
    pub(super) fn note(&mut self, moved: &Moved, from: Stage) {
        let at = moved.at;
        let first = |time: &mut Option<Timestamp>| *time = time.or(Some(at));
        match &moved.what {
            What::Deliver { channel } => {
                self.delivered.entry(*channel).or_insert(at);
            }
            What::Open {} => first(&mut self.first_opened),
            What::Accept {} => {
                first(&mut self.decided);
                self.active = Some(at);
            }
            What::Decline { .. } => first(&mut self.decided),
            What::Waitlist { .. } => self.waitlist_said = Some(at),
            What::Schedule { .. } => first(&mut self.first_offer),
            What::Engage {} => first(&mut self.first_contact),
            What::RequestCancel { .. } => self.cancel_requested = Some(at),
            What::Answer { .. } => first(&mut self.member_confirmed),
            What::Inform {} => first(&mut self.referrer_informed),
            What::CloseAccess { .. } => first(&mut self.withdrawn),
            What::TellWithdrawal { .. } => first(&mut self.withdrawal_told),
            What::AcknowledgeWithdrawal {} => first(&mut self.withdrawal_acknowledged),
            _ => {}
        }
        if from == Stage::Waitlisted && moved.to != Stage::Waitlisted {
            self.active = Some(at);
        }
        if moved.to.is_end() {
            first(&mut self.closed);
        }
    }
}

/// A clock that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralDeadline)]
pub enum Clock {
    /// The partner opens it.
    Receipt,
    /// The partner takes it on, or not.
    Decision,
    /// The partner gets in touch with the member.
    Contact,
    /// Somebody says how the wait goes on.
    WaitlistUpdate,
    /// The partner ends it as was asked, or reports an outcome.
    Cancellation,
    /// The partner is told that consent is withdrawn, and acknowledges it.
    WithdrawalAck,
    /// The member is asked whether it helped.
    MemberQuestion,
}

/// What is due, when, and who is silent as long as it is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = ReferralDue)]
pub struct Due {
    /// At which instant: from it on it is overdue.
    pub at: Timestamp,
    /// What.
    pub clock: Clock,
    /// Whose turn it is.
    pub silent: Party,
}

/// When that much time is over; none if the clock is off.
fn after(from: Timestamp, within: Within, calendar: &Calendar) -> Option<Timestamp> {
    match within {
        Within::Hours(0) | Within::Days(0) | Within::BusinessDays(0) => None,
        Within::Hours(hours) => {
            Some(from.saturating_add(jiff::SignedDuration::from_hours(hours.into())).unwrap_or(Timestamp::MAX))
        }
        Within::Days(days) => Some(calendar.after_days(from, days)),
        Within::BusinessDays(days) => Some(calendar.after_working_days(from, days)),
    }
}

impl Attempt {
    /// What is due of it, the first first: depends on what happened to it and on the recipient's calendar alone.
    pub fn due(&self, calendar: &Calendar) -> Vec<Due> {
        let Some(sent) = &self.sent else { return vec![] };
        let steps = sent.clocks.steps(sent.urgency);
        let due = |clock, silent, from: Option<Timestamp>, within| {
            from.and_then(|from| after(from, within, calendar)).map(|at| Due { at, clock, silent })
        };
        let provider = |clock, from, within| due(clock, Party::Provider, from, within);
        let times = &self.times;
        let mut all: Vec<Due> = match self.stage {
            Stage::Sent => vec![
                provider(Clock::Receipt, times.sent, steps.received),
                provider(Clock::Decision, times.sent, steps.decided),
            ],
            Stage::Received => vec![provider(Clock::Decision, times.sent, steps.decided)],
            Stage::Waitlisted => {
                vec![provider(Clock::WaitlistUpdate, times.waitlist_said, sent.clocks.waitlist_update)]
            }
            Stage::Accepted | Stage::Scheduled | Stage::NoShow | Stage::SlotCancelled
                if times.first_contact.is_none() =>
            {
                let contact = provider(Clock::Contact, times.active, steps.contacted);
                vec![contact.map(|due| self.not_before_the_appointment(due))]
            }
            Stage::CancelRequested => {
                vec![provider(Clock::Cancellation, times.cancel_requested, sent.clocks.cancel_grace)]
            }
            Stage::Withdrawn if times.withdrawal_acknowledged.is_none() => {
                // As long as nobody told the partner, it is not the partner who is silent.
                let silent = if times.withdrawal_told.is_some() { Party::Provider } else { Party::Requester };
                vec![due(Clock::WithdrawalAck, silent, times.withdrawn, sent.clocks.withdrawal_ack)]
            }
            _ => vec![],
        }
        .into_iter()
        .flatten()
        .collect();
        all.extend(self.member_question(&sent.clocks, calendar));
        all.sort_unstable();
        all
    }

    /// Whoever has an appointment waits for it.
    fn not_before_the_appointment(&self, due: Due) -> Due {
        let starts_at = self.starts_at.filter(|_| self.stage == Stage::Scheduled);
        Due { at: starts_at.map_or(due.at, |starts_at| starts_at.max(due.at)), ..due }
    }

    fn member_question(&self, clocks: &Clocks, calendar: &Calendar) -> Option<Due> {
        let (from, within) = match self.stage {
            Stage::Completed => (self.times.closed, clocks.member_question),
            Stage::Engaged => (self.times.first_contact, clocks.member_question_after_contact),
            _ => return None,
        };
        let asked = self.times.member_confirmed.is_some();
        let at = after(from.filter(|_| !asked)?, within, calendar)?;
        Some(Due { at, clock: Clock::MemberQuestion, silent: Party::Requester })
    }

    /// What is overdue at this instant.
    pub fn overdue(&self, calendar: &Calendar, now: Timestamp) -> Vec<Due> {
        self.due(calendar).into_iter().filter(|due| due.at <= now).collect()
    }

    /// What time alone does to it, and from when on: it expires if nobody answers, or is cancelled as was asked.
    pub fn lapse(&self, calendar: &Calendar) -> Option<(Timestamp, Step)> {
        let clocks = &self.sent.as_ref()?.clocks;
        let of = |clock| self.due(calendar).into_iter().find(|due| due.clock == clock).map(|due| due.at);
        match self.stage {
            Stage::Sent | Stage::Received => {
                Some((after(of(Clock::Decision)?, clocks.expiry_grace, calendar)?, Step::Expire))
            }
            Stage::CancelRequested => Some((of(Clock::Cancellation)?, Step::LapseCancel)),
            _ => None,
        }
    }

    /// The one thing that is to be done next, and by whom; none where nothing more is to come of it.
    pub fn next_action(&self) -> Option<(Actor, Step)> {
        let informed = self.times.referrer_informed.is_some();
        Some(match self.stage {
            Stage::Draft => (Actor::Coordinator, Step::Send),
            Stage::Sent => (Actor::Partner, Step::Open),
            Stage::Received => (Actor::Partner, Step::Accept),
            Stage::Accepted | Stage::SlotCancelled => (Actor::Partner, Step::Schedule),
            Stage::Waitlisted => (Actor::Partner, Step::Waitlist),
            Stage::Scheduled => (Actor::Partner, Step::Engage),
            Stage::NoShow => (Actor::Coordinator, Step::Schedule),
            Stage::Engaged => (Actor::Partner, Step::Complete),
            Stage::CancelRequested => (Actor::Partner, Step::ConfirmCancel),
            Stage::Completed if self.answer.is_none() => (Actor::Coordinator, Step::Answer),
            Stage::Withdrawn if self.closing.is_some() && self.times.withdrawal_told.is_none() => {
                (Actor::Coordinator, Step::TellWithdrawal)
            }
            Stage::Withdrawn if self.closing.is_some() && self.times.withdrawal_acknowledged.is_none() => {
                (Actor::Partner, Step::AcknowledgeWithdrawal)
            }
            Stage::DeclinedByService | Stage::DeclinedByMember | Stage::Unreachable | Stage::Expired if !informed => {
                (Actor::Coordinator, Step::Inform)
            }
            _ => return None,
        })
    }
}
