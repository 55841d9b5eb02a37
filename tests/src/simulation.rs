//! A year of peer-support groups, with a known truth.
//!
//! [`simulate`] draws members with habits, groups that shrink and facilitators who forget, and writes down, for each
//! group in the order of time, the commands that tell Kith of it: those that are sent twice, too late or corrected
//! afterwards included. Beside them it keeps what happened as plain values, from which [`Truth`] counts what a report
//! must say, without any of Kith's own ways to count.
//!
//! **Invariant:** the same seed, members and groups give the same year.

mod care;
mod habits;
mod register;
mod truth;

use std::collections::BTreeMap;

use domain::{GroupId, MeetingId, ProgrammeId, group::MeetingMode};
use hyper::Method;
use jiff::civil::{Date, DateTime};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

pub use self::{
    care::{CareTruth, Goal, INSTRUMENT},
    truth::{Held, Truth},
};
use self::{
    habits::{Enrolment, Facilitator, draw_enrolments, draw_people},
    register::Clerk,
};

/// A group that is there, with its planned meetings of the year, by start.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// The programme that it belongs to, all year.
    pub programme: ProgrammeId,
    /// How it meets, all year.
    pub mode: MeetingMode,
    /// Its calendar at the beginning of the year, as Kith shows it.
    pub schedule: Value,
    /// Its meetings.
    pub meetings: Vec<Meeting>,
}

/// One group in so many meets at another time from the middle of the year on.
const EVERY_RESCHEDULED: usize = 5;
/// Local starts, in hours, at which half an hour later is the same day and nobody sleeps.
const MOVABLE: std::ops::Range<i8> = 6..22;

/// A planned meeting.
#[derive(Debug, Clone, Copy)]
pub struct Meeting {
    /// Which.
    pub id: MeetingId,
    /// Its start in the group's time zone.
    pub starts_at_local: DateTime,
}

/// A command to be sent.
#[derive(Debug, Clone)]
pub struct Command {
    /// HTTP method.
    pub method: Method,
    /// Path.
    pub path: String,
    /// Idempotency key.
    pub key: String,
    /// JSON; null for none.
    pub body: Value,
    /// What the answer must be.
    pub expected: Expected,
}

/// What the answer to a command must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Done now.
    Done,
    /// Done before, under the same key: it changes nothing and the answer of then is given again.
    Repeated,
    /// Refused with this problem.
    Refused(&'static str),
}

impl Command {
    /// Whether it marks one member.
    pub fn is_mark(&self) -> bool {
        self.method == Method::PUT && self.path.contains("/attendance/")
    }
}

/// The commands of one group, each list in the order in which they must be sent.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// First enrolments, to be sent before the year.
    pub enrolments: Vec<Command>,
    /// The year.
    pub year: Vec<Command>,
}

/// A simulated year.
#[derive(Debug)]
pub struct Year {
    /// What to send: one script for each group, in the order of the groups.
    pub scripts: Vec<Script>,
    /// What a report must say when all was sent.
    pub truth: Truth,
    /// Different people, in persons: members and walk-ins.
    pub people: usize,
}

/// What happens in a group on a day, in this order.
enum Happening<'a> {
    Withdraws(&'a Enrolment, Date),
    Enrols(&'a Enrolment, Date),
    /// From this day on the group meets half an hour later, and what is planned moves.
    Reschedules(Date, Value),
    Meets(Meeting),
}

/// Draws a year of `groups` with this many members.
pub fn simulate(seed: u64, members: usize, groups: &[Group]) -> Year {
    let mut rng = StdRng::seed_from_u64(seed);
    let days = || groups.iter().flat_map(|group| &group.meetings).map(|meeting| meeting.starts_at_local.date());
    let (Some(first), Some(last)) = (days().min(), days().max()) else {
        return Year { scripts: vec![Script::default(); groups.len()], truth: Truth::default(), people: 0 };
    };
    let mut people = draw_people(&mut rng, members);
    let rosters = draw_enrolments(&mut rng, &people, groups.len(), (first, last));
    for (group, roster) in groups.iter().zip(&rosters) {
        for enrolment in roster {
            people[enrolment.person].asked_in.get_or_insert(group.id);
        }
    }
    let mut truth = Truth::default();
    let mut walk_ins = 0;
    let scripts = groups.iter().zip(&rosters).enumerate().map(|(number, (group, roster))| {
        let facilitator = Facilitator::draw(&mut rng);
        let keys = format!("sim-{seed}-{number}");
        let mut clerk = Clerk::new(group, roster, &people, facilitator, keys, &mut rng);
        let enrolments = first_enrolments(&mut clerk, roster);
        for happening in calendar(group, roster, number % EVERY_RESCHEDULED == 0) {
            happens(&mut clerk, &happening, &mut truth);
        }
        walk_ins += clerk.new_people;
        truth.care.add(std::mem::take(&mut clerk.truth));
        Script { enrolments, year: clerk.commands }
    });
    let scripts = scripts.collect();
    Year { scripts, truth, people: people.len() + walk_ins }
}

fn first_enrolments(clerk: &mut Clerk<'_>, roster: &[Enrolment]) -> Vec<Command> {
    for enrolment in roster {
        clerk.register(clerk.id_of(enrolment));
    }
    for enrolment in roster {
        if let Some((from, _)) = enrolment.roster.first() {
            enrol(clerk, enrolment, *from);
        }
    }
    std::mem::take(&mut clerk.commands)
}

/// All that happens in a group after the first enrolments, by date.
fn calendar<'a>(
    group: &Group,
    roster: &'a [Enrolment],
    is_rescheduled: bool,
) -> impl Iterator<Item = Happening<'a>> + use<'a> {
    let mut days = BTreeMap::<(Date, u8), Vec<Happening<'_>>>::new();
    for enrolment in roster {
        for (number, (from, until)) in enrolment.roster.iter().enumerate() {
            if number > 0 {
                days.entry((*from, 1)).or_default().push(Happening::Enrols(enrolment, *from));
            }
            if let Some(until) = until {
                days.entry((*until, 0)).or_default().push(Happening::Withdraws(enrolment, *until));
            }
        }
    }
    if let Some((from, schedule)) = half_an_hour_later(group).filter(|_| is_rescheduled) {
        days.entry((from, 1)).or_default().push(Happening::Reschedules(from, schedule));
    }
    for meeting in &group.meetings {
        days.entry((meeting.starts_at_local.date(), 2)).or_default().push(Happening::Meets(*meeting));
    }
    days.into_values().flatten()
}

/// The group's calendar half an hour later, and the day of the meeting in the middle of the year.
fn half_an_hour_later(group: &Group) -> Option<(Date, Value)> {
    let middle = group.meetings.get(group.meetings.len() / 2)?.starts_at_local;
    let later =
        middle.time().checked_add(jiff::Span::new().minutes(30)).ok().filter(|_| MOVABLE.contains(&middle.hour()))?;
    let mut schedule = group.schedule.clone();
    schedule["starts_at"] = later.to_string().into();
    Some((middle.date(), schedule))
}

fn happens(clerk: &mut Clerk<'_>, happening: &Happening<'_>, truth: &mut Truth) {
    match happening {
        Happening::Withdraws(enrolment, until) => {
            let path = format!("/v1/groups/{}/enrolments/{}/withdrawal", clerk.group.id, clerk.id_of(enrolment));
            let withdraw = |day: &Date| json!({ "ends_on": day, "reason": "no longer comes" });
            let since = enrolment.roster.iter().map(|(from, _)| *from).filter(|from| from < until).max();
            if let (true, Some(since)) = (clerk.mistypes(), since) {
                clerk.send(Method::POST, path, withdraw(&until.yesterday().unwrap_or(*until)));
                correct(clerk, enrolment, json!({ "since": since, "ends_on": until, "reason": "typed_wrong" }));
            } else {
                clerk.send(Method::POST, path, withdraw(until));
            }
        }
        Happening::Enrols(enrolment, from) => enrol(clerk, enrolment, *from),
        Happening::Reschedules(from, schedule) => {
            let group = clerk.group;
            clerk.send(Method::PUT, format!("/v1/groups/{}/schedule", group.id), schedule.clone());
            let last = group.meetings.last().map_or(*from, |meeting| meeting.starts_at_local.date());
            let days = json!({ "from": from, "through": last });
            clerk.send(Method::POST, format!("/v1/groups/{}/meetings", group.id), days);
        }
        Happening::Meets(meeting) => truth.held.extend(clerk.meets(meeting)),
    }
}

fn enrol(clerk: &mut Clerk<'_>, enrolment: &Enrolment, from: Date) {
    let path = format!("/v1/groups/{}/enrolments", clerk.group.id);
    let member = clerk.id_of(enrolment);
    match from.tomorrow().ok().filter(|_| clerk.mistypes()) {
        Some(wrong) => {
            clerk.send(Method::POST, path, json!({ "member": member, "starts_on": wrong }));
            correct(clerk, enrolment, json!({ "since": wrong, "starts_on": from, "reason": "typed_wrong" }));
        }
        None => clerk.send(Method::POST, path, json!({ "member": member, "starts_on": from })),
    }
}

fn correct(clerk: &mut Clerk<'_>, enrolment: &Enrolment, body: serde_json::Value) {
    let path = format!("/v1/groups/{}/enrolments/{}/correction", clerk.group.id, clerk.id_of(enrolment));
    clerk.send(Method::POST, path, body);
}
