//! What an erasure and an objection mean for what was disclosed to partners.

use domain::{
    DecodeError, MemberId, OrgId,
    member::Means,
    referral::{Actor, By, Command, Event},
};
use eventlog::{Cause, Reply, TransactError};
use jiff::Timestamp;
use uuid::Uuid;
use web::{Caller, Permitted, Problem, Role};

use crate::Membership;

impl Membership {
    /// Ends all referrals and links of a record that was erased. Also where there was nothing: so nothing comes any more.
    pub async fn end_referrals(&self, org: &OrgId, record: MemberId, at: Timestamp) -> Result<(), Problem> {
        let id = Uuid::new_v5(&record.0, format!("erased {org}").as_bytes());
        let cause = Cause::of_process("erasures", id, at);
        match self.referrals.transact(org, record, cause, Command::Forget(at), Reply::DONE).await {
            Ok(_) | Err(TransactError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Partners that were told something of a record that was erased, each with the referral by which (GDPR Art. 19).
    pub async fn told(&self, org: &OrgId, record: MemberId) -> Result<Vec<String>, Problem> {
        let mut recipients = Vec::new();
        for event in self.referrals.events(org, record).await? {
            let said = event.of::<Event>().map_err(|error: DecodeError| Problem::internal(&error))?;
            let Some(Event::Erased(erased)) = said else { continue };
            for (attempt, partner) in erased.told {
                let name = self
                    .partners
                    .look(org, partner, |known| known.state.as_ref().map(|known| known.details.name.to_string()));
                let name = name.await?.unwrap_or_else(|| partner.to_string());
                recipients.push(format!("{name}, by referral {attempt}"));
            }
        }
        Ok(recipients)
    }

    /// Withdraws all that a person allows partners to be told: an objection that is taken back opens nothing again.
    pub async fn withdraw_disclosures(
        &self,
        caller: &Caller,
        member: &Permitted<MemberId>,
        cause: &Cause,
    ) -> Result<(), Problem> {
        let actor = if caller.role == Role::Member { Actor::Member } else { Actor::Coordinator };
        let by = By { actor, subject: Some(caller.subject.clone()), link: None };
        let persons = self.known.persons(member.org()).await?;
        for record in persons.records(&member.id()) {
            let withdraw = Command::Withdraw { consent: None, means: Means::Verbal, by: by.clone(), at: cause.at };
            self.referrals.transact(member.org(), *record, cause.part(), withdraw, Reply::DONE).await?;
        }
        Ok(())
    }
}
