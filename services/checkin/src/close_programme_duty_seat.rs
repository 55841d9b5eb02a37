//! Close a programme's duty seat.

use axum::extract::State;
use domain::{ProgrammeId, protocol};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Close a programme's duty seat
///
/// Its concerns are from now on the organisation's seat's, also those that are open.
#[utoipa::path(delete, path = "/v1/programmes/{programme}/duty-seat", tag = "check-ins",
    params(("programme" = ProgrammeId, Path, description = "The programme")),
    responses((status = 204, description = "The programme has no seat of its own"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn close_programme_duty_seat(
    State(check_in): State<CheckIn>,
    Path(programme): Path<ProgrammeId>,
    command: Command<op::CloseProgrammeDutySeat>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    check_in.require_programme(&caller, programme).await?;
    check_in.protocol(&caller, cause, protocol::Command::CloseSeat(programme)).await
}
