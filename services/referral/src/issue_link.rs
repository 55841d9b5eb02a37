//! Issue a link.

use axum::extract::State;
use domain::{
    AttemptId, LinkId, MemberId,
    referral::{self, By, LinkIssued, Purpose},
    route,
};
use eventlog::{Done, Reply};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::Key;
use web::{Answer, Command, Path, Permitted, Problem, Problems, new_link_key};

use crate::{Referrals, by, op};

/// What the link is for.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLink {
    purpose: Purpose,
}

/// A link.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct IssuedLink {
    link: LinkId,
    purpose: Purpose,
    /// Path and secret of the page that it opens, behind this server's address. Nobody is shown it again.
    #[schema(example = "/r#kithlink_…")]
    path: String,
    /// At which instant it ends.
    until: Timestamp,
}

/// Issue a link
///
/// By which somebody without an account answers this one referral: the partner, the member, or a partner that
/// acknowledges that consent was withdrawn. It ends by itself, and with what it is for.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/links", tag = "referrals", request_body = NewLink,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 201, description = "The link, shown only here", body = IssuedLink), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn issue_link(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    mut command: Command<op::IssueLink, NewLink>,
) -> Result<Answer, Problem> {
    let record = referrals.record_of(&command.caller, member, attempt).await?;
    let org = record.org();
    let key = referrals.members.key(org, record.id()).await?;
    command.recognise_by(&key);
    let partner = |state: &referral::State| state.attempts.get(&attempt).map(|attempt| attempt.drafted.partner);
    let partner = referrals.streams.look(org, record.id(), |known| partner(&known.state)).await?;
    let clocks = |route: &route::State| partner.map_or_else(Default::default, |partner| route.clocks(partner));
    let days = referrals.routes.look(org, route::stream_id(org), |route| clocks(&route.state)).await?.link_days;
    let (purpose, staff) = (command.body.purpose, by(&command.caller));
    let (link, issued) = new_link(&command, (record.id(), &key), (attempt, purpose, days), staff)?;
    let kept = Reply::json(201, &issued.link);
    let Answer(done) = referrals.decide(&record, command.cause, referral::Command::IssueLink(issued), kept).await?;
    let link = referrals.as_issued(&record, link).await?;
    Ok(Answer(Done { reply: Reply::json(done.reply.status, &link), ..done }))
}

impl Referrals {
    /// The link with its end as it was issued, which may have been by the same command before.
    pub async fn as_issued(&self, record: &Permitted<MemberId>, link: IssuedLink) -> Result<IssuedLink, Problem> {
        let known = |state: &referral::State| state.links.get(&link.link).map(|known| known.issued.until);
        let until = self.streams.look(record.org(), record.id(), |state| known(&state.state)).await?;
        Ok(IssuedLink { until: until.unwrap_or(link.until), ..link })
    }
}

/// A new link, and what is kept of it. Its secret is made of the member's key: whoever sends the command again gets the
/// same, and it is kept nowhere.
pub(crate) fn new_link<Op, T>(
    command: &Command<Op, T>,
    (record, key): (MemberId, &Key),
    (attempt, purpose, days): (AttemptId, Purpose, u16),
    by: By,
) -> Result<(IssuedLink, LinkIssued), Problem> {
    let (link, at) = (LinkId(command.new_id("link")), command.cause.at);
    let secret = key.digest(format!("secret of link {link}").as_bytes());
    let (token, secret) = new_link_key(&command.caller, (record, link), &secret)?;
    let until = at + SignedDuration::from_hours(24 * i64::from(days));
    let issued = LinkIssued { link, attempt, purpose, secret, until, by, at };
    Ok((IssuedLink { link, purpose, path: format!("/r#{token}"), until }, issued))
}
