//! What must hold: of the log and the vault after each step, of everything whenever all has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    MemberId, OrgId, audit, meeting,
    member::{self, Field, Profile, Record},
    people,
};
use eventlog::{Position, Recorded, sqlite};
use serde::{Deserialize, Serialize};
use vault::{Blind, Vault, open_profile};

use crate::{
    book::{Asked, Book, Entry, Outcome},
    machine::{Machine, Site},
};

/// Events read at once, a count.
const BATCH_EVENTS: usize = 1_000;

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{kind}: {what}")]
pub struct Violation {
    /// Which rule was broken: one of [`RULES`].
    pub kind: String,
    /// How.
    pub what: String,
}

/// Every rule, and what it says.
pub const RULES: &[(&str, &str)] = &[
    ("key-without-erasure", "nobody has lost their key whom the log does not say to be erased"),
    (
        "erased-by-nobody",
        "nobody is erased but by a request for them, or for who they are part of, that was not refused",
    ),
    ("half-erased", "an erasure erases all records of the person if it is acknowledged, none if it is refused"),
    ("hold", "no erasure that a legal hold forbids is done"),
    ("erased-twice", "nothing is decided about who was erased"),
    ("key-left", "nobody who was erased has a key, or is found by the blind index"),
    ("key-missing", "everybody who was not erased has their key, and what is sealed opens"),
    ("one-person", "who is part of whom is said by both records, and in no circle"),
    ("blind-index", "the blind index is what the records imply"),
    ("acknowledged", "what was acknowledged is in the log, and stays there"),
    ("replay", "a command that is sent again gets its answer again"),
    ("audit", "nothing is opened before the log says for whom"),
    ("log", "the log's chain holds"),
    ("views", "views equal a fold of the log"),
    ("rest", "all comes to rest when nothing more goes wrong"),
    ("mistake", "no answer says that we made a mistake (500)"),
    ("start", "it starts on whatever a crash left"),
];

pub(crate) fn violated(kind: &'static str, what: impl Into<String>) -> Violation {
    debug_assert!(RULES.iter().any(|(rule, _)| *rule == kind), "{kind}");
    Violation { kind: kind.into(), what: what.into() }
}

/// What the log says, folded by who looks on.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub at: Position,
    /// Members' records; none once they were erased.
    members: BTreeMap<(OrgId, MemberId), Option<Record>>,
    /// Those whose keys were destroyed as they should be.
    pub erased: BTreeSet<(OrgId, MemberId)>,
    /// What was opened, for whom, by which operation, of whom.
    opened: Vec<(Position, OrgId, String, String, Vec<MemberId>)>,
    /// Marks in the order of the log.
    marks: Vec<(Position, OrgId, uuid::Uuid, String)>,
    /// Records that were ever said to be one person's.
    merged: Vec<(OrgId, MemberId, MemberId)>,
}

impl Seen {
    /// Looks at what the log says now; answers who was erased since the last look.
    pub fn look(&mut self, machine: &mut Machine) -> Result<Vec<(OrgId, MemberId)>, Violation> {
        let log = machine.log.clone();
        let mut erased = Vec::new();
        while self.at < *log.head().borrow() {
            let events = machine.at_once(log.read_all(self.at, BATCH_EVENTS));
            let events = events.map_err(|error| violated("log", error.to_string()))?;
            let Some(last) = events.last() else { break };
            let last = last.position;
            for event in &events {
                erased.extend(self.fold(event)?);
            }
            self.at = last;
        }
        Ok(erased)
    }

    fn fold(&mut self, event: &Recorded) -> Result<Vec<(OrgId, MemberId)>, Violation> {
        let mut erased = Vec::new();
        let decoded = event.decode().map_err(|error| violated("log", error.to_string()))?;
        let (org, id) = (event.stream.org(), event.stream.id());
        if let Some(said) = decoded.of::<member::Event>() {
            // What somebody was still writing of a person who was being erased is lost with the key.
            if let Some(Some(known)) = self.members.get_mut(&(org.clone(), MemberId(id))) {
                known.evolve(said);
            } else if !self.erased.contains(&(org.clone(), MemberId(id))) {
                let mut record = Record::default();
                record.evolve(said);
                self.members.insert((org, MemberId(id)), Some(record));
            }
        } else if let Some(said) = decoded.of::<people::Event>() {
            for (member, said) in said.of_records() {
                erased.extend(self.fold_people((org.clone(), member), event.position, &said)?);
            }
        } else if let Some(audit::Event::Opened(opened)) = decoded.of() {
            let (subject, operation) = (opened.subject.to_string(), opened.operation.to_string());
            self.opened.push((event.position, org, subject, operation, opened.members.clone()));
        } else if decoded.of::<meeting::Event>().is_some() {
            self.marks.push((event.position, org, id, String::from_utf8_lossy(&event.data).into_owned()));
        }
        Ok(erased)
    }

    /// What the stream of all people says of one record.
    fn fold_people(
        &mut self,
        who: (OrgId, MemberId),
        at: Position,
        said: &member::Event,
    ) -> Result<Option<(OrgId, MemberId)>, Violation> {
        if let member::Event::Merged(member::Merged { into }) = said {
            self.merged.push((who.0.clone(), who.1, *into));
        }
        let record = self.members.entry(who.clone()).or_insert_with(|| Some(Record::default()));
        let Some(known) = record else {
            return Err(violated("erased-twice", format!("{said:?} at position {at} follows the erasure of {who:?}")));
        };
        if matches!(said, member::Event::Erased(_)) {
            *record = None;
            self.erased.insert(who.clone());
            return Ok(Some(who));
        }
        known.evolve(said);
        Ok(None)
    }

    /// Whether the log had said by now that `operation` opens a member's record for the subject; of anybody, if none is
    /// named.
    pub fn opened_for(
        &self,
        after: u64,
        org: &OrgId,
        subject: &str,
        operation: &str,
        member: Option<MemberId>,
    ) -> bool {
        let later = self.opened.iter().rev().take_while(|(at, ..)| at.0 > after);
        let mut fitting = later.filter(|(_, of, by, how, _)| of == org && by == subject && how == operation);
        fitting.any(|(.., members)| member.is_none_or(|member| members.contains(&member)))
    }

    /// Whether the log has a mark of the person: it stands under the record that is on the register or the roster, which
    /// need not be the one that was named.
    pub fn marked(&self, org: &OrgId, meeting: uuid::Uuid, member: MemberId, mark: &str) -> bool {
        let records: Vec<_> = self.same_person(org, member).iter().map(|record| format!("\"{record}\"")).collect();
        let mark = format!("\"{mark}\"");
        let fits = |(_, of, id, data): &&(Position, OrgId, uuid::Uuid, String)| {
            of == org && *id == meeting && data.contains(&mark) && records.iter().any(|record| data.contains(record))
        };
        self.marks.iter().any(|event| fits(&event))
    }

    /// All records that were ever said to be the same person's.
    fn same_person(&self, org: &OrgId, member: MemberId) -> BTreeSet<MemberId> {
        let mut same = BTreeSet::from([member]);
        loop {
            let of =
                self.merged.iter().filter(|(of, from, into)| of == org && same.contains(from) != same.contains(into));
            let more: Vec<_> = of.flat_map(|(_, from, into)| [*from, *into]).collect();
            if more.is_empty() {
                return same;
            }
            same.extend(more);
        }
    }

    /// Members who are there, with their records.
    pub fn records(&self) -> impl Iterator<Item = (&(OrgId, MemberId), &Record)> {
        self.members.iter().filter_map(|(who, record)| record.as_ref().map(|record| (who, record)))
    }
}

/// Nobody was erased whom nobody had asked to erase.
pub(crate) fn erased_for_cause(book: &Book, (org, member): &(OrgId, MemberId)) -> Result<(), Violation> {
    if book.cause_of_erasure(org, *member).is_some() {
        return Ok(());
    }
    let asked = book.erasures_asked(org);
    if let Some(refused) = book.refused_erasure(org, *member) {
        let what =
            format!("{:?} was refused, {member} of {org} was erased; what was asked:\n    {asked}", refused.asked);
        return Err(violated("half-erased", what));
    }
    Err(violated("erased-by-nobody", format!("{member} of {org} was erased; what was asked:\n    {asked}")))
}

/// Whose key is destroyed, the log says to be erased.
pub(crate) fn keys_kept(seen: &Seen, machine: &Machine) -> Result<(), Violation> {
    for ((org, member), _) in seen.records() {
        if machine.vault.is_erased(org, *member) {
            return Err(violated("key-without-erasure", format!("the key of {member} of {org} was destroyed")));
        }
    }
    Ok(())
}

/// An erasure that was acknowledged.
pub(crate) fn erased_whole(book: &Book, seen: &Seen, erasure: &Entry) -> Result<(), Violation> {
    let Asked::Erase(whose) = erasure.asked else { return Ok(()) };
    if let Some(held) = book.hold_against(erasure) {
        let what = format!("{whose} of {} was erased; {held}, the same person, was under a hold", erasure.org);
        return Err(violated("hold", what));
    }
    let all = book.surely_one(&erasure.org, whose, erasure);
    match all.iter().find(|member| !seen.erased.contains(&(erasure.org.clone(), **member))) {
        None => Ok(()),
        Some(left) => {
            let what = format!("the erasure of {whose} of {} was acknowledged; {left} is left", erasure.org);
            Err(violated("half-erased", what))
        }
    }
}

/// Everything, at rest.
pub(crate) fn all(
    seen: &Seen,
    book: &Book,
    machine: &mut Machine,
    site: &Site,
    scratch: u64,
    ruled: impl Fn(Result<(), Violation>) -> Result<(), Violation>,
) -> Result<(), Violation> {
    ruled(log(site))?;
    ruled(acknowledged(book, seen))?;
    ruled(one_person(seen))?;
    ruled(keys(seen, machine))?;
    ruled(vault(seen, machine, site))?;
    ruled(views(machine, site, scratch))
}

fn log(site: &Site) -> Result<(), Violation> {
    sqlite::verify(&site.data().log(), |_| {}).map(|_| ()).map_err(|error| violated("log", error.to_string()))
}

/// What was acknowledged is there: its position, and each mark.
fn acknowledged(book: &Book, seen: &Seen) -> Result<(), Violation> {
    for entry in &book.entries {
        let Outcome::Done { position, .. } = &entry.outcome else { continue };
        // What reads say is how far a view is.
        let read = entry.method == "GET" || matches!(entry.asked, Asked::Erase(_) | Asked::Open(..));
        if !read && *position > seen.at.0 {
            let what =
                format!("{:?} was acknowledged at position {position}, the log ends at {}", entry.asked, seen.at);
            return Err(violated("acknowledged", what));
        }
        if let Asked::Mark(meeting, member, mark) = entry.asked
            && !seen.marked(&entry.org, meeting.0, member, mark)
        {
            let what = format!("{member} was marked {mark} at {meeting}; the log does not say so");
            return Err(violated("acknowledged", what));
        }
    }
    Ok(())
}

/// Who is part of whom is said by both, and nobody of themselves.
fn one_person(seen: &Seen) -> Result<(), Violation> {
    for ((org, member), record) in seen.records() {
        let other = |id: &MemberId| seen.members.get(&(org.clone(), *id));
        if let Some(into) = &record.merged_into {
            match other(into) {
                Some(Some(first)) if first.absorbed.contains(member) => {}
                Some(None) => {
                    let what = format!("{member} of {org} is part of {into}, who was erased");
                    return Err(violated("one-person", what));
                }
                _ => {
                    let what = format!("{member} of {org} says that it is part of {into}, who does not know it");
                    return Err(violated("one-person", what));
                }
            }
        }
        for second in &record.absorbed {
            if let Some(Some(other)) = other(second)
                && other.merged_into != Some(*member)
            {
                let is = other.merged_into.map_or("of nobody".into(), |into| format!("of {into}"));
                let what = format!("{member} of {org} says that {second} is part of it; that one is part {is}");
                return Err(violated("one-person", what));
            }
        }
        let mut ahead = record.merged_into;
        for _ in 0..=seen.members.len() {
            ahead = ahead.and_then(|into| other(&into)?.as_ref()?.merged_into);
        }
        if ahead.is_some() {
            return Err(violated("one-person", format!("{member} of {org} is part of itself, by a circle")));
        }
    }
    Ok(())
}

/// Everybody who was not erased has their key, and what is sealed opens.
fn keys(seen: &Seen, machine: &mut Machine) -> Result<(), Violation> {
    seen.records().try_for_each(|(who, record)| profile(who, record, machine).map(|_| ()))
}

/// What is known of a member, opened.
fn profile((org, member): &(OrgId, MemberId), record: &Record, machine: &mut Machine) -> Result<Profile, Violation> {
    if record.fields.is_empty() {
        return Ok(Profile::default());
    }
    let missing = |why: String| violated("key-missing", format!("{member} of {org}: {why}"));
    let vault = machine.vault.clone();
    let key = machine.at_once(vault.key(org, *member)).map_err(|error| missing(error.to_string()))?;
    let key = key.ok_or_else(|| missing("there is none".into()))?;
    open_profile(&key, org, member.0, &record.fields, Field::ALL).map_err(|error| missing(error.to_string()))
}

/// Nobody who was erased has a key; the blind index follows from the records.
fn vault(seen: &Seen, machine: &mut Machine, site: &Site) -> Result<(), Violation> {
    let unread = |error: &dyn std::fmt::Display| violated("key-missing", error.to_string());
    let holders = Vault::holders(&site.data().vault()).map_err(|error| unread(&error))?;
    if let Some((org, member)) = seen.erased.iter().find(|who| holders.contains(who)) {
        return Err(violated("key-left", format!("of {member} of {org}")));
    }
    let vault = machine.vault.clone();
    let mut expected: BTreeSet<(OrgId, Blind, MemberId)> = BTreeSet::new();
    for (who, record) in seen.records() {
        let (org, member) = who;
        let profile = profile(who, record, machine)?;
        let org_key = machine.at_once(vault.org_key(org)).map_err(|error| unread(&error))?;
        for blind in Blind::all(&org_key, vault.country(), &profile) {
            expected.insert((org.clone(), blind, *member));
        }
    }
    for (org, blind, member) in &expected {
        let sharing = machine.at_once(vault.sharing(org, vec![*blind])).map_err(|error| unread(&error))?;
        if !sharing.contains(member) {
            return Err(violated("blind-index", format!("{member} of {org} is not found by what is known of them")));
        }
    }
    let kept = blinds_kept(site).map_err(|error| unread(&error))?;
    if kept == expected.len() {
        return Ok(());
    }
    let what = format!("{kept} entries are kept, the records imply {}", expected.len());
    Err(violated("blind-index", what))
}

fn blinds_kept(site: &Site) -> rusqlite::Result<usize> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = rusqlite::Connection::open_with_flags(site.data().vault(), flags)?;
    let count: i64 = connection.query_row("SELECT count(*) FROM blinds", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn views(machine: &mut Machine, site: &Site, scratch: u64) -> Result<(), Violation> {
    let scratch = site.folder.join(format!("scratch-{scratch}.db"));
    let log = machine.log.clone();
    let found = machine.at_once(kith::views(&site.data()).difference(&scratch, &*log));
    for suffix in ["", "-wal", "-shm"] {
        let mut file = scratch.as_os_str().to_owned();
        file.push(suffix);
        let _ = std::fs::remove_file(file);
    }
    match found {
        Ok((_, None)) => Ok(()),
        Ok((_, Some(difference))) => Err(violated("views", difference.to_string())),
        Err(error) => Err(violated("views", error.to_string())),
    }
}
