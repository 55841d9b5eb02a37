//! Reinstate a meeting.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, Why, op};

/// Reinstate a meeting
///
/// Takes back that it was cancelled or did not occur: it is planned again.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/reinstate", tag = "attendance", request_body = Why,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The meeting is planned again"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn reinstate_meeting(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::ReinstateMeeting, Why>,
) -> Result<Answer, Problem> {
    let why = command.body.reason.clone();
    let reason = attendance.seal_reason(&mut command, meeting, &why).await?;
    attendance.simply(command, meeting, meeting::Command::Reinstate { reason }).await
}
