//! Attendance of the past from a file: over HTTP, and as `kith import attendance` is typed.

use std::{fs, path::Path};

use domain::{GroupId, MeetingId, MemberId};
use hyper::Method;
use jiff::{ToSpan, civil::date};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use tests::{
    process::{self, Server},
    world::{Actor, ORG, PATIENCE, World, at, details, seed, tuesdays},
};
use web::Role;

const PATH: &str = "/v1/imports/attendance";
const GROUP: &str = "/v1/groups";

/// A line about whom the old system calls so.
fn line(number: u32, external: &str, group: GroupId, on: &str, mark: &str) -> Value {
    json!({ "line": number, "external_id": { "system": "old", "value": external }, "group": group, "on": on,
        "mark": mark })
}

async fn import(actor: &Actor, body: Value) -> Value {
    actor.post(PATH, body).await.must(200).json()
}

fn became(report: &Value) -> Vec<&str> {
    report["lines"].as_array().expect("lines").iter().map(|line| line["became"].as_str().expect("a word")).collect()
}

/// Somebody whom the old system calls so.
async fn known(admin: &Actor, external: &str) -> MemberId {
    admin.register(json!({ "alias": external, "external_ids": [{ "system": "old", "value": external }] })).await
}

/// The group's meeting on a day, and its register.
async fn register(world: &World, group: GroupId, day: &str) -> (MeetingId, Value) {
    world.settle().await;
    let path = format!("/v1/groups/{group}/meetings?from={day}&through={day}");
    let meetings = world.admin().get(&path).await.must(200).json();
    let [meeting] = &meetings["items"].as_array().expect("meetings")[..] else { panic!("{day}: {meetings}") };
    let id: MeetingId = serde_json::from_value(meeting["id"].clone()).expect("an id");
    (id, world.admin().get(&at(id, "register")).await.must(200).json())
}

fn marks(register: &Value) -> Vec<(MemberId, Option<String>, bool)> {
    let lines = register["members"].as_array().expect("lines").iter();
    let member = |line: &Value| serde_json::from_value(line["member"].clone()).expect("an id");
    lines.map(|line| (member(line), line["mark"].as_str().map(str::to_owned), line["walk_in"] == true)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_says_what_becomes_of_it_and_a_meeting_is_recorded_at_once() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let (ann, bob) = (known(&admin, "1").await, known(&admin, "2").await);
    let cat = known(&admin, "3").await;
    admin.enrols(group, ann, "2026-01-01").await.must(201);
    admin.enrols(group, bob, "2026-03-01").await.must(201);
    let cancelled = admin.meeting(group, "2026-04-07").await;
    admin.post(&at(cancelled, "cancel"), json!({ "reason": "snow" })).await.must(204);
    let mut walks_in = line(11, "3", group, "2026-03-10", "present");
    walks_in["walk_in"] = true.into();
    let mut absent = line(12, "3", group, "2026-03-17", "absent");
    absent["walk_in"] = true.into();
    let mut extra = line(13, "1", group, "2026-03-12", "late");
    extra["extra_meeting"] = true.into();
    let mut ambiguous = line(14, "1", group, "2026-03-10", "present");
    ambiguous["member"] = json!(bob);
    let lines = json!([
        line(1, "1", group, "2026-03-10", "present"),
        line(2, "2", group, "2026-03-10", "excused"),
        line(3, "1", group, "2026-03-10", "present"),
        line(4, "1", group, "2026-03-10", "late"),
        line(5, "zq", group, "2026-03-10", "present"),
        line(6, "2", group, "2026-02-10", "present"),
        line(7, "1", group, "2026-03-11", "present"),
        line(8, "1", group, "2026-06-02", "present"),
        line(9, "1", group, "1900-01-02", "present"),
        line(10, "1", group, "2026-04-07", "present"),
        walks_in,
        absent,
        extra,
        ambiguous,
        line(15, "1", GroupId(uuid::Uuid::from_u128(7)), "2026-03-10", "present"),
    ]);
    let before = world.events().await.len();
    let dry = import(&world.coordinator(), json!({ "dry_run": true, "lines": lines })).await;
    let written = world.events().await.split_off(before);
    assert!(
        written
            .iter()
            .all(|event| event.event_type.starts_with("personal_data.") || event.event_type.starts_with("audit")),
        "{written:?}"
    );
    let report = import(&world.coordinator(), json!({ "lines": lines })).await;
    assert_eq!(dry["lines"], report["lines"]);
    let expected = [
        "new",
        "new",
        "duplicate",
        "duplicate",
        "unmatched",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "new",
        "rejected",
        "new",
        "rejected",
        "rejected",
    ];
    assert_eq!(became(&report), expected, "{report}");
    let said = |nth: usize, field: &str| report["lines"][nth][field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (&report["lines"][2]["other_line"], said(3, "what").as_str()),
        (&json!(1), "another line says something else")
    );
    for (nth, field, what) in [
        (5, "member", "had no place"),
        (6, "on", "no meeting in the group's calendar"),
        (7, "on", "future"),
        (8, "on", "before 1980"),
        (9, "on", "cancelled"),
        (11, "mark", "walk-in"),
        (13, "external_id", "more than one"),
        (14, "group", "no such group"),
    ] {
        assert!(said(nth, "field") == field && said(nth, "what").contains(what), "{nth}: {}", report["lines"][nth]);
    }
    assert!(!report.to_string().contains("zq"), "{report}");
    let (meeting, shown) = register(&world, group, "2026-03-10").await;
    let mut there = vec![
        (ann, Some("present".into()), false),
        (bob, Some("excused".into()), false),
        (cat, Some("present".into()), true),
    ];
    there.sort();
    assert_eq!(marks(&shown), there);
    let types = world.types_of(meeting).await;
    let recorded = "attendance.recorded";
    assert_eq!(types, ["meeting.planned", "meeting.opened", recorded, recorded, recorded, "meeting.held"]);
    let (_, shown) = register(&world, group, "2026-03-12").await;
    assert_eq!(
        (&shown["meeting"]["status"], &shown["meeting"]["starts_at_local"]),
        (&json!("held"), &json!("2026-03-12T19:00:00"))
    );

    // The same file again changes nothing but what is possible now.
    let events = world.events().await.len();
    let again = import(&world.coordinator(), json!({ "lines": lines })).await;
    assert_eq!((&again["new"], &again["matched"]), (&json!(0), &json!(4)), "{again}");
    let written = world.events().await.split_off(events);
    assert!(!written.iter().any(|event| event.event_type.starts_with("meeting.") || &*event.event_type == recorded));
    admin.enrols(group, cat, "2026-02-01").await.must(201);
    let late = json!([line(1, "3", group, "2026-03-17", "absent"), line(2, "1", group, "2026-03-17", "present")]);
    assert_eq!(became(&import(&admin, json!({ "lines": late })).await), ["new", "new"]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_closed_register_lacks_is_a_correction_and_what_it_says_otherwise_stays_unless_asked() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let [ann, bob, cat] = [known(&admin, "1").await, known(&admin, "2").await, known(&admin, "3").await];
    for member in [ann, bob] {
        admin.enrols(group, member, "2026-01-01").await.must(201);
    }
    world.set_time("2026-06-20T12:00:00Z");
    let open = admin.meeting(group, "2026-06-02").await;
    admin.post(&at(open, "open"), Value::Null).await.must(204);
    admin.mark(open, ann, "absent").await.must(204);
    admin.post(&at(open, "hold"), Value::Null).await.must(204);
    let mut walks_in = line(3, "3", group, "2026-06-02", "late");
    walks_in["walk_in"] = true.into();
    let lines =
        json!([line(1, "1", group, "2026-06-02", "present"), line(2, "2", group, "2026-06-02", "late"), walks_in]);
    let report = import(&admin, json!({ "lines": lines })).await;
    assert_eq!(became(&report), ["duplicate", "new", "new"], "{report}");
    assert_eq!(report["lines"][0]["what"], "the register says something else");
    let report = import(&admin, json!({ "lines": lines, "duplicates": "import" })).await;
    assert_eq!(became(&report), ["changed", "matched", "matched"], "{report}");
    let (_, shown) = register(&world, group, "2026-06-02").await;
    let marks: Vec<_> = marks(&shown).into_iter().map(|(member, mark, _)| (member, mark)).collect();
    let mut there = vec![(ann, Some("present".to_owned())), (bob, Some("late".into())), (cat, Some("late".into()))];
    there.sort();
    assert_eq!(marks, there);
    let types = world.types_of(open).await;
    assert_eq!(types[4..], ["attendance.corrected"; 3], "{types:?}");
    world.must_be_sound().await;
}

/// A file at random about some days and people of a group: some are wrong.
fn random_lines(rng: &mut StdRng, group: GroupId, lines: u32) -> Vec<Value> {
    let (marks, extra) = (["present", "late", "excused", "absent"], rng.random_bool(0.5));
    let line = |n| {
        let on = date(2026, 2, 24) + (rng.random_range(0..8) * 7 + i64::from(rng.random_bool(0.1))).days();
        let external = rng.random_range(0..8).to_string();
        let mut line = line(n, &external, group, &on.to_string(), marks[rng.random_range(0..4)]);
        line["walk_in"] = rng.random_bool(0.5).into();
        line["extra_meeting"] = extra.into();
        line
    };
    (1..=lines).map(line).collect()
}

/// A group with some of the people, from different days on.
async fn group_of(admin: &Actor, people: &[MemberId]) -> GroupId {
    let programme = admin.programme("Recovery").await;
    let group = admin.group(programme, "Steps").await;
    for (n, member) in people.iter().enumerate().filter(|(n, _)| n % 3 > 0) {
        let since = date(2026, 3, 1) + (i64::try_from(n).unwrap_or_default() * 3).days();
        admin.enrols(group, *member, &since.to_string()).await.must(201);
    }
    group
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_the_run_does_and_the_order_of_lines_that_do_not_meet_makes_no_difference() {
    let mut rng = StdRng::seed_from_u64(seed());
    let world = World::start().await;
    let admin = world.admin();
    let mut people = vec![];
    for n in 0..7 {
        people.push(known(&admin, &n.to_string()).await);
    }
    for _ in 0..6 {
        let (one, other) = (group_of(&admin, &people).await, group_of(&admin, &people).await);
        let file = random_lines(&mut rng, one, 60);
        let dry = import(&admin, json!({ "dry_run": true, "lines": file })).await;
        let run = import(&admin, json!({ "lines": file })).await;
        assert_eq!(dry["lines"], run["lines"]);
        let again = import(&admin, json!({ "dry_run": true, "lines": file })).await;
        assert_eq!((&again["new"], &again["changed"]), (&json!(0), &json!(0)), "{again}");
        // Without the lines that met others, in any order, in another group.
        let met: Vec<_> = became(&run).into_iter().map(|became| became == "duplicate").collect();
        let mut lines: Vec<_> = file.into_iter().zip(met).filter(|(_, met)| !met).map(|(line, _)| line).collect();
        lines.shuffle(&mut rng);
        for line in &mut lines {
            line["group"] = json!(other);
        }
        import(&admin, json!({ "lines": lines })).await;
        world.settle().await;
        let table = async |group: GroupId| {
            let path = format!("/v1/attendance?groups={group}&first=2026-01-01&last=2026-12-31");
            let table = admin.get(&path).await.must(200).json();
            let days: Vec<_> =
                table["meetings"].as_array().unwrap().iter().map(|one| one["starts_at_local"].clone()).collect();
            (days, table["people"].clone())
        };
        assert_eq!(table(one).await, table(other).await);
    }
    world.must_be_sound().await;
}

fn typed(path: &Path, server: &Server, data: &Path, more: &[&str]) -> (bool, String) {
    let url = format!("http://{}", server.address);
    let arguments = ["import", "attendance", path.to_str().expect("a path"), "--org", ORG, "--url", &url];
    let output = process::run(&[&arguments[..], more].concat(), data);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_as_people_have_it_is_typed_in_and_the_table_that_kith_writes_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("attendance.csv"));
    let server = Server::start(&data);
    let mut admin = server.client(ORG, Role::Admin);
    let mut keys = 0;
    let mut post = async |path: String, body: Value| {
        keys += 1;
        admin.command(Method::POST, &path, &format!("key-{keys}"), &body).await.expect("an answer").must(201)
    };
    let programme = post("/v1/programmes".into(), json!({ "name": "Recovery" })).await.id("id");
    let group: GroupId =
        post(GROUP.into(), json!({ "details": details(programme, "Steps"), "schedule": tuesdays() })).await.id("id");
    for email in ["ann@example.org", "bob@example.org"] {
        let member: MemberId = post("/v1/members".into(), json!({ "profile": { "email": email } })).await.id("member");
        post(format!("/v1/groups/{group}/enrolments"), json!({ "member": member, "starts_on": "2025-09-01" })).await;
    }
    let wide = "email,Name,7.10.2025,14.10.2025,15.10.2025\n\
        ann@example.org,Ann,x,spät,\nbob@example.org,Bob,,x,x\nzq@example.org,Zoe,x,,\n";
    fs::write(&path, wide).expect("a file");
    let id = group.to_string();
    let how = [
        "--group",
        &id,
        "--date-format",
        "day-month-year",
        "--mark",
        "x=present",
        "--mark",
        "spät=late",
        "--ignore",
        "Name",
    ];
    let (well, said) = typed(&path, &server, &data, &[&how[..], &["--dry-run"]].concat());
    assert!(!well && said.contains("       3 new") && said.contains("       1 unmatched"), "{said}");
    for wrong in ["line 3, column 15.10.2025: has no meeting", "line 4, column external_id: nobody is here"] {
        assert!(said.contains(wrong), "{said}");
    }
    assert!(!said.contains("zq") && !said.contains("Zoe"), "{said}");
    let (well, said) = typed(&path, &server, &data, &how);
    assert!(!well && said.contains("nothing was imported"), "{said}");
    let (well, said) = typed(&path, &server, &data, &[&how[..], &["--on-error", "skip"]].concat());
    assert!(well && said.contains("       3 new"), "{said}");

    let mut admin = server.client(ORG, Role::Admin);
    let table = format!("/v1/attendance?groups={group}&first=2025-10-01&last=2025-10-31&format=csv");
    // The views follow by themselves.
    let shown = async {
        loop {
            let answer = admin.get(&table, 0).await.expect("an answer").must(200);
            let ours = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
            if ours.matches("(in_person)").count() == 3 && ours.contains("not recorded") {
                break ours;
            }
            tokio::task::yield_now().await;
        }
    };
    let ours = tokio::time::timeout(PATIENCE, shown).await.expect("in time");
    fs::write(&path, &ours).expect("a file");
    let (well, said) = typed(&path, &server, &data, &["--group", &id]);
    assert!(well && said.contains("       0 new") && said.contains("       3 matched"), "{said}\n{ours}");
}
