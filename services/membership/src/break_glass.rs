//! Break the glass.

use axum::extract::State;
use domain::{
    GlassId, MemberId, Text,
    member::{self, GLASS_OPEN, GlassBroken},
};
use eventlog::Reply;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};

/// Why.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emergency {
    /// What makes it necessary. Kept sealed, and read by who reviews it.
    #[schema(value_type = Text<300>)]
    reason: Private<Text<300>>,
}

/// Until when.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct OpenGlass {
    glass: GlassId,
    /// Three hours from now.
    until: Timestamp,
}

/// Break the glass
///
/// In an emergency: lets the caller read the whole record of a member whom they could not reach, for three hours. Every
/// look is written down, and somebody else reviews it afterwards.
#[utoipa::path(post, path = "/v1/members/{member}/glass", tag = "membership", request_body = Emergency,
    params(("member" = MemberId, Path, description = "Whose record")),
    responses((status = 201, description = "The record can be read", body = OpenGlass), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn break_glass(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    mut command: Command<op::BreakGlass, Emergency>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let glass = GlassId(command.new_id("glass"));
    let key = membership.known.key(&org, member).await?;
    let said = command.body.reason.clone();
    let reason = command.seal(&key, member, SealedAs::Glass, &said);
    let Command { caller, cause, .. } = command;
    let permitted = caller.by_broken_glass(member);
    let (subject, until) = (caller.subject.clone(), cause.at + GLASS_OPEN);
    let command = member::Command::BreakGlass(GlassBroken { glass, subject, reason, until });
    membership.decide(&permitted, cause, command, Reply::json(201, &OpenGlass { glass, until })).await
}
