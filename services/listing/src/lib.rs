//! Lists for anybody, without a token: which groups an organisation lists, and when they meet; for its website, for those
//! who look for a group near them, and for others who list groups.
//!
//! One operation, one file. What is shown is folded of the events of groups alone, but for the next meeting.
//!
//! **Invariant:** nothing here knows a member, a key, or a group that is not listed.
//! **Invariant:** what was asked for is in no log, no span and no metric.

mod asked;
mod export_hsds_services;
mod export_meeting_guide;
mod hsds;
mod index;
mod list_groups_near;
mod list_public_groups;
mod listing_view;
mod meeting_guide;
mod op;
mod public_group;
mod rule;
mod sphere;

use std::sync::{Arc, PoisonError};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::GroupId;
use host::{Built, Context, Host, Need, Views};
use projections::{REGISTERS, next_meeting};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};
use web::{After, Clock, Page, Problem, Read};

use index::{Index, Indexes};
use listing_view::LISTINGS;
use public_group::{PublicGroup, nothing_listed};
use sphere::Apart;

/// Most who read a whole list at once, a count: it can take a second of a processor.
const EXPORTS_AT_ONCE_MAX: usize = 4;

/// The context: its view, and what of it is kept in memory.
#[derive(Debug, Clone)]
struct Listing {
    clock: Clock,
    views: Views,
    indexes: Indexes,
    /// Places for those who read a whole list.
    exports: Arc<Semaphore>,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "listing",
    about: "Lists of groups for anybody, without a token",
    needs: &[Need::Views],
    operations: op::OPERATIONS,
    views: &[&LISTINGS],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let listing = Listing {
        clock: host.authenticator.clock.clone(),
        views: host.views.clone(),
        indexes: Indexes::default(),
        exports: Arc::new(Semaphore::new(EXPORTS_AT_ONCE_MAX)),
    };
    Built { public: routes(listing), ..Built::default() }
}

/// All operations.
fn routes(listing: Listing) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_public_groups::list_public_groups))
        .routes(routes!(list_groups_near::list_groups_near))
        .routes(routes!(export_meeting_guide::export_meeting_guide))
        .routes(routes!(export_hsds_services::export_hsds_services))
        .with_state(listing)
}

/// An answer for anybody. It does not say how far in the log it reaches: that would be a number to count by.
struct Shown<T>(T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A group that was chosen.
struct Chosen<K> {
    id: GroupId,
    /// How far away it is, if somebody said from where.
    apart: Option<Apart>,
    /// Where it stands in the list.
    key: K,
}

impl Listing {
    /// The groups that `choose` chooses of an organisation's list.
    async fn page<K: Send + 'static>(
        &self,
        org: &str,
        choose: impl FnOnce(&Index) -> Page<Chosen<K>> + Send + 'static,
    ) -> Result<Page<PublicGroup>, Problem> {
        let (indexes, now) = (self.indexes.clone(), self.clock.now());
        let of = public_group::org(org).ok_or_else(nothing_listed)?;
        let read = move |connection: &_| {
            if !listing_view::lists_any(connection, of.as_str())? {
                return Ok(None);
            }
            let kept = indexes.of(&of);
            listing_view::learn(&kept, connection, of.as_str())?;
            let Page { items, next } = choose(&kept.read().unwrap_or_else(PoisonError::into_inner));
            let mut groups = Vec::with_capacity(items.len());
            for Chosen { id, apart, .. } in items {
                // Whatever the list in memory says, the rows decide.
                let Some(listed) = listing_view::find(connection, of.as_str(), id)? else { continue };
                let next = next_meeting(connection, of.as_str(), id, now)?;
                groups.push(PublicGroup::of(listed, next, apart.map(Apart::km)));
            }
            Ok(Some(Page { items: groups, next }))
        };
        let Read(_, found) = self.views.read(&[&LISTINGS, &REGISTERS], After::anything(), read).await?;
        found.ok_or_else(nothing_listed)
    }
}
