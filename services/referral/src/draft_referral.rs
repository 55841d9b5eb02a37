//! Draft a referral.

use axum::extract::State;
use domain::{
    AttemptId, MemberId, NeedId, PartnerId, ServiceId, Text,
    referral::{self, Drafted},
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// To whom a need is to be referred.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReferral {
    partner: PartnerId,
    service: ServiceId,
    /// The referral that it takes up again, if it does: then `note` says why.
    #[serde(default)]
    parent: Option<AttemptId>,
    /// In words. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Text<2000>>)]
    note: Option<Private<Text<2000>>>,
}

/// The referral.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct DraftedReferral {
    referral: AttemptId,
}

/// Draft a referral
///
/// An attempt to have a need met by one service. Nobody outside knows of it until it is sent.
#[utoipa::path(post, path = "/v1/members/{member}/needs/{need}/referrals", tag = "referrals", request_body = NewReferral,
    params(("member" = MemberId, Path, description = "Whose"), ("need" = NeedId, Path, description = "Which")),
    responses((status = 201, description = "It is drafted", body = DraftedReferral), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn draft_referral(
    State(referrals): State<Referrals>,
    Path((member, need)): Path<(MemberId, NeedId)>,
    mut command: Command<op::DraftReferral, NewReferral>,
) -> Result<Answer, Problem> {
    let record = referrals.record_with_need(&command.caller, member, need).await?;
    let key = referrals.members.key(record.org(), record.id()).await?;
    let attempt = AttemptId(command.new_id("referral"));
    let NewReferral { partner, service, parent, note } = command.body.clone();
    let note = note.map(|note| command.seal(&key, attempt, SealedAs::Note, &note));
    let (by, at) = (by(&command.caller), command.cause.at);
    let drafted = Drafted { attempt, need, partner, service, parent, note, by, at };
    referrals.require_service(record.org(), &drafted).await?;
    let reply = Reply::json(201, &DraftedReferral { referral: attempt });
    referrals.decide(&record, command.cause, referral::Command::Draft(drafted), reply).await
}
