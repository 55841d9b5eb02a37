//! See to a concern.

use axum::extract::State;
use domain::{
    ConcernId, MemberId,
    care::{self, ConcernAcknowledged},
};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Acknowledge a concern
///
/// The caller has seen it and sees to it: from now on it is theirs. Whoever acknowledges it after somebody else takes it
/// over.
#[utoipa::path(post, path = "/v1/members/{member}/concerns/{concern}/acknowledgement", tag = "check-ins",
    params(("member" = MemberId, Path, description = "About whom"), ("concern" = ConcernId, Path, description = "Which")),
    responses((status = 204, description = "The concern is the caller's"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn acknowledge_concern(
    State(check_in): State<CheckIn>,
    Path((member, concern)): Path<(MemberId, ConcernId)>,
    command: Command<op::AcknowledgeConcern>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let (permitted, _) = check_in.members.require_visible(&caller, member).await?;
    // Of who was erased nothing is answered, and nothing more is written.
    check_in.members.record(&caller.org, member).await?;
    let acknowledged = ConcernAcknowledged { concern, by: caller.subject.clone(), at: cause.at };
    check_in.care(&permitted, cause, care::Command::Acknowledge(acknowledged), Reply::DONE).await
}
