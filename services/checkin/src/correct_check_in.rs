//! Correct the answers of a check-in.

use axum::extract::State;
use domain::{
    CheckInId, MemberId, Text,
    care::{self, Cause, CheckInCorrected, CheckInRecorded},
    instrument::Given,
    protocol,
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{
    CheckIn, op,
    raising::{Raising, cause},
    record_check_in::{RecordedCheckIn, does_not_fit, sealed_concern, with_words},
    refused,
};

/// The answers as they should have been.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckInCorrection {
    /// All answers, also those that were right.
    #[schema(value_type = Given)]
    given: Private<Given>,
    /// Why. Kept sealed.
    #[schema(value_type = Text<300>)]
    reason: Private<Text<300>>,
}

/// Correct a check-in
///
/// The old answers stay in the log; scores are those of the new ones. If those say that somebody may be in danger, the
/// duty coordinator is told.
#[utoipa::path(post, path = "/v1/members/{member}/check-ins/{check_in}/correction", tag = "check-ins",
    request_body = CheckInCorrection,
    params(("member" = MemberId, Path, description = "Whose"), ("check_in" = CheckInId, Path, description = "Which")),
    responses((status = 200, description = "The answers are these", body = RecordedCheckIn), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn correct_check_in(
    State(check_in): State<CheckIn>,
    Path((member, id)): Path<(MemberId, CheckInId)>,
    mut command: Command<op::CorrectCheckIn, CheckInCorrection>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let permitted = check_in.require_member(&command.caller, member).await?;
    let key = check_in.members.key(&org, member).await?;
    command.recognise_by(&key);
    let raises = match check_in.corrected(&command, (member, id)).await {
        Ok(raises) => raises,
        Err(problem) => return check_in.as_before(&command.cause, problem).await,
    };
    let CheckInCorrection { given, reason } = command.body.clone();
    let answers = command.seal(&key, id, SealedAs::Answers, &given);
    let reason = command.seal(&key, id, SealedAs::Reason, &reason);
    let (concern, say) = match &raises {
        Some((raising, cause)) => (Some(sealed_concern(&mut command, &key, raising, cause)), raising.said.clone()),
        None => (None, None),
    };
    let correct = care::Command::Correct(CheckInCorrected { check_in: id, answers, reason }, concern);
    let kept = Reply::json(200, &RecordedCheckIn::new(id, None));
    let answer = check_in.care(&permitted, command.cause, correct, kept).await?;
    Ok(with_words(answer, id, say))
}

impl CheckIn {
    /// The concern that the right answers raise, if they fit the instrument with which the check-in was taken.
    async fn corrected(
        &self,
        command: &Command<op::CorrectCheckIn, CheckInCorrection>,
        (member, id): (MemberId, CheckInId),
    ) -> Result<Option<(Raising, Private<Cause>)>, Problem> {
        let (caller, given) = (&command.caller, &command.body.given);
        let recorded = |care: &care::State| care.check_ins.get(&id).map(|known| known.recorded.clone());
        let recorded = self.cares.look(&caller.org, member, |care| recorded(&care.state)).await?;
        let recorded = recorded.ok_or_else(|| refused(&care::Refusal::UnknownCheckIn))?;
        let CheckInRecorded { edition, when, language, .. } = recorded;
        let programme = self.programme(caller, when.group).await?;
        let raises = self.look(caller, |protocol| {
            let instrument = protocol
                .instrument(&edition.instrument, edition.version)
                .ok_or_else(|| refused(&protocol::Refusal::UnknownInstrument))?;
            instrument.validate(given.in_clear()).map_err(|invalid| does_not_fit(&invalid))?;
            let Some((urgency, cause)) = cause(id, instrument, given.in_clear()) else { return Ok(None) };
            let raising = Raising::new(protocol, urgency, programme, (language.as_ref(), command.cause.at));
            let raising = raising.map_err(|refusal| refused(&refusal))?;
            Ok(Some((raising, given.clone().map(|_| cause))))
        });
        raises.await?
    }
}
