//! Open a referral as the partner.

use axum::extract::State;
use domain::{
    AttemptId, MemberId,
    partner::Item,
    referral::{self, Actor, Ask, Attempt, By, Reason, Stage, Step, What, reason, table},
    route::Urgency,
};
use eventlog::{Cause, Done, Reply};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Answer, Caller, Command, Opening, Path, Permitted, Problem, Problems};

use crate::{
    Referrals, by, op,
    reading::{self, Disclosed},
    refused,
};

/// A referral as its partner reads it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OpenedReferral {
    pub referral: AttemptId,
    /// What the service was called when it was sent.
    pub service_name: String,
    pub urgency: Urgency,
    pub stage: Stage,
    pub sent_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    #[serde(flatten)]
    pub disclosed: Disclosed,
    /// What the partner may do now.
    pub possible: Vec<PossibleStep>,
}

/// A step that may be taken now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PossibleStep {
    pub step: Step,
    /// The reasons for which it is taken, if it needs one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// Open a referral
///
/// What the partner may read of it at this instant, as it was sent. Each opening is written down as a disclosure.
#[utoipa::path(post, path = "/v1/partner/referrals/{reference}/opening", tag = "referrals", request_body = web::Nothing,
    params(("reference" = String, Path, description = "Which: its `reference` in the list")),
    responses((status = 200, description = "The referral", body = OpenedReferral), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn open_referral(
    State(referrals): State<Referrals>,
    Path(reference): Path<String>,
    command: Command<op::OpenReferral>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let (record, attempt) = referrals.sent_to(&caller, &reference).await?;
    let (done, opened) = referrals.open(&caller, &record, cause, attempt).await?;
    Ok(Answer(Done { reply: Reply::json(200, &opened), ..done }))
}

/// What references are sealed for.
const REFERENCE: &str = "referral";

/// What a partner names a referral by: in whose record it is, and which, sealed. So it is found in the log and in no view.
pub(crate) fn reference(caller: &Caller, member: MemberId, attempt: AttemptId) -> Result<String, Problem> {
    caller.seal(REFERENCE, &format!("{member} {attempt}"))
}

fn placed(caller: &Caller, reference: &str) -> Option<(MemberId, AttemptId)> {
    let place = caller.open(REFERENCE, reference)?;
    let (member, attempt) = place.split_once(' ')?;
    Some((member.parse().ok()?, attempt.parse().ok()?))
}

/// What whoever may not open it is told: by a link, as by any link that is not good.
fn not_open(caller: &Caller, refusal: &referral::Refusal) -> Problem {
    if caller.link().is_ok() { Problem::unauthenticated() } else { refused(refusal) }
}

/// What an actor may do next, but for opening it.
pub(crate) fn possible(attempt: &Attempt, actor: Actor) -> impl Iterator<Item = PossibleStep> {
    let (stage, accepted) = (attempt.stage, attempt.accepted);
    let steps = table::possible(Some(stage), actor).into_iter().filter(|(step, _)| *step != Step::Open);
    steps.map(move |(step, _)| PossibleStep { step, reasons: reason::reasons(step, accepted) })
}

impl Referrals {
    /// The record and referral that a reference names, if it was sent to the partner that calls.
    ///
    /// # Errors
    /// 404 if nothing was sent to it by that.
    pub async fn sent_to(&self, caller: &Caller, reference: &str) -> Result<(Permitted<MemberId>, AttemptId), Problem> {
        caller.require_partner()?;
        let unknown = || refused(&referral::Refusal::UnknownAttempt);
        let (member, attempt) = placed(caller, reference).ok_or_else(unknown)?;
        let sent = |state: &referral::State| {
            state.attempts.get(&attempt).map(|known| caller.require_sent(member, known)).ok_or_else(unknown)
        };
        let record = self.streams.look(&caller.org, member, |known| sent(&known.state)).await???;
        Ok((record, attempt))
    }

    /// Decides a step of the partner, by its token or by a link. Nothing but its acknowledgement is taken of what is not open
    /// to it, whatever the cause: the partner does not learn it. What it did before is answered as it was.
    pub async fn step_of_partner(
        &self,
        caller: &Caller,
        record: &Permitted<MemberId>,
        cause: Cause,
        ask: Ask,
    ) -> Result<Answer, Problem> {
        let acknowledges = matches!(ask.what, What::AcknowledgeWithdrawal {});
        let standing = self.members.standing(record.org(), record.id()).await?;
        let (attempt, at) = (ask.attempt, ask.at);
        let open = |state: &referral::State| state.open_to_partner(attempt, standing, at).map(|_| ());
        let open = self.streams.look(record.org(), record.id(), |known| open(&known.state)).await?;
        if let (Err(refusal), false) = (open, acknowledges) {
            return self.streams.replayed(&cause).await?.map(Answer).ok_or_else(|| not_open(caller, &refusal));
        }
        self.decide(record, cause, referral::Command::Act(ask), Reply::DONE).await
    }

    /// Opens a referral for its partner: notes that it was, writes down that it is disclosed, and only then opens it.
    pub async fn open(
        &self,
        caller: &Caller,
        record: &Permitted<MemberId>,
        cause: Cause,
        attempt: AttemptId,
    ) -> Result<(Done, OpenedReferral), Problem> {
        let (org, at) = (record.org(), cause.at);
        let standing = self.members.standing(org, record.id()).await?;
        let may_read = |state: &referral::State| reading::sealed(state, attempt, standing, at).map(|_| ());
        let may = self.streams.look(org, record.id(), |known| may_read(&known.state)).await?;
        may.map_err(|refusal| not_open(caller, &refusal))?;
        let done = self.note_opening(record, cause, attempt, by(caller)).await?;
        let sealed = |state: &referral::State| {
            let sealed = reading::sealed(state, attempt, standing, at)?;
            Ok((sealed, state.attempt(attempt)?.clone()))
        };
        let found = self.streams.look(org, record.id(), |known| sealed(&known.state)).await?;
        let (sealed, known): (reading::Sealed, Attempt) = found.map_err(|refusal| not_open(caller, &refusal))?;
        let fields = sealed.sent.items().into_iter().filter_map(Item::field).collect();
        let opening = Opening { at: done.position, fields, ..Opening::naming("open_referral", vec![record.id()]) };
        self.audit.opened(caller, opening).await?;
        let key = self.members.key(org, record.id()).await?;
        let (service_name, urgency, sent_at) = (sealed.sent.to.name.to_string(), sealed.sent.urgency, sealed.sent.at);
        let disclosed = sealed.open(&key, org)?;
        let (stage, starts_at) = (known.stage, known.starts_at);
        let possible = possible(&known, Actor::Partner).collect();
        let opened =
            OpenedReferral { referral: attempt, service_name, urgency, stage, sent_at, starts_at, disclosed, possible };
        Ok((done, opened))
    }

    /// Notes that the partner opened it, the first time.
    async fn note_opening(
        &self,
        record: &Permitted<MemberId>,
        cause: Cause,
        attempt: AttemptId,
        by: By,
    ) -> Result<Done, Problem> {
        let first =
            |state: &referral::State| state.attempts.get(&attempt).is_some_and(|known| known.stage == Stage::Sent);
        let (first, position) =
            self.streams.look(record.org(), record.id(), |known| (first(&known.state), known.position)).await?;
        // What was told stands in no receipt.
        let kept = Reply::json(200, &serde_json::json!({}));
        if !first {
            return Ok(self.streams.keep(record, &cause, kept, position).await?.0);
        }
        let ask = Ask { attempt, what: What::Open {}, rest_days: None, note: None, by, at: cause.at };
        Ok(self.decide(record, cause, referral::Command::Act(ask), kept).await?.0)
    }
}
