//! How people are, in the demo: what is asked, goals and how near they come, the queue of concerns; and whether the report
//! says what the simulation knows.

use std::collections::BTreeMap;

use anyhow::Context;
use domain::MemberId;
use hyper::Method;
use reporting::OutcomesReport;
use serde::Deserialize;
use serde_json::{Value, json};
use tests::simulation::{CareTruth, Command, Expected, Goal, Group, INSTRUMENT};

use super::{Show, step};

/// Weeks from one questionnaire to the next, as the programmes ask.
const EVERY_WEEKS: u8 = 8;
/// Of the concerns about danger, every so-manieth waits to be settled.
pub(super) const WAITS: usize = 3;

/// A concern as listed.
#[derive(Debug, Deserialize)]
struct ListedConcern {
    concern: domain::ConcernId,
    member: MemberId,
    urgency: domain::care::Urgency,
}

impl Show<'_> {
    /// Who is told, what is said, what is asked: before anything else can be.
    pub(super) async fn ask(&self, groups: &[Group]) -> anyhow::Result<()> {
        let put = |path: String, body: Value| Command {
            method: Method::PUT,
            key: format!("ask {path}"),
            path,
            body,
            expected: Expected::Done,
        };
        let mut asks = vec![
            put("/v1/duty-seat".into(), json!({ "holder": "demo-duty" })),
            put("/v1/crisis-texts/en".into(), json!({ "text": "Call or text 988, at any hour" })),
            put(format!("/v1/instruments/{INSTRUMENT}/use"), json!({ "version": 1 })),
        ];
        let mut programmes: Vec<_> = groups.iter().map(|group| group.programme).collect();
        programmes.sort_unstable();
        programmes.dedup();
        let timing = json!({ "intake": true, "every_weeks": EVERY_WEEKS, "exit": false, "open_days": 14 });
        let of = |programme| put(format!("/v1/programmes/{programme}/check-ins/{INSTRUMENT}"), timing.clone());
        asks.extend(programmes.iter().map(of));
        step(&format!("{} programmes ask with {INSTRUMENT}; somebody has the duty seat", programmes.len()));
        self.send("questions", vec![asks]).await?;
        Ok(())
    }

    /// Rates goals, and settles concerns but for some; answers up to where to read to see it.
    pub(super) async fn follow_up(&self, care: &CareTruth, position: u64) -> anyhow::Result<u64> {
        let mut ratings = Vec::new();
        for goal in &care.goals {
            ratings.push(self.ratings(goal, position).await?);
        }
        step(&format!(
            "{} goals are rated, {} moods and {} questionnaires are in",
            ratings.len(),
            care.moods.len(),
            care.answered.len()
        ));
        let rated = self.send("ratings", ratings).await?.position;
        let concerns: Vec<ListedConcern> = self.list("/v1/concerns?", position).await?;
        let by_urgency = |concerns: &[ListedConcern]| {
            let mut counts = BTreeMap::new();
            for concern in concerns {
                *counts.entry(concern.urgency).or_insert(0) += 1;
            }
            counts
        };
        let known =
            [(domain::care::Urgency::Prompt, care.in_danger), (domain::care::Urgency::Routine, care.danger_unknown)];
        let known: BTreeMap<_, _> = known.into_iter().filter(|(_, count)| *count > 0).collect();
        anyhow::ensure!(
            by_urgency(&concerns) == known,
            "concerns: {:?} wait, but {known:?} were raised",
            by_urgency(&concerns)
        );
        let settled: Vec<_> =
            concerns.iter().enumerate().filter(|(n, _)| n % WAITS > 0).map(|(_, concern)| settle(concern)).collect();
        let waiting = concerns.len() - settled.len();
        let settled = self.send("concerns", settled).await?.position.max(rated);
        let left: Vec<ListedConcern> = self.list("/v1/concerns?", settled).await?;
        anyhow::ensure!(left.len() == waiting, "{} concerns wait, but {waiting} were left", left.len());
        println!("    {} concerns were raised, {waiting} of them wait for somebody", concerns.len());
        Ok(settled)
    }

    /// What is to be said of a goal, whose id Kith gave.
    async fn ratings(&self, goal: &Goal, position: u64) -> anyhow::Result<Vec<Command>> {
        let Goal { member, ratings } = goal;
        let journey = self.read(&mut self.client(), &format!("/v1/members/{member}/journey"), position).await?.json();
        let id = journey["goals"][0]["goal"].as_str().context("a goal")?.to_owned();
        let first = journey["goals"][0]["on"].as_str().context("a day")?.parse::<jiff::civil::Date>()?;
        let rate = |(n, rating): (usize, &u8)| {
            let on = first.saturating_add(jiff::Span::new().days(i64::try_from(n).unwrap_or_default()));
            Command {
                method: Method::POST,
                path: format!("/v1/members/{member}/goals/{id}/ratings"),
                key: format!("rating-{id}-{n}"),
                body: json!({ "rating": rating, "on": on }),
                expected: Expected::Done,
            }
        };
        Ok(ratings.iter().enumerate().map(rate).collect())
    }

    /// Where reports and journeys say something else than the simulation; one sentence each. And rows compared.
    pub(super) async fn compare_care(&self, care: &CareTruth, position: u64) -> anyhow::Result<(usize, Vec<String>)> {
        let (mut rows, mut found) = (0, Vec::new());
        for by_programme in [false, true] {
            let report = self.outcomes(by_programme, position).await?;
            rows += report.moods.len() + report.changes.len();
            found.extend(care.differences(by_programme, &report));
        }
        for goal in &care.goals {
            let path = format!("/v1/members/{}/journey", goal.member);
            let shown = self.read(&mut self.client(), &path, position).await?.json()["goals"][0]["change"].take();
            let change = match &goal.ratings[..] {
                [first, .., last] => json!(i16::from(*last) - i16::from(*first)),
                _ => Value::Null,
            };
            if shown != change {
                found.push(format!("a goal of {} changed by {shown}, but it was {change}", goal.member));
            }
        }
        Ok((rows, found))
    }

    /// The outcomes of the year, for who looks on.
    pub(super) async fn tell_outcomes(&self, position: u64) -> anyhow::Result<()> {
        let OutcomesReport { moods, changes, .. } = self.outcomes(false, position).await?;
        for mood in moods {
            println!(
                "Mood at meetings: mean {:.2} of {} moods of {} people",
                mood.mean.unwrap_or_default(),
                mood.said,
                mood.people
            );
        }
        for change in changes {
            println!(
                "{}: from {:.2} to {:.2} in {} people with a first and a last score",
                change.instrument.as_str(),
                change.mean_first.unwrap_or_default(),
                change.mean_last.unwrap_or_default(),
                change.pairs
            );
        }
        println!();
        Ok(())
    }

    async fn outcomes(&self, by_programme: bool, position: u64) -> anyhow::Result<OutcomesReport> {
        let by = if by_programme { "&by=programme" } else { "" };
        let path = format!("/v1/reports/outcomes?{}{by}", self.months());
        let answer = self.read(&mut self.client(), &path, position).await?;
        serde_json::from_slice(&answer.body).context("the report on outcomes cannot be read")
    }
}

/// Somebody sees to it, and it is settled.
fn settle(concern: &ListedConcern) -> Vec<Command> {
    let ListedConcern { concern, member, .. } = concern;
    let post = |what: &str, body: Value| Command {
        method: Method::POST,
        path: format!("/v1/members/{member}/concerns/{concern}/{what}"),
        key: format!("{what}-{concern}"),
        body,
        expected: Expected::Done,
    };
    let resolution = json!({ "outcome": "spoken", "note": "talked for an hour, a friend stays the night" });
    vec![post("acknowledgement", Value::Null), post("resolution", resolution)]
}
