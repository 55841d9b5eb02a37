//! The life of a meeting, and what is written of it.

use domain::{MeetingId, MemberId};
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{World, at, mark_of};
use uuid::Uuid;

fn why(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// The event's data with the word `sealed` for a reason that is.
fn sealed(mut data: Value) -> Value {
    if let Some(reason) = data.get_mut("reason") {
        assert!(reason.as_str().is_some_and(|reason| reason.starts_with("s1.")), "{reason}");
        *reason = "sealed".into();
    }
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_planned_opened_filled_in_and_held() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob, cid] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let fay = world.facilitator([group]);
    fay.mark(meeting, ann, "present").await.must(204);
    fay.mark(meeting, bob, "late").await.must(204);
    fay.put(&mark_of(meeting, bob), json!({ "mark": "late", "mode": "phone" })).await.must(204);
    fay.mark(meeting, cid, "excused").await.must(204);
    let held = fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    let plan = json!({ "group": group, "starts_at_local": "2026-06-02T19:00:00", "starts_at": "2026-06-02T23:00:00Z",
        "ends_at": "2026-06-03T00:30:00Z", "mode": "in_person" });
    let expected = [
        ("meeting.planned", plan),
        ("meeting.opened", json!({})),
        ("attendance.recorded", json!({ "member": ann, "mark": "present", "mode": "in_person" })),
        ("attendance.recorded", json!({ "member": bob, "mark": "late", "mode": "in_person" })),
        ("attendance.recorded", json!({ "member": bob, "mark": "late", "mode": "phone" })),
        ("attendance.recorded", json!({ "member": cid, "mark": "excused" })),
        ("meeting.held", json!({})),
    ];
    let expected = expected.map(|(event_type, data)| (event_type.to_owned(), data));
    assert_eq!(world.written(meeting).await, expected);
    let register = fay.read(&at(meeting, "register"), held.at()).await.must(200).json();
    assert_eq!(register["meeting"]["status"], "held");
    assert_eq!(register["meeting"]["marks"], json!({ "present": 1, "late": 1, "excused": 1, "absent": 0 }));
    assert_eq!(register["not_recorded"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_is_kept_with_each_event_and_leaves_the_log_nowhere() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let marked = world.facilitator([group]).mark(meeting, ann, "present").await.must(204);
    let events = world.events().await;
    let event = events.iter().find(|event| event.position.0 == marked.at()).expect("the mark");
    assert_eq!(&event.metadata[..], br#"{"actor":"fay","role":"facilitator"}"#);
    assert_eq!(event.recorded_at.to_string(), "2026-06-02T23:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_was_cancelled_can_be_reinstated_and_held_after_all() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let meeting = world.meeting(group, "2026-06-02").await;
    fay.post(&at(meeting, "cancel"), why("the heating is broken")).await.must(204);
    world.set_time("2026-06-02T23:00:00Z");
    fay.post(&at(meeting, "open"), Value::Null).await.refused(409, "meeting-not-possible");
    fay.post(&at(meeting, "did-not-occur"), why("nobody came")).await.refused(409, "meeting-not-possible");
    fay.post(&at(meeting, "cancel"), why("said twice")).await.must(204);
    fay.post(&at(meeting, "reinstate"), why("it was mended")).await.must(204);
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    fay.put(&at(meeting, "headcount"), json!({ "heads": { "visitor": 1 } })).await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    fay.post(&at(meeting, "cancel"), why("too late")).await.refused(409, "attendance-recorded");
    fay.post(&at(meeting, "reinstate"), why("too late")).await.refused(409, "meeting-not-possible");
    let types = ["meeting.planned", "meeting.cancelled", "meeting.reinstated", "meeting.opened"];
    assert_eq!(world.types_of(meeting).await, [&types[..], &["headcount.recorded", "meeting.held"]].concat());
    assert_eq!(sealed(world.written(meeting).await[1].1.clone()), why("sealed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_did_not_occur_unless_somebody_came() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    fay.post(&at(meeting, "did-not-occur"), why("nobody came")).await.must(204);
    fay.post(&at(meeting, "reinstate"), why("somebody was late")).await.must(204);
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    fay.mark(meeting, ann, "late").await.must(204);
    fay.post(&at(meeting, "did-not-occur"), why("nobody came")).await.refused(409, "attendance-recorded");
    let types = world.types_of(meeting).await;
    let expected = ["meeting.planned", "meeting.opened", "meeting.did_not_occur", "meeting.reinstated"];
    assert_eq!(types[..4], expected);
    assert_eq!(types[4..], ["meeting.opened", "attendance.recorded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_opens_twelve_hours_before_its_meeting_and_not_earlier() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let meeting = world.meeting(group, "2026-06-02").await;
    for too_early in ["2026-06-02T10:00:00Z", "2026-06-02T10:59:59Z"] {
        world.set_time(too_early);
        fay.post(&at(meeting, "open"), Value::Null).await.refused(409, "meeting-too-early");
    }
    world.set_time("2026-06-02T11:00:00Z");
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_marked_before_the_register_is_open() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann] = world.enrolled(group).await;
    let meeting = world.meeting(group, "2026-06-02").await;
    world.set_time("2026-06-02T23:00:00Z");
    fay.mark(meeting, ann, "present").await.refused(409, "meeting-not-open");
    fay.post(&at(meeting, "walk-ins"), json!({ "mark": "present" })).await.refused(409, "meeting-not-open");
    fay.put(&at(meeting, "headcount"), json!({ "heads": { "visitor": 1 } })).await.refused(409, "meeting-not-open");
    fay.post(&at(meeting, "hold"), Value::Null).await.refused(409, "meeting-not-open");
    assert_eq!(world.types_of(meeting).await, ["meeting.planned"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roster_is_that_of_the_meetings_own_date() {
    let world = World::start().await;
    let (group, ada) = (world.group().await, world.coordinator());
    let [before, through, gone] = world.enrolled(group).await;
    let (on_the_day, later) = (ada.enrol(group, "2026-06-02").await, ada.enrol(group, "2026-06-03").await);
    let withdraw = async |member: MemberId, last: &str| {
        let path = format!("/v1/groups/{group}/enrolments/{member}/withdrawal");
        ada.post(&path, json!({ "ends_on": last })).await.must(204)
    };
    withdraw(through, "2026-06-02").await;
    withdraw(gone, "2026-06-01").await;
    let meeting = world.open_meeting(group).await;
    // In UTC the meeting ends on 3 June; what counts is the date where the group meets.
    world.set_time("2026-06-03T00:15:00Z");
    for off in [gone, later] {
        ada.mark(meeting, off, "present").await.refused(409, "not-on-roster");
    }
    let mut on = [before, through, on_the_day];
    on.sort();
    let written = ada.mark(meeting, before, "present").await.must(204);
    let register = ada.read(&at(meeting, "register"), written.at()).await.must(200).json();
    let members: Vec<MemberId> = serde_json::from_value(
        register["members"].as_array().expect("lines").iter().map(|line| line["member"].clone()).collect(),
    )
    .expect("ids");
    assert_eq!(members, on);
    for day in [("2026-06-01", 3), ("2026-06-02", 3), ("2026-06-03", 3), ("2025-12-31", 0)] {
        let roster = ada.pages(&format!("/v1/groups/{group}/roster?on={}", day.0), 2).await;
        assert_eq!(roster.len(), day.1, "{}", day.0);
    }
    // Enrolled afterwards with effect from before: then on the roster of that day.
    let forgotten = ada.enrol(group, "2026-05-01").await;
    ada.mark(meeting, forgotten, "late").await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_register_is_recorded_or_nothing_of_it_and_each_mistake_is_named() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann, bob, cid] = world.enrolled(group).await;
    let stranger = MemberId(Uuid::from_u128(7));
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "attendance");
    let wrong = json!({ "marks": [
        { "member": ann, "mark": "present" },
        { "member": stranger, "mark": "present" },
        { "member": bob, "mark": "absent", "mode": "video" },
        { "member": ann, "mark": "late" },
    ] });
    let problem = fay.put(&path, wrong).await.refused(409, "marks-refused");
    let named: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|error| &error["at"]).collect();
    assert_eq!(named, [&json!(stranger), &json!(bob), &json!(ann)]);
    assert!(problem["errors"][0]["detail"].as_str().expect("why").contains("roster"), "{problem}");
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.opened"]);

    let right = json!({ "marks": [
        { "member": ann, "mark": "present" },
        { "member": bob, "mark": "absent" },
        { "member": cid, "mark": "late", "mode": "video" },
    ] });
    fay.put(&path, right.clone()).await.must(204);
    fay.put(&path, right).await.must(204);
    let only_bob = json!({ "marks": [{ "member": bob, "mark": "excused" }] });
    let written = fay.put(&path, only_bob).await.must(204);
    assert_eq!(world.types_of(meeting).await[2..], ["attendance.recorded"; 4]);
    let register = fay.read(&at(meeting, "register"), written.at()).await.must(200).json();
    assert_eq!(register["meeting"]["marks"], json!({ "present": 1, "late": 1, "excused": 1, "absent": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_of_more_than_a_thousand_marks_is_not_understood() {
    let world = World::start().await;
    let group = world.group().await;
    let meeting = world.open_meeting(group).await;
    let marks =
        |n: u128| -> Value { (1..=n).map(|n| json!({ "member": Uuid::from_u128(n), "mark": "present" })).collect() };
    let path = at(meeting, "attendance");
    world.coordinator().put(&path, json!({ "marks": marks(1_001) })).await.refused(422, "malformed");
    let refused = world.coordinator().put(&path, json!({ "marks": marks(1_000) })).await.refused(409, "marks-refused");
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1_000));
    world.coordinator().put(&path, json!({ "marks": [] })).await.must(204);
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_walks_in_is_on_the_register_and_not_on_the_roster() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "walk-ins");
    let newcomer: MemberId = fay.post(&path, json!({ "mark": "present" })).await.must(201).id("member");
    fay.post(&path, json!({ "member": newcomer, "mark": "present" })).await.must(201);
    fay.post(&path, json!({ "member": ann, "mark": "present" })).await.refused(409, "on-roster");
    fay.post(&path, json!({ "mark": "absent" })).await.refused(409, "walk-in-absent");
    let changed = fay.mark(meeting, newcomer, "late").await.must(204);
    let expected = [
        json!({ "member": newcomer, "mark": "present", "mode": "in_person", "walk_in": true }),
        json!({ "member": newcomer, "mark": "late", "mode": "in_person", "walk_in": true }),
    ];
    let written: Vec<_> = world.written(meeting).await.into_iter().skip(2).map(|(_, data)| data).collect();
    assert_eq!(written, expected);
    assert!(world.types_of(group).await.iter().filter(|name| *name == "enrolment.started").count() == 1);
    let register = fay.read(&at(meeting, "register"), changed.at()).await.must(200).json();
    let line = register["members"].as_array().and_then(|all| all.iter().find(|line| line["member"] == json!(newcomer)));
    let line = line.expect("on the register");
    assert_eq!((&line["walk_in"], &line["mark"]), (&json!(true), &json!("late")));
    assert_eq!(register["not_recorded"], 1, "{register}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_counted_by_category_and_a_new_count_replaces_the_one_before() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let meeting = world.open_meeting(group).await;
    let path = at(meeting, "headcount");
    fay.put(&path, json!({ "heads": { "newcomer": 2, "child": 0 } })).await.must(204);
    fay.put(&path, json!({ "heads": { "visitor": 3, "newcomer": 1 } })).await.must(204);
    fay.put(&path, json!({ "heads": { "visitor": 10_001 } })).await.refused(409, "too-many-heads");
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    fay.put(&path, json!({ "heads": { "visitor": 4 } })).await.refused(409, "reason-needed");
    let counted = fay.put(&path, json!({ "heads": { "visitor": 4 }, "reason": "miscounted" })).await.must(204);
    let heads: Vec<_> =
        world.written(meeting).await.into_iter().filter(|(name, _)| name == "headcount.recorded").collect();
    let expected = [
        json!({ "heads": { "newcomer": 2 } }),
        json!({ "heads": { "newcomer": 1, "visitor": 3 } }),
        json!({ "heads": { "visitor": 4 }, "reason": "sealed" }),
    ];
    assert_eq!(heads.into_iter().map(|(_, data)| sealed(data)).collect::<Vec<_>>(), expected);
    let register = fay.read(&at(meeting, "register"), counted.at()).await.must(200).json();
    assert_eq!(register["meeting"]["heads"], json!({ "visitor": 4 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_keeps_the_old_mark_and_the_reason() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let correct =
        async |member: MemberId, body: Value| fay.post(&format!("{}/correction", mark_of(meeting, member)), body).await;
    fay.mark(meeting, ann, "absent").await.must(204);
    correct(ann, json!({ "mark": "late", "reason": "too soon" })).await.refused(409, "register-open");
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    fay.mark(meeting, ann, "present").await.refused(409, "register-closed");
    fay.mark(meeting, ann, "absent").await.must(204);
    correct(ann, json!({ "mark": "late" })).await.refused(422, "malformed");
    correct(ann, json!({ "mark": "late", "reason": "came by the back door" })).await.must(204);
    correct(bob, json!({ "mark": "present", "mode": "phone", "reason": "forgotten" })).await.must(204);
    correct(ann, json!({ "reason": "it was somebody else" })).await.must(204);
    correct(MemberId(Uuid::from_u128(0x99)), json!({ "mark": "late", "reason": "?" }))
        .await
        .refused(404, "unknown-member");
    let late = json!({ "mark": "late", "mode": "in_person" });
    let expected = [
        json!({ "member": ann, "was": { "mark": "absent" }, "now": late, "reason": "sealed" }),
        json!({ "member": bob, "was": null, "now": { "mark": "present", "mode": "phone" }, "reason": "sealed" }),
        json!({ "member": ann, "was": late, "now": null, "reason": "sealed" }),
    ];
    let written: Vec<_> =
        world.written(meeting).await.into_iter().filter(|(name, _)| name == "attendance.corrected").collect();
    assert_eq!(written.into_iter().map(|(_, data)| sealed(data)).collect::<Vec<_>>(), expected);
    world.settle().await;
    let register = fay.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!(register["not_recorded"], 1, "ann is not recorded any more: {register}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_recorded_is_never_absent() {
    let world = World::start().await;
    let (group, fay) = (world.group().await, world.coordinator());
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    fay.mark(meeting, ann, "present").await.must(204);
    let held = fay.post(&at(meeting, "hold"), Value::Null).await.must(204).at();
    let register = fay.read(&at(meeting, "register"), held).await.must(200).json();
    let line = register["members"].as_array().and_then(|all| all.iter().find(|line| line["member"] == json!(bob)));
    assert_eq!(line, Some(&json!({ "member": bob, "walk_in": false, "corrected": false })), "no mark at all");
    assert_eq!((&register["not_recorded"], &register["meeting"]["marks"]["absent"]), (&json!(1), &json!(0)));
    let member = fay.read(&format!("/v1/members/{bob}"), held).await.must(200).json();
    assert_eq!(member["last_seen"], Value::Null);
    assert_eq!(
        (&member["groups"][0]["missed_in_a_row"], &member["groups"][0]["attended_in_a_row"]),
        (&json!(0), &json!(0))
    );
    let group = fay.read(&format!("/v1/groups/{group}"), held).await.must(200).json();
    assert_eq!(group["last_meetings"][0]["marks"], json!({ "present": 1, "late": 0, "excused": 0, "absent": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_comes_to_a_virtual_meeting_comes_by_video_unless_said_otherwise() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann, bob] = world.enrolled(group).await;
    world.settle().await;
    let mut details = admin.get(&format!("/v1/groups/{group}")).await.must(200).json()["details"].clone();
    details["mode"] = "virtual".into();
    admin.put(&format!("/v1/groups/{group}"), details).await.must(204);
    let meeting = world.open_meeting(group).await;
    admin.mark(meeting, ann, "present").await.must(204);
    admin.put(&mark_of(meeting, bob), json!({ "mark": "late", "mode": "phone" })).await.must(204);
    admin
        .put(&mark_of(meeting, bob), json!({ "mark": "absent", "mode": "phone" }))
        .await
        .refused(409, "mode-of-absent");
    let modes: Vec<_> =
        world.written(meeting).await.into_iter().skip(2).map(|(_, data)| data["mode"].clone()).collect();
    assert_eq!(modes, ["video", "phone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_reaches_the_meetings_of_their_own_groups_only() {
    let world = World::start().await;
    let (own, other) = (world.group().await, world.group().await);
    let [ann] = world.enrolled(other).await;
    let meeting = world.open_meeting(other).await;
    let before = world.events().await.len();
    let fay = world.facilitator([own]);
    fay.mark(meeting, ann, "present").await.refused(403, "forbidden");
    fay.put(&at(meeting, "attendance"), json!({ "marks": [] })).await.refused(403, "forbidden");
    fay.put(&at(meeting, "headcount"), json!({ "heads": {} })).await.refused(403, "forbidden");
    fay.post(&at(meeting, "walk-ins"), json!({ "mark": "late" })).await.refused(403, "forbidden");
    for operation in ["open", "hold"] {
        fay.post(&at(meeting, operation), Value::Null).await.refused(403, "forbidden");
    }
    for operation in ["cancel", "did-not-occur", "reinstate", "reopen"] {
        fay.post(&at(meeting, operation), why("?")).await.refused(403, "forbidden");
    }
    fay.post(&at(meeting, "report"), json!({})).await.refused(403, "forbidden");
    fay.command(Method::DELETE, &mark_of(meeting, ann), "k", &Value::Null).await.refused(403, "forbidden");
    let correction = format!("{}/correction", mark_of(meeting, ann));
    fay.post(&correction, json!({ "mark": "late", "reason": "?" })).await.refused(403, "forbidden");
    let enrolments = format!("/v1/groups/{other}/enrolments");
    fay.post(&enrolments, json!({ "starts_on": "2026-06-01" })).await.refused(403, "forbidden");
    let withdrawal = format!("{enrolments}/{ann}/withdrawal");
    fay.post(&withdrawal, json!({ "ends_on": "2026-06-01" })).await.refused(403, "forbidden");
    let unknown = MeetingId(Uuid::from_u128(0x99));
    fay.post(&at(unknown, "open"), Value::Null).await.refused(404, "unknown-meeting");
    assert_eq!(world.events().await.len(), before);
    world.facilitator([own, other]).mark(meeting, ann, "present").await.must(204);
}
