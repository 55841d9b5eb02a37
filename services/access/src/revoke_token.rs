//! Revoke a token, or all tokens of a subject.

use axum::extract::State;
use domain::{
    Subject, TokenId,
    access::{self, LoggedOut, TokenRevoked},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{Access, op};

/// Which.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RevocationBody {
    /// The token with this id (its claim `jti`).
    Jti(TokenId),
    /// All tokens that this subject has been issued by now: logged out everywhere.
    Subject(Subject),
}

/// Revoke a token
///
/// Revokes one token by its id, or all tokens of a subject that were issued by now. It holds from the answer on, for
/// tokens of the built-in issuer and of an OpenID Connect provider. A key of an API client is revoked with the client.
#[utoipa::path(post, path = "/v1/access/revocations", tag = "access", request_body = RevocationBody,
    responses((status = 204, description = "It is revoked"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn revoke_token(
    State(access): State<Access>,
    command: Command<op::RevokeToken, RevocationBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let at = cause.at;
    let command = match body {
        RevocationBody::Jti(jti) => access::Command::RevokeToken(TokenRevoked { jti, at }),
        RevocationBody::Subject(subject) => access::Command::LogOut(LoggedOut { subject, at }),
    };
    Ok(Answer(access.transact(&caller.org, cause, command, Reply::DONE).await?))
}
