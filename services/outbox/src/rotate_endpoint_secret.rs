//! Make a new secret for an endpoint.

use axum::extract::State;
use domain::{
    EndpointId,
    endpoint::{self, SecretRotated},
};
use eventlog::Reply;
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Outbox, op, signature::told};

/// The new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointSecret {
    /// It is said once: sending the command again answers without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Make a new secret for an endpoint
///
/// The one before signs as well for 24 hours: until then each message has both signatures. Answers the secret, once.
#[utoipa::path(post, path = "/v1/endpoints/{endpoint}/secret", tag = "outbox", request_body = Nothing,
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "The new secret", body = EndpointSecret), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn rotate_endpoint_secret(
    State(outbox): State<Outbox>,
    Path(endpoint): Path<EndpointId>,
    command: Command<op::RotateEndpointSecret>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let (new, at) = ((outbox.new_secret)(), cause.at);
    let key = outbox.vault.org_key(&caller.org).await?;
    let secret = key.seal(&caller.org, endpoint.0, SealedAs::Secret, &new);
    let rotate = endpoint::Command::Rotate(SecretRotated { secret, at });
    let reply = Reply::json(200, &EndpointSecret { secret: None });
    let Answer(mut done) = outbox.decide((&caller, cause), endpoint, rotate, reply).await?;
    if !done.replayed {
        done.reply = Reply::json(200, &EndpointSecret { secret: Some(told(&new).to_string()) });
    }
    Ok(Answer(done))
}
