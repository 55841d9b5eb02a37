//! Views of groups, members and registers: what is read often, folded from the log, ready to be read.
//!
//! `*_view.rs` folds events into rows and reads them back; one file per operation serves them. Rows and the position
//! up to which they were folded commit in one transaction, so a view is always that of a prefix of the log.
//!
//! **Invariant:** no command reads a view.

mod audit_view;
mod enrolment_view;
mod group_view;
mod list_accesses;
mod list_audit;
mod list_broken_glass;
mod list_groups;
mod list_meetings;
mod list_overdue_registers;
mod list_programmes;
mod list_unconfirmed_enrolments;
mod member_view;
mod names;
mod opening;
mod preview_merge;
mod programme_view;
mod reason_view;
mod record_view;
mod register_view;
mod row;
mod search_members;
mod show_group;
mod show_member;
mod show_record;
mod show_register;
mod show_roster;
mod sight;
mod verify;
mod views;

use std::sync::Arc;

use axum::{
    extract::FromRef,
    response::{IntoResponse, Response},
};
use eventlog::{Position, blocking, sqlite::Readers};
use jiff::Zoned;
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::{Names, Vault};
use web::{After, Audit, Caller, Gate, Problem, Read};

pub use group_view::{Plannable, plannable};
pub use names::NameKeeper;
pub use record_view::{ErasedMember, erased_members, has_record, members_after, regrouped};
pub use verify::{Difference, difference};
pub use views::{OpenError, Views};

/// The views as they are read.
#[derive(Debug, Clone, FromRef)]
pub struct Projections {
    gate: Gate,
    readers: Arc<Readers>,
    checkpoint: watch::Receiver<Position>,
    personal: Personal,
}

/// What opening personal data needs.
#[derive(Debug, Clone)]
pub struct Personal {
    /// The keys.
    pub vault: Vault,
    /// Where it is written down.
    pub audit: Audit,
    /// Names, to search by.
    pub names: Names,
    /// Up to where the views know members' records.
    pub people: watch::Receiver<Position>,
    /// Up to where the names do.
    pub named: watch::Receiver<Position>,
}

impl Projections {
    /// The views that `readers` read, which stand at `checkpoint`.
    pub fn new(gate: Gate, readers: Arc<Readers>, checkpoint: watch::Receiver<Position>, personal: Personal) -> Self {
        Self { gate, readers, checkpoint, personal }
    }

    /// The time, in the zone of what belongs to no group.
    fn now(&self) -> Zoned {
        let clock = &self.gate.clock;
        clock.local(clock.now())
    }

    /// Reads once the view has reached `after`.
    async fn read<T: Send + 'static>(
        &self,
        after: After,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Read<T>, Problem> {
        let position = after.seen_by(&self.checkpoint).await?;
        let readers = self.readers.clone();
        let rows = blocking(move || readers.with(read)).await;
        let rows =
            rows.map_err(|unfinished| Problem::internal(&unfinished))?.map_err(|error| Problem::unavailable(&error))?;
        Ok(Read(position, rows))
    }

    /// An answer that can be long, written where it holds up nobody.
    async fn answer<T: Serialize + Send + 'static>(
        &self,
        caller: &Caller,
        answer: Read<T>,
    ) -> Result<Response, Problem> {
        Ok(self.gate.compute.run(caller.asking(), || answer.into_response()).await?)
    }

    /// Reads something that may not be there.
    async fn find<T: Send + 'static>(
        &self,
        after: After,
        what: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>> + Send + 'static,
    ) -> Result<Read<T>, Problem> {
        let Read(position, found) = self.read(after, read).await?;
        found.map(|found| Read(position, found)).ok_or_else(|| Problem::not_found(format!("there is no such {what}")))
    }
}

/// All operations on views.
pub fn routes(projections: Projections) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_programmes::list_programmes))
        .routes(routes!(list_groups::list_groups))
        .routes(routes!(show_group::show_group))
        .routes(routes!(list_meetings::list_meetings))
        .routes(routes!(show_roster::show_roster))
        .routes(routes!(show_register::show_register))
        .routes(routes!(show_member::show_member))
        .routes(routes!(list_overdue_registers::list_overdue_registers))
        .routes(routes!(list_unconfirmed_enrolments::list_unconfirmed_enrolments))
        .routes(routes!(search_members::search_members))
        .routes(routes!(preview_merge::preview_merge))
        .routes(routes!(show_record::show_record))
        .routes(routes!(list_accesses::list_accesses))
        .routes(routes!(list_audit::list_audit))
        .routes(routes!(list_broken_glass::list_broken_glass))
        .with_state(projections)
}
