//! Members and their enrolment in groups. Members are random ids here, without any personal data.

mod enrol_member;
mod withdraw_member;

use axum::extract::FromRef;
use domain::{
    GroupId,
    group::{self, Group},
    roster::{self, Roster},
};
use eventlog::{Cause, Reply, Streams};
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
        .routes(routes!(enrol_member::enrol_member))
        .routes(routes!(withdraw_member::withdraw_member))
        .with_state(membership)
}

impl Membership {
    /// Carries out a command on the roster of a group that is there and that the caller may reach.
    async fn transact(
        &self,
        caller: &Caller,
        group: GroupId,
        cause: Cause,
        command: roster::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let registered = self.groups.look(&caller.org, group, |group| group.state.details.is_some()).await?;
        if !registered {
            return Err(Problem::rejected(&group::Refusal::Unknown));
        }
        caller.may_group(group)?;
        Ok(Answer(self.rosters.transact(&caller.org, group, cause, command, reply).await?))
    }
}
