//! Rows of how people say they are and where they want to go. What they say stays sealed: a column of text that opens
//! with the member's key only, so that an erasure ends it here as well.

use domain::{
    CheckInId, ConcernId, MeetingId, MemberId,
    care::{self, CheckInCorrected, CheckInRecorded, ConcernRaised, EnteredBy, GoalEnded, GoalRated, GoalSet, When},
    meeting::{MoodRecorded, Structure, StructureRecorded},
};
use eventlog::Position;
use jiff::civil::Date;
use polars::prelude::*;

use super::{ids, maybe_ids, numbers, positions, table, words};
use crate::{facts::Kind, month::Month};

/// Rows of one organisation, in the order of the log, each with its position.
#[derive(Default)]
pub(super) struct CareRows {
    moods: Vec<(MeetingId, MoodRecorded, Position)>,
    structures: Vec<(MeetingId, Structure, Position)>,
    check_ins: Vec<(MemberId, CheckInRecorded, Position)>,
    answers: Vec<(CheckInId, String, Position)>,
    taken_back: Vec<(CheckInId, Position)>,
    goals: Vec<(MemberId, GoalSet, Position)>,
    ratings: Vec<(GoalRated, Position)>,
    goal_ends: Vec<(GoalEnded, Position)>,
    concerns: Vec<(ConcernId, ConcernRaised, Position)>,
}

impl CareRows {
    pub fn add_mood(&mut self, meeting: MeetingId, said: &MoodRecorded, at: Position) {
        self.moods.push((meeting, said.clone(), at));
    }

    pub fn add_structure(&mut self, meeting: MeetingId, kept: &StructureRecorded, at: Position) {
        self.structures.push((meeting, kept.structure.clone(), at));
    }

    pub fn add(&mut self, member: MemberId, event: &care::Event, at: Position) {
        use care::Event;
        let sealed = |answers: &domain::Sealed| answers.as_str().to_owned();
        match event {
            Event::CheckInRecorded(recorded) => {
                self.check_ins.push((member, recorded.clone(), at));
                self.answers.push((recorded.check_in, sealed(&recorded.answers), at));
            }
            Event::CheckInCorrected(CheckInCorrected { check_in, answers, .. }) => {
                self.answers.push((*check_in, sealed(answers), at));
            }
            Event::CheckInEnteredInError(in_error) => self.taken_back.push((in_error.check_in, at)),
            Event::GoalSet(set) => self.goals.push((member, set.clone(), at)),
            Event::GoalRated(rated) => self.ratings.push((rated.clone(), at)),
            Event::GoalEnded(ended) => self.goal_ends.push((ended.clone(), at)),
            Event::ConcernRaised(raised) => self.concerns.push((raised.concern, raised.clone(), at)),
            // Of concerns, only how many there are is ever counted.
            Event::ConcernAcknowledged(_) | Event::ConcernResolved(_) => {}
        }
    }

    pub fn tables(&self) -> PolarsResult<Vec<(Kind, DataFrame)>> {
        Ok(vec![
            (Kind::Moods, moods(&self.moods)?),
            (Kind::Structures, structures(&self.structures)?),
            (Kind::CheckIns, check_ins(&self.check_ins)?),
            (Kind::Answers, answers(&self.answers)?),
            (Kind::TakenBack, taken_back(&self.taken_back)?),
            (Kind::Goals, goals(&self.goals)?),
            (Kind::GoalRatings, ratings(&self.ratings)?),
            (Kind::GoalEnds, goal_ends(&self.goal_ends)?),
            (Kind::Concerns, concerns(&self.concerns)?),
        ])
    }
}

fn moods(rows: &[(MeetingId, MoodRecorded, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        ids("member", rows.iter().map(|row| row.1.member.0)),
        words("mood", rows.iter().map(|row| Some(row.1.mood.as_str()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn structures(rows: &[(MeetingId, Structure, Position)]) -> PolarsResult<DataFrame> {
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    let topic = rows.iter().map(|row| row.1.topic.is_some());
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        numbers::<UInt32Type>("phases", rows.iter().map(|row| count(row.1.phases.len()))),
        BooleanChunked::from_iter_values("topic".into(), topic).into_column(),
        numbers::<UInt32Type>("facilitators", rows.iter().map(|row| count(row.1.facilitators.len()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn check_ins(rows: &[(MemberId, CheckInRecorded, Position)]) -> PolarsResult<DataFrame> {
    let recorded = || rows.iter().map(|row| &row.1);
    let norm_set = |row: &'_ CheckInRecorded| row.edition.norm_set.as_ref().map(|id| id.as_str().to_owned());
    let norm_sets: Vec<_> = recorded().map(norm_set).collect();
    let mut columns = vec![
        ids("check_in", recorded().map(|row| row.check_in.0)),
        ids("member", rows.iter().map(|row| row.0.0)),
        words("instrument", recorded().map(|row| Some(row.edition.instrument.as_str()))),
        numbers::<UInt32Type>("version", recorded().map(|row| u32::from(row.edition.version))),
        words("norm_set", norm_sets.iter().map(Option::as_deref)),
    ];
    columns.extend(when(recorded().map(|row| row.when)));
    columns.push(entered_by(recorded().map(|row| &row.entered_by)));
    columns.push(positions(rows.iter().map(|row| row.2)));
    table(columns)
}

fn answers(rows: &[(CheckInId, String, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("check_in", rows.iter().map(|row| row.0.0)),
        words("answers", rows.iter().map(|row| Some(row.1.as_str()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn taken_back(rows: &[(CheckInId, Position)]) -> PolarsResult<DataFrame> {
    table(vec![ids("check_in", rows.iter().map(|row| row.0.0)), positions(rows.iter().map(|row| row.1))])
}

fn goals(rows: &[(MemberId, GoalSet, Position)]) -> PolarsResult<DataFrame> {
    let mut columns = vec![
        ids("goal", rows.iter().map(|row| row.1.goal.0)),
        ids("member", rows.iter().map(|row| row.0.0)),
        maybe_ids("revises", rows.iter().map(|row| row.1.revises.map(|goal| goal.0))),
    ];
    columns.extend(when(rows.iter().map(|row| row.1.when)));
    columns.push(positions(rows.iter().map(|row| row.2)));
    table(columns)
}

fn ratings(rows: &[(GoalRated, Position)]) -> PolarsResult<DataFrame> {
    let mut columns = vec![ids("goal", rows.iter().map(|row| row.0.goal.0))];
    columns.extend(when(rows.iter().map(|row| row.0.when)));
    columns.push(entered_by(rows.iter().map(|row| &row.0.entered_by)));
    columns.push(words("rating", rows.iter().map(|row| Some(row.0.rating.as_str()))));
    columns.push(positions(rows.iter().map(|row| row.1)));
    table(columns)
}

fn goal_ends(rows: &[(GoalEnded, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("goal", rows.iter().map(|row| row.0.goal.0)),
        words("end", rows.iter().map(|row| Some(row.0.end.into()))),
        numbers::<Int32Type>("local_date", rows.iter().map(|row| local_date(row.0.on))),
        positions(rows.iter().map(|row| row.1)),
    ])
}

/// Concerns without whose they are.
fn concerns(rows: &[(ConcernId, ConcernRaised, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("concern", rows.iter().map(|row| row.0.0)),
        words("urgency", rows.iter().map(|row| Some(row.1.urgency.into()))),
        numbers::<Int64Type>("raised_at", rows.iter().map(|row| row.1.raised_at.as_second())),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn when(rows: impl Iterator<Item = When> + Clone) -> [Column; 3] {
    [
        numbers::<Int32Type>("local_date", rows.clone().map(|when| local_date(when.on))),
        maybe_ids("group", rows.clone().map(|when| when.group.map(|group| group.0))),
        maybe_ids("meeting", rows.map(|when| when.meeting.map(|meeting| meeting.0))),
    ]
}

/// By whom: `member`, `assisted` or `imported`. Who assisted is not counted.
fn entered_by<'a>(rows: impl Iterator<Item = &'a EnteredBy>) -> Column {
    words("entered_by", rows.map(|by| Some(<&str>::from(by))))
}

/// A day as a number, such as 20260131.
pub(super) fn local_date(day: Date) -> i32 {
    Month::of(day).code() * 100 + i32::from(day.day())
}
