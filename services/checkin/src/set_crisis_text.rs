//! Set what is said to whoever may be in danger.

use axum::extract::State;
use domain::{
    instrument::Language,
    protocol::{self, CrisisText, CrisisTextSet},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// What is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrisisBody {
    /// Whom to call, at any hour.
    text: CrisisText,
}

/// Set the crisis text
///
/// What is answered to a check-in that raises a concern, in this language. It is changed, never taken away.
#[utoipa::path(put, path = "/v1/crisis-texts/{language}", tag = "check-ins", request_body = CrisisBody,
    params(("language" = Language, Path, description = "In which language")),
    responses((status = 204, description = "The text is set"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn set_crisis_text(
    State(check_in): State<CheckIn>,
    Path(language): Path<Language>,
    command: Command<op::SetCrisisText, CrisisBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: CrisisBody { text }, .. } = command;
    check_in.protocol(&caller, cause, protocol::Command::SetCrisisText(CrisisTextSet { language, text })).await
}
