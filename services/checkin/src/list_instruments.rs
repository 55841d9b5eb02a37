//! List the instruments there are.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{Text, instrument};
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Problem, Problems, Read};

use crate::{CheckIn, op};

/// The instruments there are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct InstrumentList {
    instruments: Vec<InstrumentRow>,
}

/// A version of an instrument.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct InstrumentRow {
    id: instrument::Id,
    version: u16,
    title: BTreeMap<instrument::Language, Text<120>>,
    licence: instrument::Class,
    /// Languages in which there are words for it.
    languages: Vec<instrument::Language>,
    /// Whether its answers can raise a concern.
    can_raise_concerns: bool,
    /// Whether this version is in use.
    in_use: bool,
}

/// List instruments
///
/// Those that come with Kith and the organisation's own, every version of each.
#[utoipa::path(get, path = "/v1/instruments", tag = "check-ins",
    responses((status = 200, description = "The instruments", body = InstrumentList), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_instruments(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ListInstruments>,
    after: After,
) -> Result<Read<InstrumentList>, Problem> {
    let list = check_in.read(&caller, after, |protocol| {
        let row = |instrument: &instrument::Instrument| {
            let loaded = protocol.texts(&instrument.id, instrument.version).map(|loaded| &loaded.file.language);
            InstrumentRow {
                id: instrument.id.clone(),
                version: instrument.version,
                title: instrument.title.clone(),
                licence: instrument.licence.class,
                languages: instrument.texts.keys().chain(loaded).cloned().collect(),
                can_raise_concerns: !instrument.risk.is_empty(),
                in_use: protocol.in_use(&instrument.id).is_some_and(|used| used.version == instrument.version),
            }
        };
        InstrumentList { instruments: protocol.instruments().map(row).collect() }
    });
    list.await
}
