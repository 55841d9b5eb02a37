//! Say how to take part in a group from elsewhere.

use axum::extract::State;
use domain::{
    GroupId,
    group::{self, Joining, Online},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Directory, op};

/// How to take part, and who may know it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoiningBody {
    /// How to take part: where, or by which number.
    #[schema(value_type = Joining)]
    joining: Private<Joining>,
    /// Whether anybody may know it. If not, members of the group do, and those who run it.
    #[serde(default)]
    public: bool,
}

/// Say how to take part in a group from elsewhere
///
/// The address of a meeting online, a telephone number, and what is needed there. Replaces what was said before, or takes
/// it away if the body is `null`. Unless it is public, it is kept sealed, in no public listing, and shown to nobody but
/// members of the group and those who run it. Saying the same again changes nothing.
#[utoipa::path(put, path = "/v1/groups/{group}/joining", tag = "directory", request_body = Option<JoiningBody>,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "It stands"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn set_joining(
    State(directory): State<Directory>,
    Path(group): Path<GroupId>,
    mut command: Command<op::SetJoining, Option<JoiningBody>>,
) -> Result<Answer, Problem> {
    let permitted = command.caller.require_group(group)?;
    let online = match command.body.take() {
        None => None,
        Some(JoiningBody { joining, .. }) if joining.in_clear().leads_nowhere() => {
            return Err(Problem::malformed("joining: a url or a telephone is needed"));
        }
        Some(JoiningBody { joining, public: true }) => Some(Online::Public(joining.in_clear().clone())),
        Some(JoiningBody { joining, public: false }) => {
            let key = directory.vault.org_key(&command.caller.org).await?;
            Some(Online::Private(command.seal(&key, group, SealedAs::Joining, &joining)))
        }
    };
    let set = group::Command::SetJoining(online);
    Ok(directory.groups.transact(&permitted, command.cause, set, Reply::DONE).await?)
}
