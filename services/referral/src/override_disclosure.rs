//! Send a referral without consent.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    AttemptId, MemberId, Text,
    partner::Item,
    referral::{Actor, By, Digest},
};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{
    Referrals, by, op,
    reading::Asked,
    send_referral::{Manner, SentReferral},
};

/// What is told without consent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOverride {
    /// Which items, as they were previewed.
    items: BTreeSet<Item>,
    /// As the preview said.
    #[schema(value_type = String, min_length = 64, max_length = 64, example = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")]
    preview: Digest,
    /// Why. Kept sealed.
    #[schema(value_type = Text<1000>)]
    reason: Private<Text<1000>>,
    /// Until when the partner may read it: at most 30 days.
    until: Timestamp,
    /// Whether the partner gets a link to read and answer it without an account.
    #[serde(default)]
    link: bool,
}

/// Send a referral without consent
///
/// For whoever holds the organisation's duty seat, with a reason that somebody else reviews. It ends by itself. A
/// restriction and an objection are not overridden.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/override", tag = "referrals",
    request_body = NewOverride,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 200, description = "It is sent", body = SentReferral), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn override_disclosure(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    mut command: Command<op::OverrideDisclosure, NewOverride>,
) -> Result<Answer, Problem> {
    let record = referrals.record_of(&command.caller, member, attempt).await?;
    if !referrals.holds_duty_seat(&command.caller).await? {
        return Err(Problem::forbidden("only the holder of the organisation's duty seat discloses without consent"));
    }
    let NewOverride { items, preview, reason, until, link } = command.body.clone();
    let asked = Asked { items: Some(items), without_consent: true };
    if let Some(answer) = referrals.sent_before(&mut command, &record, (attempt, link)).await? {
        return Ok(answer);
    }
    let told = referrals.previewed(&record, (attempt, &asked, &preview), command.cause.at).await?;
    let reason = command.seal(&told.key, attempt, SealedAs::Reason, &reason);
    let by = By { actor: Actor::DutyLead, ..by(&command.caller) };
    let manner = Manner { link, by, overriding: Some((reason, until)) };
    referrals.send(command, &record, (attempt, told), manner).await
}
