//! Correct attendance.

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, AttendanceMode, Mark},
    member,
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Caller, Command, Path, Private, Problem, Problems};

use crate::{Attendance, op};

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
    #[schema(value_type = meeting::Reason)]
    reason: Private<meeting::Reason>,
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
    let (permitted, plan) = attendance.require_meeting(&command.caller, meeting).await?;
    let Some((records, enrolled)) = attendance.stands(&command.caller, (meeting, &plan), member).await? else {
        return attendance.corrected_before(&mut command, member).await;
    };
    attendance.known(&command.caller, member).await?;
    command.recognise_by(&attendance.key(&org, member).await?);
    let mut reasons = Vec::with_capacity(records.len());
    for record in records {
        let key = attendance.key(&org, record).await?;
        reasons.push((record, command.seal(&key, record, SealedAs::Correction, &reason)));
    }
    let to = mark.map(|mark| (mark, mode));
    let correct = meeting::Command::Correct { records: reasons, to, enrolled };
    Ok(attendance.meetings.transact(&permitted, command.cause, correct, Reply::DONE).await?)
}

impl Attendance {
    /// All records of the person, and whether they are on the roster of the meeting's date; none for whoever is neither
    /// there nor on the register.
    async fn stands(
        &self,
        caller: &Caller,
        (meeting, plan): (MeetingId, &meeting::Plan),
        member: MemberId,
    ) -> Result<Option<(Vec<MemberId>, bool)>, Problem> {
        let person = self.person(caller, (meeting, plan), member).await?;
        let stands = self.meetings.look(&caller.org, meeting, |meeting| meeting.state.stands(&person)).await?;
        Ok(stands.then_some((person.records, person.enrolled)))
    }

    /// What was answered when the command was done before. Else nothing is told of the member, not even that they are
    /// known.
    async fn corrected_before(
        &self,
        command: &mut Command<op::CorrectAttendance, CorrectionBody>,
        member: MemberId,
    ) -> Result<Answer, Problem> {
        if let Some(key) = self.vault.key(&command.caller.org, member).await? {
            command.recognise_by(&key);
        }
        let done = self.meetings.replayed(&command.cause).await?;
        done.map(Answer).ok_or_else(|| Problem::refused(&member::Refusal::Unknown))
    }
}
