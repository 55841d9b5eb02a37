//! Open a meeting.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Attendance, op};

/// Open a meeting
///
/// Its register can then be filled in. Possible from 12 hours before its start, and any time after.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/open", tag = "attendance", request_body = Nothing,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The register is open"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn open_meeting(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    command: Command<op::OpenMeeting, Nothing>,
) -> Result<Answer, Problem> {
    let ask = meeting::Command::Open { at: command.cause.at };
    attendance.simply(command, meeting, ask).await
}
