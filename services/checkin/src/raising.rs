//! How a concern comes up: whose duty it is, until when, and what is said to whoever waits.

use domain::{
    CheckInId, ConcernId, ProgrammeId, Sealed,
    care::{Cause, ConcernRaised, Urgency},
    instrument::{self, Given, Instrument, Language, Signal},
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

/// What answers give cause for, if for anything. Where only scores are stated, the questions about a risk are as good as
/// left blank.
pub(crate) fn cause(check_in: CheckInId, instrument: &Instrument, given: &Given) -> Option<(Urgency, Cause)> {
    match instrument::risk(instrument, given) {
        Signal::RaisedBy(items) => Some((Urgency::Prompt, Cause::RiskAnswer { check_in, items })),
        Signal::NotAnswered(items) => Some((Urgency::Routine, Cause::NotAnswered { check_in, items })),
        Signal::NotAvailable if !instrument.risk.is_empty() => {
            let items = instrument.risk.iter().flat_map(|trigger| trigger.items.iter().cloned()).collect();
            Some((Urgency::Routine, Cause::NotAnswered { check_in, items }))
        }
        Signal::NotRaised | Signal::NotAvailable => None,
    }
}
