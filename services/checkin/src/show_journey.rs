//! Show a member's journey.

use axum::{extract::State, response::Response};
use domain::{
    CheckInId, GoalId, GroupId, MeetingId, MemberId,
    care::{EnteredBy, GoalEnd, Rating},
    instrument::{self, Change, Given, Instrument, Scored},
    meeting::Mood,
};
use jiff::{Timestamp, civil::Date};
use projections::{MemberAttendance, SealedMood};
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{After, CallerMay, Opening, Path, Problem, Problems, Read, Role};

use crate::{
    CheckIn,
    care_view::{CheckInRow, GoalRow},
    journey::{self, Found, GroupStreaks},
    list_concerns::ConcernLine,
    op, refused,
    scores::Reader,
};

/// A member's journey.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Journey {
    member: MemberId,
    /// Streaks and lapses over the meetings that were held while they had a place, by group and oldest first.
    streaks: Vec<GroupStreaks>,
    /// The mark at each meeting, latest first.
    attendances: Vec<MemberAttendance>,
    /// How they said that they felt at meetings that took place, under each record latest first.
    moods: Vec<JourneyMood>,
    /// Check-ins that were not taken back, oldest first.
    check_ins: Vec<JourneyCheckIn>,
    /// What has changed since the first check-in with each instrument.
    changes: Vec<ScoreChange>,
    /// Goals, oldest first.
    goals: Vec<JourneyGoal>,
    /// Concerns, oldest first; none to the member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    concerns: Vec<ConcernLine>,
}

/// How somebody said that they felt at a meeting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct JourneyMood {
    meeting: MeetingId,
    starts_at: Timestamp,
    /// Missing if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    mood: Option<Mood>,
}

/// A check-in, as it was answered and as it is read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct JourneyCheckIn {
    check_in: CheckInId,
    instrument: instrument::Id,
    version: u16,
    on: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting: Option<MeetingId>,
    entered_by: EnteredBy,
    /// What was answered; missing if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<Given>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scored: Option<Scored>,
}

/// What has changed from the first score of an instrument to the last.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ScoreChange {
    instrument: instrument::Id,
    score: instrument::Id,
    first_on: Date,
    first: instrument::Number,
    last_on: Date,
    last: instrument::Number,
    /// The change held against each reliable change that the instrument has.
    held_against: Vec<Change>,
}

/// A goal and how near it was.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct JourneyGoal {
    goal: GoalId,
    on: Date,
    /// In the member's words; missing if they cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revises: Option<GoalId>,
    ratings: Vec<JourneyRating>,
    /// Last rating less the first; none before it was rated twice.
    change: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<GoalEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_on: Option<Date>,
}

/// How near a goal was on a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct JourneyRating {
    on: Date,
    rating: Rating,
    entered_by: EnteredBy,
}

/// Show a member's journey
///
/// Attendance with streaks and lapses, check-ins with their scores, goals and concerns of a person, under all their records,
/// and what has changed since their first check-in. Members see their own.
#[utoipa::path(get, path = "/v1/members/{member}/journey", tag = "check-ins",
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 200, description = "The journey", body = Journey), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_journey(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ShowJourney>,
    after: After,
    Path(member): Path<MemberId>,
) -> Result<Response, Problem> {
    caller.require_member(member, false)?;
    let org = caller.org.clone();
    let read = move |connection: &_| journey::find(connection, org.as_str(), member);
    let Read(position, found) = check_in.views.read(journey::READ, after, read).await?;
    let found = found.ok_or_else(|| refused(&domain::member::Refusal::Unknown))?;
    let opening = Opening { at: position, ..Opening::naming("show_journey", found.records.clone()) };
    check_in.audit.opened(&caller, opening).await?;
    let editions = found.check_ins.iter().map(|row| &row.edition);
    let reader = check_in.reader(&caller, &found.records, editions).await?;
    let now = check_in.authenticator.clock.now();
    let concerns = check_in.look(&caller, |protocol| {
        let shown = found.concerns.iter().filter(|_| caller.role != Role::Member);
        shown.map(|row| ConcernLine::new(row, protocol, now)).collect()
    });
    let concerns = concerns.await?;
    let write = move || axum::response::IntoResponse::into_response(Read(position, found.journey(&reader, concerns)));
    Ok(check_in.authenticator.compute.run(caller.asking(), write).await?)
}

impl Found {
    fn journey(self, reader: &Reader, concerns: Vec<ConcernLine>) -> Journey {
        let Self { member, streaks, attendances, moods, check_ins, goals, .. } = self;
        let moods = moods.into_iter().map(|row| opened_mood(reader, &row)).collect();
        let check_ins: Vec<_> = check_ins.into_iter().map(|row| opened(reader, row)).collect();
        let changes = reader.instruments().flat_map(|instrument| changes(instrument, &check_ins)).collect();
        let goals = goals.into_iter().map(|row| opened_goal(reader, row)).collect();
        Journey { member, streaks, attendances, moods, check_ins, changes, goals, concerns }
    }
}

fn opened_mood(reader: &Reader, row: &SealedMood) -> JourneyMood {
    let mood = reader.open(row.member, row.meeting, SealedAs::Mood, &row.mood);
    JourneyMood { meeting: row.meeting, starts_at: row.starts_at, mood }
}

fn opened(reader: &Reader, row: CheckInRow) -> JourneyCheckIn {
    let CheckInRow { member, id, edition, when, entered_by, answers } = row;
    let given: Option<Given> = reader.open(member, id, SealedAs::Answers, &answers);
    let scored = given.as_ref().and_then(|given| reader.scored(&edition, given));
    JourneyCheckIn {
        check_in: id,
        instrument: edition.instrument,
        version: edition.version,
        on: when.on,
        group: when.group,
        meeting: when.meeting,
        entered_by,
        given,
        scored,
    }
}

/// Of each score of an instrument, the first and the last that there are, by the same version.
fn changes(instrument: &Instrument, check_ins: &[JourneyCheckIn]) -> Vec<ScoreChange> {
    let taken =
        || check_ins.iter().filter(|line| line.instrument == instrument.id && line.version == instrument.version);
    let of_score = |score: &instrument::Score| {
        let mut readings = taken().filter_map(|line| Some((line, line.scored.as_ref()?.reading(score.id.as_str())?)));
        let (first, last) = (readings.next()?, readings.next_back()?);
        Some(ScoreChange {
            instrument: instrument.id.clone(),
            score: score.id.clone(),
            first_on: first.0.on,
            first: first.1.value,
            last_on: last.0.on,
            last: last.1.value,
            held_against: instrument::changes(instrument, &score.id, first.1, last.1),
        })
    };
    instrument.scores.iter().filter_map(of_score).collect()
}

fn opened_goal(reader: &Reader, row: GoalRow) -> JourneyGoal {
    let GoalRow { member, id, when, revises, words, ended, ratings } = row;
    let ratings: Vec<_> = ratings
        .into_iter()
        .filter_map(|(when, entered_by, sealed)| {
            let rating = reader.open(member, id.on(when.on), SealedAs::Rating, &sealed)?;
            Some(JourneyRating { on: when.on, rating, entered_by })
        })
        .collect();
    let points = |rating: &JourneyRating| i16::from(rating.rating.get());
    let change = match &ratings[..] {
        [first, .., last] => Some(points(last) - points(first)),
        _ => None,
    };
    JourneyGoal {
        goal: id,
        on: when.on,
        words: reader.open_text(member, id, SealedAs::Goal, &words),
        revises,
        ratings,
        change,
        ended: ended.map(|(end, _)| end),
        ended_on: ended.map(|(_, on)| on),
    }
}
