//! List API clients.

use axum::extract::State;
use domain::{ClientId, GroupId, Role, Text};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{Access, op};

/// An API client, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientRow {
    client: ClientId,
    name: Text<100>,
    role: Role,
    groups: Vec<GroupId>,
    scopes: Vec<Text<64>>,
    expires_at: Timestamp,
    /// Whether its key was revoked.
    revoked: bool,
}

/// List API clients
///
/// All that were ever registered, by id.
#[utoipa::path(get, path = "/v1/access/clients", tag = "access", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ClientRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_clients(
    State(access): State<Access>,
    CallerMay { caller, .. }: CallerMay<op::ListClients>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<ClientRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<ClientId>()?);
    let rows = access.read(&caller.org, after, |state| {
        let clients = state.clients().filter(|(id, _)| cursor.is_none_or(|cursor| cursor < *id));
        let row = |(client, known): (ClientId, &domain::access::Client)| {
            let known = (known.registered.clone(), known.revoked);
            let (domain::access::ClientRegistered { name, role, groups, scopes, expires_at, .. }, revoked) = known;
            ClientRow { client, name, role, groups, scopes, expires_at, revoked }
        };
        clients.map(row).take(limit + 1).collect::<Vec<_>>()
    });
    let Read(position, rows) = rows.await?;
    Ok(Read(position, Page::new(rows, limit, |row| row.client)))
}
