//! Correct the days of an enrolment.

use axum::extract::State;
use domain::{
    GroupId, MemberId,
    roster::{Ask, BeyondReason, Correction, CorrectionReason},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{
    Membership,
    days::{EndedAs, IfFull, said},
    op,
};

/// Which, and what is right. What is not given stays.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnrolmentCorrection)]
pub(crate) struct CorrectionBody {
    /// First day of the enrolment, as it is recorded.
    since: Date,
    /// First day on the roster, as it is right.
    #[serde(default)]
    starts_on: Option<Date>,
    /// Last day on the roster, as it is right; null: it has none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, format = Date)]
    #[allow(clippy::option_option)] // not said, said that there is none, said which
    ends_on: Option<Option<Date>>,
    /// How it ended; of one that has an end for the first time, withdrawn if not given.
    #[serde(default)]
    ended_as: Option<EndedAs>,
    /// Why.
    reason: CorrectionReason,
    /// What is to be done if the group has no place for days from today on that this adds; refuse if not given. Nobody can
    /// wait for that.
    #[serde(default)]
    if_full: IfFull,
    /// Why there is one more place, if there is.
    #[serde(default)]
    beyond_reason: Option<BeyondReason>,
}

/// Correct the days of an enrolment
///
/// For a first or last day that was recorded wrong, also of an enrolment that is long over: the log keeps what was said
/// before. A place is needed only for days that are added, from today on. Whoever got a place that a wrong end made free
/// keeps it. Marks at meetings stay: those outside of the enrolment count as of somebody without a place that day.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/correction", tag = "membership",
    request_body = CorrectionBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The enrolment has these days"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn correct_enrolment(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    command: Command<op::CorrectEnrolment, CorrectionBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body, .. } = command;
    let CorrectionBody { since, starts_on, ends_on, ended_as, reason, if_full, beyond_reason } = body;
    let if_full = if_full.at_once(&caller, beyond_reason)?;
    let to = Correction { starts_on, ends_on, completed: ended_as.map(EndedAs::completed) };
    membership.transact(&caller, group, cause, Ask::Correct { member, since, to, reason, if_full }, Reply::DONE).await
}
