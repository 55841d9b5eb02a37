//! Register a group.

use axum::extract::State;
use domain::{GroupId, Schedule, group};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{Directory, op};

/// What describes the group, and when it meets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    /// What describes it.
    details: group::Details,
    /// When it meets, if that is known.
    #[serde(default)]
    schedule: Option<Schedule>,
}

/// The new group.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct GroupRegistered {
    id: GroupId,
}

/// Register a group
///
/// Registers a group under one of the organisation's programmes, with its calendar if it has one. Its meetings are
/// planned from the calendar, not by this.
#[utoipa::path(post, path = "/v1/groups", tag = "directory", request_body = GroupBody,
    responses((status = 201, description = "The group is registered", body = GroupRegistered), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn register_group(
    State(directory): State<Directory>,
    command: Command<op::RegisterGroup, GroupBody>,
) -> Result<Answer, Problem> {
    let id = GroupId(command.new_id("group"));
    let Command { caller, cause, body: GroupBody { details, schedule }, .. } = command;
    directory.check_schedule(&caller, schedule.as_ref()).await?;
    directory.check(&caller.org, &details).await?;
    let both = group::Command::Import(details, schedule);
    let reply = Reply::json(201, &GroupRegistered { id });
    Ok(directory.groups.transact(&caller.within_organisation(id), cause, both, reply).await?)
}
