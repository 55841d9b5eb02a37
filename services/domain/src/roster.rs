//! A group's roster: who is enrolled, from which day to which.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Decider, MemberId, Rejection, RejectionKind, event::events, sealed::Sealed};

/// Stream kind of rosters: one for each group, under the group's id.
#[derive(Debug)]
pub struct Roster;

/// Most members enrolled in one group at a time, a count.
pub const MEMBERS_MAX: usize = 2_000;

/// A member was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    #[schemars(with = "String")]
    pub starts_on: Date,
}

/// A member was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// Who.
    pub member: MemberId,
    /// Last day on the roster.
    #[schemars(with = "String")]
    pub ends_on: Date,
    /// Why, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

events! {
    /// What can have happened to a roster.
    pub enum Event {
        /// A member was enrolled.
        Enrolled = "enrolment.started" v 1,
        /// A member was withdrawn.
        Withdrawn = "enrolment.ended" v 1,
    }
}

/// From which day to which, both included; without an end while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// First day.
    pub starts_on: Date,
    /// Last day.
    pub ends_on: Option<Date>,
}

impl Enrolment {
    /// Whether it covers the day.
    pub fn covers(&self, day: Date) -> bool {
        self.starts_on <= day && self.ends_on.is_none_or(|end| day <= end)
    }
}

/// Each member's enrolments, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    enrolments: BTreeMap<MemberId, Vec<Enrolment>>,
    current: usize,
}

impl State {
    /// Whether the member is on the roster that day.
    pub fn covers(&self, member: MemberId, day: Date) -> bool {
        self.enrolments.get(&member).is_some_and(|all| all.iter().any(|e| e.covers(day)))
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Enrol a member.
    Enrol {
        /// Who.
        member: MemberId,
        /// First day on the roster.
        starts_on: Date,
    },
    /// Withdraw a member.
    Withdraw {
        /// Who.
        member: MemberId,
        /// Last day on the roster.
        ends_on: Date,
        /// Why, if it is said.
        reason: Option<Sealed>,
    },
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Enrolled already, from another day.
    #[error("the member is enrolled since {since}")]
    AlreadyEnrolled {
        /// First day of the enrolment that lasts.
        since: Date,
    },
    /// Would overlap an earlier enrolment.
    #[error("the member's last enrolment ended on {ended_on}; the next can start the day after at the earliest")]
    Overlaps {
        /// Last day of the earlier enrolment.
        ended_on: Date,
    },
    /// Not enrolled.
    #[error("the member is not enrolled in this group")]
    NotEnrolled,
    /// Ends before it starts.
    #[error("the enrolment started on {starts_on}, it cannot end before")]
    EndsBeforeStart {
        /// First day of the enrolment.
        starts_on: Date,
    },
    /// The roster is full.
    #[error("the group has {MEMBERS_MAX} members, the most that are possible")]
    Full,
}

impl Rejection for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyEnrolled { .. } => "already-enrolled",
            Self::Overlaps { .. } => "enrolments-overlap",
            Self::NotEnrolled => "not-enrolled",
            Self::EndsBeforeStart { .. } => "ends-before-start",
            Self::Full => "roster-full",
        }
    }
    fn kind(&self) -> RejectionKind {
        match self {
            Self::NotEnrolled => RejectionKind::Absent,
            Self::AlreadyEnrolled { .. } | Self::Overlaps { .. } | Self::EndsBeforeStart { .. } | Self::Full => {
                RejectionKind::Conflict
            }
        }
    }
}

impl Decider for Roster {
    const CATEGORY: &'static str = "roster";
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let last = |member| state.enrolments.get(member).and_then(|all| all.last()).copied();
        match command {
            Command::Enrol { member, starts_on } => match last(member) {
                Some(Enrolment { starts_on: since, ends_on: None }) if since == *starts_on => Ok(vec![]),
                Some(Enrolment { starts_on: since, ends_on: None }) => Err(Refusal::AlreadyEnrolled { since }),
                Some(Enrolment { ends_on: Some(ended_on), .. }) if *starts_on <= ended_on => {
                    Err(Refusal::Overlaps { ended_on })
                }
                _ if state.current >= MEMBERS_MAX => Err(Refusal::Full),
                _ => Ok(vec![Event::Enrolled(Enrolled { member: *member, starts_on: *starts_on })]),
            },
            Command::Withdraw { member, ends_on, reason } => match last(member) {
                Some(Enrolment { ends_on: Some(ended), .. }) if ended == *ends_on => Ok(vec![]),
                None | Some(Enrolment { ends_on: Some(_), .. }) => Err(Refusal::NotEnrolled),
                Some(Enrolment { starts_on, ends_on: None }) if *ends_on < starts_on => {
                    Err(Refusal::EndsBeforeStart { starts_on })
                }
                Some(Enrolment { ends_on: None, .. }) => {
                    Ok(vec![Event::Withdrawn(Withdrawn { member: *member, ends_on: *ends_on, reason: reason.clone() })])
                }
            },
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Enrolled(Enrolled { member, starts_on }) => {
                let enrolment = Enrolment { starts_on: *starts_on, ends_on: None };
                state.enrolments.entry(*member).or_default().push(enrolment);
                state.current += 1;
            }
            Event::Withdrawn(Withdrawn { member, ends_on, .. }) => {
                if let Some(last) = state.enrolments.get_mut(member).and_then(|all| all.last_mut()) {
                    last.ends_on = Some(*ends_on);
                    state.current = state.current.saturating_sub(1);
                }
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::decider::spec::{asking_twice_changes_nothing, given};

    const ALICE: MemberId = MemberId(Uuid::from_u128(1));

    fn enrol(day: Date) -> Command {
        Command::Enrol { member: ALICE, starts_on: day }
    }
    fn withdraw(day: Date) -> Command {
        Command::Withdraw { member: ALICE, ends_on: day, reason: None }
    }
    fn enrolled(day: Date) -> Event {
        Event::Enrolled(Enrolled { member: ALICE, starts_on: day })
    }
    fn withdrawn(day: Date) -> Event {
        Event::Withdrawn(Withdrawn { member: ALICE, ends_on: day, reason: None })
    }

    #[test]
    fn a_member_is_on_the_roster_from_the_first_day_to_the_last() {
        let state = [enrolled(date(2026, 1, 5)), withdrawn(date(2026, 3, 1)), enrolled(date(2026, 6, 1))]
            .iter()
            .fold(State::default(), Roster::evolve);
        let on = |y, m, d| state.covers(ALICE, date(y, m, d));
        assert!(!on(2026, 1, 4) && on(2026, 1, 5) && on(2026, 3, 1) && !on(2026, 3, 2));
        assert!(!on(2026, 5, 31) && on(2026, 6, 1) && on(2036, 6, 1));
    }

    #[test]
    fn someone_enrolled_cannot_be_enrolled_from_another_day() {
        let monday = date(2026, 1, 5);
        given::<Roster>([enrolled(monday)]).when(&enrol(monday)).then_nothing();
        given::<Roster>([enrolled(monday)])
            .when(&enrol(date(2026, 1, 6)))
            .then_rejected(&Refusal::AlreadyEnrolled { since: monday });
    }

    #[test]
    fn enrolments_of_one_member_never_overlap() {
        let history = [enrolled(date(2026, 1, 5)), withdrawn(date(2026, 3, 1))];
        given::<Roster>(history.clone())
            .when(&enrol(date(2026, 3, 1)))
            .then_rejected(&Refusal::Overlaps { ended_on: date(2026, 3, 1) });
        given::<Roster>(history).when(&enrol(date(2026, 3, 2))).then(&[enrolled(date(2026, 3, 2))]);
    }

    #[test]
    fn nobody_is_withdrawn_who_is_not_enrolled_or_before_they_came() {
        given::<Roster>([]).when(&withdraw(date(2026, 1, 1))).then_rejected(&Refusal::NotEnrolled);
        given::<Roster>([enrolled(date(2026, 1, 5))])
            .when(&withdraw(date(2026, 1, 4)))
            .then_rejected(&Refusal::EndsBeforeStart { starts_on: date(2026, 1, 5) });
    }

    proptest! {
        #[test]
        fn whatever_is_asked_asking_twice_changes_nothing(asked in prop::collection::vec((any::<bool>(), 1i8..28), 1..20)) {
            let mut history = vec![];
            for (enrols, day) in asked {
                let command = if enrols { enrol(date(2026, 1, day)) } else { withdraw(date(2026, 1, day)) };
                asking_twice_changes_nothing::<Roster>(&history, &command);
                let state = history.iter().fold(State::default(), Roster::evolve);
                history.extend(Roster::decide(&command, &state).unwrap_or_default());
            }
        }
    }
}
