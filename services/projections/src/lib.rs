//! Views of groups, members and registers: what is read often, folded from the log, ready to be read.
//!
//! `*_view.rs` folds events into rows and reads them back; one file per operation serves them. Rows and the position
//! up to which they were folded commit in one transaction, so a view is always that of a prefix of the log.
//!
//! **Invariant:** no command reads a view.

mod attendance_sheet;
mod attendance_table;
mod audit_view;
mod enrolment_view;
mod follow_changes;
mod followed;
mod group_view;
mod list_accesses;
mod list_audit;
mod list_broken_glass;
mod list_caseloads;
mod list_group_meetings;
mod list_groups;
mod list_meetings;
mod list_overdue_registers;
mod list_programmes;
mod list_queue;
mod list_unconfirmed_enrolments;
mod meetings;
mod names;
mod next_meeting;
mod op;
mod opening;
mod person;
mod preview_merge;
mod programme_view;
mod reason_view;
mod record_view;
mod recorded;
mod register_view;
mod rosters;
mod search_members;
mod show_attendance;
mod show_group;
mod show_joining;
mod show_member;
mod show_record;
mod show_register;
mod show_roster;
mod show_vitality;
mod sight;
mod streaks;
pub mod topics;
mod vitality;
mod waiting;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    extract::FromRef,
    response::{IntoResponse, Response},
};
use eventlog::Position;
use host::{Boards, Built, Context, Host, Need, Task, Topic, View, Views};
use jiff::Zoned;
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::{Names, Vault};
use web::{After, Audit, Authenticator, Caller, Problem, Read};

use follow_changes::Streams;
use names::NameKeeper;

pub use enrolment_view::{ENROLMENTS, Placed, placed};
pub use follow_changes::{STREAM_TIME_MAX, STREAMS_MAX, STREAMS_OF_CALLER_MAX, STREAMS_OF_ORG_MAX};
pub use followed::{ErasedMember, Plannable, ToPlan, erased_members, regrouped, to_plan};
pub use group_view::{GROUPS, from_source, programme_of, there};
pub use next_meeting::{MeetingAhead, next_meeting};
pub use person::{MemberAttendance, attendances};
pub use record_view::{
    RECORDS, everybody, goes_on_as, is_registered, members_after, person as records_of, registered_since, same_person,
};
pub use register_view::{REGISTERS, SealedMood, moods_of};
pub use streaks::streaks;
pub use waiting::{Glass, LapsedPlace, Unconfirmed, Unreported, broken_glass, lapsed, unconfirmed, unreported};

/// Its views: of what several contexts say, read together.
const VIEWS: &[&View] = &[
    &programme_view::PROGRAMMES,
    &group_view::GROUPS,
    &enrolment_view::ENROLMENTS,
    &register_view::REGISTERS,
    &record_view::RECORDS,
    &reason_view::REASONS,
    &audit_view::OPENINGS,
];

/// What is read where members are shown.
const OF_MEMBERS: &[&View] =
    &[&group_view::GROUPS, &enrolment_view::ENROLMENTS, &register_view::REGISTERS, &record_view::RECORDS];

/// The views as they are read.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct Projections {
    authenticator: Authenticator,
    views: Views,
    personal: Personal,
    /// What there is to do.
    boards: Boards,
    /// What can be followed.
    topics: Arc<[&'static Topic]>,
    /// Who follows it.
    streams: Streams,
    /// What happened at meetings: whose commands that were, only the log says.
    meetings: eventlog::Streams<domain::meeting::Meeting>,
}

/// What opening personal data needs.
#[derive(Debug, Clone)]
pub(crate) struct Personal {
    /// The keys.
    pub vault: Vault,
    /// Where it is written down.
    pub audit: Audit,
    /// Names, to search by.
    pub names: Names,
    /// Up to where the names know members' records.
    pub named: watch::Receiver<Position>,
}

impl Projections {
    /// The time, in the zone of what belongs to no group.
    fn now(&self) -> Zoned {
        let clock = &self.authenticator.clock;
        clock.local(clock.now())
    }

    /// Reads these views once they have reached `after`.
    async fn read<T: Send + 'static>(
        &self,
        views: &[&View],
        after: After,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Read<T>, Problem> {
        self.views.read(views, after, read).await
    }

    /// An answer that can be long, written where it holds up nobody.
    async fn answer<T: Serialize + Send + 'static>(
        &self,
        caller: &Caller,
        answer: Read<T>,
    ) -> Result<Response, Problem> {
        Ok(self.authenticator.compute.run(caller.asking(), || answer.into_response()).await?)
    }

    /// Reads something that may not be there.
    async fn find<T: Send + 'static>(
        &self,
        views: &[&View],
        after: After,
        what: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>> + Send + 'static,
    ) -> Result<Read<T>, Problem> {
        let Read(position, found) = self.read(views, after, read).await?;
        found.map(|found| Read(position, found)).ok_or_else(|| Problem::not_found(format!("there is no such {what}")))
    }
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "projections",
    about: "What is read of groups, members, registers",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: VIEWS,
    topics: topics::ALL,
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let vault = host.vault().clone();
    let names = NameKeeper {
        views: host.views.clone(),
        vault: vault.clone(),
        names: host.names.clone(),
        named: host.named.clone(),
        after: 0,
    };
    let personal =
        Personal { vault, audit: host.audit.clone(), names: host.names.clone(), named: host.named.subscribe() };
    let projections = Projections {
        authenticator: host.authenticator.clone(),
        views: host.views.clone(),
        personal,
        boards: host.boards.clone(),
        topics: host.topics.as_slice().into(),
        streams: Streams::default(),
        meetings: host.of(),
    };
    let tasks = vec![Task::following("names", names::RHYTHM, move || names.anew()), host.boards.task()];
    Built { routes: routes(projections), tasks, ..Built::default() }
}

/// All operations.
fn routes(projections: Projections) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_programmes::list_programmes))
        .routes(routes!(list_groups::list_groups))
        .routes(routes!(show_group::show_group))
        .routes(routes!(show_joining::show_joining))
        .routes(routes!(show_vitality::show_vitality))
        .routes(routes!(list_meetings::list_meetings))
        .routes(routes!(list_group_meetings::list_group_meetings))
        .routes(routes!(show_roster::show_roster))
        .routes(routes!(show_register::show_register))
        .routes(routes!(show_attendance::show_attendance))
        .routes(routes!(show_member::show_member))
        .routes(routes!(list_overdue_registers::list_overdue_registers))
        .routes(routes!(list_unconfirmed_enrolments::list_unconfirmed_enrolments))
        .routes(routes!(search_members::search_members))
        .routes(routes!(preview_merge::preview_merge))
        .routes(routes!(show_record::show_record))
        .routes(routes!(list_accesses::list_accesses))
        .routes(routes!(list_audit::list_audit))
        .routes(routes!(list_broken_glass::list_broken_glass))
        .routes(routes!(list_queue::list_queue))
        .routes(routes!(list_caseloads::list_caseloads))
        .routes(routes!(follow_changes::follow_changes))
        .with_state(projections)
}
