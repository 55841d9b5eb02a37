//! Register an endpoint.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    EndpointId, Text,
    endpoint::{self, ENDPOINTS_MAX, Registered, Topic},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Private, Problem, Problems};

use crate::{Outbox, connection::URL_CHARS_MAX, op, require_topics, signature::told};

/// Where a program is, and what it is told of.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointBody {
    /// Where it is: https, a host that anybody can reach, without user and password. Kept sealed.
    #[schema(value_type = String, min_length = 1, max_length = 2000, example = "https://hooks.example.org/kith")]
    pub url: Private<Text<URL_CHARS_MAX>>,
    /// What it is told of: some of `check_ins`, `enrolments`, `groups`, `meetings`, `members`, `partners`, `protocol`,
    /// `referrals`; of all if none is given.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 32, example = json!(["referrals"]))]
    pub topics: BTreeSet<Topic>,
}

/// The new endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointAdded {
    endpoint: EndpointId,
    /// With what is signed that is sent there, in the form of Standard Webhooks. It is said once: sending the command again
    /// answers without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Register an endpoint
///
/// From now on it is told when something changes, and of what: `{"type":"changed","timestamp":…,"data":{"topics":[…]}}`,
/// signed as Standard Webhooks says, and never of whom. Answers the secret, once: if the answer was lost, make a new one.
#[utoipa::path(post, path = "/v1/endpoints", tag = "outbox", request_body = EndpointBody,
    responses((status = 201, description = "The endpoint is registered", body = EndpointAdded), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_endpoint(
    State(outbox): State<Outbox>,
    mut command: Command<op::RegisterEndpoint, EndpointBody>,
) -> Result<Answer, Problem> {
    let EndpointBody { url, topics } = command.body.clone();
    outbox.connection.allowed().check(url.in_clear().as_str()).map_err(Problem::malformed)?;
    require_topics(&topics)?;
    let (org, at) = (command.caller.org.clone(), command.cause.at);
    let key = outbox.vault.org_key(&org).await?;
    command.recognise_by(&key);
    // Where it was registered before, nobody else looks for a place.
    if let Some(done) = outbox.endpoints.replayed(&command.cause).await? {
        return Ok(Answer(done));
    }
    let (new, from) = ((outbox.new_secret)(), outbox.log.head().borrow().0);
    for number in 0..ENDPOINTS_MAX {
        let endpoint = endpoint::id(&org, number);
        let address = command.seal(&key, endpoint, SealedAs::Endpoint, &url);
        let secret = key.seal(&org, endpoint.0, SealedAs::Secret, &new);
        let register = Registered { address, topics: topics.clone(), secret, from, at };
        // The answer that is stored, for when the command is sent again, is without the secret.
        let reply = Reply::json(201, &EndpointAdded { endpoint, secret: None });
        let place = command.caller.within_organisation(endpoint);
        let register = endpoint::Command::Register(register);
        match outbox.endpoints.transact(&place, command.cause.clone(), register, reply).await {
            // Somebody has this place.
            Err(eventlog::TransactError::Refused(endpoint::Refusal::Full)) => {}
            Err(error) => return Err(error.into()),
            Ok(Answer(mut done)) => {
                if !done.replayed {
                    let secret = Some(told(&new).to_string());
                    done.reply = Reply::json(201, &EndpointAdded { endpoint, secret });
                }
                return Ok(Answer(done));
            }
        }
    }
    Err(Problem::refused(&endpoint::Refusal::Full))
}
