//! A group's roster: who asks for a place, who waits for one, who is enrolled from which day to which, how it ended.
//!
//! A group has places. Nobody is enrolled beyond them from today on, and no place stays free while somebody waits:
//! whatever frees one also gives it to whoever has waited longest, in the same append. What is past is recorded as it
//! was, whatever the places.

mod older;
mod state;
#[cfg(test)]
mod tests;
mod vocabulary;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    older::{AppliedV1, EnrolledV1, WaitlistedV1},
    state::Standing,
};
pub use self::{
    state::{End, Enrolment, State},
    vocabulary::{CancelReason, DeclineReason, ErrorReason, IfFull, Places, PlacesError, Stage},
};
use crate::{Decider, LocalDay, MemberId, RefusalKind, Subject, event::events, sealed::Sealed};

/// Stream kind of rosters: one for each group, under the group's id.
#[derive(Debug)]
pub struct Roster;

/// Most members enrolled in one group at a time, a count.
pub const MEMBERS_MAX: u16 = 2_000;
/// Most who ask one group for a place at a time, those who wait included; a count.
pub const APPLICATIONS_MAX: usize = 1_000;

/// Somebody asked for a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// Who.
    pub member: MemberId,
    /// When, where the group meets.
    pub on: Date,
    /// Who put them forward, if that opens nothing: somebody who wants to read, and whom nobody has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Subject>,
}

/// Somebody was put at the end of the waiting list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waitlisted {
    /// Who.
    pub member: MemberId,
    /// When, where the group meets.
    pub on: Date,
    /// First day that they want to be on the roster.
    pub starts_on: Date,
    /// Who put them forward, if that opens nothing: somebody who wants to read, and whom nobody has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Subject>,
}

/// A member was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
    /// Who put them forward, if that opens nothing: somebody who wants to read, and whom nobody has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Subject>,
}

/// What somebody put forward was confirmed by somebody else, or by the member: the record is open to the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// Who.
    pub member: MemberId,
    /// Which: the enrolment that began on this day, or for which they asked on it and have no answer.
    pub since: Date,
}

/// Whoever had waited longest was enrolled, because a place became free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
}

/// A member came to the end that was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    /// Who.
    pub member: MemberId,
    /// Last day on the roster.
    pub ends_on: Date,
}

/// A member was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// Who.
    pub member: MemberId,
    /// Last day on the roster.
    pub ends_on: Date,
    /// Why, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// The group said no to somebody who asked for a place or waited for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Declined {
    /// Who.
    pub member: MemberId,
    /// Why.
    pub reason: DeclineReason,
}

/// Somebody gave up their application, their turn on the waiting list or their place before the first day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Who.
    pub member: MemberId,
    /// Why.
    pub reason: CancelReason,
}

/// What was recorded of a member never was: it is taken back, as if it had not been written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnteredInError {
    /// Who.
    pub member: MemberId,
    /// Which: the one that began on this day, or for which they asked on it and have no answer.
    pub since: Date,
    /// What is wrong with it.
    pub reason: ErrorReason,
}

/// It was said how many places the group has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapacitySet {
    /// How many; none if as many as a roster can hold.
    pub places: Option<Places>,
}

events! {
    /// What can have happened to a roster.
    pub enum Event of "roster" {
        /// Somebody asked for a place.
        Applied = "enrolment.applied" v 2 (v 1 AppliedV1),
        /// Somebody was put on the waiting list.
        Waitlisted = "enrolment.waitlisted" v 2 (v 1 WaitlistedV1),
        /// A member was enrolled.
        Enrolled = "enrolment.started" v 2 (v 1 EnrolledV1),
        /// What was put forward was confirmed.
        Confirmed = "enrolment.confirmed" v 1,
        /// Whoever had waited longest was enrolled.
        Promoted = "enrolment.promoted" v 1,
        /// A member came to the end that was agreed.
        Completed = "enrolment.completed" v 1,
        /// A member was withdrawn.
        Withdrawn = "enrolment.ended" v 1,
        /// The group said no.
        Declined = "enrolment.declined" v 1,
        /// Somebody gave it up before the first day.
        Cancelled = "enrolment.cancelled" v 1,
        /// What was recorded never was.
        EnteredInError = "enrolment.entered_in_error" v 1,
        /// It was said how many places there are.
        CapacitySet = "capacity.set" v 1,
    }
}

/// What is asked, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The day where the group meets.
    pub today: LocalDay,
    /// Who asks, if what begins by it is to be confirmed by somebody else before it opens a record.
    pub proposed_by: Option<Subject>,
    /// What.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Put somebody down as asking for a place.
    Apply {
        /// Who.
        member: MemberId,
    },
    /// Enrol a member: somebody new, or somebody who applied.
    Enrol {
        /// Who.
        member: MemberId,
        /// First day on the roster.
        starts_on: Date,
        /// What is to be done if there is no place from that day on.
        if_full: IfFull,
    },
    /// Enrol all of these from these days on, or nobody if one of them cannot be.
    EnrolAll(Vec<(MemberId, Date)>),
    /// Confirm what somebody put forward.
    Confirm {
        /// Who.
        member: MemberId,
        /// Which, by its first day, or by the day of an application without an answer.
        since: Date,
    },
    /// End an enrolment as agreed.
    Complete {
        /// Who.
        member: MemberId,
        /// Last day on the roster.
        ends_on: Date,
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
    /// Say no to somebody who asks or waits.
    Decline {
        /// Who.
        member: MemberId,
        /// Why.
        reason: DeclineReason,
    },
    /// Give up an application, a turn, or a place before its first day.
    Cancel {
        /// Who.
        member: MemberId,
        /// Why.
        reason: CancelReason,
    },
    /// Take back what should never have been recorded.
    TakeBack {
        /// Who.
        member: MemberId,
        /// Which, by its first day, or by the day of an application without an answer.
        since: Date,
        /// What is wrong with it.
        reason: ErrorReason,
    },
    /// Say how many places there are.
    SetCapacity {
        /// How many; none if as many as a roster can hold.
        places: Option<Places>,
    },
}

impl Ask {
    /// Whom it is about, if it is one person.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Apply { member }
            | Self::Enrol { member, .. }
            | Self::Confirm { member, .. }
            | Self::Complete { member, .. }
            | Self::Withdraw { member, .. }
            | Self::Decline { member, .. }
            | Self::Cancel { member, .. }
            | Self::TakeBack { member, .. } => Some(*member),
            Self::EnrolAll(_) | Self::SetCapacity { .. } => None,
        }
    }
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
    /// Ended already, otherwise.
    #[error("the enrolment has ended already, on {ended_on}")]
    Ended {
        /// Its last day.
        ended_on: Date,
    },
    /// Ends before it starts.
    #[error("the enrolment started on {starts_on}, it cannot end before")]
    EndsBeforeStart {
        /// First day of the enrolment.
        starts_on: Date,
    },
    /// The roster is full.
    #[error("the group has {MEMBERS_MAX} members, the most that are possible")]
    Full,
    /// All places are taken.
    #[error("the group has {} places and not one is free from that day on{}", .places.get(), but_from(*.free_from))]
    NoPlace {
        /// How many there are.
        places: Places,
        /// When one is free, as far as is known.
        free_from: Option<Date>,
    },
    /// Too many ask.
    #[error("{APPLICATIONS_MAX} people ask this group for a place, the most that are possible")]
    TooManyAsk,
    /// Neither asks nor waits.
    #[error("the member neither asks nor waits for a place in this group")]
    NotAsking,
    /// Too late to cancel.
    #[error("the enrolment has started on {starts_on}: the member can be withdrawn")]
    Started {
        /// First day of the enrolment.
        starts_on: Date,
    },
    /// Nothing began that day.
    #[error("nothing of the member in this group began on {since}")]
    NothingSince {
        /// The day that was asked for.
        since: Date,
    },
}

fn but_from(free: Option<Date>) -> String {
    free.map(|day| format!("; one is free from {day} on")).unwrap_or_default()
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyEnrolled { .. } => "already-enrolled",
            Self::Overlaps { .. } => "enrolments-overlap",
            Self::NotEnrolled => "not-enrolled",
            Self::Ended { .. } => "enrolment-ended",
            Self::EndsBeforeStart { .. } => "ends-before-start",
            Self::Full => "roster-full",
            Self::NoPlace { .. } => "group-full",
            Self::TooManyAsk => "too-many-applications",
            Self::NotAsking => "not-asking",
            Self::Started { .. } => "enrolment-started",
            Self::NothingSince { .. } => "no-such-enrolment",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotEnrolled => RefusalKind::Absent,
            Self::AlreadyEnrolled { .. }
            | Self::Overlaps { .. }
            | Self::Ended { .. }
            | Self::EndsBeforeStart { .. }
            | Self::Full
            | Self::NoPlace { .. }
            | Self::TooManyAsk
            | Self::NotAsking
            | Self::Started { .. }
            | Self::NothingSince { .. } => RefusalKind::Conflict,
        }
    }
}

impl Decider for Roster {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(Command { today, proposed_by, ask }: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let (today, by) = (today.date(), proposed_by.as_ref());
        let asked = match ask {
            Ask::Apply { member } => apply(state, (today, by), *member),
            Ask::Enrol { member, starts_on, if_full } => enrol(state, (today, by), (*member, *starts_on), *if_full),
            Ask::EnrolAll(members) => enrol_all(state, (today, by), members),
            Ask::Confirm { member, since } => confirm(state, *member, *since),
            Ask::Complete { member, ends_on } => {
                let completed = Event::Completed(Completed { member: *member, ends_on: *ends_on });
                end(state, *member, End { on: *ends_on, completed: true }, completed)
            }
            Ask::Withdraw { member, ends_on, reason } => {
                let withdrawn = Withdrawn { member: *member, ends_on: *ends_on, reason: reason.clone() };
                end(state, *member, End { on: *ends_on, completed: false }, Event::Withdrawn(withdrawn))
            }
            Ask::Decline { member, reason } => decline(state, *member, *reason),
            Ask::Cancel { member, reason } => cancel(state, today, *member, *reason),
            Ask::TakeBack { member, since, reason } => take_back(state, *member, *since, *reason),
            Ask::SetCapacity { places } if *places == state.capacity => Ok(vec![]),
            Ask::SetCapacity { places } => Ok(vec![Event::CapacitySet(CapacitySet { places: *places })]),
        };
        asked.map(|events| with_promotions(state, today, events))
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Applied(Applied { member, on, proposed_by }) => {
                state.stand(*member, Standing::Applied { on: *on, confirmed: proposed_by.is_none() });
            }
            Event::Waitlisted(Waitlisted { member, on, starts_on, proposed_by }) => {
                let on = state.standing(*member).asked_on().unwrap_or(*on);
                let confirmed = proposed_by.is_none();
                state.stand(*member, Standing::Waitlisted { on, starts_on: *starts_on, confirmed });
            }
            Event::Enrolled(Enrolled { member, starts_on, proposed_by }) => {
                state.begin(*member, *starts_on, proposed_by.is_none());
            }
            Event::Promoted(Promoted { member, starts_on }) => {
                let confirmed = state.standing(*member).is_confirmed();
                state.begin(*member, *starts_on, confirmed);
            }
            Event::Confirmed(Confirmed { member, since }) => state.confirm(*member, *since),
            Event::Completed(Completed { member, ends_on }) => {
                state.end(*member, End { on: *ends_on, completed: true });
            }
            Event::Withdrawn(Withdrawn { member, ends_on, .. }) => {
                state.end(*member, End { on: *ends_on, completed: false });
            }
            Event::Declined(Declined { member, reason }) => {
                state.stand(*member, Standing::Declined(*reason));
            }
            Event::Cancelled(Cancelled { member, reason }) => {
                let asked = state.standing(*member).asked_on().is_some();
                let person = state.stand(*member, Standing::Cancelled(*reason));
                if !asked {
                    person.enrolments.pop_if(|last| last.end.is_none());
                }
            }
            Event::EnteredInError(EnteredInError { member, since, .. }) => {
                state.take_back(*member, *since);
            }
            Event::CapacitySet(CapacitySet { places }) => state.capacity = *places,
        }
        state
    }
}

/// The events, and what follows for those who wait: whoever has waited longest gets what has become free.
fn with_promotions(state: &State, today: Date, mut events: Vec<Event>) -> Vec<Event> {
    let waits = state.anybody_waits() || events.iter().any(|event| matches!(event, Event::Waitlisted(_)));
    if events.is_empty() || !waits {
        return events;
    }
    let mut after = events.iter().fold(state.clone(), Roster::evolve);
    while let Some((member, starts_on)) = after.next_in_line(today) {
        let promoted = Event::Promoted(Promoted { member, starts_on });
        after = Roster::evolve(after, &promoted);
        events.push(promoted);
    }
    events
}

/// The day, and who put somebody forward if that is to be confirmed.
type Act<'a> = (Date, Option<&'a Subject>);

/// Who put the member forward, if nobody with authority did before.
fn proposed(state: &State, member: MemberId, by: Option<&Subject>) -> Option<Subject> {
    let standing = state.standing(member);
    let is_open = standing.asked_on().is_some() && standing.is_confirmed();
    if is_open { None } else { by.cloned() }
}

/// Said again by somebody with authority, what was put forward is confirmed.
fn said_again(member: MemberId, since: Date, confirmed: bool, by: Option<&Subject>) -> Vec<Event> {
    let confirms = !confirmed && by.is_none();
    if confirms { vec![Event::Confirmed(Confirmed { member, since })] } else { vec![] }
}

fn confirm(state: &State, member: MemberId, since: Date) -> Result<Vec<Event>, Refusal> {
    let person = state.person(member).ok_or(Refusal::NotEnrolled)?;
    let asks = person.standing.asked_on() == Some(since);
    let begun: Vec<_> = person.enrolments.iter().filter(|enrolment| enrolment.starts_on == since).collect();
    if !asks && begun.is_empty() {
        return Err(Refusal::NothingSince { since });
    }
    let open = (!asks || person.standing.is_confirmed()) && begun.iter().all(|enrolment| enrolment.confirmed);
    Ok(said_again(member, since, open, None))
}

fn enrol_all(state: &State, act: Act<'_>, members: &[(MemberId, Date)]) -> Result<Vec<Event>, Refusal> {
    let (mut state, mut all) = (state.clone(), Vec::with_capacity(members.len()));
    for member in members {
        let events = enrol(&state, act, *member, IfFull::Refuse)?;
        state = events.iter().fold(state, Roster::evolve);
        all.extend(events);
    }
    Ok(all)
}

fn apply(state: &State, (today, by): Act<'_>, member: MemberId) -> Result<Vec<Event>, Refusal> {
    let standing = state.standing(member);
    match (state.last(member), standing.asked_on()) {
        (Some(Enrolment { starts_on: since, end: None, .. }), _) => Err(Refusal::AlreadyEnrolled { since }),
        (_, Some(on)) => Ok(said_again(member, on, standing.is_confirmed(), by)),
        _ if state.asking() >= APPLICATIONS_MAX => Err(Refusal::TooManyAsk),
        _ => Ok(vec![Event::Applied(Applied { member, on: today, proposed_by: by.cloned() })]),
    }
}

fn enrol(
    state: &State,
    (today, by): Act<'_>,
    (member, starts_on): (MemberId, Date),
    if_full: IfFull,
) -> Result<Vec<Event>, Refusal> {
    match state.last(member) {
        Some(Enrolment { starts_on: since, end: None, confirmed }) => {
            // Who would have waited for a place has one.
            let has_it = since == starts_on || (if_full == IfFull::Wait && since > starts_on);
            let refusal = Refusal::AlreadyEnrolled { since };
            return if has_it { Ok(said_again(member, since, confirmed, by)) } else { Err(refusal) };
        }
        Some(Enrolment { end: Some(End { on: ended_on, .. }), .. }) if starts_on <= ended_on => {
            return Err(Refusal::Overlaps { ended_on });
        }
        _ => {}
    }
    let from = starts_on.max(today);
    match (state.free_from(from), if_full, state.capacity) {
        (Some(free), _, _) if free == from => {
            let proposed_by = proposed(state, member, by);
            Ok(vec![Event::Enrolled(Enrolled { member, starts_on, proposed_by })])
        }
        (_, IfFull::Wait, _) => wait(state, (today, by), member, from),
        (free_from, IfFull::Refuse, Some(places)) => Err(Refusal::NoPlace { places, free_from }),
        (_, IfFull::Refuse, None) => Err(Refusal::Full),
    }
}

fn wait(state: &State, (today, by): Act<'_>, member: MemberId, starts_on: Date) -> Result<Vec<Event>, Refusal> {
    let proposed_by = proposed(state, member, by);
    let waitlisted = || vec![Event::Waitlisted(Waitlisted { member, on: today, starts_on, proposed_by })];
    match state.standing(member) {
        Standing::Waitlisted { on, confirmed, .. } => Ok(said_again(member, on, confirmed, by)),
        Standing::Applied { .. } => Ok(waitlisted()),
        _ if state.asking() >= APPLICATIONS_MAX => Err(Refusal::TooManyAsk),
        _ => Ok(waitlisted()),
    }
}

/// `event`, if the member's enrolment can have this end and does not have it yet.
fn end(state: &State, member: MemberId, end: End, event: Event) -> Result<Vec<Event>, Refusal> {
    match state.last(member) {
        None => Err(Refusal::NotEnrolled),
        Some(Enrolment { end: Some(ended), .. }) if ended == end => Ok(vec![]),
        Some(Enrolment { end: Some(ended), .. }) => Err(Refusal::Ended { ended_on: ended.on }),
        Some(Enrolment { starts_on, end: None, .. }) if end.on < starts_on => {
            Err(Refusal::EndsBeforeStart { starts_on })
        }
        Some(Enrolment { end: None, .. }) => Ok(vec![event]),
    }
}

fn decline(state: &State, member: MemberId, reason: DeclineReason) -> Result<Vec<Event>, Refusal> {
    match state.person(member).ok_or(Refusal::NotEnrolled)?.standing {
        Standing::Applied { .. } | Standing::Waitlisted { .. } => {
            Ok(vec![Event::Declined(Declined { member, reason })])
        }
        Standing::Declined(said) if said == reason => Ok(vec![]),
        _ => Err(Refusal::NotAsking),
    }
}

fn cancel(state: &State, today: Date, member: MemberId, reason: CancelReason) -> Result<Vec<Event>, Refusal> {
    let person = state.person(member).ok_or(Refusal::NotEnrolled)?;
    let cancelled = vec![Event::Cancelled(Cancelled { member, reason })];
    match (person.standing, person.enrolments.last()) {
        (Standing::Applied { .. } | Standing::Waitlisted { .. }, _) => Ok(cancelled),
        (_, Some(Enrolment { starts_on, end: None, .. })) if *starts_on > today => Ok(cancelled),
        (_, Some(Enrolment { starts_on, end: None, .. })) => Err(Refusal::Started { starts_on: *starts_on }),
        (Standing::Cancelled(said), _) if said == reason => Ok(vec![]),
        _ => Err(Refusal::NotAsking),
    }
}

fn take_back(state: &State, member: MemberId, since: Date, reason: ErrorReason) -> Result<Vec<Event>, Refusal> {
    let person = state.person(member).ok_or(Refusal::NotEnrolled)?;
    let began = person.standing.asked_on() == Some(since) || person.enrolments.iter().any(|e| e.starts_on == since);
    match person.taken_back {
        Some(last) if last == since => Ok(vec![]),
        _ if began => Ok(vec![Event::EnteredInError(EnteredInError { member, since, reason })]),
        _ => Err(Refusal::NothingSince { since }),
    }
}
