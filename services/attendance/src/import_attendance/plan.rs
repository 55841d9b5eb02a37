//! What is to be done with each line: all that it needs is looked at before anything of it is written.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use domain::{
    Decider, MeetingId, MemberId,
    meeting::{self, Meeting, Past, PastMark, Stands},
    member::Profile,
};
use eventlog::give_way;
use vault::Blind;
use web::{Became, IfDuplicate, LineReport, Planned, Problem, Run};

use super::{AttendanceLine, days::Met};
use crate::Attendance;

/// What looking somebody up counts as among the work of an import, in bytes: after a few, others go on.
const LOOKED_UP_BYTES: usize = 4 * 1024;

/// A line and what is to be done with it.
#[derive(Debug)]
#[allow(clippy::struct_field_names)] // its number has no other name anywhere
pub(super) struct Line {
    pub line: u32,
    pub step: Step,
    /// With all that is to be written of its meeting, if something is by this line.
    pub of: Option<Arc<OfMeeting>>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// To be written; whether the register says something else until then.
    Write(MemberId, bool),
    /// It says the same.
    Matched(MemberId),
    /// It says something else, or an earlier line does, or that line says the same.
    Duplicate(MemberId, Option<u32>, &'static str),
    /// Nobody is here whom it could be about.
    Unmatched,
    /// The field, and what is wrong with it.
    Rejected(Cow<'static, str>, String),
}

impl Planned for Line {
    fn report(&self) -> LineReport {
        let of = |became, member| LineReport { member: Some(member), ..LineReport::new(self.line, became) };
        match &self.step {
            Step::Write(member, false) => of(Became::New, *member),
            Step::Write(member, true) => of(Became::Changed, *member),
            Step::Matched(member) => of(Became::Matched, *member),
            Step::Duplicate(member, other_line, what) => LineReport {
                other_line: *other_line,
                field: Some("on".into()),
                what: Some((*what).into()),
                ..of(Became::Duplicate, *member)
            },
            Step::Unmatched => LineReport::new(self.line, Became::Unmatched),
            Step::Rejected(field, what) => LineReport::rejected(self.line, field.clone(), what.clone()),
        }
    }
}

/// All that a file says of a meeting, which is written at once, with the first line of it that is.
#[derive(Debug)]
pub(super) struct OfMeeting {
    pub meeting: MeetingId,
    pub past: Past,
    /// The number of the line of each mark.
    pub lines: Vec<u32>,
    /// Lines that were refused, and why, once it is written.
    pub refused: OnceLock<HashMap<u32, String>>,
}

/// A meeting as it will be after the lines so far.
struct SoFar {
    met: Met,
    /// What is known of it; none if no mark of the past can be made, and why.
    state: Result<meeting::State, String>,
    /// Whom lines were about, by the person.
    said: HashMap<MemberId, (u32, meeting::Mark, Option<meeting::AttendanceMode>)>,
    marks: Vec<(u32, PastMark)>,
}

impl Attendance {
    /// What is to be done with each line, in their order.
    pub(super) async fn plan_lines(&self, run: &Run, lines: Vec<AttendanceLine>) -> Result<Vec<Line>, Problem> {
        let mut days = self.days(run, &lines).await?;
        let (mut so_far, mut all) = (HashMap::<MeetingId, SoFar>::new(), Vec::with_capacity(lines.len()));
        let mut meetings = Vec::with_capacity(lines.len());
        for line in lines {
            let number = line.line;
            let met = self.met((run.org(), run.cause.at), &mut days, &line).await?;
            let (step, meeting) = match (self.whom(run, &line).await?, met) {
                (Err(step), _) => (step, None),
                (_, Err((field, what))) => (Step::Rejected(field.into(), what), None),
                (Ok(member), Ok(met)) => {
                    let meeting = met.meeting;
                    let of = so_far.entry(meeting).or_insert_with(|| SoFar::new(met, run));
                    (self.settle(run, of, line, member).await?, Some(meeting))
                }
            };
            meetings.push(meeting.filter(|_| matches!(step, Step::Write(..))));
            all.push(Line { line: number, step, of: None });
            run.progress.step(1);
            give_way(LOOKED_UP_BYTES).await;
        }
        let written: HashMap<_, _> =
            so_far.into_iter().map(|(meeting, of)| (meeting, Arc::new(of.all(meeting, run)))).collect();
        for (line, meeting) in all.iter_mut().zip(meetings) {
            line.of = meeting.and_then(|meeting| written.get(&meeting).cloned());
        }
        Ok(all)
    }

    async fn whom(&self, run: &Run, line: &AttendanceLine) -> Result<Result<MemberId, Step>, Problem> {
        let (org, mut people) = (run.org(), BTreeSet::new());
        if let Some(member) = line.member {
            people.insert(self.known.there(org, member).await?.map(|(member, _)| member));
        }
        let by_id = line.external_id.as_ref().map(|id| {
            let external_ids = Some(vec![id.in_clear().clone()]);
            Profile { external_ids, ..Profile::default() }
        });
        let by_contact = line.contact.as_ref().map(|contact| {
            let Profile { email, phone, .. } = contact.in_clear().clone();
            Profile { email, phone, ..Profile::default() }
        });
        for profile in [by_id, by_contact].into_iter().flatten() {
            let blinds = Blind::all(&run.org_key, self.vault.country(), &profile);
            let sharing = self.known.sharing(org, &blinds).await?;
            people.extend(sharing.iter().map(|(member, _)| Some(*member)));
            people.extend(sharing.is_empty().then_some(None));
        }
        let member = match people.into_iter().collect::<Vec<_>>()[..] {
            [Some(member)] => member,
            [None] => return Ok(Err(Step::Unmatched)),
            _ => return Ok(Err(Step::Rejected("external_id".into(), "more than one member could be meant".into()))),
        };
        match self.known.require_changeable(&run.caller, member, false).await {
            Ok(()) => Ok(Ok(member)),
            Err(problem) => {
                let what = problem.refusal().map(str::to_owned).ok_or(problem)?;
                Ok(Err(Step::Rejected("member".into(), what)))
            }
        }
    }

    /// Settles a line after those before it.
    async fn settle(&self, run: &Run, of: &mut SoFar, line: AttendanceLine, member: MemberId) -> Result<Step, Problem> {
        let state = match &of.state {
            Ok(state) => state,
            Err(what) => return Ok(Step::Rejected("on".into(), what.clone())),
        };
        let AttendanceLine { line, mark, mode, walk_in, .. } = line;
        if let Some((other, other_mark, other_mode)) = of.said.get(&member) {
            let same = (mark, mode) == (*other_mark, *other_mode);
            let what = if same { "says the same as another line" } else { "another line says something else" };
            return Ok(Step::Duplicate(member, Some(*other), what));
        }
        let person = self.person(&run.caller, (of.met.meeting, &of.met.plan), member).await?;
        let replaces = run.duplicates == IfDuplicate::Import;
        let past = PastMark { person, mark, mode, walks_in: walk_in, replaces, reasons: vec![] };
        let stands = state.stands_already(&past);
        match stands {
            Stands::Same => {
                of.said.insert(member, (line, mark, mode));
                return Ok(Step::Matched(member));
            }
            Stands::Otherwise if !replaces => {
                return Ok(Step::Duplicate(member, None, "the register says something else"));
            }
            Stands::No if !past.person.enrolled && !walk_in => {
                let what = "had no place in the group that day; can be recorded as a walk-in";
                return Ok(Step::Rejected("member".into(), what.into()));
            }
            Stands::Otherwise | Stands::No => {}
        }
        match would(run, state, &past) {
            Err(refusal) => Ok(Step::Rejected("mark".into(), refusal.to_string())),
            Ok(after) => {
                of.state = Ok(after);
                of.said.insert(member, (line, mark, mode));
                of.marks.push((line, past));
                Ok(Step::Write(member, stands == Stands::Otherwise))
            }
        }
    }
}

/// The meeting after a mark, as far as that can be said without sealing anything.
fn would(run: &Run, state: &meeting::State, past: &PastMark) -> Result<meeting::State, meeting::Refusal> {
    let nothing = run.org_key.seal(run.org(), past.person.member.0, vault::SealedAs::Correction, b"");
    let reasons = past.person.records.iter().map(|record| (*record, nothing.clone())).collect();
    let events = state.past_mark(&PastMark { reasons, ..past.clone() })?;
    Ok(events.iter().fold(state.clone(), Meeting::evolve))
}

impl SoFar {
    fn new(met: Met, run: &Run) -> Self {
        let state = match met.state.begin_past(met.plan, run.cause.at) {
            Ok(events) => Ok(events.iter().fold(met.state.clone(), Meeting::evolve)),
            Err(refusal) => Err(refusal.to_string()),
        };
        Self { met, state, said: HashMap::new(), marks: vec![] }
    }

    fn all(self, meeting: MeetingId, run: &Run) -> OfMeeting {
        let (lines, marks) = self.marks.into_iter().unzip();
        let past = Past { plan: self.met.plan, at: run.cause.at, marks };
        OfMeeting { meeting, past, lines, refused: OnceLock::new() }
    }
}
