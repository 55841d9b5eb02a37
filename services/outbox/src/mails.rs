//! Writes to people who work here that there is something to see, and codes to addresses that they name; destroys the keys
//! of mailboxes that are no more.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    MemberId, MessageId, OrgId, Sealed,
    mailbox::{self, Command, Letter, Mailbox},
    outgoing::Fault,
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Boards, Follower, Rhythm, Views};
use jiff::{Timestamp, civil::time};
use tokio::sync::watch;
use uuid::Uuid;
use vault::{SealedAs, Vault};
use web::Clock;

use crate::{
    health::{Kind, MailHealth},
    mail_server::{MailServer, Open, Sent},
    mail_view::{self, Gone, MAILBOXES},
    random::random,
    turns::{Due, Haste, Turns},
    under_way::UnderWay,
    waiting::waiting,
    words::Words,
};

/// What waits for its time is looked for every second.
pub(crate) const RHYTHM: Rhythm = Rhythm {
    pause: Duration::from_millis(200),
    every: Some(Duration::from_secs(1)),
    again_after: Duration::from_secs(5),
};
/// Most e-mails that are sent at once by one process, a count.
const AT_ONCE_MAX: usize = 4;

/// Who writes. Clones share all.
#[derive(Debug, Clone)]
pub(crate) struct Mails {
    pub clock: Clock,
    pub mailboxes: Streams<Mailbox>,
    pub vault: Vault,
    pub views: Views,
    /// By which way; none if whoever runs this has named no mail server.
    pub way: Option<Way>,
    /// What waits for whom.
    pub boards: Boards,
    /// Where the names of claims and messages come from.
    pub new_secret: fn() -> [u8; 32],
}

/// By which way e-mails go, and what they say.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub server: MailServer,
    /// Where it is noted how it goes.
    pub health: MailHealth,
    /// Where this is.
    pub public_url: Arc<str>,
    /// At which hour people are told what is not urgent.
    pub hour: i8,
}

/// Writes, and knows to whom.
pub(crate) struct Mailing {
    mails: Mails,
    under_way: UnderWay<(OrgId, Uuid)>,
    turns: Turns<Uuid>,
    /// Up to where in the log keys of mailboxes that went are destroyed.
    destroyed: i64,
}

impl From<Mails> for Mailing {
    fn from(mails: Mails) -> Self {
        Self { mails, under_way: UnderWay::new(AT_ONCE_MAX), turns: Turns::default(), destroyed: 0 }
    }
}

#[async_trait]
impl Follower for Mailing {
    fn position(&self) -> watch::Receiver<Position> {
        self.mails.views.changed(&MAILBOXES)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let ended = self.under_way.ended().context("an e-mail is not sent");
        self.destroy_keys().await?;
        if let Some(way) = &self.mails.way {
            let due = self.mails.due(way).await?;
            let mails = &self.mails;
            self.turns.begin(due, &mut self.under_way, |org, id| {
                let mails = mails.clone();
                async move { mails.write(&org, id).await }
            });
        }
        ended
    }
}

impl Mailing {
    async fn destroy_keys(&mut self) -> anyhow::Result<()> {
        let after = self.destroyed;
        let keys = self.mails.views.look(move |connection| mail_view::keys_to_destroy(connection, after)).await?;
        for Gone { position, org, mailbox, key } in keys.context("the views cannot be read")? {
            // What cannot be undone is done by what the log says alone.
            let had = |state: &mailbox::State| state.had(key.0);
            if !self.mails.vault.is_destroyed(&org, key)
                && self.mails.mailboxes.look(&org, mailbox, |mailbox| had(&mailbox.state)).await?
            {
                self.mails.vault.erase(&org, key).await.context("the key of a mailbox that went is not destroyed")?;
            }
            self.destroyed = position;
        }
        Ok(())
    }
}

/// A message that is about to be sent, with all that was sealed.
struct Claimed {
    message: MessageId,
    letter: Letter,
    set: mailbox::Set,
}

impl Mails {
    /// Mailboxes to which something is to be sent now: a code, what waits, or that something has come up.
    async fn due(&self, way: &Way) -> anyhow::Result<Vec<Due<Uuid>>> {
        let rows = self.views.look(mail_view::open).await?;
        let rows = rows.context("no e-mails are sent, because the views cannot be read")?;
        let (now, today, recovered) = (self.clock.now(), self.today(way.hour)?, way.server.recovered());
        let (mut boards, mut due) = (HashMap::new(), Vec::new());
        for row in rows {
            let board = match boards.entry(row.org.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(waiting(&self.boards, &row.org).await?),
            };
            let waits = board.get(&row.subject).copied().unwrap_or_default();
            if row.is_due(waits, today, recovered, now) {
                let urgent = row.told.urgent(waits, now).is_some();
                let haste = if urgent { Haste::Urgent } else { Haste::Due };
                due.push(Due { haste, org: row.org, to: row.mailbox });
            }
        }
        Ok(due)
    }

    /// What is due to one mailbox, once.
    async fn write(&self, org: &OrgId, id: Uuid) -> anyhow::Result<()> {
        let Some(way) = &self.way else { return Ok(()) };
        let (claim, at) = (random(self.new_secret), self.clock.now());
        let subject = |mailbox: &mailbox::State| mailbox.known.as_ref().map(|known| known.set.subject.clone());
        let Some(subject) = self.mailboxes.look(org, id, |mailbox| subject(&mailbox.state)).await? else {
            return Ok(());
        };
        let waiting = waiting(&self.boards, org).await?.remove(&subject).unwrap_or_default();
        let (today, message) = (self.today(way.hour)?, MessageId(Uuid::new_v5(&claim, b"mail")));
        let recovered = way.server.recovered();
        let work = Command::Work { waiting, today, recovered, message, claim, at };
        self.transact(org, id, claim, work).await?;
        let claimed = |mailbox: &mailbox::State| {
            let known = mailbox.known.as_ref()?;
            let (message, letter) = *known.line.claimed(claim)?;
            Some(Claimed { message, letter, set: known.set.clone() })
        };
        let look = async || self.mailboxes.look(org, id, |mailbox| claimed(&mailbox.state)).await;
        let Some(Claimed { message, .. }) = look().await? else { return Ok(()) };
        let Sent { outcome, rejected } = match way.server.open().await? {
            Err(not_now) => not_now,
            // What was so before the server answered may not be any more.
            Ok(open) => {
                let Some(claimed) = look().await? else {
                    open.close().await;
                    return Ok(());
                };
                self.send(org, id, (way, open), &claimed).await?
            }
        };
        way.health.sent(Kind::Mail, outcome, rejected);
        let at = self.clock.now();
        self.transact(org, id, claim, Command::End { message, claim, outcome, rejected, at }).await
    }

    async fn transact(&self, org: &OrgId, id: Uuid, claim: Uuid, command: Command) -> anyhow::Result<()> {
        // A claim is nobody else's, and so are the ids of events that are made of it.
        let cause = Cause::of_process("outbox", claim, self.clock.now());
        match self.mailboxes.transact(org, id, cause, command, Reply::DONE).await {
            Ok(_) | Err(TransactError::Refused(_) | TransactError::LostRace) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn send(
        &self,
        org: &OrgId,
        id: Uuid,
        (way, open): (&Way, Open<'_>),
        claimed: &Claimed,
    ) -> anyhow::Result<Sent> {
        let not_opened = Sent::not_now(Fault::NotOpened);
        let key = match self.vault.key(org, MemberId(claimed.set.key)).await {
            Ok(Some(key)) => key,
            Ok(None) | Err(vault::VaultError::Erased) => return Ok(not_opened),
            Err(error) => return Err(error.into()),
        };
        let unsealed = |what, sealed: &Sealed| key.open(org, id, what, sealed);
        let Ok(address) = unsealed(SealedAs::Address, &claimed.set.address) else { return Ok(not_opened) };
        let words = match claimed.letter {
            Letter::Notice => Words::something_to_see(&way.public_url),
            Letter::Code => match unsealed(SealedAs::Code, &claimed.set.code) {
                Ok(code) => Words::code(&String::from_utf8_lossy(&code), &way.public_url),
                Err(_) => return Ok(not_opened),
            },
        };
        Ok(open.send(&String::from_utf8_lossy(&address), claimed.message, self.clock.now(), &words).await)
    }

    /// From when on people are told today what is not urgent.
    fn today(&self, hour: i8) -> anyhow::Result<Timestamp> {
        let now = self.clock.local(self.clock.now());
        Ok(now.date().to_datetime(time(hour, 0, 0, 0)).to_zoned(now.time_zone().clone())?.timestamp())
    }
}
