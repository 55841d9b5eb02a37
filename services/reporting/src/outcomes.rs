//! Outcomes: how people say they feel at meetings, and what has changed from their first score to their last.
//!
//! **Who counts.** As in [`crate::reach`]: merged records are one person; whoever objects to statistics, or whose record
//! is restricted, is left out. Of whoever was erased nothing opens, so nothing is counted.
//!
//! **A mood** is one person's at one held meeting, as it was last entered. Who declined to say is counted, not averaged.
//!
//! **A change** is of one person, instrument, version and score: their last score in the period less their first, of two
//! different check-ins. A score is compared only with one that could have been as high
//! ([`Value::of`]); check-ins that were entered in error are left out, and so are
//! those too incomplete to be scored. The standard deviation is that of a sample (n - 1).
//!
//! **Where a check-in belongs.** To the programme that its group belonged to when it was recorded; to none if it names no
//! group.
//!
//! **Sealed.** Moods and answers are opened in memory, for one run, and written nowhere.

#![allow(clippy::cast_precision_loss)] // counts are far below 2^52

mod open;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    CheckInId, MeetingId, MemberId, OrgId, ProgrammeId, Sealed,
    instrument::{Id, Instrument, Value},
};
use eventlog::Position;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::open::Opener;
use self::open::{OpenedCheckIn, OpenedMood};
use crate::{
    facts::{Cause, Facts, FactsError, Kind, Snapshot},
    month::Period,
    persons::{Persons, members},
    reach::{held, programme_names, programmes_then},
};

/// How people of one programme, or of all, say they feel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoodRow {
    /// Programme; missing in a total, and if the group had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<ProgrammeId>,
    /// The programme's name today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme_name: Option<String>,
    /// Different people who said something, in persons. Not to be added up.
    pub people: u64,
    /// Moods that were said, in moods.
    pub said: u64,
    /// Times that somebody declined to say.
    pub declined: u64,
    /// Mean of those that were said, 0 to 10, rounded to four decimals; none if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

/// What has changed on one score of one instrument, in one programme or in all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRow {
    /// Programme; missing in a total, and if the check-ins name no group of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<ProgrammeId>,
    /// The programme's name today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme_name: Option<String>,
    /// With which instrument.
    pub instrument: Id,
    /// In which version: scores of two versions are not compared.
    pub version: u16,
    /// Which of its scores.
    pub score: Id,
    /// People with at least one score, in persons. Not to be added up.
    pub people: u64,
    /// Scores of theirs.
    pub scores: u64,
    /// People with a first and a last score: the denominator of what follows.
    pub pairs: u64,
    /// Mean of the pairs' first scores, rounded to four decimals, as all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_first: Option<f64>,
    /// Mean of their last scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_last: Option<f64>,
    /// Mean of last less first. Whether a higher score is better, the instrument says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_change: Option<f64>,
    /// Standard deviation of the changes (of a sample, n - 1); none of fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd_change: Option<f64>,
}

/// Outcomes at one position in the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcomes {
    /// Moods, by name of the programme.
    pub moods: Vec<MoodRow>,
    /// Changes, by name of the programme, then by instrument.
    pub changes: Vec<ChangeRow>,
    /// Moods and check-ins that do not open: of people who were erased.
    pub unreadable: u64,
}

/// What outcomes are computed from, still sealed.
#[derive(Debug)]
pub struct SealedOutcomes {
    /// Everything up to here is counted, and nothing after.
    pub position: Position,
    moods: Vec<SealedMood>,
    check_ins: Vec<SealedCheckIn>,
    /// Instruments and versions of the check-ins.
    editions: Vec<(Id, u16)>,
    names: HashMap<ProgrammeId, String>,
}

/// Index of an instrument and version in `editions`.
type Edition = usize;
/// Check-ins, and with what they were taken.
type CheckIns = (Vec<SealedCheckIn>, Vec<(Id, u16)>);

#[derive(Debug)]
struct SealedMood {
    programme: Option<ProgrammeId>,
    person: MemberId,
    member: MemberId,
    meeting: MeetingId,
    mood: Sealed,
}

#[derive(Debug)]
struct SealedCheckIn {
    programme: Option<ProgrammeId>,
    person: MemberId,
    member: MemberId,
    check_in: CheckInId,
    edition: Edition,
    /// Such as 20260131.
    day: i32,
    position: u64,
    answers: Sealed,
}

impl Facts {
    /// What outcomes of `org` in `period` are computed from. Blocks on the disk and the processor.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub fn outcomes(&self, org: &OrgId, period: Period) -> Result<SealedOutcomes, FactsError> {
        self.read(|facts| {
            let persons = Persons::of(facts, org)?;
            let (check_ins, editions) = check_ins(facts, org, period, &persons)?;
            Ok(SealedOutcomes {
                position: facts.manifest.position,
                moods: moods(facts, org, period, &persons)?,
                check_ins,
                editions,
                names: programme_names(facts, org)?,
            })
        })
    }
}

/// The last mood of each person at each held meeting.
fn moods(facts: &Snapshot, org: &OrgId, period: Period, persons: &Persons) -> Result<Vec<SealedMood>, Cause> {
    let meetings = held(facts, org, period)?.select([col("meeting"), col("programme")]);
    let said = facts.current(org, Kind::Moods)?;
    let rows = said.inner_join(meetings, col("meeting"), col("meeting"));
    let rows = rows.sort(["position"], SortMultipleOptions::default()).collect()?;
    let (meetings, members) = (ids(&rows, "meeting")?, members(&rows, "member")?);
    let (programmes, moods) = (maybe_ids(&rows, "programme")?, rows.column("mood")?.str()?);
    let mut last = BTreeMap::new();
    for (n, mood) in moods.iter().enumerate() {
        let (meeting, member) = (MeetingId(meetings[n]), members[n]);
        let person = persons.person(member);
        let programme = programmes[n].map(ProgrammeId);
        let mood = SealedMood { programme, person, member, meeting, mood: sealed(mood)? };
        if persons.is_counted(person) {
            last.insert((meeting, person), mood);
        }
    }
    Ok(last.into_values().collect())
}

/// Check-ins in the period that were not entered in error, with the answers that hold; and with what they were taken.
fn check_ins(facts: &Snapshot, org: &OrgId, period: Period, persons: &Persons) -> Result<CheckIns, Cause> {
    let rows = taken(facts, org, period)?;
    let (ids, members, programmes) =
        (ids(&rows, "check_in")?, members(&rows, "member")?, maybe_ids(&rows, "programme")?);
    let (instruments, versions) = (rows.column("instrument")?.str()?, rows.column("version")?.u32()?);
    let (days, positions) = (rows.column("local_date")?.i32()?, rows.column("position")?.u64()?);
    let answers = rows.column("answers")?.str()?;
    let mut editions = Editions::default();
    let mut found = Vec::with_capacity(rows.height());
    for n in 0..rows.height() {
        let person = persons.person(members[n]);
        if persons.is_counted(person) {
            found.push(SealedCheckIn {
                programme: programmes[n].map(ProgrammeId),
                person,
                member: members[n],
                check_in: CheckInId(ids[n]),
                edition: editions.of(instruments.get(n), versions.get(n))?,
                day: days.get(n).ok_or("a day is missing")?,
                position: positions.get(n).ok_or("a position is missing")?,
                answers: sealed(answers.get(n))?,
            });
        }
    }
    Ok((found, editions.all))
}

/// The rows of these check-ins, each with its `programme` and its `answers`.
fn taken(facts: &Snapshot, org: &OrgId, period: Period) -> Result<DataFrame, Cause> {
    let (from, through) = (lit(period.from().code() * 100), lit(period.through().code() * 100 + 99));
    let taken_back = facts.current(org, Kind::TakenBack)?.select([col("check_in"), lit(true).alias("taken_back")]);
    let answers = facts.current(org, Kind::Answers)?.select([col("check_in"), col("answers")]);
    let taken = facts
        .current(org, Kind::CheckIns)?
        .filter(col("local_date").gt(from).and(col("local_date").lt(through)))
        .left_join(taken_back, col("check_in"), col("check_in"))
        .filter(col("taken_back").is_null())
        .inner_join(answers, col("check_in"), col("check_in"))
        .collect()?;
    let then = programmes_then(facts, org, taken.clone().lazy(), ("check_in", "position"))?;
    Ok(taken.lazy().left_join(then, col("check_in"), col("check_in")).collect()?)
}

/// Each instrument and version once.
#[derive(Default)]
struct Editions {
    all: Vec<(Id, u16)>,
    known: HashMap<(String, u32), Edition>,
}

impl Editions {
    fn of(&mut self, instrument: Option<&str>, version: Option<u32>) -> Result<Edition, Cause> {
        let (instrument, version) = instrument.zip(version).ok_or("with what a check-in was taken is missing")?;
        let key = (instrument.to_owned(), version);
        if let Some(edition) = self.known.get(&key) {
            return Ok(*edition);
        }
        self.all.push((instrument.parse()?, version.try_into()?));
        self.known.insert(key, self.all.len() - 1);
        Ok(self.all.len() - 1)
    }
}

fn sealed(text: Option<&str>) -> Result<Sealed, Cause> {
    let Ok(sealed) = text.ok_or("a sealed value is missing")?.parse();
    Ok(sealed)
}

fn ids(rows: &DataFrame, column: &str) -> Result<Vec<Uuid>, Cause> {
    maybe_ids(rows, column)?.into_iter().map(|id| Ok(id.ok_or("an id is missing")?)).collect()
}

fn maybe_ids(rows: &DataFrame, column: &str) -> Result<Vec<Option<Uuid>>, Cause> {
    let ids = rows.column(column)?.binary()?.iter();
    ids.map(|id| Ok(id.map(Uuid::from_slice).transpose()?)).collect()
}

impl SealedOutcomes {
    /// Whose keys open it, each once.
    pub fn members(&self) -> BTreeSet<MemberId> {
        let of_moods = self.moods.iter().map(|mood| mood.member);
        of_moods.chain(self.check_ins.iter().map(|check_in| check_in.member)).collect()
    }

    /// With what the check-ins were taken: instruments and versions.
    pub fn editions(&self) -> &[(Id, u16)] {
        &self.editions
    }

    /// Check-ins in it, a count.
    pub fn check_ins(&self) -> usize {
        self.check_ins.len()
    }

    /// The outcomes, in total or by programme. Opens all of it, on several processors.
    pub fn open(&self, opener: &Opener, by_programme: bool) -> Outcomes {
        let mut moods = open::all(&self.moods, |mood, buffer| opener.mood(mood, buffer));
        let mut check_ins = open::all(&self.check_ins, |check_in, buffer| opener.check_in(check_in, buffer));
        let unreadable = (self.moods.len() - moods.len() + self.check_ins.len() - check_ins.len()) as u64;
        if !by_programme {
            for mood in &mut moods {
                mood.programme = None;
            }
            for check_in in &mut check_ins {
                check_in.programme = None;
            }
        }
        let mut outcomes = Outcomes { moods: mood_rows(moods), changes: change_rows(check_ins, opener), unreadable };
        let name = |programme: Option<ProgrammeId>| self.names.get(&programme?).cloned();
        for row in &mut outcomes.moods {
            row.programme_name = name(row.programme);
        }
        for row in &mut outcomes.changes {
            row.programme_name = name(row.programme);
        }
        outcomes.moods.sort_by_key(|row| (row.programme_name.clone(), row.programme));
        // Of one instrument they stay in the order of its scores.
        outcomes
            .changes
            .sort_by_key(|row| (row.programme_name.clone(), row.programme, row.instrument.clone(), row.version));
        outcomes
    }
}

fn change_rows(mut check_ins: Vec<OpenedCheckIn>, opener: &Opener) -> Vec<ChangeRow> {
    check_ins.sort_by_key(|taken| (taken.programme, taken.edition, taken.person, taken.day, taken.position));
    let same = |a: &OpenedCheckIn, b: &OpenedCheckIn| (a.programme, a.edition) == (b.programme, b.edition);
    let rows = check_ins.chunk_by(same).flat_map(|taken| {
        let instrument = opener.instrument(taken[0].edition).expect("it was scored with it");
        (0..instrument.scores.len()).filter_map(|score| change_row(instrument, score, taken))
    });
    rows.collect()
}

fn mood_rows(moods: Vec<OpenedMood>) -> Vec<MoodRow> {
    #[derive(Default)]
    struct Cell {
        people: BTreeSet<MemberId>,
        said: u64,
        declined: u64,
        sum: u64,
    }
    let mut cells = BTreeMap::<_, Cell>::new();
    for OpenedMood { programme, person, mood } in moods {
        let cell = cells.entry(programme).or_default();
        cell.people.insert(person);
        match mood {
            Some(rating) => (cell.said, cell.sum) = (cell.said + 1, cell.sum + u64::from(rating)),
            None => cell.declined += 1,
        }
    }
    let row = |(programme, Cell { people, said, declined, sum })| MoodRow {
        programme,
        programme_name: None,
        people: BTreeSet::len(&people) as u64,
        said,
        declined,
        mean: mean(&[sum as f64], said),
    };
    cells.into_iter().map(row).collect()
}

/// What has changed on one score, of check-ins of one programme with one instrument, by person and then by time.
fn change_row(instrument: &Instrument, score: usize, taken: &[OpenedCheckIn]) -> Option<ChangeRow> {
    let (mut people, mut scores, mut pairs) = (0, 0, vec![]);
    for of_person in taken.chunk_by(|a, b| a.person == b.person) {
        let values: Vec<Value> = of_person.iter().filter_map(|taken| taken.values[score]).collect();
        let Some(first) = values.first() else { continue };
        people += 1;
        scores += values.len() as u64;
        if let Some(last) = values[1..].iter().rfind(|last| last.of == first.of) {
            pairs.push((first.value.approximately(), last.value.approximately()));
        }
    }
    let column = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).collect::<Vec<_>>();
    let (changes, count) = (column(|(first, last)| last - first), pairs.len() as u64);
    (scores > 0).then(|| ChangeRow {
        programme: taken[0].programme,
        programme_name: None,
        instrument: instrument.id.clone(),
        version: instrument.version,
        score: instrument.scores[score].id.clone(),
        people,
        scores,
        pairs: count,
        mean_first: mean(&column(|(first, _)| *first), count),
        mean_last: mean(&column(|(_, last)| *last), count),
        mean_change: mean(&changes, count),
        sd_change: standard_deviation(&changes),
    })
}

/// What adds up to the sum, divided by the count; none of nothing.
fn mean(parts: &[f64], count: u64) -> Option<f64> {
    (count > 0).then(|| rounded(parts.iter().sum::<f64>() / count as f64))
}

/// Of a sample: the root of the squared distances from the mean, divided by n - 1. None of fewer than two.
fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(rounded((squares / (values.len() - 1) as f64).sqrt()))
}

/// With four decimals; nought has no sign.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4 + 0.0
}

#[cfg(test)]
mod tests;
