//! Care of one member: check-ins with an instrument, goals, and concerns.
//!
//! A check-in and the concern that it raises are one append to one stream, so that no crash leaves an answer without
//! anybody who is told. What was answered, set, rated or feared is sealed with the member's key; in clear are ids,
//! instruments and versions, meetings, days and states.

mod refusal;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    refusal::Refusal,
    vocabulary::{
        CHECK_INS_MAX, CONCERNS_MAX, Cause, EnteredBy, Escalation, GOALS_MAX, GOALS_OPEN_MAX, GoalEnd, GoalWords,
        Outcome, Rating, Urgency, When, WorryWords,
    },
};
use crate::{
    CheckInId, ConcernId, Decider, GoalId, Subject,
    event::events,
    instrument::Language,
    protocol::{Edition, Seat},
    sealed::Sealed,
};

/// Stream kind of care: one for each member, under the member's id.
#[derive(Debug)]
pub struct Care;

/// A check-in was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckInRecorded {
    /// Which.
    pub check_in: CheckInId,
    /// With which version of which instrument, and how its scores are read, for ever.
    pub edition: Edition,
    /// When and where.
    pub when: When,
    /// In which language it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Who entered it.
    pub entered_by: EnteredBy,
    /// What was answered, item by item, as it was given.
    pub answers: Sealed,
}

/// Answers were corrected; the old ones stay in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckInCorrected {
    /// Of which check-in.
    pub check_in: CheckInId,
    /// All answers as they should have been.
    pub answers: Sealed,
    /// Why.
    pub reason: Sealed,
}

/// A check-in was taken back: it was entered in error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckInEnteredInError {
    /// Which.
    pub check_in: CheckInId,
    /// Why.
    pub reason: Sealed,
}

/// A goal was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoalSet {
    /// Which.
    pub goal: GoalId,
    /// When and where.
    pub when: When,
    /// The goal in whose place it is, if one was revised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revises: Option<GoalId>,
    /// In the member's words.
    pub words: Sealed,
}

/// It was said how near a goal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoalRated {
    /// Which.
    pub goal: GoalId,
    /// When and where.
    pub when: When,
    /// Who said it.
    pub entered_by: EnteredBy,
    /// 0 (no progress) to 10 (reached).
    pub rating: Sealed,
}

/// A goal is pursued no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoalEnded {
    /// Which.
    pub goal: GoalId,
    /// How.
    pub end: GoalEnd,
    /// When.
    pub on: Date,
}

/// Somebody has to look after the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConcernRaised {
    /// Which.
    pub concern: ConcernId,
    /// How soon.
    pub urgency: Urgency,
    /// Whose duty it is: that of whoever holds the seat.
    pub seat: Seat,
    /// Until when somebody has to acknowledge it before it goes further.
    pub acknowledge_by: Timestamp,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// What for: which answers of which check-in, or a worry in words.
    pub says: Sealed,
}

/// Somebody has seen a concern and sees to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConcernAcknowledged {
    /// Which.
    pub concern: ConcernId,
    /// Who: from now on it is theirs.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
}

/// A concern was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConcernResolved {
    /// Which.
    pub concern: ConcernId,
    /// By whom.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// What was done.
    pub note: Sealed,
}

events! {
    /// What can have happened to a member's care.
    pub enum Event of "care" {
        /// A check-in was recorded.
        CheckInRecorded = "check_in.recorded" v 1,
        /// Its answers were corrected.
        CheckInCorrected = "check_in.corrected" v 1,
        /// It was taken back.
        CheckInEnteredInError = "check_in.entered_in_error" v 1,
        /// A goal was set.
        GoalSet = "goal.set" v 1,
        /// It was said how near it is.
        GoalRated = "goal.rated" v 1,
        /// It is pursued no longer.
        GoalEnded = "goal.ended" v 1,
        /// Somebody has to look after the member.
        ConcernRaised = "concern.raised" v 1,
        /// Somebody sees to it.
        ConcernAcknowledged = "concern.acknowledged" v 1,
        /// It was settled.
        ConcernResolved = "concern.resolved" v 1,
    }
}

/// What is known of a member's care.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Check-ins, also those that were taken back.
    pub check_ins: BTreeMap<CheckInId, CheckIn>,
    /// Goals, also those that ended.
    pub goals: BTreeMap<GoalId, Goal>,
    /// Concerns, also those that were settled.
    pub concerns: BTreeMap<ConcernId, Concern>,
}

/// A check-in as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckIn {
    /// As it was recorded, with the answers as they were corrected.
    pub recorded: CheckInRecorded,
    /// Whether it was taken back.
    pub in_error: bool,
}

/// A goal as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// As it was set.
    pub set: GoalSet,
    /// The last rating, if there is one.
    pub rated: Option<GoalRated>,
    /// How it ended, if it did.
    pub ended: Option<GoalEnded>,
}

/// A concern as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// As it was raised.
    pub raised: ConcernRaised,
    /// Who sees to it; nobody in person before it was acknowledged.
    pub owner: Option<Subject>,
    /// What came of it, once it is settled.
    pub resolved: Option<ConcernResolved>,
}

impl ConcernResolved {
    /// Whether another one says the same, whenever.
    fn is_said_by(&self, other: &Self) -> bool {
        (&self.by, self.outcome, &self.note) == (&other.by, other.outcome, &other.note)
    }
}

impl ConcernRaised {
    /// How far it has gone by now, as long as nobody has acknowledged it: to the organisation's seat after the deadline,
    /// and to all who may see concerns after as long again.
    pub fn escalation(&self, now: Timestamp) -> Escalation {
        let again = self.acknowledge_by.saturating_add(self.acknowledge_by.duration_since(self.raised_at));
        match self.seat {
            _ if now < self.acknowledge_by => Escalation::None,
            Seat::Programme(_) if again.is_ok_and(|again| now < again) => Escalation::Organisation,
            Seat::Programme(_) | Seat::Organisation => Escalation::Everybody,
        }
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call
pub enum Command {
    /// Record a check-in, and raise the concern that its answers give cause for.
    Record(CheckInRecorded, Option<ConcernRaised>),
    /// Record check-ins of the past, in one append: all of them or none.
    RecordAll(Vec<(CheckInRecorded, Option<ConcernRaised>)>),
    /// Correct its answers, and raise the concern that the right ones give cause for.
    Correct(CheckInCorrected, Option<ConcernRaised>),
    /// Take it back. A concern that it raised stays: somebody looks whether that was an error, too.
    TakeBack(CheckInEnteredInError),
    /// Set a goal; if it revises one, that one ends.
    SetGoal(GoalSet),
    /// Say how near it is.
    RateGoal(GoalRated),
    /// Pursue it no longer.
    EndGoal(GoalEnded),
    /// Raise a concern out of a worry.
    Raise(ConcernRaised),
    /// See to it, or take it over from whoever does.
    Acknowledge(ConcernAcknowledged),
    /// Settle it.
    Resolve(ConcernResolved),
}

impl Decider for Care {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Record(recorded, concern) => record(recorded, concern.as_ref(), state),
            Command::RecordAll(all) => record_all(all, state),
            Command::Correct(corrected, concern) => correct(corrected, concern.as_ref(), state),
            Command::TakeBack(in_error) => {
                let check_in = state.check_in(in_error.check_in)?;
                Ok(if check_in.in_error { vec![] } else { vec![Event::CheckInEnteredInError(in_error.clone())] })
            }
            Command::SetGoal(set) => set_goal(set, state),
            Command::RateGoal(rated) => rate_goal(rated, state),
            Command::EndGoal(ended) => end_goal(ended, state),
            Command::Raise(concern) => worry(concern, state),
            Command::Acknowledge(acknowledged) => acknowledge(acknowledged, state),
            Command::Resolve(resolved) => resolve(resolved, state),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event.clone() {
            Event::CheckInRecorded(recorded) => {
                state.check_ins.insert(recorded.check_in, CheckIn { recorded, in_error: false });
            }
            Event::CheckInCorrected(CheckInCorrected { check_in, answers, .. }) => {
                state.check_ins.entry(check_in).and_modify(|known| known.recorded.answers = answers);
            }
            Event::CheckInEnteredInError(CheckInEnteredInError { check_in, .. }) => {
                state.check_ins.entry(check_in).and_modify(|known| known.in_error = true);
            }
            Event::GoalSet(set) => {
                state.goals.insert(set.goal, Goal { set, rated: None, ended: None });
            }
            Event::GoalRated(rated) => {
                state.goals.entry(rated.goal).and_modify(|goal| goal.rated = Some(rated));
            }
            Event::GoalEnded(ended) => {
                state.goals.entry(ended.goal).and_modify(|goal| goal.ended = Some(ended));
            }
            Event::ConcernRaised(raised) => {
                state.concerns.insert(raised.concern, Concern { raised, owner: None, resolved: None });
            }
            Event::ConcernAcknowledged(ConcernAcknowledged { concern, by, .. }) => {
                state.concerns.entry(concern).and_modify(|concern| concern.owner = Some(by));
            }
            Event::ConcernResolved(resolved) => {
                state.concerns.entry(resolved.concern).and_modify(|concern| {
                    concern.owner = Some(resolved.by.clone());
                    concern.resolved = Some(resolved);
                });
            }
        }
        state
    }
}

impl State {
    fn check_in(&self, check_in: CheckInId) -> Result<&CheckIn, Refusal> {
        self.check_ins.get(&check_in).ok_or(Refusal::UnknownCheckIn)
    }

    fn open_goal(&self, goal: GoalId) -> Result<&Goal, Refusal> {
        match self.goals.get(&goal) {
            None => Err(Refusal::UnknownGoal),
            Some(Goal { ended: Some(_), .. }) => Err(Refusal::GoalEnded),
            Some(goal) => Ok(goal),
        }
    }
}

fn record(recorded: &CheckInRecorded, concern: Option<&ConcernRaised>, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.check_ins.get(&recorded.check_in) {
        Some(known) if known.recorded == *recorded => return Ok(vec![]),
        Some(_) => return Err(Refusal::CheckInThere),
        None if state.check_ins.len() >= CHECK_INS_MAX => return Err(Refusal::Full("check-ins", CHECK_INS_MAX)),
        None => {}
    }
    with(Event::CheckInRecorded(recorded.clone()), concern, state)
}

fn record_all(all: &[(CheckInRecorded, Option<ConcernRaised>)], state: &State) -> Result<Vec<Event>, Refusal> {
    let (mut state, mut events) = (state.clone(), vec![]);
    for (recorded, concern) in all {
        let some = record(recorded, concern.as_ref(), &state)?;
        state = some.iter().fold(state, Care::evolve);
        events.extend(some);
    }
    Ok(events)
}

fn correct(
    corrected: &CheckInCorrected,
    concern: Option<&ConcernRaised>,
    state: &State,
) -> Result<Vec<Event>, Refusal> {
    match state.check_in(corrected.check_in)? {
        CheckIn { in_error: true, .. } => Err(Refusal::InError),
        CheckIn { recorded, .. } if recorded.answers == corrected.answers => Ok(vec![]),
        _ => with(Event::CheckInCorrected(corrected.clone()), concern, state),
    }
}

/// What was answered, with the concern that it gives cause for.
fn with(answered: Event, concern: Option<&ConcernRaised>, state: &State) -> Result<Vec<Event>, Refusal> {
    let raised = concern.map(|concern| raise(concern, state)).transpose()?.flatten();
    Ok(std::iter::once(answered).chain(raised).collect())
}

fn set_goal(set: &GoalSet, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.goals.get(&set.goal) {
        Some(known) if known.set == *set => return Ok(vec![]),
        Some(_) => return Err(Refusal::GoalThere),
        None if state.goals.len() >= GOALS_MAX => return Err(Refusal::Full("goals", GOALS_MAX)),
        None => {}
    }
    let revised = set.revises.map(|revised| state.open_goal(revised)).transpose()?;
    let open = state.goals.values().filter(|goal| goal.ended.is_none()).count();
    if revised.is_none() && open >= GOALS_OPEN_MAX {
        return Err(Refusal::TooManyOpen);
    }
    let ended = |goal| Event::GoalEnded(GoalEnded { goal, end: GoalEnd::Revised, on: set.when.on });
    Ok(set.revises.map(ended).into_iter().chain([Event::GoalSet(set.clone())]).collect())
}

fn rate_goal(rated: &GoalRated, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.goals.get(&rated.goal) {
        Some(Goal { rated: Some(known), .. }) if known == rated => Ok(vec![]),
        _ => state.open_goal(rated.goal).map(|_| vec![Event::GoalRated(rated.clone())]),
    }
}

fn end_goal(ended: &GoalEnded, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.goals.get(&ended.goal) {
        Some(Goal { ended: Some(known), .. }) if known.end == ended.end => Ok(vec![]),
        _ => state.open_goal(ended.goal).map(|_| vec![Event::GoalEnded(ended.clone())]),
    }
}

fn worry(raised: &ConcernRaised, state: &State) -> Result<Vec<Event>, Refusal> {
    match raise(raised, state)? {
        Some(_) if state.concerns.len() >= CONCERNS_MAX => Err(Refusal::Full("concerns", CONCERNS_MAX)),
        raised => Ok(raised.into_iter().collect()),
    }
}

/// What answers give cause for has no limit of its own: no check-in is refused because of it.
fn raise(raised: &ConcernRaised, state: &State) -> Result<Option<Event>, Refusal> {
    match state.concerns.get(&raised.concern) {
        Some(known) if known.raised.says == raised.says => Ok(None),
        Some(_) => Err(Refusal::ConcernThere),
        None => Ok(Some(Event::ConcernRaised(raised.clone()))),
    }
}

fn acknowledge(acknowledged: &ConcernAcknowledged, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.concerns.get(&acknowledged.concern).ok_or(Refusal::UnknownConcern)? {
        Concern { resolved: Some(_), .. } => Err(Refusal::Resolved),
        Concern { owner: Some(owner), .. } if *owner == acknowledged.by => Ok(vec![]),
        _ => Ok(vec![Event::ConcernAcknowledged(acknowledged.clone())]),
    }
}

fn resolve(resolved: &ConcernResolved, state: &State) -> Result<Vec<Event>, Refusal> {
    match state.concerns.get(&resolved.concern).ok_or(Refusal::UnknownConcern)? {
        Concern { resolved: Some(known), .. } if known.is_said_by(resolved) => Ok(vec![]),
        Concern { resolved: Some(_), .. } => Err(Refusal::Resolved),
        _ => Ok(vec![Event::ConcernResolved(resolved.clone())]),
    }
}
