//! Writes to members that there is something to see: to whom it may be time to, the view says; whether they may be written
//! to, what they said, opened at that moment.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use domain::{
    MemberId, MessageId, OrgId,
    letter::{self, About, Asked, Command, Letters, News, Others, Why, may_be_written_to},
    member::{Field, Profile, Purpose},
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Follower, Members, Rhythm, Views};
use tokio::sync::watch;
use uuid::Uuid;
use vault::{Blind, Vault, open_profile, readings};
use web::{Clock, Problem};

use crate::{
    health::{Kind, MailHealth},
    letter_view::{self, LETTERS},
    mail_server::{MailServer, Sent, is_address},
    random::random,
    turns::Turns,
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
    /// Where it is noted how it goes.
    pub health: MailHealth,
    /// Where this is.
    pub public_url: Arc<str>,
    /// Where the names of claims and letters come from.
    pub new_secret: fn() -> [u8; 32],
}

/// Writes, and knows to whom.
pub(crate) struct Writing {
    writer: Writer,
    under_way: UnderWay<(OrgId, MemberId)>,
    turns: Turns<MemberId>,
    /// To whom is written now, each under the record they go on under.
    persons: Persons,
}

impl From<Writer> for Writing {
    fn from(writer: Writer) -> Self {
        Self { writer, under_way: UnderWay::new(AT_ONCE_MAX), turns: Turns::default(), persons: Persons::default() }
    }
}

#[async_trait]
impl Follower for Writing {
    fn position(&self) -> watch::Receiver<Position> {
        self.writer.views.changed(&LETTERS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        let ended = self.under_way.ended().context("nothing is written to a member");
        let (now, recovered) = (self.writer.clock.now(), self.writer.server.recovered());
        let due = move |connection: &_| letter_view::to_be_written(connection, recovered, now);
        let due = self.writer.views.look(due).await?;
        let due = due.context("nothing is written to members, because the views cannot be read")?;
        let (writer, persons) = (&self.writer, &self.persons);
        self.turns.begin(due, &mut self.under_way, |org, member| {
            let (writer, persons) = (writer.clone(), persons.clone());
            async move { writer.write(&org, member, &persons).await }
        });
        ended
    }
}

/// People to whom somebody writes now: under several records, one after the other. Clones share it.
#[derive(Debug, Clone, Default)]
struct Persons(Arc<Mutex<HashSet<(OrgId, MemberId)>>>);

/// Whoever has it writes to somebody.
struct Only<'a> {
    persons: &'a Persons,
    person: (OrgId, MemberId),
}

impl Persons {
    fn only(&self, org: &OrgId, person: MemberId) -> Option<Only<'_>> {
        let person = (org.clone(), person);
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(person.clone());
        is_first.then(|| Only { persons: self, person })
    }
}

impl Drop for Only<'_> {
    fn drop(&mut self) {
        self.persons.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.person);
    }
}

impl Writer {
    /// What is due to one member, once.
    async fn write(&self, org: &OrgId, member: MemberId, writing: &Persons) -> anyhow::Result<()> {
        let all = self.members.persons(org).await?;
        let Some(_only) = writing.only(org, all.of(member)) else { return Ok(()) };
        let mut others = Others::default();
        for other in all.records(&all.of(member)).iter().filter(|other| **other != member) {
            others = self.letters.look(org, *other, |letters| others.and(&letters.state)).await?;
        }
        let (claim, at, of) = (random(self.new_secret), self.clock.now(), org.clone());
        let news = self.views.look(move |connection| letter_view::news(connection, &of, member, at)).await?;
        let news = news.context("the views cannot be read")?;
        let words = Words::something_to_see(&self.public_url);
        let news = news.map(|(through, late)| News { about: About::Referral, through, late });
        let may = self.address(org, member, &words).await?.map(|_| ());
        let message = MessageId(Uuid::new_v5(&claim, b"letter"));
        let recovered = self.server.recovered();
        let work = Command::Work { news, may, others, recovered, message, claim, at };
        self.transact(org, member, claim, work).await?;
        let claimed = |letters: &letter::State| letters.line.claimed(claim).map(|(message, _)| *message);
        let Some(message) = self.letters.look(org, member, |letters| claimed(&letters.state)).await? else {
            return Ok(());
        };
        let Sent { outcome, rejected } = match self.server.open().await? {
            Err(not_now) => not_now,
            // What was so before the server answered may not be any more.
            Ok(open) => match self.address(org, member, &words).await? {
                Ok(address) => open.send(&address, message, self.clock.now(), &words).await,
                Err(why) => {
                    open.close().await;
                    let at = self.clock.now();
                    return self.transact(org, member, claim, Command::Withhold { claim, why, at }).await;
                }
            },
        };
        self.health.sent(Kind::Letter, outcome, rejected);
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
            Asked { allowed: Some(allowed), profile: &profile, others: &others, shared, said: &said, fold: readings };
        let may = may_be_written_to(&asked);
        let address = || profile.email.as_ref().map(ToString::to_string).filter(|email| is_address(email));
        Ok(may.and_then(|()| address().ok_or(Why::NoAddress)))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_must_never_be_mentioned_is_found_however_it_is_written() {
        let is_withheld = |never: &str, sender: &str| {
            let safe = json!({ "channels": ["email"], "may_leave_message": true, "never_mention": [never] });
            let profile = serde_json::from_value(json!({ "email": "bee@example.org", "safe_contact": safe })).unwrap();
            let said = ["Hello", sender];
            let asked = Asked {
                allowed: Some(Ok(())),
                profile: &profile,
                others: &[],
                shared: false,
                said: &said,
                fold: readings,
            };
            may_be_written_to(&asked) == Err(Why::Mentions)
        };
        let sender = "hello@aa.harbour-house.example";
        for never in [
            "AA",
            "A.A.",
            "my AA",
            "A A",
            "a. a. meetings",
            "HarbourHouse",
            "harbourhouse",
            "Harb\u{f6}ur",
            "harb\u{43e}ur",
        ] {
            assert!(is_withheld(never, sender), "{never}");
        }
        for (never, sender) in [
            ("M\u{fc}llerHaus", "hello@mueller-haus.example"),
            ("Mueller", "hello@xn--mller-haus-9db.example"),
            ("M\u{fc}ller", "hello@muellerhaus.example"),
            ("Mueller", "hello@mullerhaus.example"),
            ("\u{410}\u{410}", "hello@aa.example"),
        ] {
            assert!(is_withheld(never, sender), "{never} {sender}");
        }
        for (never, sender) in [("AA", "hello@isaac.example"), ("my group", sender), ("drinking", sender)] {
            assert!(!is_withheld(never, sender), "{never} {sender}");
        }
    }
}
