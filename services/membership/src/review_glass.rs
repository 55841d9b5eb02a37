//! Review a breaking of the glass.

use axum::extract::State;
use domain::{GlassId, MemberId, member};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// What came of it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Review {
    justified: bool,
}

/// Review a breaking of the glass
///
/// Says whether it was justified; by somebody else than who broke it.
#[utoipa::path(post, path = "/v1/members/{member}/glass/{glass}/review", tag = "membership", request_body = Review,
    params(("member" = MemberId, Path, description = "Whose record"), ("glass" = GlassId, Path, description = "Which")),
    responses((status = 204, description = "It is reviewed"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn review_glass(
    State(membership): State<Membership>,
    Path((member, glass)): Path<(MemberId, GlassId)>,
    command: Command<op::ReviewGlass, Review>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Review { justified }, .. } = command;
    let permitted = caller.require_member(member, false)?;
    let command = member::Command::ReviewGlass { glass, reviewer: caller.subject.clone(), justified };
    membership.decide(&permitted, cause, command, Reply::DONE).await
}
