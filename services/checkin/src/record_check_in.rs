//! Record a check-in.

use axum::extract::State;
use domain::{
    CheckInId, ConcernId, GroupId, MeetingId, MemberId,
    care::{self, Cause, CheckInRecorded, ConcernRaised, EnteredBy},
    instrument::{self, Given, Invalid, Language},
    protocol::{self, Edition},
};
use eventlog::{Done, Reply};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::{Key, SealedAs};
use web::{Answer, Caller, Command, Path, Private, Problem, Problems, Role};

use crate::{
    CheckIn, Said, op,
    raising::{CrisisWords, Raising, cause},
    refused,
};

/// What a member answered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "instrument": "gad-7", "given": { "answers": { "1": 2, "2": 1, "3": "declined" } } }))]
pub(crate) struct NewCheckIn {
    /// With which instrument: the version that is in use.
    instrument: instrument::Id,
    /// Which version was asked, from 1: refused if it is not the one in use. The one in use, if it is not given.
    #[serde(default)]
    version: Option<u16>,
    /// What was answered, item by item, as it was given; or only scores, where the instrument allows it.
    #[schema(value_type = Given)]
    given: Private<Given>,
    /// In which language it was asked.
    #[serde(default)]
    language: Option<Language>,
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

/// The check-in, and what to do now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RecordedCheckIn {
    check_in: CheckInId,
    /// Whether the duty coordinator was told, because somebody may be in danger.
    duty_coordinator_told: bool,
    /// What to say to the person now, if the duty coordinator was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<CrisisWords>,
}

impl RecordedCheckIn {
    /// The check-in; where there are words to say, somebody was told.
    pub fn new(check_in: CheckInId, say: Option<CrisisWords>) -> Self {
        Self { check_in, duty_coordinator_told: say.is_some(), say }
    }
}

/// Record a check-in
///
/// What a member answered to an instrument's questions. If an answer says that somebody may be in danger, the duty
/// coordinator is told before this answers, and the answer has the words to say now. No score is answered.
#[utoipa::path(post, path = "/v1/members/{member}/check-ins", tag = "check-ins", request_body = NewCheckIn,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 201, description = "The check-in is recorded", body = RecordedCheckIn), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn record_check_in(
    State(check_in): State<CheckIn>,
    Path(member): Path<MemberId>,
    mut command: Command<op::RecordCheckIn, NewCheckIn>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let permitted = check_in.require_member(&command.caller, member).await?;
    let key = check_in.members.key(&org, member).await?;
    command.recognise_by(&key);
    let taken = match check_in.taken(&command, member).await {
        Ok(taken) => taken,
        Err(problem) => {
            let answer = check_in.as_before(&command.cause, problem).await?;
            let id = CheckInId(command.new_id("check-in"));
            let say = check_in.words_then(&command, member, id).await?;
            return Ok(with_words(answer, id, say));
        }
    };
    let NewCheckIn { given, language, .. } = command.body.clone();
    let id = CheckInId(command.new_id("check-in"));
    let (concern, say) = match &taken.raises {
        Some((raising, cause)) => (Some(sealed_concern(&mut command, &key, raising, cause)), raising.said.clone()),
        None => (None, None),
    };
    let entered_by = entered_by(&command.caller);
    let answers = command.seal(&key, id, SealedAs::Answers, &given);
    let Taken { edition, when, .. } = taken;
    let recorded = CheckInRecorded { check_in: id, edition, when, language, entered_by, answers };
    let record = care::Command::Record(recorded, concern);
    let kept = Reply::json(201, &RecordedCheckIn::new(id, None));
    let answer = check_in.care(&permitted, command.cause, record, kept).await?;
    Ok(with_words(answer, id, say))
}

/// The answer with the words to say. They are not in what is kept to be answered again: that somebody may be in danger
/// stands nowhere in clear.
pub(crate) fn with_words(Answer(done): Answer, check_in: CheckInId, say: Option<CrisisWords>) -> Answer {
    let reply = Reply::json(done.reply.status, &RecordedCheckIn::new(check_in, say));
    Answer(Done { reply, ..done })
}

/// Who enters what a member says.
pub(crate) fn entered_by(caller: &Caller) -> EnteredBy {
    match caller.role {
        Role::Member => EnteredBy::Member,
        _ => EnteredBy::Assisted(caller.subject.clone()),
    }
}

/// A check-in that fits its instrument, and the concern that it raises.
struct Taken {
    edition: Edition,
    when: care::When,
    raises: Option<(Raising, Private<Cause>)>,
}

impl CheckIn {
    /// The words to say after a check-in that was recorded before, whatever is in use now.
    async fn words_then(
        &self,
        command: &Command<op::RecordCheckIn, NewCheckIn>,
        member: MemberId,
        id: CheckInId,
    ) -> Result<Option<CrisisWords>, Problem> {
        let edition = |care: &care::State| care.check_ins.get(&id).map(|known| known.recorded.edition.clone());
        let edition = self.cares.look(&command.caller.org, member, |care| edition(&care.state)).await?;
        let NewCheckIn { given, language, .. } = &command.body;
        let say = |protocol: &protocol::State| {
            let edition = edition?;
            let instrument = protocol.instrument(&edition.instrument, edition.version)?;
            let (urgency, _) = cause(id, instrument, given.in_clear())?;
            Raising::new(protocol, urgency, None, (language.as_ref(), command.cause.at)).ok()?.said
        };
        self.look(&command.caller, say).await
    }

    async fn taken(
        &self,
        command: &Command<op::RecordCheckIn, NewCheckIn>,
        member: MemberId,
    ) -> Result<Taken, Problem> {
        let NewCheckIn { instrument, version, given, language, on, group, meeting } = &command.body;
        if given.in_clear().is_empty() {
            return Err(Problem::malformed("body, at `given`: it says nothing; an item can be `declined`"));
        }
        let said = Said { on: *on, group: *group, meeting: *meeting };
        let (when, programme) = self.when(&command.caller, member, said).await?;
        let id = CheckInId(command.new_id("check-in"));
        let (language, at) = (language.as_ref(), command.cause.at);
        let taken = self.look(&command.caller, |protocol| {
            let edition =
                protocol.in_use(instrument).filter(|used| version.is_none_or(|version| used.version == version));
            let edition = edition.ok_or_else(|| refused(&protocol::Refusal::NotInUse))?.clone();
            let instrument = protocol
                .instrument(&edition.instrument, edition.version)
                .ok_or_else(|| refused(&protocol::Refusal::UnknownInstrument))?;
            instrument.validate(given.in_clear()).map_err(|invalid| does_not_fit(&invalid))?;
            let raises = cause(id, instrument, given.in_clear()).map(|(urgency, cause)| {
                let raising = Raising::new(protocol, urgency, programme, (language, at));
                raising.map(|raising| (raising, given.clone().map(|_| cause))).map_err(|refusal| refused(&refusal))
            });
            Ok(Taken { edition, when, raises: raises.transpose()? })
        });
        taken.await?
    }
}

/// Which answers do not fit, and nothing of what they are.
pub(crate) fn does_not_fit(invalid: &[Invalid]) -> Problem {
    let invalid: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    Problem::malformed(format!("body, at `given`: {}", invalid.join("; ")))
}

/// The concern, with what it is for sealed.
pub(crate) fn sealed_concern<Op, T>(
    command: &mut Command<Op, T>,
    key: &Key,
    raising: &Raising,
    cause: &Private<Cause>,
) -> ConcernRaised {
    let id = ConcernId(command.new_id("concern"));
    let says = command.seal(key, id, SealedAs::Concern, cause);
    raising.sealed(id, says)
}
