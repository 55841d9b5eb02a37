//! Report a meeting: all that somebody has to say of it, at once.

mod answer;
mod body;

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::State;
use domain::{
    MeetingId, MemberId, Sealed,
    meeting::{self, Plan, Report, ReportedMark},
};
use eventlog::{Answers, Reply};
use vault::SealedAs;
use web::{Answer, Caller, Command, Path, Problem, Problems};

use self::{answer::ReportAnswer, body::ReportBody};
use crate::{Attendance, op};

/// Report a meeting
///
/// Marks, walk-ins, heads and what became of the meeting, in one step, for a page that may have been offline. The register
/// is opened if that is needed. Each line says what it was based on, which is what the register said when it was entered; the
/// answer says of each line what became of it, and what stands now:
///
/// - `applied`: done.
/// - `same`: it stood so already, whoever had said it.
/// - `differs`: somebody else has changed it meanwhile, so it was left as it stands. To change it all the same, send the line
///   again, based on what stands.
/// - `reason_needed`: the register is closed, and no reason was given. With `reason`, a mark is corrected.
/// - `refused`: it cannot be; `code` and `detail` say why, as problems do.
///
/// No line keeps another from being done. What was said of the meeting before is not changed: to open its register again, or
/// to reinstate it, is an operation of its own.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/report", tag = "attendance", request_body = ReportBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 200, description = "What became of each line", body = ReportAnswer), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn report_meeting(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::ReportMeeting, ReportBody>,
) -> Result<Answer, Problem> {
    command.body.check()?;
    let (permitted, plan) = attendance.require_meeting(&command.caller, meeting).await?;
    let why = command.body.reason.clone();
    let reason = match &why {
        Some(why) => Some(attendance.seal_reason(&mut command, meeting, why).await?),
        None => None,
    };
    let mut marks = attendance.lines(&command.caller, (meeting, &plan), &command.body).await?;
    if let Some(why) = &why {
        attendance.seal_reasons(&mut command, meeting, (&mut marks, why)).await?;
    }
    let ReportBody { heads, outcome, walk_ins, .. } = command.body;
    let (heads, outcome) = (heads.map(Into::into), outcome.map(Into::into));
    let report = Arc::new(Report { at: command.cause.at, marks, heads, outcome, reason });
    let said = report.clone();
    let answer = move |state: &meeting::State| match state.reported(&said) {
        Ok(reported) => Reply::json(200, &ReportAnswer::of(&said, reported, walk_ins.len())),
        // Then it is refused, and this is not sent.
        Err(_) => Reply::DONE,
    };
    let report = meeting::Command::Report(report);
    Ok(attendance.meetings.transact(&permitted, command.cause, report, Answers::Of(Box::new(answer))).await?)
}

impl Attendance {
    /// The lines of a report, each with whom it is about; those who walked in come last.
    async fn lines(
        &self,
        caller: &Caller,
        of: (MeetingId, &Plan),
        body: &ReportBody,
    ) -> Result<Vec<ReportedMark>, Problem> {
        let said: Vec<_> = body.lines().collect();
        let people = self.people(caller, of, said.iter().map(|line| line.member)).await?;
        let mut lines = Vec::with_capacity(said.len());
        for (mut person, line) in people.into_iter().zip(said) {
            if line.walks_in && !person.erased {
                person.erased = !self.is_known(caller, person.member).await?;
            }
            let body::Line { says, based_on, walks_in, .. } = line;
            lines.push(ReportedMark { person, says, based_on, walks_in, reasons: BTreeMap::new() });
        }
        Ok(lines)
    }

    /// Seals why for each record of which something may be corrected.
    async fn seal_reasons(
        &self,
        command: &mut Command<op::ReportMeeting, ReportBody>,
        meeting: MeetingId,
        (lines, why): (&mut [ReportedMark], &web::Private<meeting::Reason>),
    ) -> Result<(), Problem> {
        let org = command.caller.org.clone();
        let stands = |meeting: &eventlog::Loaded<meeting::State>| -> Vec<bool> {
            lines.iter().map(|line| line.walks_in || meeting.state.stands(&line.person)).collect()
        };
        let stands = self.meetings.look(&org, meeting, stands).await?;
        for (line, stands) in lines.iter_mut().zip(stands) {
            if line.person.erased || !stands {
                continue; // of nobody there is nothing to seal with
            }
            for record in line.person.records.clone() {
                let sealed = self.seal_correction(command, record, why).await?;
                line.reasons.insert(record, sealed);
            }
        }
        Ok(())
    }

    async fn seal_correction(
        &self,
        command: &mut Command<op::ReportMeeting, ReportBody>,
        record: MemberId,
        why: &web::Private<meeting::Reason>,
    ) -> Result<Sealed, Problem> {
        let key = self.key(&command.caller.org, record).await?;
        Ok(command.seal(&key, record, SealedAs::Correction, why))
    }
}
