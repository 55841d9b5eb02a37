//! Add a version of an instrument.

use axum::extract::State;
use domain::{
    instrument::{Definition, Instrument},
    protocol,
};
use web::{Answer, Command, Problem, Problems};

use crate::{CheckIn, op};

/// Add an instrument
///
/// A version of an instrument of the organisation's own, or of one that comes with Kith. It never changes: what is to be
/// otherwise gets the next number. `kith instrument check` finds mistakes beforehand.
#[utoipa::path(post, path = "/v1/instruments", tag = "check-ins", request_body = Definition,
    responses((status = 204, description = "The instrument is there"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn add_instrument(
    State(check_in): State<CheckIn>,
    command: Command<op::AddInstrument, Definition>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let instrument = Instrument::new(body).map_err(|mistakes| {
        let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        Problem::malformed(format!("body: {}", mistakes.join("; ")))
    })?;
    check_in.protocol(&caller, cause, protocol::Command::AddInstrument(Box::new(instrument))).await
}
