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

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, civil::date, tz::TimeZone};
    use uuid::Uuid;

    use super::*;
    use crate::{
        GroupId,
        decider::spec::{asking_twice_changes_nothing, given},
        group::MeetingMode,
        meeting::{AttendanceCorrected, AttendanceRecorded, Cancelled, Event, Held, MarkRefusal, Opened, Planned},
    };

    const ANN: MemberId = MemberId(Uuid::from_u128(1));
    const BOB: MemberId = MemberId(Uuid::from_u128(2));

    /// A Tuesday of the past.
    fn plan() -> Plan {
        let local = date(2026, 1, 6).at(19, 0, 0, 0);
        let starts_at = local.to_zoned(TimeZone::UTC).unwrap().timestamp();
        let (group, mode) = (GroupId(Uuid::from_u128(9)), MeetingMode::InPerson);
        let ends_at = starts_at + SignedDuration::from_mins(90);
        Plan { group, starts_at_local: local, starts_at, ends_at, mode, place: None }
    }

    fn sealed() -> Sealed {
        "imported".parse().unwrap()
    }

    fn mark(member: MemberId, mark: Mark, enrolled: bool) -> PastMark {
        let person = Person { member, records: vec![member], enrolled, erased: false };
        let reasons = vec![(member, sealed())];
        PastMark { person, mark, mode: None, walks_in: false, replaces: false, reasons }
    }

    fn said(marks: Vec<PastMark>) -> Command {
        Command::Past(Past { plan: plan(), at: plan().ends_at, marks })
    }

    fn recorded(member: MemberId, mark: Mark, walk_in: bool) -> Event {
        let mode = mark.attended().then_some(AttendanceMode::InPerson);
        Event::AttendanceRecorded(AttendanceRecorded { member, entry: Entry { mark, mode }, walk_in })
    }

    #[test]
    fn a_meeting_of_the_past_is_planned_opened_filled_in_and_closed_at_once() {
        let walks_in = PastMark { walks_in: true, ..mark(BOB, Mark::Late, false) };
        let all = [
            Event::Planned(Planned { plan: plan() }),
            Event::Opened(Opened {}),
            recorded(ANN, Mark::Absent, false),
            recorded(BOB, Mark::Late, true),
            Event::Held(Held {}),
        ];
        let command = said(vec![mark(ANN, Mark::Absent, true), walks_in]);
        given::<Meeting>([]).when(&command).then(&all);
        asking_twice_changes_nothing::<Meeting>(&[], &command);
        given::<Meeting>(all[..1].to_vec()).when(&command).then(&all[1..]);
        // Not over: whoever fills it in goes on.
        let early =
            Command::Past(Past { plan: plan(), at: plan().starts_at, marks: vec![mark(ANN, Mark::Absent, true)] });
        given::<Meeting>([]).when(&early).then(&all[..3]);
    }

    #[test]
    fn a_closed_register_gets_what_it_lacks_and_keeps_what_it_says_unless_that_is_replaced() {
        let present = Entry { mark: Mark::Present, mode: Some(AttendanceMode::InPerson) };
        let held = || {
            let before = [Event::Planned(Planned { plan: plan() }), Event::Opened(Opened {})];
            [&before[..], &[recorded(ANN, Mark::Present, false), Event::Held(Held {})]].concat()
        };
        let corrected = |member, was, mark| {
            let now = Some(Entry { mark, mode: None });
            Event::AttendanceCorrected(AttendanceCorrected { member, was, now, reason: sealed() })
        };
        let both = said(vec![mark(ANN, Mark::Absent, true), mark(BOB, Mark::Excused, true)]);
        given::<Meeting>(held()).when(&both).then(&[corrected(BOB, None, Mark::Excused)]);
        let replaces = PastMark { replaces: true, ..mark(ANN, Mark::Absent, true) };
        given::<Meeting>(held()).when(&said(vec![replaces])).then(&[corrected(ANN, Some(present), Mark::Absent)]);
        given::<Meeting>(held()).when(&said(vec![mark(ANN, Mark::Present, true)])).then_nothing();
        let absent = PastMark { walks_in: true, ..mark(BOB, Mark::Absent, false) };
        let refused = Refusal::Mark(MarkRefusal::WalkInAbsent);
        given::<Meeting>(held()).when(&said(vec![absent])).then_refused(&refused);
    }

    #[test]
    fn who_had_no_place_is_no_walk_in_unasked_and_a_cancelled_meeting_stays_so() {
        let nobody = said(vec![mark(BOB, Mark::Present, false)]);
        given::<Meeting>([]).when(&nobody).then_refused(&Refusal::Mark(MarkRefusal::NotOnRoster));
        let cancelled = [Event::Planned(Planned { plan: plan() }), Event::Cancelled(Cancelled { reason: sealed() })];
        let refused = Refusal::NotPossible { status: Status::Cancelled, to: Status::Open };
        given::<Meeting>(cancelled).when(&said(vec![mark(ANN, Mark::Present, true)])).then_refused(&refused);
    }
}
