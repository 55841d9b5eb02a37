//! Record a step by a link.

use axum::extract::State;
use domain::referral::{self, Purpose};
use eventlog::Reply;
use web::{Answer, Command, Problem, Problems};

use crate::{Referrals, by, op, record_referral_step::NewStep};

/// Record a step by a link
///
/// What the link is for: a partner's steps, the member's word, or the acknowledgement that consent was withdrawn.
#[utoipa::path(post, path = "/v1/link/steps", tag = "referrals", request_body = NewStep,
    responses((status = 204, description = "It is recorded"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn record_link_step(
    State(referrals): State<Referrals>,
    mut command: Command<op::RecordLinkStep, NewStep>,
) -> Result<Answer, Problem> {
    let linked = command.caller.link()?;
    let record = command.caller.by_link(&linked);
    let key = referrals.members.key(record.org(), record.id()).await?;
    let (by, by_partner) = (by(&command.caller), linked.purpose != Purpose::Member);
    let ask = NewStep::ask(&mut command, &key, linked.attempt, by);
    if by_partner {
        return referrals.step_of_partner(&command.caller, &record, command.cause, ask).await;
    }
    referrals.decide(&record, command.cause, referral::Command::Act(ask), Reply::DONE).await
}
