//! Correct attendance.

use axum::extract::State;
use domain::{
    MeetingId, MemberId, OrgId,
    meeting::{self, AttendanceMode, Mark},
    member,
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Attendance;

/// What the register shall say, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectionBody {
    /// Missing or null: the member is not recorded after all.
    #[serde(default)]
    mark: Option<Mark>,
    /// Only with a mark of those who came.
    #[serde(default)]
    mode: Option<AttendanceMode>,
    /// Kept sealed.
    reason: meeting::Reason,
}

/// Correct attendance
///
/// Changes a mark after the register was closed, with a reason. The old mark stays in the history.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/attendance/{member}/correction", tag = "attendance",
    request_body = CorrectionBody,
    params(("meeting" = MeetingId, Path, description = "The meeting"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The correction stands"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn correct_attendance(
    State(attendance): State<Attendance>,
    Path((meeting, member)): Path<(MeetingId, MemberId)>,
    mut command: Command<op::CorrectAttendance, CorrectionBody>,
) -> Result<Answer, Problem> {
    let CorrectionBody { mark, mode, ref reason } = command.body;
    if mark.is_none() && mode.is_some() {
        return Err(Problem::malformed("body, at `mode`: there is no mode without a mark"));
    }
    let (org, reason) = (command.caller.org.clone(), reason.clone());
    let plan = attendance.plan(&command.caller, meeting).await?;
    let Some(enrolled) = attendance.stands(&org, (meeting, &plan), member).await? else {
        return attendance.corrected_before(&mut command, member).await;
    };
    attendance.known(&command.caller, member).await?;
    let sealed = attendance.members.look(&org, member, |known| known.state.record().map(|known| known.fields.clone()));
    let sealed = sealed.await?.unwrap_or_default();
    let key = attendance.vault.key_beside(&org, member, &sealed).await?;
    command.about(&key);
    let reason = key.seal(&org, member.0, "correction", reason.as_str().as_bytes());
    let Command { caller, cause, .. } = command;
    let to = mark.map(|mark| (mark, mode));
    let command = meeting::Command::Correct { member, to, enrolled, reason };
    attendance.transact(&caller, meeting, cause, command, Reply::DONE).await
}

impl Attendance {
    /// Whether the member is on the roster of the meeting's date; none for whoever is neither there nor on the register.
    async fn stands(
        &self,
        org: &OrgId,
        (meeting, plan): (MeetingId, &meeting::Plan),
        member: MemberId,
    ) -> Result<Option<bool>, Problem> {
        let day = plan.starts_at_local.date();
        let enrolled = self.rosters.look(org, plan.group, |roster| roster.state.covers(member, day)).await?;
        let marked = self.meetings.look(org, meeting, |meeting| meeting.state.has(member)).await?;
        Ok((enrolled || marked).then_some(enrolled))
    }

    /// What was answered when the command was done before. Else nothing is told of the member, not even that they are
    /// known.
    async fn corrected_before(
        &self,
        command: &mut Command<op::CorrectAttendance, CorrectionBody>,
        member: MemberId,
    ) -> Result<Answer, Problem> {
        if let Some(key) = self.vault.key(&command.caller.org, member).await? {
            command.about(&key);
        }
        let done = self.meetings.replayed(&command.cause).await?;
        done.map(Answer).ok_or_else(|| Problem::refused(&member::Refusal::Unknown))
    }
}
