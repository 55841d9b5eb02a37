//! Withdraw all consents to disclose.

use axum::extract::State;
use domain::{MemberId, referral};
use eventlog::Reply;
use web::{Answer, Command, Path, Problem, Problems};

use crate::{Referrals, by, op, withdraw_disclosure::Withdrawal};

/// Withdraw all consents to disclose
///
/// Also what was disclosed without consent ends. From the answer on no partner reads anything of the member.
#[utoipa::path(post, path = "/v1/members/{member}/disclosures/withdrawal", tag = "referrals", request_body = Withdrawal,
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 204, description = "They are withdrawn"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn withdraw_all_disclosures(
    State(referrals): State<Referrals>,
    Path(member): Path<MemberId>,
    command: Command<op::WithdrawAllDisclosures, Withdrawal>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: Withdrawal { means }, .. } = command;
    let (permitted, _) = referrals.members.require_visible(&caller, member).await?;
    referrals.members.record(&caller.org, member).await?;
    let withdraw = referral::Command::Withdraw { consent: None, means, by: by(&caller), at: cause.at };
    // Each record alone closes what it is about, and none can be refused: whoever sends it again completes it.
    let persons = referrals.members.persons(&caller.org).await?;
    for record in persons.records(&member).iter().filter(|record| **record != member) {
        if let Some(record) = permitted.of_person(&persons, *record) {
            referrals.decide(&record, cause.part(), withdraw.clone(), Reply::DONE).await?;
        }
    }
    referrals.decide(&permitted, cause, withdraw, Reply::DONE).await
}
