//! Say a need otherwise.

use axum::extract::State;
use domain::{
    MemberId, NeedId,
    referral::{self, NeedChanged, NeedWords},
    route::Urgency,
};
use eventlog::Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Private, Problem, Problems};

use crate::{Referrals, by, op, refused};

/// A need as it is said now.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaidNeed {
    urgency: Urgency,
    /// What and why. Kept sealed.
    #[schema(value_type = NeedWords)]
    says: Private<NeedWords>,
}

/// Say a need otherwise
///
/// What was sent for it stays as it was sent.
#[utoipa::path(put, path = "/v1/members/{member}/needs/{need}", tag = "referrals", request_body = SaidNeed,
    params(("member" = MemberId, Path, description = "Whose"), ("need" = NeedId, Path, description = "Which")),
    responses((status = 204, description = "So it is"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn change_need(
    State(referrals): State<Referrals>,
    Path((member, need)): Path<(MemberId, NeedId)>,
    mut command: Command<op::ChangeNeed, SaidNeed>,
) -> Result<Answer, Problem> {
    let record = referrals.record_with_need(&command.caller, member, need).await?;
    // Whoever leads groups reads no needs, and changes none but those that they stated.
    if command.caller.own_groups().is_some() {
        let stated_by =
            |state: &referral::State| state.needs.get(&need).and_then(|need| need.stated.by.subject.clone());
        let by = referrals.streams.look(record.org(), record.id(), |known| stated_by(&known.state)).await?;
        if by.as_ref() != Some(&command.caller.subject) {
            return Err(refused(&referral::Refusal::UnknownNeed));
        }
    }
    let key = referrals.members.key(record.org(), record.id()).await?;
    let SaidNeed { urgency, says } = command.body.clone();
    let says = command.seal(&key, need, SealedAs::Need, &says);
    let changed = NeedChanged { need, urgency, says, by: by(&command.caller), at: command.cause.at };
    referrals.decide(&record, command.cause, referral::Command::ChangeNeed(changed), Reply::DONE).await
}
