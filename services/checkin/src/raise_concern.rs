//! Raise a concern.

use axum::extract::State;
use domain::{
    ConcernId, GroupId, MeetingId, MemberId,
    care::{self, Cause, Urgency, WorryWords},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{
    CheckIn, Said, op,
    raising::{CrisisWords, Raising},
    record_check_in::sealed_concern,
    refused,
};

/// A worry about somebody.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worry {
    /// What it is. Kept sealed.
    #[schema(value_type = WorryWords)]
    words: Private<WorryWords>,
    /// In which group it came up, if in one: the duty seat of its programme is told.
    #[serde(default)]
    group: Option<GroupId>,
    /// At which meeting, if at one.
    #[serde(default)]
    meeting: Option<MeetingId>,
}

/// The concern, and what to say now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RaisedConcern {
    concern: ConcernId,
    /// The duty coordinator was told.
    duty_coordinator_told: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<CrisisWords>,
}

/// Raise a concern
///
/// Whoever worries about somebody tells the duty coordinator, who has to acknowledge it within the organisation's
/// deadline.
#[utoipa::path(post, path = "/v1/members/{member}/concerns", tag = "check-ins", request_body = Worry,
    params(("member" = MemberId, Path, description = "About whom")),
    responses((status = 201, description = "The duty coordinator was told", body = RaisedConcern), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn raise_concern(
    State(check_in): State<CheckIn>,
    Path(member): Path<MemberId>,
    mut command: Command<op::RaiseConcern, Worry>,
) -> Result<Answer, Problem> {
    let Worry { words, group, meeting } = command.body.clone();
    let said = Said { on: None, group, meeting };
    let permitted = check_in.require_worried_about(&command.caller, member, said).await?;
    let key = check_in.members.key(permitted.org(), member).await?;
    let (_, programme) = check_in.when(&command.caller, member, said).await?;
    let at = command.cause.at;
    let raising =
        check_in.look(&command.caller, |protocol| Raising::new(protocol, Urgency::Prompt, programme, (None, at)));
    let raising = raising.await?.map_err(|refusal| refused(&refusal))?;
    let by = command.caller.subject.clone();
    let concern = sealed_concern(&mut command, &key, &raising, &words.map(|words| Cause::Worry { words, by }));
    let reply = RaisedConcern { concern: concern.concern, duty_coordinator_told: true, say: raising.said };
    check_in.care(&permitted, command.cause, care::Command::Raise(concern), Reply::json(201, &reply)).await
}
