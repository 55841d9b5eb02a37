//! Take an instrument out of use.

use axum::extract::State;
use domain::{instrument, protocol};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Take an instrument out of use
///
/// No more check-ins are taken with it, and no programme asks for any. Those that were taken stay.
#[utoipa::path(delete, path = "/v1/instruments/{instrument}/use", tag = "check-ins",
    params(("instrument" = instrument::Id, Path, description = "Which")),
    responses((status = 204, description = "The instrument is not in use"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn stop_using_instrument(
    State(check_in): State<CheckIn>,
    Path(instrument): Path<instrument::Id>,
    command: Command<op::StopUsingInstrument>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    check_in.protocol(&caller, cause, protocol::Command::TakeOutOfUse(instrument)).await
}
