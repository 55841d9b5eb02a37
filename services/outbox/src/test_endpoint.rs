//! Try whether an endpoint takes something.

use axum::extract::State;
use domain::{EndpointId, MessageId, endpoint};
use eventlog::Reply;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Outbox, op};

/// The message that tries it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ping {
    message: MessageId,
}

/// Try whether an endpoint takes something
///
/// Sends `{"type":"ping","timestamp":…,"data":{}}` after all that waits, unless such a message waits already. Whether it
/// arrived, the endpoint's attempts say.
#[utoipa::path(post, path = "/v1/endpoints/{endpoint}/test", tag = "outbox", request_body = Nothing,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 202, description = "The message waits", body = Ping), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn test_endpoint(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::TestEndpoint>,
) -> Result<Answer, Problem> {
    let message = MessageId(command.new_id("ping"));
    let Command { caller, cause, .. } = command;
    let ping = endpoint::Command::Ping(message, cause.at);
    outbox.decide((&caller, cause), endpoint, ping, Reply::json(202, &Ping { message })).await
}
