//! Add a walk-in.

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, AttendanceMode, Mark, NewMark},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Attendance;

/// Someone who is not on the roster and came.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalkInBody {
    /// Who, if they have been here before; a new member if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// Present or late.
    mark: Mark,
    #[serde(default)]
    mode: Option<AttendanceMode>,
}

/// The member who walked in.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct WalkIn {
    member: MemberId,
}

/// Add a walk-in
///
/// Adds someone who is not on the roster, with their mark, in one step. It does not enrol them in the group.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/walk-ins", tag = "attendance", request_body = WalkInBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 201, description = "The walk-in is on the register", body = WalkIn), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn add_walk_in(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    command: Command<op::AddWalkIn, WalkInBody>,
) -> Result<Answer, Problem> {
    let new = MemberId(command.new_id("member"));
    let Command { caller, cause, body: WalkInBody { member, mark, mode }, .. } = command;
    let member = member.unwrap_or(new);
    let plan = attendance.plan(&caller, meeting).await?;
    let enrolled = attendance.enrolled(&caller, &plan, std::iter::once(member)).await? == [true];
    let command = meeting::Command::AddWalkIn(NewMark { member, mark, mode, enrolled });
    attendance.transact(&caller, meeting, cause, command, Reply::json(201, &WalkIn { member })).await
}
