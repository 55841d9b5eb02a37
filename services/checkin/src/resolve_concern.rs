//! Settle a concern.

use axum::extract::State;
use domain::{
    ConcernId, MemberId, Text,
    care::{self, ConcernResolved, Outcome},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{CheckIn, op};

/// What came of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolution {
    outcome: Outcome,
    /// What was done. Kept sealed.
    #[schema(value_type = Text<600>)]
    note: Private<Text<600>>,
}

/// Resolve a concern
///
/// Somebody looked after the person, and this came of it.
#[utoipa::path(post, path = "/v1/members/{member}/concerns/{concern}/resolution", tag = "check-ins",
    request_body = Resolution,
    params(("member" = MemberId, Path, description = "About whom"), ("concern" = ConcernId, Path, description = "Which")),
    responses((status = 204, description = "The concern is settled"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn resolve_concern(
    State(check_in): State<CheckIn>,
    Path((member, concern)): Path<(MemberId, ConcernId)>,
    mut command: Command<op::ResolveConcern, Resolution>,
) -> Result<Answer, Problem> {
    let (permitted, _) = check_in.members.require_visible(&command.caller, member).await?;
    let key = check_in.members.key(permitted.org(), member).await?;
    let Resolution { outcome, note } = command.body.clone();
    let note = command.seal(&key, concern, SealedAs::Note, &note);
    let Command { caller, cause, .. } = command;
    let resolved = ConcernResolved { concern, by: caller.subject.clone(), at: cause.at, outcome, note };
    check_in.care(&permitted, cause, care::Command::Resolve(resolved), Reply::DONE).await
}
