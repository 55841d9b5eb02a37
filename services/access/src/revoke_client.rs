//! Revoke an API client's key.

use axum::extract::State;
use domain::{ClientId, access};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Access, op};

/// Revoke an API client
///
/// Its key is not accepted any more, from the answer on and for ever.
#[utoipa::path(post, path = "/v1/access/clients/{client}/revocation", tag = "access", request_body = Nothing,
    params(("client" = ClientId, Path, description = "The client")),
    responses((status = 204, description = "The key is revoked"), Problems))]
#[tracing::instrument(skip_all, fields(client = %client))]
pub(crate) async fn revoke_client(
    State(access): State<Access>,
    Path(client): Path<ClientId>,
    command: Command<op::RevokeClient>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let revoke = access::Command::RevokeClient(client);
    Ok(Answer(access.transact(&caller.org, cause, revoke, Reply::DONE).await?))
}
