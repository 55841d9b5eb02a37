//! Restrict use of a record, or lift that.

use axum::extract::State;
use domain::{MemberId, people};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Whether use of the record is restricted.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restriction {
    restricted: bool,
}

/// Restrict processing
///
/// The record is kept but not used (GDPR Art. 18): not changed, not found by name, no contact, no referral, no research.
#[utoipa::path(put, path = "/v1/members/{member}/restriction", tag = "membership", request_body = Restriction,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "So it is"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn restrict_processing(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    command: Command<op::RestrictProcessing, Restriction>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Restriction { restricted }, .. } = command;
    let (permitted, _) = membership.known.require_visible(&caller, member).await?;
    let restrict = people::Command::Restrict(member, restricted);
    membership.decide_people(&caller, &[&permitted], cause, restrict, Reply::DONE).await
}
