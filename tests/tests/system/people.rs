//! One person is one person, and nothing that is about two records is ever half done: whoever was faster, whatever was
//! refused, whatever was written before.

use std::time::Duration;

use domain::{DomainEvent, HoldId, MemberId, member};
use eventlog::{Append, EventLog, Expected, NewEvent, StreamName, sqlite::SqliteLog};
use hyper::Method;
use jiff::{Timestamp, civil::date};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::{
    http::Client,
    process::{self, Server},
    world::{Actor, ORG, World, org, seed},
};
use uuid::Uuid;
use web::Role;

/// How often each race is run, a count; `KITH_RACES` says otherwise.
fn races() -> usize {
    std::env::var("KITH_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

fn of(member: MemberId, what: &str) -> String {
    format!("/v1/members/{member}/{what}")
}

fn hold() -> Value {
    json!({ "reason": "a claim is pending", "review_on": "2027-01-01" })
}

/// Two records, as if of two people.
async fn two(admin: &Actor) -> (MemberId, MemberId) {
    let names = [json!({ "alias": "Bee" }), json!({ "alias": "Cee" })];
    let [first, second] = names.map(|name| admin.register(name));
    tokio::join!(first, second)
}

/// Whether the member is there, whole; what is there in half is a failure of the test.
async fn there(world: &World, member: MemberId) -> bool {
    world.settle().await;
    let answer = world.admin().get(&format!("/v1/members/{member}")).await;
    if answer.status == 404 {
        return false;
    }
    let shown = answer.must(200).json();
    assert!(shown["profile"]["alias"].is_string(), "there, but its key is not: {shown}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_refused_leaves_nobody_to_be_erased_with_somebody_else() {
    let world = World::start().await;
    let admin = world.admin();
    let ((a, first), (second, _)) = (two(&admin).await, two(&admin).await);
    admin.put(&of(a, "restriction"), json!({ "restricted": true })).await.must(204);
    admin.post(&of(a, "merge"), json!({ "into": first })).await.must(204);
    admin.post(&of(a, "merge"), json!({ "into": second })).await.refused(409, "member-merged");
    admin.post(&of(a, "unmerge"), Value::Null).await.must(204);
    world.settle().await;
    let shown = admin.get(&format!("/v1/members/{second}")).await.must(200).json();
    assert_eq!(shown["restricted"], json!(false), "what A forbids is not forbidden by who A was never merged into");
    let erased = admin.post(&of(second, "erasure"), Value::Null).await.must(200).json();
    assert_eq!(erased["erasure"]["records"].as_array().map(Vec::len), Some(1));
    assert!(there(&world, a).await && there(&world, first).await && !there(&world, second).await);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_beside_a_hold_is_done_or_refused_as_a_whole() {
    let world = World::start().await;
    let (admin, other) = (world.admin(), world.admin());
    for race in 0..races() {
        let (first, second) = two(&admin).await;
        admin.post(&of(second, "merge"), json!({ "into": first })).await.must(204);
        let (erasure, holds) = (of(first, "erasure"), of(second, "holds"));
        let (erased, held) = tokio::join!(admin.post(&erasure, Value::Null), other.post(&holds, hold()));
        match (erased.status.as_u16(), held.status.as_u16()) {
            (200, 404) => assert!(!there(&world, first).await && !there(&world, second).await, "race {race}"),
            (409, 201) => assert!(there(&world, first).await && there(&world, second).await, "race {race}"),
            both => panic!("race {race}: {both:?}"),
        }
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_beside_a_merge_leaves_nobody_behind() {
    let world = World::start().await;
    let (admin, other) = (world.admin(), world.coordinator());
    for race in 0..races() {
        let (first, second) = two(&admin).await;
        // In turn: of who stays, and of who becomes a second record.
        let asked = if race % 2 == 0 { first } else { second };
        let (erasure, merge) = (of(asked, "erasure"), of(second, "merge"));
        let merge = other.post(&merge, json!({ "into": first }));
        let (erased, merged) = tokio::join!(admin.post(&erasure, Value::Null), merge);
        let left = (there(&world, first).await, there(&world, second).await);
        let expected = match (erased.status.as_u16(), merged.status.as_u16()) {
            (200, 204) if asked == first => (false, false),
            (200, 404) => (asked != first, asked != second),
            (409, 204) if asked == second => (true, true),
            both => panic!("race {race}: {both:?}"),
        };
        assert_eq!(left, expected, "race {race}");
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_merges_in_opposite_directions_are_one_merge() {
    let world = World::start().await;
    let (admin, other) = (world.admin(), world.coordinator());
    for race in 0..races() {
        let (first, second) = two(&admin).await;
        let [into_second, into_first] = [first, second].map(|member| of(member, "merge"));
        let (one, another) = tokio::join!(
            admin.post(&into_second, json!({ "into": second })),
            other.post(&into_first, json!({ "into": first })),
        );
        let stays = match (one.status.as_u16(), another.status.as_u16()) {
            (204, 409) => second,
            (409, 204) => first,
            both => panic!("race {race}: {both:?}"),
        };
        let erased = admin.post(&of(stays, "erasure"), Value::Null).await.must(200).json();
        assert_eq!(erased["erasure"]["records"].as_array().map(Vec::len), Some(2), "race {race}");
    }
    world.must_be_sound().await;
}

/// Appends to a member's own stream what is not written there any more.
async fn written_before(log: &SqliteLog, member: MemberId, events: &[member::Event]) {
    let stream = StreamName::new(member::Event::CATEGORY, &org(ORG), member.0);
    let known = log.read_stream(&stream, 0, 100).await.expect("a log").len() as u64;
    let event = |(nth, event): (u64, &member::Event)| {
        let (event_type, version) = event.event_type();
        let id = Uuid::new_v5(&member.0, format!("before {}", known + nth).as_bytes());
        NewEvent { id, event_type, version, data: event.encode() }
    };
    let append = Append {
        stream,
        expected: known.checked_sub(1).map_or(Expected::NoStream, Expected::Exact),
        events: (0..).zip(events).map(event).collect(),
        metadata: br#"{"actor":"ann","role":"admin"}"#.into(),
        at: Timestamp::UNIX_EPOCH,
        receipt: None,
    };
    log.append(append).await.expect("appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_people_had_a_stream_still_holds() {
    use member::{Absorbed, Erased, Event, HoldPlaced, Merged, Objected, Purpose, Restricted};
    let mut world = World::start().await;
    let admin = world.admin();
    let ((second, first), (held, gone)) = (two(&admin).await, two(&admin).await);
    let Ok(reason) = "s1.EEEE".parse();
    let placed = HoldPlaced { hold: HoldId(Uuid::from_u128(7)), reason, review_on: date(2027, 1, 1) };
    world.stop().await;
    let log = SqliteLog::open(&world.data().join("log.db")).expect("the log");
    let wishes = [Event::Restricted(Restricted {}), Event::Objected(Objected { purpose: Purpose::Contact })];
    written_before(&log, first, &[Event::Absorbed(Absorbed { from: second })]).await;
    written_before(&log, first, &wishes).await;
    written_before(&log, second, &[Event::Merged(Merged { into: first })]).await;
    written_before(&log, held, &[Event::HoldPlaced(placed)]).await;
    written_before(&log, gone, &[Event::Erased(Erased {})]).await;
    drop(log);
    // As those of another format are.
    std::fs::remove_file(world.data().join("views.db")).expect("the views");
    world.resume().await;
    let admin = world.admin();
    world.settle().await;
    admin.patch(&format!("/v1/members/{second}"), json!({ "alias": "x" })).await.refused(409, "member-merged");
    admin.patch(&format!("/v1/members/{first}"), json!({ "alias": "x" })).await.refused(409, "processing-restricted");
    admin.post(&of(held, "erasure"), Value::Null).await.refused(409, "legal-hold");
    admin.post(&of(gone, "holds"), hold()).await.refused(404, "unknown-member");
    let erased = admin.post(&of(first, "erasure"), Value::Null).await.must(200).json();
    let records: Vec<_> = erased["erasure"]["records"].as_array().expect("records").iter().collect();
    assert_eq!([&records[0]["member"], &records[1]["member"]], [&json!(first), &json!(second)]);
    admin.post(&of(held, &format!("holds/{}/lifting", Uuid::from_u128(7))), Value::Null).await.must(204);
    admin.post(&of(held, "erasure"), Value::Null).await.must(200);
    let adopted = world.events().await.iter().filter(|event| *event.event_type == *"people.adopted").count();
    assert_eq!(adopted, 2, "people, then who was erased");
    world.must_be_sound().await;
}

/// Pairs of records that are being erased when everything is killed, a count.
const PAIRS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_erased_while_everything_is_killed_is_erased_whole_or_not_at_all() {
    let (dir, mut chance) = (tempfile::tempdir().expect("a folder"), StdRng::seed_from_u64(seed()));
    let data = dir.path().join("data");
    let mut all: Vec<[MemberId; 2]> = vec![];
    for round in 0..kills() {
        let server = Server::start(&data);
        let mut erasures = vec![];
        for pair in 0..PAIRS {
            let mut client = server.client(ORG, Role::Admin);
            let mut post = async |path: &str, what: &str, body: Value| {
                let key = format!("{round} {pair} {what}");
                client.command(Method::POST, path, &key, &body).await.expect("an answer")
            };
            let first: MemberId =
                post("/v1/members", "first", json!({ "profile": { "alias": "Bee" } })).await.id("member");
            let second = post("/v1/members", "second", json!({ "profile": { "alias": "Cee" } })).await.id("member");
            post(&of(second, "merge"), "merge", json!({ "into": first })).await.must(204);
            all.push([first, second]);
            erasures.push((client, of(first, "erasure"), format!("{round} {pair} erasure")));
        }
        let erase = |(mut client, path, key): (Client, String, String)| async move {
            let _ = client.command(Method::POST, &path, &key, &Value::Null).await; // nobody hears the answer
        };
        let asked: Vec<_> = erasures.into_iter().map(|erasure| tokio::spawn(erase(erasure))).collect();
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..80))).await; // that moment is the test
        server.kill();
        for erasure in asked {
            erasure.await.expect("it ends");
        }
    }
    let server = Server::start(&data);
    let mut client = server.client(ORG, Role::Admin);
    // The last erasure is answered once all before it are seen to.
    let last = client.command(Method::POST, "/v1/members", "last", &json!({})).await.expect("an answer").id("member");
    let erased = client.command(Method::POST, &of(last, "erasure"), "erased", &Value::Null).await.expect("an answer");
    let last = erased.must(200).at();
    let mut whole = 0;
    for [first, second] in all {
        let mut there = [false, false];
        for (there, member) in there.iter_mut().zip([first, second]) {
            let answer = client.get(&format!("/v1/members/{member}"), last).await.expect("an answer");
            *there = answer.status != 404;
            assert!(!*there || answer.must(200).json()["profile"]["alias"].is_string(), "{member} has no key");
        }
        assert_eq!(there[0], there[1], "{first} and {second} are one person");
        whole += usize::from(there[0]);
    }
    println!("{whole} of {} people are there", kills() * PAIRS);
    drop(server);
    let verified = process::run(&["verify"], &data);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// How often everything is killed, a count; `KITH_KILLS` says otherwise.
fn kills() -> usize {
    std::env::var("KITH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}
