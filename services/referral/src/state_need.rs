//! State a need.

use axum::extract::State;
use domain::{
    AttemptId, MemberId, NeedId, PartnerId, ServiceId,
    referral::{self, Drafted, NeedStated, NeedWords},
    route::Urgency,
};
use eventlog::Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// What a member needs of others.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNeed {
    urgency: Urgency,
    /// What and why. Kept sealed.
    #[schema(value_type = NeedWords)]
    says: Private<NeedWords>,
    /// The need that it follows, if there was one.
    #[serde(default)]
    based_on: Option<NeedId>,
    /// A service to which a referral is drafted at once.
    #[serde(default)]
    refer_to: Option<ReferTo>,
}

/// A service of a partner.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferTo {
    partner: PartnerId,
    service: ServiceId,
}

/// The need, and its first referral.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct StatedNeed {
    need: NeedId,
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<AttemptId>,
}

/// State a need
///
/// What a member needs of others. With `refer_to` a first referral is drafted with it; nothing goes out by that.
#[utoipa::path(post, path = "/v1/members/{member}/needs", tag = "referrals", request_body = NewNeed,
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 201, description = "The need is stated", body = StatedNeed), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn state_need(
    State(referrals): State<Referrals>,
    Path(member): Path<MemberId>,
    mut command: Command<op::StateNeed, NewNeed>,
) -> Result<Answer, Problem> {
    let permitted = referrals.require_member(&command.caller, member).await?;
    let key = referrals.members.key(permitted.org(), member).await?;
    let (need, at, by) = (NeedId(command.new_id("need")), command.cause.at, by(&command.caller));
    let NewNeed { urgency, says, based_on, refer_to } = command.body.clone();
    let says = command.seal(&key, need, SealedAs::Need, &says);
    let first = refer_to.map(|ReferTo { partner, service }| {
        let attempt = AttemptId(command.new_id("referral"));
        Drafted { attempt, need, partner, service, parent: None, note: None, by: by.clone(), at }
    });
    if let Some(drafted) = &first {
        referrals.require_service(permitted.org(), drafted).await?;
    }
    let reply = Reply::json(201, &StatedNeed { need, referral: first.as_ref().map(|drafted| drafted.attempt) });
    let stated = NeedStated { need, based_on, urgency, says, by, at };
    referrals.decide(&permitted, command.cause, referral::Command::StateNeed(stated, first), reply).await
}
