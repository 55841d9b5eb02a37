//! Send a referral.

use axum::extract::State;
use domain::{
    AttemptId, MemberId, Sealed,
    referral::{self, Actor, By, Digest, LinkIssued, Purpose, Rests, Sending},
    route::LINK_DAYS_MAX,
};
use eventlog::{Done, Reply};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;
use web::{Answer, Command, Path, Permitted, Problem, Problems};

use crate::{
    Referrals, by,
    issue_link::{IssuedLink, new_link},
    op,
    reading::{Asked, Told},
    refused,
};

/// What is sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSending {
    /// Which items, as they were previewed.
    #[serde(default)]
    items: Option<std::collections::BTreeSet<domain::partner::Item>>,
    /// As the preview said.
    #[schema(value_type = String, min_length = 64, max_length = 64, example = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")]
    preview: Digest,
    /// Whether the partner gets a link to read and answer it without an account.
    #[serde(default)]
    link: bool,
}

/// What was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SentReferral {
    pub referral: AttemptId,
    /// For the partner, if a link was asked for: shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<IssuedLink>,
}

/// Send a referral
///
/// From now on the partner reads exactly what was previewed, as long as consent for all of it is in force. Refused if
/// anything of it has changed since.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/sending", tag = "referrals",
    request_body = NewSending,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 200, description = "It is sent", body = SentReferral), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn send_referral(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    mut command: Command<op::SendReferral, NewSending>,
) -> Result<Answer, Problem> {
    let record = referrals.record_of(&command.caller, member, attempt).await?;
    let NewSending { items, preview, link } = command.body.clone();
    let asked = Asked { items, without_consent: false };
    if let Some(answer) = referrals.sent_before(&mut command, &record, (attempt, link)).await? {
        return Ok(answer);
    }
    let told = referrals.previewed(&record, (attempt, &asked, &preview), command.cause.at).await?;
    let by = by(&command.caller);
    referrals.send(command, &record, (attempt, told), Manner { link, by, overriding: None }).await
}

/// How something is sent.
pub(crate) struct Manner {
    pub link: bool,
    pub by: By,
    pub overriding: Option<(Sealed, Timestamp)>,
}

impl Referrals {
    /// What was answered when the same sending was done before, with its link made again, whatever has changed since.
    pub async fn sent_before<Op, T>(
        &self,
        command: &mut Command<Op, T>,
        record: &Permitted<MemberId>,
        (attempt, link): (AttemptId, bool),
    ) -> Result<Option<Answer>, Problem> {
        let key = self.members.key(record.org(), record.id()).await?;
        command.recognise_by(&key);
        let Some(done) = self.streams.replayed(&command.cause).await? else { return Ok(None) };
        let of = (attempt, Purpose::Partner, LINK_DAYS_MAX);
        let issued = link.then(|| new_link(command, (record.id(), &key), of, by(&command.caller))).transpose()?;
        self.with_link(record, done, (attempt, issued.map(|(link, _)| link))).await.map(Some)
    }

    /// What a partner would read now, if it is what was previewed.
    pub async fn previewed(
        &self,
        record: &Permitted<MemberId>,
        (attempt, asked, preview): (AttemptId, &Asked, &Digest),
        now: Timestamp,
    ) -> Result<Told, Problem> {
        let told = self.told(record, attempt, asked, now).await?;
        if told.preview(attempt) == *preview { Ok(told) } else { Err(refused(&referral::Refusal::PreviewChanged)) }
    }

    /// The answer with the link. It is in no receipt: it is made again of the member's key.
    async fn with_link(
        &self,
        record: &Permitted<MemberId>,
        done: Done,
        (referral, link): (AttemptId, Option<IssuedLink>),
    ) -> Result<Answer, Problem> {
        let link = match link {
            Some(link) => Some(self.as_issued(record, link).await?),
            None => None,
        };
        let reply = Reply::json(done.reply.status, &SentReferral { referral, link });
        Ok(Answer(Done { reply, ..done }))
    }

    /// Sends it.
    pub async fn send<Op, T>(
        &self,
        mut command: Command<Op, T>,
        record: &Permitted<MemberId>,
        (attempt, told): (AttemptId, Told),
        Manner { link, by, overriding }: Manner,
    ) -> Result<Answer, Problem> {
        let org = record.org();
        let projection = command.seal_known(&told.key, attempt, SealedAs::Projection, &told.projection);
        let issued = link.then(|| {
            let staff = By { actor: Actor::Coordinator, ..by.clone() };
            new_link(&command, (record.id(), &told.key), (attempt, Purpose::Partner, told.clocks.link_days), staff)
        });
        let issued: Option<(IssuedLink, LinkIssued)> = issued.transpose()?;
        let sending = Sending {
            attempt,
            items: told.items(),
            projection,
            preview: told.preview(attempt),
            clocks: told.clocks,
            standing: self.members.standing(org, record.id()).await?,
            rests: self.rests_elsewhere(record).await?,
            overriding,
            link: issued.as_ref().map(|(_, issued)| issued.clone()),
            by,
            at: command.cause.at,
            recipient: told.recipient,
        };
        let kept = Reply::json(200, &SentReferral { referral: attempt, link: None });
        let send = referral::Command::Send(Box::new(sending));
        let Answer(done) = self.decide(record, command.cause, send, kept).await?;
        self.with_link(record, done, (attempt, issued.map(|(link, _)| link))).await
    }

    /// Rests that stand in the streams of the person's other records.
    async fn rests_elsewhere(&self, record: &Permitted<MemberId>) -> Result<Rests, Problem> {
        let persons = self.members.persons(record.org()).await?;
        let mut rests = Rests::new();
        for other in persons.records(&record.id()).iter().filter(|other| **other != record.id()) {
            rests.extend(self.streams.look(record.org(), *other, |known| known.state.rests.clone()).await?);
        }
        Ok(rests)
    }
}
