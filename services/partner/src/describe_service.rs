//! Describe a service of a partner.

use axum::extract::State;
use domain::{
    PartnerId, ServiceId,
    partner::{self, Service, ServiceDescribed},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Partners, op};

/// Describe a service
///
/// Adds the service to the partner, under an id of the caller's choice that says nothing, or replaces all that describes
/// it. Sending the same again changes nothing. Only to a service with the status `active` can somebody be referred, and of
/// a member it is told nothing but `may_receive`. Never a person's name: what describes services is not sealed.
#[utoipa::path(put, path = "/v1/partners/{partner}/services/{service}", tag = "partners", request_body = Service,
    params(("partner" = PartnerId, Path, description = "The partner"),
        ("service" = ServiceId, Path, description = "The service")),
    responses((status = 204, description = "The service is so"), Problems))]
#[tracing::instrument(skip_all, fields(partner = %partner, service = %service))]
pub(crate) async fn describe_service(
    State(partners): State<Partners>,
    Path((partner, service)): Path<(PartnerId, ServiceId)>,
    command: Command<op::DescribeService, Service>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: details, .. } = command;
    let described = ServiceDescribed { service, details };
    partners.decide(&caller, cause, partner, partner::Command::DescribeService(described)).await
}
