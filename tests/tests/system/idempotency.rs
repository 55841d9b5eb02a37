//! Said twice, happens once.

use std::fs;

use domain::MemberId;
use futures::future::join_all;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tests::world::{World, at, mark_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_again_gets_the_same_answer_and_does_nothing() {
    let mut world = World::start().await;
    let group = world.group().await;
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "walk-ins");
    let body = json!({ "mark": "present" });
    let first = world.admin().command(Method::POST, &path, "once", &body).await.must(201);
    assert!(!first.replayed());
    world.settle().await;
    let before = world.events().await;
    let check = async |world: &World| {
        let again = world.admin().command(Method::POST, &path, "once", &body).await.must(201);
        assert!(again.replayed());
        assert_eq!((again.body, again.position), (first.body.clone(), first.position));
        assert_eq!(world.events().await, before);
    };
    check(&world).await;
    world.restart(|_| ()).await;
    check(&world).await;
    let delete_views = |data: &std::path::Path| {
        for file in fs::read_dir(data).expect("the data directory").flatten() {
            if file.file_name().to_string_lossy().starts_with("views.db") {
                fs::remove_file(file.path()).expect("the views can be deleted");
            }
        }
        fs::remove_dir_all(data.join("facts")).expect("the facts can be deleted");
    };
    world.restart(delete_views).await;
    check(&world).await;
    world.must_be_sound().await;
    check(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_for_one_command_only() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let present = json!({ "mark": "present" });
    admin.command(Method::PUT, &mark_of(meeting, ann), "k", &present).await.must(204);
    let before = world.events().await.len();
    let other_body = admin.command(Method::PUT, &mark_of(meeting, ann), "k", &json!({ "mark": "late" })).await;
    other_body.refused(422, "idempotency-key-reused");
    let other_path = admin.command(Method::PUT, &mark_of(meeting, bob), "k", &present).await;
    other_path.refused(422, "idempotency-key-reused");
    let other_operation = admin.command(Method::POST, &at(meeting, "hold"), "k", &Value::Null).await;
    other_operation.refused(422, "idempotency-key-reused");
    let other_context = admin.command(Method::POST, "/v1/programmes", "k", &json!({ "name": "Other" })).await;
    other_context.refused(422, "idempotency-key-reused");
    assert_eq!(world.events().await.len(), before);
    // The same key of somebody else is another key.
    world.coordinator().command(Method::PUT, &mark_of(meeting, bob), "k", &present).await.must(204);
    world
        .admin_of("south-star")
        .command(Method::POST, "/v1/programmes", "k", &json!({ "name": "Other" }))
        .await
        .must(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_again_with_other_spacing_in_its_query_or_body_is_another_command() {
    let world = World::start().await;
    let admin = world.admin();
    let send = async |body: &'static str| {
        let request =
            Request::post("/v1/programmes").header("idempotency-key", "k").header("content-type", "application/json");
        admin.send(request, body).await
    };
    send(r#"{"name":"Recovery"}"#).await.must(201);
    send(r#"{ "name": "Recovery" }"#).await.refused(422, "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_duplicate_does_not_undo_a_newer_mark() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let path = mark_of(meeting, ann);
    let mark =
        async |key: &str, mark: &str| admin.command(Method::PUT, &path, key, &json!({ "mark": mark })).await.must(204);
    mark("first", "absent").await;
    let second = mark("second", "present").await;
    let late = mark("first", "absent").await;
    assert!(late.replayed());
    let marks: Vec<_> =
        world.written(meeting).await.into_iter().skip(2).map(|(_, data)| data["mark"].clone()).collect();
    assert_eq!(marks, ["absent", "present"]);
    let register = admin.read(&at(meeting, "register"), second.at()).await.must(200).json();
    assert_eq!(register["members"][0]["mark"], "present");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_done_is_answered_as_then_even_where_it_would_now_be_refused() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let path = mark_of(meeting, ann);
    admin.command(Method::PUT, &path, "k", &json!({ "mark": "late" })).await.must(204);
    admin.post(&at(meeting, "hold"), Value::Null).await.must(204);
    let correction = json!({ "mark": "present", "reason": "the clock was wrong" });
    admin.post(&format!("{path}/correction"), correction).await.must(204);
    assert!(admin.command(Method::PUT, &path, "k", &json!({ "mark": "late" })).await.must(204).replayed());
    admin.command(Method::PUT, &path, "new", &json!({ "mark": "late" })).await.refused(409, "register-closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_changes_nothing_keeps_its_answer_too() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let path = mark_of(meeting, ann);
    let mark =
        async |key: &str, mark: &str| admin.command(Method::PUT, &path, key, &json!({ "mark": mark })).await.must(204);
    mark("first", "present").await;
    mark("nothing new", "present").await;
    mark("newer", "late").await;
    assert!(mark("nothing new", "present").await.replayed());
    assert_eq!(world.types_of(meeting).await[2..], ["attendance.recorded"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_can_be_sent_again_under_its_key_once_it_is_possible() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let meeting = world.meeting(group, "2026-06-02").await;
    let open = async || admin.command(Method::POST, &at(meeting, "open"), "k", &Value::Null).await;
    open().await.refused(409, "meeting-too-early");
    world.set_time("2026-06-02T22:00:00Z");
    let opened = open().await.must(204);
    assert!(!opened.replayed());
    assert!(open().await.must(204).replayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_usable_key_is_not_done() {
    let world = World::start().await;
    let admin = world.admin();
    let send = async |key: Option<&[u8]>| {
        let mut request = Request::post("/v1/programmes").header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        admin.send(request, r#"{"name":"Recovery"}"#).await
    };
    send(None).await.refused(400, "idempotency-key-missing");
    let long = "k".repeat(129);
    for bad in [b"".as_slice(), long.as_bytes(), "clé".as_bytes(), b"\xff"] {
        send(Some(bad)).await.refused(400, "idempotency-key-malformed");
    }
    assert_eq!(world.events().await.len(), 0);
    send(Some("k".repeat(128).as_bytes())).await.must(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sendings_at_the_same_time_are_one_command() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let (path, body) = (mark_of(meeting, ann), json!({ "mark": "present" }));
    let answers = join_all((0..50).map(|_| admin.command(Method::PUT, &path, "k", &body))).await;
    let first: Vec<_> = answers.iter().filter(|answer| !answer.replayed()).collect();
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(first.len(), 1);
    assert_eq!(world.types_of(meeting).await[2..], ["attendance.recorded"]);

    let (path, body) = (at(meeting, "walk-ins"), json!({ "mark": "present" }));
    let answers = join_all((0..50).map(|_| admin.command(Method::POST, &path, "w", &body))).await;
    let members: std::collections::BTreeSet<MemberId> =
        answers.into_iter().map(|answer| answer.must(201).id("member")).collect();
    assert_eq!(members.len(), 1);
    assert_eq!(world.types_of(meeting).await[3..], ["attendance.recorded"]);

    let one = json!({ "name": "One" });
    let answers = join_all((0..50).map(|_| admin.command(Method::POST, "/v1/programmes", "p", &one))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed()).count(), 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_write_to_one_register_at_once_are_all_heard() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let members = world.enrolled::<20>(group).await;
    let meeting = world.open_meeting(group).await;
    let marks = members.iter().flat_map(|member| [(member, "absent"), (member, "present"), (member, "late")]);
    let answers = join_all(marks.map(|(member, mark)| admin.mark(meeting, *member, mark))).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(world.types_of(meeting).await.len(), 2 + 60);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_planned_once_however_often_and_at_once_it_is_asked() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let path = format!("/v1/groups/{group}/meetings");
    let june = json!({ "from": "2026-06-01", "through": "2026-06-30" });
    let same = join_all((0..10).map(|_| admin.command(Method::POST, &path, "k", &june))).await;
    let other = join_all((0..10).map(|_| admin.post(&path, june.clone()))).await;
    for answer in same.iter().chain(&other) {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let planned = world.events().await.iter().filter(|event| &*event.event_type == "meeting.planned").count();
    assert_eq!(planned, 5);
    world.must_be_sound().await;
}
