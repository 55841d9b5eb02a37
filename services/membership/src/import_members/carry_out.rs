//! Lines that were planned, done.

use std::collections::BTreeMap;

use domain::{
    GroupId, MemberId,
    member::{self, Fields, Profile},
    roster::{self, Ask, IfFull},
};
use eventlog::{Cause, Position, Reply, TransactError, give_way};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use vault::{VaultError, seal_profile};
use web::{Answer, Caller, IMPORT_LINES_AT_ONCE, LineReport, Planned, Problem, Run};

use super::{
    LineEnrolment, SEALED_BYTES,
    plan::{Line, Step},
};
use crate::Membership;

/// Groups in which people are enrolled at once, a count.
const GROUPS_AT_ONCE: usize = 16;

/// Why a line ends here.
enum Halt {
    /// Somebody else was there between the plan and now.
    Refused(&'static str, String),
    Failed(Problem),
}

/// Somebody to be enrolled, by which line.
struct Place {
    nth: usize,
    member: MemberId,
    starts_on: Date,
}

/// Lines that were refused, and why.
type Refused = Vec<(usize, &'static str, String)>;

impl Membership {
    /// Does what was planned; answers what became of each line, and up to where to read to see it.
    pub(super) async fn write_lines(
        &self,
        Run { caller, cause, progress, .. }: &Run,
        lines: &[Line],
    ) -> Result<(Vec<LineReport>, Position), Problem> {
        let write = |nth: usize| async move {
            let written = self.write(caller, cause, &lines[nth]).await;
            progress.step(1);
            written
        };
        let written: Vec<_> = stream::iter(0..lines.len()).map(write).buffered(IMPORT_LINES_AT_ONCE).collect().await;
        let (mut reached, mut refused, mut groups) = (Position::START, Refused::new(), BTreeMap::new());
        for (nth, (line, written)) in lines.iter().zip(written).enumerate() {
            match written {
                Ok(None) => {}
                Ok(Some((member, position))) => {
                    reached = reached.max(position);
                    // Of who was only found, nothing is new.
                    let enrolments = if let Step::Known(_, false) = line.step { &[][..] } else { &line.enrolments };
                    for LineEnrolment { group, starts_on } in enrolments {
                        let places: &mut Vec<_> = groups.entry(*group).or_default();
                        places.push(Place { nth, member, starts_on: *starts_on });
                    }
                }
                Err(Halt::Refused(field, what)) => refused.push((nth, field, what)),
                Err(Halt::Failed(problem)) => return Err(problem),
            }
        }
        let mut enrolled = stream::iter(groups)
            .map(|(group, places)| self.enrol_all(caller, cause, group, places))
            .buffer_unordered(GROUPS_AT_ONCE);
        while let Some((position, left_out)) = enrolled.try_next().await? {
            reached = reached.max(position);
            refused.extend(left_out);
        }
        drop(enrolled);
        let mut reports: Vec<_> = lines.iter().map(Line::report).collect();
        for (nth, field, what) in refused {
            reports[nth] = LineReport::rejected(lines[nth].line, field, what);
        }
        Ok((reports, reached))
    }

    /// Registers or changes somebody, or finds them; answers who it is.
    async fn write(&self, caller: &Caller, cause: &Cause, line: &Line) -> Result<Option<(MemberId, Position)>, Halt> {
        Ok(match line.step {
            Step::New(member) => Some((member, self.register(caller, cause, member, line).await?)),
            Step::Known(member, true) => Some((member, self.change(caller, cause, member, &line.profile).await?)),
            Step::Known(member, false) => {
                let position = self.members.look(&caller.org, member, |found| found.position).await;
                Some((member, position.map_err(|error| halt("member", error))?))
            }
            Step::Duplicate(..) | Step::Rejected(..) => None,
        })
    }

    /// Enrols all of them with one event each in one append: one after the other, each would wait for the disk.
    async fn enrol_all(
        &self,
        caller: &Caller,
        cause: &Cause,
        group: GroupId,
        mut places: Vec<Place>,
    ) -> Result<(Position, Refused), Problem> {
        let all: Vec<_> = places.iter().map(|place| place.member).collect();
        let erased = self.erased(&caller.org, &all).await?;
        places.retain(|place| !erased.contains(&place.member));
        let all = places.iter().map(|place| (place.member, place.starts_on)).collect();
        if let Ok(position) = self.enrol(caller, cause, group, Ask::EnrolAll(all)).await? {
            return Ok((position, vec![]));
        }
        // Somebody else was there between the plan and now: whoever still can be is enrolled.
        let (mut reached, mut refused) = (Position::START, Refused::new());
        for Place { nth, member, starts_on } in places {
            let ask = Ask::Enrol { member, starts_on, if_full: IfFull::Refuse };
            match self.enrol(caller, cause, group, ask).await? {
                Ok(position) => reached = reached.max(position),
                Err(refusal) => refused.push((nth, "enrolments", refusal.to_string())),
            }
        }
        Ok((reached, refused))
    }

    async fn enrol(
        &self,
        caller: &Caller,
        cause: &Cause,
        group: GroupId,
        ask: Ask,
    ) -> Result<Result<Position, roster::Refusal>, Problem> {
        let (group, command) = self.ask(caller, group, cause, ask).await?;
        match self.on_roster(&group, cause.clone(), command, Reply::DONE).await {
            Ok(Answer(done)) => Ok(Ok(done.position)),
            Err(TransactError::Refused(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(error.into()),
        }
    }

    async fn register(
        &self,
        caller: &Caller,
        cause: &Cause,
        member: MemberId,
        Line { profile, external, others, .. }: &Line,
    ) -> Result<Position, Halt> {
        let org = &caller.org;
        let fields = if *profile == Profile::default() {
            Fields::new()
        } else {
            let blinds = external.iter().chain(others).copied().collect();
            let key = self.vault.index_new(org, member, blinds).await.map_err(erased)?;
            give_way(SEALED_BYTES).await;
            seal_profile(&key, org, member.0, profile)
        };
        let register = member::Command::Register { fields, typed_by: None };
        let done = self.members.transact(&caller.registers(member), cause.clone(), register, Reply::DONE).await;
        if done.is_err() {
            let _ = self.index(org, member).await; // as in `register_member`
        }
        let Answer(done) = done.map_err(|error| halt("member", error))?;
        Ok(done.position)
    }

    async fn change(
        &self,
        caller: &Caller,
        cause: &Cause,
        member: MemberId,
        profile: &Profile,
    ) -> Result<Position, Halt> {
        if *profile == Profile::default() {
            return Ok(Position::START);
        }
        let org = &caller.org;
        let key = self.known.key(org, member).await.map_err(Halt::Failed)?;
        give_way(SEALED_BYTES).await;
        let set = seal_profile(&key, org, member.0, profile);
        let change = member::Command::Change { set, removed: std::collections::BTreeSet::new(), typed: false };
        let may = self.may(org, member, &change).await.map_err(|error| halt("member", error))?;
        may.map_err(|refusal| Halt::Refused("member", refusal.to_string()))?;
        let permitted = caller.require_member(member, false).map_err(Halt::Failed)?;
        match self.members.transact(&permitted, cause.clone(), change, Reply::DONE).await {
            Ok(Answer(done)) => {
                self.index(org, member).await.map_err(Halt::Failed)?;
                Ok(done.position)
            }
            Err(error) => Err(halt("member", error)),
        }
    }
}

fn halt<R: domain::Refusal>(field: &'static str, error: TransactError<R>) -> Halt {
    match error {
        TransactError::Refused(refusal) => Halt::Refused(field, refusal.to_string()),
        error => Halt::Failed(error.into()),
    }
}

fn erased(error: VaultError) -> Halt {
    match error {
        VaultError::Erased => Halt::Refused("member", member::Refusal::Unknown.to_string()),
        error @ (VaultError::Missing(_) | VaultError::Unavailable(_)) => Halt::Failed(error.into()),
    }
}
