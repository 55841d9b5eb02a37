//! How members say they feel at a meeting, and how the meeting went.

use std::collections::BTreeSet;

use domain::{MeetingId, MemberId};
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{Actor, ORG, World, at};
use uuid::Uuid;
use web::Role;

fn moods<const N: usize>(moods: [(MemberId, Value); N]) -> Value {
    json!({ "moods": moods.map(|(member, mood)| json!({ "member": member, "mood": mood })).as_slice() })
}

/// The moods that are shown on the register to this caller.
async fn shown<const N: usize>(by: &Actor, meeting: MeetingId, members: [MemberId; N], after: u64) -> [Value; N] {
    let register = by.read(&at(meeting, "register"), after).await.must(200).json();
    let lines = register["members"].as_array().expect("lines");
    members.map(|member| {
        let line = lines.iter().find(|line| line["member"] == json!(member));
        line.unwrap_or_else(|| panic!("{member} is not on {register}"))["mood"].clone()
    })
}

/// Moods as they were sealed, in the order of the log.
async fn sealed(world: &World, meeting: MeetingId) -> Vec<String> {
    let written = world.written(meeting).await.into_iter().filter(|(name, _)| name == "mood.recorded");
    written.map(|(_, data)| data["mood"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mood_is_shown_to_whoever_entered_it_until_the_register_is_closed_and_to_the_member() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob, cid] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let (fay, ada) = (world.facilitator([group]), world.coordinator());
    let gus = world.somebody(ORG, Role::Facilitator, "gus", vec![group]);
    let none = json!(null);
    let entered =
        fay.put(&at(meeting, "moods"), moods([(ann, json!(7)), (bob, json!("declined"))])).await.must(204).at();
    let all = [ann, bob, cid];
    assert_eq!(shown(&fay, meeting, all, entered).await, [json!(7), json!("declined"), none.clone()]);
    for other in [&gus, &ada, &world.admin(), &world.anyone(Role::Auditor)] {
        assert_eq!(shown(other, meeting, all, entered).await, [(); 3].map(|()| none.clone()));
    }
    // Whoever enters the same has entered it: nothing tells them that it was the same.
    let same = gus.put(&at(meeting, "moods"), moods([(ann, json!(7))])).await.must(204).at();
    assert_eq!(shown(&gus, meeting, all, same).await, [json!(7), none.clone(), none.clone()]);
    assert_eq!(shown(&fay, meeting, all, same).await, [none.clone(), json!("declined"), none.clone()]);
    let other = fay.put(&at(meeting, "moods"), moods([(ann, json!(0)), (cid, json!(10))])).await.must(204).at();
    assert_eq!(shown(&fay, meeting, all, other).await, [json!(0), json!("declined"), json!(10)]);
    let register = fay.read(&at(meeting, "register"), other).await.must(200).json();
    assert_eq!(register["not_recorded"], 3, "a mood is no mark: {register}");
    let held = fay.post(&at(meeting, "hold"), Value::Null).await.must(204).at();
    for caller in [&fay, &gus, &ada] {
        assert_eq!(shown(caller, meeting, all, held).await, [(); 3].map(|()| none.clone()));
    }
    let record = world.member(ann).read(&format!("/v1/members/{ann}/record"), held).await.must(200).json();
    let line = json!({ "meeting": meeting, "starts_at": "2026-06-02T23:00:00Z", "mood": 0, "entered_by": "fay" });
    assert_eq!(record["moods"], json!([line]));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_written_tells_what_somebody_said_nor_whether_they_said_it_before() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let fay = world.facilitator([group]);
    let all: Vec<_> = (0..=10).map(Value::from).chain([json!("declined")]).collect();
    for mood in &all {
        for _ in 0..2 {
            fay.put(&at(meeting, "moods"), moods([(ann, mood.clone())])).await.must(204);
        }
    }
    let first = sealed(&world, meeting).await;
    let (texts, lengths): (BTreeSet<_>, BTreeSet<_>) = first.iter().map(|text| (text, text.len())).unzip();
    assert_eq!((first.len(), texts.len(), lengths.len()), (all.len(), all.len(), 1), "{first:?}");
    for (_, data) in world.written(meeting).await.iter().filter(|(name, _)| name == "mood.recorded") {
        assert_eq!((&data["member"], &data["entered_by"]), (&json!(ann), &json!("fay")));
        assert_eq!(data.as_object().map(serde_json::Map::len), Some(3), "{data}");
    }
    let next = world.meeting(group, "2026-06-09").await;
    world.set_time("2026-06-09T23:00:00Z");
    fay.post(&at(next, "open"), Value::Null).await.must(204);
    fay.put(&at(next, "moods"), moods([(ann, json!("declined"))])).await.must(204);
    let next = sealed(&world, next).await;
    assert!(next.len() == 1 && !first.contains(&next[0]) && next[0].len() == first[0].len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_room_is_recorded_or_nobody_of_it_and_each_mistake_is_named() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann, bob] = world.enrolled(group).await;
    let elsewhere = fay.register(json!({ "alias": "Elsewhere" })).await;
    let stranger = MemberId(Uuid::from_u128(7));
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "moods");
    let wrong = moods([(ann, json!(5)), (stranger, json!(5)), (elsewhere, json!(5)), (bob, json!(5)), (ann, json!(6))]);
    let problem = fay.put(&path, wrong).await.refused(409, "moods-refused");
    let named: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|error| &error["at"]).collect();
    assert_eq!(named, [&json!(stranger), &json!(elsewhere), &json!(ann)]);
    for none in [json!(11), json!(-1), json!(2.5), json!("7"), json!("refused"), Value::Null] {
        let problem = fay.put(&path, moods([(ann, none)])).await.refused(422, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("moods[0].mood")), "{problem}");
    }
    let many = |n: u128| -> Value { (1..=n).map(|n| json!({ "member": Uuid::from_u128(n), "mood": 5 })).collect() };
    fay.put(&path, json!({ "moods": many(1_001) })).await.refused(422, "malformed");
    let refused = fay.put(&path, json!({ "moods": many(1_000) })).await.refused(409, "moods-refused");
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1_000));
    fay.put(&path, json!({ "moods": [] })).await.must(204);
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.opened"]);
    fay.put(&path, moods([(ann, json!(5)), (bob, json!("declined"))])).await.must(204);
    assert_eq!(world.types_of(meeting).await[2..], ["mood.recorded"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moods_are_recorded_while_the_register_is_open_and_change_no_mark() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.meeting(group, "2026-06-02").await;
    world.set_time("2026-06-02T23:00:00Z");
    let path = at(meeting, "moods");
    fay.put(&path, moods([(ann, json!(5))])).await.refused(409, "meeting-not-open");
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    fay.put(&path, moods([(ann, json!(5))])).await.must(204);
    // Nobody was marked, so it can be said that it did not occur.
    let why = json!({ "reason": "the wrong week" });
    fay.post(&at(meeting, "did-not-occur"), why.clone()).await.must(204);
    fay.put(&path, moods([(ann, json!(5))])).await.refused(409, "meeting-not-open");
    fay.post(&at(meeting, "reinstate"), why).await.must(204);
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    let newcomer: MemberId = fay.post(&at(meeting, "walk-ins"), json!({ "mark": "late" })).await.must(201).id("member");
    fay.mark(meeting, bob, "absent").await.must(204);
    fay.put(&path, moods([(newcomer, json!(1)), (bob, json!(2))])).await.must(204);
    let held = fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    for mood in [5, 6] {
        fay.put(&path, moods([(ann, json!(mood))])).await.refused(409, "register-closed");
    }
    let register = fay.read(&at(meeting, "register"), held.at()).await.must(200).json();
    assert_eq!(register["meeting"]["marks"], json!({ "present": 0, "late": 1, "excused": 0, "absent": 1 }));
    assert_eq!(register["not_recorded"], 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moods_that_are_sent_again_are_recorded_once_and_known_by_all_who_are_in_them() {
    let world = World::start().await;
    let (group, fay, admin) = (world.group().await, world.coordinator(), world.admin());
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let (path, key) = (at(meeting, "moods"), fay.key());
    let send = async |ann_feels, bob_feels| {
        let body = moods([(ann, json!(ann_feels)), (bob, json!(bob_feels))]);
        fay.command(Method::PUT, &path, &key, &body).await
    };
    send(3, 4).await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    assert!(send(3, 4).await.must(204).replayed());
    for (ann_feels, bob_feels) in [(3, 5), (2, 4)] {
        send(ann_feels, bob_feels).await.refused(422, "idempotency-key-reused");
    }
    // With the key of one of them, nobody can tell whether it was the same.
    admin.post(&format!("/v1/members/{bob}/erasure"), Value::Null).await.must(200);
    send(3, 4).await.refused(422, "idempotency-key-reused");
    assert_eq!(sealed(&world, meeting).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_mood_under_any_of_their_records() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let fay = world.facilitator([group]);
    let [ann, annie] = world.enrolled(group).await;
    let (zeb, zed) = (ada.register(json!({ "alias": "Zeb" })).await, ada.register(json!({ "alias": "Zed" })).await);
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "moods");
    let walks_in = json!({ "member": zed, "mark": "present" });
    ada.post(&at(meeting, "walk-ins"), walks_in).await.must(201);
    fay.put(&path, moods([(ann, json!(3)), (annie, json!(4)), (zed, json!(5))])).await.must(204);
    let merge =
        async |from, into| ada.post(&format!("/v1/members/{from}/merge"), json!({ "into": into })).await.must(204).at();
    let unmerge = async |from| ada.post(&format!("/v1/members/{from}/unmerge"), Value::Null).await.must(204).at();
    merge(annie, ann).await;
    let merged = merge(zed, zeb).await;
    assert_eq!(shown(&fay, meeting, [ann, zeb], merged).await, [json!(3), json!(5)]);
    let twice = fay.put(&path, moods([(ann, json!(6)), (annie, json!(7))])).await.refused(409, "moods-refused");
    assert_eq!(twice["errors"][0]["at"], json!(annie));
    let again = fay.put(&path, moods([(annie, json!(8)), (zeb, json!("declined"))])).await.must(204).at();
    assert_eq!(shown(&fay, meeting, [ann, zeb], again).await, [json!(8), json!("declined")]);
    unmerge(annie).await;
    let parted = unmerge(zed).await;
    assert_eq!(shown(&fay, meeting, [ann, annie, zed], parted).await, [json!(8), json!(8), json!("declined")]);
    // A second record that is not on the list is nobody to who leads the group.
    merge(zeb, ann).await;
    let nobody = MemberId(Uuid::from_u128(5));
    for unknown in [zeb, nobody] {
        fay.put(&path, moods([(unknown, json!(1))])).await.refused(409, "moods-refused");
    }
    let of_ann = ada.put(&path, moods([(zeb, json!(1))])).await.must(204).at();
    assert_eq!(shown(&ada, meeting, [ann], of_ann).await, [json!(1)]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_moods_of_who_was_erased_are_gone_and_no_more_are_recorded() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let (fay, path) = (world.facilitator([group]), at(meeting, "moods"));
    fay.mark(meeting, ann, "present").await.must(204);
    fay.put(&path, moods([(ann, json!(3)), (bob, json!(4))])).await.must(204);
    let erased = admin.post(&format!("/v1/members/{ann}/erasure"), Value::Null).await.must(200).at();
    assert_eq!(shown(&fay, meeting, [bob], erased).await, [json!(4)]);
    let register = fay.read(&at(meeting, "register"), erased).await.must(200);
    assert!(!String::from_utf8_lossy(&register.body).contains(&ann.to_string()));
    let nobody = MemberId(Uuid::from_u128(5));
    let refused = async |member| {
        let refused = fay.put(&path, moods([(member, json!(3))])).await.refused(409, "moods-refused");
        refused["errors"][0]["detail"].clone()
    };
    assert_eq!(refused(ann).await, refused(nobody).await);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moods_and_structure_are_recorded_by_who_leads_the_group_of_their_own_organisation_only() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let south = world.admin_of("south-star");
    let theirs = south.register(json!({ "alias": "Theirs" })).await;
    let other = world.somebody(ORG, Role::Facilitator, "gus", vec![world.group().await]);
    let before = world.events().await.len();
    for (path, body) in [("moods", moods([(ann, json!(5))])), ("structure", json!({ "topic": "Trust" }))] {
        other.put(&at(meeting, path), body.clone()).await.refused(403, "forbidden");
        south.put(&at(meeting, path), body.clone()).await.refused(404, "unknown-meeting");
        for role in [Role::Member, Role::Auditor, Role::Analyst, Role::Partner] {
            world.anyone(role).put(&at(meeting, path), body.clone()).await.refused(403, "forbidden");
        }
    }
    let admin = world.admin();
    admin.put(&at(meeting, "moods"), moods([(theirs, json!(5))])).await.refused(409, "moods-refused");
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_meeting_went_is_kept_and_the_group_shows_how_much_of_it() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let fay = world.facilitator([group]);
    let phase = |kind: &str, start: &str, end: &str| json!({ "kind": kind, "starts_at": format!("2026-06-{start}:00Z"), "ends_at": format!("2026-06-{end}:00Z") });
    let phases = json!([phase("check_in", "02T22:55", "02T23:10"), phase("sharing", "02T23:10", "03T00:40")]);
    let full = json!({ "phases": phases, "topic": "Trust", "facilitators": ["gus", "fay", "gus"] });
    let first = world.meeting(group, "2026-06-02").await;
    let path = at(first, "structure");
    fay.put(&path, full.clone()).await.refused(409, "meeting-not-open");
    world.set_time("2026-06-02T23:00:00Z");
    fay.post(&at(first, "open"), Value::Null).await.must(204);
    fay.put(&path, json!({})).await.must(204);
    for _ in 0..2 {
        fay.put(&path, full.clone()).await.must(204);
    }
    let held = fay.post(&at(first, "hold"), Value::Null).await.must(204).at();
    let structure = async |caller: &Actor, after| {
        caller.read(&at(first, "register"), after).await.must(200).json()["structure"].clone()
    };
    let kept = json!({ "phases": phases, "topic": "Trust", "facilitators": ["fay", "gus"] });
    assert_eq!(structure(&fay, held).await, kept);
    let without_topic = json!({ "phases": phases, "facilitators": ["fay", "gus"] });
    assert_eq!(structure(&world.anyone(Role::Auditor), held).await, without_topic, "free text can hold a name");
    let written = world.written(first).await;
    let written: Vec<_> = written.iter().filter(|(name, _)| name == "structure.recorded").collect();
    assert!(written.len() == 1 && written[0].1["topic"].as_str().is_some_and(|topic| topic.starts_with("s1.")));

    let second = world.meeting(group, "2026-06-09").await;
    world.set_time("2026-06-09T23:00:00Z");
    fay.post(&at(second, "open"), Value::Null).await.must(204);
    fay.post(&at(second, "hold"), Value::Null).await.must(204);
    let topic = fay.put(&at(second, "structure"), json!({ "topic": "Hope" })).await.must(204).at();
    let group_shows =
        async |after| ada.read(&format!("/v1/groups/{group}"), after).await.must(200).json()["structure_kept"].clone();
    let counts = json!({ "held": 2, "phases": 1, "topic": 2, "facilitators": 1 });
    assert_eq!(group_shows(topic).await, counts);
    let nothing = fay.put(&path, json!({})).await.must(204).at();
    assert_eq!(structure(&fay, nothing).await, Value::Null);
    assert_eq!(group_shows(nothing).await, json!({ "held": 2, "phases": 0, "topic": 1, "facilitators": 0 }));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phases_that_are_not_possible_are_refused_and_say_why() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "structure");
    let phase = |start: &str, end: &str| json!({ "kind": "sharing", "starts_at": format!("2026-06-{start}:00Z"), "ends_at": format!("2026-06-{end}:00Z") });
    for (phases, why) in [
        (vec![phase("02T23:10", "02T23:10")], "phase 1 does not end after it starts"),
        (vec![phase("01T23:00", "02T23:10")], "phase 1 is more than 12 hours outside of the meeting"),
        (
            vec![phase("02T23:00", "02T23:10"), phase("02T23:05", "02T23:20")],
            "phase 2 starts before the one before it ends",
        ),
    ] {
        let problem = fay.put(&path, json!({ "phases": phases })).await.refused(409, "phase-not-possible");
        assert_eq!(problem["detail"], why);
    }
    let many: Vec<_> = (0..21).map(|_| phase("02T23:00", "02T23:10")).collect();
    let subjects: Vec<_> = (0..21).map(|n| format!("fay-{n}")).collect();
    for body in [
        json!({ "phases": many }),
        json!({ "facilitators": subjects }),
        json!({ "phases": [{ "kind": "singing", "starts_at": "2026-06-02T23:00:00Z", "ends_at": "2026-06-02T23:10:00Z" }] }),
        json!({ "topic": "x".repeat(301) }),
    ] {
        fay.put(&path, body).await.refused(422, "malformed");
    }
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.opened"]);
}
