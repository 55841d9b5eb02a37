//! Reach over HTTP: numbers that can be counted by hand.

use domain::{GroupId, MeetingId, ProgrammeId};
use serde_json::{Value, json};
use tests::world::{Actor, World, at, details, mark_of};
use web::Role;

/// Two programmes, three meetings held, one cancelled, one not reported. The people by hand:
///
/// | meeting | programme | mode | members who came | heads |
/// |---|---|---|---|---|
/// | 2 June | Recovery | in person | ann (in person), bob (late, phone) | 3 |
/// | 9 June | Recovery | in person | ann, walk-in | 0 |
/// | 7 July | Hope | virtual | bob (video) | 2 |
///
/// Absent, excused, not recorded: nobody was reached. At the meeting not reported, ann was marked all the same.
struct History {
    recovery: ProgrammeId,
    hope: ProgrammeId,
}

async fn hold(admin: &Actor, meeting: MeetingId) -> u64 {
    admin.post(&at(meeting, "hold"), Value::Null).await.must(204).at()
}

async fn open(world: &World, admin: &Actor, group: GroupId, day: &str) -> MeetingId {
    let meeting = admin.meeting(group, day).await;
    world.set_time(&format!("{day}T23:00:00Z"));
    admin.post(&at(meeting, "open"), Value::Null).await.must(204);
    meeting
}

async fn history(world: &World, admin: &Actor) -> History {
    let (recovery, hope) = (admin.programme("Recovery").await, admin.programme("Hope").await);
    let (steps, online) = (admin.group(recovery, "Steps").await, admin.group(hope, "Online").await);
    let mut virtually = details(hope, "Online");
    virtually["mode"] = "virtual".into();
    admin.put(&format!("/v1/groups/{online}"), virtually).await.must(204);
    let (ann, bob, cid) = (
        admin.enrol(steps, "2026-01-01").await,
        admin.enrol(steps, "2026-01-01").await,
        admin.enrol(steps, "2026-01-01").await,
    );
    admin
        .post(&format!("/v1/groups/{online}/enrolments"), json!({ "member": bob, "starts_on": "2026-01-01" }))
        .await
        .must(201);

    let june_2 = open(world, admin, steps, "2026-06-02").await;
    admin.mark(june_2, ann, "present").await.must(204);
    admin.put(&mark_of(june_2, bob), json!({ "mark": "late", "mode": "phone" })).await.must(204);
    admin.mark(june_2, cid, "absent").await.must(204);
    admin.put(&at(june_2, "headcount"), json!({ "heads": { "newcomer": 9 } })).await.must(204);
    admin.put(&at(june_2, "headcount"), json!({ "heads": { "visitor": 2, "child": 1 } })).await.must(204);
    hold(admin, june_2).await;

    let june_9 = open(world, admin, steps, "2026-06-09").await;
    admin.mark(june_9, ann, "absent").await.must(204);
    admin.mark(june_9, bob, "excused").await.must(204);
    admin.post(&at(june_9, "walk-ins"), json!({ "mark": "present" })).await.must(201);
    hold(admin, june_9).await;
    let correction = json!({ "mark": "present", "reason": "mistaken for somebody else" });
    admin.post(&format!("{}/correction", mark_of(june_9, ann)), correction).await.must(204);

    let cancelled = admin.meeting(steps, "2026-06-16").await;
    admin.post(&at(cancelled, "cancel"), json!({ "reason": "flood" })).await.must(204);
    let forgotten = open(world, admin, steps, "2026-06-23").await;
    admin.mark(forgotten, cid, "present").await.must(204);

    let july_7 = open(world, admin, online, "2026-07-07").await;
    admin.mark(july_7, bob, "present").await.must(204);
    admin.put(&at(july_7, "headcount"), json!({ "heads": { "supporter": 2 } })).await.must(204);
    hold(admin, july_7).await;
    // The group moves afterwards; its past stays where it was.
    let moved = details(recovery, "Online");
    admin.put(&format!("/v1/groups/{online}"), moved).await.must(204);
    world.settle().await;
    History { recovery, hope }
}

async fn rows(admin: &Actor, query: &str) -> Value {
    admin.get(&format!("/v1/reports/reach?{query}")).await.must(200).json()["rows"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn reach_is_what_can_be_counted_by_hand() {
    let world = World::start().await;
    let admin = world.admin();
    let History { recovery, hope } = history(&world, &admin).await;
    let total = json!([{
        "people": 3, "attendances": 5, "attendances_in_person": 3, "attendances_video": 1, "attendances_phone": 1,
        "meetings_held": 3, "anonymous_heads": 5, "reach_lower": 5, "reach_upper": 8,
    }]);
    assert_eq!(rows(&admin, "from=2026-06&through=2026-07").await, total);
    let june = json!({
        "month": "2026-06", "programme": recovery, "programme_name": "Recovery", "mode": "in_person",
        "people": 3, "attendances": 4, "attendances_in_person": 3, "attendances_video": 0, "attendances_phone": 1,
        "meetings_held": 2, "anonymous_heads": 3, "reach_lower": 5, "reach_upper": 6,
    });
    let july = json!({
        "month": "2026-07", "programme": hope, "programme_name": "Hope", "mode": "virtual",
        "people": 1, "attendances": 1, "attendances_in_person": 0, "attendances_video": 1, "attendances_phone": 0,
        "meetings_held": 1, "anonymous_heads": 2, "reach_lower": 3, "reach_upper": 3,
    });
    let by_all = rows(&admin, "from=2026-06&through=2026-07&by=month,programme,mode").await;
    assert_eq!(by_all, json!([june, july]));
    let nothing = rows(&admin, "from=2026-05&through=2026-05&by=month").await;
    assert_eq!(nothing, json!([]));
    let nothing = rows(&admin, "from=2026-05&through=2026-05").await;
    assert_eq!((&nothing[0]["people"], &nothing[0]["reach_upper"]), (&json!(0), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_for_admins_and_says_in_every_form_that_it_is_internal() {
    let world = World::start().await;
    let admin = world.admin();
    history(&world, &admin).await;
    let path = "/v1/reports/reach?from=2026-06&through=2026-07&by=programme";
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
        world.anyone(role).get(path).await.refused(403, "forbidden");
    }
    let json = admin.get(path).await.must(200).json();
    assert_eq!(json["classification"], "internal, not for publication");
    let people = json["measures"].as_array().and_then(|all| all.iter().find(|measure| measure["column"] == "people"));
    assert_eq!(people, Some(&json!({ "column": "people", "unit": "person", "additive": false })));
    let answer = admin.get(&format!("{path}&format=csv")).await.must(200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    assert!(answer.header("content-disposition").is_some_and(|name| name.contains("internal")), "{answer:?}");
    let csv = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].contains("people (person)"), "{csv}");
    for line in &lines[1..] {
        assert!(line.starts_with("\"internal, not for publication\","), "{csv}");
    }
    let numbers: Vec<_> = lines[2].rsplit(',').take(9).collect();
    assert_eq!(numbers, ["6", "5", "3", "2", "1", "0", "3", "4", "3"], "Recovery, from the right: {csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_is_not_in_the_numbers() {
    let world = World::start().await;
    let (admin, south) = (world.admin(), world.admin_of("south-star"));
    history(&world, &admin).await;
    let query = "from=2026-06&through=2026-07&by=month,programme,mode";
    assert_eq!(rows(&south, query).await, json!([]));
    let before = rows(&admin, query).await;
    history(&world, &south).await;
    assert_eq!(rows(&admin, query).await, before);
    assert_eq!(rows(&south, query).await[0]["people"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_corrected_later_changes_the_number() {
    let world = World::start().await;
    let admin = world.admin();
    let group = world.group().await;
    let [ann, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    admin.mark(meeting, ann, "present").await.must(204);
    admin.mark(meeting, bob, "absent").await.must(204);
    hold(&admin, meeting).await;
    let correct = async |member, body: Value| {
        let corrected = admin.post(&format!("{}/correction", mark_of(meeting, member)), body).await.must(204);
        let path = "/v1/reports/reach?from=2026-06&through=2026-06";
        admin.read(path, corrected.at()).await.must(200).json()["rows"][0]["people"].clone()
    };
    assert_eq!(correct(bob, json!({ "mark": "late", "reason": "came late" })).await, 2);
    assert_eq!(correct(ann, json!({ "reason": "somebody else" })).await, 1);
    assert_eq!(correct(bob, json!({ "mark": "excused", "reason": "no" })).await, 0);
}
