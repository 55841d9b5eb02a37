//! What may leave the house, and by which way: what whoever runs it says.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What whoever runs Kith says of what leaves it.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Whether endpoints may be spoken to without TLS.
    pub plain_endpoints: bool,
    /// Whether endpoints may have addresses that are none of the internet.
    pub private_endpoints: bool,
    /// By which way e-mails go; none are sent if there is none.
    pub mail: Option<Mail>,
}

/// By which way e-mails go, and what they may say.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Which server takes them.
    pub server: MailServer,
    /// Where Kith is, for whoever is told that there is something to see.
    pub public_url: Arc<str>,
    /// At which hour people who work here are told what is not urgent.
    pub hour: i8,
}

/// A server that takes e-mails.
#[derive(Clone)]
pub struct MailServer {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub tls: MailTls,
    /// As whom, and with which password.
    pub login: Option<(String, Zeroizing<String>)>,
    /// Who sends: nobody in particular.
    pub from: String,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// With STARTTLS, or not at all.
    #[default]
    Required,
    /// With TLS from the first byte on.
    Implicit,
    /// With STARTTLS if it can: only on this machine.
    Opportunistic,
}
