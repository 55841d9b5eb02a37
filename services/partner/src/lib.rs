//! Partners: the agencies that members are referred to, their services, whether these can take somebody, and how long
//! each step of a referral to them may take. Partners and services in from HSDS directories.
//!
//! One operation, one file. What needs no log stands apart: [`hsds`] reads a directory.
//!
//! **Invariant:** nothing here is about a member.

mod ask_capacity;
mod change_partner;
mod close_partner;
mod describe_service;
mod hsds;
mod import_hsds;
mod list_partners;
mod list_services;
mod op;
mod partner_view;
mod register_partner;
mod remove_partner_clocks;
mod reopen_partner;
mod set_partner_clocks;
mod set_referral_clocks;
mod show_partner;
mod show_referral_clocks;
mod state_capacity;
mod topics;

use std::sync::Arc;

use axum::extract::FromRef;
use domain::{
    PartnerId,
    partner::{self, Partner},
    route::{self, Route},
};
use eventlog::{Cause, EventLog, Reply};
use host::{Built, Context, Host, Need, Views};
use utoipa_axum::{router::OpenApiRouter, routes};
use web::{After, Answer, Authenticator, Caller, Guarded, Permitted, Problem, Read};

pub use hsds::DIRECTORY_BYTES_MAX;

/// The context: its streams, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct Partners {
    authenticator: Authenticator,
    /// Partners, their services and what they can take.
    streams: Guarded<Partner>,
    /// Each organisation's clocks.
    clocks: Guarded<Route>,
    /// Its views.
    views: Views,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "partner",
    about: "Partners, their services, clocks of referrals",
    needs: &[Need::Views],
    operations: op::OPERATIONS,
    views: &[&partner_view::PARTNERS],
    topics: &[&topics::PARTNERS],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let partners = Partners {
        authenticator: host.authenticator.clone(),
        streams: host.of().into(),
        clocks: host.of().into(),
        views: host.views.clone(),
        log: host.streams.log().clone(),
    };
    Built { routes: routes(partners), ..Built::default() }
}

/// All operations.
fn routes(partners: Partners) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_partners::list_partners, register_partner::register_partner))
        .routes(routes!(show_partner::show_partner, change_partner::change_partner))
        .routes(routes!(close_partner::close_partner))
        .routes(routes!(reopen_partner::reopen_partner))
        .routes(routes!(describe_service::describe_service))
        .routes(routes!(ask_capacity::ask_capacity))
        .routes(routes!(state_capacity::state_capacity))
        .routes(routes!(list_services::list_services))
        .routes(routes!(import_hsds::import_hsds))
        .routes(routes!(show_referral_clocks::show_referral_clocks, set_referral_clocks::set_referral_clocks))
        .routes(routes!(set_partner_clocks::set_partner_clocks, remove_partner_clocks::remove_partner_clocks))
        .with_state(partners)
}

impl Partners {
    /// Decides something about a partner that is there.
    async fn decide(
        &self,
        caller: &Caller,
        cause: Cause,
        partner: PartnerId,
        command: partner::Command,
    ) -> Result<Answer, Problem> {
        let permitted = self.require_partner(caller, partner).await?;
        Ok(self.streams.transact(&permitted, cause, command, Reply::DONE).await?)
    }

    /// Refuses partners that are not there. They are never taken away, so what holds when this looks still holds when
    /// something is written.
    async fn require_partner(&self, caller: &Caller, partner: PartnerId) -> Result<Permitted<PartnerId>, Problem> {
        let there = self.streams.look(&caller.org, partner, |partner| partner.state.is_some()).await?;
        let permitted = there.then(|| caller.within_organisation(partner));
        permitted.ok_or_else(|| Problem::refused(&partner::Refusal::Unknown))
    }

    /// Decides something about the organisation's clocks.
    async fn set_clocks(&self, caller: &Caller, cause: Cause, command: route::Command) -> Result<Answer, Problem> {
        let clocks = caller.within_organisation(route::stream_id(&caller.org));
        Ok(self.clocks.transact(&clocks, cause, command, Reply::DONE).await?)
    }

    /// What the organisation's clocks say, from the log: they are never behind.
    async fn look_at_clocks<T>(&self, caller: &Caller, look: impl FnOnce(&route::State) -> T) -> Result<T, Problem> {
        let id = route::stream_id(&caller.org);
        Ok(self.clocks.look(&caller.org, id, |clocks| look(&clocks.state)).await?)
    }

    /// As [`Self::look_at_clocks`], once the log has reached `after`.
    async fn read_clocks<T>(
        &self,
        caller: &Caller,
        after: After,
        look: impl FnOnce(&route::State) -> T,
    ) -> Result<Read<T>, Problem> {
        let position = after.seen_by(&self.log.head()).await?;
        Ok(Read(position, self.look_at_clocks(caller, look).await?))
    }
}
