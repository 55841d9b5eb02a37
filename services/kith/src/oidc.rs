//! Fetches the keys of the OpenID Connect provider.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;
use web::{KEYS_BYTES_MAX, KeySource};

use crate::Config;

/// Longest time for one answer of the provider.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Where a provider says where its keys are (OpenID Connect Discovery, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Fetches keys from where they are configured to be, or where the issuer says.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    issuer: String,
    keys: Option<Url>,
}

/// What matters here of what a provider says of itself.
#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    /// The fetcher for a provider.
    ///
    /// # Errors
    /// If an URL cannot be used.
    pub fn new(issuer: &str, config: &Config) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).timeout(ANSWERS_WITHIN).build()?;
        let keys = config.oidc_jwks_url.as_deref().map(secure).transpose()?;
        Ok(Self { client, issuer: issuer.into(), keys })
    }

    async fn keys(&self) -> anyhow::Result<Bytes> {
        match &self.keys {
            Some(url) => self.get(url.clone()).await,
            None => self.get(self.discover().await?).await,
        }
    }

    async fn discover(&self) -> anyhow::Result<Url> {
        let url = format!("{}{DISCOVERY}", self.issuer.trim_end_matches('/'));
        let discovered: Discovered = serde_json::from_slice(&self.get(secure(&url)?).await?)
            .with_context(|| format!("{url} is no discovery document"))?;
        ensure!(discovered.issuer == self.issuer, "{url} speaks for another issuer");
        secure(&discovered.jwks_uri)
    }

    async fn get(&self, url: Url) -> anyhow::Result<Bytes> {
        let mut answer = self.client.get(url).send().await?.error_for_status()?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            ensure!(body.len() <= KEYS_BYTES_MAX, "the answer has more than {KEYS_BYTES_MAX} bytes");
        }
        Ok(body.freeze())
    }
}

impl KeySource for Fetcher {
    fn fetch(&self) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async { self.keys().await.map_err(|error| format!("{error:#}")) })
    }
}

/// The URL, if nobody on the way can change what it answers: whoever could would make tokens of their own.
///
/// # Errors
/// If it is no HTTPS and not on this machine.
pub fn secure(url: &str) -> anyhow::Result<Url> {
    let parsed: Url = url.parse().with_context(|| format!("{url} is no URL"))?;
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if here => Ok(parsed),
        _ => bail!("{url} must begin with https:// (http:// only on this machine)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for good in ["https://id.example", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost"] {
            assert!(secure(good).is_ok(), "{good}");
        }
        for bad in
            ["http://id.example", "http://127.0.0.1.example", "file:///etc/passwd", "id.example", "http://10.0.0.1"]
        {
            assert!(secure(bad).is_err(), "{bad}");
        }
    }
}
