//! Members: who they are, what they allow, which groups they belong to, and that they are forgotten when they ask.
//!
//! One operation, one file. Personal fields are sealed here, before the domain sees them.

mod break_glass;
mod change_member;
mod enrol_member;
mod erase_member;
mod give_consent;
mod lift_hold;
mod merge_member;
mod object_to_purpose;
mod place_hold;
mod register_member;
mod restrict_processing;
mod review_glass;
mod unmerge_member;
mod withdraw_consent;
mod withdraw_member;

use axum::extract::FromRef;
use domain::{
    GroupId, MemberId, OrgId,
    group::{self, Group},
    member::{self, Member},
    roster::{self, Roster},
};
use eventlog::{Cause, Position, Reply, Streams};
use jiff::{civil::Date, tz::TimeZone};
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::Vault;
use web::{Answer, Attester, Caller, Gate, Problem};

pub use erase_member::Erasure;

/// The context: its streams, the vault, and the gate before them.
#[derive(Debug, Clone, FromRef)]
pub struct Membership {
    /// Who calls.
    pub gate: Gate,
    /// Who is enrolled when.
    pub rosters: Streams<Roster>,
    /// Groups, to know that there is one.
    pub groups: Streams<Group>,
    /// Who is known.
    pub members: Streams<Member>,
    /// Their keys.
    pub vault: Vault,
    /// Signs receipts of erasures.
    pub attester: Attester,
    /// Up to where the views are, for receipts of erasures.
    pub views: watch::Receiver<Position>,
}

/// All operations of the context.
pub fn routes(membership: Membership) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register_member::register_member))
        .routes(routes!(change_member::change_member))
        .routes(routes!(give_consent::give_consent))
        .routes(routes!(withdraw_consent::withdraw_consent))
        .routes(routes!(restrict_processing::restrict_processing))
        .routes(routes!(object_to_purpose::object_to_purpose))
        .routes(routes!(place_hold::place_hold))
        .routes(routes!(lift_hold::lift_hold))
        .routes(routes!(merge_member::merge_member))
        .routes(routes!(unmerge_member::unmerge_member))
        .routes(routes!(break_glass::break_glass))
        .routes(routes!(review_glass::review_glass))
        .routes(routes!(erase_member::erase_member))
        .routes(routes!(enrol_member::enrol_member))
        .routes(routes!(withdraw_member::withdraw_member))
        .with_state(membership)
}

impl Membership {
    /// Carries out a command on the roster of a group that is there and that the caller may reach.
    async fn transact(
        &self,
        caller: &Caller,
        group: GroupId,
        cause: Cause,
        command: roster::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        self.reach_group(caller, group).await?;
        Ok(Answer(self.rosters.transact(&caller.org, group, cause, command, reply).await?))
    }

    /// Holds callers to groups that are there, and facilitators to their own.
    async fn reach_group(&self, caller: &Caller, group: GroupId) -> Result<(), Problem> {
        let registered = self.groups.look(&caller.org, group, |group| group.state.details.is_some()).await?;
        if !registered {
            return Err(Problem::rejected(&group::Refusal::Unknown));
        }
        caller.may_group(group)
    }

    /// Carries out a command on a member whom the caller may reach.
    async fn decide(
        &self,
        caller: &Caller,
        member: MemberId,
        cause: Cause,
        command: member::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        Ok(Answer(self.members.transact(&caller.org, member, cause, command, reply).await?))
    }

    /// Holds members to themselves, and facilitators to who is on a roster of theirs today.
    async fn reach(&self, caller: &Caller, member: MemberId) -> Result<(), Problem> {
        caller.may_member(member)?;
        let Some(own) = caller.own_groups() else { return Ok(()) };
        for group in own {
            if self.rosters.look(&caller.org, *group, |roster| roster.state.covers(member, self.today())).await? {
                return Ok(());
            }
        }
        Err(Problem::rejected(&member::Refusal::Unknown))
    }

    /// What is known of a member.
    async fn record(&self, org: &OrgId, member: MemberId) -> Result<member::Record, Problem> {
        let record = self.members.look(org, member, |member| member.state.record().cloned()).await?;
        record.ok_or_else(|| Problem::rejected(&member::Refusal::Unknown))
    }

    /// The key of a member who is there: what is about them is sealed with it.
    async fn key(&self, org: &OrgId, member: MemberId) -> Result<vault::Key, Problem> {
        self.record(org, member).await?;
        Ok(self.vault.key_or_new(org, member).await?)
    }

    /// The day (UTC).
    fn today(&self) -> Date {
        self.gate.clock.now().to_zoned(TimeZone::UTC).date()
    }
}
