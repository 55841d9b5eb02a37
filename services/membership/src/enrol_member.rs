//! Enrol a member.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    member::{self, Fields},
    roster,
};
use eventlog::{Cause, Reply};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Caller, Command, Path, Problem, Problems, op};

use crate::{Membership, merge_member::part_of};

/// Who, and from when.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentBody {
    /// A member who is registered; a new one, of whom nothing is known, if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// First day on the roster; may be in the past.
    #[schema(value_type = String, format = Date)]
    starts_on: Date,
}

/// The member who is enrolled.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Enrolled {
    member: MemberId,
}

/// Enrol a member
///
/// Puts a member on the group's roster from a day on. A member can be in many groups.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments", tag = "membership", request_body = EnrolmentBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 201, description = "The member is enrolled", body = Enrolled), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn enrol_member(
    State(membership): State<Membership>,
    Path(group): Path<GroupId>,
    command: Command<op::EnrolMember, EnrolmentBody>,
) -> Result<Answer, Problem> {
    let new = MemberId(command.new_id("member"));
    let Command { caller, cause, body: EnrolmentBody { member, starts_on }, .. } = command;
    membership.reach_group(&caller, group).await?;
    let member = match member {
        Some(member) => membership.record(&caller.org, member).await.map(|_| member)?,
        None => membership.nameless(&caller, new, &cause).await?,
    };
    let command = roster::Command::Enrol { member, starts_on };
    membership.transact(&caller, group, cause, command, Reply::json(201, &Enrolled { member })).await
}

impl Membership {
    /// Registers somebody of whom nothing is known yet.
    async fn nameless(&self, caller: &Caller, member: MemberId, cause: &Cause) -> Result<MemberId, Problem> {
        let command = member::Command::Register(Fields::new());
        self.members.transact(&caller.org, member, part_of(cause), command, Reply::DONE).await?;
        Ok(member)
    }
}
