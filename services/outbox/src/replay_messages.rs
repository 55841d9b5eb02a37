//! Send messages to an endpoint once more.

use axum::extract::State;
use domain::{
    EndpointId, MessageId,
    endpoint::{self, Which},
};
use eventlog::Reply;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Outbox, op};

/// Which messages.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplayBody {
    /// All that were made since then.
    Since(Timestamp),
    /// This one.
    Message(MessageId),
}

/// Send messages to an endpoint once more
///
/// With the ids and the words that they had, oldest first and after all that waits. The last 1,000 messages of an endpoint
/// are kept.
#[utoipa::path(post, path = "/v1/endpoints/{endpoint}/replay", tag = "outbox", request_body = ReplayBody,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "The messages wait"), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn replay_messages(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::ReplayMessages, ReplayBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let which = match body {
        ReplayBody::Since(since) => Which::Since(since),
        ReplayBody::Message(message) => Which::One(message),
    };
    let replay = endpoint::Command::Replay(which, cause.at);
    outbox.decide((&caller, cause), endpoint, replay, Reply::DONE).await
}
