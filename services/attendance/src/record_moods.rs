//! Record how members say they feel, a whole room at once.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    MeetingId, MemberId,
    meeting::{self, MOODS_MAX, Mood, NewMood},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Attendance, op};

/// Moods of many members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoodsBody {
    /// At most 1,000.
    #[schema(max_items = 1000)]
    moods: Vec<MemberMood>,
}

/// How one member says they feel.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberMood {
    member: MemberId,
    /// Kept sealed.
    #[schema(value_type = Mood)]
    mood: Private<Mood>,
}

/// Record moods
///
/// Records how members say they feel, or that they declined to say: of all of them, or of none and each mistake named.
/// They are on the roster of the meeting's date or were marked; it marks nobody present. Another mood replaces the one
/// before while the register is open; after that, none is recorded any more. Until then, whoever entered a mood reads it
/// on the register.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/moods", tag = "attendance", request_body = MoodsBody,
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 204, description = "The moods stand"), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn record_moods(
    State(attendance): State<Attendance>,
    Path(meeting): Path<MeetingId>,
    mut command: Command<op::RecordMoods, MoodsBody>,
) -> Result<Answer, Problem> {
    let said = command.body.moods.len();
    if said > MOODS_MAX {
        return Err(Problem::malformed(format!("moods has {said} members, at most {MOODS_MAX} are possible")));
    }
    let (permitted, plan) = attendance.require_meeting(&command.caller, meeting).await?;
    let moods = attendance.sealed_moods(&mut command, (meeting, &plan)).await?;
    let Command { caller, cause, .. } = command;
    let record = meeting::Command::RecordMoods { moods, by: caller.subject };
    Ok(attendance.meetings.transact(&permitted, cause, record, Reply::DONE).await?)
}

impl Attendance {
    /// The moods of a command, sealed for each record of those of whom something can be said; others get no key.
    async fn sealed_moods(
        &self,
        command: &mut Command<op::RecordMoods, MoodsBody>,
        (meeting, plan): (MeetingId, &meeting::Plan),
    ) -> Result<Vec<NewMood>, Problem> {
        let (org, said) = (command.caller.org.clone(), std::mem::take(&mut command.body.moods));
        let members: Vec<_> = said.iter().map(|said| said.member).collect();
        let people = self.people(&command.caller, (meeting, plan), members.iter().copied()).await?;
        let stand = |state: &meeting::State| people.iter().filter(|person| state.stands(person)).collect::<Vec<_>>();
        let standing = self.meetings.look(&org, meeting, |meeting| stand(&meeting.state)).await?;
        let mut keys = BTreeMap::new();
        for record in standing.into_iter().flat_map(|person| &person.records) {
            keys.insert(*record, self.key(&org, *record).await?);
        }
        // There are so few moods that a digest of them could be tried out: it needs the key of each of these people.
        let all: BTreeMap<_, _> = self.vault.keys(&org, &members).await?.into_iter().collect();
        command.recognise_by_all(members.iter().filter_map(|member| all.get(member)));
        let sealed = people.into_iter().zip(said).map(|(person, MemberMood { mood, .. })| {
            let of =
                |record: &MemberId| Some((*record, command.seal(keys.get(record)?, meeting, SealedAs::Mood, &mood)));
            let mood = person.records.iter().filter_map(of).collect();
            NewMood { person, mood }
        });
        Ok(sealed.collect())
    }
}
