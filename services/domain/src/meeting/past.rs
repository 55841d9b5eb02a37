//! Marks of the past, as somebody else's list has them: the register is opened, filled in and closed at once, or corrected
//! if it is closed already.

use jiff::Timestamp;

use super::{AttendanceMode, Command, Entry, Event, Mark, Meeting, NewMark, Person, Plan, Refusal, State, Status};
use crate::{Decider, MemberId, sealed::Sealed};

/// What is known of a meeting of the past from somewhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When and how it was, if it was never planned.
    pub plan: Plan,
    /// When that is said.
    pub at: Timestamp,
    /// Who came.
    pub marks: Vec<PastMark>,
}

/// A mark of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMark {
    /// Whose.
    pub person: Person,
    /// Whether they came.
    pub mark: Mark,
    /// How they took part; if it is not said, in the usual way, or as is known.
    pub mode: Option<AttendanceMode>,
    /// Whether they walk in, if they had no place that day.
    pub walks_in: bool,
    /// Whether it replaces another mark; else that stays.
    pub replaces: bool,
    /// Why, if the register is closed: sealed for each record of the person.
    pub reasons: Vec<(MemberId, Sealed)>,
}

/// What a register says of a mark of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// Nothing yet.
    No,
    /// The same.
    Same,
    /// Something else.
    Otherwise,
}

impl State {
    /// What the register says of the person: of several records the better attended.
    pub fn entry_of(&self, person: &Person) -> Option<Entry> {
        let Self::Known(register) = self else { return None };
        person.records.iter().filter_map(|record| register.entries.get(record)).min_by_key(|entry| entry.mark).copied()
    }

    /// Whether a mark of the past stands.
    pub fn stands_already(&self, past: &PastMark) -> Stands {
        match self.entry_of(&past.person) {
            None => Stands::No,
            Some(Entry { mark, mode }) if mark == past.mark && (past.mode.is_none() || past.mode == mode) => {
                Stands::Same
            }
            Some(_) => Stands::Otherwise,
        }
    }

    /// What makes a register of it in which marks of the past can be made.
    ///
    /// # Errors
    /// If it was cancelled or did not occur, or is still to come.
    pub fn begin_past(&self, plan: Plan, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let mut steps = Steps::of(self);
        if matches!(steps.status(), None | Some(Status::Unplanned)) {
            steps.then(&Command::Plan(plan))?;
        }
        if steps.status() != Some(Status::Held) {
            steps.then(&Command::Open { at })?;
        }
        Ok(steps.events)
    }

    /// What makes a mark of the past: nothing if it stands, or if another one stays.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn past_mark(&self, past: &PastMark) -> Result<Vec<Event>, Refusal> {
        let PastMark { person, mark, mode, walks_in, replaces, reasons } = past;
        match self.stands_already(past) {
            Stands::Same => return Ok(vec![]),
            Stands::Otherwise if !replaces => return Ok(vec![]),
            Stands::Otherwise | Stands::No => {}
        }
        let new = NewMark { person: person.clone(), mark: *mark, mode: *mode };
        let is_held = matches!(self, Self::Known(register) if register.status == Status::Held);
        let walks_in = *walks_in && !person.enrolled && self.entry_of(person).is_none();
        let command = match (is_held, walks_in) {
            (true, true) if !mark.attended() => Command::AddWalkIn(new),
            (true, _) => Command::Correct {
                records: reasons.clone(),
                to: Some((*mark, *mode)),
                enrolled: person.enrolled || walks_in,
            },
            (false, true) => Command::AddWalkIn(new),
            (false, false) => Command::Record(vec![new]),
        };
        Meeting::decide(&command, self)
    }
}

/// All that is known of a meeting of the past, at once. A register of a meeting that is over is closed.
pub(super) fn past(state: &State, Past { plan, at, marks }: &Past) -> Result<Vec<Event>, Refusal> {
    let mut steps = Steps::of(state);
    steps.happened(state.begin_past(*plan, *at)?);
    for mark in marks {
        let more = steps.state.past_mark(mark)?;
        steps.happened(more);
    }
    if steps.ends_at().is_some_and(|ends_at| ends_at <= *at) {
        steps.then(&Command::Hold)?;
    }
    Ok(steps.events)
}

/// One command after the other.
struct Steps {
    state: State,
    events: Vec<Event>,
}

impl Steps {
    fn of(state: &State) -> Self {
        Self { state: state.clone(), events: vec![] }
    }

    fn then(&mut self, command: &Command) -> Result<(), Refusal> {
        let more = Meeting::decide(command, &self.state)?;
        self.happened(more);
        Ok(())
    }

    fn happened(&mut self, more: Vec<Event>) {
        self.state = more.iter().fold(std::mem::take(&mut self.state), Meeting::evolve);
        self.events.extend(more);
    }

    fn status(&self) -> Option<Status> {
        match &self.state {
            State::Unknown => None,
            State::Known(register) => Some(register.status),
        }
    }

    fn ends_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Unknown => None,
            State::Known(register) => Some(register.plan.ends_at),
        }
    }
}
