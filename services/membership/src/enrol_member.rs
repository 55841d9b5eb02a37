//! Enrol a member.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    roster::{Ask, BeyondReason, End},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{
    Membership,
    days::{EndedAs, IfFull},
    op,
};

/// Who, from when, until when if that is known, and whether they would wait.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentBody {
    /// A member who is registered; a new one, of whom nothing is known, if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// First day on the roster; may be in the past.
    starts_on: Date,
    /// Last day on the roster, if it is known. A place is needed from today to then: none, if it is past. Who waits has
    /// none.
    #[serde(default)]
    ends_on: Option<Date>,
    /// How it ended, if it has a last day; withdrawn if not given.
    #[serde(default)]
    ended_as: EndedAs,
    /// What is to be done if the group has no place from that day on; refuse if not given.
    #[serde(default)]
    if_full: IfFull,
    /// Why there is one more place, if there is.
    #[serde(default)]
    beyond_reason: Option<BeyondReason>,
}

/// The member who is enrolled or waits: the record under which they go on, if another one was named.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Enrolled {
    member: MemberId,
}

/// Enrol a member
///
/// Puts a member on the group's roster from a day on: somebody new, or somebody who applied. A member can be in many
/// groups. If the group is full, the member can wait instead, and is enrolled as soon as it is their turn; or an admin or
/// a coordinator decides that there is one more place for them. A time that is over needs no place: it is recorded with
/// its last day. What was taken back as entered in error and is over keeps the end that it had, if it is recorded again
/// without one and there is no place now. What a facilitator records opens nothing of the member's record until it is
/// confirmed.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments", tag = "membership", request_body = EnrolmentBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 201, description = "The member is enrolled, or waits if that was asked for", body = Enrolled), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn enrol_member(
    State(membership): State<Membership>,
    Path(group): Path<GroupId>,
    command: Command<op::EnrolMember, EnrolmentBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let EnrolmentBody { member: named, starts_on, ends_on, ended_as, if_full, beyond_reason } = body;
    let if_full = match ends_on {
        Some(_) => if_full.at_once(&caller, beyond_reason)?,
        None => if_full.by(&caller, beyond_reason)?,
    };
    let member = match named {
        Some(member) => member,
        None => membership.vault.new_member(&caller.org, cause.id).await?,
    };
    let ask = match ends_on {
        Some(on) => Ask::Record { member, starts_on, end: End { on, completed: ended_as.completed() }, if_full },
        None => Ask::Enrol { member, starts_on, if_full },
    };
    let reply = |member| Reply::json(201, &Enrolled { member });
    membership.admit(&caller, (group, member), named.is_none(), cause, ask, reply).await
}
