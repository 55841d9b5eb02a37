//! How something is sent to an endpoint: over HTTPS, to addresses of the internet only, without following anybody
//! elsewhere.

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use domain::outgoing::{Fault, Outcome};
use host::Outgoing;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use tokio::sync::OnceCell;

use crate::addresses::is_public;

/// Longest time for one attempt: shorter than a claim.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Of an answer's body, no more than this is read, in bytes; nothing of it matters.
const ANSWER_BYTES_MAX: usize = 1_024;
/// Longest URL, in characters.
pub(crate) const URL_CHARS_MAX: usize = 2_000;

/// The connection with endpoints. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    client: Arc<OnceCell<Client>>,
    allowed: Allowed,
}

/// What the operator allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// HTTP without TLS.
    plain: bool,
    /// Addresses that are none of the internet.
    private: bool,
}

/// What is sent.
pub(crate) struct Post {
    pub url: String,
    pub headers: [(&'static str, String); 3],
    pub body: Vec<u8>,
}

/// An address that nothing may be sent to.
#[derive(Debug, thiserror::Error)]
#[error("the address is none of the internet")]
struct NotAllowed;

impl Allowed {
    /// The URL, if something may be sent there.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn check(self, text: &str) -> Result<Url, &'static str> {
        let url: Url = text.parse().map_err(|_| "url must be a URL such as https://hooks.example.org/kith")?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let literal = host.parse().ok();
        match () {
            () if !names_authority(text, url.scheme()) => {
                Err("url must be a URL such as https://hooks.example.org/kith")
            }
            () if !(url.scheme() == "https" || self.plain && url.scheme() == "http") => {
                Err("url must begin with https://; whoever runs Kith can allow http:// (webhook_plain_http)")
            }
            () if host.is_empty() => Err("url must name a host"),
            () if !url.username().is_empty() || url.password().is_some() => {
                Err("url must have no user and no password: the signature says who sends")
            }
            () if url.fragment().is_some() => Err("url must have no fragment: nobody sends one"),
            () if !self.private && (literal.is_some_and(|literal| !is_public(literal)) || is_local(&host)) => {
                Err("url must name a host that anybody can reach; whoever runs Kith can allow inner ones \
                     (webhook_private_addresses)")
            }
            () => Ok(url),
        }
    }
}

/// Whether a host follows right after `scheme://`. Whoever reads URLs leniently takes one also from `https:///path`, which
/// names none, and from what is written with other slashes, or without.
fn names_authority(text: &str, scheme: &str) -> bool {
    let rest = text.split_at_checked(scheme.len()).filter(|(begin, _)| begin.eq_ignore_ascii_case(scheme));
    let rest = rest.and_then(|(_, rest)| rest.strip_prefix("://"));
    rest.is_some_and(|rest| !rest.starts_with(['/', '\\']) && !rest.contains(char::is_whitespace))
}

/// Names that are never of the internet.
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

impl Connection {
    /// The connection that the operator allows.
    pub fn new(outgoing: &Outgoing) -> Self {
        let allowed = Allowed { plain: outgoing.plain_endpoints, private: outgoing.private_endpoints };
        Self { client: Arc::default(), allowed }
    }

    /// What is allowed.
    pub fn allowed(&self) -> Allowed {
        self.allowed
    }

    /// Sends something, once.
    ///
    /// # Errors
    /// If nothing can be sent to anybody, because this process cannot; whether it arrived is in the outcome.
    pub async fn post(&self, Post { url, headers, body }: Post) -> anyhow::Result<Outcome> {
        let client = self.client.get_or_try_init(async || client(self.allowed)).await?;
        // What was allowed once may not be any more.
        let Ok(url) = self.allowed.check(&url) else { return Ok(Err(Fault::NotAllowed)) };
        let mut request = client.post(url).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(fault(&error))),
        };
        let (code, taken) = (answer.status().as_u16(), answer.status().is_success());
        let mut read = 0;
        while let (true, Ok(Some(chunk))) = (read < ANSWER_BYTES_MAX, answer.chunk().await) {
            read += chunk.len();
        }
        Ok(if taken { Ok(code) } else { Err(Fault::Code(code)) })
    }
}

fn client(allowed: Allowed) -> reqwest::Result<Client> {
    // No proxy: what the environment names would be asked for the addresses instead of us.
    let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(ATTEMPT);
    let client = client.user_agent(concat!("kith/", env!("CARGO_PKG_VERSION"))).referer(false);
    let client = client.https_only(!allowed.plain).pool_max_idle_per_host(1);
    client.dns_resolver(Arc::new(Resolver(allowed))).build()
}

/// Looks up names, and answers with addresses that something may be sent to.
struct Resolver(Allowed);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self(allowed) = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> = found.filter(|found| allowed.private || is_public(found.ip())).collect();
            if kept.is_empty() { Err(NotAllowed.into()) } else { Ok(Box::new(kept.into_iter()) as Addrs) }
        })
    }
}

/// Why there is no answer. Of a name that leads nowhere and of one that leads into the house it is the same: whoever
/// registers names must not learn which ones the house knows.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_timeout() {
        return Fault::Timeout;
    }
    let mut cause = error.source();
    while let Some(known) = cause {
        if known.is::<rustls::Error>() {
            return Fault::Tls;
        }
        // What stands in an error of I/O is no source of it.
        let inner = known.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| known.source());
    }
    Fault::Unreachable
}

/// Scheme and host of a URL.
pub(crate) fn host_of(url: &str) -> String {
    let url = url.parse::<Url>().ok();
    url.and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_nothing_is_left_but_how_and_whom() {
        assert_eq!(host_of("https://hooks.example.org:8443/secret?token=secret"), "https://hooks.example.org");
        assert_eq!(host_of("https://[2606:4700::1111]/secret"), "https://[2606:4700::1111]");
    }

    const INTERNET: Allowed = Allowed { plain: false, private: false };

    #[test]
    fn a_url_names_a_host_that_anybody_can_reach_over_https() {
        for good in ["https://hooks.example.org/kith?x=1", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"] {
            assert!(INTERNET.check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "hooks.example.org",
            "http://hooks.example.org",
            "ftp://hooks.example.org",
            "https://user@hooks.example.org",
            "https://user:word@hooks.example.org",
            "https://hooks.example.org/#here",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://kith.localhost/",
            "https://169.254.169.254/latest/meta-data",
            "https://\u{2460}27.0.0.1/",
            "file:///etc/passwd",
            "https://",
            "https:///ok",
            "https:////ok",
            "https:ok",
            "https:/ok",
            "https:\\\\ok",
            "https://\\ok",
            " https://hooks.example.org",
            "https://hooks.exa\nmple.org",
        ] {
            assert!(INTERNET.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_runs_it_can_allow_inner_networks() {
        let inner = Allowed { plain: true, private: true };
        for good in ["http://127.0.0.1:9/", "http://hooks.internal/", "https://10.0.0.1/"] {
            assert!(inner.check(good).is_ok(), "{good}");
        }
        assert!(inner.check("http://user@127.0.0.1/").is_err());
        assert!(Allowed { plain: true, private: false }.check("http://127.0.0.1/").is_err());
        assert!(Allowed { plain: false, private: true }.check("http://127.0.0.1/").is_err());
    }

    #[tokio::test]
    async fn whether_a_name_leads_into_the_house_or_nowhere_nobody_learns() {
        let client = client(INTERNET).unwrap();
        for name in ["localhost", "nobody.invalid"] {
            let refused = client.post(format!("https://{name}:9/")).send().await.unwrap_err();
            assert_eq!(fault(&refused), Fault::Unreachable, "{name}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_the_house_leads_nowhere() {
        let resolve = |allowed| Resolver(allowed).resolve("localhost".parse().unwrap());
        let Err(refused) = resolve(INTERNET).await else { panic!("it leads somewhere") };
        assert!(refused.is::<NotAllowed>(), "{refused}");
        assert!(resolve(Allowed { plain: false, private: true }).await.is_ok());
    }
}
