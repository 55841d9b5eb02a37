//! Take a mark back.

use axum::extract::State;
use domain::{MeetingId, MemberId, meeting};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Attendance, op};

/// Take attendance back
///
/// While the register is open: the member is not recorded after all, and somebody who walked in is not on it any more.
/// Done as well if there was no mark, whoever was named. Once the register is closed, correct it, without a mark.
#[utoipa::path(delete, path = "/v1/meetings/{meeting}/attendance/{member}", tag = "attendance", request_body = Nothing,
    params(("meeting" = MeetingId, Path, description = "The meeting"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The register says nothing of the member"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn take_back_attendance(
    State(attendance): State<Attendance>,
    Path((meeting, member)): Path<(MeetingId, MemberId)>,
    command: Command<op::TakeBackAttendance>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let (permitted, plan) = attendance.require_meeting(&caller, meeting).await?;
    let person = attendance.person(&caller, (meeting, &plan), member).await?;
    Ok(attendance.meetings.transact(&permitted, cause, meeting::Command::TakeBack(person), Reply::DONE).await?)
}
