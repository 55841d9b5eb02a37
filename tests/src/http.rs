//! A small client: one connection, one request at a time, kept open.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::positions;

/// A connection to a server, on which a token is sent.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    token: String,
    /// Whether positions are opened.
    opens: bool,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// `Kith-Position`, if it was there and the client opens it, opened with the key in the log.
    pub position: Option<u64>,
    /// All headers.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of the problem, if it is one.
    pub fn problem(&self) -> Option<String> {
        self.json()["type"].as_str()?.strip_prefix("/problems/").map(str::to_owned)
    }

    /// The answer, if it is a success.
    ///
    /// # Errors
    /// If it is not, says what it is.
    pub fn ok(self) -> anyhow::Result<Self> {
        let body = String::from_utf8_lossy(&self.body);
        anyhow::ensure!(self.status.is_success(), "{}: {body}", self.status);
        Ok(self)
    }
}

impl Client {
    /// A client of the server at `address`; it connects when it first asks.
    pub fn new(address: SocketAddr, token: impl Into<String>) -> Self {
        Self { address, token: token.into(), opens: true, sender: None }
    }

    /// One that leaves positions as they are: to open them takes as long as much of what the server does.
    #[must_use]
    pub fn without_positions(self) -> Self {
        Self { opens: false, ..self }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// If there is no answer; whether it was done is then not known.
    pub async fn command(&mut self, method: Method, path: &str, key: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(serde_json::to_vec(body)?) };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        self.send(request, body).await
    }

    /// Reads, once the view has reached `after`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&mut self, path: &str, after: u64) -> anyhow::Result<Answer> {
        let mut request = Request::get(path);
        if after > 0 {
            request = request.header("kith-after", positions::sealed(self.address, &self.token, after).await);
        }
        self.send(request, Bytes::new()).await
    }

    /// Sends any request, with this client's token unless it has none.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&mut self, mut request: hyper::http::request::Builder, body: Bytes) -> anyhow::Result<Answer> {
        request = request.header(header::HOST, self.address.to_string());
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let answer = sender.send_request(request.body(Full::new(body))?).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        let sealed = parts.headers.get("kith-position").and_then(|value| value.to_str().ok());
        let position = match sealed.filter(|_| self.opens) {
            Some(sealed) => positions::opened(self.address, &self.token, sealed).await,
            None => None,
        };
        Ok(Answer { status: parts.status, position, headers: parts.headers, body })
    }

    async fn connect(&self) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.with_context(|| format!("no server at {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
