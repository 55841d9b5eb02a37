//! Send nothing to an endpoint for now.

use axum::extract::State;
use domain::{EndpointId, endpoint};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Outbox, op};

/// Send nothing to an endpoint for now
///
/// What waits goes on waiting, and what changes is told when it is enabled again.
#[utoipa::path(post, path = "/v1/endpoints/{endpoint}/disabling", tag = "outbox", request_body = Nothing,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "Nothing is sent to the endpoint"), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn disable_endpoint(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::DisableEndpoint>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let command = endpoint::Command::Disable(cause.at);
    outbox.decide((&caller, cause), endpoint, command, Reply::DONE).await
}
