//! How long each step of a referral may take: for all of an organisation's referrals, and for those to one partner.
//!
//! A referral keeps the clocks that were in force when it was sent, so that a change of the settings moves no deadline
//! of what is under way.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Decider, OrgId, PartnerId, event::events};

/// Stream kind of an organisation's clocks; each organisation has one stream.
#[derive(Debug)]
pub struct Route;

/// Longest time that a clock can be set to, in its unit.
pub const WITHIN_MAX: u16 = 366;
/// Longest life of a link, in days from when it is issued or last opened.
pub const LINK_DAYS_MAX: u16 = 90;
/// Most partners with clocks of their own, a count.
pub const PARTNERS_MAX: usize = 1_000;

/// The id of an organisation's stream.
pub fn stream_id(org: &OrgId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith route {org}").as_bytes())
}

/// How soon somebody has to act. In FHIR `routine`, `urgent` and `stat` ([`crate::referral::fhir`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = ReferralUrgency)]
pub enum Urgency {
    /// Within weeks.
    Routine,
    /// Within days.
    Urgent,
    /// Within hours.
    Emergency,
}

/// How long something may take; 0 of any unit is for ever: there is no such clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReferralClock)]
pub enum Within {
    /// So many hours, 0 to 366, whatever day it is.
    Hours(u16),
    /// So many days, 0 to 366, to the same time of day where the recipient is.
    Days(u16),
    /// So many of the recipient's working days, 0 to 366.
    BusinessDays(u16),
}

impl Within {
    /// The number, of whatever it is.
    pub fn count(self) -> u16 {
        match self {
            Self::Hours(count) | Self::Days(count) | Self::BusinessDays(count) => count,
        }
    }
}

/// What a recipient is given for the steps that are theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReferralSteps)]
pub struct Steps {
    /// To open a referral, from when it was sent.
    pub received: Within,
    /// To accept or decline it, from when it was sent.
    pub decided: Within,
    /// To get in touch with the member, from when it was accepted or left the waiting list.
    pub contacted: Within,
}

/// All clocks of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReferralClocks)]
pub struct Clocks {
    /// For routine needs.
    pub routine: Steps,
    /// For urgent ones.
    pub urgent: Steps,
    /// For emergencies.
    pub emergency: Steps,
    /// How often somebody says how a wait goes on.
    pub waitlist_update: Within,
    /// To answer that a referral is to be cancelled; then it is.
    pub cancel_grace: Within,
    /// After the time to decide, before a referral without an answer expires.
    pub expiry_grace: Within,
    /// To acknowledge that a consent was withdrawn.
    pub withdrawal_ack: Within,
    /// For the member's word, from when the partner says that it is done.
    pub member_question: Within,
    /// For the member's word if the partner says no more, from the first contact.
    pub member_question_after_contact: Within,
    /// How long a link is good for, 1 to 90 days from when it was issued or last opened.
    pub link_days: u16,
}

/// The defaults of the reference (section 4). `expiry_grace` is ours.
impl Default for Clocks {
    fn default() -> Self {
        use Within::{BusinessDays, Days, Hours};
        let steps = |received, decided, contacted| Steps { received, decided, contacted };
        Self {
            routine: steps(BusinessDays(2), BusinessDays(5), BusinessDays(15)),
            urgent: steps(BusinessDays(1), BusinessDays(3), BusinessDays(5)),
            emergency: steps(Hours(4), Days(1), Days(2)),
            waitlist_update: Days(30),
            cancel_grace: Days(5),
            expiry_grace: BusinessDays(5),
            withdrawal_ack: Days(2),
            member_question: Days(14),
            member_question_after_contact: Days(30),
            link_days: 14,
        }
    }
}

impl Clocks {
    /// The recipient's steps for a need of that urgency.
    pub fn steps(&self, urgency: Urgency) -> Steps {
        match urgency {
            Urgency::Routine => self.routine,
            Urgency::Urgent => self.urgent,
            Urgency::Emergency => self.emergency,
        }
    }

    fn all(&self) -> impl Iterator<Item = Within> {
        let steps = [self.routine, self.urgent, self.emergency].into_iter();
        let steps = steps.flat_map(|steps| [steps.received, steps.decided, steps.contacted]);
        steps.chain([
            self.waitlist_update,
            self.cancel_grace,
            self.expiry_grace,
            self.withdrawal_ack,
            self.member_question,
            self.member_question_after_contact,
        ])
    }
}

/// Clocks were set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClocksSet {
    /// For referrals to this partner; without one for all that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// As they are from now on.
    pub clocks: Clocks,
}

/// A partner's own clocks were removed: the organisation's are in force again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClocksRemoved {
    /// Whose.
    pub partner: PartnerId,
}

events! {
    /// What can have happened to an organisation's clocks.
    pub enum Event of "route" {
        /// Clocks were set.
        ClocksSet = "referral_clocks.set" v 1,
        /// A partner's own were removed.
        ClocksRemoved = "referral_clocks.removed" v 1,
    }
}

/// The clocks in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    all: Clocks,
    partners: BTreeMap<PartnerId, Clocks>,
}

impl State {
    /// Those for referrals to a partner.
    pub fn clocks(&self, partner: PartnerId) -> Clocks {
        self.own(partner).unwrap_or(self.all)
    }

    /// A partner's own, if it has any.
    pub fn own(&self, partner: PartnerId) -> Option<Clocks> {
        self.partners.get(&partner).copied()
    }

    /// Those for partners that have none of their own.
    pub fn of_all(&self) -> Clocks {
        self.all
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Set clocks.
    Set(ClocksSet),
    /// Remove a partner's own.
    Remove(PartnerId),
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A clock that is too long.
    #[error("a clock is 0 (off) to {WITHIN_MAX} hours, days or business days")]
    OutOfRange,
    /// A link that is not good, or for too long.
    #[error("a link is good for 1 to {LINK_DAYS_MAX} days")]
    LinkDays,
    /// As many as can be kept.
    #[error("{PARTNERS_MAX} partners have clocks of their own, the most that are possible")]
    Full,
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange | Self::LinkDays => "clocks-out-of-range",
            Self::Full => "clocks-full",
        }
    }
}

impl Decider for Route {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        Ok(match command {
            Command::Set(ClocksSet { clocks, .. }) if clocks.all().any(|within| within.count() > WITHIN_MAX) => {
                return Err(Refusal::OutOfRange);
            }
            Command::Set(ClocksSet { clocks, .. }) if !(1..=LINK_DAYS_MAX).contains(&clocks.link_days) => {
                return Err(Refusal::LinkDays);
            }
            Command::Set(ClocksSet { partner: Some(partner), .. })
                if state.partners.len() >= PARTNERS_MAX && !state.partners.contains_key(partner) =>
            {
                return Err(Refusal::Full);
            }
            Command::Set(set) => {
                let known = set.partner.map_or(Some(&state.all), |partner| state.partners.get(&partner));
                if known == Some(&set.clocks) { vec![] } else { vec![Event::ClocksSet(set.clone())] }
            }
            Command::Remove(partner) if state.partners.contains_key(partner) => {
                vec![Event::ClocksRemoved(ClocksRemoved { partner: *partner })]
            }
            Command::Remove(_) => vec![],
        })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::ClocksSet(ClocksSet { partner: None, clocks }) => state.all = *clocks,
            Event::ClocksSet(ClocksSet { partner: Some(partner), clocks }) => {
                state.partners.insert(*partner, *clocks);
            }
            Event::ClocksRemoved(ClocksRemoved { partner }) => {
                state.partners.remove(partner);
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::spec::{asking_twice_changes_nothing, given};

    #[test]
    fn a_partner_has_the_organisations_clocks_until_it_has_its_own_and_again_after() {
        let [one, other] = [1, 2].map(|n| PartnerId(Uuid::from_u128(n)));
        let slow = Clocks { waitlist_update: Within::Days(60), ..Clocks::default() };
        let off = Clocks { member_question: Within::Days(0), ..Clocks::default() };
        let history = [
            Event::ClocksSet(ClocksSet { partner: Some(one), clocks: slow }),
            Event::ClocksSet(ClocksSet { partner: None, clocks: off }),
        ];
        let state = history.iter().fold(State::default(), Route::evolve);
        assert_eq!((state.clocks(one), state.clocks(other)), (slow, off));
        asking_twice_changes_nothing::<Route>(&history, &Command::Remove(one));
        let state = Route::evolve(state, &Event::ClocksRemoved(ClocksRemoved { partner: one }));
        assert_eq!(state.clocks(one), off);
    }

    #[test]
    fn a_clock_has_a_longest_time_and_the_defaults_need_not_be_set() {
        let set = |clocks| Command::Set(ClocksSet { partner: None, clocks });
        given::<Route>([]).when(&set(Clocks::default())).then_nothing();
        let long = Clocks { cancel_grace: Within::Hours(WITHIN_MAX + 1), ..Clocks::default() };
        given::<Route>([]).when(&set(long)).then_refused(&Refusal::OutOfRange);
        let never = Clocks { link_days: 0, ..Clocks::default() };
        given::<Route>([]).when(&set(never)).then_refused(&Refusal::LinkDays);
    }
}
