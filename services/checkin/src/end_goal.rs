//! Pursue a goal no longer.

use axum::extract::State;
use domain::{
    GoalId, MemberId,
    care::{self, GoalEnd, GoalEnded},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, Said, op};

/// How it ends.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoalEndBody {
    /// Whether it was reached.
    end: HowEnded,
    /// On which day; today if it is not given.
    #[serde(default)]
    on: Option<Date>,
}

/// How a goal can be ended.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HowEnded {
    /// It was reached.
    Achieved,
    /// It was let go.
    LetGo,
}

/// End a goal
///
/// It was reached, or let go.
#[utoipa::path(post, path = "/v1/members/{member}/goals/{goal}/end", tag = "check-ins", request_body = GoalEndBody,
    params(("member" = MemberId, Path, description = "Whose"), ("goal" = GoalId, Path, description = "Which")),
    responses((status = 204, description = "The goal has ended"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn end_goal(
    State(check_in): State<CheckIn>,
    Path((member, goal)): Path<(MemberId, GoalId)>,
    command: Command<op::EndGoal, GoalEndBody>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: GoalEndBody { end, on }, .. } = command;
    let permitted = check_in.require_member(&caller, member).await?;
    let (when, _) = check_in.when(&caller, member, Said { on, ..Said::default() }).await?;
    let end = match end {
        HowEnded::Achieved => GoalEnd::Achieved,
        HowEnded::LetGo => GoalEnd::LetGo,
    };
    let ended = GoalEnded { goal, end, on: when.on };
    check_in.care(&permitted, cause, care::Command::EndGoal(ended), Reply::DONE).await
}
