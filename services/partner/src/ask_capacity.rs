//! Ask whether a service can take a person.

use axum::extract::State;
use domain::{
    PartnerId, ServiceId, Subject,
    partner::{self, CapacityAsked},
};
use web::{Answer, Command, Nothing, Path, Problem, Problems};

use crate::{Partners, op};

/// Ask for capacity
///
/// Asks whether the service can take a person, before anybody's name is said. The answer comes as its capacity.
#[utoipa::path(post, path = "/v1/partners/{partner}/services/{service}/capacity-question", tag = "partners",
    request_body = Nothing,
    params(("partner" = PartnerId, Path, description = "The partner"),
        ("service" = ServiceId, Path, description = "The service")),
    responses((status = 204, description = "It is asked"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner, service = %service))]
pub(crate) async fn ask_capacity(
    State(partners): State<Partners>,
    Path((partner, service)): Path<(PartnerId, ServiceId)>,
    command: Command<op::AskCapacity>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let (by, at): (Subject, _) = (caller.subject.clone(), cause.at);
    let asked = CapacityAsked { service, by, at };
    partners.decide(&caller, cause, partner, partner::Command::AskCapacity(asked)).await
}
