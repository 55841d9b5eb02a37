//! Words that leave the house: webhooks to programs of the organisation, e-mails to those who work here and to members.
//!
//! Whatever leaves says only that there is something to see, and where: no name, no id of a member, no group, no trouble.
//! What is to be sent, was tried, and arrived, stands in the log. One operation, one file.
//!
//! **Invariant:** where something is sent to is opened when it is sent, and nowhere else but for who may change it.

mod addresses;
mod backlog_view;
mod change_endpoint;
mod confirm_mailbox;
mod connection;
mod disable_endpoint;
mod enable_endpoint;
mod endpoint_row;
mod health;
mod letter_view;
mod letters;
mod list_endpoints;
mod list_outbox;
mod mail_server;
mod mail_view;
mod mails;
mod op;
mod random;
mod register_endpoint;
mod remove_endpoint;
mod remove_mailbox;
mod replay_messages;
mod rotate_endpoint_secret;
mod set_mailbox;
mod show_endpoint;
mod show_mailbox;
mod signature;
mod test_endpoint;
mod topics;
mod turns;
mod under_way;
mod waiting;
mod webhook_view;
mod webhooks;
mod words;

use std::{collections::BTreeSet, sync::Arc};

use axum::extract::FromRef;
use domain::{
    EndpointId, MemberId, OrgId,
    endpoint::{self, Endpoint, Topic},
    mailbox::{self, Mailbox},
};
use eventlog::{Cause, EventLog, Reply};
use host::{Built, Context, Host, Members, Need, Task, Views};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use vault::Vault;
use web::{Answer, Audit, Authenticator, Caller, Guarded, Permitted, Problem};

use self::{connection::Connection, health::MailHealth, mail_server::MailServer, topics::TOPICS};

/// The context: its streams, the vault, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct Outbox {
    authenticator: Authenticator,
    /// Endpoints.
    endpoints: Guarded<Endpoint>,
    /// Mailboxes of those who work here.
    mailboxes: Guarded<Mailbox>,
    /// Whether e-mails are sent.
    sends_mail: bool,
    /// Keys of organisations, and of mailboxes.
    vault: Vault,
    /// Where it is written down who was shown what.
    audit: Audit,
    /// Its views.
    views: Views,
    /// How endpoints are reached.
    connection: Connection,
    /// The log, to know how far a read reaches.
    log: Arc<dyn EventLog>,
    /// Where secrets come from.
    new_secret: fn() -> [u8; 32],
}

/// The context.
pub const CONTEXT: Context = Context {
    name: "outbox",
    about: "Webhooks and e-mails: what leaves the house",
    needs: &[Need::Vault, Need::Views],
    operations: op::OPERATIONS,
    views: &[&webhook_view::WEBHOOKS, &mail_view::MAILBOXES, &letter_view::LETTERS],
    topics: &[],
    folds: &[],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let connection = Connection::new(&host.outgoing);
    let outbox = Outbox {
        authenticator: host.authenticator.clone(),
        endpoints: host.of().into(),
        mailboxes: host.of().into(),
        sends_mail: host.outgoing.mail.is_some(),
        vault: host.vault().clone(),
        audit: host.audit.clone(),
        views: host.views.clone(),
        connection: connection.clone(),
        log: host.streams.log().clone(),
        new_secret: host.new_secret,
    };
    let webhooks = webhooks::Webhooks {
        clock: host.authenticator.clock.clone(),
        endpoints: host.of(),
        views: host.views.clone(),
        vault: host.vault().clone(),
        connection,
        new_secret: host.new_secret,
    };
    let mail_health = MailHealth::default();
    let mails = mails(host, &mail_health);
    let mails_way = mails.way.clone();
    let mut tasks = vec![
        Task::following("webhooks", webhooks::RHYTHM, move || webhooks::Sending::from(webhooks.clone())),
        Task::following("mails", mails::RHYTHM, move || mails::Mailing::from(mails.clone())),
    ];
    if let Some(letters) = letters(host, mails_way) {
        tasks.push(Task::showing("mail-server", mail_health.watch()));
        tasks.push(Task::following("letters", letters::RHYTHM, move || letters::Writing::from(letters.clone())));
    }
    Built { routes: routes(outbox), tasks, ..Built::default() }
}

/// Who writes to those who work here.
fn mails(host: &Host, health: &MailHealth) -> mails::Mails {
    let way = host.outgoing.mail.as_ref().map(|mail| mails::Way {
        server: MailServer::new(mail.server.clone()),
        health: health.clone(),
        public_url: mail.public_url.clone(),
        hour: mail.hour,
    });
    mails::Mails {
        clock: host.authenticator.clock.clone(),
        mailboxes: host.of(),
        vault: host.vault().clone(),
        views: host.views.clone(),
        way,
        boards: host.boards.clone(),
        new_secret: host.new_secret,
    }
}

/// Who writes to members; nobody without a mail server.
fn letters(host: &Host, way: Option<mails::Way>) -> Option<letters::Writer> {
    let mails::Way { server, health, public_url, .. } = way?;
    Some(letters::Writer {
        clock: host.authenticator.clock.clone(),
        letters: host.of(),
        members: Members::of(host),
        vault: host.vault().clone(),
        views: host.views.clone(),
        server,
        health,
        public_url,
        new_secret: host.new_secret,
    })
}

/// All operations.
fn routes(outbox: Outbox) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_endpoints::list_endpoints, register_endpoint::register_endpoint))
        .routes(routes!(
            show_endpoint::show_endpoint,
            change_endpoint::change_endpoint,
            remove_endpoint::remove_endpoint
        ))
        .routes(routes!(rotate_endpoint_secret::rotate_endpoint_secret))
        .routes(routes!(enable_endpoint::enable_endpoint))
        .routes(routes!(disable_endpoint::disable_endpoint))
        .routes(routes!(test_endpoint::test_endpoint))
        .routes(routes!(replay_messages::replay_messages))
        .routes(routes!(show_mailbox::show_mailbox, set_mailbox::set_mailbox, remove_mailbox::remove_mailbox))
        .routes(routes!(confirm_mailbox::confirm_mailbox))
        .routes(routes!(list_outbox::list_outbox))
        .with_state(outbox)
}

impl Outbox {
    /// Refuses endpoints that are not there.
    async fn require_endpoint(&self, caller: &Caller, endpoint: EndpointId) -> Result<Permitted<EndpointId>, Problem> {
        let there = self.endpoints.look(&caller.org, endpoint, |endpoint| endpoint.state.is_some()).await?;
        let permitted = there.then(|| caller.within_organisation(endpoint));
        permitted.ok_or_else(|| Problem::refused(&endpoint::Refusal::Unknown))
    }

    /// The caller's own mailbox. Programs have none.
    fn own_mailbox(caller: &Caller) -> Result<Permitted<Uuid>, Problem> {
        if caller.subject.is_of_key() {
            return Err(Problem::forbidden("programs have no mailbox: register an endpoint"));
        }
        Ok(caller.within_organisation(mailbox::id(&caller.org, &caller.subject)))
    }

    /// Destroys the key of a mailbox that is no more; whoever sees to mailboxes does it if this cannot.
    async fn forget(&self, org: &OrgId, key: Option<MemberId>) -> Result<(), Problem> {
        match key {
            Some(key) => Ok(self.vault.erase(org, key).await?),
            None => Ok(()),
        }
    }

    /// Decides something about an endpoint that is there.
    async fn decide(
        &self,
        (caller, cause): (&Caller, Cause),
        endpoint: EndpointId,
        command: endpoint::Command,
        reply: Reply,
    ) -> Result<Answer, Problem> {
        let permitted = self.require_endpoint(caller, endpoint).await?;
        Ok(self.endpoints.transact(&permitted, cause, command, reply).await?)
    }
}

/// Refuses topics that there are not.
fn require_topics(topics: &BTreeSet<Topic>) -> Result<(), Problem> {
    let known = topics.iter().all(|topic| TOPICS.contains(&topic.as_str()));
    if known { Ok(()) } else { Err(Problem::malformed(format!("topics are some of {}", TOPICS.join(", ")))) }
}
