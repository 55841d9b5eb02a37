//! Add a walk-in.

use axum::extract::State;
use domain::{
    Decider, GroupId, MeetingId, MemberId, Text,
    meeting::{self, AttendanceMode, Mark, Meeting, NewMark},
    member::{self, Fields, Profile, TypedBy},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Attendance, op};

/// Someone who is not on the roster and came.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalkInBody {
    /// Who, if they have been here before; a new member if it is not given.
    #[serde(default)]
    member: Option<MemberId>,
    /// What a new member is called; need not be a name.
    #[serde(default)]
    #[schema(value_type = Option<Text<80>>)]
    alias: Option<Private<Text<80>>>,
    /// Present or late.
    mark: Mark,
    #[serde(default)]
    mode: Option<AttendanceMode>,
}

/// The member who walked in: the record under which they go on, if another one was named.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct WalkIn {
    member: MemberId,
}

/// Add a walk-in
///
/// Adds someone who is not on the roster, with their mark, in one step. It does not enrol them in the group, and opens
/// nothing of a record: those who lead the group see what was typed in at its meetings.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/walk-ins", tag = "attendance", request_body = WalkInBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 201, description = "The walk-in is on the register", body = WalkIn), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn add_walk_in(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::AddWalkIn, WalkInBody>,
) -> Result<Answer, Problem> {
    let (permitted, plan) = attendance.require_meeting(&command.caller, meeting).await?;
    let WalkInBody { member: named, mark, mode, .. } = command.body;
    // Who may see everybody is told first that it is nobody.
    if let (Some(member), None) = (named, command.caller.own_groups()) {
        attendance.known(&command.caller, member).await?;
    }
    let org = command.caller.org.clone();
    let member = match named {
        Some(member) => member,
        None => attendance.vault.new_member(&org, command.cause.id).await?,
    };
    let person = attendance.person(&command.caller, (meeting, &plan), member).await?;
    let (nobody, goes_on) = (person.erased, person.records.first().copied().unwrap_or(member));
    let add = meeting::Command::AddWalkIn(NewMark { person, mark, mode });
    let refused =
        attendance.meetings.look(&org, meeting, |meeting| Meeting::decide(&add, &meeting.state).err()).await?;
    // To others, what the register says comes first, so that a refusal does not tell somebody from nobody; and nobody is
    // registered who then is not let in.
    if let Some(refusal) = refused {
        attendance.recognise(&mut command, member).await?;
        let done = attendance.meetings.replayed(&command.cause).await?;
        return done.map(Answer).ok_or_else(|| Problem::refused(&refusal));
    }
    match named {
        Some(_) if command.body.alias.is_some() => {
            return Err(Problem::malformed("body, at `alias`: it is for a new member; change the one there is"));
        }
        Some(_) if nobody => return Err(Problem::refused(&member::Refusal::Unknown)),
        Some(member) => attendance.known(&command.caller, member).await?,
        None => attendance.register(&mut command, member, plan.group).await?,
    }
    let reply = Reply::json(201, &WalkIn { member: goes_on });
    Ok(attendance.meetings.transact(&permitted, command.cause, add, reply).await?)
}

impl Attendance {
    /// Registers a new member, with what they are called: typed in at the group's meeting, and shown there.
    async fn register(
        &self,
        command: &mut Command<op::AddWalkIn, WalkInBody>,
        member: MemberId,
        group: GroupId,
    ) -> Result<(), Problem> {
        let org = command.caller.org.clone();
        let fields = match command.body.alias.take() {
            None => Fields::new(),
            Some(alias) => {
                let key = self.vault.key_or_new(&org, member).await?;
                let profile = alias.map(|alias| Profile { alias: Some(alias), ..Profile::default() });
                command.seal_profile(&key, member, &profile)
            }
        };
        let subject = command.caller.subject.clone();
        let typed_by = Some(TypedBy { subject, group: Some(group) });
        let cause = command.cause.part(); // the receipt is the mark's
        let register = member::Command::Register { fields, typed_by };
        self.members.transact(&command.caller.registers(member), cause, register, Reply::DONE).await?;
        Ok(())
    }

    /// Has the command recognised as it was when it was done, if it was.
    async fn recognise(
        &self,
        command: &mut Command<op::AddWalkIn, WalkInBody>,
        member: MemberId,
    ) -> Result<(), Problem> {
        if command.body.alias.is_some()
            && let Some(key) = self.vault.key(&command.caller.org, member).await?
        {
            command.recognise_by(&key);
        }
        Ok(())
    }
}
