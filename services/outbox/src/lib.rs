//! Words that leave the house: webhooks to programs of the organisation.
//!
//! Whatever leaves says only that there is something to see, and where: no name, no id of a member, no group, no trouble.
//! What is to be sent, was tried, and arrived, stands in the log. One operation, one file.
//!
//! **Invariant:** where something is sent to is opened when it is sent, and nowhere else but for who may change it.

mod addresses;
mod change_endpoint;
mod connection;
mod disable_endpoint;
mod enable_endpoint;
mod endpoint_row;
mod list_endpoints;
mod op;
mod random;
mod register_endpoint;
mod remove_endpoint;
mod replay_messages;
mod rotate_endpoint_secret;
mod show_endpoint;
mod signature;
mod test_endpoint;
mod topics;
mod under_way;
mod webhook_view;
mod webhooks;

use std::{collections::BTreeSet, sync::Arc};

use axum::extract::FromRef;
use domain::{
    EndpointId,
    endpoint::{self, Endpoint, Topic},
};
use eventlog::{Cause, EventLog, Reply};
use host::{Built, Context, Host, Need, Task};
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::Vault;
use web::{Answer, Authenticator, Caller, Guarded, Permitted, Problem};

use self::{connection::Connection, topics::TOPICS};

/// The context: its streams, the vault, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct Outbox {
    authenticator: Authenticator,
    /// Endpoints.
    endpoints: Guarded<Endpoint>,
    /// Keys of organisations.
    vault: Vault,
    /// How endpoints are reached.
    connection: Connection,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
    /// Where secrets come from.
    new_secret: fn() -> [u8; 32],
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "outbox",
    about: "Webhooks: what leaves the house",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: &[&webhook_view::WEBHOOKS],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let connection = Connection::new(&host.outgoing);
    let outbox = Outbox {
        authenticator: host.authenticator.clone(),
        endpoints: host.of().into(),
        vault: host.vault().clone(),
        connection: connection.clone(),
        log: host.streams.log().clone(),
        new_secret: host.new_secret,
    };
    let webhooks = webhooks::Webhooks {
        clock: host.authenticator.clock.clone(),
        endpoints: host.of(),
        views: host.views.clone(),
        vault: host.vault().clone(),
        connection,
        new_secret: host.new_secret,
    };
    let tasks = vec![Task::following("webhooks", webhooks::RHYTHM, move || webhooks::Sending::from(webhooks.clone()))];
    Built { routes: routes(outbox), tasks, ..Built::default() }
}

/// All operations.
fn routes(outbox: Outbox) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_endpoints::list_endpoints, register_endpoint::register_endpoint))
        .routes(routes!(
            show_endpoint::show_endpoint,
            change_endpoint::change_endpoint,
            remove_endpoint::remove_endpoint
        ))
        .routes(routes!(rotate_endpoint_secret::rotate_endpoint_secret))
        .routes(routes!(enable_endpoint::enable_endpoint))
        .routes(routes!(disable_endpoint::disable_endpoint))
        .routes(routes!(test_endpoint::test_endpoint))
        .routes(routes!(replay_messages::replay_messages))
        .with_state(outbox)
}

impl Outbox {
    /// Refuses endpoints that are not there.
    async fn require_endpoint(&self, caller: &Caller, endpoint: EndpointId) -> Result<Permitted<EndpointId>, Problem> {
        let there = self.endpoints.look(&caller.org, endpoint, |endpoint| endpoint.state.is_some()).await?;
        let permitted = there.then(|| caller.within_organisation(endpoint));
        permitted.ok_or_else(|| Problem::refused(&endpoint::Refusal::Unknown))
    }

    /// Decides something about an endpoint that is there.
    async fn decide(
        &self,
        (caller, cause): (&Caller, Cause),
        endpoint: EndpointId,
        command: endpoint::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let permitted = self.require_endpoint(caller, endpoint).await?;
        Ok(self.endpoints.transact(&permitted, cause, command, reply).await?)
    }
}

/// Refuses topics that there are not.
fn require_topics(topics: &BTreeSet<Topic>) -> Result<(), Problem> {
    let known = topics.iter().all(|topic| TOPICS.contains(&topic.as_str()));
    if known { Ok(()) } else { Err(Problem::malformed(format!("topics are some of {}", TOPICS.join(", ")))) }
}
