//! Lines that were planned, done: each meeting at once.

use std::{collections::HashMap, sync::Arc};

use domain::{
    MemberId, Sealed,
    meeting::{self, Past, PastMark, Stands},
};
use eventlog::{Position, Reply, TransactError};
use futures::{StreamExt, TryStreamExt, stream};
use vault::SealedAs;
use web::{Answer, LineReport, Permitted, Planned, Problem, Run};

use super::plan::{Line, OfMeeting};
use crate::Attendance;

/// Meetings that are written at once, a count.
const MEETINGS_AT_ONCE: usize = 32;
/// Why a closed register was changed: it says nothing of anybody.
const IMPORTED: &[u8] = b"imported";

/// Lines that were refused, and why.
type Refused = HashMap<u32, String>;

impl Attendance {
    /// Does what was planned; answers what became of each line, and up to where to read to see it.
    pub(super) async fn record_lines(&self, run: &Run, lines: &[Line]) -> Result<(Vec<LineReport>, Position), Problem> {
        let mut meetings: Vec<Arc<OfMeeting>> = vec![];
        for of in lines.iter().filter_map(|line| line.of.as_ref()) {
            if of.refused.get().is_none() && !meetings.iter().any(|other| other.meeting == of.meeting) {
                meetings.push(of.clone());
            }
        }
        let mut written = stream::iter(meetings)
            .map(|of| async move {
                let (position, refused) = self.record_meeting(run, &of).await?;
                let _ = of.refused.set(refused); // by nobody else: files are imported one after the other
                Ok::<_, Problem>(position)
            })
            .buffer_unordered(MEETINGS_AT_ONCE);
        let mut reached = Position::START;
        while let Some(position) = written.try_next().await? {
            reached = reached.max(position);
        }
        run.progress.step(lines.len());
        let report = |line: &Line| {
            let refused = line.of.as_ref().and_then(|of| of.refused.get()?.get(&line.line));
            refused.map_or_else(|| line.report(), |what| LineReport::rejected(line.line, "member", what.clone()))
        };
        Ok((lines.iter().map(report).collect(), reached))
    }

    /// Writes all of a meeting's.
    async fn record_meeting(&self, run: &Run, of: &OfMeeting) -> Result<(Position, Refused), Problem> {
        let permitted = run.caller.require_meeting(of.meeting, of.past.plan.group)?;
        let (mut marks, mut refused) = (vec![], Refused::new());
        for (line, mark) in of.lines.iter().zip(&of.past.marks) {
            // Whoever was erased or merged since the plan is so.
            match self.known.require_changeable(&run.caller, mark.person.member, false).await {
                Ok(()) => marks.push((*line, self.sealed(run, of, mark).await?)),
                Err(problem) => {
                    let what = problem.refusal().map(str::to_owned).ok_or(problem)?;
                    refused.insert(*line, what);
                }
            }
        }
        if marks.is_empty() {
            return Ok((Position::START, refused));
        }
        let mut reached = Position::START;
        match self.append(run, &permitted, &of.past, marks.iter().map(|(_, mark)| mark.clone()).collect()).await {
            Ok(position) => reached = reached.max(position),
            Err(TransactError::Refused(_)) => {
                // Somebody else was there between the plan and now: what still can be is recorded.
                for (line, mark) in &marks {
                    match self.append(run, &permitted, &of.past, vec![mark.clone()]).await {
                        Ok(position) => reached = reached.max(position),
                        Err(TransactError::Refused(refusal)) => drop(refused.insert(*line, refusal.to_string())),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        // Another mark that somebody else made meanwhile stays.
        let otherwise = |state: &meeting::State| -> Vec<u32> {
            let lines = marks.iter().filter(|(_, mark)| state.stands_already(mark) == Stands::Otherwise);
            lines.map(|(line, _)| *line).collect()
        };
        let otherwise = self.meetings.look(run.org(), of.meeting, |meeting| otherwise(&meeting.state)).await?;
        refused.extend(otherwise.into_iter().map(|line| (line, "the register says something else by now".to_owned())));
        Ok((reached, refused))
    }

    async fn append(
        &self,
        run: &Run,
        meeting: &Permitted<domain::MeetingId>,
        past: &Past,
        marks: Vec<PastMark>,
    ) -> Result<Position, TransactError<meeting::Refusal>> {
        let command = meeting::Command::Past(Past { marks, plan: past.plan, at: past.at });
        let Answer(done) = self.meetings.transact(meeting, run.cause.clone(), command, Reply::DONE).await?;
        Ok(done.position)
    }

    /// The mark, of who has a place that day by now, with why for each of the person's records.
    async fn sealed(&self, run: &Run, of: &OfMeeting, mark: &PastMark) -> Result<PastMark, Problem> {
        let person = self.person(&run.caller, (of.meeting, &of.past.plan), mark.person.member).await?;
        let mut reasons: Vec<(MemberId, Sealed)> = Vec::with_capacity(person.records.len());
        for record in &person.records {
            let key = self.key(run.org(), *record).await?;
            reasons.push((*record, key.seal(run.org(), record.0, SealedAs::Correction, IMPORTED)));
        }
        Ok(PastMark { person, reasons, ..mark.clone() })
    }
}
