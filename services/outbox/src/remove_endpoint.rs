//! Remove an endpoint.

use axum::extract::State;
use domain::{EndpointId, endpoint};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Outbox, op};

/// Remove an endpoint
///
/// With all that waits for it. Its place, and its id, are for the next endpoint.
#[utoipa::path(delete, path = "/v1/endpoints/{endpoint}", tag = "outbox", request_body = Nothing,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "The endpoint is removed"), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn remove_endpoint(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::RemoveEndpoint>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let command = endpoint::Command::Remove;
    outbox.decide((&caller, cause), endpoint, command, Reply::DONE).await
}
