//! Say whether a service can take a person.

use axum::extract::State;
use domain::{
    LocalDay, PartnerId, ServiceId,
    partner::{self, CapacityAnswer, CapacityStated},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Partners, op};

/// State capacity
///
/// What the partner said of whether the service can take a person, and of which day that is: whoever reads it sees how old
/// it is. It answers whoever asked.
#[utoipa::path(put, path = "/v1/partners/{partner}/services/{service}/capacity", tag = "partners",
    request_body = CapacityAnswer,
    params(("partner" = PartnerId, Path, description = "The partner"),
        ("service" = ServiceId, Path, description = "The service")),
    responses((status = 204, description = "The answer stands"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner, service = %service))]
pub(crate) async fn state_capacity(
    State(partners): State<Partners>,
    Path((partner, service)): Path<(PartnerId, ServiceId)>,
    command: Command<op::StateCapacity, CapacityAnswer>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: answer, .. } = command;
    if answer.as_of > LocalDay::begun_anywhere(cause.at).date() {
        return Err(Problem::malformed("body, at `as_of`: it is in the future"));
    }
    let stated = CapacityStated { service, answer };
    partners.decide(&caller, cause, partner, partner::Command::StateCapacity(stated)).await
}
