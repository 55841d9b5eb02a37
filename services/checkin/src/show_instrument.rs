//! Show an instrument.

use axum::extract::State;
use domain::{
    instrument::{self, Definition, TextFile},
    protocol,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Path, Problem, Problems, Query, Read};

use crate::{CheckIn, op, refused};

/// Which version.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// The version, from 1; the one in use if it is not given, or else the latest.
    #[param(minimum = 1)]
    version: Option<u16>,
}

/// An instrument, and the words that were loaded for it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownInstrument {
    definition: Definition,
    texts: Vec<TextFile>,
}

/// Show an instrument
///
/// What it asks, how answers become scores, and what is read from those, each with its source.
#[utoipa::path(get, path = "/v1/instruments/{instrument}", tag = "check-ins",
    params(("instrument" = instrument::Id, Path, description = "Which"), VersionQuery),
    responses((status = 200, description = "The instrument", body = ShownInstrument), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_instrument(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ShowInstrument>,
    after: After,
    Path(id): Path<instrument::Id>,
    Query(VersionQuery { version }): Query<VersionQuery>,
) -> Result<Read<ShownInstrument>, Problem> {
    let shown = check_in.read(&caller, after, |protocol| {
        let latest = protocol.instruments().filter(|known| known.id == id).map(|known| known.version).max();
        let version = version.or(protocol.in_use(&id).map(|used| used.version)).or(latest)?;
        let definition = Definition::clone(protocol.instrument(&id, version)?);
        let texts = protocol.texts(&id, version).map(|loaded| TextFile::clone(&loaded.file)).collect();
        Some(ShownInstrument { definition, texts })
    });
    let Read(position, shown) = shown.await?;
    shown.map(|shown| Read(position, shown)).ok_or_else(|| refused(&protocol::Refusal::UnknownInstrument))
}
