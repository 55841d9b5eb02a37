//! Send to an endpoint again.

use axum::extract::State;
use domain::{EndpointId, endpoint};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Outbox, op};

/// Send to an endpoint again
///
/// What waits is sent, at once also what failed; then what has changed since.
#[utoipa::path(post, path = "/v1/endpoints/{endpoint}/enabling", tag = "outbox", request_body = Nothing,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "The endpoint is sent to"), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn enable_endpoint(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::EnableEndpoint>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let command = endpoint::Command::Enable(cause.at);
    outbox.decide((&caller, cause), endpoint, command, Reply::DONE).await
}
