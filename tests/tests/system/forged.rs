//! Somebody with the relay's password puts events into NATS that never happened: each type of event there is.

use std::{fs, path::Path, time::Duration};

use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use domain::{AnyEvent, EventType, access, audit, people};
use eventlog::{Position, Recorded, StreamName};
use kith::{Findings, Kept};
use messaging::{PartState, Report, cloud_event as header};
use rusqlite::{Connection, OpenFlags, types::Value};
use serde_json::json;
use tests::world::{ORG, PATIENCE, World, org, time};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;
use vault::Vault;

use crate::{faults::stream_of, operations::Things};

/// For so long nothing may follow from a lie. What acts on views does so within milliseconds.
const NOTHING_FOLLOWS_FOR: Duration = Duration::from_millis(250);
/// Lies after which something true happens, a count.
const AT_ONCE: usize = 12;
/// Ids in the examples that are made those of people who are there.
const IN_EXAMPLES: [&str; 2] = ["018f3c7a-0000-7000-8000-000000000021", "018f3c7a-0000-7000-8000-000000000024"];

/// What the example of this type says, of somebody and something that is there, as if it came after `before`.
fn lie(before: &Recorded, category: &str, event: &EventType, things: &Things) -> Recorded {
    let id: Uuid = match category {
        "programme" => things.programme.0,
        "group" | "roster" => things.group.0,
        "meeting" => things.meeting.0,
        "member" => things.other.0,
        "people" => people::stream_id(&org(ORG)),
        "access" => access::id(&org(ORG)),
        audit::CATEGORY => Uuid::from_u128(7),
        new => panic!("say whose stream of the kind {new} is forged"),
    };
    let other = things.other.to_string();
    let data = IN_EXAMPLES.iter().fold(example(event), |example, id| example.replace(id, &other));
    forged(before, StreamName::new(category, &org(ORG), id), event, data)
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
    headers.insert(header::HEADER_PREVIOUS_DIGEST, HEXLOWER.encode(&before.digest()));
    let sent = context.publish_with_headers(header::subject(lie), headers, lie.data.clone()).await;
    sent.expect("sent").await.expect("stored");
}

async fn last(world: &World) -> Recorded {
    let head = *world.log().head().borrow();
    world.log().at(head).await.expect("the log can be read").expect("an event")
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

fn state<'a>(report: &'a Report, part: &str) -> Option<&'a PartState> {
    report.parts.iter().find(|known| known.name == part).map(|known| &known.state)
}

fn stopped(report: &Report, part: &str) -> bool {
    matches!(state(report, part), Some(PartState::Stopped { .. }))
}

async fn verified(world: &World) -> Findings {
    let kept = Kept { data: world.data().into(), eventstore: None, shared: None };
    kith::verify(&kept).await.expect("it can be checked")
}

/// Puts one lie after the other into NATS, until one cannot be taken; answers how many there were.
async fn tell(world: &World, lies: &[(&'static str, EventType)], things: &Things) -> usize {
    let (context, _) = stream_of(world.data()).await;
    let mut before = last(world).await;
    let kept_before = kept(world.data());
    let mut told = 0;
    for (category, event) in lies.iter().take(AT_ONCE) {
        let lie = lie(&before, category, event, things);
        publish(&context, &before, &lie).await;
        told += 1;
        let mut views = world.running().health.checkpoint("views");
        let taken = async {
            tokio::select! {
                _ = views.wait_for(|position| *position >= lie.position) => true,
                _ = world.running().health.wait_until(|report| stopped(report, "views")) => false,
            }
        };
        let taken = timeout(PATIENCE, taken).await;
        let taken = taken.unwrap_or_else(|_| panic!("{}: {:?}", event.name, world.running().health.report()));
        let until = Instant::now() + NOTHING_FOLLOWS_FOR;
        while Instant::now() < until {
            let now = kept(world.data());
            let changed = now.iter().find(|row| !kept_before.contains(row));
            assert!(now == kept_before, "{}: what is kept has changed: {changed:?}", event.name);
            sleep(Duration::from_millis(25)).await; // looks again and again whether it stays so
        }
        let holders = Vault::holders(&world.data().join("vault.db")).expect("the vault");
        assert!(holders.contains(&(org(ORG), things.other)), "{}: a key is gone", event.name);
        if !taken {
            break;
        }
        before = lie;
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_forged_nothing_that_is_kept_changes_and_whoever_was_lied_to_says_so() {
    let mut world = World::start().await;
    let things = Things::of(&world).await;
    let all = AnyEvent::types();
    let (mut told, mut rounds) = (0, 0);
    while told < all.len() {
        world.settle().await;
        world.running().health.wait_until(|report| report.ready).await;
        let end = world.log().head().borrow().0;
        told += tell(&world, &all[told..], &things).await;
        rounds += 1;

        // The next thing that really happens.
        world.admin().post("/v1/programmes", json!({ "name": format!("Recovery {rounds}") })).await.must(201);
        let mut lied_to = Vec::new();
        for part in ["views", "facts"] {
            let found = timeout(PATIENCE, world.running().health.wait_until(|report| stopped(report, part))).await;
            let report = found.unwrap_or_else(|_| panic!("{part}: {:?}", world.running().health.report()));
            let part = report.parts.into_iter().find(|known| known.name == part).expect("the part");
            if part.position.is_some_and(|position| position.0 > end) {
                let why = serde_json::to_value(&part.state).expect("JSON")["why"].to_string();
                assert!(why.contains("forged") || why.contains("cannot be applied"), "{}: {why}", part.name);
                lied_to.push(part.name);
            }
        }
        assert!(!lied_to.is_empty(), "nobody believed any of them");
        let findings = verified(&world).await;
        assert!(!findings.sound() && findings.log.is_ok(), "{findings}");
        let found = findings.to_string();
        assert!(lied_to.iter().all(|part| found.contains(&format!("{part}  DIFFER"))), "{lied_to:?}: {found}");

        // What was built on it is thrown away, and comes back from the log.
        let data = world.data().to_owned();
        world
            .restart(|_| {
                let _ = fs::remove_dir_all(data.join("nats"));
                let _ = fs::remove_dir_all(data.join("facts"));
                for suffix in ["", "-wal", "-shm"] {
                    let _ = fs::remove_file(data.join(format!("views.db{suffix}")));
                }
            })
            .await;
    }
    assert!(rounds < all.len() / 2, "most of them were believed until then");
    world.must_be_sound().await;
    let known = world.admin().get(&format!("/v1/members/{}", things.other)).await.must(200).json();
    assert_eq!(known["profile"]["alias"], "Other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_event_is_named_by_verify_before_anything_else_happens() {
    let world = World::start().await;
    world.group().await;
    world.settle().await;
    let (context, _) = stream_of(world.data()).await;
    let before = last(&world).await;
    let (category, event) =
        AnyEvent::types().into_iter().find(|(_, event)| event.name == "programme.registered").expect("a type");
    let lie = forged(&before, StreamName::new(category, &org(ORG), Uuid::from_u128(9)), &event, example(&event));
    publish(&context, &before, &lie).await;
    let mut views = world.running().health.checkpoint("views");
    timeout(PATIENCE, views.wait_for(|at| *at >= lie.position)).await.expect("in time").expect("the views run");
    let findings = verified(&world).await;
    let said = findings.to_string();
    assert!(!findings.sound(), "{said}");
    assert!(said.contains("views  DIFFER") && said.contains(&format!("position {}", lie.position)), "{said}");
    let shown = world.admin().get("/v1/programmes").await.must(200).json();
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(2), "until then, views believe what is in NATS");
}
