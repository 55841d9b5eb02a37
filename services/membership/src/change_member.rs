//! Change what is known of a member.

use std::collections::BTreeSet;

use axum::extract::State;
use domain::{
    MemberId,
    member::{self, Field, Profile},
};
use eventlog::Reply;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};
use host::How;

/// A JSON merge patch (RFC 7396) of a profile.
#[derive(Debug, Default)]
pub(crate) struct ProfilePatch {
    set: Private<Profile>,
    removed: BTreeSet<Field>,
}

impl<'de> Deserialize<'de> for ProfilePatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let is_null = |field: &&Field| fields.get(field.as_str()).is_some_and(Value::is_null);
        let removed = Field::ALL.iter().filter(is_null).copied().collect();
        Ok(Self { set: serde_json::from_value(fields.into()).map_err(D::Error::custom)?, removed })
    }
}

/// Change a member
///
/// Sets the fields that are given, removes those that are null, leaves the rest. Facilitators set what a meeting needs
/// of members of their groups, and of whom they typed in as long as nobody else has completed it; members set their own.
#[utoipa::path(patch, path = "/v1/members/{member}", tag = "membership", request_body = Profile,
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "It is known now"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn change_member(
    State(membership): State<Membership>,
    Path(member): Path<MemberId>,
    mut command: Command<op::ChangeMember, ProfilePatch>,
) -> Result<Answer, Problem> {
    let org = command.caller.org.clone();
    let (permitted, how) = membership.known.require_visible(&command.caller, member).await?;
    let key = membership.known.key(&org, member).await?;
    let ProfilePatch { set, removed } = std::mem::take(&mut command.body);
    command.caller.may_set(set.in_clear().fields().iter().chain(&removed))?;
    set.in_clear().check(&membership.today()).map_err(|error| Problem::malformed(format!("body: {error}")))?;
    let set = command.seal_profile(&key, member, &set);
    let asked = member::Command::Change { set, removed, typed: how == How::AsTyped };
    let answer = membership.decide(&permitted, command.cause, asked, Reply::DONE).await?;
    membership.index(&org, member).await?;
    Ok(answer)
}
