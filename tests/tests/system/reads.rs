//! What is read back: views of groups, members, registers; pages; read your writes.

use std::collections::BTreeSet;

use domain::{GroupId, MeetingId, MemberId};
use serde_json::{Value, json};
use tests::world::{Actor, World, at, details, get};
use uuid::Uuid;
use web::Role;

use crate::operations::{Operation, Operations, Things};

/// Holds the group's meetings of these days, with these marks.
async fn held(world: &World, group: GroupId, marks: &[(&str, &[(MemberId, &str)])]) -> Vec<MeetingId> {
    let admin = world.admin();
    let mut meetings = Vec::new();
    for (day, marks) in marks {
        let meeting = world.meeting(group, day).await;
        world.set_time(&format!("{day}T23:00:00Z"));
        admin.post(&at(meeting, "open"), Value::Null).await.must(204);
        for (member, mark) in *marks {
            admin.mark(meeting, *member, mark).await.must(204);
        }
        admin.post(&at(meeting, "hold"), Value::Null).await.must(204);
        meetings.push(meeting);
    }
    world.settle().await;
    meetings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shows_what_is_next_what_was_and_what_nobody_reported() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let [ann, bob] = world.enrolled(group).await;
    admin.enrol(group, "2026-08-01").await;
    let past =
        held(&world, group, &[("2026-06-02", &[(ann, "present"), (bob, "absent")]), ("2026-06-09", &[(ann, "late")])])
            .await;
    let ahead = json!({ "from": "2026-06-10", "through": "2026-08-10" });
    admin.post(&format!("/v1/groups/{group}/meetings"), ahead).await.must(200);
    let of = |day: &str| MeetingId::of(group, format!("{day}T19:00:00").parse().expect("a local time"));
    let why = json!({ "reason": "holiday" });
    admin.post(&at(of("2026-06-16"), "cancel"), why.clone()).await.must(204);
    admin.post(&at(of("2026-06-23"), "did-not-occur"), why).await.must(204);
    world.set_time("2026-07-02T12:00:00Z"); // 30 June is over, and nobody said a word
    world.settle().await;
    let view = admin.get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(view["meetings"], json!({ "held": 2, "cancelled": 1, "did_not_occur": 1, "not_reported": 1 }));
    assert_eq!(view["roster_size"], 2, "one more comes in August");
    let days: Vec<_> =
        view["next_meetings"].as_array().expect("a list").iter().map(|next| &next["starts_at_local"]).collect();
    let tuesdays =
        ["2026-07-07", "2026-07-14", "2026-07-21", "2026-07-28", "2026-08-04"].map(|day| format!("{day}T19:00:00"));
    assert_eq!(days, tuesdays.each_ref());
    let last = view["last_meetings"].as_array().expect("a list");
    assert_eq!((&last[0]["id"], &last[1]["id"]), (&json!(past[1]), &json!(past[0])), "latest first");
    assert_eq!(last[1]["marks"], json!({ "present": 1, "late": 0, "excused": 0, "absent": 1 }));
    assert_eq!(
        (&view["details"]["name"], &view["schedule"]["time_zone"]),
        (&json!("Steps"), &json!("America/New_York"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_shows_groups_last_seen_and_streaks_that_excuses_and_gaps_do_not_break() {
    let world = World::start().await;
    let (group, other) = (world.group().await, world.group().await);
    let [ann, bob] = world.enrolled(group).await;
    world
        .admin()
        .post(&format!("/v1/groups/{other}/enrolments"), json!({ "member": ann, "starts_on": "2026-03-01" }))
        .await
        .must(201);
    let marks: [(&str, &[(MemberId, &str)]); 5] = [
        ("2026-06-02", &[(ann, "absent"), (bob, "present")]),
        ("2026-06-09", &[(ann, "present"), (bob, "absent")]),
        ("2026-06-16", &[(ann, "excused"), (bob, "excused")]),
        ("2026-06-23", &[(bob, "absent")]), // ann is not recorded
        ("2026-06-30", &[(ann, "late")]),
    ];
    held(&world, group, &marks).await;
    let show =
        async |member: MemberId| world.member(member).get(&format!("/v1/members/{member}")).await.must(200).json();
    let of = |view: &Value, group: GroupId| {
        let groups = view["groups"].as_array().expect("groups").iter();
        groups.clone().find(|row| row["group"] == json!(group)).expect("the group").clone()
    };
    let view = show(ann).await;
    assert_eq!(view["last_seen"], "2026-06-30T23:00:00Z");
    let row = of(&view, group);
    assert_eq!((&row["attended_in_a_row"], &row["missed_in_a_row"]), (&json!(2), &json!(0)));
    assert_eq!(row["enrolments"], json!([{ "stage": "active", "starts_on": "2026-01-01", "ends_on": null }]));
    let row = of(&view, other);
    assert_eq!((&row["last_seen"], &row["attended_in_a_row"]), (&Value::Null, &json!(0)));
    let row = of(&show(bob).await, group);
    assert_eq!((&row["attended_in_a_row"], &row["missed_in_a_row"]), (&json!(0), &json!(2)));
    assert_eq!(row["last_seen"], "2026-06-02T23:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_themselves_only() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob] = world.enrolled(group).await;
    world.settle().await;
    world.member(ann).get(&format!("/v1/members/{ann}")).await.must(200);
    world.member(ann).get(&format!("/v1/members/{bob}")).await.refused(403, "forbidden");
    world.anyone(Role::Member).get(&format!("/v1/members/{ann}")).await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reported_is_listed_until_somebody_does() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let path = format!("/v1/groups/{group}/meetings");
    admin.post(&path, json!({ "from": "2026-04-01", "through": "2026-06-30" })).await.must(200);
    world.settle().await;
    let overdue = admin.pages("/v1/overdue-registers", 2).await;
    let ends: Vec<_> = overdue.iter().map(|row| row["ends_at"].as_str().expect("a time")).collect();
    assert_eq!(overdue.len(), 8, "Tuesdays from 7 April to 26 May");
    assert!(ends.is_sorted() && ends[0] == "2026-04-08T00:30:00Z", "oldest first: {ends:?}");
    let first: MeetingId = serde_json::from_value(overdue[0]["id"].clone()).expect("an id");
    admin.post(&at(first, "open"), Value::Null).await.must(204);
    world.settle().await;
    assert_eq!(admin.pages("/v1/overdue-registers", 200).await.len(), 8, "open is not reported");
    admin.post(&at(first, "hold"), Value::Null).await.must(204);
    let second: MeetingId = serde_json::from_value(overdue[1]["id"].clone()).expect("an id");
    admin.post(&at(second, "cancel"), json!({ "reason": "flood" })).await.must(204);
    world.settle().await;
    assert_eq!(admin.pages("/v1/overdue-registers", 200).await, overdue[2..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_to_the_end_gives_each_row_once() {
    let world = World::start().await;
    let admin = world.admin();
    let programme = admin.programme("Ünïcode, \"quoted\" & 100 %").await;
    for name in ["B", "A", "A", "Ä", "a", "A b", "\"; --"] {
        admin.group(programme, name).await;
        admin.programme(name).await;
    }
    let group = admin.group(programme, "last").await;
    let members = world.enrolled::<7>(group).await;
    let year = json!({ "from": "2026-01-01", "through": "2026-03-31" });
    admin.post(&format!("/v1/groups/{group}/meetings"), year).await.must(200);
    world.settle().await;
    let lists = [
        ("/v1/groups".to_owned(), "id", 8),
        ("/v1/programmes".to_owned(), "id", 8),
        (format!("/v1/groups/{group}/roster?on=2026-06-01"), "member", members.len()),
        (format!("/v1/groups/{group}/meetings"), "id", 13),
        (format!("/v1/groups/{group}/meetings?from=2026-02-01&through=2026-02-28"), "id", 4),
    ];
    for (path, key, count) in lists {
        let whole = admin.pages(&path, 200).await;
        assert_eq!(whole.len(), count, "{path}");
        let different: BTreeSet<_> = whole.iter().map(|row| row[key].as_str().expect("an id")).collect();
        assert_eq!(different.len(), count, "{path}");
        for limit in [1, 2, 3, count] {
            assert_eq!(admin.pages(&path, limit).await, whole, "{path}, {limit} at a time");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_not_understood() {
    let world = World::start().await;
    let group = world.group().await;
    world.settle().await;
    let paths = ["/v1/groups", "/v1/programmes", "/v1/overdue-registers"].map(str::to_owned);
    let of_group = ["roster", "meetings"].map(|list| format!("/v1/groups/{group}/{list}"));
    for path in paths.into_iter().chain(of_group) {
        for query in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=x",
            "limit=1&limit=2",
            "after=",
            "after=x",
            "after={}",
            "after=%5B%5D",
            "page=2",
        ] {
            world.admin().get(&format!("{path}?{query}")).await.refused(422, "malformed");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_a_write_sees_it() {
    let world = World::start().await;
    let (group, admin) = (world.group().await, world.admin());
    let members = world.enrolled::<5>(group).await;
    let meeting = world.open_meeting(group).await;
    for (number, member) in members.into_iter().enumerate() {
        let position = admin.mark(meeting, member, "present").await.must(204).at();
        let read = admin.read(&at(meeting, "register"), position).await.must(200);
        assert!(read.at() >= position);
        assert_eq!(read.json()["meeting"]["marks"]["present"], number + 1);
    }
    let held = admin.post(&at(meeting, "hold"), Value::Null).await.must(204).at();
    let report = admin.read("/v1/reports/reach?from=2026-06&through=2026-06", held).await.must(200);
    assert_eq!((report.at(), &report.json()["rows"][0]["people"]), (held, &json!(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_a_write_that_never_was_does_not_wait_for_it() {
    let world = World::start().await;
    let group = world.group().await;
    world.settle().await;
    let admin = world.admin();
    let head = world.log().head().borrow().0;
    let (other, ahead) = (world.admin_of("another").sealed(head).await, admin.sealed(head + 1).await);
    let good = admin.sealed(head).await;
    let many = vec![&*good; web::AFTER_POSITIONS_MAX + 1].join(",");
    let cut = &good[1..];
    for bad in ["", "x", "-1", "1.5", "99999999999999999999", "1", &other, &ahead, &many, cut] {
        let request = get("/v1/groups").header("kith-after", bad);
        admin.send(request, "").await.refused(400, "position-unknown");
    }
    let (path, end) = (format!("/v1/groups/{group}"), world.log().head().borrow().0);
    world.admin().read(&path, end).await.must(200);
    for never in [end + 1, u64::MAX] {
        world.admin().read(&path, never).await.refused(400, "position-unknown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_sees_their_own_groups_only() {
    let world = World::start().await;
    let (own, other) = (world.group().await, world.group().await);
    let meeting = world.meeting(other, "2026-06-02").await;
    world.settle().await;
    let fay = world.facilitator([own]);
    let listed: Vec<_> = fay.pages("/v1/groups", 50).await.into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(listed, [json!(own)]);
    assert!(world.facilitator([]).pages("/v1/groups", 50).await.is_empty());
    fay.get(&format!("/v1/groups/{own}")).await.must(200);
    for path in ["", "/roster", "/meetings"] {
        fay.get(&format!("/v1/groups/{other}{path}")).await.refused(403, "forbidden");
    }
    fay.get(&at(meeting, "register")).await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_organisation_looks_just_like_what_is_not_there() {
    let world = World::start().await;
    let ours = Things::of(&world).await;
    let nowhere = Things {
        group: GroupId(Uuid::from_u128(1)),
        meeting: MeetingId(Uuid::from_u128(2)),
        member: MemberId(Uuid::from_u128(3)),
        other: MemberId(Uuid::from_u128(5)),
        programme: domain::ProgrammeId(Uuid::from_u128(4)),
        client: domain::ClientId(Uuid::from_u128(5)),
        partner: domain::PartnerId(Uuid::from_u128(6)),
        service: ours.service,
        need: domain::NeedId(Uuid::from_u128(7)),
        referral: domain::AttemptId(Uuid::from_u128(8)),
        endpoint: domain::EndpointId(Uuid::from_u128(9)),
    };
    world.settle().await;
    let before = world.events().await.len();
    let operations = Operations::of(&world).await;
    let mut probed = 0;
    for operation in operations.all().filter(|operation| operation.names_a_thing()) {
        let role: web::Role = operation.roles[0].parse().expect("a role");
        let stranger = world.somebody("south-star", role, "stranger", vec![ours.group, nowhere.group]);
        let real = stranger.send(operation.request(&ours, &stranger.key()), operation.body(&ours)).await;
        let unknown = stranger.send(operation.request(&nowhere, &stranger.key()), operation.body(&nowhere)).await;
        let id = &operation.id;
        assert_eq!(real.status, unknown.status, "{id}");
        assert_eq!(real.body, unknown.body, "{id}: {}", real.json());
        let shown =
            |answer: &tests::http::Answer| -> Vec<_> { answer.headers.keys().map(ToString::to_string).collect() };
        assert_eq!(shown(&real), shown(&unknown), "{id}");
        assert_eq!(real.status, 404, "{id}: {}", real.json());
        probed += 1;
    }
    assert!(probed > 15, "{probed}");
    assert_eq!(world.events().await.len(), before, "something was written");
    let stranger = world.admin_of("south-star");
    assert!(stranger.pages("/v1/groups", 50).await.is_empty() && stranger.pages("/v1/programmes", 50).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_cannot_be_put_under_a_programme_of_another_organisation() {
    let world = World::start().await;
    let theirs = world.admin_of("south-star").programme("Theirs").await;
    let body = json!({ "details": details(theirs, "Ours") });
    world.admin().post("/v1/groups", body).await.refused(404, "unknown-programme");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_member_id_in_two_organisations_is_two_members() {
    let world = World::start().await;
    let (ours, ann) = (world.group().await, MemberId(Uuid::from_u128(77)));
    let south = world.admin_of("south-star");
    let programme = south.programme("South").await;
    let theirs = south.group(programme, "South").await;
    let enrol = json!({ "member": ann, "starts_on": "2026-01-01" });
    for admin in [world.admin(), south.clone()] {
        admin.post("/v1/members", json!({ "member": ann })).await.must(201);
    }
    world.admin().post(&format!("/v1/groups/{ours}/enrolments"), enrol.clone()).await.must(201);
    south.post(&format!("/v1/groups/{theirs}/enrolments"), enrol).await.must(201);
    world.settle().await;
    for (admin, group) in [(world.admin(), ours), (south, theirs)] {
        let view = admin.get(&format!("/v1/members/{ann}")).await.must(200).json();
        assert_eq!(view["groups"].as_array().map(Vec::len), Some(1));
        assert_eq!(view["groups"][0]["group"], json!(group));
    }
}

/// By how much the median answer about somebody else's thing may be slower than that about nothing.
const SAME_CLASS: f64 = 1.5;
/// So often it is measured again, a count: what tells does so each time, what else the machine does now and then.
const MEASURED_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn how_long_an_answer_takes_does_not_tell_another_organisations_things_from_none() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    world.settle().await;
    let nothing = Uuid::from_u128(7).to_string();
    for operation in Operations::of(&world).await.all().filter(|operation| operation.names_a_thing()) {
        let roles = Role::ALL.into_iter().filter(|role| operation.roles.contains(&role.as_str().to_owned()));
        let Some(role) = roles.max_by_key(|role| *role == Role::Admin) else { continue };
        if role == Role::Member {
            continue; // they are refused before anything is looked up
        }
        let caller = world.somebody("south-star", role, "curious", vec![]);
        let target = operation.target(&things);
        let absent = operation.path_with(|name| if name == "purpose" { "statistics".into() } else { nothing.clone() });
        let absent = target.split_once('?').map_or(absent.clone(), |(_, query)| format!("{absent}?{query}"));
        let (mut theirs, mut none) = (0.0, 0.0);
        let told = async || {
            [theirs, none] = medians(&caller, operation, [&target, &absent], &things).await;
            theirs >= none * SAME_CLASS || none >= theirs * SAME_CLASS
        };
        let tells = all_of(MEASURED_MAX, told).await;
        assert!(!tells, "{}: {theirs} s for what is there, {none} s for what is not", operation.id);
    }
}

/// Whether it is so each time; once it is not, nothing more is tried.
async fn all_of(times: usize, mut is_so: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..times {
        if !is_so().await {
            return false;
        }
    }
    true
}

/// How long answers take in the middle, in seconds: asked in turn, as the machine gets slower and faster.
async fn medians(caller: &Actor, operation: &Operation, targets: [&str; 2], things: &Things) -> [f64; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..41 {
        for (took, target) in took.iter_mut().zip(targets) {
            let asked = std::time::Instant::now();
            let answer = caller.send(operation.request_to(target, &caller.key()), operation.body(things)).await;
            took.push(asked.elapsed());
            assert_ne!(answer.status, 429, "{}: it was not looked at", operation.id);
        }
    }
    took.map(|mut took| {
        took.sort_unstable();
        took[took.len() / 2].as_secs_f64()
    })
}

/// Every value in an answer, with where it is.
fn values(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| values(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => items.iter().for_each(|value| values(value, at, found)),
        value => found.push((at.to_owned(), value.to_string())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_says_where_the_log_is_nor_whether_others_wrote() {
    let world = World::start().await;
    let (admin, auditor, things) = (world.admin(), world.anyone(Role::Auditor), Things::of(&world).await);
    // Somebody else fills the log, so that its positions are numbers that nothing else has by chance.
    for n in 0..120 {
        world.admin_of("another").post("/v1/programmes", json!({ "name": format!("Other {n}") })).await.must(201);
    }
    let before = world.log().head().borrow().0;
    for n in 0..3 {
        admin.patch(&format!("/v1/members/{}", things.other), json!({ "alias": format!("Other {n}") })).await.must(204);
        admin.get(&format!("/v1/members/{}", things.other)).await.must(200);
    }
    world.settle().await;
    let erased = admin.post(&format!("/v1/members/{}/erasure", things.member), Value::Null).await.must(200);
    world.settle().await;
    let last = world.log().head().borrow().0;
    let mut answers = vec![erased];
    for path in [
        "/v1/audit?limit=2".to_owned(),
        format!("/v1/members/{}/accesses?limit=1", things.other),
        format!("/v1/members/{}/record", things.other),
        format!("/v1/groups/{}/roster?limit=1&stage=withdrawn", things.group),
        "/v1/reports/reach?from=2026-06&through=2026-06".to_owned(),
    ] {
        let reader = if path.starts_with("/v1/audit") { &auditor } else { &admin };
        answers.push(reader.get(&path).await.must(200));
    }
    for answer in &answers {
        let mut found = Vec::new();
        values(&answer.json(), "", &mut found);
        for (at, value) in found {
            let number = value.trim_matches('"').trim_matches(['[', ']']).parse::<u64>();
            assert!(!number.is_ok_and(|number| (before..=last).contains(&number)), "{at} is {value}");
        }
        let told = answer.header("kith-position").expect("a position");
        assert!(told.len() > 100 && told.bytes().all(|digit| digit.is_ascii_digit()), "{told}");
    }
    // Nothing happened, and nobody can tell.
    let (one, two) = (admin.get("/v1/groups").await.must(200), admin.get("/v1/groups").await.must(200));
    assert_eq!(one.at(), two.at());
    assert_ne!(one.header("kith-position"), two.header("kith-position"));
    // Pages go on where they ended, for those who were told where.
    let page = auditor.get("/v1/audit?limit=1").await.must(200).json();
    let next = tests::world::encoded(page["next"].as_str().expect("there is more"));
    auditor.get(&format!("/v1/audit?limit=1&after={next}")).await.must(200);
    let other = world.somebody("another", Role::Auditor, "auditor", vec![]);
    other.get(&format!("/v1/audit?limit=1&after={next}")).await.refused(422, "malformed");
}
