//! Object to a purpose, or take that back.

use axum::extract::State;
use domain::{MemberId, member::Purpose, people};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// Whether the member objects.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objection {
    objects: bool,
}

/// Object to a purpose
///
/// The member's data is no longer used for it (GDPR Art. 21), until the objection is taken back.
#[utoipa::path(put, path = "/v1/members/{member}/objections/{purpose}", tag = "membership", request_body = Objection,
    params(("member" = MemberId, Path, description = "Who"), ("purpose" = Purpose, Path, description = "To what")),
    responses((status = 204, description = "So it is"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn object_to_purpose(
    State(membership): State<Membership>,
    Path((member, purpose)): Path<(MemberId, Purpose)>,
    command: Command<op::ObjectToPurpose, Objection>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Objection { objects }, .. } = command;
    let (permitted, _) = membership.known.require_visible(&caller, member).await?;
    // Before an objection is raised, and before it is taken back: whatever stopped in between, nothing opens again by that.
    let stands = membership.known.standing(&caller.org, member).await?.objected;
    if purpose == Purpose::Referral && (objects || stands) {
        membership.withdraw_disclosures(&caller, &permitted, &cause, None).await?;
    }
    let object = people::Command::Object(member, purpose, objects);
    membership.decide_people(&caller, &[&permitted], cause, object, Reply::DONE).await
}
