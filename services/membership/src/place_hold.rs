//! Place a legal hold.

use axum::extract::State;
use domain::{
    HoldId, MemberId, Text,
    people::{self, HoldPlaced},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};

/// Why the record must not be erased, and until when that holds at least.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHold {
    /// Such as a claim that is pending. Kept sealed.
    #[schema(value_type = Text<300>)]
    reason: Private<Text<300>>,
    /// When to look whether it is still needed.
    review_on: Date,
}

/// The hold.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct PlacedHold {
    hold: HoldId,
}

/// Place a legal hold
///
/// The record cannot be erased until the hold is lifted (GDPR Art. 17(3)).
#[utoipa::path(post, path = "/v1/members/{member}/holds", tag = "membership", request_body = NewHold,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 201, description = "The hold is placed", body = PlacedHold), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn place_hold(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    mut command: Command<op::PlaceHold, NewHold>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let hold = HoldId(command.new_id("hold"));
    let key = membership.known.key(&org, member).await?;
    let (said, review_on) = (command.body.reason.clone(), command.body.review_on);
    let reason = command.seal(&key, member, SealedAs::Hold, &said);
    let Command { caller, cause, .. } = command;
    let permitted = caller.require_member(member, false)?;
    let place = people::Command::PlaceHold(HoldPlaced { member, hold, reason, review_on });
    membership.decide_people(&caller, &[&permitted], cause, place, Reply::json(201, &PlacedHold { hold })).await
}
