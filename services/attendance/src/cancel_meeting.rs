//! Cancel a meeting.

use axum::extract::State;
use domain::{MeetingId, meeting};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::{Attendance, Why};

/// Cancel a meeting
///
/// It was called off beforehand. Not possible once attendance was recorded.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/cancel", tag = "attendance", request_body = Why,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The meeting is cancelled"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn cancel_meeting(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::CancelMeeting, Why>,
) -> Result<Answer, Problem> {
    let why = command.body.reason.clone();
    let reason = attendance.seal_reason(&mut command, meeting, &why).await?;
    let Command { caller, cause, .. } = command;
    let command = meeting::Command::Cancel { reason };
    attendance.transact(&caller, meeting, cause, command, Reply::DONE).await
}
