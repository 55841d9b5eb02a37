//! Close a meeting: it was held.

use axum::extract::State;
use domain::{MeetingId, meeting};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems, op};

use crate::Attendance;

/// Close a meeting: it was held
///
/// Closes the register. From then on a mark is changed by a correction, with a reason. Members without a mark are
/// not recorded; that is not the same as absent.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/hold", tag = "attendance", request_body = Nothing,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The meeting was held"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn hold_meeting(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    command: Command<op::HoldMeeting, Nothing>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let command = meeting::Command::Hold;
    attendance.transact(&caller, meeting, cause, command, Reply::DONE).await
}
