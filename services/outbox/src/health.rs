//! What whoever runs Kith sees of what leaves the house: how much waits and since when, how attempts end, and whether the
//! mail server takes anything. Nothing of it says of whom.

use std::sync::Arc;

use domain::outgoing::{Fault, Outcome};
use host::Views;
use jiff::Timestamp;
use strum::IntoStaticStr;
use tokio::sync::watch;

use crate::{backlog_view::Backlog, letter_view, mail_view, webhook_view};

/// What is sent.
#[derive(Debug, Clone, Copy, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Kind {
    /// To a program.
    Webhook,
    /// To somebody who works here.
    Mail,
    /// To a member.
    Letter,
}

impl Backlog {
    /// Shows it to whoever asks for the metrics.
    fn show(self, kind: Kind, now: Timestamp) {
        let kind: &'static str = kind.into();
        let seconds = self.since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
        for (name, value) in [
            ("kith_outbox_waiting", self.waiting),
            ("kith_outbox_oldest_waiting_seconds", seconds),
            ("kith_outbox_shut", self.shut),
        ] {
            #[allow(clippy::cast_precision_loss)] // nobody counts so many
            metrics::gauge!(name, "kind" => kind).set(value as f64);
        }
    }
}

/// Shows how much waits of each kind.
///
/// # Errors
/// If the views cannot be read.
pub(crate) async fn measure(views: &Views, now: Timestamp) -> anyhow::Result<()> {
    let all = views.look(|connection| {
        Ok([
            (Kind::Webhook, webhook_view::waiting(connection)?),
            (Kind::Mail, mail_view::waiting(connection)?),
            (Kind::Letter, letter_view::waiting(connection)?),
        ])
    });
    for (kind, waiting) in all.await?? {
        waiting.show(kind, now);
    }
    Ok(())
}

/// Counts an attempt by how it ended.
pub(crate) fn tried(kind: Kind, outcome: Outcome) {
    let kind: &'static str = kind.into();
    let outcome = match outcome {
        Ok(_) => "taken",
        Err(Fault::Code(_)) => "refused",
        Err(Fault::Timeout) => "timeout",
        Err(Fault::Unreachable) => "unreachable",
        Err(Fault::Tls) => "tls",
        Err(Fault::NotAllowed) => "not_allowed",
        Err(Fault::NotOpened) => "not_opened",
    };
    metrics::counter!("kith_outbox_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// What is known of the mail server by what became of e-mails. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MailHealth(Arc<watch::Sender<Option<String>>>);

impl MailHealth {
    /// What stands in the way, for whoever runs this, as long as something does.
    pub fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    /// An attempt to hand something over has ended. What a server says of an address, for good (`rejected`) or for now, says
    /// nothing of the server.
    pub fn sent(&self, kind: Kind, outcome: Outcome, rejected: bool) {
        tried(kind, outcome);
        let why = match outcome {
            Ok(_) => None,
            Err(fault) if rejected || !fault.is_of_server() => return,
            Err(Fault::Code(code)) => Some(format!("the mail server refuses e-mails with {code}")),
            Err(Fault::Timeout) => Some("the mail server does not answer in time".to_owned()),
            Err(Fault::Unreachable) => Some("the mail server cannot be reached".to_owned()),
            Err(Fault::Tls) => Some("the mail server cannot be spoken to with TLS".to_owned()),
            // Nobody was asked.
            Err(Fault::NotAllowed | Fault::NotOpened) => return,
        };
        let why = why.map(|why| format!("{why}; what waits is tried again (smtp_host)"));
        self.0.send_if_modified(|known| std::mem::replace(known, why.clone()) != why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_that_refuses_is_told_of_once_until_it_takes_something() {
        let health = MailHealth::default();
        let mut told = health.watch();
        let mut said = |outcome, rejected| {
            health.sent(Kind::Mail, outcome, rejected);
            let changed = told.has_changed().unwrap();
            changed.then(|| told.borrow_and_update().clone())
        };
        assert_eq!(said(Ok(250), false), None);
        let refused = said(Err(Fault::Code(535)), false).flatten().expect("it is told");
        assert!(refused.contains("535"), "{refused}");
        assert_eq!(said(Err(Fault::Code(535)), false), None, "the same again");
        assert_eq!(said(Err(Fault::Code(550)), true), None, "of an address");
        assert_eq!(said(Err(Fault::Code(451)), false), None, "of an address, for now");
        assert_eq!(said(Err(Fault::NotOpened), false), None, "of nobody");
        assert_eq!(said(Ok(250), false), Some(None));
    }
}
