//! How people are: moods at meetings, questionnaires, goals; what they send, and what must be true of it in the end.

#![allow(clippy::cast_precision_loss)] // few

use std::collections::BTreeMap;

use domain::{MemberId, ProgrammeId};
use hyper::Method;
use jiff::civil::Date;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::{Meeting, habits::Person, register::Clerk};

/// The questionnaire: nine questions, of which the last one is about danger.
pub const INSTRUMENT: &str = "phq-9";
/// Share of groups whose facilitators ask how people feel.
const ASKS_MOODS: f64 = 0.3;
/// Share of groups in which the questionnaire is asked.
const ASKS_QUESTIONS: f64 = 0.3;
/// Chance that somebody would rather not say how they feel.
const DECLINES_MOOD: f64 = 0.08;
/// Meetings from one questionnaire to the next.
const MEETINGS_BETWEEN: usize = 9;
/// Chance that a question is declined.
const DECLINES_QUESTION: f64 = 0.02;
/// Chance that the question about danger is answered with more than "not at all".
const IN_DANGER: f64 = 0.01;
/// Chance that somebody who answers the questionnaire sets a goal.
const SETS_GOAL: f64 = 0.1;
/// Questions of the questionnaire, and most of them that can be missing from a score.
const QUESTIONS: usize = 9;
const MISSING_MAX: usize = 2;

/// How somebody feels, from 0 to 10; nothing if they would rather not say.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// At a meeting of which programme.
    pub programme: ProgrammeId,
    /// Who.
    pub member: MemberId,
    /// What.
    pub mood: Option<u8>,
}

/// A questionnaire that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// At a meeting of which programme.
    pub programme: ProgrammeId,
    /// By whom.
    pub member: MemberId,
    /// On which day.
    pub on: Date,
    /// Its score; nothing if too much was declined.
    pub score: Option<f64>,
}

/// A goal that was set.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Whose.
    pub member: MemberId,
    /// How near it is said to be, later.
    pub ratings: Vec<u8>,
}

/// What was said in a year.
#[derive(Debug, Clone, Default)]
pub struct CareTruth {
    /// Moods at meetings that were held.
    pub moods: Vec<Said>,
    /// Questionnaires.
    pub answered: Vec<Answered>,
    /// Goals, one of a member at most.
    pub goals: Vec<Goal>,
    /// Answers that say that somebody may be in danger, a count.
    pub in_danger: usize,
    /// Questionnaires in which the question about danger was left without an answer, a count.
    pub danger_unknown: usize,
}

/// What is asked in a group.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    moods: bool,
    questions: bool,
}

impl Asks {
    /// One of many.
    pub fn draw(rng: &mut StdRng) -> Self {
        Self { moods: rng.random_bool(ASKS_MOODS), questions: rng.random_bool(ASKS_QUESTIONS) }
    }
}

/// How somebody is.
#[derive(Debug, Clone, Copy)]
pub struct Wellbeing {
    /// How they usually feel, from 0 to 10.
    mood: f64,
    /// How much each question weighs on them at first, from 0 to 3.
    burden: f64,
    /// How much lighter that gets with each meeting.
    eases: f64,
}

impl Wellbeing {
    /// Of one of many.
    pub fn draw(rng: &mut StdRng) -> Self {
        Self {
            mood: rng.random_range(2.0..8.0),
            burden: rng.random_range(0.3..2.8),
            eases: rng.random_range(-0.01..0.04),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and `most`
    fn draw_around(usual: f64, spread: f64, most: f64, rng: &mut StdRng) -> u8 {
        (usual + rng.random_range(-spread..spread)).round().clamp(0.0, most) as u8
    }

    fn mood(&self, rng: &mut StdRng) -> u8 {
        Self::draw_around(self.mood, 2.5, 10.0, rng)
    }

    fn answer(&self, meetings: usize, rng: &mut StdRng) -> u8 {
        Self::draw_around(self.burden - self.eases * meetings as f64, 1.0, 3.0, rng)
    }
}

/// Whom a group asks for how they are, and how often they were there.
#[derive(Debug, Default)]
pub struct Asked {
    /// Meetings that each has come to.
    came: BTreeMap<MemberId, usize>,
}

impl Clerk<'_> {
    /// Asks those who came, before the register is closed.
    pub(super) fn ask(&mut self, meeting: &Meeting, came: &[MemberId]) {
        if self.asks.moods {
            self.ask_moods(meeting, came);
        }
        if self.asks.questions {
            for member in came {
                let meetings = self.asked.came.entry(*member).or_default();
                *meetings += 1;
                if *meetings % MEETINGS_BETWEEN == 1 {
                    let meetings = *meetings;
                    self.ask_questions(meeting, *member, meetings);
                }
            }
        }
    }

    fn ask_moods(&mut self, meeting: &Meeting, came: &[MemberId]) {
        let mut lines = Vec::new();
        for member in came {
            let Some(person) = self.person(*member) else { continue };
            let says = !self.rng.random_bool(DECLINES_MOOD);
            let mood = says.then(|| person.wellbeing.mood(self.rng));
            lines.push(json!({ "member": member, "mood": mood.map_or(json!("declined"), Value::from) }));
            self.truth.moods.push(Said { programme: self.group.programme, member: *member, mood });
        }
        if !lines.is_empty() {
            self.send(Method::PUT, format!("/v1/meetings/{}/moods", meeting.id), json!({ "moods": lines }));
        }
    }

    fn ask_questions(&mut self, meeting: &Meeting, member: MemberId, meetings: usize) {
        let Some(person) = self.person(member).filter(|person| person.asked_in == Some(self.group.id)) else { return };
        let mut answers = Map::new();
        for question in 1..=QUESTIONS {
            let raw = match question {
                QUESTIONS if self.rng.random_bool(1.0 - IN_DANGER) => 0,
                QUESTIONS => 1,
                _ => person.wellbeing.answer(meetings, self.rng),
            };
            let declined = self.rng.random_bool(DECLINES_QUESTION);
            answers.insert(question.to_string(), if declined { json!("declined") } else { json!(raw) });
        }
        self.truth.answered(
            Answered { programme: self.group.programme, member, on: meeting.starts_at_local.date(), score: None },
            &answers,
        );
        let body = json!({ "instrument": INSTRUMENT, "given": { "answers": answers }, "meeting": meeting.id });
        self.send(Method::POST, format!("/v1/members/{member}/check-ins"), body);
        let has_goal = self.truth.goals.iter().any(|goal| goal.member == member);
        if !has_goal && self.rng.random_bool(SETS_GOAL) {
            let body = json!({ "words": "Call somebody before I am at my worst", "meeting": meeting.id });
            self.send(Method::POST, format!("/v1/members/{member}/goals"), body);
            let count = self.rng.random_range(1..=3);
            let ratings = (0..count).map(|_| self.rng.random_range(0..=10)).collect();
            self.truth.goals.push(Goal { member, ratings });
        }
    }

    fn person(&self, member: MemberId) -> Option<Person> {
        let of = |enrolment: &&super::habits::Enrolment| self.id_of(enrolment) == member;
        let enrolment = self.roster.iter().find(of)?;
        Some(self.people[enrolment.person].clone())
    }
}

impl CareTruth {
    /// Who answered a questionnaire, each once.
    pub fn members(&self) -> Vec<MemberId> {
        let members: std::collections::BTreeSet<_> = self.answered.iter().map(|answered| answered.member).collect();
        members.into_iter().collect()
    }

    /// Adds what another group's people said.
    pub fn add(&mut self, other: Self) {
        self.moods.extend(other.moods);
        self.answered.extend(other.answered);
        self.goals.extend(other.goals);
        self.in_danger += other.in_danger;
        self.danger_unknown += other.danger_unknown;
    }

    fn answered(&mut self, taken: Answered, answers: &Map<String, Value>) {
        let points: Vec<u64> = answers.values().filter_map(Value::as_u64).collect();
        let scored = points.len() >= QUESTIONS - MISSING_MAX;
        let score = points.iter().sum::<u64>() as f64 * QUESTIONS as f64 / points.len() as f64;
        self.answered.push(Answered { score: scored.then_some(score), ..taken });
        match answers[&QUESTIONS.to_string()].as_u64() {
            Some(0) => {}
            Some(_) => self.in_danger += 1,
            None => self.danger_unknown += 1,
        }
    }

    /// Where the report, in total or by programme, says something else; one sentence each.
    pub fn differences(&self, by_programme: bool, report: &reporting::OutcomesReport) -> Vec<String> {
        let of = |programme| by_programme.then_some(programme);
        let moods = mood_cells(self.moods.iter().map(|said| (of(said.programme), said)));
        let changes = change_cells(self.answered.iter().map(|taken| (of(taken.programme), taken)));
        let said = report.moods.iter().map(|row| {
            (row.programme, vec![row.people as f64, row.said as f64, row.declined as f64, row.mean.unwrap_or(f64::NAN)])
        });
        let reported = report.changes.iter().map(|row| {
            let none = |number: Option<f64>| number.unwrap_or(f64::NAN);
            (
                row.programme,
                vec![
                    row.people as f64,
                    row.scores as f64,
                    row.pairs as f64,
                    none(row.mean_first),
                    none(row.mean_last),
                    none(row.mean_change),
                ],
            )
        });
        let mut found = unlike("moods", &moods, &said.collect());
        found.extend(unlike("changes", &changes, &reported.collect()));
        found
    }
}

/// Numbers by programme.
type Cells = BTreeMap<Option<ProgrammeId>, Vec<f64>>;

/// People, moods, declined, mean.
fn mood_cells<'a>(moods: impl Iterator<Item = (Option<ProgrammeId>, &'a Said)>) -> Cells {
    let mut cells = BTreeMap::<_, Vec<&Said>>::new();
    for (programme, said) in moods {
        cells.entry(programme).or_default().push(said);
    }
    let row = |said: Vec<&Said>| {
        let mut people: Vec<_> = said.iter().map(|said| said.member).collect();
        people.sort_unstable();
        people.dedup();
        let moods: Vec<f64> = said.iter().filter_map(|said| said.mood).map(f64::from).collect();
        vec![people.len() as f64, moods.len() as f64, (said.len() - moods.len()) as f64, mean(&moods)]
    };
    cells.into_iter().map(|(programme, said)| (programme, row(said))).collect()
}

/// People, scores, pairs, mean first, last and change.
fn change_cells<'a>(answered: impl Iterator<Item = (Option<ProgrammeId>, &'a Answered)>) -> Cells {
    let mut cells = BTreeMap::<_, BTreeMap<MemberId, Vec<(Date, f64)>>>::new();
    for (programme, taken) in answered {
        if let Some(score) = taken.score {
            cells.entry(programme).or_default().entry(taken.member).or_default().push((taken.on, score));
        }
    }
    let row = |people: BTreeMap<MemberId, Vec<(Date, f64)>>| {
        let scores: usize = people.values().map(Vec::len).sum();
        let pairs: Vec<(f64, f64)> = people
            .values()
            .filter(|scores| scores.len() > 1)
            .map(|scores| {
                let first = scores.iter().min_by_key(|(on, _)| *on).map_or(f64::NAN, |(_, score)| *score);
                let last = scores.iter().max_by_key(|(on, _)| *on).map_or(f64::NAN, |(_, score)| *score);
                (first, last)
            })
            .collect();
        let column = |of: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(of).collect::<Vec<_>>());
        vec![
            people.len() as f64,
            scores as f64,
            pairs.len() as f64,
            column(|pair| pair.0),
            column(|pair| pair.1),
            column(|pair| pair.1 - pair.0),
        ]
    };
    cells.into_iter().map(|(programme, people)| (programme, row(people))).collect()
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn unlike(what: &str, truth: &Cells, report: &Cells) -> Vec<String> {
    // The report rounds to four decimals.
    let same = |a: &f64, b: &f64| (a - b).abs() < 1e-4 || a.is_nan() && b.is_nan();
    let programmes = truth.keys().chain(report.keys()).collect::<std::collections::BTreeSet<_>>();
    let differ = programmes.into_iter().filter_map(|programme| {
        let (truth, report) = (truth.get(programme), report.get(programme));
        let equal =
            truth.zip(report).is_some_and(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)));
        (!equal).then(|| format!("{what} of {programme:?}: the report says {report:?}, but it was {truth:?}"))
    });
    differ.collect()
}
