//! Groups from listings of all kinds: how to join them, what is not listed any more, and copies of our own.

use domain::GroupId;
use hyper::Request;
use serde_json::{Value, json};
use tests::{
    http::Answer,
    process::{self, Server},
    world::{ORG, World},
};

const EXAMPLE: &str = include_str!("../../data/tsml/example.json");
const NAWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/naws-export.csv");
/// In no event, view or log in clear.
const SECRET: &str = "zqxsecretzqx";

async fn import(world: &World, kind: &str, more: &str, listing: &Value) -> Answer {
    let admin = world.admin();
    let path = format!("/v1/imports/{kind}?time_zone=america/new_york{more}");
    let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", admin.key());
    admin.send(request, listing.to_string()).await
}

/// Created, changed, unchanged, rejected.
fn counts(report: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "rejected"].map(|count| report["groups"][count].as_u64().expect("a count"))
}

/// A listing of BMLT of these meetings: id, whether it is published.
fn bmlt(meetings: &[(u32, bool)]) -> Value {
    let meeting = |(id, published): &(u32, bool)| {
        json!({ "id_bigint": id, "weekday_tinyint": 2, "start_time": "19:00:00", "duration_time": "01:00:00",
            "published": u8::from(*published), "meeting_name": format!("Meeting {id}"), "venue_type": "2",
            "virtual_meeting_link": format!("https://meet.example.org/{id}?pwd={SECRET}"),
            "virtual_meeting_additional_info": format!("password {SECRET}") })
    };
    meetings.iter().map(meeting).collect()
}

/// The group with this name.
async fn named(world: &World, name: &str) -> GroupId {
    world.settle().await;
    let groups = world.admin().get("/v1/groups").await.must(200).json();
    let found = groups["items"].as_array().expect("groups").iter().find(|group| group["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {groups}"))["id"].as_str().expect("an id").parse().expect("an id")
}

/// Whether the words stand anywhere in the log.
async fn in_the_log(world: &World, words: &str) -> bool {
    let has = |bytes: &[u8]| bytes.windows(words.len()).any(|part| part == words.as_bytes());
    world.events().await.iter().any(|event| has(&event.data) || has(&event.metadata))
}

#[tokio::test(flavor = "multi_thread")]
async fn how_to_join_is_shown_to_members_of_the_group_and_those_who_run_it_and_to_nobody_else() {
    let world = World::start().await;
    import(&world, "bmlt", "", &bmlt(&[(1, false)])).await.must(200);
    let group = named(&world, "Meeting 1").await;
    let other = world.group().await;
    let [member] = world.enrolled(group).await;
    let [stranger] = world.enrolled(other).await;
    world.settle().await;
    let path = format!("/v1/groups/{group}/joining");
    let url = format!("https://meet.example.org/1?pwd={SECRET}");
    for who in [world.admin(), world.facilitator([group]), world.member(member)] {
        let shown = who.get(&path).await.must(200).json();
        assert_eq!((&shown["joining"]["url"], &shown["public"]), (&json!(url), &json!(false)), "{shown}");
        assert_eq!(shown["joining"]["instructions"], format!("password {SECRET}"));
    }
    world.member(stranger).get(&path).await.refused(404, "not-found");
    world
        .member(stranger)
        .get("/v1/groups/018f3c7a-0000-7000-8000-000000000099/joining")
        .await
        .refused(404, "not-found");
    world.facilitator([other]).get(&path).await.refused(403, "forbidden");
    world.admin_of("south-star").get(&path).await.refused(404, "not-found");
    let shown = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(shown["online"]["joining"]["url"], json!(url));
    let auditor = world.anyone(web::Role::Auditor);
    let shown = auditor.get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert!(shown["online"].is_null() && !shown.to_string().contains(SECRET), "{shown}");
    assert!(!in_the_log(&world, SECRET).await, "it is sealed");
}

async fn nobody_joins(world: &World, path: &str) {
    let admin = world.admin();
    let take = Request::put(path).header("content-type", "application/json").header("idempotency-key", admin.key());
    admin.send(take, "null").await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_listing_publishes_is_public_unless_it_is_kept_private_and_that_is_not_undone() {
    let world = World::start().await;
    import(&world, "bmlt", "&links=private", &bmlt(&[(1, true)])).await.must(200);
    let group = named(&world, "Meeting 1").await;
    assert!(!in_the_log(&world, SECRET).await);
    let again = import(&world, "bmlt", "&links=private", &bmlt(&[(1, true)])).await.must(200).json();
    assert_eq!(counts(&again), [0, 0, 1, 0]);
    let public = import(&world, "bmlt", "", &bmlt(&[(1, true)])).await.must(200).json();
    assert_eq!(counts(&public), [0, 0, 1, 0], "what is private stays so");
    nobody_joins(&world, &format!("/v1/groups/{group}/joining")).await;
    let public = import(&world, "bmlt", "", &bmlt(&[(1, true)])).await.must(200).json();
    assert_eq!(counts(&public), [0, 1, 0, 0]);
    world.settle().await;
    let shown = world.anyone(web::Role::Auditor).get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(shown["online"]["public"], true, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_to_join_is_set_by_those_who_run_the_group_and_taken_away_again() {
    let world = World::start().await;
    let group = world.group().await;
    let path = format!("/v1/groups/{group}/joining");
    let joining = json!({ "joining": { "url": "https://meet.example.org/x", "instructions": SECRET } });
    world.facilitator([]).put(&path, joining.clone()).await.refused(403, "forbidden");
    world.admin_of("south-star").put(&path, joining.clone()).await.refused(404, "unknown-group");
    world.facilitator([group]).put(&path, joining.clone()).await.must(204);
    let before = world.events().await.len();
    world.admin().put(&path, joining).await.must(204);
    assert_eq!(world.events().await.len(), before, "the same again changes nothing");
    assert!(!in_the_log(&world, SECRET).await);
    for wrong in [
        json!({ "joining": {} }),
        json!({ "joining": { "instructions": "words only" } }),
        json!({ "joining": { "url": "javascript:alert(1)" } }),
        json!({ "joining": { "url": "https://user:word@example.org/" } }),
        json!({ "url": "https://meet.example.org/x" }),
    ] {
        world.admin().put(&path, wrong).await.refused(422, "malformed");
    }
    nobody_joins(&world, &path).await;
    world.settle().await;
    assert_eq!(world.admin().get(&path).await.must(200).json(), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_any_more_is_told_and_unlisted_on_request_and_listed_when_it_is_back() {
    let world = World::start().await;
    import(&world, "bmlt", "", &bmlt(&[(1, true), (2, true), (3, true)])).await.must(200);
    import(&world, "bmlt", "&source=elsewhere", &bmlt(&[(7, true)])).await.must(200);
    let now = bmlt(&[(1, true)]);
    let before = world.events().await.len();
    for more in ["", "&dry_run=true", "&missing=unlist&dry_run=true"] {
        let report = import(&world, "bmlt", more, &now).await.must(200).json();
        assert_eq!((&report["missing"]["count"], world.events().await.len()), (&json!(2), before), "{more}: {report}");
        let names: Vec<_> =
            report["missing"]["groups"].as_array().expect("groups").iter().map(|group| &group["name"]).collect();
        assert_eq!(names, ["Meeting 2", "Meeting 3"]);
        assert_eq!(report["missing"]["unlisted"], if more.contains("unlist") { 2 } else { 0 });
    }
    let done = import(&world, "bmlt", "&missing=unlist", &now).await.must(200).json();
    assert_eq!((&done["missing"]["unlisted"], counts(&done)), (&json!(2), [0, 0, 1, 0]));
    let group = named(&world, "Meeting 2").await;
    let shown = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert!(shown["details"]["listed"] == false && shown["schedule"].is_object(), "{shown}");
    let again = import(&world, "bmlt", "&missing=unlist", &now).await.must(200).json();
    assert_eq!((&again["missing"]["count"], &again["missing"]["unlisted"]), (&json!(2), &json!(0)));
    let back = import(&world, "bmlt", "", &bmlt(&[(1, true), (2, true), (3, true)])).await.must(200).json();
    assert_eq!((counts(&back), &back["missing"]["count"]), ([0, 2, 1, 0], &json!(0)));
    let shown = world.admin().get(&format!("/v1/groups/{group}")).await;
    let _ = shown.must(200);
    world.settle().await;
    assert_eq!(world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json()["details"]["listed"], true);
    import(&world, "bmlt", "&missing=unlist", &json!([])).await.refused(422, "malformed");
    let rejected = json!([{ "id_bigint": 1 }, { "id_bigint": 2 }, { "id_bigint": 3 }]);
    let report = import(&world, "bmlt", "&missing=unlist", &rejected).await.must(200).json();
    assert_eq!((counts(&report), &report["missing"]["count"]), ([0, 0, 0, 3], &json!(0)), "they are still named");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_example_of_the_meeting_guide_is_imported_once() {
    let world = World::start().await;
    let feed: Value = serde_json::from_str(EXAMPLE).expect("JSON");
    let dry = import(&world, "meeting-guide", "&dry_run=true", &feed).await.must(200).json();
    let mut wet = import(&world, "meeting-guide", "", &feed).await.must(200).json();
    assert_eq!(counts(&wet), [1, 0, 0, 0]);
    wet["dry_run"] = true.into();
    assert_eq!(dry, wet);
    let written = world.events().await.len();
    let again = import(&world, "meeting-guide", "", &feed).await.must(200).json();
    assert_eq!((counts(&again), world.events().await.len()), ([0, 0, 1, 0], written));
    let group = named(&world, "Sunday Serenity").await;
    let shown = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!((&shown["details"]["mode"], &shown["schedule"]["duration_minutes"]), (&json!("in_person"), &json!(90)));
    assert_eq!(shown["schedule"]["time_zone"], "America/New_York");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_group_of_our_own_changes_nothing_and_of_another_organisations_it_is_a_group() {
    let world = World::start().await;
    let group = world.group().await;
    let feed = json!([{ "slug": format!("steps-{group}"), "name": "Another name", "day": 1, "time": "18:00" }]);
    let before = world.events().await.len();
    let report = import(&world, "meeting-guide", "", &feed).await.must(200).json();
    assert_eq!((counts(&report), &report["copies"]), ([0, 0, 0, 0], &json!(1)));
    assert_eq!(world.events().await.len(), before, "neither is a programme made");
    let south = world.admin_of("south-star");
    let there = south.post("/v1/imports/meeting-guide?time_zone=UTC", feed).await.must(200).json();
    assert_eq!((counts(&there), &there["copies"]), ([1, 0, 0, 0], &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_our_own_columns_become_groups_of_programmes_that_are_named_or_here() {
    let world = World::start().await;
    let programme = world.programme().await;
    let rows = json!([
        { "name": "A", "programme": programme, "weekday": "Tue", "starts_at": "19:00", "online_url": "https://a.example/",
            "online_instructions": SECRET },
        { "name": "B", "programme": "Renewal", "cost": "fee", "cost_details": "5 dollars", "listed": "yes" },
        { "name": "C", "programme": "018f3c7a-0000-7000-8000-000000000099" },
    ]);
    let report = import(&world, "groups", "&focus=other", &rows).await.must(200).json();
    assert_eq!((counts(&report), &report["programmes"]["created"]), ([2, 0, 0, 1], &json!(1)));
    assert_eq!(report["remarks"][0]["what"], "is the id of no programme");
    assert!(!in_the_log(&world, SECRET).await);
    let again = import(&world, "groups", "&focus=other", &rows).await.must(200).json();
    assert_eq!(counts(&again), [0, 0, 2, 1]);
    let group = named(&world, "B").await;
    let details = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json()["details"].clone();
    assert_eq!((&details["cost"], &details["cost_details"]), (&json!("fee"), &json!("5 dollars")));
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_and_files_of_groups_are_imported_from_the_command_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let url = format!("http://{}", server.address);
    let run = |arguments: &[&str]| {
        let output = process::run(arguments, &data);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let import = |kind: &str, file: &str, more: &[&str]| {
        let arguments = ["import", kind, file, "--org", ORG, "--time-zone", "us/eastern", "--url", &url];
        run(&[&arguments[..], more].concat())
    };
    let counted = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("groups")).expect("a line on groups").to_owned();
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    };
    let dry = import("naws", NAWS, &["--dry-run"]);
    let first = import("naws", NAWS, &[]);
    assert_eq!((counted(&dry), counted(&first)), (vec![3, 0, 0, 1], vec![3, 0, 0, 1]), "{first}");
    assert!(first.contains("line 6 (id bmlt-253), delete: says that the meeting was deleted"), "{first}");
    assert!(first.contains("line 5") && first.contains("is not a code of NAWS"), "{first}");
    assert_eq!(counted(&import("naws", NAWS, &[])), [0, 0, 3, 1]);

    let template = run(&["import", "groups", "--template"]);
    let header = template.lines().next().expect("a line");
    assert!(header.starts_with("id,name,programme,") && template.contains("# what the group is called"), "{template}");
    let file = dir.path().join("groups.csv");
    let cells = header.split(',').map(|column| match column {
        "name" => "Tuesday Steps",
        "weekday" => "Tue",
        "starts_at" => "7:30 PM",
        "mode" => "in space",
        _ => "",
    });
    let row = cells.collect::<Vec<_>>().join(",");
    std::fs::write(&file, format!("{template}{row}\n")).expect("a file");
    let file = file.to_str().expect("a path");
    let said = import("groups", file, &["--focus", "mental-health"]);
    assert_eq!(counted(&said), [1, 0, 0, 0], "{said}");
    assert!(said.contains("line 3") && said.contains("mode: is none of in_person, virtual, online, hybrid"), "{said}");
    std::fs::write(file, "name,weekday,starts_at\nOther,Wed,18:00\n").expect("a file");
    let said = import("groups", file, &["--missing", "unlist"]);
    assert!(said.contains("missing  Tuesday Steps") && said.contains("1 groups from this source are not"), "{said}");
}
