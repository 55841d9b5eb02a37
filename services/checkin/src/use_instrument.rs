//! Take an instrument into use.

use axum::extract::State;
use domain::{
    instrument,
    protocol::{self, Edition},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Which version, and how its scores are read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstrumentUse {
    /// The version, from 1.
    #[schema(minimum = 1)]
    version: u16,
    /// The norm set by which scores are read; the first of the version, if none is chosen.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40, example = "standard")]
    norm_set: Option<instrument::Id>,
}

/// Take an instrument into use
///
/// From now on check-ins are taken with this version and read by this norm set; those that were taken stay as they are. An
/// instrument whose answers can raise a concern needs a duty seat that somebody holds, and a crisis text.
#[utoipa::path(put, path = "/v1/instruments/{instrument}/use", tag = "check-ins", request_body = InstrumentUse,
    params(("instrument" = instrument::Id, Path, description = "Which")),
    responses((status = 204, description = "The version is in use"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn use_instrument(
    State(check_in): State<CheckIn>,
    Path(instrument): Path<instrument::Id>,
    command: Command<op::UseInstrument, InstrumentUse>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: InstrumentUse { version, norm_set }, .. } = command;
    let edition = Edition { instrument, version, norm_set };
    check_in.protocol(&caller, cause, protocol::Command::TakeIntoUse(edition)).await
}
