//! Positions as an operator sees them. The API seals them, so that they tell callers nothing; tests want to compare them,
//! and have the log, where the key is.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use data_encoding::BASE64URL_NOPAD;
use domain::OrgId;
use eventlog::{EventLog, Position, kurrent::KurrentLog, sqlite::SqliteLog};
use jiff::Timestamp;
use serde_json::Value;
use web::Seal;

use crate::world::ORG;

/// Where the log of a server is.
#[derive(Debug, Clone)]
pub enum LogAt {
    /// Here.
    Open(Arc<dyn EventLog>),
    /// In this data directory.
    Data(PathBuf),
    /// In a `KurrentDB`.
    Kurrent(String),
    /// Known.
    Sealed(Seal),
}

static LOGS: LazyLock<Mutex<HashMap<SocketAddr, LogAt>>> = LazyLock::new(Mutex::default);

/// Says where the log of a server is.
pub fn served_from(address: SocketAddr, log: LogAt) {
    LOGS.lock().expect("nothing panics while it is held").insert(address, log);
}

/// Lets go of the log of a server that ends.
pub fn forget(address: SocketAddr) {
    LOGS.lock().expect("nothing panics while it is held").remove(&address);
}

/// The position in what a server said to who has this token, if that can be known.
pub async fn opened(address: SocketAddr, token: &str, sealed: &str) -> Option<u64> {
    Some(seal(address).await?.opened_position(&org(token), sealed)?.0)
}

/// A position as the server would have said it to who has this token.
pub async fn sealed(address: SocketAddr, token: &str, position: u64) -> String {
    match seal(address).await {
        Some(seal) => seal.reached(&org(token), Position(position), Timestamp::UNIX_EPOCH),
        None => position.to_string(),
    }
}

async fn seal(address: SocketAddr) -> Option<Seal> {
    let log = LOGS.lock().expect("nothing panics while it is held").get(&address).cloned()?;
    let seal = match log {
        LogAt::Sealed(seal) => return Some(seal),
        LogAt::Open(log) => kept_in(&*log).await,
        LogAt::Data(data) => in_data(&data).await,
        LogAt::Kurrent(url) => kept_in(&KurrentLog::open(&url).await.ok()?).await,
    }?;
    served_from(address, LogAt::Sealed(seal.clone()));
    Some(seal)
}

async fn in_data(data: &Path) -> Option<Seal> {
    let path = data.join("log.db");
    let log = path.is_file().then(|| SqliteLog::open(&path).ok()).flatten()?;
    kept_in(&log).await
}

async fn kept_in(log: &dyn EventLog) -> Option<Seal> {
    Seal::kept_in(log, rand::random).await.ok().flatten()
}

/// For whom a token is, if it says so as ours do.
fn org(token: &str) -> OrgId {
    let said = token.split('.').nth(1).and_then(|claims| BASE64URL_NOPAD.decode(claims.as_bytes()).ok());
    let said = said.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    let org = said.and_then(|claims| claims["org"].as_str()?.parse().ok());
    org.unwrap_or_else(|| ORG.parse().expect("the id of an organisation"))
}
