//! Record attendance.

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, AttendanceMode, Mark, NewMark},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, op};

/// Whether and how a member came.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkBody {
    pub mark: Mark,
    /// Only of those who came; if it is not given, the usual one of the meeting: in person, or video if it is virtual.
    #[serde(default)]
    pub mode: Option<AttendanceMode>,
}

/// Record attendance
///
/// Marks a member on the roster of the meeting's date, or a walk-in, as present, late, excused or absent. Sending
/// the same mark again changes nothing; another mark replaces it while the register is open.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/attendance/{member}", tag = "attendance", request_body = MarkBody,
    params(("meeting" = MeetingId, Path, description = "The meeting"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The mark stands"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn record_attendance(
    State(attendance): State<Attendance>,
    Path((meeting, member)): Path<(MeetingId, MemberId)>,
    command: Command<op::RecordAttendance, MarkBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: MarkBody { mark, mode }, .. } = command;
    let (permitted, plan) = attendance.require_meeting(&caller, meeting).await?;
    let person = attendance.person(&caller, (meeting, &plan), member).await?;
    let record = meeting::Command::Record(vec![NewMark { person, mark, mode }]);
    Ok(attendance.meetings.transact(&permitted, cause, record, Reply::DONE).await?)
}
