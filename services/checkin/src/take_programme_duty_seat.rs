//! Hold a programme's duty seat.

use axum::extract::State;
use domain::{
    ProgrammeId,
    protocol::{self, Seat, SeatTaken},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op, take_duty_seat::SeatHolder};

/// Take a programme's duty seat
///
/// Concerns that come up in the programme go to whoever holds its seat, and to the organisation's if nobody acknowledges
/// them in time. The organisation's seat must be held before.
#[utoipa::path(put, path = "/v1/programmes/{programme}/duty-seat", tag = "check-ins", request_body = SeatHolder,
    params(("programme" = ProgrammeId, Path, description = "The programme")),
    responses((status = 204, description = "The seat is held"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn take_programme_duty_seat(
    State(check_in): State<CheckIn>,
    Path(programme): Path<ProgrammeId>,
    command: Command<op::TakeProgrammeDutySeat, SeatHolder>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: SeatHolder { holder }, .. } = command;
    check_in.require_programme(&caller, programme).await?;
    let taken = SeatTaken { seat: Seat::Programme(programme), holder };
    check_in.protocol(&caller, cause, protocol::Command::TakeSeat(taken)).await
}
