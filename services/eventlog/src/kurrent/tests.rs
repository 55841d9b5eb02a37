//! The adapter against the stand-in, or against the server that `KITH_TEST_KURRENTDB` names.

mod faults;
mod traps;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use stand_in::{Cluster, Options, StandIn, Store};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::*;
use crate::{NewEvent, contract};

/// Longest wait for anything, generous for slow machines.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stand-in with a log of its own.
struct Alone {
    node: StandIn,
    _dir: tempfile::TempDir,
}

async fn alone() -> Alone {
    let dir = tempfile::tempdir().unwrap();
    Alone { node: StandIn::start(&dir.path().join("stand-in.db")).await.unwrap(), _dir: dir }
}

async fn node(path: &Path, cluster: &Cluster, listen: SocketAddr) -> StandIn {
    StandIn::start_node(Store::open(path).unwrap(), cluster.clone(), listen, Options::default()).await.unwrap()
}

/// An address at which nobody listens yet.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn stream(n: u128) -> StreamName {
    StreamName::new("thing", &"acme".parse().unwrap(), Uuid::from_u128(n))
}

fn append(stream: &StreamName, expected: Expected, id: u128) -> Append {
    let event = NewEvent {
        id: Uuid::from_u128(id),
        event_type: "thing.happened",
        version: 1,
        data: format!(r#"{{"n":"{id}"}}"#).into(),
    };
    Append {
        stream: stream.clone(),
        expected,
        events: vec![event],
        metadata: br#"{"actor":"suite"}"#.to_vec(),
        at: Timestamp::from_microsecond(1_767_225_600_123_456).unwrap(),
        receipt: None,
    }
}

/// Appends until it goes well; answers how long that took.
async fn until_written(log: &KurrentLog, append: Append) -> Duration {
    let begun = Instant::now();
    let written = async {
        while let Err(error) = log.append(append.clone()).await {
            assert!(matches!(error, AppendError::Unavailable(_)), "{error:?}");
            tokio::time::sleep(Duration::from_millis(10)).await; // nobody announces it
        }
    };
    timeout(PATIENCE, written).await.expect("it goes well in time");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_kurrentdb_keeps_the_contract() {
    let server = alone().await;
    let url = std::env::var("KITH_TEST_KURRENTDB").unwrap_or_else(|_| server.node.url());
    let log: Arc<dyn EventLog> = Arc::new(KurrentLog::open(&url).await.unwrap());
    contract::run(&log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_opened_again_finds_its_end_behind_what_others_wrote() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    let appended = log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    let others = eventstore::Client::new(server.node.url().parse().unwrap()).unwrap();
    for _ in 0..30 {
        let events: Vec<_> = (0..100).map(|_| EventData::binary("noise", vec![0].into())).collect();
        others.append_to_stream("other-application", &AppendToStreamOptions::default(), events).await.unwrap();
    }
    let again = KurrentLog::open(&server.node.url()).await.unwrap();
    let mut head = again.head();
    timeout(PATIENCE, head.wait_for(|head| *head == appended.position)).await.unwrap().unwrap();
    let more = log.append(append(&stream(1), Expected::Exact(0), 2)).await.unwrap();
    timeout(PATIENCE, head.wait_for(|head| *head == more.position)).await.unwrap().unwrap();
    let all = again.read_all(Position::START, 10).await.unwrap();
    assert_eq!(all.iter().map(|event| event.position).collect::<Vec<_>>(), [appended.position, more.position]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_carries_the_hash_of_the_one_before_it() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    let mut two = append(&stream(1), Expected::NoStream, 1);
    two.events.extend(append(&stream(1), Expected::NoStream, 2).events);
    log.append(two).await.unwrap();
    // By another process, which knows no hashes.
    let other = KurrentLog::open(&server.node.url()).await.unwrap();
    other.append(append(&stream(1), Expected::Exact(1), 3)).await.unwrap();
    let read = other.0.inner.read("kith.thing-acme/00000000-0000-0000-0000-000000000001", StreamPosition::Start, 9);
    let (mut said, mut hashes) = (Vec::new(), Vec::new());
    for event in read.await.unwrap() {
        let metadata: serde_json::Value = serde_json::from_slice(&event.custom_metadata).unwrap();
        said.push(metadata["previous"].as_str().map(str::to_owned));
        let (event, previous) = event::met(event).unwrap().ours().unwrap();
        hashes.push(Some(data_encoding::HEXLOWER.encode(&event::hash(&event, previous))));
    }
    assert_eq!(said, [None, hashes[0].clone(), hashes[1].clone()]);
    let verified = log.verify(|_| {}).await.unwrap().unwrap();
    assert_eq!((verified.events, verified.streams), (3, 1));
}

/// As somebody with access to the server would try it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_slipped_in_or_written_by_another_hand_is_found() {
    for (metadata, found) in [
        (
            r#"{"version":1,"organisation":"acme","recorded_at":"2026-01-01T00:00:00Z","caused_by":{}}"#,
            "does not carry the hash",
        ),
        (
            r#"{"version":1,"organisation":"acme","recorded_at":"2026-01-01T00:00:00Z","previous":"00","caused_by":{}}"#,
            "hash",
        ),
        (
            r#"{"version":1,"organisation":"acme","recorded_at":"2026-01-01T00:00:00Z",
            "previous":"0000000000000000000000000000000000000000000000000000000000000000","caused_by":{}}"#,
            "is not that of the event before it",
        ),
        ("{}", "metadata"),
    ] {
        let server = alone().await;
        let log = KurrentLog::open(&server.node.url()).await.unwrap();
        log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
        let hand = eventstore::Client::new(server.node.url().parse().unwrap()).unwrap();
        let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
        let event = EventData::json("thing.happened", &serde_json::json!({})).unwrap();
        let event = event.metadata_as_json(&metadata).unwrap();
        let name = event::name(&stream(1));
        hand.append_to_stream(name, &AppendToStreamOptions::default(), event).await.unwrap();
        let said = match log.verify(|_| {}).await {
            Ok(verified) => verified.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(found), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_wants_a_password_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("stand-in.db")).unwrap();
    let options = Options { user: Some(("kith".into(), "s3cret".into())), tls: None };
    let listen = ([127, 0, 0, 1], 0).into();
    let node = StandIn::start_node(store, Cluster::default(), listen, options).await.unwrap();
    let open = async |user: &str| {
        let url = format!("esdb://{user}{}?tls=false", node.address);
        KurrentLog::open(&url).await.unwrap()
    };
    let log = open("kith:s3cret@").await;
    let written = log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    assert!(log.at(written.position).await.unwrap().is_some());
    for wrong in ["", "kith:wrong@"] {
        let refused = open(wrong).await.append(append(&stream(2), Expected::NoStream, 2)).await;
        let AppendError::Unavailable(why) = refused.unwrap_err() else { panic!("it is refused") };
        assert!(why.contains("Access denied") && !why.contains("wrong"), "{why}");
        // Not that nothing is there: then the log would be taken for another one.
        assert!(open(wrong).await.at(written.position).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_connection_string_is_refused_and_not_shown() {
    for wrong in [
        "",
        "localhost:2113",
        "http://u:s3cret@h:1",
        "esdb://",
        "esdb://u:s3cret@h:99999",
        "esdb://h?tls=perhaps",
        "esdb://u:s3cret@h?nodePreference=follower",
        "esdb://u:s3cret@h?tls=true&tlsCertificate=ca.pem",
    ] {
        let error = KurrentLog::open(wrong).await.err().unwrap_or_else(|| panic!("{wrong}")).to_string();
        assert!(error.contains("connection string") && !error.contains("s3cret"), "{error}");
    }
}
