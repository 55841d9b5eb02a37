//! Close a partner.

use axum::extract::State;
use domain::{PartnerId, partner};
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Partners, op};

/// Close a partner
///
/// Nobody is referred to it any more. What is under way goes on.
#[utoipa::path(post, path = "/v1/partners/{partner}/closure", tag = "partners", request_body = Nothing,
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 204, description = "The partner is closed"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn close_partner(
    State(partners): State<Partners>,
    Path(partner): Path<PartnerId>,
    command: Command<op::ClosePartner>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    partners.decide(&caller, cause, partner, partner::Command::Close(true)).await
}
