//! Close a need.

use axum::extract::State;
use domain::{
    MemberId, NeedId, Text,
    referral::{self, NeedClosed, NeedEnd, Reason},
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op};

/// How a need ends.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closing {
    end: NeedEnd,
    /// Why referrals that are under way for it end with it: they are withdrawn, or their partners asked to end them.
    #[serde(default)]
    reason: Option<Reason>,
    /// In words. Kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<Text<2000>>)]
    note: Option<Private<Text<2000>>>,
}

/// Close a need
///
/// Nothing more is sent for it. If referrals are under way, it says which; with a reason they end with it.
#[utoipa::path(post, path = "/v1/members/{member}/needs/{need}/closing", tag = "referrals", request_body = Closing,
    params(("member" = MemberId, Path, description = "Whose"), ("need" = NeedId, Path, description = "Which")),
    responses((status = 204, description = "It is closed"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn close_need(
    State(referrals): State<Referrals>,
    Path((member, need)): Path<(MemberId, NeedId)>,
    mut command: Command<op::CloseNeed, Closing>,
) -> Result<Answer, Problem> {
    let has = |state: &referral::State| state.needs.contains_key(&need);
    let record = referrals.record_with(&command.caller, member, true, (has, referral::Refusal::UnknownNeed)).await?;
    let key = referrals.members.key(record.org(), record.id()).await?;
    let Closing { end, reason, note } = command.body.clone();
    let note = note.map(|note| command.seal(&key, need, SealedAs::Note, &note));
    let closed = NeedClosed { need, end, note, by: by(&command.caller), at: command.cause.at };
    referrals.decide(&record, command.cause, referral::Command::CloseNeed(closed, reason), Reply::DONE).await
}
