//! Whoever follows what changes is told of all that they may see, and of nothing else; also after a cut.

use std::{collections::BTreeSet, time::Duration};

use hyper::StatusCode;
use serde_json::{Value, json};
use tests::{
    changes::{Following, Message, ask, messages},
    world::{Actor, PATIENCE, World, at},
};
use tokio::time::{Instant, timeout};
use web::Role;

use crate::queue::counted;

/// Sooner than this nothing can be known to have been kept quiet.
const QUIET: Duration = Duration::from_millis(1_500);

/// Follows from now on, when the queue has been counted: that it has is told, too.
async fn follow(world: &World, who: &Actor) -> Following {
    if matches!(who.read("/v1/queue", 0).await.status.as_u16(), 200) {
        counted(world, who).await;
    }
    go_on(world, who, None).await
}

async fn go_on(world: &World, who: &Actor, last: Option<&str>) -> Following {
    Following::begin(world.address(), &who.token(), "", last).await.expect("a stream")
}

async fn next(following: &mut Following) -> Message {
    let message = timeout(PATIENCE, following.next()).await.expect("a message comes");
    message.expect("it can be read").expect("it goes on")
}

/// Waits until all these topics were named; nothing else may be.
async fn told(following: &mut Following, topics: &[&str]) -> Message {
    let mut left: BTreeSet<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    loop {
        let message = next(following).await;
        // Auditors are told of each look at a record.
        for topic in message.topics.iter().filter(|topic| *topic != "audit") {
            assert!(topics.contains(&topic.as_str()), "{topic} was told, and not only {topics:?}");
            left.remove(topic);
        }
        if left.is_empty() {
            return message;
        }
    }
}

/// Nothing is said: neither a message nor anything else that comes with one.
async fn quiet(following: &mut Following, what: &str) {
    let before = following.bytes.len();
    if let Ok(message) = timeout(QUIET, following.next()).await {
        panic!("{what}: {message:?}");
    }
    // A sign of life comes by time alone, whatever happens.
    let said = String::from_utf8_lossy(&following.bytes[before..]).replace(":\n\n", "");
    assert_eq!(said, "", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_is_told_what_they_may_see_and_nobody_learns_that_something_happened_elsewhere() {
    let world = World::start().await;
    let (admin, coordinator) = (world.admin(), world.coordinator());
    admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
    admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
    let programme = world.programme().await;
    let (group, other) = (admin.group(programme, "Steps").await, admin.group(programme, "Others").await);
    let member = coordinator.enrol(group, "2026-06-01").await;
    let meeting = coordinator.meeting(group, "2026-06-02").await;
    let elsewhere = world.admin_of("elsewhere");
    world.settle().await;
    world.set_time("2026-06-02T20:00:00Z");
    let actors = [
        world.coordinator(),
        world.facilitator([group]),
        world.facilitator([other]),
        world.member(member),
        world.anyone(Role::Auditor),
        elsewhere,
    ];
    let mut following = vec![];
    for who in &actors {
        let mut stream = follow(&world, who).await;
        assert_eq!(next(&mut stream).await.topics, BTreeSet::new(), "the first says where it begins");
        following.push(stream);
    }
    let [all, leads, others, themselves, auditor, abroad] = &mut following[..] else { unreachable!() };

    coordinator.post(&at(meeting, "open"), Value::Null).await.must(204);
    told(all, &["meetings"]).await;
    told(leads, &["meetings"]).await;
    told(auditor, &["meetings"]).await;
    coordinator.mark(meeting, member, "present").await.must(204);
    for stream in [&mut *all, &mut *leads, &mut *auditor] {
        told(stream, &["registers"]).await;
    }
    coordinator.post(&at(meeting, "hold"), Value::Null).await.must(204);
    for stream in [&mut *all, &mut *leads, &mut *auditor] {
        told(stream, &["meetings"]).await;
    }
    for (stream, who) in [
        (&mut *others, "who leads another group"),
        (&mut *themselves, "a member"),
        (&mut *abroad, "another organisation"),
    ] {
        quiet(stream, who).await;
    }

    // Who leads the group is not told that there is a concern; the member is not, either.
    coordinator.post(&format!("/v1/members/{member}/concerns"), json!({ "words": "worried" })).await.must(201);
    told(all, &["concerns", "queue"]).await;
    for (stream, who) in [(&mut *leads, "who leads the group"), (&mut *themselves, "the member")] {
        quiet(stream, who).await;
    }

    // What is known of a member: them, and whoever may read all.
    let changed = json!({ "alias": "Bee" });
    coordinator.patch(&format!("/v1/members/{member}"), changed).await.must(204);
    told(themselves, &["members"]).await;
    told(all, &["members"]).await;
    for (stream, who) in [(&mut *leads, "who leads the group"), (&mut *others, "another"), (abroad, "abroad")] {
        quiet(stream, who).await;
    }

    // A register that waits comes by time alone.
    let late = coordinator.meeting(other, "2026-06-02").await;
    told(all, &["meetings"]).await;
    told(others, &["meetings"]).await;
    world.set_time("2026-06-03T09:00:00Z");
    let message = told(others, &["queue"]).await;
    told(all, &["queue"]).await;
    quiet(leads, "who leads the group where nothing waits").await;
    let request = tests::world::get("/v1/queue").header("kith-after", message.id.as_str());
    let queue = world.facilitator([other]).send(request, "").await.must(200).json();
    assert_eq!(queue["items"][0]["about"]["id"], json!(late), "{queue}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_cut_at_any_byte_goes_on_without_a_gap() {
    let world = World::start().await;
    let coordinator = world.coordinator();
    let programme = world.programme().await;
    let group = world.admin().group(programme, "Steps").await;
    world.settle().await;
    let mut stream = follow(&world, &coordinator).await;
    next(&mut stream).await;
    let mut happened: Vec<(&str, Message)> = vec![];
    let begin = messages(&stream.bytes)[0].clone();
    for (nth, topic) in ["meetings", "members", "meetings", "members"].into_iter().enumerate() {
        match topic {
            "meetings" => _ = coordinator.meeting(group, ["2026-07-07", "", "2026-07-14"][nth]).await,
            _ => _ = coordinator.register(json!({ "alias": "Bee" })).await,
        }
        let message = told(&mut stream, &[topic]).await;
        happened.push((topic, message));
    }
    let bytes = stream.bytes.clone();
    let all = messages(&bytes);
    assert_eq!(all.len(), happened.len() + 1);
    let mut ends = BTreeSet::new();
    for cut in 0..=bytes.len() {
        let seen = messages(&bytes[..cut]);
        // All cuts within one message are alike to whoever read so far.
        let Some(last) = seen.last().filter(|_| ends.insert(seen.len())) else { continue };
        let left: BTreeSet<_> = happened[seen.len() - 1..].iter().map(|(topic, _)| (*topic).to_owned()).collect();
        let mut again = go_on(&world, &coordinator, Some(&last.id)).await;
        let message = next(&mut again).await;
        let mut topics = message.topics.clone();
        assert!(topics.remove("queue"), "of the queue it is not known what was shown");
        assert_eq!(topics, left, "after {} messages", seen.len());
        quiet(&mut again, "nothing is said twice").await;
    }
    assert_eq!(ends.len(), all.len());
    assert_eq!(begin.topics, BTreeSet::new());

    // Who comes from before this server began, or with an id that is none, reads all again.
    let mut world = world;
    let last = all.last().expect("some").id.clone();
    for (id, why) in [(all[0].id.as_str(), "from before"), ("17", "not an id"), ("", "nothing")] {
        if why == "from before" {
            world.restart(|_| ()).await;
        }
        let mut again = go_on(&world, &world.coordinator(), Some(id)).await;
        let topics = next(&mut again).await.topics;
        assert!(
            topics.contains("members") && topics.contains("groups") && !topics.contains("audit"),
            "{why}: {topics:?}"
        );
    }
    // Somebody else's id is none, either.
    let abroad = world.admin_of("elsewhere");
    let mut again = go_on(&world, &abroad, Some(&last)).await;
    assert!(next(&mut again).await.topics.contains("groups"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_second_of_the_end_of_its_token() {
    let world = World::start().await;
    let who = world.somebody("north-star", Role::Coordinator, "carl", vec![]);
    let mut stream = follow(&world, &who).await;
    next(&mut stream).await;
    let revoked = world.admin().post("/v1/access/revocations", json!({ "subject": "carl" })).await;
    assert!(revoked.status.is_success(), "{}", revoked.json());
    let began = Instant::now();
    assert_eq!(timeout(PATIENCE, stream.next()).await.expect("it ends").expect("cleanly"), None);
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    let answer = ask(world.address(), &who.token(), "", None).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);

    // One whose time is over, and one that was asked for a second.
    let mut stream = follow(&world, &world.coordinator()).await;
    next(&mut stream).await;
    let mut short =
        Following::begin(world.address(), &world.admin().token(), "?seconds=1", None).await.expect("a stream");
    next(&mut short).await;
    assert_eq!(timeout(PATIENCE, short.next()).await.expect("it ends").expect("cleanly"), None);
    world.set_time("2026-06-03T12:00:01Z");
    assert_eq!(timeout(PATIENCE, stream.next()).await.expect("it ends").expect("cleanly"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_follow_how_much_is_limited_and_said() {
    let world = World::start().await;
    let who = world.coordinator();
    let mut streams = vec![];
    for _ in 0..projections::STREAMS_OF_CALLER_MAX {
        streams.push(follow(&world, &who).await);
    }
    let answer = ask(world.address(), &who.token(), "", None).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    streams.pop();
    let room = async {
        while ask(world.address(), &who.token(), "", None).await.expect("an answer").status() != StatusCode::OK {}
    };
    timeout(PATIENCE, room).await.expect("whoever leaves makes room");
    let admin = world.admin();
    for (query, says) in
        [("?topics=gossip", "topics must be some of"), ("?seconds=0", "seconds"), ("?seconds=3601", "seconds")]
    {
        let answer = admin.get(&format!("/v1/changes{query}")).await.must(422).json();
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{answer}");
    }
    let mut some =
        Following::begin(world.address(), &admin.token(), "?topics=groups,%20queue", None).await.expect("a stream");
    next(&mut some).await;
    world.coordinator().register(json!({ "alias": "Bee" })).await;
    admin.group(world.programme().await, "Steps").await;
    told(&mut some, &["groups"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_also_while_much_happens() {
    let world = World::start().await;
    let mut streams = vec![];
    for n in 0..6 {
        let who = world.somebody("north-star", Role::Coordinator, &format!("carl-{n}"), vec![]);
        let mut stream = follow(&world, &who).await;
        next(&mut stream).await;
        streams.push(stream);
    }
    let (busy, admin) = (world.coordinator(), world.admin());
    let writes = async {
        loop {
            busy.register(json!({ "alias": "Bee" })).await;
        }
    };
    let ends = async {
        for (n, mut stream) in streams.into_iter().enumerate() {
            admin.post("/v1/access/revocations", json!({ "subject": format!("carl-{n}") })).await.must(204);
            let began = Instant::now();
            let ended = async { while stream.next().await.expect("cleanly").is_some() {} };
            timeout(PATIENCE, ended).await.expect("it ends");
            assert!(began.elapsed() < Duration::from_secs(2), "{n}: {:?}", began.elapsed());
        }
    };
    tokio::select! {
        () = writes => unreachable!("it goes on"),
        () = ends => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_one_person_with_whom_is_told_to_nobody_else_and_who_gets_a_group_reads_all_again() {
    let world = World::start().await;
    let coordinator = world.coordinator();
    let [one, other, bystander] = [
        coordinator.register(json!({ "alias": "One" })).await,
        coordinator.register(json!({ "alias": "Other" })).await,
        coordinator.register(json!({ "alias": "Bystander" })).await,
    ];
    let group = world.admin().group(world.programme().await, "Steps").await;
    world.settle().await;
    let (member, themselves) = (world.member(bystander), world.member(other));
    let (mut stranger, mut merged) = (follow(&world, &member).await, follow(&world, &themselves).await);
    let fay = world.somebody("north-star", Role::Facilitator, "fay", vec![]);
    let mut leads = follow(&world, &fay).await;
    for stream in [&mut stranger, &mut merged, &mut leads] {
        next(stream).await;
    }
    coordinator.post(&format!("/v1/members/{one}/merge"), json!({ "into": other })).await.must(204);
    assert!(next(&mut merged).await.topics.contains("members"), "whose record it is");
    for (stream, who) in [(&mut stranger, "another member"), (&mut leads, "who leads no group of theirs")] {
        quiet(stream, who).await;
    }
    let assign = json!({ "subject": "fay", "duty": "facilitator", "starts_on": "2026-06-01" });
    let assigned = world.admin().post(&format!("/v1/groups/{group}/assignments"), assign).await;
    assert!(assigned.status.is_success(), "{}", assigned.json());
    let topics = next(&mut leads).await.topics;
    assert!(topics.contains("queue") && topics.contains("registers"), "{topics:?}");
    quiet(&mut stranger, "another member").await;
    // Of an erased member nothing goes on.
    world.admin().post(&format!("/v1/members/{other}/erasure"), Value::Null).await.must(200);
    let ended = async { while merged.next().await.expect("cleanly").is_some() {} };
    timeout(PATIENCE, ended).await.expect("it ends");
    quiet(&mut stranger, "another member").await;
}
