//! Rows of needs and referrals: which step was taken when, by whom, and where it led. Nothing of what is told.

use domain::{
    AttemptId, MemberId,
    referral::{
        Actor, Answer, Drafted, Event, Moved, NeedClosed, NeedStated, Outcome, Reason, Sent, Stage, Step, What,
    },
    route::Urgency,
};
use eventlog::Position;
use jiff::Timestamp;
use polars::prelude::*;

use super::{ids, maybe_ids, numbers, positions, table, words};
use crate::facts::Kind;

/// Rows of one organisation, in the order of the log, each with its position.
#[derive(Default)]
pub(super) struct ReferralRows {
    needs: Vec<(MemberId, NeedStated, Position)>,
    need_ends: Vec<(NeedClosed, Position)>,
    referrals: Vec<(MemberId, Drafted, Position)>,
    steps: Vec<(Taken, Position)>,
}

/// A step of a referral that was taken.
struct Taken {
    attempt: AttemptId,
    step: Step,
    to: Stage,
    by: Actor,
    at: Timestamp,
    /// How soon, where it was sent.
    urgency: Option<Urgency>,
    reason: Option<Reason>,
    outcome: Option<Outcome>,
    answer: Option<Answer>,
}

impl Taken {
    fn sent(sent: &Sent) -> Self {
        let step = if sent.by.actor == Actor::DutyLead { Step::Override } else { Step::Send };
        Self {
            attempt: sent.attempt,
            step,
            to: Stage::Sent,
            by: sent.by.actor,
            at: sent.at,
            urgency: Some(sent.urgency),
            reason: None,
            outcome: None,
            answer: None,
        }
    }

    fn moved(moved: &Moved) -> Self {
        let (outcome, answer) = match &moved.what {
            What::Complete { outcome } => (Some(*outcome), None),
            What::Answer { answer } => (None, Some(*answer)),
            _ => (None, None),
        };
        Self {
            attempt: moved.attempt,
            step: moved.what.step(),
            to: moved.to,
            by: moved.by.actor,
            at: moved.at,
            urgency: None,
            reason: moved.what.reason(),
            outcome,
            answer,
        }
    }
}

impl ReferralRows {
    pub fn add(&mut self, member: MemberId, event: &Event, at: Position) {
        match event {
            Event::NeedStated(stated) => self.needs.push((member, stated.clone(), at)),
            Event::NeedClosed(closed) => self.need_ends.push((closed.clone(), at)),
            Event::Drafted(drafted) => self.referrals.push((member, drafted.clone(), at)),
            Event::Sent(sent) => self.steps.push((Taken::sent(sent), at)),
            Event::Moved(moved) => self.steps.push((Taken::moved(moved), at)),
            // What may be disclosed, and to whom a link was given, is not counted.
            Event::Allowed(_)
            | Event::Withdrawn(_)
            | Event::NeedChanged(_)
            | Event::Overridden(_)
            | Event::OverrideReviewed(_)
            | Event::LinkIssued(_)
            | Event::LinkExtended(_)
            | Event::LinkRevoked(_)
            | Event::RestLifted(_)
            | Event::Erased(_) => {}
        }
    }

    pub fn tables(&self) -> PolarsResult<Vec<(Kind, DataFrame)>> {
        Ok(vec![
            (Kind::Needs, needs(&self.needs)?),
            (Kind::NeedEnds, need_ends(&self.need_ends)?),
            (Kind::Referrals, referrals(&self.referrals)?),
            (Kind::ReferralSteps, steps(&self.steps)?),
        ])
    }
}

fn needs(rows: &[(MemberId, NeedStated, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("need", rows.iter().map(|row| row.1.need.0)),
        ids("member", rows.iter().map(|row| row.0.0)),
        maybe_ids("based_on", rows.iter().map(|row| row.1.based_on.map(|need| need.0))),
        words("urgency", rows.iter().map(|row| Some(row.1.urgency.into()))),
        seconds("at", rows.iter().map(|row| row.1.at)),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn need_ends(rows: &[(NeedClosed, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("need", rows.iter().map(|row| row.0.need.0)),
        words("end", rows.iter().map(|row| Some(row.0.end.into()))),
        seconds("at", rows.iter().map(|row| row.0.at)),
        positions(rows.iter().map(|row| row.1)),
    ])
}

fn referrals(rows: &[(MemberId, Drafted, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("referral", rows.iter().map(|row| row.1.attempt.0)),
        ids("need", rows.iter().map(|row| row.1.need.0)),
        ids("member", rows.iter().map(|row| row.0.0)),
        ids("partner", rows.iter().map(|row| row.1.partner.0)),
        ids("service", rows.iter().map(|row| row.1.service.0)),
        maybe_ids("parent", rows.iter().map(|row| row.1.parent.map(|parent| parent.0))),
        seconds("at", rows.iter().map(|row| row.1.at)),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn steps(rows: &[(Taken, Position)]) -> PolarsResult<DataFrame> {
    let taken = || rows.iter().map(|row| &row.0);
    table(vec![
        ids("referral", taken().map(|taken| taken.attempt.0)),
        words("step", taken().map(|taken| Some(taken.step.into()))),
        words("to", taken().map(|taken| Some(taken.to.as_str()))),
        words("by", taken().map(|taken| Some(taken.by.into()))),
        seconds("at", taken().map(|taken| taken.at)),
        words("urgency", taken().map(|taken| taken.urgency.map(<&str>::from))),
        words("reason", taken().map(|taken| taken.reason.map(<&str>::from))),
        words("outcome", taken().map(|taken| taken.outcome.map(<&str>::from))),
        words("answer", taken().map(|taken| taken.answer.map(<&str>::from))),
        positions(rows.iter().map(|row| row.1)),
    ])
}

fn seconds(name: &str, at: impl Iterator<Item = Timestamp>) -> Column {
    numbers::<Int64Type>(name, at.map(Timestamp::as_second))
}
