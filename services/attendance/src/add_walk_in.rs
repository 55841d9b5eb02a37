//! Add a walk-in.

use axum::extract::State;
use domain::{
    Decider, MeetingId, MemberId, Text,
    meeting::{self, AttendanceMode, Mark, Meeting, NewMark},
    member::{self, Fields, Profile},
};
use eventlog::{Cause, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::seal_profile;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::Attendance;

/// Someone who is not on the roster and came.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalkInBody {
    /// Who, if they have been here before; a new member if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// What a new member is called; need not be a name.
    #[serde(default)]
    alias: Option<Text<80>>,
    /// Present or late.
    mark: Mark,
    #[serde(default)]
    mode: Option<AttendanceMode>,
}

/// The member who walked in.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct WalkIn {
    member: MemberId,
}

/// Add a walk-in
///
/// Adds someone who is not on the roster, with their mark, in one step. It does not enrol them in the group.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/walk-ins", tag = "attendance", request_body = WalkInBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 201, description = "The walk-in is on the register", body = WalkIn), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn add_walk_in(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::AddWalkIn, WalkInBody>,
) -> Result<Answer, Problem> {
    let plan = attendance.plan(&command.caller, meeting).await?;
    let WalkInBody { member, mark, mode, .. } = command.body;
    let member = match member {
        Some(member) => attendance.known(&command.caller, member).await.map(|()| member)?,
        None => MemberId(command.new_id("member")),
    };
    let enrolled = attendance.enrolled(&command.caller, &plan, std::iter::once(member)).await? == [true];
    let add = meeting::Command::AddWalkIn(NewMark { member, mark, mode, enrolled });
    // Nobody is registered who then is not let in.
    let org = command.caller.org.clone();
    if attendance.meetings.look(&org, meeting, |meeting| Meeting::decide(&add, &meeting.state).is_ok()).await? {
        attendance.register(&mut command, member).await?;
    }
    let Command { caller, cause, .. } = command;
    attendance.transact(&caller, meeting, cause, add, Reply::json(201, &WalkIn { member })).await
}

impl Attendance {
    /// Registers the member if they are new, with what they are called.
    async fn register(
        &self,
        command: &mut Command<op::AddWalkIn, WalkInBody>,
        member: MemberId,
    ) -> Result<(), Problem> {
        let org = command.caller.org.clone();
        let fields = match (command.body.member, command.body.alias.take()) {
            (Some(_), Some(_)) => {
                return Err(Problem::malformed("body, at `alias`: it is for a new member; change the one there is"));
            }
            (Some(_), None) => return Ok(()),
            (None, None) => Fields::new(),
            (None, alias) => {
                let key = self.vault.key_or_new(&org, member).await?;
                command.about(&key);
                seal_profile(&key, &org, member.0, &Profile { alias, ..Profile::default() })
            }
        };
        // The receipt is the mark's: until that is made, the same command goes through here again.
        let cause = Cause { key: None, ..command.cause.clone() };
        self.members.transact(&org, member, cause, member::Command::Register(fields), Reply::DONE).await?;
        Ok(())
    }
}
