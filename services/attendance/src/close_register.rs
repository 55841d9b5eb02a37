//! Close a register: the meeting was held.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Attendance, op};

/// Close a register: the meeting was held
///
/// Closes the register. From then on a mark is changed by a correction, with a reason. Members without a mark are
/// not recorded; that is not the same as absent.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/hold", tag = "attendance", request_body = Nothing,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The meeting was held"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn close_register(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    command: Command<op::CloseRegister, Nothing>,
) -> Result<Answer, Problem> {
    attendance.simply(command, meeting, meeting::Command::Hold).await
}
