//! Record a headcount.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    MeetingId,
    meeting::{self, HeadCategory},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Attendance, op};

/// How many came without a name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadcountBody {
    /// Heads by category (newcomer, visitor, supporter, child, other), each at most 10,000; one that is missing has none.
    heads: BTreeMap<HeadCategory, u16>,
    /// Why; needed once the register is closed. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<meeting::Reason>)]
    reason: Option<Private<meeting::Reason>>,
}

/// Record a headcount
///
/// Counts people who came without being on the register. A new count replaces the one before.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/headcount", tag = "attendance", request_body = HeadcountBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The headcount stands"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn record_headcount(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::RecordHeadcount, HeadcountBody>,
) -> Result<Answer, Problem> {
    let reason = match command.body.reason.take() {
        Some(reason) => Some(attendance.seal_reason(&mut command, meeting, &reason).await?),
        None => None,
    };
    let heads = std::mem::take(&mut command.body.heads);
    attendance.simply(command, meeting, meeting::Command::Count { heads, reason }).await
}
