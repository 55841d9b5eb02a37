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
use vault::seal_profile;
use web::{Answer, Command, Path, Problem, Problems, op};

use crate::{Membership, Reach};

/// A JSON merge patch (RFC 7396) of a profile.
#[derive(Debug)]
pub(crate) struct ProfilePatch {
    set: Profile,
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
    let reach = membership.reach(&command.caller, member).await?;
    let key = membership.key(&org, member).await?;
    command.about(&key);
    let ProfilePatch { set, removed } = &command.body;
    command.caller.may_set(set.fields().iter().chain(removed))?;
    let sealed = seal_profile(&key, &org, member.0, set);
    set.check(&membership.today()).map_err(|error| Problem::malformed(format!("body: {error}")))?;
    let typed = reach == Reach::AsTyped;
    let asked = member::Command::Change { set: sealed, removed: removed.clone(), typed };
    let Command { caller, cause, .. } = command;
    let answer = membership.decide(&caller, member, cause, asked, Reply::DONE).await?;
    membership.index(&org, member).await?;
    Ok(answer)
}
