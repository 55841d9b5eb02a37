//! Withdraw a member.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    GroupId, MemberId, Text,
    roster::{Ask, Refusal},
};
use eventlog::Reply;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Membership, op};

/// Until when, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawalBody {
    /// Last day on the roster; may be in the past.
    ends_on: Date,
    /// Why, if it was said. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Text<200>>)]
    reason: Option<Private<Text<200>>>,
}

/// Withdraw a member
///
/// Takes a member off the group's roster after a day. They can be enrolled again later. Whoever is first in line gets the
/// place from the day after. Of who has left already, or is to leave later, this is the last day instead: facilitators
/// make it no later.
#[utoipa::path(post, path = "/v1/groups/{group}/enrolments/{member}/withdrawal", tag = "membership",
    request_body = WithdrawalBody,
    params(("group" = GroupId, Path, description = "The group"), ("member" = MemberId, Path, description = "Who")),
    responses((status = 204, description = "The enrolment ends"), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn withdraw_member(
    State(membership): State<Membership>,
    Path((group, member)): Path<(GroupId, MemberId)>,
    mut command: Command<op::WithdrawMember, WithdrawalBody>,
) -> Result<Answer, Problem> {
    membership.require_group(&command.caller, group).await?;
    let records = membership.stands_in(&command.caller, group, member).await?;
    if records.is_empty() {
        return Err(Problem::refused(&Refusal::NotEnrolled));
    }
    let mut reason = BTreeMap::new();
    if let Some(said) = command.body.reason.take() {
        let org = command.caller.org.clone();
        command.recognise_by(&membership.known.key(&org, member).await?);
        for record in records {
            let key = membership.known.key(&org, record).await?;
            reason.insert(record, command.seal(&key, record, SealedAs::Withdrawal, &said));
        }
    }
    let Command { caller, cause, body: WithdrawalBody { ends_on, .. }, .. } = command;
    membership.transact(&caller, group, cause, Ask::Withdraw { member, ends_on, reason }, Reply::DONE).await
}
