//! Register a partner.

use axum::extract::State;
use domain::{
    PartnerId,
    partner::{self, Details},
};
use eventlog::Reply;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{Partners, op};

/// The new partner.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct PartnerRegistered {
    id: PartnerId,
}

/// Register a partner
///
/// Registers an agency that members can be referred to, once its services are described. Never a person's name: what
/// describes partners is not sealed.
#[utoipa::path(post, path = "/v1/partners", tag = "partners", request_body = Details,
    responses((status = 201, description = "The partner is registered", body = PartnerRegistered), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_partner(
    State(partners): State<Partners>,
    command: Command<op::RegisterPartner, Details>,
) -> Result<Answer, Problem> {
    let id = PartnerId(command.new_id("partner"));
    let Command { caller, cause, body: details, .. } = command;
    let (describe, reply) = (partner::Command::Describe(details), Reply::json(201, &PartnerRegistered { id }));
    Ok(partners.streams.transact(&caller.within_organisation(id), cause, describe, reply).await?)
}
