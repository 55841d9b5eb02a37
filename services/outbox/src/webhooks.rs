//! Sends to endpoints what is due: makes messages of what has changed, and sends them, to each endpoint one after the
//! other and to several at once.
//!
//! The view says where something may be due, the log whether it is, and who sends: of several processes whoever's claim
//! stands in it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    EndpointId, MessageId, OrgId, Sealed,
    endpoint::{Command, Endpoint, Message, Says, Topic, Why, Work},
    outgoing::{Fault, Outcome},
};
use eventlog::{Cause, Position, Reply, Streams, TransactError};
use host::{Follower, Rhythm, Views};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;
use vault::{SealedAs, Vault};
use web::Clock;
use zeroize::Zeroizing;

use crate::{
    connection::{Connection, Post},
    health::{self, Kind},
    random::random,
    signature::signature,
    under_way::UnderWay,
    webhook_view::{self, WEBHOOKS},
};

/// What has changed is told soon; what waits for its time is looked for every second.
pub(crate) const RHYTHM: Rhythm = Rhythm {
    pause: Duration::from_millis(100),
    every: Some(Duration::from_secs(1)),
    again_after: Duration::from_secs(5),
};
/// Most endpoints that are sent to at once by one process, a count: each takes up to 15 seconds.
const AT_ONCE_MAX: usize = 64;
/// Most of them that are of one organisation, a count: whose endpoints are slow slows nobody else's.
const AT_ONCE_OF_ORG_MAX: usize = 4;

/// How often it is shown how much waits, also of e-mails and letters.
const MEASURED_EVERY: Duration = Duration::from_secs(1);

/// Who sends. Clones share all.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    pub clock: Clock,
    pub endpoints: Streams<Endpoint>,
    pub views: Views,
    pub vault: Vault,
    pub connection: Connection,
    /// Where the names of claims and messages come from.
    pub new_secret: fn() -> [u8; 32],
}

/// Sends, and knows to whom it does.
pub(crate) struct Sending {
    webhooks: Webhooks,
    under_way: UnderWay<(OrgId, EndpointId)>,
    /// When it was last shown how much waits.
    measured: Option<Instant>,
}

impl From<Webhooks> for Sending {
    fn from(webhooks: Webhooks) -> Self {
        Self { webhooks, under_way: UnderWay::new(AT_ONCE_MAX), measured: None }
    }
}

#[async_trait]
impl Follower for Sending {
    fn position(&self) -> watch::Receiver<Position> {
        self.webhooks.views.changed(&WEBHOOKS)
    }

    async fn see_to(&mut self, _: Position) -> anyhow::Result<()> {
        // Failures of ours: those of an endpoint are its own.
        let ended = self.under_way.ended().context("nothing is sent to an endpoint");
        let now = self.webhooks.clock.now();
        if self.measured.is_none_or(|measured| measured.elapsed() >= MEASURED_EVERY) {
            self.measured = Some(Instant::now());
            health::measure(&self.webhooks.views, now).await.context("the views cannot be read")?;
        }
        let due = self.webhooks.views.look(move |connection| webhook_view::due(connection, now)).await?;
        for (org, endpoint) in due.context("nothing is sent to endpoints, because the views cannot be read")? {
            if self.under_way.count(|(of, _)| *of == org) >= AT_ONCE_OF_ORG_MAX {
                continue;
            }
            let (webhooks, of) = (self.webhooks.clone(), org.clone());
            self.under_way.begin((org, endpoint), async move { webhooks.send_what_is_due(&of, endpoint).await });
        }
        ended
    }
}

/// A message that is about to be sent, with all that was sealed.
struct Claimed {
    id: MessageId,
    message: Message,
    address: Sealed,
    secrets: Vec<Sealed>,
}

impl Webhooks {
    /// One message, if one is due. Whoever has more to get comes after all that wait for longer.
    async fn send_what_is_due(&self, org: &OrgId, endpoint: EndpointId) -> anyhow::Result<()> {
        let claim = random(self.new_secret);
        let Some(claimed) = self.claim(org, endpoint, claim).await? else { return Ok(()) };
        let message = claimed.id;
        let outcome = self.send(org, endpoint, claimed).await?;
        health::tried(Kind::Webhook, outcome);
        let at = self.clock.now();
        self.transact(org, endpoint, claim, at, Command::End { message, claim, outcome, at }).await?;
        if outcome.is_err() {
            self.tell_if_disabled(org, endpoint).await?;
        }
        Ok(())
    }

    /// Tells whoever runs this that nothing is sent to an endpoint any more: which of its organisation's, its admins see.
    async fn tell_if_disabled(&self, org: &OrgId, endpoint: EndpointId) -> anyhow::Result<()> {
        let disabled = |state: &domain::endpoint::State| state.as_ref().and_then(|known| known.disabled);
        let disabled = self.endpoints.look(org, endpoint, |loaded| disabled(&loaded.state)).await?;
        if let Some(why) = disabled.map(|disabled| disabled.why).filter(|why| *why != Why::Asked) {
            tracing::warn!(%endpoint, why = <&str>::from(why), "an endpoint is disabled");
        }
        Ok(())
    }

    /// Makes a message of what has changed, if it is time for one, and claims what stands first. None if there is nothing
    /// to be done, or somebody else does it.
    async fn claim(&self, org: &OrgId, endpoint: EndpointId, claim: Uuid) -> anyhow::Result<Option<Claimed>> {
        let of = org.clone();
        let changed = self.views.look(move |connection| webhook_view::since(connection, &of, endpoint)).await?;
        let (topics, through) = changed.context("the views cannot be read")?;
        let (at, message) = (self.clock.now(), MessageId(Uuid::new_v5(&claim, b"message")));
        let work = Command::Work(Work { topics, through, message, claim, at });
        self.transact(org, endpoint, claim, at, work).await?;
        let claimed = |state: &domain::endpoint::State| {
            let known = state.as_ref()?;
            let (id, message) = known.line.claimed(claim)?.clone();
            let secrets = known.secrets(at).cloned().collect();
            Some(Claimed { id, message, address: known.address.clone(), secrets })
        };
        Ok(self.endpoints.look(org, endpoint, |loaded| claimed(&loaded.state)).await?)
    }

    async fn transact(
        &self,
        org: &OrgId,
        endpoint: EndpointId,
        claim: Uuid,
        at: Timestamp,
        command: Command,
    ) -> anyhow::Result<()> {
        // A claim is nobody else's, and so are the ids of events that are made of it.
        let cause = Cause::of_process("outbox", claim, at);
        match self.endpoints.transact(org, endpoint, cause, command, Reply::DONE).await {
            // Others may be faster, and then there is nothing to be done.
            Ok(_) | Err(TransactError::Refused(_) | TransactError::LostRace) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&self, org: &OrgId, endpoint: EndpointId, claimed: Claimed) -> anyhow::Result<Outcome> {
        let key = self.vault.org_key(org).await?;
        let open = |what, sealed: &Sealed| key.open(org, endpoint.0, what, sealed);
        let secrets: Result<Vec<Zeroizing<Vec<u8>>>, _> =
            claimed.secrets.iter().map(|secret| open(SealedAs::Secret, secret)).collect();
        let (Ok(url), Ok(secrets)) = (open(SealedAs::Endpoint, &claimed.address), secrets) else {
            return Ok(Err(Fault::NotOpened));
        };
        let (id, at, body) = (claimed.id.to_string(), self.clock.now().as_second(), body(&claimed.message));
        let signatures: Vec<_> = secrets.iter().map(|secret| signature(secret, &id, at, &body)).collect();
        let headers =
            [("webhook-id", id), ("webhook-timestamp", at.to_string()), ("webhook-signature", signatures.join(" "))];
        self.connection.post(Post { url: String::from_utf8_lossy(&url).into_owned(), headers, body }).await
    }
}

/// What an endpoint reads.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<&'a BTreeSet<Topic>>,
}

/// The same bytes however often it is sent.
fn body(message: &Message) -> Vec<u8> {
    let (kind, topics) = match &message.says {
        Says::Changed { topics, .. } => ("changed", Some(topics)),
        Says::Ping => ("ping", None),
    };
    serde_json::to_vec(&Body { kind, timestamp: message.at, data: Data { topics } }).expect("texts and a time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_reads_is_of_what_something_has_changed_and_when() {
        let topics = ["members", "groups"].iter().map(|topic| topic.parse().unwrap()).collect();
        let at = "2026-06-01T12:00:00Z".parse().unwrap();
        let changed = Message { says: Says::Changed { topics, from: 7, through: 99 }, at };
        let ping = Message { says: Says::Ping, at };
        for (message, read) in [
            (
                changed,
                r#"{"type":"changed","timestamp":"2026-06-01T12:00:00Z","data":{"topics":["groups","members"]}}"#,
            ),
            (ping, r#"{"type":"ping","timestamp":"2026-06-01T12:00:00Z","data":{}}"#),
        ] {
            assert_eq!(String::from_utf8(body(&message)).unwrap(), read);
        }
    }
}
