//! Meetings and their registers: who came, how, and how many more.
//!
//! One operation, one file. Each reads the meeting's stream (and the roster's, to know who belongs there that day),
//! lets the domain decide and appends.

mod add_walk_in;
mod cancel_meeting;
mod close_register;
mod correct_attendance;
mod import_attendance;
mod meeting_did_not_occur;
mod op;
mod open_meeting;
mod queue;
mod record_attendance;
mod record_headcount;
mod record_moods;
mod record_register;
mod record_structure;
mod reinstate_meeting;
mod reopen_register;
mod report_meeting;
mod take_back_attendance;

use axum::extract::FromRef;
use domain::{
    MeetingId, MemberId, OrgId, Sealed,
    group::Group,
    meeting::{self, Meeting, Person},
    member::{self, Member},
    people::{self, People, Persons},
    roster::{self, Roster},
};
use eventlog::{Reply, Streams};
use host::{Built, Context, Host, Members, Need, Planned};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::{SealedAs, Vault};
use web::{Answer, Authenticator, Caller, Command, Guarded, Imports, Permitted, Private, Problem};

/// The context: its streams, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
pub struct Attendance {
    /// Who calls.
    pub authenticator: Authenticator,
    /// Meetings and their registers.
    pub meetings: Guarded<Meeting>,
    /// Who is enrolled when.
    pub rosters: Streams<Roster>,
    /// Who is known, for those who walk in.
    pub members: Guarded<Member>,
    /// Who is the same person as whom, or was erased.
    pub people: Streams<People>,
    /// Keys: what is said of people is sealed.
    pub vault: Vault,
    /// Groups, whose calendars say when they met.
    groups: Streams<Group>,
    /// What they say.
    planned: Planned,
    /// Whom lines of a file are about.
    known: Members,
    /// What imports of all kinds need.
    imports: Imports,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "attendance",
    about: "Commands about meetings, registers, headcounts",
    needs: &[Need::Vault],
    operations: op::OPERATIONS,
    views: &[],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let attendance = Attendance {
        authenticator: host.authenticator.clone(),
        meetings: host.of().into(),
        rosters: host.of(),
        members: host.of().into(),
        people: host.of(),
        vault: host.vault().clone(),
        groups: host.of(),
        planned: host.planned,
        known: Members::of(host),
        imports: host.imports(),
    };
    host.boards.add(queue::Registers(host.views.clone()));
    Built { routes: routes(attendance), ..Built::default() }
}

/// All operations.
fn routes(attendance: Attendance) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(open_meeting::open_meeting))
        .routes(routes!(close_register::close_register))
        .routes(routes!(cancel_meeting::cancel_meeting))
        .routes(routes!(meeting_did_not_occur::meeting_did_not_occur))
        .routes(routes!(reinstate_meeting::reinstate_meeting))
        .routes(routes!(reopen_register::reopen_register))
        .routes(routes!(report_meeting::report_meeting))
        .routes(routes!(record_attendance::record_attendance))
        .routes(routes!(take_back_attendance::take_back_attendance))
        .routes(routes!(record_register::record_register))
        .routes(routes!(add_walk_in::add_walk_in))
        .routes(routes!(correct_attendance::correct_attendance))
        .routes(routes!(record_headcount::record_headcount))
        .routes(routes!(record_moods::record_moods))
        .routes(routes!(record_structure::record_structure))
        .routes(routes!(import_attendance::import_attendance))
        .with_state(attendance)
}

/// Why a meeting did not take place, or does after all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// Kept sealed.
    #[schema(value_type = meeting::Reason)]
    reason: Private<meeting::Reason>,
}

impl Attendance {
    /// The meeting, and when and how it is planned, for a caller who may reach its group.
    async fn require_meeting(
        &self,
        caller: &Caller,
        meeting: MeetingId,
    ) -> Result<(Permitted<MeetingId>, meeting::Plan), Problem> {
        let plan = self.meetings.look(&caller.org, meeting, |loaded| match &loaded.state {
            meeting::State::Known(register) => Ok(register.plan),
            meeting::State::Unknown => Err(Problem::refused(&meeting::Refusal::Unknown)),
        });
        let plan = plan.await??;
        Ok((caller.require_meeting(meeting, plan.group)?, plan))
    }

    /// Does what is asked of a meeting, and nothing else is to be known.
    async fn simply<Op, T>(
        &self,
        command: Command<Op, T>,
        meeting: MeetingId,
        ask: meeting::Command,
    ) -> Result<Answer, Problem> {
        let Command { caller, cause, .. } = command;
        let (meeting, _) = self.require_meeting(&caller, meeting).await?;
        Ok(self.meetings.transact(&meeting, cause, ask, Reply::DONE).await?)
    }

    /// These people, with what the roster of the meeting's date says of each.
    async fn people(
        &self,
        caller: &Caller,
        (meeting, plan): (MeetingId, &meeting::Plan),
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<Vec<Person>, Problem> {
        let (org, day) = (&caller.org, plan.starts_at_local.date());
        let persons = self.people.look(org, people::stream_id(org), |people| people.state.persons().clone()).await?;
        let members: Vec<_> = members.into_iter().collect();
        let mut hidden = members.clone();
        hidden.retain(|member| caller.own_groups().is_some() && persons.of(*member) != *member);
        if !hidden.is_empty() {
            self.meetings.look(org, meeting, |meeting| hidden.retain(|member| !meeting.state.has(*member))).await?;
        }
        let found = self.rosters.look(org, plan.group, |roster| {
            let person = |member| {
                let (records, enrolled) = on_roster(&persons, &roster.state, day, member);
                // A second record is nobody to callers who are held to groups, but where it stands itself.
                let nobody = hidden.contains(&member) && !roster.state.knows(member);
                Person { member, records, enrolled, erased: nobody || self.vault.is_erased(org, member) }
            };
            members.into_iter().map(person).collect()
        });
        Ok(found.await?)
    }

    /// As [`Self::people`], of one.
    async fn person(
        &self,
        caller: &Caller,
        of: (MeetingId, &meeting::Plan),
        member: MemberId,
    ) -> Result<Person, Problem> {
        let person = self.people(caller, of, [member]).await?.pop();
        person.ok_or_else(|| Problem::internal(&"nobody of one"))
    }

    /// The member's key: what is about them is sealed with it.
    async fn key(&self, org: &OrgId, member: MemberId) -> Result<vault::Key, Problem> {
        let sealed = self.members.look(org, member, |known| known.state.record().map(|known| known.fields.clone()));
        Ok(self.vault.key_beside(org, member, &sealed.await?.unwrap_or_default()).await?)
    }

    /// Seals a reason that is about a meeting, not about one member, with the organisation's key.
    async fn seal_reason<Op, T>(
        &self,
        command: &mut Command<Op, T>,
        meeting: MeetingId,
        reason: &Private<meeting::Reason>,
    ) -> Result<Sealed, Problem> {
        let key = self.vault.org_key(&command.caller.org).await?;
        Ok(command.seal(&key, meeting, SealedAs::Reason, reason))
    }

    /// Refuses members who are not there, or were erased.
    async fn known(&self, caller: &Caller, member: MemberId) -> Result<(), Problem> {
        let known = self.is_known(caller, member).await?;
        known.then_some(()).ok_or_else(|| Problem::refused(&member::Refusal::Unknown))
    }

    /// Whether there is such a member, who was not erased.
    async fn is_known(&self, caller: &Caller, member: MemberId) -> Result<bool, Problem> {
        let org = &caller.org;
        let known = self.members.look(org, member, |member| member.state.record().is_some()).await?;
        let erased = self.people.look(org, people::stream_id(org), |people| people.state.is_erased(member)).await?;
        Ok(known && !erased)
    }
}

/// All records of the person, and whether one of them is on the roster that day: that one is first, or else the one under
/// which they go on.
fn on_roster(persons: &Persons, roster: &roster::State, day: Date, member: MemberId) -> (Vec<MemberId>, bool) {
    let mut records = persons.records(&member).to_vec();
    let enrolled = records.iter().position(|record| roster.covers(*record, day));
    if let Some(nth) = enrolled {
        records[..=nth].rotate_right(1);
    }
    (records, enrolled.is_some())
}
