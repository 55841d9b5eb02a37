//! A line that was planned, done.

use domain::{
    MemberId,
    member::{self, Fields, Profile},
    roster::{Ask, IfFull},
};
use eventlog::{Cause, Position, Reply, TransactError};
use vault::{Blind, VaultError, seal_profile};
use web::{Caller, Problem};

use super::{
    LineReport,
    plan::{Line, Step},
};
use crate::{Membership, merge_member::part_of};

/// Why a line ends here.
enum Halt {
    /// Somebody else was there between the plan and now.
    Refused(&'static str, String),
    Failed(Problem),
}

impl Membership {
    /// Does what was planned; answers what became of the line, and up to where to read to see it.
    pub(super) async fn carry_out(
        &self,
        caller: &Caller,
        cause: &Cause,
        line: Line,
    ) -> Result<(LineReport, Position), Problem> {
        match self.write(caller, &part_of(cause), &line).await {
            Ok(position) => Ok((line.report(), position)),
            Err(Halt::Refused(field, what)) => Ok((LineReport::rejected(line.line, field, what), Position::START)),
            Err(Halt::Failed(problem)) => Err(problem),
        }
    }

    async fn write(&self, caller: &Caller, cause: &Cause, line: &Line) -> Result<Position, Halt> {
        let (member, mut reached) = match line.step {
            Step::New(member) => (member, self.register(caller, cause, member, &line.profile).await?),
            Step::Known(member, true) => (member, self.change(caller, cause, member, &line.profile).await?),
            _ => return Ok(Position::START),
        };
        for enrolment in &line.enrolments {
            let ask = Ask::Enrol { member, starts_on: enrolment.starts_on, if_full: IfFull::Refuse };
            let command = self.ask(caller, enrolment.group, cause, ask).await.map_err(Halt::Failed)?;
            let done = self.rosters.transact(&caller.org, enrolment.group, cause.clone(), command, Reply::DONE).await;
            reached = reached.max(done.map_err(|error| halt("enrolments", error))?.position);
        }
        Ok(reached)
    }

    async fn register(
        &self,
        caller: &Caller,
        cause: &Cause,
        member: MemberId,
        profile: &Profile,
    ) -> Result<Position, Halt> {
        let org = &caller.org;
        let fields = if *profile == Profile::default() {
            Fields::new()
        } else {
            let blinds = Blind::all(&self.vault.org_key(org).await.map_err(erased)?, profile);
            let key = self.vault.index(org, member, blinds).await.map_err(erased)?;
            seal_profile(&key, org, member.0, profile)
        };
        let register = member::Command::Register(fields);
        let done = self.members.transact(org, member, cause.clone(), register, Reply::DONE).await;
        Ok(done.map_err(|error| halt("member", error))?.position)
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
        let key = self.vault.key_or_new(org, member).await.map_err(erased)?;
        let set = seal_profile(&key, org, member.0, profile);
        let change = member::Command::Change { set, removed: std::collections::BTreeSet::new() };
        match self.members.transact(org, member, cause.clone(), change, Reply::DONE).await {
            Ok(done) => {
                self.index_anew(caller, member, &key).await.map_err(Halt::Failed)?;
                Ok(done.position)
            }
            Err(error) => Err(halt("member", error)),
        }
    }
}

fn halt<R: domain::Rejection>(field: &'static str, error: TransactError<R>) -> Halt {
    match error {
        TransactError::Rejected(refusal) => Halt::Refused(field, refusal.to_string()),
        error => Halt::Failed(error.into()),
    }
}

fn erased(error: VaultError) -> Halt {
    match error {
        VaultError::Erased => Halt::Refused("member", member::Refusal::Unknown.to_string()),
        error @ VaultError::Unavailable(_) => Halt::Failed(error.into()),
    }
}
