//! Somebody who follows what changes: a client of server-sent events, which keeps what it read byte by byte.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A stream of messages.
#[derive(Debug)]
pub struct Following {
    body: Incoming,
    /// All that came.
    pub bytes: Vec<u8>,
    told: usize,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id: what to go on after.
    pub id: String,
    /// What has changed.
    pub topics: BTreeSet<String>,
}

impl Following {
    /// Begins to follow, after the message with the id `last` if one is given.
    ///
    /// # Errors
    /// If there is no answer, or it is a problem.
    pub async fn begin(address: SocketAddr, token: &str, query: &str, last: Option<&str>) -> anyhow::Result<Self> {
        let response = ask(address, token, query, last).await?;
        anyhow::ensure!(response.status() == 200, "{}", response.status());
        Ok(Self { body: response.into_body(), bytes: vec![], told: 0 })
    }

    /// Forgets all that came, if it was read to its end.
    pub fn forget(&mut self) {
        self.bytes.clear();
        self.told = 0;
    }

    /// The next message; none when the stream has ended.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            let messages = messages(&self.bytes);
            if let Some(message) = messages.get(self.told) {
                self.told += 1;
                return Ok(Some(message.clone()));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            self.bytes.extend_from_slice(frame?.data_ref().context("no trailers")?);
        }
    }
}

/// Asks for a stream.
///
/// # Errors
/// If there is no answer.
pub async fn ask(
    address: SocketAddr,
    token: &str,
    query: &str,
    last: Option<&str>,
) -> anyhow::Result<Response<Incoming>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::get(format!("/v1/changes{query}"))
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    Ok(sender.send_request(request.body(Empty::<Bytes>::new())?).await?)
}

/// The messages that are complete in these bytes, as the standard reads them.
pub fn messages(bytes: &[u8]) -> Vec<Message> {
    let text = String::from_utf8_lossy(bytes);
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim_start().to_owned())
    };
    let message = |block: &str| {
        let (id, data) = (field(block, "id")?, field(block, "data")?);
        let data: Value = serde_json::from_str(&data).ok()?;
        let topics = data["topics"].as_array()?.iter().filter_map(|topic| topic.as_str().map(str::to_owned));
        Some(Message { id, topics: topics.collect() })
    };
    whole.split("\n\n").filter_map(message).collect()
}
