//! A group's roster: who asks for a place, who waits for one, who is enrolled from which day to which, how it ended.
//!
//! A group has places. Nobody is enrolled beyond them from today on unless somebody decides so, and no place stays free
//! while somebody waits: whatever frees one also gives it to whoever is first in line, in the same append. What is past
//! is recorded, and corrected, as it was, whatever the places.
//!
//! Events are about records; who is one person is decided elsewhere ([`crate::people`]) and comes with each command. A
//! person has one place and one turn. What begins, begins under the record under which they asked for it, or else under
//! the one under which they go on; what ends or is answered does so under each of their records. So all is as it was when
//! a merge is undone, but for what was done meanwhile.

mod corrections;
mod line;
mod older;
mod refusal;
mod state;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    corrections::{Corrected, Correction, Recorded},
    line::TurnMoved,
    refusal::Refusal,
    state::{End, Enrolment, State},
    vocabulary::{
        BeyondReason, CancelReason, CorrectionReason, DeclineReason, ErrorReason, IfFull, Places, PlacesError, Stage,
    },
};
use self::{
    older::{AppliedV1, EnrolledV1, WaitlistedV1},
    state::{Person, Standing},
};
use crate::{Decider, LocalDay, MemberId, Subject, event::events, people::Persons, sealed::Sealed};

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
    /// Why, if there was no place, and somebody decided that there is one more for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<BeyondReason>,
}

/// What somebody put forward was confirmed by somebody else, or by the member: the record is open to the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// Who.
    pub member: MemberId,
    /// Which: the enrolment that began on this day, or for which they asked on it and have no answer.
    pub since: Date,
}

/// Whoever was first in line was enrolled, because a place became free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
}

/// A member came to the end that was agreed. Said again, this is how their last enrolment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    /// Who.
    pub member: MemberId,
    /// Last day on the roster.
    pub ends_on: Date,
}

/// A member was withdrawn. Said again, this is how their last enrolment ended.
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
        /// Whoever was first in line was enrolled.
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
        /// A time on the roster was recorded of which both ends are known.
        Recorded = "enrolment.recorded" v 1,
        /// The first or last day of an enrolment was corrected.
        Corrected = "enrolment.corrected" v 1,
        /// Somebody got another turn on the waiting list.
        TurnMoved = "enrolment.turn_moved" v 1,
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
    /// Which records are one person's.
    pub persons: Persons,
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
    /// Record a time on the roster of which both ends are known.
    Record {
        /// Who.
        member: MemberId,
        /// First day on the roster.
        starts_on: Date,
        /// How it ended, or will.
        end: End,
        /// What is to be done if there is no place from today on. Nobody waits for it.
        if_full: IfFull,
    },
    /// Correct the first or last day of an enrolment.
    Correct {
        /// Who.
        member: MemberId,
        /// Which, by its first day as it is recorded.
        since: Date,
        /// What is right.
        to: Correction,
        /// Why.
        reason: CorrectionReason,
        /// What is to be done if there is no place from today on for days that it adds. Nobody waits for it.
        if_full: IfFull,
    },
    /// Give somebody who waits another turn.
    MoveTurn {
        /// Who.
        member: MemberId,
        /// Who is to come directly before them; nobody, if they are to come first.
        after: Option<MemberId>,
        /// Why: sealed for each record under which they may wait.
        reason: BTreeMap<MemberId, Sealed>,
    },
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
        /// Why, if it is said: sealed for each record under which they may be enrolled.
        reason: BTreeMap<MemberId, Sealed>,
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
    /// Give places to those who wait, if it is other people now than it was.
    Settle,
}

impl Ask {
    /// Whom it is about, if it is one person.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Apply { member }
            | Self::Enrol { member, .. }
            | Self::Record { member, .. }
            | Self::Correct { member, .. }
            | Self::MoveTurn { member, .. }
            | Self::Confirm { member, .. }
            | Self::Complete { member, .. }
            | Self::Withdraw { member, .. }
            | Self::Decline { member, .. }
            | Self::Cancel { member, .. }
            | Self::TakeBack { member, .. } => Some(*member),
            Self::EnrolAll(_) | Self::SetCapacity { .. } | Self::Settle => None,
        }
    }

    /// The same of somebody else, if it is about one person.
    #[must_use]
    pub fn of(mut self, other: MemberId) -> Self {
        match &mut self {
            Self::Apply { member }
            | Self::Enrol { member, .. }
            | Self::Record { member, .. }
            | Self::Correct { member, .. }
            | Self::MoveTurn { member, .. }
            | Self::Confirm { member, .. }
            | Self::Complete { member, .. }
            | Self::Withdraw { member, .. }
            | Self::Decline { member, .. }
            | Self::Cancel { member, .. }
            | Self::TakeBack { member, .. } => *member = other,
            Self::EnrolAll(_) | Self::SetCapacity { .. } | Self::Settle => {}
        }
        self
    }
}

impl Decider for Roster {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(Command { today, proposed_by, persons, ask }: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let act = Act { today: today.date(), by: proposed_by.as_ref(), persons };
        let asked = match ask {
            Ask::Apply { member } => apply(state, act, *member),
            Ask::Enrol { member, starts_on, if_full } => enrol(state, act, (*member, *starts_on), *if_full),
            Ask::EnrolAll(members) => enrol_all(state, act, members),
            Ask::Record { member, starts_on, end, if_full } => {
                corrections::record(state, act, (*member, *starts_on, *end), *if_full)
            }
            Ask::Correct { member, since, to, reason, if_full } => {
                corrections::correct(state, act, (*member, *since), (to, *reason), *if_full)
            }
            Ask::MoveTurn { member, after, reason } => line::move_turn(state, act.persons, (*member, *after), reason),
            Ask::Confirm { member, since } => confirm(state, act, *member, *since),
            Ask::Complete { member, ends_on } => {
                let completed = |member| Event::Completed(Completed { member, ends_on: *ends_on });
                end(state, act, *member, End { on: *ends_on, completed: true }, completed)
            }
            Ask::Withdraw { member, ends_on, reason } => {
                let withdrawn = |member| {
                    let reason = reason.get(&member).cloned();
                    Event::Withdrawn(Withdrawn { member, ends_on: *ends_on, reason })
                };
                end(state, act, *member, End { on: *ends_on, completed: false }, withdrawn)
            }
            Ask::Decline { member, reason } => decline(state, act, *member, *reason),
            Ask::Cancel { member, reason } => cancel(state, act, *member, *reason),
            Ask::TakeBack { member, since, reason } => take_back(state, act, *member, *since, *reason),
            Ask::SetCapacity { places } if *places == state.capacity => Ok(vec![]),
            Ask::SetCapacity { places } => Ok(vec![Event::CapacitySet(CapacitySet { places: *places })]),
            Ask::Settle => return Ok(with_promotions(state, act, vec![])),
        };
        asked.map(|events| if events.is_empty() { events } else { with_promotions(state, act, events) })
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
            Event::Enrolled(Enrolled { member, starts_on, proposed_by, .. }) => {
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
            Event::Recorded(now) => state.record(now.member, now.enrolment()),
            Event::Corrected(Corrected { member, since, starts_on, end, .. }) => {
                state.correct(*member, *since, (*starts_on, *end));
            }
            Event::TurnMoved(TurnMoved { member, after, .. }) => state.move_turn(*member, *after),
            Event::CapacitySet(CapacitySet { places }) => state.capacity = *places,
        }
        state
    }
}

/// The events, and what follows for those who wait: whoever is first in line gets what has become free.
fn with_promotions(state: &State, act: Act<'_>, mut events: Vec<Event>) -> Vec<Event> {
    let waits = state.anybody_waits() || events.iter().any(|event| matches!(event, Event::Waitlisted(_)));
    if !waits {
        return events;
    }
    let mut after = events.iter().fold(state.clone(), Roster::evolve);
    while let Some((member, starts_on)) = after.next_in_line(act.persons, act.today) {
        let promoted = Event::Promoted(Promoted { member, starts_on });
        after = Roster::evolve(after, &promoted);
        events.push(promoted);
    }
    events
}

/// The day, who put somebody forward if that is to be confirmed, and who is one person.
#[derive(Clone, Copy)]
struct Act<'a> {
    today: Date,
    by: Option<&'a Subject>,
    persons: &'a Persons,
}

impl Act<'_> {
    /// Who put the person forward, if nobody with authority did before.
    fn proposed(self, person: Option<&Person<'_>>) -> Option<Subject> {
        let is_open = person.is_some_and(|person| person.open().any(|(_, standing)| standing.is_confirmed()));
        if is_open { None } else { self.by.cloned() }
    }

    /// Said again by somebody with authority, what was put forward is confirmed.
    fn said_again(self, member: MemberId, since: Date, confirmed: bool) -> Vec<Event> {
        let confirms = !confirmed && self.by.is_none();
        if confirms { vec![Event::Confirmed(Confirmed { member, since })] } else { vec![] }
    }
}

fn confirm(state: &State, act: Act<'_>, member: MemberId, since: Date) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let (mut any, mut events) = (false, vec![]);
    for (record, known) in person.0 {
        let asks = known.standing.asked_on() == Some(since);
        let mut begun = known.enrolments.iter().filter(|enrolment| enrolment.starts_on == since).peekable();
        any |= asks || begun.peek().is_some();
        let open = (!asks || known.standing.is_confirmed()) && begun.all(|enrolment| enrolment.confirmed);
        events.extend((!open).then_some(Event::Confirmed(Confirmed { member: record, since })));
    }
    if any { Ok(events) } else { Err(Refusal::NothingSince { since }) }
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

fn apply(state: &State, act: Act<'_>, member: MemberId) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member);
    if let Some((_, first)) = person.as_ref().and_then(|person| person.lasting().into_iter().next()) {
        return Err(Refusal::AlreadyEnrolled { since: first.starts_on });
    }
    match person.and_then(|person| state.asks(&person)) {
        Some((record, standing)) => {
            let on = standing.asked_on().unwrap_or(act.today);
            Ok(act.said_again(record, on, standing.is_confirmed()))
        }
        None if state.asking(act.persons) >= APPLICATIONS_MAX => Err(Refusal::TooManyAsk),
        None => {
            let (member, proposed_by) = (act.persons.of(member), act.by.cloned());
            Ok(vec![Event::Applied(Applied { member, on: act.today, proposed_by })])
        }
    }
}

fn enrol(
    state: &State,
    act: Act<'_>,
    (member, starts_on): (MemberId, Date),
    if_full: IfFull,
) -> Result<Vec<Event>, Refusal> {
    let refusal = match begin(state, act, (member, starts_on), if_full) {
        Err(refusal) if if_full == IfFull::Refuse => refusal,
        decided => return decided,
    };
    corrections::as_it_was(state, act, member, starts_on).ok_or(refusal)
}

fn begin(
    state: &State,
    act: Act<'_>,
    (member, starts_on): (MemberId, Date),
    if_full: IfFull,
) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member);
    let lasting = person.as_ref().map(Person::lasting).unwrap_or_default();
    if let Some((_, first)) = lasting.first() {
        let since = first.starts_on;
        // Who would have waited for a place has one.
        let would_wait = if_full == IfFull::Wait && since > starts_on;
        let has_it = lasting.iter().find(|(_, enrolment)| would_wait || enrolment.starts_on == starts_on);
        let (record, Enrolment { starts_on, confirmed, .. }) = has_it.ok_or(Refusal::AlreadyEnrolled { since })?;
        return Ok(act.said_again(*record, *starts_on, *confirmed));
    }
    if let Some(End { on: ended_on, .. }) = person.as_ref().and_then(Person::ended).filter(|end| starts_on <= end.on) {
        return Err(Refusal::Overlaps { ended_on });
    }
    let from = starts_on.max(act.today);
    let asks = person.as_ref().and_then(|person| state.asks(person));
    let proposed_by = act.proposed(person.as_ref());
    let record = asks.map_or_else(|| act.persons.of(member), |(record, _)| record);
    let enrolled = |beyond| vec![Event::Enrolled(Enrolled { member: record, starts_on, proposed_by, beyond })];
    match (state.free_from(act.persons, from), if_full, state.capacity) {
        (Some(free), _, _) if free == from => Ok(enrolled(None)),
        (_, IfFull::Wait, _) => wait(state, act, member, from),
        (_, IfFull::Exceed(reason), Some(_)) => within_most(state, act, enrolled(Some(reason))),
        (free_from, IfFull::Refuse, Some(places)) => Err(Refusal::NoPlace { places, on: None, free_from }),
        (_, IfFull::Refuse | IfFull::Exceed(_), None) => Err(Refusal::Full),
    }
}

/// The events, unless they need more places than a roster can hold.
fn within_most(state: &State, act: Act<'_>, events: Vec<Event>) -> Result<Vec<Event>, Refusal> {
    let after = events.iter().fold(state.clone(), Roster::evolve);
    let over = after.beyond(state, act.persons, act.today, Places::MOST);
    if over.is_some() { Err(Refusal::Full) } else { Ok(events) }
}

fn wait(state: &State, act: Act<'_>, member: MemberId, starts_on: Date) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member);
    let proposed_by = act.proposed(person.as_ref());
    let waitlisted = |member| vec![Event::Waitlisted(Waitlisted { member, on: act.today, starts_on, proposed_by })];
    match person.and_then(|person| state.asks(&person)) {
        Some((record, Standing::Waitlisted { on, confirmed, .. })) => Ok(act.said_again(record, on, confirmed)),
        Some((record, _)) => Ok(waitlisted(record)),
        None if state.asking(act.persons) >= APPLICATIONS_MAX => Err(Refusal::TooManyAsk),
        None => Ok(waitlisted(act.persons.of(member))),
    }
}

/// `event` for each enrolment that goes on, if the person's place can have this end and does not have it yet. They are to
/// come no more: what begins later and what has no answer is given up.
fn end(
    state: &State,
    act: Act<'_>,
    member: MemberId,
    end: End,
    event: impl Fn(MemberId) -> Event,
) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let lasting = person.lasting();
    let Some((_, first)) = lasting.first() else {
        return corrections::end_again(state, act, &person, end, event);
    };
    let mut events = vec![];
    for (record, known) in &person.0 {
        // What is to come first: an end is that of the last one.
        for one in known.enrolments.iter().rev().filter(|one| one.end.is_none_or(|was| was.on > end.on)) {
            match one.starts_on {
                starts_on if starts_on <= end.on => events.push(event(*record)),
                starts_on if one.end.is_none() && first.starts_on <= end.on && starts_on > act.today => {
                    events.push(gives_up(*record));
                }
                starts_on => return Err(Refusal::EndsBeforeStart { starts_on }),
            }
        }
    }
    events.extend(person.open().map(|(record, _)| gives_up(record)));
    Ok(events)
}

fn gives_up(member: MemberId) -> Event {
    Event::Cancelled(Cancelled { member, reason: CancelReason::NotSaid })
}

fn decline(state: &State, act: Act<'_>, member: MemberId, reason: DeclineReason) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let has_place = !person.lasting().is_empty();
    let declined: Vec<_> = person.open().map(|(member, _)| Event::Declined(Declined { member, reason })).collect();
    match person.0.iter().any(|(_, known)| known.standing == Standing::Declined(reason)) {
        _ if has_place => Err(Refusal::NotAsking),
        _ if !declined.is_empty() => Ok(declined),
        true => Ok(vec![]),
        false => Err(Refusal::NotAsking),
    }
}

fn cancel(state: &State, act: Act<'_>, member: MemberId, reason: CancelReason) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let lasting = person.lasting();
    if let Some((_, Enrolment { starts_on, .. })) = lasting.first().filter(|(_, first)| first.starts_on <= act.today) {
        return Err(Refusal::Started { starts_on: *starts_on });
    }
    let open = lasting.into_iter().map(|(record, _)| record).chain(person.open().map(|(record, _)| record));
    let cancelled: Vec<_> = open.map(|member| Event::Cancelled(Cancelled { member, reason })).collect();
    match person.0.iter().any(|(_, known)| known.standing == Standing::Cancelled(reason)) {
        _ if !cancelled.is_empty() => Ok(cancelled),
        true => Ok(vec![]),
        false => Err(Refusal::NotAsking),
    }
}

fn take_back(
    state: &State,
    act: Act<'_>,
    member: MemberId,
    since: Date,
    reason: ErrorReason,
) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let (mut is_so, mut events) = (false, vec![]);
    for (member, known) in person.0 {
        let began = known.standing.asked_on() == Some(since) || known.enrolments.iter().any(|e| e.starts_on == since);
        match known.taken_back {
            Some(last) if last.since == since => is_so = true,
            _ if began => events.push(Event::EnteredInError(EnteredInError { member, since, reason })),
            _ => {}
        }
    }
    if is_so || !events.is_empty() { Ok(events) } else { Err(Refusal::NothingSince { since }) }
}
