//! Hold the organisation's duty seat.

use axum::extract::State;
use domain::{
    Subject,
    protocol::{self, Seat, SeatTaken},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{CheckIn, op};

/// Who holds the seat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatHolder {
    /// Who, as their tokens say (claim `sub`).
    pub holder: Subject,
}

/// Take the duty seat
///
/// Concerns go to whoever holds the seat. It is handed over by naming another holder, and never empty again.
#[utoipa::path(put, path = "/v1/duty-seat", tag = "check-ins", request_body = SeatHolder,
    responses((status = 204, description = "The seat is held"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn take_duty_seat(
    State(check_in): State<CheckIn>,
    command: Command<op::TakeDutySeat, SeatHolder>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: SeatHolder { holder }, .. } = command;
    let taken = SeatTaken { seat: Seat::Organisation, holder };
    check_in.protocol(&caller, cause, protocol::Command::TakeSeat(taken)).await
}
