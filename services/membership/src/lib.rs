//! Members and their enrolment in groups. Members are random ids here, without any personal data.

mod apply_to_group;
mod cancel_enrolment;
mod complete_enrolment;
mod decline_application;
mod enrol_member;
mod enrolment_entered_in_error;
mod set_capacity;
mod withdraw_member;

use axum::extract::FromRef;
use domain::{
    GroupId,
    group::{self, Group},
    roster::{self, Roster},
};
use eventlog::{Cause, Reply, Streams};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use utoipa_axum::{router::OpenApiRouter, routes};
use web::{Answer, Caller, Gate, Problem};

/// The context: its streams, and the gate before them.
#[derive(Debug, Clone, FromRef)]
pub struct Membership {
    /// Who calls.
    pub gate: Gate,
    /// Who is enrolled when.
    pub rosters: Streams<Roster>,
    /// Groups, to know that there is one.
    pub groups: Streams<Group>,
}

/// All operations of the context.
pub fn routes(membership: Membership) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(set_capacity::set_capacity))
        .routes(routes!(apply_to_group::apply_to_group))
        .routes(routes!(decline_application::decline_application))
        .routes(routes!(enrol_member::enrol_member))
        .routes(routes!(withdraw_member::withdraw_member))
        .routes(routes!(complete_enrolment::complete_enrolment))
        .routes(routes!(cancel_enrolment::cancel_enrolment))
        .routes(routes!(enrolment_entered_in_error::enrolment_entered_in_error))
        .with_state(membership)
}

impl Membership {
    /// Does what is asked of the roster of a group that is there and that the caller may reach.
    async fn transact(
        &self,
        caller: &Caller,
        group: GroupId,
        cause: Cause,
        ask: roster::Ask,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let today = self.groups.look(&caller.org, group, |group| today(&group.state, cause.at)).await?;
        let today = today.ok_or_else(|| Problem::rejected(&group::Refusal::Unknown))?;
        caller.may_group(group)?;
        let command = roster::Command { today, ask };
        Ok(Answer(self.rosters.transact(&caller.org, group, cause, command, reply).await?))
    }
}

/// The day where the group meets; in UTC if it has no calendar. None if there is no such group.
fn today(group: &group::State, now: Timestamp) -> Option<Date> {
    group.details.as_ref()?;
    let zone = group.schedule.as_ref().and_then(|schedule| TimeZone::get(schedule.time_zone.as_str()).ok());
    Some(now.to_zoned(zone.unwrap_or(TimeZone::UTC)).date())
}
