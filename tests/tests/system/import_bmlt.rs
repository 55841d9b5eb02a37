//! Groups from a listing of BMLT.

use hyper::Request;
use serde_json::{Value, json};
use tests::{http::Answer, world::World};

const GREATER_NEW_YORK: &str = include_str!("../../data/bmlt-greater-new-york.json");
const PATH: &str = "/v1/imports/bmlt?time_zone=America/New_York";
/// Most remarks that a report quotes, a count.
const REMARKS_MAX: usize = 1_000;

async fn import_of(world: &World, org: &str, key: &str, path: &str, listing: &str) -> Answer {
    let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
    world.admin_of(org).send(request, listing.to_owned()).await
}

async fn import(world: &World, key: &str, path: &str, listing: &str) -> Answer {
    import_of(world, tests::world::ORG, key, path, listing).await
}

/// Types of all events in the log.
async fn types(world: &World) -> Vec<String> {
    world.events().await.iter().map(|event| event.event_type.to_string()).collect()
}

fn counts(of: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "rejected"].map(|count| of[count].as_u64().expect("a count"))
}

fn small(names: [&str; 3]) -> String {
    let meeting = |(id, name): (usize, &str)| {
        json!({ "id_bigint": id, "service_body_bigint": id % 2, "weekday_tinyint": 2, "start_time": "19:00:00",
            "duration_time": "01:00:00", "published": id % 2, "meeting_name": name, "location_street": "1 Main St",
            "latitude": 40.7, "longitude": -73.9 })
    };
    let bodies = json!([{ "id": 0, "name": "North" }, { "id": 1, "name": "South" }]);
    json!({ "meetings": names.into_iter().enumerate().map(meeting).collect::<Value>(), "service_bodies": bodies })
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_listing_is_imported_once_and_importing_it_again_writes_nothing() {
    let world = World::start().await;
    let report = import(&world, "k1", PATH, GREATER_NEW_YORK).await.must(200).json();
    assert_eq!(counts(&report["groups"]), [1_115, 0, 0, 0]);
    assert_eq!(counts(&report["programmes"]), [27, 0, 0, 0]);
    assert_eq!((&report["unlisted"], report["remarks"].as_array().map(Vec::len)), (&json!(40), Some(4)));
    let written = types(&world).await.len();
    assert_eq!(written, 27 + 2 * 1_115);
    let same = import(&world, "k1", PATH, GREATER_NEW_YORK).await.must(200).json();
    assert_eq!(same, report, "the same command again");
    let again = import(&world, "k2", PATH, GREATER_NEW_YORK).await.must(200).json();
    assert_eq!(counts(&again["groups"]), [0, 0, 1_115, 0]);
    assert_eq!(counts(&again["programmes"]), [0, 0, 27, 0]);
    assert_eq!(types(&world).await.len(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let world = World::start().await;
    let dry = format!("{PATH}&dry_run=true");
    let dry = import(&world, "k1", &dry, &small(["A", "B", "C"])).await.must(200).json();
    assert_eq!(types(&world).await, Vec::<String>::new());
    let mut wet = import(&world, "k2", PATH, &small(["A", "B", "C"])).await.must(200).json();
    assert_eq!(counts(&wet["groups"]), [3, 0, 0, 0]);
    wet["dry_run"] = true.into();
    assert_eq!(dry, wet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_listing_writes_only_what_changed() {
    let world = World::start().await;
    import(&world, "k1", PATH, &small(["A", "B", "C"])).await.must(200);
    let before = types(&world).await.len();
    let report = import(&world, "k2", PATH, &small(["A", "B, renamed", "C"])).await.must(200).json();
    assert_eq!(counts(&report["groups"]), [0, 1, 2, 0]);
    assert_eq!(types(&world).await[before..], ["group.changed"]);
    let later = small(["A", "B, renamed", "C"]).replace("19:00:00", "19:30:00");
    let report = import(&world, "k3", PATH, &later).await.must(200).json();
    assert_eq!(counts(&report["groups"]), [0, 3, 0, 0]);
    assert_eq!(types(&world).await[before + 1..], ["group.scheduled"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_cannot_be_used_is_reported_and_the_others_are_imported() {
    let world = World::start().await;
    let report = import(&world, "k", PATH, &small(["A", " ", "C"])).await.must(200).json();
    assert_eq!(counts(&report["groups"]), [2, 0, 0, 1]);
    let remark = json!({ "index": 1, "meeting": "1", "field": "meeting_name", "value": "", "what": "has no name",
        "severity": "rejected" });
    assert_eq!(report["remarks"], json!([remark]));
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_and_servers_do_not_meet() {
    let world = World::start().await;
    import(&world, "k1", PATH, &small(["A", "B", "C"])).await.must(200);
    let there = import_of(&world, "south-star", "k1", PATH, &small(["A", "B", "C"])).await.must(200).json();
    assert_eq!(counts(&there["groups"]), [3, 0, 0, 0]);
    let other = format!("{PATH}&source=other.org");
    let other = import(&world, "k2", &other, &small(["A", "B", "C"])).await.must(200).json();
    assert_eq!(counts(&other["groups"]), [3, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_as_a_whole() {
    let world = World::start().await;
    for (key, path, listing) in [
        ("k1", PATH, "no JSON"),
        ("k2", PATH, "{}"),
        ("k3", "/v1/imports/bmlt", "[]"),
        ("k4", "/v1/imports/bmlt?time_zone=Mars/Olympus", "[]"),
        ("k5", "/v1/imports/bmlt?time_zone=America/New_York&source=a:b", "[]"),
        ("k6", "/v1/imports/bmlt?time_zone=America/New_York&sauce=bmlt", "[]"),
    ] {
        import(&world, key, path, listing).await.refused(422, "malformed");
    }
    let empty = import(&world, "k7", PATH, "[]").await.must(200).json();
    assert_eq!(counts(&empty["groups"]), [0; 4]);
    assert_eq!(types(&world).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_quotes_only_so_many_remarks() {
    let world = World::start().await;
    let listing = format!("[{}null]", "null,".repeat(REMARKS_MAX));
    let report = import(&world, "k", &format!("{PATH}&dry_run=true"), &listing).await.must(200).json();
    assert_eq!(report["remarks"].as_array().map(Vec::len), Some(REMARKS_MAX));
    assert_eq!((&report["remarks_left_out"], &report["groups"]["rejected"]), (&json!(1), &json!(1_001)));
}
