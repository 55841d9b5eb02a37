//! Say how near a goal is.

use axum::extract::State;
use domain::{
    GoalId, GroupId, MeetingId, MemberId,
    care::{self, GoalRated, Rating},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{CheckIn, Said, op, record_check_in::entered_by};

/// How near.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRating {
    /// 0 (no progress) to 10 (reached). Kept sealed.
    #[schema(value_type = Rating)]
    rating: Private<Rating>,
    /// On which day, where the group meets; today if it is not given.
    #[serde(default)]
    on: Option<Date>,
    /// In which group, if it belongs to one.
    #[serde(default)]
    group: Option<GroupId>,
    /// At which meeting, if at one: then day and group are the meeting's.
    #[serde(default)]
    meeting: Option<MeetingId>,
}

/// Rate a goal
///
/// How near the member says it is. What has changed is the last rating less the first.
#[utoipa::path(post, path = "/v1/members/{member}/goals/{goal}/ratings", tag = "check-ins", request_body = NewRating,
    params(("member" = MemberId, Path, description = "Whose"), ("goal" = GoalId, Path, description = "Which")),
    responses((status = 204, description = "The rating is kept"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn rate_goal(
    State(check_in): State<CheckIn>,
    Path((member, goal)): Path<(MemberId, GoalId)>,
    mut command: Command<op::RateGoal, NewRating>,
) -> Result<Answer, Problem> {
    let permitted = check_in.require_member(&command.caller, member).await?;
    let key = check_in.members.key(permitted.org(), member).await?;
    let NewRating { rating, on, group, meeting } = command.body.clone();
    let (when, _) = check_in.when(&command.caller, member, Said { on, group, meeting }).await?;
    let rating = command.seal(&key, goal.on(when.on), SealedAs::Rating, &rating);
    let rated = GoalRated { goal, when, entered_by: entered_by(&command.caller), rating };
    check_in.care(&permitted, command.cause, care::Command::RateGoal(rated), Reply::DONE).await
}
