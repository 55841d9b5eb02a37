//! Register an API client.

use axum::extract::State;
use domain::{
    ClientId, GroupId, Role, Text,
    access::{self, CLIENT_TTL_MAX, ClientRegistered},
};
use eventlog::Reply;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, May, Problem, Problems, new_client_key};

use crate::{Access, op};

/// Most groups of one client, a count.
const GROUPS_MAX: usize = 64;
/// What no client may do, whatever its role: make more of its kind.
const NO_SCOPES: &[&str] = &["register_client"];

/// What it is and may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientBody {
    /// What it is, for people who look at the list.
    name: Text<100>,
    /// As what it calls; members are people.
    #[schema(example = "auditor")]
    role: Role,
    /// Of a facilitator: the groups that it reaches.
    #[serde(default)]
    #[schema(max_items = 64)]
    groups: Vec<GroupId>,
    /// Ids of the operations that it may call, each one that its role may.
    #[schema(example = json!(["list_groups"]), min_items = 1)]
    scopes: Vec<Text<64>>,
    /// When its key ends, at most 367 days ahead.
    #[schema(example = "2026-12-31T00:00:00Z")]
    expires_at: Timestamp,
}

/// The new client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientAdded {
    client: ClientId,
    /// Its key, to be sent as `Authorization: Bearer …`. It is said once: a hash is all that is kept, so sending the
    /// command again answers without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// Register an API client
///
/// Answers the client's key, once. If the answer was lost, revoke the client and register another.
#[utoipa::path(post, path = "/v1/access/clients", tag = "access", request_body = ClientBody,
    responses((status = 201, description = "The client is registered", body = ClientAdded), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_client(
    State(access): State<Access>,
    command: Command<op::RegisterClient, ClientBody>,
) -> Result<Answer, Problem> {
    let client = ClientId(command.new_id("client"));
    let Command { caller, cause, body, .. } = command;
    body.check(&access.operations, cause.at)?;
    let (key, key_hash) = new_client_key(&caller.org, client, &(access.new_secret)());
    let ClientBody { name, role, groups, scopes, expires_at } = body;
    let registered = ClientRegistered { client, name, role, groups, scopes, key_hash, expires_at };
    // The answer that is stored, for when the command is sent again, is without the key.
    let reply = Reply::json(201, &ClientAdded { client, key: None });
    let mut done = access.transact(&caller.org, cause, access::Command::RegisterClient(registered), reply).await?;
    if !done.replayed {
        done.reply = Reply::json(201, &ClientAdded { client, key: Some(key) });
    }
    Ok(Answer(done))
}

impl ClientBody {
    fn check(&self, operations: &[May], now: Timestamp) -> Result<(), Problem> {
        let may = |scope: &Text<64>| {
            let operation = operations.iter().find(|operation| operation.id == scope.as_str());
            operation.is_some_and(|May { id, roles, .. }| roles.contains(&self.role) && !NO_SCOPES.contains(id))
        };
        match () {
            () if self.role == Role::Member => {
                Err(Problem::malformed("a client cannot be a member: members are people"))
            }
            () if self.groups.len() > GROUPS_MAX => {
                Err(Problem::malformed(format!("a client has at most {GROUPS_MAX} groups")))
            }
            () if self.scopes.is_empty() => Err(Problem::malformed("a client has at least one scope")),
            () if self.scopes.len() > operations.len() || !self.scopes.iter().all(may) => {
                Err(Problem::malformed("each scope must be the id of an operation that the role may call"))
            }
            () if self.expires_at <= now || self.expires_at > now + CLIENT_TTL_MAX => {
                Err(Problem::malformed("expires_at must be ahead, by at most 367 days"))
            }
            () => Ok(()),
        }
    }
}
