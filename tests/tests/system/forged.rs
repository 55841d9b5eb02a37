//! Somebody with the relay's password puts events into NATS that never happened: each type of event there is.

use std::{fs, path::Path, time::Duration};

use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use domain::{AnyEvent, DomainEvent, EventType, MemberId, member, people};
use eventlog::{Position, Recorded, StreamName};
use messaging::{PartState, Report, cloud_event as header};
use rusqlite::{Connection, OpenFlags, types::Value};
use serde_json::json;
use tests::world::{ORG, PATIENCE, World, org, time};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;
use vault::Vault;

use crate::{
    faults::{stream_of, until},
    operations::Things,
};

/// For so long nothing may follow from a lie. What acts on views does so within milliseconds.
const NOTHING_FOLLOWS_FOR: Duration = Duration::from_millis(250);

/// Within this time, whoever was registered is indexed by what the log says of them.
const INDEXED_WITHIN: Duration = Duration::from_secs(4);
/// Ids in the examples that are made those of people who are there.
const IN_EXAMPLES: [&str; 2] = ["018f3c7a-0000-7000-8000-000000000021", "018f3c7a-0000-7000-8000-000000000024"];

/// What the example of this type says, of somebody and something that is there, as if it came after `before`.
fn lie(before: &Recorded, category: &str, event: &EventType, there: &[Recorded], other: MemberId) -> Recorded {
    let mut streams = there.iter().map(|event| &event.stream).filter(|stream| stream.category() == category);
    let stream = match category {
        member::Event::CATEGORY => StreamName::new(category, &org(ORG), other.0),
        people::Event::CATEGORY => StreamName::new(category, &org(ORG), people::stream_id(&org(ORG))),
        _ => streams.next().cloned().unwrap_or_else(|| StreamName::new(category, &org(ORG), Uuid::from_u128(7))),
    };
    let other = other.to_string();
    let data = IN_EXAMPLES.iter().fold(example(event), |example, id| example.replace(id, &other));
    forged(before, stream, event, data)
}

fn example(event: &EventType) -> String {
    let file = format!("../schemas/events/{}.v{}.example.json", event.name, event.version);
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("an example")
}

/// An event that never happened.
fn forged(before: &Recorded, stream: StreamName, event: &EventType, data: String) -> Recorded {
    Recorded {
        position: Position(before.position.0 + 1),
        stream,
        revision: 1_000,
        id: Uuid::from_u128(0xbad + u128::from(before.position.0)),
        event_type: event.name.into(),
        version: event.version,
        recorded_at: time("2026-06-02T23:30:00Z"),
        data: data.into(),
        metadata: Bytes::new(),
    }
}

/// Publishes it as the relay would.
async fn publish(context: &jetstream::Context, before: &Recorded, lie: &Recorded) {
    let mut headers = HeaderMap::new();
    headers.insert(header::HEADER_ID, lie.id.to_string());
    headers.insert(header::HEADER_TYPE, &*lie.event_type);
    headers.insert(header::HEADER_SUBJECT, lie.stream.as_str());
    headers.insert(header::HEADER_TIME, lie.recorded_at.to_string());
    headers.insert(header::HEADER_DATA_SCHEMA, format!("/schemas/events/{}.v{}.json", lie.event_type, lie.version));
    headers.insert(header::HEADER_REVISION, lie.revision.to_string());
    headers.insert(header::HEADER_POSITION, lie.position.to_string());
    headers.insert(header::HEADER_PREVIOUS, before.position.to_string());
    let sent = context.publish_with_headers(header::subject(lie), headers, Bytes::clone(&lie.data)).await;
    sent.expect("sent").await.expect("stored");
}

/// All that the log and the vault hold, every byte of it; where SQLite puts it does not matter.
fn kept(data: &Path) -> Vec<String> {
    ["log.db", "vault.db"].iter().flat_map(|file| rows(&data.join(file))).collect()
}

fn rows(file: &Path) -> Vec<String> {
    let open = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let mut names = open.prepare(names).expect("tables");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("tables").map(|name| name.expect("a name")).collect();
    let mut all = Vec::new();
    for name in names {
        let mut table = open.prepare(&format!("SELECT * FROM {name}")).expect("a table");
        let columns = table.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()
        };
        let found = table.query_map([], row).expect("rows").map(|row| format!("{name} {:?}", row.expect("a row")));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        all.extend(found);
    }
    all
}

/// Puts one lie after the other into NATS, and waits each time until whoever listens has heard of it.
async fn tell(world: &World, lies: &[(&'static str, EventType)], things: &Things) {
    let (context, _) = stream_of(world.data()).await;
    let there = world.events().await;
    let mut before = there.last().expect("an event").clone();
    let (mut kept_before, mut since) = (kept(world.data()), Instant::now());
    let at_rest = until("what is kept is at rest", async || {
        let now = kept(world.data());
        if now != kept_before {
            (kept_before, since) = (now, Instant::now());
        }
        (since.elapsed() > INDEXED_WITHIN).then_some(())
    });
    at_rest.await;
    for (category, event) in lies {
        let lie = lie(&before, category, event, &there, things.other);
        publish(&context, &before, &lie).await;
        let until = Instant::now() + NOTHING_FOLLOWS_FOR;
        while Instant::now() < until {
            let now = kept(world.data());
            let changed = now.iter().find(|row| !kept_before.contains(row));
            assert!(now == kept_before, "{}: what is kept has changed: {changed:?}", event.name);
            sleep(Duration::from_millis(25)).await; // looks again and again whether it stays so
        }
        let holders = Vault::holders(&world.data().join("vault.db")).expect("the vault");
        assert!(holders.contains(&(org(ORG), things.other)), "{}: a key is gone", event.name);
        before = lie;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_forged_nothing_that_is_kept_changes_and_nothing_of_it_is_shown() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    world.settle().await;
    let end = world.log().head().borrow().0;
    tell(&world, &AnyEvent::types(), &things).await;
    for part in ["views", "facts"] {
        let at = world.running().health.checkpoint(part).borrow().0;
        assert_eq!(at, end, "{part} believed something");
    }
    world.must_be_sound().await;

    // The next thing that really happens is shown, and the relay says what is in the stream.
    world.admin().post("/v1/programmes", json!({ "name": "Recovery" })).await.must(201);
    world.must_be_sound().await;
    let shown = world.admin().get("/v1/programmes").await.must(200).json();
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(2), "{shown}");
    let stopped = |report: &Report| {
        let relay = report.parts.iter().find(|part| part.name == "relay");
        matches!(relay.map(|part| &part.state), Some(PartState::Stopped { why }) if why.contains("forged"))
    };
    let said = timeout(PATIENCE, world.running().health.wait_until(stopped)).await;
    said.unwrap_or_else(|_| panic!("{:?}", world.running().health.report()));
    let known = world.admin().get(&format!("/v1/members/{}", things.other)).await.must(200).json();
    assert_eq!(known["profile"]["alias"], "Other");

    // What was forged is thrown away, and what is true comes back from the log.
    let (context, _) = stream_of(world.data()).await;
    context.delete_stream(messaging::STREAM).await.expect("it can be deleted");
    let head = *world.log().head().borrow();
    let mut relay = world.running().health.checkpoint("relay");
    let relayed = timeout(PATIENCE, relay.wait_for(|position| *position == head)).await;
    relayed.expect("in time").expect("the relay runs");
    timeout(PATIENCE, world.running().health.wait_until(|report| report.ready)).await.expect("all is well");
}
