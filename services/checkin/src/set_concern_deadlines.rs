//! Set how soon concerns have to be acknowledged.

use axum::extract::State;
use domain::protocol::{self, Deadlines};
use web::{Answer, Command, Problem, Problems};

use crate::{CheckIn, op};

/// Set concern deadlines
///
/// How soon somebody has to acknowledge a concern before it goes further. Of concerns that were raised before, nothing
/// changes.
#[utoipa::path(put, path = "/v1/concern-deadlines", tag = "check-ins", request_body = Deadlines,
    responses((status = 204, description = "The deadlines are set"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn set_concern_deadlines(
    State(check_in): State<CheckIn>,
    command: Command<op::SetConcernDeadlines, Deadlines>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: deadlines, .. } = command;
    check_in.protocol(&caller, cause, protocol::Command::SetDeadlines(deadlines)).await
}
