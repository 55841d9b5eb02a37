//! Load an instrument's words, and accept their terms.

use axum::extract::State;
use domain::{
    Text,
    instrument::{self, TextFile},
    protocol::{self, TextsLoaded},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op, refused};

/// The words, and that their terms are accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadedTexts {
    /// The words, whose they are, and on which terms.
    file: TextFile,
    /// The terms that stand in the file, word for word: whoever loads the words accepts them.
    #[schema(value_type = String, max_length = 2000, example = "As agreed")]
    accepted_terms: Text<2000>,
}

/// Load an instrument's texts
///
/// What an instrument asks in one language, where its owner allows that on terms only. It is kept who accepted them.
#[utoipa::path(put, path = "/v1/instruments/{instrument}/texts", tag = "check-ins", request_body = LoadedTexts,
    params(("instrument" = instrument::Id, Path, description = "Which")),
    responses((status = 204, description = "The words are there"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn load_instrument_texts(
    State(check_in): State<CheckIn>,
    Path(id): Path<instrument::Id>,
    command: Command<op::LoadInstrumentTexts, LoadedTexts>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: LoadedTexts { file, accepted_terms }, .. } = command;
    if file.instrument != id {
        return Err(Problem::malformed("body, at `file.instrument`: it is another than in the path"));
    }
    if file.terms != accepted_terms {
        return Err(Problem::malformed("body, at `accepted_terms`: they are not the terms that stand in the file"));
    }
    let mistakes = check_in.look(&caller, |protocol| {
        let instrument = protocol.instrument(&id, file.version)?;
        Some(instrument.check_texts(&file).iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    let mistakes = mistakes.await?.ok_or_else(|| refused(&protocol::Refusal::UnknownInstrument))?;
    if !mistakes.is_empty() {
        return Err(Problem::malformed(format!("body, at `file`: {}", mistakes.join("; "))));
    }
    let loaded = TextsLoaded { file: Box::new(file), accepted_by: caller.subject.clone() };
    check_in.protocol(&caller, cause, protocol::Command::LoadTexts(loaded)).await
}
