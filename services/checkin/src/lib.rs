//! Check-ins with instruments, goals, and concerns: how members are, where they want to go, and who is told when somebody
//! may be in danger.
//!
//! One operation, one file. What a member answers, sets, rates or fears is sealed here, before the domain sees it; scores
//! are computed when they are read, from what was answered, and kept nowhere.

mod acknowledge_concern;
mod add_instrument;
mod ask_for_check_ins;
mod care_view;
mod check_in_entered_in_error;
mod close_programme_duty_seat;
mod correct_check_in;
mod due;
mod end_goal;
mod import_check_ins;
mod journey;
mod list_check_ins_due;
mod list_concerns;
mod list_instruments;
mod list_member_check_ins_due;
mod load_instrument_texts;
mod op;
mod queues;
mod raise_concern;
mod raising;
mod rate_goal;
mod record_check_in;
mod resolve_concern;
mod scores;
mod set_concern_deadlines;
mod set_crisis_text;
mod set_goal;
mod show_concern;
mod show_instrument;
mod show_journey;
mod show_protocol;
mod stop_asking_for_check_ins;
mod stop_using_instrument;
mod take_duty_seat;
mod take_programme_duty_seat;
mod topics;
mod use_instrument;

use std::sync::Arc;

use axum::extract::FromRef;
use domain::{
    GroupId, LocalDay, MemberId, ProgrammeId, Refusal,
    care::{self, Care, When},
    group::{self, Group},
    meeting::{self, Meeting},
    programme::{self, Programme},
    protocol::{self, Protocol},
};
use eventlog::{Cause, EventLog, Reply, Streams};
use host::{Built, Context, Host, Members, Need, Views};
use jiff::civil::Date;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::Vault;
use web::{After, Answer, Audit, Authenticator, Caller, Guarded, Imports, Permitted, Problem, Read, Role};

/// The context: its streams, the vault, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct CheckIn {
    authenticator: Authenticator,
    /// What each organisation asks, and who is told.
    protocols: Guarded<Protocol>,
    /// What is known of each member's care.
    cares: Guarded<Care>,
    /// Whom a caller reaches.
    members: Members,
    /// Groups, to know that there is one, of which programme, and what day it is there.
    groups: Streams<Group>,
    /// Programmes, to know that there is one.
    programmes: Streams<Programme>,
    /// Meetings, to know of which group and day they are.
    meetings: Streams<Meeting>,
    /// Keys of members.
    vault: Vault,
    /// Where it is written down who was shown what.
    audit: Audit,
    /// What imports need.
    imports: Imports,
    /// Its views, and those that are read with them.
    views: Views,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "checkin",
    about: "Check-ins, goals, concerns",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: &[&care_view::CARE],
    topics: &[&topics::CHECK_INS, &topics::GOALS, &topics::CONCERNS, &topics::PROTOCOL],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let check_in = CheckIn {
        authenticator: host.authenticator.clone(),
        protocols: host.of().into(),
        cares: host.of().into(),
        members: Members::of(host),
        groups: host.of(),
        programmes: host.of(),
        meetings: host.of(),
        vault: host.vault().clone(),
        audit: host.audit.clone(),
        imports: host.imports(),
        views: host.views.clone(),
        log: host.streams.log().clone(),
    };
    let (views, clock) = (host.views.clone(), host.authenticator.clock.clone());
    host.boards.add(queues::Concerns { views: views.clone(), protocols: host.of() });
    host.boards.add(queues::MissedCheckIns { views, protocols: host.of(), clock });
    Built { routes: routes(check_in), ..Built::default() }
}

/// All operations.
fn routes(check_in: CheckIn) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_instruments::list_instruments, add_instrument::add_instrument))
        .routes(routes!(show_instrument::show_instrument))
        .routes(routes!(load_instrument_texts::load_instrument_texts))
        .routes(routes!(use_instrument::use_instrument, stop_using_instrument::stop_using_instrument))
        .routes(routes!(ask_for_check_ins::ask_for_check_ins, stop_asking_for_check_ins::stop_asking_for_check_ins))
        .routes(routes!(take_duty_seat::take_duty_seat))
        .routes(routes!(
            take_programme_duty_seat::take_programme_duty_seat,
            close_programme_duty_seat::close_programme_duty_seat
        ))
        .routes(routes!(set_crisis_text::set_crisis_text))
        .routes(routes!(set_concern_deadlines::set_concern_deadlines))
        .routes(routes!(show_protocol::show_protocol))
        .routes(routes!(record_check_in::record_check_in))
        .routes(routes!(import_check_ins::import_check_ins))
        .routes(routes!(correct_check_in::correct_check_in))
        .routes(routes!(check_in_entered_in_error::check_in_entered_in_error))
        .routes(routes!(set_goal::set_goal))
        .routes(routes!(rate_goal::rate_goal))
        .routes(routes!(end_goal::end_goal))
        .routes(routes!(raise_concern::raise_concern))
        .routes(routes!(acknowledge_concern::acknowledge_concern))
        .routes(routes!(resolve_concern::resolve_concern))
        .routes(routes!(list_concerns::list_concerns))
        .routes(routes!(show_concern::show_concern))
        .routes(routes!(show_journey::show_journey))
        .routes(routes!(list_check_ins_due::list_check_ins_due))
        .routes(routes!(list_member_check_ins_due::list_member_check_ins_due))
        .with_state(check_in)
}

impl CheckIn {
    /// Decides something of the organisation's protocol.
    async fn protocol(&self, caller: &Caller, cause: Cause, command: protocol::Command) -> Result<Answer, Problem> {
        let protocol = caller.within_organisation(protocol::stream_id(&caller.org));
        Ok(self.protocols.transact(&protocol, cause, command, Reply::DONE).await?)
    }

    /// What the organisation's protocol says.
    async fn look<T>(&self, caller: &Caller, look: impl FnOnce(&protocol::State) -> T) -> Result<T, Problem> {
        let id = protocol::stream_id(&caller.org);
        Ok(self.protocols.look(&caller.org, id, |protocol| look(&protocol.state)).await?)
    }

    /// As [`Self::look`], once the log has reached `after`: it is never behind.
    async fn read<T>(
        &self,
        caller: &Caller,
        after: After,
        look: impl FnOnce(&protocol::State) -> T,
    ) -> Result<Read<T>, Problem> {
        let position = after.seen_by(&self.log.head()).await?;
        Ok(Read(position, self.look(caller, look).await?))
    }

    /// Holds callers to members whom they reach, who are there, and of whom something may be written.
    async fn require_member(&self, caller: &Caller, member: MemberId) -> Result<Permitted<MemberId>, Problem> {
        let (permitted, _) = self.members.require_visible(caller, member).await?;
        self.members.require_changeable(caller, member, false).await?;
        Ok(permitted)
    }

    /// Lets callers worry about whoever they reach, and facilitators about whoever stands on a list of their group's: that
    /// shows them nothing, and nobody is overlooked because an enrolment waits to be confirmed, or has just ended.
    async fn require_worried_about(
        &self,
        caller: &Caller,
        member: MemberId,
        said: Said,
    ) -> Result<Permitted<MemberId>, Problem> {
        self.members.require_changeable(caller, member, true).await?;
        if let (Some(_), Ok((When { group: Some(group), meeting, .. }, _))) =
            (caller.own_groups(), self.when(caller, member, said).await)
        {
            let marked = match meeting {
                Some(meeting) => self.meetings.look(&caller.org, meeting, |meeting| meeting.state.has(member)).await?,
                None => false,
            };
            if marked || self.members.knows(&caller.org, member, group).await? {
                return caller.require_member(member, true);
            }
        }
        Ok(self.members.require_visible(caller, member).await?.0)
    }

    /// What was answered when the same command was sent before; else the problem with which it ends now.
    async fn as_before(&self, cause: &Cause, problem: Problem) -> Result<Answer, Problem> {
        self.cares.replayed(cause).await?.map(Answer).ok_or(problem)
    }

    /// Decides something of a member's care whom the caller reaches.
    async fn care(
        &self,
        member: &Permitted<MemberId>,
        cause: Cause,
        command: care::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        Ok(self.cares.transact(member, cause, command, reply).await?)
    }

    /// Refuses programmes that are not there.
    async fn require_programme(&self, caller: &Caller, programme: ProgrammeId) -> Result<(), Problem> {
        let there = self.programmes.look(&caller.org, programme, |programme| programme.state.is_some()).await?;
        if there { Ok(()) } else { Err(Problem::refused(&programme::Refusal::Unknown)) }
    }

    /// When and where something was said: on the meeting's day, or on the given one, or today, where the group meets. With
    /// it, the group's programme.
    async fn when(
        &self,
        caller: &Caller,
        member: MemberId,
        said: Said,
    ) -> Result<(When, Option<ProgrammeId>), Problem> {
        let org = &caller.org;
        let plan = match said.meeting {
            Some(meeting) => {
                let plan = |meeting: &meeting::State| match meeting {
                    meeting::State::Known(register) => Ok(register.plan),
                    meeting::State::Unknown => Err(Problem::refused(&meeting::Refusal::Unknown)),
                };
                Some(self.meetings.look(org, meeting, |meeting| plan(&meeting.state)).await??)
            }
            None => None,
        };
        if let (Some(plan), Some(group)) = (&plan, said.group)
            && plan.group != group
        {
            return Err(Problem::malformed("body, at `group`: the meeting is another group's"));
        }
        let clock = &self.authenticator.clock;
        let now = clock.local(clock.now());
        let (mut programme, mut today) = (None, clock.today().date());
        let group = plan.map(|plan| plan.group).or(said.group);
        if let Some(group) = group {
            self.require_own_group(caller, member, group).await?;
            (programme, today) = self.in_group(caller, group, &now).await?;
        }
        let on = match (plan, said.on) {
            (Some(plan), _) => plan.starts_at_local.date(),
            (None, on) => on.unwrap_or(today),
        };
        // Where it is that nobody named, the day may have begun already.
        let latest = if group.is_some() { today } else { LocalDay::begun_anywhere(clock.now()).date() };
        if on > latest {
            return Err(Problem::malformed("body, at `on`: it is in the future"));
        }
        Ok((When { on, group, meeting: said.meeting }, programme))
    }

    /// Members name no groups but those that they have to do with: who is told depends on it.
    async fn require_own_group(&self, caller: &Caller, member: MemberId, group: GroupId) -> Result<(), Problem> {
        let theirs = caller.role != Role::Member || self.members.knows(&caller.org, member, group).await?;
        if theirs { Ok(()) } else { Err(Problem::refused(&group::Refusal::Unknown)) }
    }

    /// The programme of a group, if it is there.
    async fn programme(&self, caller: &Caller, group: Option<GroupId>) -> Result<Option<ProgrammeId>, Problem> {
        let Some(group) = group else { return Ok(None) };
        let programme = |group: &group::State| group.details.as_ref().map(|details| details.programme);
        Ok(self.groups.look(&caller.org, group, |group| programme(&group.state)).await?)
    }

    /// The programme of a group that the caller reaches, and what day it is there.
    async fn in_group(
        &self,
        caller: &Caller,
        group: GroupId,
        now: &jiff::Zoned,
    ) -> Result<(Option<ProgrammeId>, Date), Problem> {
        let known = self.groups.look(&caller.org, group, |group| {
            group.state.details.as_ref().map(|details| (details.programme, group.state.today(now).date()))
        });
        let (programme, today) = known.await?.ok_or_else(|| Problem::refused(&group::Refusal::Unknown))?;
        caller.require_group(group)?;
        Ok((Some(programme), today))
    }
}

/// When and where something was said, as the caller says it.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    on: Option<Date>,
    group: Option<GroupId>,
    meeting: Option<domain::MeetingId>,
}

/// A refusal that comes before anything is decided.
fn refused(refusal: &impl Refusal) -> Problem {
    Problem::refused(refusal)
}
