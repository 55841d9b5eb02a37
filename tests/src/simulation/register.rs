//! One group's paperwork: what its facilitator sends to Kith about each meeting, and what is true of it in the end.

use std::collections::BTreeMap;

use domain::{
    MemberId,
    group::MeetingMode,
    meeting::{AttendanceMode, Mark},
};
use hyper::Method;
use jiff::civil::Date;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use super::{
    CareTruth, Command, Expected, Group, Held, Meeting,
    care::{Asked, Asks},
    habits::{Enrolment, Facilitator, Person, new_id},
};

/// Chance that a meeting is called off.
const CANCELLED: f64 = 0.03;
/// Of how many commands one is the first of an enrolment, or its end, on a day that is typed wrong, if it is one of these.
const MISTYPED_EACH: usize = 7;
/// Chance that it does not take place although it was not.
const DID_NOT_OCCUR: f64 = 0.015;
/// Chance that it is called off by mistake.
const REINSTATED: f64 = 0.005;
/// Chance that a forgotten register was begun.
const BEGUN: f64 = 0.4;
/// Chance that somebody is marked absent first and then comes late.
const COMES_AFTER_ALL: f64 = 0.04;
/// Chance that somebody who came is overlooked.
const OVERLOOKED: f64 = 0.01;
/// Chance that somebody walks in.
const WALK_IN: f64 = 0.15;
/// Chance that somebody who walks in is a member of another group.
const KNOWN_WALK_IN: f64 = 0.5;
/// Chance that heads are counted at a meeting, if they ever are.
const HEADS: f64 = 0.7;
/// Chance of each of the ways in which a closed register is corrected.
const CORRECTED: f64 = 0.02;
/// Chance that a register is opened again, because it was closed by mistake.
const REOPENED: f64 = 0.02;
/// Chance that a register is opened and closed although the meeting did not take place.
const HELD_BY_MISTAKE: f64 = 0.005;
/// Chance that a mark is tried too late.
const TOO_LATE: f64 = 0.01;
/// Chance that commands of a meeting are sent again.
const SENT_AGAIN: f64 = 0.12;
/// How many of them.
const SENT_AGAIN_COMMANDS: std::ops::RangeInclusive<usize> = 1..=3;
const CATEGORIES: [&str; 5] = ["newcomer", "visitor", "supporter", "child", "other"];

/// What the register says of somebody; how they took part, if they came.
type Entry = (Mark, Option<AttendanceMode>);

/// A way to correct a register: whose entry, to which mark (none to remove it), why.
type Correction = (fn(&Entry) -> bool, Option<Mark>, &'static str);

/// Keeps a group's registers.
#[derive(Debug)]
pub struct Clerk<'a> {
    /// The group.
    pub group: &'a Group,
    /// What was sent.
    pub commands: Vec<Command>,
    /// Walk-ins who had never been anywhere, in persons.
    pub new_people: usize,
    /// What people said.
    pub truth: CareTruth,
    pub(super) roster: &'a [Enrolment],
    pub(super) people: &'a [Person],
    facilitator: Facilitator,
    pub(super) asks: Asks,
    pub(super) asked: Asked,
    keys: String,
    sent: usize,
    pub(super) rng: &'a mut StdRng,
}

/// A register that is being filled in.
#[derive(Debug, Default)]
struct Register {
    entries: BTreeMap<MemberId, Entry>,
    heads: u64,
}

/// What becomes of a planned meeting.
enum Fate {
    Cancelled,
    DidNotOccur,
    Forgotten,
    Begun,
    Reinstated,
    HeldByMistake,
    Held,
}

impl<'a> Clerk<'a> {
    /// The clerk of a group; idempotency keys begin with `keys`.
    pub fn new(
        group: &'a Group,
        roster: &'a [Enrolment],
        people: &'a [Person],
        facilitator: Facilitator,
        keys: String,
        rng: &'a mut StdRng,
    ) -> Self {
        let (asks, asked, truth) = (Asks::draw(rng), Asked::default(), CareTruth::default());
        Self {
            group,
            commands: vec![],
            new_people: 0,
            truth,
            roster,
            people,
            facilitator,
            asks,
            asked,
            keys,
            sent: 0,
            rng,
        }
    }

    /// Who is enrolled.
    pub fn id_of(&self, enrolment: &Enrolment) -> MemberId {
        self.people[enrolment.person].id
    }

    /// Registers a member, whoever did so before.
    pub fn register(&mut self, member: MemberId) {
        self.send(Method::POST, "/v1/members".into(), json!({ "member": member }));
    }

    /// Whether the next day is typed wrong at first, as every so often.
    pub fn mistypes(&self) -> bool {
        self.sent % MISTYPED_EACH == MISTYPED_EACH - 1
    }

    /// Sends a command.
    pub fn send(&mut self, method: Method, path: String, body: Value) {
        self.expect(method, path, body, Expected::Done);
    }

    fn expect(&mut self, method: Method, path: String, body: Value, expected: Expected) {
        self.sent += 1;
        let key = format!("{}-{}", self.keys, self.sent);
        self.commands.push(Command { method, path, key, body, expected });
    }

    /// Tells of a meeting; answers what is true of it in the end, if it counts as held.
    pub fn meets(&mut self, meeting: &Meeting) -> Option<Held> {
        let first = self.commands.len();
        let held = match self.fate() {
            Fate::Cancelled => {
                self.post(meeting, "cancel", json!({ "reason": "the room is not free" }));
                None
            }
            Fate::DidNotOccur => {
                self.post(meeting, "did-not-occur", json!({ "reason": "nobody came to open the door" }));
                None
            }
            Fate::Forgotten => None,
            Fate::Begun => {
                self.post(meeting, "open", Value::Null);
                self.mark_members(meeting, &mut Register::default());
                None
            }
            Fate::Reinstated => {
                self.post(meeting, "cancel", json!({ "reason": "snow" }));
                self.post(meeting, "reinstate", json!({ "reason": "it was the other group's meeting" }));
                Some(self.hold(meeting))
            }
            Fate::HeldByMistake => {
                self.post(meeting, "open", Value::Null);
                self.post(meeting, "hold", Value::Null);
                self.post(meeting, "did-not-occur", json!({ "reason": "it was the other group's meeting" }));
                None
            }
            Fate::Held => Some(self.hold(meeting)),
        };
        self.send_again(first);
        held
    }

    fn fate(&mut self) -> Fate {
        let forgets = self.facilitator.forgets;
        let rng = &mut *self.rng;
        match () {
            () if rng.random_bool(CANCELLED) => Fate::Cancelled,
            () if rng.random_bool(DID_NOT_OCCUR) => Fate::DidNotOccur,
            () if rng.random_bool(forgets) && rng.random_bool(BEGUN) => Fate::Begun,
            () if rng.random_bool(forgets) => Fate::Forgotten,
            () if rng.random_bool(REINSTATED) => Fate::Reinstated,
            () if rng.random_bool(HELD_BY_MISTAKE) => Fate::HeldByMistake,
            () => Fate::Held,
        }
    }

    fn post(&mut self, meeting: &Meeting, operation: &str, body: Value) {
        self.send(Method::POST, format!("/v1/meetings/{}/{operation}", meeting.id), body);
    }

    /// A register from opening to its last correction.
    fn hold(&mut self, meeting: &Meeting) -> Held {
        let mut register = Register::default();
        self.post(meeting, "open", Value::Null);
        self.mark_members(meeting, &mut register);
        self.walk_in(meeting, &mut register);
        self.count_heads(meeting, &mut register, None);
        let came = register.entries.iter().filter(|(_, (_, mode))| mode.is_some()).map(|(member, _)| *member);
        self.ask(meeting, &came.collect::<Vec<_>>());
        self.post(meeting, "hold", Value::Null);
        self.mark_too_late(meeting, &register);
        self.correct(meeting, &mut register);
        self.reopen(meeting, &mut register);
        let day = meeting.starts_at_local.date();
        Held {
            month: format!("{:04}-{:02}", day.year(), day.month()).parse().expect("a month of the calendar"),
            programme: self.group.programme,
            mode: self.group.mode,
            came: register.entries.into_iter().filter_map(|(member, (_, mode))| Some((member, mode?))).collect(),
            heads: register.heads,
        }
    }

    /// Marks those on the roster who are not overlooked.
    fn mark_members(&mut self, meeting: &Meeting, register: &mut Register) {
        let mut marks = Vec::new();
        for enrolment in self.roster {
            if let Some(entry) = self.mark_of(enrolment, meeting.starts_at_local.date()) {
                marks.push((self.id_of(enrolment), entry));
            }
        }
        marks.shuffle(self.rng);
        if self.facilitator.in_bulk {
            self.mark_in_bulk(meeting, &marks);
        } else {
            for (member, entry) in &marks {
                self.mark_one(meeting, *member, *entry);
            }
        }
        register.entries.extend(marks);
    }

    /// What happened to a member that day, if it is written down.
    fn mark_of(&mut self, enrolment: &Enrolment, day: Date) -> Option<Entry> {
        let person = &self.people[enrolment.person];
        let rng = &mut *self.rng;
        if !enrolment.is_on_roster(day) || enrolment.is_forgotten(day) || rng.random_bool(OVERLOOKED) {
            return None;
        }
        if enrolment.still_comes(day) && rng.random_bool(person.comes) {
            let mark = if rng.random_bool(person.late) { Mark::Late } else { Mark::Present };
            return Some((mark, Some(person.takes_part(self.group.mode, rng))));
        }
        let mark = if rng.random_bool(person.excuses) { Mark::Excused } else { Mark::Absent };
        (self.facilitator.marks_absent || mark == Mark::Excused).then_some((mark, None))
    }

    fn mark_in_bulk(&mut self, meeting: &Meeting, marks: &[(MemberId, Entry)]) {
        if marks.is_empty() {
            return;
        }
        let mut lines = Vec::new();
        for (member, entry) in marks {
            let mut line = self.body(*entry);
            line["member"] = json!(member);
            lines.push(line);
        }
        self.send(Method::PUT, format!("/v1/meetings/{}/attendance", meeting.id), json!({ "marks": lines }));
    }

    fn mark_one(&mut self, meeting: &Meeting, member: MemberId, entry: Entry) {
        let path = mark_path(meeting, member);
        if entry.1.is_some() && self.rng.random_bool(COMES_AFTER_ALL) {
            self.send(Method::PUT, path.clone(), json!({ "mark": Mark::Absent }));
        }
        let body = self.body(entry);
        self.send(Method::PUT, path, body);
    }

    /// How they took part need not be said where it is usual.
    fn body(&mut self, (mark, mode): Entry) -> Value {
        let usual = match self.group.mode {
            MeetingMode::InPerson | MeetingMode::Hybrid => AttendanceMode::InPerson,
            MeetingMode::Virtual => AttendanceMode::Video,
        };
        match mode {
            Some(mode) if mode != usual || self.rng.random_bool(0.2) => json!({ "mark": mark, "mode": mode }),
            _ => json!({ "mark": mark }),
        }
    }

    fn walk_in(&mut self, meeting: &Meeting, register: &mut Register) {
        if !self.rng.random_bool(WALK_IN) {
            return;
        }
        let mark = if self.rng.random_bool(0.3) { Mark::Late } else { Mark::Present };
        let known = self.rng.random_bool(KNOWN_WALK_IN) && !self.people.is_empty();
        let known = known.then(|| self.rng.random_range(0..self.people.len()));
        let known = known.filter(|person| self.roster.iter().all(|enrolment| enrolment.person != *person));
        let mode =
            if self.group.mode == MeetingMode::Virtual { AttendanceMode::Video } else { AttendanceMode::InPerson };
        let (member, body) = match known {
            Some(person) => (self.people[person].id, json!({ "member": self.people[person].id, "mark": mark })),
            // Kith gives the id; any that nobody else has stands for it here.
            None => (new_id(self.rng), json!({ "mark": mark })),
        };
        self.new_people += usize::from(known.is_none());
        if known.is_some() {
            self.register(member);
        }
        self.post(meeting, "walk-ins", body);
        register.entries.insert(member, (mark, Some(mode)));
    }

    fn count_heads(&mut self, meeting: &Meeting, register: &mut Register, reason: Option<&str>) {
        if reason.is_none() && !(self.facilitator.counts_heads && self.rng.random_bool(HEADS)) {
            return;
        }
        let mut heads = BTreeMap::new();
        for _ in 0..self.rng.random_range(1..=2) {
            heads.insert(CATEGORIES[self.rng.random_range(0..CATEGORIES.len())], self.rng.random_range(0..7_u64));
        }
        register.heads = heads.values().sum();
        let mut body = json!({ "heads": heads });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        self.send(Method::PUT, format!("/v1/meetings/{}/headcount", meeting.id), body);
    }

    /// A mark after the register was closed is refused.
    fn mark_too_late(&mut self, meeting: &Meeting, register: &Register) {
        let absent = register.entries.iter().find(|(_, (mark, _))| *mark == Mark::Absent).map(|(member, _)| *member);
        if let Some(member) = absent.filter(|_| self.rng.random_bool(TOO_LATE)) {
            let body = json!({ "mark": Mark::Late });
            self.expect(Method::PUT, mark_path(meeting, member), body, Expected::Refused("register-closed"));
        }
    }

    fn correct(&mut self, meeting: &Meeting, register: &mut Register) {
        let usual =
            if self.group.mode == MeetingMode::Virtual { AttendanceMode::Video } else { AttendanceMode::InPerson };
        let corrections: [Correction; 3] = [
            (|(_, mode)| mode.is_some(), Some(Mark::Absent), "mistaken for somebody else"),
            (|(_, mode)| mode.is_none(), Some(Mark::Present), "came after the register was closed"),
            (|_| true, None, "was at another meeting, nothing is known of this one"),
        ];
        for (fits, mark, reason) in corrections {
            if !self.rng.random_bool(CORRECTED) {
                continue;
            }
            let members = self.roster.iter().map(|enrolment| self.id_of(enrolment));
            let who: Vec<MemberId> = members.filter(|id| register.entries.get(id).is_some_and(fits)).collect();
            if who.is_empty() {
                continue;
            }
            let member = who[self.rng.random_range(0..who.len())];
            let path = format!("{}/correction", mark_path(meeting, member));
            self.send(Method::POST, path, json!({ "mark": mark, "reason": reason }));
            match mark {
                Some(mark) => register.entries.insert(member, (mark, mark.attended().then_some(usual))),
                None => register.entries.remove(&member),
            };
        }
        if self.facilitator.counts_heads && self.rng.random_bool(CORRECTED) {
            self.count_heads(meeting, register, Some("counted again from the photo of the circle of chairs"));
        }
    }

    /// Opens the register again: somebody was there after all, and somebody's mark goes. Then it is closed once more.
    fn reopen(&mut self, meeting: &Meeting, register: &mut Register) {
        if !self.rng.random_bool(REOPENED) {
            return;
        }
        self.post(meeting, "reopen", json!({ "reason": "closed before everybody had been seen" }));
        let absent = register.entries.iter().find(|(_, (_, mode))| mode.is_none()).map(|(member, _)| *member);
        if let Some(member) = absent {
            let mode = match self.group.mode {
                MeetingMode::Virtual => AttendanceMode::Video,
                MeetingMode::InPerson | MeetingMode::Hybrid => AttendanceMode::InPerson,
            };
            self.send(Method::PUT, mark_path(meeting, member), json!({ "mark": Mark::Late }));
            register.entries.insert(member, (Mark::Late, Some(mode)));
        }
        // Of walk-ins, Kith alone knows the ids.
        let members = self.roster.iter().map(|enrolment| self.id_of(enrolment));
        let marked: Vec<_> = members.filter(|member| register.entries.contains_key(member)).collect();
        if let Some(member) = marked.last() {
            self.send(Method::DELETE, mark_path(meeting, *member), Value::Null);
            register.entries.remove(member);
        }
        self.post(meeting, "hold", Value::Null);
    }

    /// Sends some of the commands since `first` again, as a phone does that did not see the answer.
    fn send_again(&mut self, first: usize) {
        if !self.rng.random_bool(SENT_AGAIN) {
            return;
        }
        let done: Vec<usize> =
            (first..self.commands.len()).filter(|at| self.commands[*at].expected == Expected::Done).collect();
        if done.is_empty() {
            return;
        }
        for _ in 0..self.rng.random_range(SENT_AGAIN_COMMANDS) {
            let again = &self.commands[done[self.rng.random_range(0..done.len())]];
            let again = Command { expected: Expected::Repeated, ..again.clone() };
            self.commands.push(again);
        }
    }
}

fn mark_path(meeting: &Meeting, member: MemberId) -> String {
    format!("/v1/meetings/{}/attendance/{member}", meeting.id)
}
