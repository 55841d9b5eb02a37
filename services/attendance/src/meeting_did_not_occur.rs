//! Say that a meeting did not occur.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, Why, op};

/// Say that a meeting did not occur
///
/// It was not called off, and did not take place all the same. Also of a meeting whose register was closed by mistake: not
/// possible as long as the register says that somebody came.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/did-not-occur", tag = "attendance", request_body = Why,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The meeting did not occur"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn meeting_did_not_occur(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::MeetingDidNotOccur, Why>,
) -> Result<Answer, Problem> {
    let why = command.body.reason.clone();
    let reason = attendance.seal_reason(&mut command, meeting, &why).await?;
    attendance.simply(command, meeting, meeting::Command::DidNotOccur { reason }).await
}
