//! Take back a check-in.

use axum::extract::State;
use domain::{
    CheckInId, MemberId, Text,
    care::{self, CheckInEnteredInError},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{CheckIn, op};

/// Why.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckInErrorReason {
    /// Such as that it was another's. Kept sealed.
    #[schema(value_type = Text<300>)]
    reason: Private<Text<300>>,
}

/// Take back a check-in
///
/// It was entered in error: it counts for nothing. A concern that it raised stays until somebody settles it.
#[utoipa::path(post, path = "/v1/members/{member}/check-ins/{check_in}/entered-in-error", tag = "check-ins",
    request_body = CheckInErrorReason,
    params(("member" = MemberId, Path, description = "Whose"), ("check_in" = CheckInId, Path, description = "Which")),
    responses((status = 204, description = "It counts for nothing"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn check_in_entered_in_error(
    State(check_in): State<CheckIn>,
    Path((member, id)): Path<(MemberId, CheckInId)>,
    mut command: Command<op::CheckInEnteredInError, CheckInErrorReason>,
) -> Result<Answer, Problem> {
    let permitted = check_in.require_member(&command.caller, member).await?;
    let key = check_in.members.key(permitted.org(), member).await?;
    let reason = command.body.reason.clone();
    let reason = command.seal(&key, id, SealedAs::Reason, &reason);
    let take_back = care::Command::TakeBack(CheckInEnteredInError { check_in: id, reason });
    check_in.care(&permitted, command.cause, take_back, Reply::DONE).await
}
