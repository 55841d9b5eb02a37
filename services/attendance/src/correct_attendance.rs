//! Correct attendance.

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, AttendanceMode, Mark},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Attendance;

/// What the register shall say, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectionBody {
    /// Missing or null: the member is not recorded after all.
    #[serde(default)]
    mark: Option<Mark>,
    /// Only with a mark of those who came.
    #[serde(default)]
    mode: Option<AttendanceMode>,
    /// Kept sealed.
    reason: meeting::Reason,
}

/// Correct attendance
///
/// Changes a mark after the register was closed, with a reason. The old mark stays in the history.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/attendance/{member}/correction", tag = "attendance",
    request_body = CorrectionBody,
    params(("meeting" = MeetingId, Path, description = "The meeting"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The correction stands"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn correct_attendance(
    State(attendance): State<Attendance>,
    Path((meeting, member)): Path<(MeetingId, MemberId)>,
    mut command: Command<op::CorrectAttendance, CorrectionBody>,
) -> Result<Answer, Problem> {
    let CorrectionBody { mark, mode, ref reason } = command.body;
    if mark.is_none() && mode.is_some() {
        return Err(Problem::malformed("body, at `mode`: there is no mode without a mark"));
    }
    let (org, reason) = (command.caller.org.clone(), reason.clone());
    let plan = attendance.plan(&command.caller, meeting).await?;
    attendance.known(&command.caller, member).await?;
    let key = attendance.vault.key_or_new(&org, member).await?;
    command.about(&key);
    let reason = key.seal(&org, member.0, "correction", reason.as_str().as_bytes());
    let Command { caller, cause, .. } = command;
    let enrolled = attendance.enrolled(&caller, &plan, std::iter::once(member)).await? == [true];
    let to = mark.map(|mark| (mark, mode));
    let command = meeting::Command::Correct { member, to, enrolled, reason };
    attendance.transact(&caller, meeting, cause, command, Reply::DONE).await
}
