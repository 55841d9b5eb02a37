//! Programmes, groups and their calendars; listings of meetings in.
//!
//! One operation, one file. What needs no log stands apart: [`calendar`] finds the meetings of a schedule, [`listing`]
//! reads a listing.
//!
//! **Invariant:** nothing here asks what day it is: commands carry their time, plans their range.

pub mod calendar;
mod change_group;
mod change_occurrence;
mod feeds;
mod icalendar;
mod import_bmlt;
mod import_calendar;
mod import_groups;
mod import_listing;
mod import_meeting_guide;
mod import_naws;
mod issue_calendar;
mod list_calendars;
pub mod listing;
mod op;
mod plan_meetings;
mod planner;
mod register_group;
mod register_programme;
mod restore_occurrence;
mod revoke_calendar;
mod schedule_group;
mod set_joining;
mod settle;
mod show_calendar;
mod show_group_calendar;

use std::sync::Arc;

use axum::extract::FromRef;
use domain::{
    GroupId, LocalDay, OrgId, ProgrammeId, Schedule,
    access::Access,
    group::{self, FORMATS_MAX, Group},
    meeting::Meeting,
    programme::{self, Programme},
};
use eventlog::{EventLog, Position, Streams, TransactError};
use host::{Built, Context, Host, Need, Task, Views};
use jiff::Timestamp;
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::Vault;
use web::{Authenticator, Caller, Guarded, Problem};

use planner::Planner;

pub use import_listing::{Imported, Missing, MissingGroup, REMARKS_MAX, Report};
pub use plan_meetings::{PlanError, Plans};
pub use settle::{plan_group, planned};

/// Most streams that one command writes to at the same time, a count.
const WRITES_AT_ONCE: usize = 32;

/// The context: its streams, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
pub struct Directory {
    /// Who calls.
    pub authenticator: Authenticator,
    /// Programmes.
    programmes: Guarded<Programme>,
    /// Groups and their calendars.
    groups: Guarded<Group>,
    /// Meetings, to plan them.
    meetings: Streams<Meeting>,
    /// Who leads which groups, and has which calendars.
    access: Streams<Access>,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
    /// Draws 256 random bits: chance is an argument.
    new_secret: fn() -> [u8; 32],
    /// What not everybody may know is sealed with the organisation's key.
    vault: Vault,
    /// Where to look for groups that a listing does not name any more.
    views: Views,
    /// Where the log ends.
    head: watch::Receiver<Position>,
    /// How many days ahead are planned by itself, 0 to [`calendar::PLAN_DAYS_MAX`].
    plan_days: u16,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "directory",
    about: "Commands about programmes, groups, calendars",
    needs: &[Need::Vault],
    operations: op::OPERATIONS,
    views: &[],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let directory = Directory {
        authenticator: host.authenticator.clone(),
        programmes: host.of().into(),
        groups: host.of().into(),
        meetings: host.of(),
        access: host.of(),
        log: host.streams.log().clone(),
        new_secret: host.new_secret,
        vault: host.vault().clone(),
        views: host.views.clone(),
        head: host.streams.log().head(),
        plan_days: host.plan_days,
    };
    let (routes, public) = (routes(directory.clone()), public(directory.clone()));
    let views = host.views.clone();
    let planner = move || Planner::new(directory.clone(), views.clone());
    Built { routes, public, tasks: vec![Task::following("planner", planner::RHYTHM, planner)], ..Built::default() }
}

/// All operations.
fn routes(directory: Directory) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register_programme::register_programme))
        .routes(routes!(register_group::register_group))
        .routes(routes!(change_group::change_group))
        .routes(routes!(schedule_group::schedule_group))
        .routes(routes!(set_joining::set_joining))
        .routes(routes!(change_occurrence::change_occurrence))
        .routes(routes!(restore_occurrence::restore_occurrence))
        .routes(routes!(plan_meetings::plan_meetings))
        .routes(routes!(import_bmlt::import_bmlt))
        .routes(routes!(import_meeting_guide::import_meeting_guide))
        .routes(routes!(import_naws::import_naws))
        .routes(routes!(import_groups::import_groups))
        .routes(routes!(import_calendar::import_calendar))
        .routes(routes!(issue_calendar::issue_calendar, list_calendars::list_calendars))
        .routes(routes!(revoke_calendar::revoke_calendar))
        .with_state(directory)
}

/// Those that need no token.
fn public(directory: Directory) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_calendar::show_calendar))
        .routes(routes!(show_group_calendar::show_group_calendar))
        .with_state(directory)
}

impl Directory {
    /// The day where the group meets; if there is no such group, that of what belongs to none.
    ///
    /// # Errors
    /// If the log does not answer.
    pub async fn today(
        &self,
        org: &OrgId,
        group: GroupId,
        now: Timestamp,
    ) -> Result<LocalDay, TransactError<group::Refusal>> {
        let now = self.authenticator.clock.local(now);
        self.groups.look(org, group, |group| group.state.today(&now)).await
    }

    /// Refuses what does not describe a group of the organisation. Programmes are never taken away, so what holds
    /// when this looks still holds when the group is written.
    async fn check(&self, org: &OrgId, details: &group::Details) -> Result<(), Problem> {
        if details.formats.len() > FORMATS_MAX {
            let what = format!("formats holds {}, at most {FORMATS_MAX} are possible", details.formats.len());
            return Err(Problem::malformed(what));
        }
        let kinds = &details.accessibility;
        if let Some(twice) = kinds.iter().enumerate().find(|(n, kind)| kinds[..*n].contains(kind)) {
            return Err(Problem::malformed(format!("accessibility names {} twice", twice.1.as_str())));
        }
        self.require_programme(org, details.programme).await
    }

    async fn require_programme(&self, org: &OrgId, programme: ProgrammeId) -> Result<(), Problem> {
        let there = self.programmes.look(org, programme, |loaded| loaded.state.is_some()).await?;
        there.then_some(()).ok_or_else(|| Problem::refused(&programme::Refusal::Unknown))
    }

    /// Refuses a calendar that cannot be used. To find that a rule names no day can take long.
    async fn check_schedule(&self, caller: &Caller, schedule: Option<&Schedule>) -> Result<(), Problem> {
        let Some(schedule) = schedule.cloned() else { return Ok(()) };
        let checked = self.authenticator.compute.run(caller.asking(), move || calendar::validate(&schedule)).await?;
        checked.map_err(|error| Problem::malformed(format!("schedule: {error}")))
    }

    /// Groups are never taken away either.
    async fn require_group(&self, org: &OrgId, group: GroupId) -> Result<(), Problem> {
        let there = self.groups.look(org, group, |loaded| loaded.state.details.is_some()).await?;
        there.then_some(()).ok_or_else(|| Problem::refused(&group::Refusal::Unknown))
    }
}
