//! Members: who they are, what they allow, which groups they belong to, and that they are forgotten when they ask.
//!
//! One operation, one file. Personal fields are sealed here, before the domain sees them.

mod apply_to_group;
mod break_glass;
mod cancel_enrolment;
mod change_member;
mod complete_enrolment;
mod confirm_enrolment;
mod correct_enrolment;
mod days;
mod decline_application;
mod disclosures;
mod enrol_member;
mod enrolment_entered_in_error;
mod erase_member;
mod erasures;
mod give_consent;
mod import_members;
mod index;
mod indexer;
mod lift_hold;
mod list_notices;
mod merge_member;
mod merges;
mod move_turn;
mod object_to_purpose;
mod op;
mod place_hold;
mod queues;
mod register_member;
mod restrict_processing;
mod review_glass;
mod set_capacity;
mod settled;
mod tell_apart;
mod unmerge_member;
mod withdraw_consent;
mod withdraw_member;

use axum::extract::FromRef;
use domain::{
    Decider, GroupId, LocalDay, MemberId, OrgId,
    group::{self, Group},
    member::{self, Member, TypedBy},
    partner::Partner,
    people::{self, People},
    referral::Referral,
    roster::{self, Roster},
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Built, Context, Host, Members, Need, Task, Views};
use jiff::Zoned;
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::{Names, Vault};
use web::{Answer, Audit, Authenticator, Caller, Guarded, Imports, Opening, Permitted, Problem, Signer};

pub use erase_member::{ErasedRecord, Erasure, RECEIPT, ShownErasure, ShownRecord};
use erasures::Eraser;
pub use erasures::{Line, erased_by, in_log};
pub use import_members::LINE_ENROLMENTS_MAX;
use indexer::Indexer;
use merges::Settler;
use settled::Settled;

/// The context: its streams, the vault, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
pub struct Membership {
    /// Who calls.
    pub authenticator: Authenticator,
    /// Who is enrolled when.
    rosters: Guarded<Roster>,
    /// Groups, to know that there is one.
    pub groups: Streams<Group>,
    /// Whom a caller reaches, and what is known of them.
    known: Members,
    /// Members' own streams.
    members: Guarded<Member>,
    /// Who is the same person as whom, must not be erased, or was.
    people: Guarded<People>,
    /// What partners were told, which ends with an erasure and an objection.
    referrals: Streams<Referral>,
    /// Partners, to name those that have to be told of an erasure.
    partners: Streams<Partner>,
    /// Their keys.
    pub vault: Vault,
    /// Where it is written down who was shown whom.
    pub audit: Audit,
    /// Signs receipts of erasures.
    pub signer: Signer,
    /// Names, to see who may be registered twice. What is decided does not depend on them.
    pub names: Names,
    /// The views of all contexts, of which a receipt says what they forgot.
    pub views: Views,
    /// Up to where everybody who was erased is forgotten everywhere.
    erasures: watch::Receiver<Position>,
    /// Up to where places follow from who is one person.
    settled: watch::Receiver<Settled>,
    /// What imports of all kinds need.
    imports: Imports,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "membership",
    about: "Commands about members, enrolments, consents",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: &[],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let (forgotten, settled) = (watch::Sender::default(), watch::Sender::default());
    let membership = Membership {
        authenticator: host.authenticator.clone(),
        rosters: host.of().into(),
        groups: host.of(),
        known: Members::of(host),
        members: host.of().into(),
        people: host.of().into(),
        referrals: host.of(),
        partners: host.of(),
        vault: host.vault().clone(),
        audit: host.audit.clone(),
        signer: host.signer().clone(),
        names: host.names.clone(),
        views: host.views.clone(),
        erasures: forgotten.subscribe(),
        settled: settled.subscribe(),
        imports: host.imports(),
    };
    let (views, clock) = (host.views.clone(), host.authenticator.clock.clone());
    host.boards.add(queues::Lapsed { views: views.clone(), clock });
    host.boards.add(queues::ToConfirm(views.clone()));
    host.boards.add(queues::Duplicates {
        views,
        vault: host.vault().clone(),
        names: host.names.clone(),
        named: host.named.subscribe(),
        people: host.of(),
    });
    let routes = routes(membership.clone());
    let indexer = Indexer::new(membership.clone());
    let settler = Settler { membership: membership.clone(), rosters: host.of(), done: settled, seen: 0 };
    let (named, file) = (host.named.subscribe(), host.erasures_file.clone());
    let eraser = Eraser { membership, rosters: host.of(), named, file, done: forgotten, seen: 0 };
    let tasks = vec![
        Task::following("index", indexer::RHYTHM, move || indexer.anew()),
        Task::following("merges", merges::RHYTHM, move || settler.clone()),
        Task::following("erasures", erasures::RHYTHM, move || eraser.clone()),
    ];
    Built { routes, tasks, ..Built::default() }
}

/// All operations.
fn routes(membership: Membership) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register_member::register_member))
        .routes(routes!(change_member::change_member))
        .routes(routes!(import_members::import_members))
        .routes(routes!(give_consent::give_consent))
        .routes(routes!(withdraw_consent::withdraw_consent))
        .routes(routes!(list_notices::list_notices))
        .routes(routes!(restrict_processing::restrict_processing))
        .routes(routes!(object_to_purpose::object_to_purpose))
        .routes(routes!(place_hold::place_hold))
        .routes(routes!(lift_hold::lift_hold))
        .routes(routes!(merge_member::merge_member))
        .routes(routes!(unmerge_member::unmerge_member))
        .routes(routes!(tell_apart::tell_apart))
        .routes(routes!(break_glass::break_glass))
        .routes(routes!(review_glass::review_glass))
        .routes(routes!(erase_member::erase_member))
        .routes(routes!(set_capacity::set_capacity))
        .routes(routes!(apply_to_group::apply_to_group))
        .routes(routes!(decline_application::decline_application))
        .routes(routes!(enrol_member::enrol_member))
        .routes(routes!(confirm_enrolment::confirm_enrolment))
        .routes(routes!(withdraw_member::withdraw_member))
        .routes(routes!(complete_enrolment::complete_enrolment))
        .routes(routes!(cancel_enrolment::cancel_enrolment))
        .routes(routes!(correct_enrolment::correct_enrolment))
        .routes(routes!(move_turn::move_turn))
        .routes(routes!(enrolment_entered_in_error::enrolment_entered_in_error))
        .with_state(membership)
}

impl Membership {
    /// Does what is asked of the roster of a group that is there and that the caller may reach.
    async fn transact(
        &self,
        caller: &Caller,
        group: GroupId,
        cause: Cause,
        ask: roster::Ask,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let nobody = match ask.member() {
            Some(member) => self.is_nobody(caller, group, member).await?,
            None => false,
        };
        let (group, command) = self.ask(caller, group, &cause, ask).await?;
        if nobody {
            // As of whoever never had to do with the group.
            return Err(Problem::refused(&roster::Refusal::NotEnrolled));
        }
        Ok(self.on_roster(&group, cause, command, reply).await?)
    }

    /// As [`Self::transact`], for a member who is registered, or who is new and then is; answers under which record they
    /// go on.
    async fn admit(
        &self,
        caller: &Caller,
        (group, member): (GroupId, MemberId),
        is_new: bool,
        cause: Cause,
        ask: roster::Ask,
        reply: impl FnOnce(MemberId) -> Reply,
    ) -> Result<Answer, Problem> {
        let org = &caller.org;
        let nobody = !is_new && self.is_nobody(caller, group, member).await?;
        // Of nobody, the roster says what it says of whom it does not know.
        let ask = if nobody { ask.of(MemberId(cause.id)) } else { ask };
        let (permitted, command) = self.ask(caller, group, &cause, ask).await?;
        // Who may see everybody is told first that it is nobody.
        if !is_new && caller.own_groups().is_none() {
            self.known.record(org, member).await?;
        }
        let refused = self.rosters.look(org, group, |roster| Roster::decide(&command, &roster.state).err()).await?;
        // To others, what the roster says comes first, so that a refusal does not tell somebody from nobody; and nobody
        // is registered who then is not let in.
        match (refused, is_new) {
            (Some(refusal), _) => {
                let done = self.rosters.replayed(&cause).await?;
                return done.map(Answer).ok_or_else(|| Problem::refused(&refusal));
            }
            (None, false) if nobody => return Err(Problem::refused(&member::Refusal::Unknown)),
            (None, false) => drop(self.known.record(org, member).await?),
            (None, true) => {
                let typed_by = caller.proposes().map(|subject| TypedBy { subject, group: Some(group) });
                let register = member::Command::Register { fields: member::Fields::new(), typed_by };
                // The receipt is the enrolment's.
                self.members.transact(&caller.registers(member), cause.part(), register, Reply::DONE).await?;
            }
        }
        let reply = reply(command.persons.of(member));
        Ok(self.on_roster(&permitted, cause, command, reply).await?)
    }

    /// What is asked of the roster of a group that is there and that the caller may reach.
    async fn ask(
        &self,
        caller: &Caller,
        group: GroupId,
        cause: &Cause,
        ask: roster::Ask,
    ) -> Result<(Permitted<GroupId>, roster::Command), Problem> {
        let now = self.authenticator.clock.local(cause.at);
        let today = self.groups.look(&caller.org, group, |group| today(&group.state, &now)).await?;
        let today = today.ok_or_else(|| Problem::refused(&group::Refusal::Unknown))?;
        let group = caller.require_group(group)?;
        let persons = self.known.persons(&caller.org).await?;
        Ok((group, roster::Command { today, proposed_by: caller.proposes(), persons, ask }))
    }

    /// Does what is asked of a roster. If it is other people meanwhile, who waits has what that makes free.
    async fn on_roster(
        &self,
        group: &Permitted<GroupId>,
        cause: Cause,
        command: roster::Command,
        reply: Reply,
    ) -> Result<Answer, TransactError<roster::Refusal>> {
        let (before, settles) = (command.persons.clone(), cause.part());
        let again = roster::Command { ask: roster::Ask::Settle, ..command.clone() };
        let Answer(mut done) = self.rosters.transact(group, cause, command, reply).await?;
        if let (true, Ok(persons)) = (done.events > 0, self.known.persons(group.org()).await)
            && persons != before
        {
            let settle = roster::Command { persons, ..again };
            let Answer(settled) = self.rosters.transact(group, settles, settle, Reply::DONE).await?;
            done.position = done.position.max(settled.position);
        }
        Ok(Answer(done))
    }

    /// Under which records the person ever had to do with the group; none if that is nobody to the caller.
    async fn stands_in(&self, caller: &Caller, group: GroupId, member: MemberId) -> Result<Vec<MemberId>, Problem> {
        if self.is_nobody(caller, group, member).await? {
            return Ok(vec![]);
        }
        let persons = self.known.persons(&caller.org).await?;
        let known = |roster: &roster::State| {
            persons.records(&member).iter().copied().filter(|record| roster.knows(*record)).collect()
        };
        Ok(self.rosters.look(&caller.org, group, |roster| known(&roster.state)).await?)
    }

    /// Whether the member is nobody to the caller: was erased, or is a second record of somebody, which callers who are
    /// held to groups may name only where it stands itself.
    async fn is_nobody(&self, caller: &Caller, group: GroupId, member: MemberId) -> Result<bool, Problem> {
        let org = &caller.org;
        let is = |people: &people::State| (people.is_erased(member), people.persons().of(member) != member);
        let (erased, second) = self.people.look(org, people::stream_id(org), |people| is(&people.state)).await?;
        if erased || !second || caller.own_groups().is_none() {
            return Ok(erased);
        }
        Ok(!self.rosters.look(org, group, |roster| roster.state.knows(member)).await?)
    }

    /// Writes down that an answer names members to the caller.
    async fn shown(&self, caller: &Caller, operation: &'static str, members: Vec<MemberId>) -> Result<(), Problem> {
        self.audit.opened(caller, Opening::naming(operation, members)).await
    }

    /// Holds callers to groups that are there, and facilitators to their own.
    async fn require_group(&self, caller: &Caller, group: GroupId) -> Result<(), Problem> {
        let registered = self.groups.look(&caller.org, group, |group| group.state.details.is_some()).await?;
        if !registered {
            return Err(Problem::refused(&group::Refusal::Unknown));
        }
        caller.require_group(group).map(drop)
    }

    /// Carries out a command on the record of a member whom the caller reaches. Whoever is erased or merged while it runs
    /// is so after it.
    async fn decide(
        &self,
        member: &Permitted<MemberId>,
        cause: Cause,
        command: member::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        if let Err(refusal) = self.may(member.org(), member.id(), &command).await? {
            let replayed = self.members.replayed(&cause).await?;
            return replayed.map(Answer).ok_or_else(|| Problem::refused(&refusal));
        }
        Ok(self.members.transact(member, cause, command, reply).await?)
    }

    /// Whether what stands of the person allows a command on their record.
    async fn may(
        &self,
        org: &OrgId,
        member: MemberId,
        command: &member::Command,
    ) -> Result<Result<(), member::Refusal>, TransactError<member::Refusal>> {
        let may = |people: &people::State| match command {
            // The review is of who looked, not of the record; and under whom somebody goes on is not told to who registers
            // an id that is there.
            member::Command::ReviewGlass { .. } | member::Command::Register { .. } if !people.is_erased(member) => {
                Ok(())
            }
            member::Command::Change { typed: true, .. } if people.person(member).merged_into.is_some() => {
                Err(member::Refusal::Completed)
            }
            member::Command::Change { .. } if people.person(member).restricted => Err(member::Refusal::Restricted),
            _ => people.may_change(member),
        };
        self.people.look(org, people::stream_id(org), |people| may(&people.state)).await
    }

    /// Carries out a command that is about people whom the caller reaches, and who must be registered.
    async fn decide_people(
        &self,
        caller: &Caller,
        permitted: &[&Permitted<MemberId>],
        cause: Cause,
        command: people::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let org = &caller.org;
        for member in permitted {
            if !self.members.look(org, member.id(), |member| member.state.record().is_some()).await? {
                return Err(Problem::refused(&member::Refusal::Unknown));
            }
        }
        let people = caller.within_organisation(people::stream_id(org));
        Ok(self.people.transact(&people, cause, command, reply).await?)
    }

    /// Those of them who were erased.
    async fn erased(&self, org: &OrgId, members: &[MemberId]) -> Result<Vec<MemberId>, TransactError<member::Refusal>> {
        let those = |people: &people::State| members.iter().copied().filter(|one| people.is_erased(*one)).collect();
        self.people.look(org, people::stream_id(org), |people| those(&people.state)).await
    }

    /// The day, for what belongs to no group.
    fn today(&self) -> LocalDay {
        self.authenticator.clock.today()
    }
}

/// The day where the group meets. None if there is no such group.
fn today(group: &group::State, now: &Zoned) -> Option<LocalDay> {
    group.details.is_some().then(|| group.today(now))
}
