//! Give somebody another turn on the waiting list.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    GroupId, MemberId, Text,
    roster::{Ask, Refusal},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};

/// Whose turn is before theirs, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnBody {
    /// Who comes directly before them; null: they come first. It must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    after: Option<MemberId>,
    /// Why. Kept sealed.
    #[schema(value_type = Text<200>)]
    reason: Private<Text<200>>,
}

/// Give somebody another turn on the waiting list
///
/// Whoever waits comes directly after somebody else who waits, or first. The others keep their order. A place that is free
/// already goes to whoever is first then. The place in the list is named by who comes before it, so that two who move
/// turns at the same time move whom they mean.
#[utoipa::path(put, path = "/v1/groups/{group}/applications/{member}/turn", tag = "membership",
    request_body = TurnBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who waits")),
    responses((status = 204, description = "They have that turn"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn move_turn(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    mut command: Command<op::MoveTurn, TurnBody>,
) -> Result<Answer, Problem> {
    membership.require_group(&command.caller, group).await?;
    let records = membership.stands_in(&command.caller, group, member).await?;
    if records.is_empty() {
        return Err(Problem::refused(&Refusal::NotEnrolled));
    }
    let org = command.caller.org.clone();
    let (said, mut reason) = (command.body.reason.clone(), BTreeMap::new());
    command.recognise_by(&membership.known.key(&org, member).await?);
    for record in records {
        let key = membership.known.key(&org, record).await?;
        reason.insert(record, command.seal(&key, record, SealedAs::Turn, &said));
    }
    let Command { caller, cause, body: TurnBody { after, .. }, .. } = command;
    membership.transact(&caller, group, cause, Ask::MoveTurn { member, after, reason }, Reply::DONE).await
}
