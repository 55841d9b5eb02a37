//! What callers ask, and what they make of the answers.

use domain::{GroupId, MeetingId, MemberId, ProgrammeId};
use rand::RngExt;
use serde_json::Value;
use uuid::Uuid;

use super::world::World;
use crate::{
    book::{Asked, Entry, Outcome},
    commands::{CALLERS, Known, first, wish},
    judge::{self, Violation, violated},
    machine::Machine,
    people::{Answer, Inbox, send},
};

impl World {
    pub(super) fn waiting_requests(&self) -> usize {
        self.book.entries.iter().rev().take(200).map(|entry| entry.waiting).sum()
    }

    /// Sends a new request, or an old one again.
    pub(super) fn ask(&mut self, machine: &Machine, inbox: &Inbox) {
        if !self.book.entries.is_empty() && self.chance.random_bool(0.1) {
            let back = self.book.entries.len().min(60);
            let number = self.book.entries.len() - 1 - self.chance.random_range(0..back);
            return self.send(machine, inbox, number, "again");
        }
        let at = self.chance.random_range(0..self.known.len());
        self.known[at].look_around(&mut self.chance);
        let total: u32 = self.plan.kinds.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.chance.random_range(0..total);
        let chosen = self.plan.kinds.iter().find(|(_, weight)| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        let (mut kind, _) = *chosen.expect("drawn below the sum");
        if let Some(first) = first(&self.known[at])
            && self.chance.random_bool(0.3)
        {
            kind = first;
        }
        let Some(wish) = wish(kind, &self.known[at], self.site.now(), &mut self.chance) else { return };
        let number = self.book.write(Entry {
            org: self.known[at].org.clone(),
            caller: wish.caller,
            asked: wish.asked,
            method: wish.method,
            path: wish.path,
            body: wish.body,
            key: format!("key-{}", self.book.entries.len()),
            outcome: Outcome::Waiting,
            sent: self.steps,
            answered: u64::MAX,
            after: 0,
            waiting: 0,
        });
        self.send(machine, inbox, number, "ask");
    }

    fn send(&mut self, machine: &Machine, inbox: &Inbox, number: usize, how: &str) {
        let now = self.site.now();
        let entry = &mut self.book.entries[number];
        let known = self.known.iter().find(|known| known.org == entry.org).expect("one of ours");
        let token = self.tokens.token(&entry.org, entry.caller, &known.groups, now);
        entry.waiting += 1;
        entry.after = machine.log.head().borrow().0;
        if how == "again" && matches!(entry.outcome, Outcome::Refused(_)) {
            // What was refused may be done this time.
            (entry.outcome, entry.sent) = (Outcome::Waiting, self.steps);
        }
        send(&machine.router, number, entry, &token, inbox);
        let line = format!("{how} {number}: {} {:?} {} {}", entry.org, entry.asked, entry.method, entry.path);
        self.note(line);
    }

    pub(super) fn take(&mut self, answer: Answer) -> Result<(), Violation> {
        let Answer { entry: number, status, position, replayed, body } = answer;
        let text = String::from_utf8_lossy(&body).into_owned();
        let shown = if status >= 400 { text.as_str() } else { "" };
        self.note(format!(
            "answer {number}: {status} at {position}{} {shown:.160}",
            if replayed { " again" } else { "" }
        ));
        self.digest.update(&body);
        let entry = &mut self.book.entries[number];
        entry.waiting -= 1;
        entry.answered = self.steps;
        if status == 500 {
            return Err(violated("mistake", format!("{} {}: {text}", entry.method, entry.path)));
        }
        let was = entry.outcome.clone();
        let known = self.known.iter_mut().find(|known| known.org == entry.org).expect("one of ours");
        match status {
            200..300 => {
                let done = Outcome::Done { status, body, position };
                if let Outcome::Done { status: first, body: said, .. } = &was
                    && entry.method != "GET"
                    && !matches!(entry.asked, Asked::Erase(_) | Asked::Open(..))
                    && (*first != status || *said != text.as_bytes())
                {
                    let what = format!(
                        "{:?} was answered {first} {}, then {status} {text}",
                        entry.asked,
                        String::from_utf8_lossy(said)
                    );
                    return Err(violated("replay", what));
                }
                learn(known, &entry.asked, &text);
                if !matches!(was, Outcome::Done { .. }) {
                    entry.outcome = done;
                }
                let entry = &self.book.entries[number];
                if let Asked::Open(member, operation) = entry.asked {
                    return self.audited(entry, member, operation, &text);
                }
                judge::erased_whole(&self.book, &self.seen, entry)
            }
            400..500 if !matches!(was, Outcome::Done { .. }) && entry.waiting == 0 && was != Outcome::Unknown => {
                entry.outcome = Outcome::Refused(status);
                let org = entry.org.clone();
                if !matches!(entry.asked, Asked::Erase(_)) {
                    return Ok(());
                }
                // What was erased by now must have been asked for by somebody else.
                let erased: Vec<_> = self.seen.erased.iter().filter(|(of, _)| *of == org).cloned().collect();
                erased.iter().try_for_each(|who| judge::erased_for_cause(&self.book, who))
            }
            _ => {
                if was == Outcome::Waiting && status >= 500 {
                    entry.outcome = Outcome::Unknown;
                }
                Ok(())
            }
        }
    }

    /// What was shown of a person was written down before.
    fn audited(&self, entry: &Entry, member: MemberId, operation: &str, text: &str) -> Result<(), Violation> {
        let shown: Value = serde_json::from_str(text).unwrap_or_default();
        let profile = if operation == "search_members" { &shown } else { &shown["profile"] };
        let empty =
            profile.as_object().is_none_or(serde_json::Map::is_empty) && profile.as_array().is_none_or(Vec::is_empty);
        let (_, subject) = CALLERS[entry.caller];
        let whom = (member.0 != Uuid::nil()).then_some(member);
        if empty || self.seen.opened_for(entry.after, &entry.org, subject, operation, whom) {
            return Ok(());
        }
        Err(violated("audit", format!("{operation} showed {member} of {} to {subject}, unwritten", entry.org)))
    }
}

fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

/// What callers learn from an answer.
fn learn(known: &mut Known, asked: &Asked, text: &str) {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    match asked {
        Asked::Register(_) | Asked::Enrol(..) | Asked::WalkIn(_) => {
            if let Some(member) = id(&body["member"]) {
                known.meets(member);
            }
            for line in body["lines"].as_array().into_iter().flatten() {
                if let Some(member) = id(&line["member"]) {
                    known.meets(member);
                }
            }
        }
        Asked::Programme => known.programmes.extend(id::<ProgrammeId>(&body["id"])),
        Asked::Group => {
            known.groups.extend(id::<GroupId>(&body["id"]).filter(|group| !known.groups.contains(group)));
        }
        Asked::Hold(member) => known.holds.extend(id(&body["hold"]).map(|hold| (*member, hold))),
        Asked::Glass(member) => known.glasses.extend(body["glass"].as_str().map(|glass| (*member, glass.into()))),
        Asked::About(member) => known.consents.extend(body["consent"].as_str().map(|id| (*member, id.into()))),
        Asked::Plan(group) => {
            // Which day it was is in the request; that of each Tuesday near is known.
            for weeks in 0..3_i64 {
                let day = jiff::civil::date(2026, 6, 2) + jiff::Span::new().days(7 * weeks);
                let meeting = MeetingId::of(*group, day.at(19, 0, 0, 0));
                if !known.meetings.contains(&meeting) {
                    known.meetings.push(meeting);
                }
            }
        }
        _ => {}
    }
}
