//! Set a group's capacity.

use axum::extract::State;
use domain::{
    GroupId,
    roster::{Ask, Places},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Membership, op};

/// How many places.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapacityBody {
    /// Null: as many as a roster can hold. It must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    places: Option<Places>,
}

/// Set a group's capacity
///
/// More places go to those who are first in line. Fewer than there are members send nobody away: nobody comes until
/// there is room again.
#[utoipa::path(put, path = "/v1/groups/{group}/capacity", tag = "membership", request_body = CapacityBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The group has as many places"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn set_capacity(
    State(membership): State<Membership>,
    Path(group): Path<GroupId>,
    command: Command<op::SetCapacity, CapacityBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: CapacityBody { places }, .. } = command;
    membership.transact(&caller, group, cause, Ask::SetCapacity { places }, Reply::DONE).await
}
