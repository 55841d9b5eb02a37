//! How an e-mail is handed to the mail server: one connection for each, with TLS.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use domain::{
    MessageId,
    outgoing::{Fault, Outcome},
};
use host::{MailServer as Settings, MailTls};
use jiff::Timestamp;
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::words::Words;

/// Longest time for each step of the conversation with the server.
const STEP: Duration = Duration::from_secs(10);
/// Longest time for one attempt: shorter than a claim.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Longest time to take leave.
const LEAVE: Duration = Duration::from_secs(1);
/// Codes that say of an address that nothing can be sent there.
const NO_SUCH_ADDRESS: &[u16] = &[550, 551, 553];

/// The mail server that whoever runs Kith has named. Clones share what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct MailServer {
    settings: Settings,
    known: Arc<Mutex<Known>>,
}

/// What is known of the server by how attempts ended.
#[derive(Debug)]
struct Known {
    /// Whether it took nothing when it was last asked, or was not asked yet.
    down: bool,
    /// When it took something, after it had taken nothing.
    recovered: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// With which code it was taken, or why it was not.
    pub outcome: Outcome,
    /// Whether it is the address that is refused, for good.
    pub rejected: bool,
}

impl Sent {
    /// It was not taken, and may be the next time.
    pub fn not_now(fault: Fault) -> Self {
        Self { outcome: Err(fault), rejected: false }
    }

    /// Nothing can be sent to this address.
    fn never() -> Self {
        Self { outcome: Err(Fault::NotAllowed), rejected: true }
    }
}

/// A connection on which the server waits for a message.
pub(crate) struct Open<'a> {
    server: &'a MailServer,
    connection: AsyncSmtpConnection,
    from: Mailbox,
    until: Instant,
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

/// Whether something can be sent to this address: as it stands here, and to nobody else.
pub(crate) fn is_address(text: &str) -> bool {
    let anybody = Mailbox::new(None, Address::new_dangerous("kith", "example.org"));
    let words = Words { subject: String::new(), text: String::new() };
    text.parse().is_ok_and(|to| message(&anybody, to, MessageId(Uuid::nil()), Timestamp::UNIX_EPOCH, &words).is_some())
}

/// The message, and between whom it goes; none if it would go to anybody else, or nobody.
fn message(from: &Mailbox, to: Address, id: MessageId, at: Timestamp, words: &Words) -> Option<(Envelope, Vec<u8>)> {
    let built = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(words.subject.clone())
        // The same whenever it is sent: whoever gets it twice can tell.
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(SystemTime::from(at))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(words.text.clone())
        .ok()?;
    let envelope = built.envelope().clone();
    (envelope.to() == [to]).then(|| (envelope, built.formatted()))
}

impl MailServer {
    /// The server, as it was named.
    pub fn new(settings: Settings) -> Self {
        Self { settings, known: Arc::new(Mutex::new(Known { down: true, recovered: None })) }
    }

    /// Who sends: for whoever must not see some word in it.
    pub fn sender(&self) -> &str {
        &self.settings.from
    }

    /// When it took something, after it had taken nothing: what failed before is tried again at once.
    pub fn recovered(&self) -> Option<Timestamp> {
        self.known().recovered
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt ended, and so it is with the server.
    fn note(&self, Sent { outcome, rejected }: Sent, at: Timestamp) {
        let mut known = self.known();
        match outcome {
            Ok(_) if known.down => *known = Known { down: false, recovered: Some(at) },
            Err(fault) if !rejected && fault.is_of_server() => known.down = true,
            _ => {}
        }
    }

    /// Connects, until the server waits for a message.
    ///
    /// # Errors
    /// If this process can send nothing to anybody; or, within, how the attempt ended, if it did.
    pub async fn open(&self) -> anyhow::Result<Result<Open<'_>, Sent>> {
        let from: Mailbox = self.settings.from.parse()?;
        let parameters = TlsParameters::new(self.settings.host.clone())?;
        let until = Instant::now() + ATTEMPT;
        let connected = timeout_at(until, self.connect(from.email.domain(), parameters)).await;
        let fault = match connected {
            Ok(Ok(connection)) => return Ok(Ok(Open { server: self, connection, from, until })),
            Ok(Err(error)) => fault(&error),
            Err(_) => Fault::Timeout,
        };
        self.known().down = true;
        Ok(Err(Sent::not_now(fault)))
    }

    async fn connect(&self, domain: &str, parameters: TlsParameters) -> Result<AsyncSmtpConnection, smtp::Error> {
        let Settings { host, port, tls, login, .. } = &self.settings;
        let hello = ClientId::Domain(domain.to_owned());
        let wrapper = (*tls == MailTls::Implicit).then(|| parameters.clone());
        let server = (host.as_str(), *port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, Some(STEP), &hello, wrapper, None).await?;
        let starts = match tls {
            MailTls::Required => true,
            MailTls::Implicit => false,
            MailTls::Opportunistic => connection.can_starttls(),
        };
        if starts {
            connection.starttls(parameters, &hello).await?;
        }
        if let Some((user, password)) = login {
            let credentials = Credentials::new(user.clone(), password.to_string());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }
}

impl Open<'_> {
    /// Takes leave without a word.
    pub async fn close(mut self) {
        let _ = timeout(LEAVE, self.connection.quit()).await;
    }

    /// Hands a message over, once.
    pub async fn send(mut self, to: &str, id: MessageId, at: Timestamp, words: &Words) -> Sent {
        let message = to.parse().ok().and_then(|to| message(&self.from, to, id, at, words));
        let sent = match &message {
            None => Sent::never(),
            Some((envelope, text)) => match timeout_at(self.until, self.hand_over(envelope, text)).await {
                Err(_) => Sent::not_now(Fault::Timeout),
                Ok(sent) => sent.unwrap_or_else(|error| Sent::not_now(fault(&error))),
            },
        };
        self.server.note(sent, at);
        self.close().await;
        sent
    }

    /// # Errors
    /// What is not about the address.
    async fn hand_over(&mut self, envelope: &Envelope, text: &[u8]) -> Result<Sent, smtp::Error> {
        let connection = &mut self.connection;
        let mut parameters = Vec::new();
        if envelope.from().into_iter().chain(envelope.to()).any(|address| !address.to_string().is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Ok(Sent::never());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !text.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
        for to in envelope.to() {
            if let Err(error) = connection.command(Rcpt::new(to.clone(), vec![])).await {
                let code = error.status().map(u16::from).filter(|code| is_no_such_address(*code, &said(&error)));
                return code.map(|code| Sent { outcome: Err(Fault::Code(code)), rejected: true }).ok_or(error);
            }
        }
        connection.command(Data).await?;
        let answer = connection.message(text).await?;
        Ok(Sent { outcome: Ok(answer.code().into()), rejected: false })
    }
}

/// What the server answered besides a code.
fn said(error: &smtp::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Whether an answer to the naming of an address says that nothing can be sent there, now or later (RFC 3463): and not that
/// its owner, or the server, or we are the reason.
fn is_no_such_address(code: u16, said: &str) -> bool {
    let enhanced = said.split_whitespace().next().map(|word| word.split('.').collect::<Vec<_>>());
    match enhanced.as_deref() {
        Some([class @ ("2" | "4" | "5"), subject, detail]) if is_number(subject) && is_number(detail) => {
            code >= 500 && *class == "5" && *subject == "1"
        }
        _ => NO_SUCH_ADDRESS.contains(&code),
    }
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn fault(error: &smtp::Error) -> Fault {
    match error.status() {
        Some(code) => Fault::Code(code.into()),
        None if error.is_timeout() => Fault::Timeout,
        // STARTTLS is not there, or no way to say who we are.
        None if error.is_tls() || error.is_client() => Fault::Tls,
        None => Fault::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_which_no_message_can_be_made_is_none() {
        for good in
            ["ann@example.org", "o'brien+x@mail.example.org", "j\u{f6}rg@example.org", "a.b@b\u{fc}cher.example"]
        {
            assert!(is_address(good), "{good}");
        }
        for odd in [
            "x@[127.0.0.1]",
            "x@[IPv6:::1]",
            "\"a b\"@x.test",
            "\"a@b\"@x",
            "\"a,b\"@x",
            "\"a;b\"@x",
            "\"a\\\"b\"@x",
            "\"(c)\"@x",
            "\"<z@z>\"@x",
            "ann",
            "",
            "ann@example.org\r\nRCPT TO:<z@z>",
        ] {
            assert!(!is_address(odd), "{odd}");
        }
    }

    #[test]
    fn only_what_is_said_of_an_address_by_itself_is_about_the_address() {
        for (code, said, expected) in [
            (550, "5.1.1 no such mailbox", true),
            (554, "5.1.2 no such domain", true),
            (550, "no such user", true),
            (553, "mailbox name not allowed", true),
            (550, "5.7.1 relaying denied", false),
            (552, "5.2.2 mailbox full", false),
            (550, "5.7.26 unauthenticated sender", false),
            (550, "192.0.2.1 is on a list", true),
            (554, "relay access denied", false),
            (530, "5.7.0 say who you are", false),
            (450, "4.1.1 not now", false),
            (421, "going down", false),
        ] {
            assert_eq!(is_no_such_address(code, said), expected, "{code} {said}");
        }
    }

    #[test]
    fn a_server_has_recovered_when_it_takes_something_after_it_took_nothing() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let settings = Settings {
            host: "127.0.0.1".into(),
            port: 25,
            tls: MailTls::Opportunistic,
            login: None,
            from: "hello@example.org".into(),
        };
        let server = MailServer::new(settings);
        let taken = Sent { outcome: Ok(250), rejected: false };
        server.note(taken, at(1));
        server.note(taken, at(2));
        assert_eq!(server.recovered(), Some(at(1)), "it was not known before");
        server.note(Sent { outcome: Err(Fault::Code(550)), rejected: true }, at(3));
        server.note(Sent::not_now(Fault::Code(451)), at(3));
        server.note(taken, at(4));
        assert_eq!(server.recovered(), Some(at(1)), "that was of addresses");
        server.note(Sent::not_now(Fault::Unreachable), at(5));
        server.note(taken, at(6));
        assert_eq!(server.recovered(), Some(at(6)));
    }
}
