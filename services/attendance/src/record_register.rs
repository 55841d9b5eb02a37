//! Record a whole register at once.

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, AttendanceMode, MARKS_MAX, Mark, NewMark},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Attendance, op};

/// Marks of many members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterBody {
    /// At most 1,000.
    #[schema(max_items = 1000)]
    marks: Vec<MemberMark>,
}

/// Whether and how one member came.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberMark {
    member: MemberId,
    mark: Mark,
    #[serde(default)]
    mode: Option<AttendanceMode>,
}

/// Record a register
///
/// Marks many members at once: all of them, or none and each mistake named. Members who are not in it keep the
/// mark that they have, or stay without one.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/attendance", tag = "attendance", request_body = RegisterBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The marks stand"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn record_register(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    command: Command<op::RecordRegister, RegisterBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: RegisterBody { marks }, .. } = command;
    if marks.len() > MARKS_MAX {
        return Err(Problem::malformed(format!("marks has {} members, at most {MARKS_MAX} are possible", marks.len())));
    }
    let (permitted, plan) = attendance.require_meeting(&caller, meeting).await?;
    let people = attendance.people(&caller, (meeting, &plan), marks.iter().map(|mark| mark.member)).await?;
    let marks =
        people.into_iter().zip(marks).map(|(person, MemberMark { mark, mode, .. })| NewMark { person, mark, mode });
    let record = meeting::Command::Record(marks.collect());
    Ok(attendance.meetings.transact(&permitted, cause, record, Reply::DONE).await?)
}
