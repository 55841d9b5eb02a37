//! A meeting and its register: who came, how, and how many more.
//!
//! planned → open → held, or cancelled, or did not occur; and back, where that was said by mistake (`meeting/undo.rs`). What
//! the calendar no longer has is taken away as if it had never been planned. A register that nobody filled in is not a
//! state: it is computed by those who read ("overdue"). A member without a mark is *not recorded*, never absent.

mod mood;
mod past;
mod refusal;
mod report;
mod streaks;
mod structure;
mod undo;
mod vocabulary;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    mood::{MOOD_MAX, Mood, Rating},
    past::{Past, PastMark, Stands},
    refusal::{MarkRefusal, Refusal},
    report::{Became, Line, Report, Reported, ReportedHeads, ReportedMark, Said},
    streaks::{LAPSED_AFTER_MEETINGS, Lapse, Streaks},
    structure::{FACILITATORS_MAX, PHASES_MAX, Phase, PhaseKind, PhaseRefusal, Structure, Topic},
    vocabulary::{
        AttendanceMode, Entry, HEADS_MAX, HeadCategory, Headcount, MARKS_MAX, MOODS_MAX, Mark, OPENS_EARLY_MAX, Plan,
        Status,
    },
};
use crate::{Decider, GroupId, MemberId, Subject, event::events, sealed::Sealed, text::Text};

/// Stream kind of meetings.
#[derive(Debug)]
pub struct Meeting;

/// Why a command says so: as it is written, before it is sealed.
pub type Reason = Text<300>;

/// A meeting was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// When and how.
    #[serde(flatten)]
    pub plan: Plan,
}
/// A planned meeting was planned anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replanned {
    /// When and how from now on.
    #[serde(flatten)]
    pub plan: Plan,
}
/// A planned meeting was taken away: the calendar no longer has it. It was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unplanned {}
/// A meeting's register was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {}
/// A meeting took place and its register was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {}
/// A meeting was called off beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Why.
    pub reason: Sealed,
}
/// A meeting did not take place although it was not called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DidNotOccur {
    /// Why.
    pub reason: Sealed,
}
/// A meeting that was cancelled or did not occur was planned again: that had been said by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reinstated {
    /// Why.
    pub reason: Sealed,
}
/// The register of a meeting that was held was opened again: it had been closed by mistake. What members had said of how
/// they feel ended when it was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reopened {
    /// Why.
    pub reason: Sealed,
}
/// A member's attendance was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttendanceRecorded {
    /// Who.
    pub member: MemberId,
    /// Whether and how they came.
    #[serde(flatten)]
    pub entry: Entry,
    /// Not on the roster: came to have a look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub walk_in: bool,
}
/// A mark was taken back while the register was open: it is not recorded whether the member came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttendanceTakenBack {
    /// Whose.
    pub member: MemberId,
    /// What the register said before.
    pub was: Entry,
}
/// A member's attendance was corrected after the register was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttendanceCorrected {
    /// Who.
    pub member: MemberId,
    /// What the register said before; nothing if it was not recorded.
    pub was: Option<Entry>,
    /// What it says now; nothing if it is no longer recorded.
    pub now: Option<Entry>,
    /// Why.
    pub reason: Sealed,
}
/// Anonymous heads were counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeadcountRecorded {
    /// All of them; a category that is missing has none.
    pub heads: Headcount,
    /// Why, if it was after the register was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}
/// A member said how they feel. It says nothing of whether they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoodRecorded {
    /// Who.
    pub member: MemberId,
    /// A number from 0 to 10, or that they declined to say: sealed, of the same length.
    pub mood: Sealed,
    /// Who entered it.
    pub entered_by: Subject,
}
/// What is kept of how a meeting went was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StructureRecorded {
    /// All of it.
    #[serde(flatten)]
    pub structure: Structure,
}

events! {
    /// What can have happened to a meeting.
    pub enum Event of "meeting" {
        /// It was planned.
        Planned = "meeting.planned" v 1,
        /// It was planned anew.
        Replanned = "meeting.replanned" v 1,
        /// The calendar no longer has it.
        Unplanned = "meeting.unplanned" v 1,
        /// Its register was opened.
        Opened = "meeting.opened" v 1,
        /// It took place.
        Held = "meeting.held" v 1,
        /// It was called off.
        Cancelled = "meeting.cancelled" v 1,
        /// It did not take place.
        DidNotOccur = "meeting.did_not_occur" v 1,
        /// It was planned again.
        Reinstated = "meeting.reinstated" v 1,
        /// Its register was opened again.
        Reopened = "meeting.reopened" v 1,
        /// A member's attendance was recorded.
        AttendanceRecorded = "attendance.recorded" v 1,
        /// A mark was taken back.
        AttendanceTakenBack = "attendance.taken_back" v 1,
        /// A member's attendance was corrected.
        AttendanceCorrected = "attendance.corrected" v 1,
        /// Anonymous heads were counted.
        HeadcountRecorded = "headcount.recorded" v 1,
        /// A member said how they feel.
        MoodRecorded = "mood.recorded" v 1,
        /// How it went was recorded.
        StructureRecorded = "structure.recorded" v 1,
    }
}

/// What is known of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing.
    #[default]
    Unknown,
    /// That it was planned, and what became of it.
    Known(Box<Register>),
}

/// A planned meeting and all that was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// When and how.
    pub plan: Plan,
    /// How far it has come.
    pub status: Status,
    /// Who came; a member who is missing is not recorded.
    pub entries: BTreeMap<MemberId, Entry>,
    /// How many more came.
    pub heads: Headcount,
    /// How members said they feel, as long as it can be said, and who entered it.
    pub moods: BTreeMap<MemberId, (Sealed, Subject)>,
    /// How it went.
    pub structure: Structure,
}

impl Register {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            status: Status::Planned,
            entries: BTreeMap::new(),
            heads: Headcount::new(),
            moods: BTreeMap::new(),
            structure: Structure::default(),
        }
    }

    /// Whether it says something of one of these records.
    fn has(&self, records: &[MemberId]) -> bool {
        records.iter().any(|record| self.entries.contains_key(record))
    }

    /// Whether the person is on the roster of the meeting's date, or was marked.
    fn stands(&self, person: &Person) -> bool {
        !person.erased && (person.enrolled || self.has(&person.records))
    }

    /// Under which of a person's records it is said how they feel: under all of which it is said already, or else the one
    /// that was marked, or the first.
    fn mood_under(&self, records: &[MemberId]) -> Vec<MemberId> {
        let said: Vec<_> = records.iter().filter(|record| self.moods.contains_key(*record)).copied().collect();
        if !said.is_empty() {
            return said;
        }
        let marked = records.iter().find(|record| self.entries.contains_key(*record));
        marked.or(records.first()).copied().into_iter().collect()
    }

    /// Under which of a person's records it must say something else, so that it says this of the person: under all that
    /// have a mark, or the first.
    fn to_change(&self, records: &[MemberId], now: Option<Entry>) -> Vec<MemberId> {
        let marked = self.has(records);
        let at = records.iter().enumerate().filter(|(nth, record)| match self.entries.get(*record) {
            None => !marked && *nth == 0 && now.is_some(),
            was => was.copied() != now,
        });
        at.map(|(_, record)| *record).collect()
    }
}

impl State {
    /// Whether the register says something of the member.
    pub fn has(&self, member: MemberId) -> bool {
        match self {
            Self::Unknown => false,
            Self::Known(register) => register.has(&[member]),
        }
    }

    /// Whether something can be said of the person: they are on the roster of the meeting's date, or were marked.
    pub fn stands(&self, person: &Person) -> bool {
        match self {
            Self::Unknown => false,
            Self::Known(register) => register.stands(person),
        }
    }

    /// What is answered to a report that is carried out now.
    ///
    /// # Errors
    /// If it would be refused as a whole.
    pub fn reported(&self, said: &Report) -> Result<Reported, Refusal> {
        match self {
            Self::Unknown => Err(Refusal::Unknown),
            Self::Known(register) => report::report(register, said).map(|(_, reported)| reported),
        }
    }

    /// The group that meets, if the meeting is known.
    pub fn group(&self) -> Option<GroupId> {
        match self {
            Self::Unknown => None,
            Self::Known(register) => Some(register.plan.group),
        }
    }
}

/// A person of whom something is to be said; the caller looks it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who, as the caller says it.
    pub member: MemberId,
    /// All records of the person, first the one under which something is said of them if nothing is yet.
    pub records: Vec<MemberId>,
    /// Whether they are enrolled on the meeting's date.
    pub enrolled: bool,
    /// Whether they were erased: nothing more is said of them, even where they still stand, and what is answered is what
    /// is answered of nobody.
    pub erased: bool,
}

/// A mark to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMark {
    /// Whose.
    pub person: Person,
    /// Whether they came.
    pub mark: Mark,
    /// How they took part, if not in the usual way; only of those who came.
    pub mode: Option<AttendanceMode>,
}

/// A mood to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMood {
    /// Whose.
    pub person: Person,
    /// How they feel, sealed for each of their records; empty for those of whom nothing can be said.
    pub mood: BTreeMap<MemberId, Sealed>,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Plan it, or plan it anew if it has not begun.
    Plan(Plan),
    /// As [`Self::Plan`], if it was ever planned, and it begins after this time as it is planned or as it will be: of what is
    /// past nobody knows better.
    Replan {
        /// As it will be.
        plan: Plan,
        /// After when.
        after: Timestamp,
    },
    /// Take it away, because the calendar no longer has it: if nothing was said of it, and it is still to come.
    Unplan {
        /// When.
        at: Timestamp,
    },
    /// Open its register.
    Open {
        /// When.
        at: Timestamp,
    },
    /// Close the register: it took place.
    Hold,
    /// Call it off.
    Cancel {
        /// Why.
        reason: Sealed,
    },
    /// Say that it did not take place.
    DidNotOccur {
        /// Why.
        reason: Sealed,
    },
    /// Take back that it was cancelled or did not occur.
    Reinstate {
        /// Why.
        reason: Sealed,
    },
    /// Open its register again, which was closed by mistake.
    Reopen {
        /// Why.
        reason: Sealed,
    },
    /// Mark members: all or none of them.
    Record(Vec<NewMark>),
    /// Add someone who is not on the roster and came.
    AddWalkIn(NewMark),
    /// Take somebody's mark back while the register is open.
    TakeBack(Person),
    /// All that somebody has to say of it: each line for itself.
    Report(Arc<Report>),
    /// Correct one member's attendance.
    Correct {
        /// All records of the person, first the one under which they are marked if none has a mark yet; and why, sealed
        /// for each.
        records: Vec<(MemberId, Sealed)>,
        /// What the register shall say; nothing to make it not recorded.
        to: Option<(Mark, Option<AttendanceMode>)>,
        /// Whether the member is enrolled on the meeting's date.
        enrolled: bool,
    },
    /// Count anonymous heads.
    Count {
        /// All of them.
        heads: Headcount,
        /// Why; needed once the register is closed.
        reason: Option<Sealed>,
    },
    /// Record how members say they feel: all or none of them.
    RecordMoods {
        /// Of a whole room.
        moods: Vec<NewMood>,
        /// Who enters them.
        by: Subject,
    },
    /// Record how the meeting went.
    RecordStructure(Structure),
    /// Say all that is known of it from somewhere else: it is planned, opened and closed as is needed.
    Past(Past),
}

impl Decider for Meeting {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let register = match (command, state) {
            (Command::Past(known), _) => return past::past(state, known),
            (Command::Plan(plan), State::Unknown) => return Ok(vec![Event::Planned(Planned { plan: *plan })]),
            (Command::Replan { .. } | Command::Unplan { .. }, State::Unknown) => return Ok(vec![]),
            (_, State::Unknown) => return Err(Refusal::Unknown),
            (_, State::Known(register)) => register,
        };
        match command {
            Command::Replan { plan, after } if register.plan.starts_at.max(plan.starts_at) <= *after => Ok(vec![]),
            Command::Plan(plan) | Command::Replan { plan, .. } => Ok(replan(register, *plan)),
            Command::Unplan { at } => Ok(unplan(register, *at)),
            Command::Open { at } => open(register, *at),
            Command::Hold => hold(register),
            Command::Cancel { reason } => undo::end(register, Status::Cancelled, reason),
            Command::DidNotOccur { reason } => undo::end(register, Status::DidNotOccur, reason),
            Command::Reinstate { reason } => reinstate(register, reason),
            Command::Reopen { reason } => undo::reopen(register, reason),
            Command::Record(marks) => record(register, marks),
            Command::AddWalkIn(mark) => add_walk_in(register, mark),
            Command::TakeBack(person) => undo::take_back(register, person),
            Command::Report(said) => report::report(register, said).map(|(events, _)| events),
            Command::Correct { records, to, enrolled } => correct(register, records, *to, *enrolled),
            Command::Count { heads, reason } => count(register, heads, reason.as_ref()),
            Command::RecordMoods { moods, by } => record_moods(register, moods, by),
            Command::RecordStructure(structure) => record_structure(register, structure),
            Command::Past(known) => past::past(state, known),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        let mut register = match (state, event) {
            (State::Unknown, Event::Planned(Planned { plan }) | Event::Replanned(Replanned { plan })) => {
                Box::new(Register::new(*plan))
            }
            (State::Unknown, _) => return State::Unknown,
            (State::Known(register), _) => register,
        };
        match event {
            Event::Planned(Planned { plan }) | Event::Replanned(Replanned { plan }) => {
                register.plan = *plan;
                register.status = Status::Planned;
            }
            Event::Unplanned(Unplanned {}) => register.status = Status::Unplanned,
            Event::Opened(Opened {}) | Event::Reopened(Reopened { .. }) => register.status = Status::Open,
            Event::Held(Held {}) => {
                register.status = Status::Held;
                register.moods.clear();
            }
            Event::Cancelled(Cancelled { .. }) => register.status = Status::Cancelled,
            Event::DidNotOccur(DidNotOccur { .. }) => register.status = Status::DidNotOccur,
            Event::Reinstated(Reinstated { .. }) => register.status = Status::Planned,
            Event::AttendanceRecorded(AttendanceRecorded { member, entry, .. })
            | Event::AttendanceCorrected(AttendanceCorrected { member, now: Some(entry), .. }) => {
                register.entries.insert(*member, *entry);
            }
            Event::AttendanceTakenBack(AttendanceTakenBack { member, .. })
            | Event::AttendanceCorrected(AttendanceCorrected { member, now: None, .. }) => {
                register.entries.remove(member);
            }
            Event::HeadcountRecorded(HeadcountRecorded { heads, .. }) => register.heads.clone_from(heads),
            Event::MoodRecorded(MoodRecorded { member, mood, entered_by }) => {
                register.moods.insert(*member, (mood.clone(), entered_by.clone()));
            }
            Event::StructureRecorded(StructureRecorded { structure }) => register.structure.clone_from(structure),
        }
        State::Known(register)
    }
}

/// A changed calendar moves only meetings that have not begun.
fn replan(register: &Register, plan: Plan) -> Vec<Event> {
    match register.status {
        Status::Planned if register.plan != plan => vec![Event::Replanned(Replanned { plan })],
        Status::Unplanned => vec![Event::Replanned(Replanned { plan })],
        _ => vec![],
    }
}

fn unplan(register: &Register, at: Timestamp) -> Vec<Event> {
    let untouched = register.entries.is_empty() && register.heads.is_empty();
    match register.status {
        Status::Planned if untouched && register.plan.starts_at > at => vec![Event::Unplanned(Unplanned {})],
        _ => vec![],
    }
}

fn open(register: &Register, at: Timestamp) -> Result<Vec<Event>, Refusal> {
    let starts_at = register.plan.starts_at;
    match register.status {
        Status::Planned if at < starts_at - OPENS_EARLY_MAX => Err(Refusal::TooEarly { starts_at }),
        Status::Planned => Ok(vec![Event::Opened(Opened {})]),
        Status::Open => Ok(vec![]),
        status @ (Status::Held | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotPossible { status, to: Status::Open })
        }
    }
}

fn hold(register: &Register) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Open => Ok(vec![Event::Held(Held {})]),
        Status::Held => Ok(vec![]),
        status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotOpen { status })
        }
    }
}

/// That a meeting was cancelled, or else did not occur.
fn end_of(to: Status, reason: &Sealed) -> Event {
    let reason = reason.clone();
    match to {
        Status::Cancelled => Event::Cancelled(Cancelled { reason }),
        _ => Event::DidNotOccur(DidNotOccur { reason }),
    }
}

fn reinstate(register: &Register, reason: &Sealed) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Cancelled | Status::DidNotOccur => Ok(vec![Event::Reinstated(Reinstated { reason: reason.clone() })]),
        Status::Planned => Ok(vec![]),
        status @ (Status::Open | Status::Held | Status::Unplanned) => {
            Err(Refusal::NotPossible { status, to: Status::Planned })
        }
    }
}

/// What the register will say: with the usual mode filled in, or why it cannot.
fn entry(plan: &Plan, mark: Mark, mode: Option<AttendanceMode>) -> Result<Entry, MarkRefusal> {
    match (mark.attended(), mode) {
        (true, mode) => Ok(Entry { mark, mode: Some(mode.unwrap_or(AttendanceMode::usual(plan.mode))) }),
        (false, None) => Ok(Entry { mark, mode: None }),
        (false, Some(_)) => Err(MarkRefusal::ModeOfAbsent),
    }
}

fn record(register: &Register, marks: &[NewMark]) -> Result<Vec<Event>, Refusal> {
    if !matches!(register.status, Status::Open | Status::Held) {
        return Err(Refusal::NotOpen { status: register.status });
    }
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    let mut refused = Vec::new();
    for new in marks {
        match record_one(register, new, !seen.insert(new.person.records.first()), seen.len()) {
            Ok(more) => events.extend(more),
            Err(why) => refused.push((new.person.member, why)),
        }
    }
    match refused.len() {
        0 if register.status == Status::Held && !events.is_empty() => Err(Refusal::RegisterClosed),
        0 => Ok(events),
        1 if marks.len() == 1 => Err(Refusal::Mark(refused.remove(0).1)),
        _ => Err(Refusal::Marks(refused)),
    }
}

fn record_one(register: &Register, new: &NewMark, twice: bool, marks: usize) -> Result<Vec<Event>, MarkRefusal> {
    let now = entry(&register.plan, new.mark, new.mode)?;
    let Person { records, enrolled, .. } = &new.person;
    let is_new = !register.has(records);
    match () {
        () if twice => Err(MarkRefusal::Twice),
        () if !register.stands(&new.person) => Err(MarkRefusal::NotOnRoster),
        () if is_new && register.entries.len() + marks > MARKS_MAX => Err(MarkRefusal::Full),
        () => Ok(mark(register, records, now, !enrolled)),
    }
}

/// The person's marks that are not so yet.
fn mark(register: &Register, records: &[MemberId], now: Entry, walk_in: bool) -> Vec<Event> {
    let other = register.to_change(records, Some(now));
    let recorded = |member| Event::AttendanceRecorded(AttendanceRecorded { member, entry: now, walk_in });
    other.into_iter().map(recorded).collect()
}

fn add_walk_in(register: &Register, new: &NewMark) -> Result<Vec<Event>, Refusal> {
    if !matches!(register.status, Status::Open | Status::Held) {
        return Err(Refusal::NotOpen { status: register.status });
    }
    let entry = entry(&register.plan, new.mark, new.mode).map_err(Refusal::Mark)?;
    let Person { records, enrolled, erased, .. } = &new.person;
    let is_new = *erased || !register.has(records);
    match mark(register, records, entry, true) {
        _ if *enrolled && !erased => Err(Refusal::OnRoster),
        _ if !new.mark.attended() => Err(Refusal::Mark(MarkRefusal::WalkInAbsent)),
        marked if !is_new && marked.is_empty() => Ok(marked),
        _ if !is_new && register.status == Status::Held => Err(Refusal::RegisterClosed),
        _ if is_new && register.entries.len() >= MARKS_MAX => Err(Refusal::Mark(MarkRefusal::Full)),
        marked => Ok(marked),
    }
}

fn correct(
    register: &Register,
    records: &[(MemberId, Sealed)],
    to: Option<(Mark, Option<AttendanceMode>)>,
    enrolled: bool,
) -> Result<Vec<Event>, Refusal> {
    let now = to.map(|(mark, mode)| entry(&register.plan, mark, mode)).transpose().map_err(Refusal::Mark)?;
    let members: Vec<_> = records.iter().map(|(member, _)| *member).collect();
    let changed = register.to_change(&members, now);
    match register.status {
        Status::Open => Err(Refusal::NotClosed),
        Status::Held if changed.is_empty() => Ok(vec![]),
        Status::Held if !register.has(&members) && !enrolled => Err(Refusal::Mark(MarkRefusal::NotOnRoster)),
        Status::Held => {
            let corrected = |(member, reason): &(MemberId, Sealed)| {
                let (member, was, reason) = (*member, register.entries.get(member).copied(), reason.clone());
                Event::AttendanceCorrected(AttendanceCorrected { member, was, now, reason })
            };
            Ok(records.iter().filter(|(member, _)| changed.contains(member)).map(corrected).collect())
        }
        status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotOpen { status })
        }
    }
}

fn count(register: &Register, heads: &Headcount, reason: Option<&Sealed>) -> Result<Vec<Event>, Refusal> {
    if let Some(&most) = heads.values().find(|&&heads| heads > HEADS_MAX) {
        return Err(Refusal::TooManyHeads(most));
    }
    let heads: Headcount = heads.iter().filter(|&(_, &n)| n > 0).map(|(&c, &n)| (c, n)).collect();
    match register.status {
        Status::Open | Status::Held if heads == register.heads => Ok(vec![]),
        Status::Held if reason.is_none() => Err(Refusal::ReasonNeeded),
        Status::Open | Status::Held => {
            Ok(vec![Event::HeadcountRecorded(HeadcountRecorded { heads, reason: reason.cloned() })])
        }
        status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotOpen { status })
        }
    }
}

fn record_moods(register: &Register, moods: &[NewMood], by: &Subject) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Open => {}
        // Whoever could send the same again without being refused could try out what somebody said.
        Status::Held => return Err(Refusal::RegisterClosed),
        status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            return Err(Refusal::NotOpen { status });
        }
    }
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    let mut refused = Vec::new();
    for NewMood { person, mood } in moods {
        match () {
            () if !seen.insert(person.records.first()) => refused.push((person.member, MarkRefusal::Twice)),
            () if mood.is_empty() || !register.stands(person) => {
                refused.push((person.member, MarkRefusal::NotOnRoster));
            }
            () => events.extend(record_mood(register, person, mood, by)),
        }
    }
    if refused.is_empty() { Ok(events) } else { Err(Refusal::Moods(refused)) }
}

/// The person's moods that are not so yet, or were entered by somebody else, who alone reads them.
fn record_mood(register: &Register, person: &Person, mood: &BTreeMap<MemberId, Sealed>, by: &Subject) -> Vec<Event> {
    let under = register.mood_under(&person.records).into_iter();
    let now = under.filter_map(|record| Some((record, (mood.get(&record)?.clone(), by.clone()))));
    let other = now.filter(|(record, now)| register.moods.get(record) != Some(now));
    let recorded = |(member, (mood, entered_by))| Event::MoodRecorded(MoodRecorded { member, mood, entered_by });
    other.map(recorded).collect()
}

fn record_structure(register: &Register, structure: &Structure) -> Result<Vec<Event>, Refusal> {
    match (register.status, structure.impossible(&register.plan)) {
        (status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned), _) => {
            Err(Refusal::NotOpen { status })
        }
        (Status::Open | Status::Held, _) if *structure == register.structure => Ok(vec![]),
        (Status::Open | Status::Held, Some((nth, why))) => Err(Refusal::Phase(nth, why)),
        (Status::Open | Status::Held, None) => {
            Ok(vec![Event::StructureRecorded(StructureRecorded { structure: structure.clone() })])
        }
    }
}

#[cfg(test)]
mod tests;
