//! Change a partner's details.

use axum::extract::State;
use domain::{
    PartnerId,
    partner::{self, Details},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Partners, op};

/// Change a partner's details
///
/// Replaces all that describes the partner; its services stay as they are. Sending the same details again changes
/// nothing. The name of a partner that was imported is changed back by the next import if the directory still says
/// otherwise; what directories do not say stays.
#[utoipa::path(put, path = "/v1/partners/{partner}", tag = "partners", request_body = Details,
    params(("partner" = PartnerId, Path, description = "The partner")),
    responses((status = 204, description = "The details stand"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner))]
pub(crate) async fn change_partner(
    State(partners): State<Partners>,
    Path(partner): Path<PartnerId>,
    command: Command<op::ChangePartner, Details>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: details, .. } = command;
    partners.decide(&caller, cause, partner, partner::Command::Describe(details)).await
}
