//! Record a step of a referral.

use axum::extract::State;
use domain::{
    AttemptId, MemberId, Text,
    referral::{self, Ask, By, Step, What},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::{Key, SealedAs};
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// What happened to a referral, or is to happen.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStep {
    what: What,
    /// In words. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Text<2000>>)]
    note: Option<Private<Text<2000>>>,
    /// For how many days the member is not referred there again, 0 to 730; as the reason says, if it is not given.
    #[serde(default)]
    #[schema(maximum = 730)]
    rest_days: Option<u16>,
}

impl NewStep {
    /// What the command asks, with its words sealed.
    pub fn ask<Op>(command: &mut Command<Op, Self>, key: &Key, attempt: AttemptId, by: By) -> Ask {
        let Self { what, note, rest_days } = command.body.clone();
        let note = note.map(|note| command.seal(key, attempt, SealedAs::Note, &note));
        Ask { attempt, what, rest_days, note, by, at: command.cause.at }
    }
}

/// Record a step of a referral
///
/// What coordinators do, or the member themselves: schedule, note that they met, say how it ended, ask to end it, answer
/// whether it helped. Who may do what from where is in `schemas/referral-states.md`.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/steps", tag = "referrals", request_body = NewStep,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 204, description = "It is recorded"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn record_referral_step(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    mut command: Command<op::RecordReferralStep, NewStep>,
) -> Result<Answer, Problem> {
    // What ends it, or says that it ended, is no use of a record that is only kept.
    let ends = matches!(
        command.body.what.step(),
        Step::Withdraw
            | Step::DeclineForMember
            | Step::RequestCancel
            | Step::EnterInError
            | Step::TellWithdrawal
            | Step::Inform
    );
    let record = referrals.record_with_attempt(&command.caller, member, attempt, ends).await?;
    let key = referrals.members.key(record.org(), record.id()).await?;
    let by = by(&command.caller);
    let ask = NewStep::ask(&mut command, &key, attempt, by);
    referrals.decide(&record, command.cause, referral::Command::Act(ask), Reply::DONE).await
}
