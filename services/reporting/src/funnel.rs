//! The funnel of referrals: how far those that were sent came, how long it took, and what member and partner say.
//!
//! **Which.** Referrals that were sent in the period, of the month in which that was in the server's time zone; not those
//! that were entered in error.
//!
//! **Who counts.** As in [`crate::reach`]: merged records are one person; whoever objects to statistics, or whose record
//! is restricted, is left out. Of whoever was erased a number stays, without a person.
//!
//! **Times** are medians over those that came so far, with how many these are beside them: what ended before is not
//! among them, and the ends stand in the same row.

use std::collections::{BTreeMap, BTreeSet};

use domain::{MemberId, OrgId, PartnerId};
use eventlog::Position;
use jiff::{Timestamp, Zoned};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    facts::{Cause, Facts, FactsError, Kind, Snapshot},
    month::{Month, Period},
    persons::{Persons, members},
};

/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

/// How far referrals to one partner, or to all, came. Unit: referral, where nothing else is said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FunnelRow {
    /// Partner; missing in the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// Different people who were referred, in persons. Not to be added up.
    pub people: u64,
    /// Sent.
    pub sent: u64,
    /// Opened by the partner, or answered without.
    pub opened: u64,
    /// Taken on, or not.
    pub decided: u64,
    /// Taken on.
    pub accepted: u64,
    /// Of which somebody noted that they met or spoke, or an outcome.
    pub contacted: u64,
    /// Ended with an outcome.
    pub completed: u64,
    /// Declined by the partner.
    pub declined_by_service: u64,
    /// Declined by the member.
    pub declined_by_member: u64,
    /// Ended because the member could not be reached.
    pub unreachable: u64,
    /// Withdrawn.
    pub withdrawn: u64,
    /// Ended because the partner was silent.
    pub expired: u64,
    /// Not at an end.
    pub under_way: u64,
    /// Of which the member says that it helped.
    pub helped: u64,
    /// That it helped in part.
    pub partly: u64,
    /// That it did not.
    pub not_helped: u64,
    /// Asked, and said nothing.
    pub no_answer: u64,
    /// Of which partner and member say different things.
    pub discordant: u64,
    /// Median of the days from sending to the decision, of the `decided`, rounded to four decimals, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_days_to_decision: Option<f64>,
    /// Median of the days from sending to the first contact, of the `contacted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_days_to_contact: Option<f64>,
}

/// The funnel at one position in the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Funnel {
    /// Everything up to here is counted, and nothing after.
    pub position: Position,
    /// By partner; the total, if it was asked for.
    pub rows: Vec<FunnelRow>,
}

/// What became of one referral.
struct Course {
    partner: PartnerId,
    person: MemberId,
    /// Seconds since 1970, as all times.
    sent: i64,
    opened: Option<i64>,
    decided: Option<i64>,
    accepted: Option<i64>,
    contacted: Option<i64>,
    stage: String,
    outcome: Option<String>,
    answer: Option<String>,
}

impl Facts {
    /// How far referrals of `org` came that were sent in `period`, of the months in which `local` puts times. Blocks on the
    /// disk and the processor.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub fn funnel(
        &self,
        org: &OrgId,
        period: Period,
        local: impl Fn(Timestamp) -> Zoned,
        by_partner: bool,
    ) -> Result<Funnel, FactsError> {
        self.read(|facts| {
            let is_in = |course: &Course| {
                let month = Timestamp::from_second(course.sent).map(|at| Month::of(local(at).date()));
                month.is_ok_and(|month| (period.from()..=period.through()).contains(&month))
            };
            let mut groups: BTreeMap<Option<PartnerId>, Vec<Course>> = BTreeMap::new();
            for course in courses(facts, org)?.into_iter().filter(is_in) {
                groups.entry(by_partner.then_some(course.partner)).or_default().push(course);
            }
            let rows = groups.iter().map(|(partner, courses)| row(*partner, courses)).collect();
            Ok(Funnel { position: facts.manifest.position, rows })
        })
    }
}

/// Every referral that was sent and was no error, of people who are counted.
fn courses(facts: &Snapshot, org: &OrgId) -> Result<Vec<Course>, Cause> {
    let persons = Persons::of(facts, org)?;
    let is = |step: &str| col("step").eq(lit(step.to_owned()));
    let first = |of: Expr, name: &str| col("at").filter(of).min().alias(name);
    let last = |name: &str| col(name).drop_nulls().last();
    let steps = facts.current(org, Kind::ReferralSteps)?.sort(["position"], SortMultipleOptions::default());
    let steps = steps.group_by([col("referral")]).agg([
        first(is("send").or(is("override")), "sent"),
        first(is("open").or(is("accept")).or(is("decline")), "opened"),
        first(is("accept").or(is("decline")), "decided"),
        first(is("accept"), "accepted"),
        first(is("engage").or(is("complete")), "contacted"),
        col("to").last(),
        last("outcome"),
        last("answer"),
    ]);
    let referrals = facts.current(org, Kind::Referrals)?.select([col("referral"), col("member"), col("partner")]);
    let rows = referrals
        .inner_join(steps, col("referral"), col("referral"))
        .filter(col("sent").is_not_null().and(col("to").neq(lit("entered_in_error"))))
        .collect()?;
    let (members, partners) = (members(&rows, "member")?, rows.column("partner")?.binary()?);
    let times = |name: &str| rows.column(name)?.i64().map(|column| column.iter().collect::<Vec<_>>());
    let words = |name: &str| {
        let column = rows.column(name)?.str()?;
        Ok::<_, PolarsError>(column.iter().map(|word| word.map(str::to_owned)).collect::<Vec<_>>())
    };
    let [sent, opened, decided] = [times("sent")?, times("opened")?, times("decided")?];
    let [accepted, contacted] = [times("accepted")?, times("contacted")?];
    let [stages, outcomes, answers] = [words("to")?, words("outcome")?, words("answer")?];
    let mut courses = Vec::with_capacity(rows.height());
    for n in 0..rows.height() {
        let person = persons.person(members[n]);
        if persons.is_counted(person) {
            courses.push(Course {
                partner: PartnerId(Uuid::from_slice(partners.get(n).ok_or("a partner is missing")?)?),
                person,
                sent: sent[n].ok_or("a time is missing")?,
                opened: opened[n],
                decided: decided[n],
                accepted: accepted[n],
                contacted: contacted[n],
                stage: stages[n].clone().ok_or("a stage is missing")?,
                outcome: outcomes[n].clone(),
                answer: answers[n].clone(),
            });
        }
    }
    Ok(courses)
}

impl Course {
    /// Whether partner and member say different things, as [`domain::referral::Attempt::is_discordant`] has it.
    fn is_discordant(&self) -> bool {
        let partner = self.outcome.as_deref().map(|word| matches!(word, "service_received" | "partly_received"));
        let member = match self.answer.as_deref() {
            Some("helped" | "partly") => Some(true),
            Some("not") => Some(false),
            _ => None,
        };
        partner.zip(member).is_some_and(|(partner, member)| partner != member)
    }
}

fn row(partner: Option<PartnerId>, courses: &[Course]) -> FunnelRow {
    let count = |is: &dyn Fn(&Course) -> bool| courses.iter().filter(|course| is(course)).count() as u64;
    let at = |stage: &str| count(&|course| course.stage == stage);
    let says = |answer: &str| count(&|course| course.answer.as_deref() == Some(answer));
    let ends = ["completed", "declined_by_service", "declined_by_member", "unreachable", "withdrawn", "expired"];
    let people: BTreeSet<_> = courses.iter().map(|course| course.person).collect();
    FunnelRow {
        partner,
        people: people.len() as u64,
        sent: courses.len() as u64,
        opened: count(&|course| course.opened.is_some()),
        decided: count(&|course| course.decided.is_some()),
        accepted: count(&|course| course.accepted.is_some()),
        contacted: count(&|course| course.contacted.is_some()),
        completed: at("completed"),
        declined_by_service: at("declined_by_service"),
        declined_by_member: at("declined_by_member"),
        unreachable: at("unreachable"),
        withdrawn: at("withdrawn"),
        expired: at("expired"),
        under_way: count(&|course| !ends.contains(&course.stage.as_str())),
        helped: says("helped"),
        partly: says("partly"),
        not_helped: says("not"),
        no_answer: says("no_answer"),
        discordant: count(&Course::is_discordant),
        median_days_to_decision: median_days(courses.iter().map(|course| (course.sent, course.decided))),
        median_days_to_contact: median_days(courses.iter().map(|course| (course.sent, course.contacted))),
    }
}

/// Median of the days from the first time to the second, of those that have one; of two in the middle, their mean.
fn median_days(times: impl Iterator<Item = (i64, Option<i64>)>) -> Option<f64> {
    let mut seconds: Vec<i64> = times.filter_map(|(from, to)| Some(to? - from)).collect();
    seconds.sort_unstable();
    let (low, high) = (seconds.get(seconds.len().checked_sub(1)? / 2)?, seconds.get(seconds.len() / 2)?);
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let days = f64::midpoint(*low as f64, *high as f64) / DAY_SECONDS;
    Some((days * 10_000.0).round() / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_one_in_the_middle_or_the_mean_of_two_and_none_of_nothing() {
        let of = |days: &[i64]| median_days(days.iter().map(|days| (0, Some(days * 86_400))));
        assert_eq!((of(&[]), of(&[3]), of(&[5, 1, 2]), of(&[1, 2, 4, 9])), (None, Some(3.0), Some(2.0), Some(3.0)));
        assert_eq!(median_days([(0, None), (0, Some(8_640))].into_iter()), Some(0.1));
    }
}
