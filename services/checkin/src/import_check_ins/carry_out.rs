//! Lines that were planned, done.

use std::collections::{BTreeMap, HashMap};

use domain::{
    ConcernId, MemberId,
    care::{self, CheckInRecorded, ConcernRaised, EnteredBy},
};
use eventlog::{Position, Reply, TransactError, give_way};
use futures::{StreamExt, TryStreamExt, stream};
use vault::{Key, SealedAs};
use web::{Answer, IMPORT_LINES_AT_ONCE, LineReport, Permitted, Planned, Problem, Run};

use super::{
    SEALED_BYTES,
    plan::{Line, NewCheckIn, Step},
};
use crate::CheckIn;

/// Check-ins of one member in one append, a count: they must fit into it.
const IN_ONE_APPEND: usize = 100;

/// Lines that were refused, and why.
type Refused = Vec<(u32, String)>;

impl CheckIn {
    /// Does what was planned; answers what became of each line, and up to where to read to see it.
    pub(super) async fn record_lines(&self, run: &Run, lines: &[Line]) -> Result<(Vec<LineReport>, Position), Problem> {
        let mut of_member: BTreeMap<MemberId, Vec<usize>> = BTreeMap::new();
        for (nth, line) in lines.iter().enumerate() {
            match &line.step {
                Step::New(new) => of_member.entry(new.member).or_default().push(nth),
                _ => run.progress.step(1),
            }
        }
        let mut recorded = stream::iter(of_member)
            .map(|(member, nths)| self.record_of(run, member, lines, nths))
            .buffered(IMPORT_LINES_AT_ONCE);
        let (mut reached, mut refused) = (Position::START, HashMap::new());
        while let Some((position, left_out)) = recorded.try_next().await? {
            reached = reached.max(position);
            refused.extend(left_out);
        }
        let report = |line: &Line| match refused.get(&line.line) {
            Some(what) => LineReport::rejected(line.line, "member", what.clone()),
            None => line.report(),
        };
        Ok((lines.iter().map(report).collect(), reached))
    }

    /// Records all of one member's.
    async fn record_of(
        &self,
        run: &Run,
        member: MemberId,
        lines: &[Line],
        nths: Vec<usize>,
    ) -> Result<(Position, Refused), Problem> {
        let new = |nth: &usize| match &lines[*nth].step {
            Step::New(new) => Some((lines[*nth].line, &**new)),
            _ => None,
        };
        let news: Vec<_> = nths.iter().filter_map(new).collect();
        let (mut reached, mut refused) = (Position::START, Refused::new());
        let (permitted, key) = match self.still_there(run, member).await {
            Ok(there) => there,
            Err(problem) => {
                let what = problem.refusal().map(str::to_owned).ok_or(problem)?;
                return Ok((reached, news.iter().map(|(line, _)| (*line, what.clone())).collect()));
            }
        };
        for some in news.chunks(IN_ONE_APPEND) {
            match self.append(run, (&permitted, &key), some).await {
                Ok(position) => reached = reached.max(position),
                Err(TransactError::Refused(_)) => {
                    // Somebody else was there between the plan and now: what still can be is recorded.
                    for one in some {
                        match self.append(run, (&permitted, &key), std::slice::from_ref(one)).await {
                            Ok(position) => reached = reached.max(position),
                            Err(TransactError::Refused(refusal)) => refused.push((one.0, refusal.to_string())),
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
            run.progress.step(some.len());
        }
        Ok((reached, refused))
    }

    /// The member's key, if something may be written of them now.
    async fn still_there(&self, run: &Run, member: MemberId) -> Result<(Permitted<MemberId>, Key), Problem> {
        self.members.require_changeable(&run.caller, member, false).await?;
        Ok((run.caller.require_member(member, false)?, self.members.key(run.org(), member).await?))
    }

    async fn append(
        &self,
        run: &Run,
        (member, key): (&Permitted<MemberId>, &Key),
        news: &[(u32, &NewCheckIn)],
    ) -> Result<Position, TransactError<care::Refusal>> {
        let mut all = Vec::with_capacity(news.len());
        for (_, new) in news {
            give_way(SEALED_BYTES).await;
            all.push(sealed(run, key, new));
        }
        let record = care::Command::RecordAll(all);
        let Answer(done) = self.cares.transact(member, run.cause.clone(), record, Reply::DONE).await?;
        Ok(done.position)
    }
}

fn sealed(run: &Run, key: &Key, new: &NewCheckIn) -> (CheckInRecorded, Option<ConcernRaised>) {
    let NewCheckIn { id, edition, when, language, given, raises, .. } = new;
    let recorded = CheckInRecorded {
        check_in: *id,
        edition: edition.clone(),
        when: *when,
        language: language.clone(),
        entered_by: EnteredBy::Imported(run.caller.subject.clone()),
        answers: run.seal(key, *id, SealedAs::Answers, given),
    };
    let concern = raises.as_ref().map(|(raising, cause)| {
        let concern = ConcernId(run.org_key.id(&format!("concern of check-in\0{id}")));
        raising.sealed(concern, run.seal(key, concern, SealedAs::Concern, cause))
    });
    (recorded, concern)
}
