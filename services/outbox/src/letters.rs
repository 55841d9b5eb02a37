//! Writes to members that there is something to see: to whom it may be time to, the view says; whether they may be written
//! to, what they said, opened at that moment.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use domain::{
    MemberId, MessageId, OrgId,
    letter::{self, About, Asked, Command, Letters, Why, may_be_written_to},
    member::{Field, Profile, Purpose},
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Follower, Members, Rhythm, Views};
use tokio::sync::watch;
use uuid::Uuid;
use vault::{Blind, Vault, folded, open_profile};
use web::{Clock, Problem};

use crate::{
    letter_view::{self, LETTERS},
    mail_server::{MailServer, Sent},
    random::random,
    under_way::UnderWay,
    words::Words,
};

/// What waits for its time is looked for every second.
pub(crate) const RHYTHM: Rhythm = Rhythm {
    pause: Duration::from_millis(200),
    every: Some(Duration::from_secs(1)),
    again_after: Duration::from_secs(5),
};
/// Most letters that are sent at once by one process, a count.
const AT_ONCE_MAX: usize = 4;
/// All that has to be known of a member to write to them.
const FIELDS: &[Field] = &[Field::Email, Field::SafeContact];

/// Who writes. Clones share all.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub clock: Clock,
    pub letters: Streams<Letters>,
    pub members: Members,
    pub vault: Vault,
    pub views: Views,
    pub server: MailServer,
    /// Where this is.
    pub public_url: Arc<str>,
    /// Where the names of claims and letters come from.
    pub new_secret: fn() -> [u8; 32],
}

/// Writes, and knows to whom.
pub(crate) struct Writing {
    writer: Writer,
    under_way: UnderWay<(OrgId, MemberId)>,
}

impl From<Writer> for Writing {
    fn from(writer: Writer) -> Self {
        Self { writer, under_way: UnderWay::new(AT_ONCE_MAX) }
    }
}

#[async_trait]
impl Follower for Writing {
    fn position(&self) -> watch::Receiver<Position> {
        self.writer.views.changed(&LETTERS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let ended = self.under_way.ended().context("nothing is written to a member");
        let now = self.writer.clock.now();
        let due = self.writer.views.look(move |connection| letter_view::to_be_written(connection, now)).await?;
        for (org, member) in due.context("nothing is written to members, because the views cannot be read")? {
            let (writer, of) = (self.writer.clone(), org.clone());
            self.under_way.begin((org, member), async move { writer.write(&of, member).await });
        }
        ended
    }
}

impl Writer {
    /// What is due to one member, once.
    async fn write(&self, org: &OrgId, member: MemberId) -> anyhow::Result<()> {
        let (claim, at, of) = (random(self.new_secret), self.clock.now(), org.clone());
        let news = self.views.look(move |connection| letter_view::news(connection, &of, member, at)).await?;
        let news = news.context("the views cannot be read")?.map(|through| (About::Referral, through));
        let words = Words::something_to_see(&self.public_url);
        let may = self.address(org, member, &words).await?.map(|_| ());
        let message = MessageId(Uuid::new_v5(&claim, b"letter"));
        self.transact(org, member, claim, Command::Work { news, may, message, claim, at }).await?;
        let claimed = |letters: &letter::State| letters.line.claimed(claim).map(|(message, _)| *message);
        let Some(message) = self.letters.look(org, member, |letters| claimed(&letters.state)).await? else {
            return Ok(());
        };
        // What was so before the claim may not be any more.
        let address = match self.address(org, member, &words).await? {
            Ok(address) => address,
            Err(why) => {
                let at = self.clock.now();
                return self.transact(org, member, claim, Command::Withhold { claim, why, at }).await;
            }
        };
        let Sent { outcome, rejected } = self.server.send(&address, message, self.clock.now(), &words).await?;
        let at = self.clock.now();
        self.transact(org, member, claim, Command::End { message, claim, outcome, rejected, at }).await
    }

    async fn transact(&self, org: &OrgId, member: MemberId, claim: Uuid, command: Command) -> anyhow::Result<()> {
        // A claim is nobody else's, and so are the ids of events that are made of it.
        let cause = Cause::of_process("outbox", claim, self.clock.now());
        match self.letters.transact(org, member, cause, command, Reply::DONE).await {
            Ok(_) | Err(TransactError::Refused(_) | TransactError::LostRace) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a member is written to, if they may be, opened now.
    async fn address(&self, org: &OrgId, member: MemberId, words: &Words) -> anyhow::Result<Result<String, Why>> {
        let Some((going_on, record)) = self.members.there(org, member).await.map_err(|problem| of_problem(&problem))?
        else {
            return Ok(Err(Why::Gone));
        };
        let persons = self.members.persons(org).await?;
        let mut allowed = record.permissions.allow(Purpose::Contact, &self.clock.today());
        let Some(profile) = self.opened(org, going_on, &record.fields).await? else { return Ok(Err(Why::Gone)) };
        let mut others = Vec::new();
        for other in persons.records(&going_on).iter().filter(|other| **other != going_on) {
            let Some(record) = self.members.known_record(org, *other).await.map_err(|problem| of_problem(&problem))?
            else {
                return Ok(Err(Why::Gone));
            };
            allowed = allowed.and(record.permissions.allow(Purpose::Contact, &self.clock.today()));
            others.extend(self.opened(org, *other, &record.fields).await?);
        }
        let shared = self.is_shared(org, going_on, &profile).await?;
        let said = [words.subject.as_str(), words.text.as_str(), self.server.sender()];
        let asked =
            Asked { allowed: Some(allowed), profile: &profile, others: &others, shared, said: &said, fold: folded };
        let may = may_be_written_to(&asked);
        Ok(may.and_then(|()| profile.email.map(|email| email.to_string()).ok_or(Why::NoAddress)))
    }

    /// What has to be known of a record; none if its key is destroyed.
    async fn opened(
        &self,
        org: &OrgId,
        record: MemberId,
        fields: &domain::member::Fields,
    ) -> anyhow::Result<Option<Profile>> {
        match self.vault.key(org, record).await {
            Ok(Some(key)) => Ok(Some(open_profile(&key, org, record.0, fields, FIELDS)?)),
            Ok(None) => Ok(Some(Profile::default())),
            Err(vault::VaultError::Erased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody else, who is there, has the same address.
    async fn is_shared(&self, org: &OrgId, member: MemberId, profile: &Profile) -> anyhow::Result<bool> {
        let only_address = Profile { email: profile.email.clone(), ..Profile::default() };
        let blinds = Blind::all(&self.vault.org_key(org).await?, self.vault.country(), &only_address);
        let persons = self.members.persons(org).await?;
        let sharing = self.members.sharing(org, &blinds).await.map_err(|problem| of_problem(&problem))?;
        Ok(sharing.iter().any(|(other, _)| persons.of(*other) != persons.of(member)))
    }
}

fn of_problem(problem: &Problem) -> anyhow::Error {
    anyhow!("a member's record cannot be read: {}", problem.status())
}
