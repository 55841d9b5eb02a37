//! How an e-mail is handed to the mail server: one connection for each, with TLS.

use std::time::{Duration, SystemTime};

use domain::{
    MessageId,
    outgoing::{Fault, Outcome},
};
use host::{MailServer as Settings, MailTls};
use jiff::Timestamp;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::words::Words;

/// Longest time for each step of the conversation with the server.
const STEP: Duration = Duration::from_secs(10);
/// Longest time for one attempt: shorter than a claim.
const ATTEMPT: Duration = Duration::from_secs(15);
/// What servers answer when it is us whom they refuse, and no address.
const OURS: &[u16] = &[530, 534, 535, 538];

/// The mail server that whoever runs Kith has named.
#[derive(Debug, Clone)]
pub(crate) struct MailServer {
    settings: Settings,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// With which code it was taken, or why it was not.
    pub outcome: Outcome,
    /// Whether it is the address that is refused, for good.
    pub rejected: bool,
}

/// That no machine shall answer (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// Whether something can be sent to this address.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
}

impl MailServer {
    /// The server, as it was named.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Who sends: for whoever must not see some word in it.
    pub fn sender(&self) -> &str {
        &self.settings.from
    }

    /// Hands a message over, once.
    ///
    /// # Errors
    /// If this process can send nothing to anybody; whether the message was taken is in the outcome.
    pub async fn send(&self, to: &str, id: MessageId, at: Timestamp, words: &Words) -> anyhow::Result<Sent> {
        let from: Mailbox = self.settings.from.parse()?;
        let domain = from.email.domain().to_owned();
        let Ok(to) = to.parse::<Address>() else {
            return Ok(Sent { outcome: Err(Fault::NotAllowed), rejected: true });
        };
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(words.subject.clone())
            // The same whenever it is sent: whoever gets it twice can tell.
            .message_id(Some(format!("<{id}@{domain}>")))
            .date(SystemTime::from(at))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(words.text.clone())?;
        let transport = self.transport(&domain)?;
        let Ok(sent) = tokio::time::timeout(ATTEMPT, transport.send(message)).await else {
            return Ok(Sent { outcome: Err(Fault::Timeout), rejected: false });
        };
        Ok(match sent {
            Ok(answer) => Sent { outcome: Ok(answer.code().into()), rejected: false },
            Err(error) => refused(&error),
        })
    }

    fn transport(&self, domain: &str) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
        let Settings { host, port, tls, login, .. } = &self.settings;
        let parameters = || TlsParameters::new(host.clone());
        let tls = match tls {
            MailTls::Required => Tls::Required(parameters()?),
            MailTls::Implicit => Tls::Wrapper(parameters()?),
            MailTls::Opportunistic => Tls::Opportunistic(parameters()?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone());
        let builder = builder.port(*port).tls(tls).timeout(Some(STEP)).hello_name(ClientId::Domain(domain.into()));
        let builder = match login {
            Some((user, password)) => builder.credentials(Credentials::new(user.clone(), password.to_string())),
            None => builder,
        };
        Ok(builder.build())
    }
}

fn refused(error: &smtp::Error) -> Sent {
    let code = error.status().map(u16::from);
    let rejected = error.is_permanent() && code.is_some_and(|code| !OURS.contains(&code));
    let fault = match code {
        Some(code) => Fault::Code(code),
        None if error.is_timeout() => Fault::Timeout,
        None => Fault::Unreachable,
    };
    Sent { outcome: Err(fault), rejected }
}
