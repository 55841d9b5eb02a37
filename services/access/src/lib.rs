//! Who may call: tokens revoked before their end, API clients, facilitators assigned to groups.
//!
//! What is decided here, the authenticator heeds at the next request: both read the organisation's access stream.

mod assign_facilitator;
mod end_assignment;
mod end_revocation;
mod list_assignments;
mod list_clients;
mod op;
mod register_client;
mod revoke_client;
mod revoke_token;

use std::sync::Arc;

use axum::extract::FromRef;
use domain::{
    GroupId, OrgId,
    access::{self, Command, State},
    group::{self, Group},
};
use eventlog::{Cause, Done, EventLog, Reply, Streams};
use host::{Built, Context, Host};
use utoipa_axum::{router::OpenApiRouter, routes};
use web::{After, Authenticator, Caller, May, Problem, Read};

/// Draws 256 random bits: chance is an argument.
pub type NewSecret = fn() -> [u8; 32];

/// The context: its streams, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
pub struct Access {
    /// Who calls.
    pub authenticator: Authenticator,
    /// What each organisation decided. The authenticator heeds the same value.
    pub access: Streams<access::Access>,
    /// Groups, to know that there is one.
    pub groups: Streams<Group>,
    /// The log, to know how far a read reaches.
    pub log: Arc<dyn EventLog>,
    /// Where secrets come from.
    pub new_secret: NewSecret,
    /// Every operation there is: what a client may be let do.
    pub operations: Arc<[May]>,
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "access",
    about: "Commands about clients, assignments, revocations",
    needs: &[],
    operations: op::OPERATIONS,
    views: &[],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let access = Access {
        authenticator: host.authenticator.clone(),
        access: host.of(),
        groups: host.of(),
        log: host.streams.log().clone(),
        new_secret: host.new_secret,
        operations: host.operations.clone().into(),
    };
    Built { routes: routes(access), ..Built::default() }
}

/// All operations.
fn routes(access: Access) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(revoke_token::revoke_token))
        .routes(routes!(end_revocation::end_revocation))
        .routes(routes!(register_client::register_client, list_clients::list_clients))
        .routes(routes!(revoke_client::revoke_client))
        .routes(routes!(assign_facilitator::assign_facilitator, list_assignments::list_assignments))
        .routes(routes!(end_assignment::end_assignment))
        .with_state(access)
}

impl Access {
    async fn transact(&self, org: &OrgId, cause: Cause, command: Command, reply: Reply) -> Result<Done, Problem> {
        Ok(self.access.transact(org, access::id(org), cause, command, reply).await?)
    }

    /// Reads the state itself, which is never behind.
    async fn read<T>(&self, org: &OrgId, after: After, look: impl FnOnce(&State) -> T) -> Result<Read<T>, Problem> {
        let position = after.seen_by(&self.log.head()).await?;
        Ok(Read(position, self.access.look(org, access::id(org), |loaded| look(&loaded.state)).await?))
    }

    /// Refuses groups that are not there.
    async fn require_group(&self, caller: &Caller, group: GroupId) -> Result<(), Problem> {
        let there = self.groups.look(&caller.org, group, |group| group.state.details.is_some()).await?;
        if there { Ok(()) } else { Err(Problem::refused(&group::Refusal::Unknown)) }
    }
}
