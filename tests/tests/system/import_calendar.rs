//! Calendars of groups from a file of another program.

use domain::GroupId;
use hyper::Request;
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{ORG, World, details, get, tuesdays},
};

const PATH: &str = "/v1/imports/calendar?time_zone=Europe/Berlin";

/// As Outlook and others write calendars: two groups, of one of which one occurrence is moved and one is not held.
const FILE: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody//else//EN\r\nX-WR-CALNAME:Community centre\r\n\
    BEGIN:VEVENT\r\nUID:1@centre\r\nSUMMARY:Steps\\, evening\r\nDESCRIPTION:Ring twice\r\nLOCATION:St Anne\\, 1 Main St\r\n\
    DTSTART;TZID=W. Europe Standard Time:20260106T190000\r\nDTEND;TZID=W. Europe Standard Time:20260106T203000\r\n\
    RRULE:FREQ=WEEKLY;BYDAY=TU\r\nEXDATE;TZID=W. Europe Standard Time:20260616T190000\r\n\
    ATTENDEE;CN=Ada:mailto:ada@example.org\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:1@centre\r\nRECURRENCE-ID;TZID=W. Europe Standard Time:20260609T190000\r\nSUMMARY:Steps\\, evening\r\n\
    DTSTART;TZID=W. Europe Standard Time:20260610T200000\r\nDTEND;TZID=W. Europe Standard Time:20260610T210000\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:1@centre\r\nRECURRENCE-ID;TZID=W. Europe Standard Time:20260623T190000\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2@centre\r\nSUMMARY:Summer party\r\nDTSTART;VALUE=DATE:20260801\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:3@centre\r\nSUMMARY:Walk\r\nDTSTART:20260107T100000\r\nDURATION:PT1H\r\nRRULE:FREQ=MONTHLY;BYDAY=-5WE\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

async fn import(world: &World, key: &str, path: &str, file: impl Into<String>) -> Answer {
    let request = Request::post(path).header("content-type", "text/calendar").header("idempotency-key", key);
    world.admin().send(request, file.into()).await
}

fn counts(of: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "rejected"].map(|count| of["groups"][count].as_u64().expect("a count"))
}

async fn groups(world: &World) -> Vec<Value> {
    world.settle().await;
    world.admin().get("/v1/groups?limit=200").await.must(200).json()["items"].as_array().cloned().expect("a list")
}

async fn shown(world: &World, group: &str) -> Value {
    world.settle().await;
    world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_that_recurs_becomes_a_group_and_importing_it_again_changes_nothing() {
    let world = World::start().await;
    let dry = import(&world, "k0", &format!("{PATH}&dry_run=true"), FILE).await.must(200).json();
    assert_eq!((counts(&dry), &dry["dry_run"]), ([2, 0, 0, 1], &json!(true)));
    assert!(world.events().await.is_empty(), "a dry run writes nothing");
    let report = import(&world, "k1", PATH, FILE).await.must(200).json();
    assert_eq!((counts(&report), &report["occurrences"]), ([2, 0, 0, 1], &json!(2)));
    assert_eq!(report["remarks"], dry["remarks"]);
    let remark = &report["remarks"][0];
    assert_eq!((&remark["line"], &remark["uid"], &remark["rejected"]), (&json!(31), &json!("2@centre"), &json!(true)));
    assert!(remark["what"].as_str().unwrap().contains("whole day"), "{remark}");
    let rows = groups(&world).await;
    let [steps, walk] = &rows[..] else { panic!("two groups: {rows:?}") };
    assert_eq!((&steps["name"], &walk["name"]), (&json!("Steps, evening"), &json!("Walk")));
    assert_eq!(
        (&steps["listed"], &walk["listed"]),
        (&json!(false), &json!(false)),
        "nobody said that everybody may know"
    );
    let steps = shown(&world, steps["id"].as_str().unwrap()).await;
    assert_eq!(steps["schedule"]["time_zone"], "Europe/Berlin");
    assert_eq!(steps["schedule"]["except"], json!(["2026-06-16"]));
    assert_eq!(steps["details"]["venue"]["name"], "St Anne, 1 Main St");
    let moved = json!({ "on": "2026-06-09",
        "change": { "starts_at_local": "2026-06-10T20:00:00", "duration_minutes": 60 } });
    assert_eq!(steps["occurrences"], json!([moved, { "on": "2026-06-23", "change": { "called_off": true } }]));
    let written = world.events().await;
    assert!(!written.iter().any(|event| String::from_utf8_lossy(&event.data).contains("ada@")), "nobody is read");
    let same = import(&world, "k1", PATH, FILE).await.must(200).json();
    assert_eq!(same, report, "the same command again");
    let again = import(&world, "k2", PATH, FILE).await.must(200).json();
    assert_eq!(counts(&again), [0, 0, 2, 1]);
    assert_eq!(world.events().await.len(), written.len());
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_otherwise_later_is_so_and_what_was_set_here_stays() {
    let world = World::start().await;
    import(&world, "k1", PATH, FILE).await.must(200);
    let id = groups(&world).await[0]["id"].as_str().unwrap().to_owned();
    let mut details = shown(&world, &id).await["details"].clone();
    details["listed"] = true.into();
    details["language"] = "de".into();
    world.admin().put(&format!("/v1/groups/{id}"), details).await.must(204);
    let moved = FILE.replace("T190000", "T183000").replace("Ring twice", "Ring once");
    let report = import(&world, "k2", PATH, moved).await.must(200).json();
    assert_eq!(counts(&report), [0, 1, 1, 1]);
    let steps = shown(&world, &id).await;
    assert_eq!(
        (&steps["schedule"]["starts_at"], &steps["schedule"]["duration_minutes"]),
        (&json!("18:30:00"), &json!(120))
    );
    let kept = (&steps["details"]["listed"], &steps["details"]["language"], &steps["details"]["comments"]);
    assert_eq!(kept, (&json!(true), &json!("de"), &json!("Ring once")));
    // What the file no longer has is as the rule says again.
    let start = FILE.find("BEGIN:VEVENT\r\nUID:1@centre\r\nRECURRENCE").unwrap();
    let end = FILE.find("BEGIN:VEVENT\r\nUID:2").unwrap();
    let plain = [&FILE[..start], &FILE[end..]].concat();
    import(&world, "k3", PATH, plain).await.must(200);
    assert_eq!(shown(&world, &id).await["occurrences"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_of_one_group_is_taken_from_a_file_with_one() {
    let world = World::start().await;
    let group: GroupId = world.group().await;
    let path = format!("{PATH}&group={group}");
    let problem = import(&world, "k1", &path, FILE).await.refused(422, "malformed");
    assert!(problem["detail"].as_str().unwrap().contains("has 2 calendars"), "{problem}");
    let end = FILE.find("BEGIN:VEVENT\r\nUID:2").unwrap();
    let one = format!("{}END:VCALENDAR\r\n", &FILE[..end]);
    let before = shown(&world, &group.to_string()).await["details"].clone();
    let report = import(&world, "k2", &path, one.clone()).await.must(200).json();
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    let after = shown(&world, &group.to_string()).await;
    assert_eq!((&after["details"], &after["schedule"]["starts_at"]), (&before, &json!("19:00:00")));
    assert_eq!(after["schedule"]["time_zone"], "Europe/Berlin");
    let unknown = path.replace(&group.to_string(), "018f3c7a-0000-7000-8000-000000000099");
    import(&world, "k3", &unknown, one.clone()).await.refused(404, "unknown-group");
    let request = Request::post(&path).header("content-type", "text/calendar").header("idempotency-key", "k4");
    world.admin_of("south-star").send(request, one).await.refused(404, "unknown-group");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_calendar_imported_into_another_group_gives_the_same_and_into_its_own_changes_nothing() {
    let world = World::start().await;
    let programme = world.programme().await;
    let body = json!({ "details": details(programme, "Steps"), "schedule": tuesdays() });
    let group: GroupId = world.admin().post("/v1/groups", body).await.must(201).id("id");
    let moved = json!({ "starts_at_local": "2026-06-10T20:15:00", "mode": "virtual", "note": "from home; bring tea" });
    world.admin().put(&format!("/v1/groups/{group}/occurrences/2026-06-09"), moved).await.must(204);
    let path = format!("/v1/public/{ORG}/groups/{group}/calendar.ics");
    let feed = world.nobody().send(get(&path), String::new()).await.must(200);
    let feed = String::from_utf8(feed.body.to_vec()).unwrap();
    let own = import(&world, "k1", &format!("{PATH}&group={group}"), feed.clone()).await.must(200).json();
    assert_eq!((counts(&own), &own["remarks"]), ([0, 0, 1, 0], &json!([])));
    let report = import(&world, "k2", PATH, feed).await.must(200).json();
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    let rows = groups(&world).await;
    let other = rows.iter().find(|row| row["id"] != group.to_string()).unwrap()["id"].as_str().unwrap().to_owned();
    let (ours, theirs) = (shown(&world, &group.to_string()).await, shown(&world, &other).await);
    assert_eq!((&ours["schedule"], &ours["occurrences"]), (&theirs["schedule"], &theirs["occurrences"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_calendar_is_refused_with_the_line_that_says_so() {
    let world = World::start().await;
    for (file, detail) in [
        ("name;day\nSteps;Monday", "line 1: a calendar begins with BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", "line 2: VEVENT begins here and never ends; the file may be cut off"),
    ] {
        let problem = import(&world, detail, PATH, file).await.refused(422, "malformed");
        assert_eq!(problem["detail"], detail);
    }
    let elsewhere = PATH.replace("Europe/Berlin", "Mars/Olympus");
    import(&world, "k1", &elsewhere, FILE).await.refused(422, "malformed");
    let source = format!("{PATH}&source=Not+One");
    import(&world, "k2", &source, FILE).await.refused(422, "malformed");
    let unknown = format!("{PATH}&programme=018f3c7a-0000-7000-8000-000000000099");
    import(&world, "k3", &unknown, FILE).await.refused(404, "unknown-programme");
    let large = "X".repeat((4 << 20) + 1);
    import(&world, "k4", PATH, large).await.refused(413, "too-large");
    assert!(world.events().await.is_empty());
}
