//! Register a programme.

use axum::extract::State;
use domain::{ProgrammeId, Text, programme};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{Directory, op};

/// What describes the programme.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgrammeBody {
    /// Its name.
    name: Text<200>,
}

/// The new programme.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ProgrammeRegistered {
    id: ProgrammeId,
}

/// Register a programme
///
/// Registers what the organisation runs groups under and reports by.
#[utoipa::path(post, path = "/v1/programmes", tag = "directory", request_body = ProgrammeBody,
    responses((status = 201, description = "The programme is registered", body = ProgrammeRegistered), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_programme(
    State(directory): State<Directory>,
    command: Command<op::RegisterProgramme, ProgrammeBody>,
) -> Result<Answer, Problem> {
    let id = ProgrammeId(command.new_id("programme"));
    let Command { caller, cause, body: ProgrammeBody { name }, .. } = command;
    let describe = programme::Command::Describe(programme::Details { name, source: None });
    let reply = Reply::json(201, &ProgrammeRegistered { id });
    Ok(directory.programmes.transact(&caller.within_organisation(id), cause, describe, reply).await?)
}
