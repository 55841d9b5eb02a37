//! Change an endpoint.

use axum::extract::State;
use domain::{
    EndpointId,
    endpoint::{self, Changed},
};
use eventlog::Reply;
use vault::SealedAs;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Outbox, op, register_endpoint::EndpointBody, require_topics};

/// Change an endpoint
///
/// Where it is, and what it is told of. What waits for it goes to where it is now.
#[utoipa::path(put, path = "/v1/endpoints/{endpoint}", tag = "outbox", request_body = EndpointBody,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "The endpoint is changed"), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn change_endpoint(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    mut command: Command<op::ChangeEndpoint, EndpointBody>,
) -> Result<Answer, Problem> {
    let EndpointBody { url, topics } = command.body.clone();
    outbox.connection.allowed().check(url.in_clear().as_str()).map_err(Problem::malformed)?;
    require_topics(&topics)?;
    let key = outbox.vault.org_key(&command.caller.org).await?;
    let address = command.seal(&key, endpoint, SealedAs::Endpoint, &url);
    let Command { caller, cause, .. } = command;
    let change = endpoint::Command::Change(Changed { address, topics });
    outbox.decide((&caller, cause), endpoint, change, Reply::DONE).await
}
