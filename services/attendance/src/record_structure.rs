//! Record how a meeting went.

use axum::extract::State;
use domain::{
    MeetingId, Subject,
    meeting::{self, FACILITATORS_MAX, PHASES_MAX, Phase, Structure, Topic},
};
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Attendance, op};

/// How a meeting went; what is not given is not kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StructureBody {
    /// At most 20, in their order; none overlaps another.
    #[serde(default)]
    #[schema(max_items = 20)]
    phases: Vec<Phase>,
    /// What it was about. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Topic>)]
    topic: Option<Private<Topic>>,
    /// Who was there to lead it, as their tokens say (claim `sub`); at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    facilitators: Vec<Subject>,
}

/// Record a meeting's structure
///
/// Keeps how a meeting went: its phases, what it was about, which facilitators were there. Possible while the register is
/// open and after it was closed; a new structure replaces the one before.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/structure", tag = "attendance", request_body = StructureBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The structure stands"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn record_structure(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::RecordStructure, StructureBody>,
) -> Result<Answer, Problem> {
    let StructureBody { phases, topic, facilitators } = std::mem::take(&mut command.body);
    for (what, is, max) in
        [("phases", phases.len(), PHASES_MAX), ("facilitators", facilitators.len(), FACILITATORS_MAX)]
    {
        if is > max {
            return Err(Problem::malformed(format!("body, at `{what}`: has {is}, at most {max} are possible")));
        }
    }
    // With the organisation's key: it is not about one member, and can hold a name all the same.
    let key = attendance.vault.org_key(&command.caller.org).await?;
    let topic = topic.map(|topic| command.seal(&key, meeting, SealedAs::Topic, &topic));
    let structure = Structure { phases, topic, facilitators: facilitators.into_iter().collect() };
    attendance.simply(command, meeting, meeting::Command::RecordStructure(structure)).await
}
