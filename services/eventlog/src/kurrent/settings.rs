//! The client's settings, with what its defaults get wrong, and what must hold of the process it runs in.

use std::{fmt, time::Duration};

use eventstore::{ClientSettings, NodePreference};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::client::Client;

/// Longest wait for a client to set up what is set up once.
const SET_UP_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks whether it has set that up.
const SET_UP_LOOK_EVERY: Duration = Duration::from_millis(1);

/// Parameters of a connection string; the client ignores what it does not know.
const PARAMETERS: [&str; 13] = [
    "connectionname",
    "defaultdeadline",
    "discoveryinterval",
    "gossiptimeout",
    "keepaliveinterval",
    "keepalivetimeout",
    "maxdiscoverattempts",
    "nodepreference",
    "tls",
    "tlscafile",
    "tlsverifycert",
    "usercertfile",
    "userkeyfile",
];

/// Whether the client has set up what it needs of rustls in this process.
static TLS_SETTLED: OnceCell<()> = OnceCell::const_new();

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not say where the log is. What it says is not shown: there may be a password in it.
    #[error("the connection string of the event log cannot be used: {0}")]
    ConnectionString(&'static str),
    /// The client of `KurrentDB` would fail.
    #[error(
        "another provider of cryptography was set up for rustls in this process before the client of KurrentDB, which \
         insists on its own"
    )]
    Tls,
    /// The client would fail.
    #[error(
        "certificates for the event log cannot be used: {0}; name files of good ones with tlsCAFile=, or userCertFile= \
         and userKeyFile="
    )]
    Certificate(String),
    /// It does not even start.
    #[error("the client of KurrentDB cannot be made: {0}")]
    Client(String),
}

/// The settings, without what would not work.
///
/// # Errors
/// If it is no connection string.
pub fn parse(connection_string: &str) -> Result<ClientSettings, OpenError> {
    let wrong = OpenError::ConnectionString;
    let lower = connection_string.to_ascii_lowercase();
    if !["esdb://", "esdb+discover://"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Err(wrong("it begins with neither esdb:// nor esdb+discover://"));
    }
    let parameters = lower.split_once('?').map_or("", |(_, parameters)| parameters).split('&');
    let names = parameters.filter_map(|parameter| parameter.split('=').next()).filter(|name| !name.is_empty());
    if names.into_iter().any(|name| !PARAMETERS.contains(&name)) {
        return Err(wrong("after the question mark there is a parameter that the client does not know"));
    }
    let read = |text: &str| {
        let example = "it is none; esdb://user:password@host:2113?tls=true would be one";
        text.parse::<ClientSettings>().map_err(|_| wrong(example))
    };
    let asked = read(connection_string)?;
    let mut mended = String::from(connection_string);
    let mut mend = |setting| {
        mended.push(if mended.contains('?') { '&' } else { '?' });
        mended.push_str(setting);
    };
    if !lower.contains("discoveryinterval=") {
        // It waits for as long before its first attempt.
        mend("discoveryInterval=10");
    }
    if asked.max_discover_attempts() < 2 {
        // With one it never connects.
        mend("maxDiscoverAttempts=2");
    }
    if !asked.is_secure_mode_enabled() {
        // It reads the system's certificates all the same, unless it is given others, if only none.
        mend("tlsCAFile=/dev/null");
    }
    let settings = read(&mended)?;
    if settings.node_preference() != NodePreference::Leader {
        return Err(wrong("what other nodes than the leader say may be old: leave nodePreference out"));
    }
    if settings.hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    Ok(settings)
}

/// The client panics over certificates that it cannot use.
///
/// # Errors
/// If it would.
pub fn check_certificates(settings: &ClientSettings) -> Result<(), OpenError> {
    let mut roots = RootCertStore::empty();
    if settings.is_secure_mode_enabled() {
        let (certificates, of) = match settings.tls_ca_file() {
            Some(file) => (certificates(file)?, file.as_str()),
            None => (rustls_native_certs::load_native_certs().certs, "the system's"),
        };
        let count = certificates.len();
        for (n, certificate) in (1..).zip(certificates) {
            let added = roots.add(certificate);
            added.map_err(|error| OpenError::Certificate(format!("{of}, number {n} of {count}: {error}")))?;
        }
        if count == 0 {
            return Err(OpenError::Certificate(format!("{of}: there is none")));
        }
    }
    let Some((file, key)) = settings.user_certificate() else { return Ok(()) };
    let unusable = |file: &str, error: &dyn fmt::Display| OpenError::Certificate(format!("{file}: {error}"));
    let chain = certificates(file)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    let tls = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key);
    tls.map(|_| ()).map_err(|error| unusable(file, &error))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| OpenError::Certificate(format!("{file}: {error}")))
}

/// A client with these settings.
///
/// # Errors
/// If there can be none.
pub fn start(settings: &ClientSettings) -> Result<Client, OpenError> {
    Client::start(settings).map_err(|error| OpenError::Client(error.to_string()))
}

/// Lets the client set up its provider of cryptography for rustls, once in a process and before anybody speaks TLS.
///
/// The client insists on being the one who does, in the background, and if it is not, no client works in this process
/// any more. Others then use its provider: with two of them linked in they could not choose one by themselves.
///
/// # Errors
/// If somebody else was faster.
pub async fn settle_tls() -> Result<(), OpenError> {
    TLS_SETTLED.get_or_try_init(let_client_settle).await.copied()
}

async fn let_client_settle() -> Result<(), OpenError> {
    let provided = || rustls::crypto::CryptoProvider::get_default().is_some();
    if provided() {
        return Err(OpenError::Tls);
    }
    // It sets up when it is made, and connects only when it is used.
    let _client = start(&parse("esdb://127.0.0.1:1?tls=false")?)?;
    let deadline = Instant::now() + SET_UP_WITHIN;
    while !provided() {
        if Instant::now() > deadline {
            return Err(OpenError::Client("it does not set up its cryptography".into()));
        }
        sleep(SET_UP_LOOK_EVERY).await; // nobody announces it
    }
    Ok(())
}
