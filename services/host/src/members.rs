//! Members, for contexts that act on them: who is there, whom a caller reaches, and whose key seals what is said of them.

use domain::{
    GroupId, MemberId, OrgId,
    group::Group,
    member::{self, Member, Purpose},
    people::{self, People, Persons},
    referral::Standing,
    roster::{self, Roster},
};
use eventlog::{Loaded, Streams, TransactError};
use vault::{Blind, Vault};
use web::{Caller, Clock, Permitted, Problem, Role};

use crate::Host;

/// The members of all organisations, as the log says.
#[derive(Debug, Clone)]
pub struct Members {
    clock: Clock,
    records: Streams<Member>,
    people: Streams<People>,
    groups: Streams<Group>,
    rosters: Streams<Roster>,
    vault: Vault,
}

/// How far a caller may change a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Whatever their role may.
    Fully,
    /// As long as it holds nothing but what was typed in by them.
    AsTyped,
}

impl Members {
    /// Those of a process, in which people's keys are.
    pub fn of(host: &Host) -> Self {
        Self {
            clock: host.authenticator.clock.clone(),
            records: host.of(),
            people: host.of(),
            groups: host.of(),
            rosters: host.of(),
            vault: host.vault().clone(),
        }
    }

    /// Which records are one person's.
    pub async fn persons(&self, org: &OrgId) -> Result<Persons, TransactError<member::Refusal>> {
        self.people.look(org, people::stream_id(org), |people| people.state.persons().clone()).await
    }

    /// What stands of a person that referrals have to heed: whether it is only kept, and whether they objected.
    pub async fn standing(&self, org: &OrgId, member: MemberId) -> Result<Standing, Problem> {
        let of = |people: &people::State| {
            let person = people.person(people.persons().of(member));
            Standing { restricted: person.restricted, objected: person.objections.contains(&Purpose::Referral) }
        };
        Ok(self.people.look(org, people::stream_id(org), |people| of(&people.state)).await?)
    }

    /// Holds members to themselves, and facilitators to who is on a roster of theirs today, where that group meets, by
    /// somebody else's act, and to whom they typed in.
    pub async fn require_visible(
        &self,
        caller: &Caller,
        member: MemberId,
    ) -> Result<(Permitted<MemberId>, How), Problem> {
        let how = self.brought(caller, member).await?;
        let permitted = caller.require_member(member, how.is_some())?;
        Ok((permitted, how.unwrap_or(How::Fully)))
    }

    /// What brought a member before a caller who is held to groups, if something did.
    async fn brought(&self, caller: &Caller, member: MemberId) -> Result<Option<How>, Problem> {
        let (Some(own), org) = (caller.own_groups(), &caller.org) else { return Ok(None) };
        let now = self.clock.local(self.clock.now());
        let records = self.people.look(org, people::stream_id(org), |people| people.state.records(member)).await?;
        for group in own {
            let today = self.groups.look(org, *group, |group| group.state.today(&now)).await?;
            let opens = |roster: &roster::State| records.iter().any(|record| roster.is_open(*record, &today));
            if self.rosters.look(org, *group, |roster| opens(&roster.state)).await? {
                return Ok(Some(How::Fully));
            }
        }
        let typed_by = |known: &Loaded<member::State>| known.state.record().and_then(|record| record.typed_by.clone());
        let typed_by = self.records.look(org, member, typed_by).await?;
        Ok(typed_by.filter(|by| caller.typed(by)).map(|_| How::AsTyped))
    }

    /// What is known of a member who is there.
    pub async fn known_record(&self, org: &OrgId, member: MemberId) -> Result<Option<member::Record>, Problem> {
        let record = self.records.look(org, member, |member| member.state.record().cloned()).await?;
        let Some(record) = record else { return Ok(None) };
        let complete = |people: &people::State| people.complete(member, record);
        Ok(self.people.look(org, people::stream_id(org), |people| complete(&people.state)).await?)
    }

    /// The member's record; if it was merged, the one under which they go on.
    pub async fn there(&self, org: &OrgId, member: MemberId) -> Result<Option<(MemberId, member::Record)>, Problem> {
        let (mut member, mut record) = (member, self.known_record(org, member).await?);
        while let Some(into) = record.as_ref().and_then(|record| record.merged_into) {
            (member, record) = (into, self.known_record(org, into).await?);
        }
        Ok(record.map(|record| (member, record)))
    }

    /// Members who share one of these and are there, each once.
    pub async fn sharing(&self, org: &OrgId, blinds: &[Blind]) -> Result<Vec<(MemberId, member::Record)>, Problem> {
        if blinds.is_empty() {
            return Ok(vec![]);
        }
        let mut known: Vec<(MemberId, member::Record)> = Vec::new();
        for member in self.vault.sharing(org, blinds.to_vec()).await? {
            if let Some((member, record)) = self.there(org, member).await?
                && known.iter().all(|(other, _)| *other != member)
            {
                known.push((member, record));
            }
        }
        Ok(known)
    }

    /// As [`Self::known_record`], of somebody who must be there.
    pub async fn record(&self, org: &OrgId, member: MemberId) -> Result<member::Record, Problem> {
        self.known_record(org, member).await?.ok_or_else(|| Problem::refused(&member::Refusal::Unknown))
    }

    /// The key of a member who is there: what is about them is sealed with it.
    pub async fn key(&self, org: &OrgId, member: MemberId) -> Result<vault::Key, Problem> {
        let record = self.record(org, member).await?;
        Ok(self.vault.key_beside(org, member, &record.fields).await?)
    }

    /// Refuses those of whom nothing more is written: who was erased, second records, which are nobody's to callers who are
    /// held to groups, and, unless it is `vital` to them or they write it themselves, whose record is only kept (GDPR Art.
    /// 18(2)).
    pub async fn require_changeable(&self, caller: &Caller, member: MemberId, vital: bool) -> Result<(), Problem> {
        self.may_change(caller, member, vital).await?.map_err(|refusal| Problem::refused(&refusal))
    }

    async fn may_change(
        &self,
        caller: &Caller,
        member: MemberId,
        vital: bool,
    ) -> Result<Result<(), member::Refusal>, Problem> {
        let despite = vital || caller.role == Role::Member;
        let may = |people: &people::State| match people.may_change(member) {
            Err(member::Refusal::Merged { .. }) if caller.own_groups().is_some() => Err(member::Refusal::Unknown),
            Ok(()) if people.person(member).restricted && !despite => Err(member::Refusal::Restricted),
            may => may,
        };
        Ok(self.people.look(&caller.org, people::stream_id(&caller.org), |people| may(&people.state)).await?)
    }

    /// As [`Self::require_changeable`], of what goes on under the record where it began, also when that is a second one.
    pub async fn require_going_on(&self, caller: &Caller, member: MemberId, vital: bool) -> Result<(), Problem> {
        match self.may_change(caller, member, vital).await? {
            Err(member::Refusal::Merged { .. }) | Ok(()) => Ok(()),
            Err(refusal) => Err(Problem::refused(&refusal)),
        }
    }

    /// Whether the person has, had or wants a place in the group, under any of their records.
    pub async fn knows(&self, org: &OrgId, member: MemberId, group: GroupId) -> Result<bool, Problem> {
        let records = self.people.look(org, people::stream_id(org), |people| people.state.records(member)).await?;
        let knows = |roster: &roster::State| records.iter().any(|record| roster.knows(*record));
        Ok(self.rosters.look(org, group, |roster| knows(&roster.state)).await?)
    }
}
