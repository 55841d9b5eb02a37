//! Count an example.

use axum::extract::State;
use domain::{GroupId, example, group};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Examples, op};

/// How many.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountBody {
    count: u16,
}

/// Count an example
///
/// Whatever a group has so many of.
#[utoipa::path(put, path = "/v1/groups/{group}/example", tag = "example", request_body = CountBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "It is counted"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn count_example(
    State(examples): State<Examples>,
    Path(group): Path<GroupId>,
    command: Command<op::CountExample, CountBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: CountBody { count }, .. } = command;
    if !examples.groups.look(&caller.org, group, |group| group.state.details.is_some()).await? {
        return Err(Problem::refused(&group::Refusal::Unknown));
    }
    let group = caller.require_group(group)?;
    Ok(examples.counts.transact(&group, cause, example::Command::Count(count), Reply::DONE).await?)
}
