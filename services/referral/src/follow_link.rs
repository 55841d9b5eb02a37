//! Follow a link.

use axum::extract::State;
use domain::{
    AttemptId,
    referral::{self, Actor, Purpose, Stage},
};
use eventlog::{Done, Reply};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{
    Referrals, op,
    open_referral::{OpenedReferral, PossibleStep, possible},
    refused,
};

/// What a link opens.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "purpose")]
pub(crate) enum FollowedLink {
    /// The partner reads what was sent, and answers.
    Partner(OpenedReferral),
    /// The member says whether one was there, and whether it helped.
    Member(MemberQuestion),
    /// The partner acknowledges that consent was withdrawn; it reads nothing.
    Acknowledge(WithdrawnReferral),
}

/// What the member is asked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MemberQuestion {
    referral: AttemptId,
    /// What the service was called when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<String>,
    stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<Timestamp>,
    /// What the member may say now.
    possible: Vec<PossibleStep>,
}

/// A referral of which nothing is to be read any more.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WithdrawnReferral {
    referral: AttemptId,
    /// Whether that was acknowledged.
    acknowledged: bool,
}

/// Follow a link
///
/// Sent as POST with the link as bearer token, so that whatever opens addresses by itself spends nothing.
#[utoipa::path(post, path = "/v1/link/opening", tag = "referrals", request_body = web::Nothing,
    responses((status = 200, description = "What it opens", body = FollowedLink), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn follow_link(
    State(referrals): State<Referrals>,
    command: Command<op::FollowLink>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let linked = caller.link()?;
    let (record, attempt) = (caller.by_link(&linked), linked.attempt);
    let open = referral::Command::OpenLink { link: linked.link, at: cause.at };
    let Answer(extended) = referrals.decide(&record, cause.part(), open, Reply::DONE).await?;
    if linked.purpose == Purpose::Partner {
        let (done, opened) = referrals.open(&caller, &record, cause, attempt).await?;
        return Ok(Answer(Done { reply: Reply::json(200, &FollowedLink::Partner(opened)), ..done }));
    }
    let of = |state: &referral::State| state.attempt(attempt).cloned();
    let known = referrals.streams.look(record.org(), record.id(), |known| of(&known.state)).await?;
    let known = known.map_err(|refusal| refused(&refusal))?;
    let followed = if linked.purpose == Purpose::Acknowledge {
        let acknowledged = known.times.withdrawal_acknowledged.is_some();
        FollowedLink::Acknowledge(WithdrawnReferral { referral: attempt, acknowledged })
    } else {
        let possible = possible(&known, Actor::Member);
        FollowedLink::Member(MemberQuestion {
            referral: attempt,
            service_name: known.sent.as_ref().map(|sent| sent.to.name.to_string()),
            stage: known.stage,
            starts_at: known.starts_at,
            possible: possible.filter(|possible| Purpose::Member.serves(Actor::Member, possible.step)).collect(),
        })
    };
    let kept = Reply::json(200, &serde_json::json!({}));
    let Answer(done) = referrals.streams.keep(&record, &cause, kept, extended.position).await?;
    Ok(Answer(Done { reply: Reply::json(200, &followed), ..done }))
}
