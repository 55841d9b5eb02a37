//! Open a partner again.

use axum::extract::State;
use domain::{PartnerId, partner};
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Partners, op};

/// Open a partner again
///
/// Members can be referred to its active services again.
#[utoipa::path(post, path = "/v1/partners/{partner}/reopening", tag = "partners", request_body = Nothing,
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 204, description = "The partner is open"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn reopen_partner(
    State(partners): State<Partners>,
    Path(partner): Path<PartnerId>,
    command: Command<op::ReopenPartner>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    partners.decide(&caller, cause, partner, partner::Command::Close(false)).await
}
