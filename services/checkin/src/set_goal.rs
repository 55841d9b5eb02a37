//! Set a goal.

use axum::extract::State;
use domain::{
    GoalId, GroupId, MeetingId, MemberId,
    care::{self, GoalSet, GoalWords},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{CheckIn, Said, op};

/// What a member wants to reach.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGoal {
    /// In the member's words. Kept sealed.
    #[schema(value_type = GoalWords)]
    words: Private<GoalWords>,
    /// The goal in whose place it is, if one is revised: that one ends.
    #[serde(default)]
    revises: Option<GoalId>,
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

/// The goal.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct SetGoalAnswer {
    goal: GoalId,
}

/// Set a goal
///
/// At a meeting's closing or any time. A member has at most three open at once; a revised one makes room for its
/// successor.
#[utoipa::path(post, path = "/v1/members/{member}/goals", tag = "check-ins", request_body = NewGoal,
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 201, description = "The goal is set", body = SetGoalAnswer), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn set_goal(
    State(check_in): State<CheckIn>,
    Path(member): Path<MemberId>,
    mut command: Command<op::SetGoal, NewGoal>,
) -> Result<Answer, Problem> {
    let permitted = check_in.require_member(&command.caller, member).await?;
    let key = check_in.members.key(permitted.org(), member).await?;
    let goal = GoalId(command.new_id("goal"));
    let NewGoal { words, revises, on, group, meeting } = command.body.clone();
    let words = command.seal(&key, goal, SealedAs::Goal, &words);
    let (when, _) = check_in.when(&command.caller, member, Said { on, group, meeting }).await?;
    let set = care::Command::SetGoal(GoalSet { goal, when, revises, words });
    check_in.care(&permitted, command.cause, set, Reply::json(201, &SetGoalAnswer { goal })).await
}
