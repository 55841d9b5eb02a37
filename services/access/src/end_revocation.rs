//! Take back that a token, or all tokens of a subject, were revoked.

use axum::extract::State;
use domain::access::{self, Readmitted, TokenRestored};
use eventlog::Reply;
use web::{Answer, Command, Problem, Problems};

use crate::{Access, op, revoke_token::RevocationBody};

/// End a revocation
///
/// For what was revoked by mistake, or by a clock that was wrong: the token, or the tokens of the subject, are accepted
/// again until they end. What was not revoked stays as it is. A key of an API client stays revoked: register another.
#[utoipa::path(post, path = "/v1/access/revocations/end", tag = "access", request_body = RevocationBody,
    responses((status = 204, description = "It is not revoked"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn end_revocation(
    State(access): State<Access>,
    command: Command<op::EndRevocation, RevocationBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let command = match body {
        RevocationBody::Jti(jti) => access::Command::RestoreToken(TokenRestored { jti }),
        RevocationBody::Subject(subject) => access::Command::Readmit(Readmitted { subject }),
    };
    Ok(Answer(access.transact(&caller.org, cause, command, Reply::DONE).await?))
}
