//! Let a member be referred to a partner again.

use axum::extract::State;
use domain::{
    MemberId, PartnerId, Text,
    referral::{self, Reason, RestLifted},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// Which rest ends, and why.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lifting {
    partner: PartnerId,
    /// For what reason the member was not to be referred there.
    reason: Reason,
    /// Why they are. Kept sealed.
    #[schema(value_type = Text<1000>)]
    note: Private<Text<1000>>,
}

/// Let a member be referred to a partner again
///
/// Before the time until which they were not to be referred there for that reason.
#[utoipa::path(post, path = "/v1/members/{member}/rests/lifting", tag = "referrals", request_body = Lifting,
    params(("member" = MemberId, Path, description = "Whom")),
    responses((status = 204, description = "They can be"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn lift_rest(
    State(referrals): State<Referrals>,
    Path(member): Path<MemberId>,
    mut command: Command<op::LiftRest, Lifting>,
) -> Result<Answer, Problem> {
    let Lifting { partner, reason, note } = command.body.clone();
    let has = |state: &referral::State| state.rests.contains_key(&(partner, reason));
    let record = referrals.record_with(&command.caller, member, false, (has, referral::Refusal::NoRest)).await?;
    let key = referrals.members.key(record.org(), record.id()).await?;
    let note = command.seal(&key, record.id(), SealedAs::Note, &note);
    let lifted = RestLifted { partner, reason, note, by: by(&command.caller), at: command.cause.at };
    referrals.decide(&record, command.cause, referral::Command::LiftRest(lifted), Reply::DONE).await
}
