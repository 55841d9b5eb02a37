//! How a concern comes up: whose duty it is, until when, and what is said to whoever waits.

use domain::{
    ConcernId, ProgrammeId, Sealed,
    care::{Cause, ConcernRaised, Urgency},
    instrument::{Language, Signal},
    protocol::{self, CrisisText, Seat},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A concern that is about to be raised.
#[derive(Debug, Clone)]
pub(crate) struct Raising {
    urgency: Urgency,
    seat: Seat,
    acknowledge_by: Timestamp,
    raised_at: Timestamp,
    /// What is said to whoever waits; nothing where nobody is known to be in danger.
    pub said: Option<CrisisWords>,
}

/// What is said to whoever may be in danger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct CrisisWords {
    language: Language,
    text: CrisisText,
}

impl Raising {
    /// A concern of this urgency that comes up now, in this programme.
    ///
    /// # Errors
    /// If it would reach nobody.
    pub fn new(
        protocol: &protocol::State,
        urgency: Urgency,
        programme: Option<ProgrammeId>,
        (language, at): (Option<&Language>, Timestamp),
    ) -> Result<Self, protocol::Refusal> {
        protocol.require_concerns_reach_somebody()?;
        let seat = protocol.seat(programme).ok_or(protocol::Refusal::NoDutySeat)?;
        let minutes = match urgency {
            Urgency::Prompt => protocol.deadlines.concern_minutes,
            Urgency::Routine => protocol.deadlines.not_answered_minutes,
        };
        let words = protocol.crisis_text(language).filter(|_| urgency == Urgency::Prompt);
        let said = words.map(|(language, text)| CrisisWords { language: language.clone(), text: text.clone() });
        let acknowledge_by = at + SignedDuration::from_mins(minutes.into());
        Ok(Self { urgency, seat, acknowledge_by, raised_at: at, said })
    }

    /// The concern, with what it says sealed.
    pub fn sealed(&self, concern: ConcernId, says: Sealed) -> ConcernRaised {
        let Self { urgency, seat, acknowledge_by, raised_at, .. } = self.clone();
        ConcernRaised { concern, urgency, seat, acknowledge_by, raised_at, says }
    }
}

/// What answers give cause for, if for anything.
pub(crate) fn cause(check_in: domain::CheckInId, risk: &Signal) -> Option<(Urgency, Cause)> {
    match risk {
        Signal::RaisedBy(items) => Some((Urgency::Prompt, Cause::RiskAnswer { check_in, items: items.clone() })),
        Signal::NotAnswered(items) => Some((Urgency::Routine, Cause::NotAnswered { check_in, items: items.clone() })),
        Signal::NotRaised | Signal::NotAvailable => None,
    }
}
