//! What an erasure and an objection mean for what was disclosed to partners.

use domain::{
    ConsentId, DecodeError, MemberId, OrgId,
    member::Means,
    referral::{Actor, By, Command, Event, Refusal},
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

    /// Withdraws what a person allows partners to be told: what took over one consent, or all of it, as an objection that is
    /// taken back must open nothing again.
    pub async fn withdraw_disclosures(
        &self,
        caller: &Caller,
        member: &Permitted<MemberId>,
        cause: &Cause,
        one: Option<(ConsentId, Means)>,
    ) -> Result<(), Problem> {
        let actor = if caller.role == Role::Member { Actor::Member } else { Actor::Coordinator };
        let by = By { actor, subject: Some(caller.subject.clone()), link: None };
        let (consent, means) = one.map_or((None, Means::Verbal), |(consent, means)| (Some(consent), means));
        let persons = self.known.persons(member.org()).await?;
        for record in persons.records(&member.id()) {
            let withdraw = Command::Withdraw { consent, means, by: by.clone(), at: cause.at };
            match self.referrals.transact(member.org(), *record, cause.part(), withdraw, Reply::DONE).await {
                // Most consents have nothing to do with partners.
                Ok(_) | Err(TransactError::Refused(Refusal::UnknownConsent | Refusal::UnknownAttempt)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
