//! Reopen a register that was closed by mistake.

use axum::extract::State;
use domain::{MeetingId, meeting};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, Why, op};

/// Reopen a register
///
/// Takes back that a meeting was held: its register was closed by mistake. Marks, heads and what was kept of how it went
/// stay, and can be changed as before; the meeting does not count as held until the register is closed again. What members
/// had said of how they feel ended when it was closed, and does not come back: say it anew, if it is to be read.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/reopen", tag = "attendance", request_body = Why,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The register is open"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn reopen_register(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::ReopenRegister, Why>,
) -> Result<Answer, Problem> {
    let why = command.body.reason.clone();
    let reason = attendance.seal_reason(&mut command, meeting, &why).await?;
    attendance.simply(command, meeting, meeting::Command::Reopen { reason }).await
}
