//! Cancel a meeting.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, Why, op};

/// Cancel a meeting
///
/// It was called off beforehand. Also of a meeting whose register was opened, or closed, by mistake: not possible as long as
/// the register says that somebody came.
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
    attendance.simply(command, meeting, meeting::Command::Cancel { reason }).await
}
