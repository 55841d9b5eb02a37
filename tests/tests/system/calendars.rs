//! Calendars that programs subscribe to: of listed groups, for anybody, and of those who lead groups, at an address of
//! their own. They are read here by a parser that is not ours, and expanded by it.

use domain::GroupId;
use hyper::Request;
use icalendar::{Calendar, Component, Event, EventLike};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{World, details, get, tuesdays},
};

use crate::guide::{self, Shell};

/// A group with this calendar; `listed`: whether it may be shown in public.
async fn group_with(world: &World, schedule: &Value, listed: bool) -> GroupId {
    let programme = world.programme().await;
    let mut details = details(programme, "Steps; evening, \"ten\"\\");
    details["listed"] = listed.into();
    details["comments"] = "Die Tür ist blau: bitte zweimal klingeln, dann öffnet jemand. 请按两次门铃，谢谢".into();
    details["venue"] = json!({ "name": "St Anne", "street": "1 Main St", "locality": "New York",
        "coordinates": { "latitude": 40.5, "longitude": -73.25 } });
    world.admin().post("/v1/groups", json!({ "details": details, "schedule": schedule })).await.must(201).id("id")
}

fn public_path(group: GroupId) -> String {
    format!("/v1/public/{}/groups/{group}/calendar.ics", tests::world::ORG)
}

/// What a program gets that sends no token.
async fn read(world: &World, path: &str) -> Answer {
    world.settle().await;
    world.nobody().send(get(path), String::new()).await
}

fn text_of(answer: &Answer) -> String {
    let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    text
}

fn events_of(text: &str) -> Vec<Event> {
    let calendar: Calendar = text.parse().expect("a calendar");
    calendar.events().cloned().collect()
}

/// The instants at which the first event recurs, in seconds, as another's library expands it.
fn starts(text: &str, most: u16) -> Vec<i64> {
    let calendar: Calendar = text.parse().expect("a calendar");
    let event = calendar.calendar_events().next().expect("an event");
    let set = event.get_recurrence().expect("a rule that can be expanded");
    let dates = set.all(most).dates;
    dates.into_iter().map(|date| date.timestamp()).collect()
}

/// The meetings that are planned of the group on these days.
async fn planned(world: &World, group: GroupId, (from, through): (&str, &str)) -> Vec<Value> {
    let admin = world.admin();
    admin.post(&format!("/v1/groups/{group}/meetings"), json!({ "from": from, "through": through })).await.must(200);
    world.settle().await;
    let path = format!("/v1/groups/{group}/meetings?from={from}&through={through}&limit=200");
    admin.get(&path).await.must(200).json()["items"].as_array().cloned().expect("a list")
}

fn second(meeting: &Value) -> i64 {
    tests::world::time(meeting["starts_at"].as_str().expect("a time")).as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_subscribes_to_a_listed_group_and_another_library_finds_the_meetings_that_are_planned() {
    let world = World::start().await;
    let mut schedule = tuesdays();
    schedule["except"] = json!(["2026-06-09"]);
    let group = group_with(&world, &schedule, true).await;
    let answer = read(&world, &public_path(group)).await.must(200);
    assert_eq!(answer.headers["content-type"], "text/calendar; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "public, max-age=60");
    let known = answer.headers["etag"].to_str().unwrap().to_owned();
    let again = Request::get(public_path(group)).header("if-none-match", known);
    assert_eq!(world.nobody().send(again, String::new()).await.status, 304);
    let text = text_of(&answer);
    let events = events_of(&text);
    let [event] = &events[..] else { panic!("one event: {text}") };
    assert_eq!(event.get_uid(), Some(group.to_string().as_str()));
    assert_eq!(event.get_summary(), Some("Steps; evening, \"ten\"\\"));
    assert_eq!(event.property_value("GEO"), Some("40.500000;-73.250000"));
    assert_eq!(event.get_location(), Some("St Anne, 1 Main St, New York"));
    // Over the end of summer time on 1 November 2026.
    let meetings = planned(&world, group, ("2026-06-01", "2026-12-31")).await;
    let expected: Vec<_> = meetings.iter().map(second).collect();
    let found: Vec<_> = starts(&text, 160).into_iter().filter(|start| *start >= expected[0]).collect();
    assert_eq!(found[..expected.len()], expected);
    assert!(expected.len() > 28, "{}", expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_not_listed_or_somebody_elses_has_no_public_calendar() {
    let world = World::start().await;
    let listed = group_with(&world, &tuesdays(), true).await;
    let unlisted = group_with(&world, &tuesdays(), false).await;
    let without = group_with(&world, &Value::Null, true).await;
    for path in [
        public_path(unlisted),
        public_path(without),
        public_path(listed).replace(tests::world::ORG, "south-star"),
        public_path(listed).replace(tests::world::ORG, "NOT-ONE"),
    ] {
        read(&world, &path).await.refused(404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_cancelled_is_told_as_cancelled_by_the_same_uid_and_a_higher_sequence() {
    let world = World::start().await;
    let group = group_with(&world, &tuesdays(), true).await;
    let meetings = planned(&world, group, ("2026-06-02", "2026-06-16")).await;
    let before = events_of(&text_of(&read(&world, &public_path(group)).await.must(200)));
    let second = meetings[1]["id"].as_str().unwrap();
    let cancel = format!("/v1/meetings/{second}/cancel");
    world.admin().post(&cancel, json!({ "reason": "the room is flooded" })).await.must(204);
    let text = text_of(&read(&world, &public_path(group)).await.must(200));
    assert!(!text.contains("flooded"), "why is for those who work here");
    let events = events_of(&text);
    let [master, other] = &events[..] else { panic!("two events: {text}") };
    assert_eq!((other.get_uid(), other.property_value("STATUS")), (master.get_uid(), Some("CANCELLED")));
    assert_eq!(other.property_value("RECURRENCE-ID"), Some("20260609T190000"));
    let sequence = |event: &Event| event.property_value("SEQUENCE").unwrap().parse::<u64>().unwrap();
    assert!(sequence(other) > sequence(&before[0]));
    let reinstate = format!("/v1/meetings/{second}/reinstate");
    world.admin().post(&reinstate, json!({ "reason": "it is dry" })).await.must(204);
    let again = events_of(&text_of(&read(&world, &public_path(group)).await.must(200)));
    assert_eq!(again.len(), 1);
}

/// Assigns somebody to a group.
async fn assign(world: &World, subject: &str, group: GroupId) {
    let body = json!({ "subject": subject, "duty": "facilitator", "starts_on": "2026-01-01" });
    world.coordinator().post(&format!("/v1/groups/{group}/assignments"), body).await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_subscribes_to_their_groups_at_an_address_of_their_own_that_ends_with_the_assignment() {
    let world = World::start().await;
    let (own, also) = (group_with(&world, &tuesdays(), false).await, group_with(&world, &tuesdays(), true).await);
    let other = group_with(&world, &tuesdays(), true).await;
    let fay = world.facilitator([]);
    fay.post("/v1/calendars", Value::Null).await.refused(409, "no-groups");
    assign(&world, "fay", own).await;
    assign(&world, "fay", also).await;
    let added = fay.post("/v1/calendars", Value::Null).await.must(201).json();
    let path = added["path"].as_str().expect("it is told once").to_owned();
    let answer = read(&world, &path).await.must(200);
    assert_eq!(answer.headers["content-type"], "text/calendar; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let uids: Vec<_> = events_of(&text_of(&answer)).iter().map(|event| event.get_uid().unwrap().to_owned()).collect();
    let mut expected = [own.to_string(), also.to_string()];
    expected.sort();
    assert_eq!(uids, expected, "not {other}");
    let bare = path.strip_suffix(".ics").unwrap();
    read(&world, bare).await.must(200);
    for wrong in [
        format!("{}0", &bare[..bare.len() - 1]),
        bare.replace(tests::world::ORG, "south-star"),
        "/v1/calendars/nothing.ics".to_owned(),
        format!("/v1/calendars/{}", added["calendar"].as_str().unwrap()),
    ] {
        if wrong != bare {
            read(&world, &wrong).await.refused(404, "unknown-calendar");
        }
    }
    let end = |group| (format!("/v1/groups/{group}/assignments/end"), json!({ "subject": "fay" }));
    let (ends, body) = end(own);
    world.coordinator().post(&ends, body).await.must(204);
    assert_eq!(events_of(&text_of(&read(&world, &path).await.must(200))).len(), 1);
    let (ends, body) = end(also);
    world.coordinator().post(&ends, body).await.must(204);
    read(&world, &path).await.refused(404, "unknown-calendar");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_kept_nowhere_and_ends_when_it_is_revoked_or_its_subject_is_shut_out() {
    let world = World::start().await;
    let group = group_with(&world, &tuesdays(), true).await;
    assign(&world, "fay", group).await;
    assign(&world, "coordinator", group).await;
    let fay = world.facilitator([]);
    let command = |key: &'static str| {
        let fay = &fay;
        async move { fay.command(hyper::Method::POST, "/v1/calendars", key, &Value::Null).await.must(201).json() }
    };
    let (first, second) = (command("k1").await, command("k2").await);
    let again = command("k1").await;
    assert_eq!((&again["calendar"], again.get("path")), (&first["calendar"], None), "it is told once");
    let secret = |added: &Value| {
        let path = added["path"].as_str().unwrap().strip_suffix(".ics").unwrap().to_owned();
        path.rsplit('_').next().unwrap().to_owned()
    };
    let events = world.events().await;
    let log = events.iter().map(|event| String::from_utf8_lossy(&event.data).into_owned());
    let log = log.collect::<Vec<_>>().join("\n");
    assert!(!log.contains(&secret(&first)) && secret(&first).len() == 64);
    world.coordinator().post("/v1/calendars", Value::Null).await.must(201);
    let rows = |answer: Answer| answer.must(200).json()["items"].as_array().cloned().unwrap();
    assert_eq!(rows(fay.get("/v1/calendars").await).len(), 2, "their own");
    let all = rows(world.admin().get("/v1/calendars").await);
    assert_eq!(all.len(), 3);
    let of_other = all.iter().find(|row| row["subject"] == "coordinator").unwrap()["calendar"].as_str().unwrap();
    let revocation = |id: &str| format!("/v1/calendars/{id}/revocation");
    fay.post(&revocation(of_other), Value::Null).await.refused(404, "unknown-calendar");
    world.admin_of("south-star").post(&revocation(of_other), Value::Null).await.refused(404, "unknown-calendar");
    let path = |added: &Value| added["path"].as_str().unwrap().to_owned();
    read(&world, &path(&first)).await.must(200);
    for _ in 0..2 {
        fay.post(&revocation(first["calendar"].as_str().unwrap()), Value::Null).await.must(204);
    }
    read(&world, &path(&first)).await.refused(404, "unknown-calendar");
    read(&world, &path(&second)).await.must(200);
    world.admin().post("/v1/access/revocations", json!({ "subject": "fay" })).await.must(204);
    read(&world, &path(&second)).await.refused(404, "unknown-calendar");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_moved_is_seen_as_moved_and_one_that_is_called_off_is_not_there() {
    let world = World::start().await;
    let group = group_with(&world, &tuesdays(), true).await;
    planned(&world, group, ("2026-06-02", "2026-06-30")).await;
    let before = events_of(&text_of(&read(&world, &public_path(group)).await.must(200)));
    let place = |day: &str| format!("/v1/groups/{group}/occurrences/{day}");
    let moved = json!({ "starts_at_local": "2026-06-10T20:15:00", "duration_minutes": 45, "mode": "virtual", "note": "from home" });
    world.admin().put(&place("2026-06-09"), moved).await.must(204);
    world.admin().put(&place("2026-06-16"), json!({ "called_off": true })).await.must(204);
    let text = text_of(&read(&world, &public_path(group)).await.must(200));
    let events = events_of(&text);
    let [master, other] = &events[..] else { panic!("two events: {text}") };
    let sequence = |event: &Event| event.property_value("SEQUENCE").unwrap().parse::<u64>().unwrap();
    assert_eq!(other.get_uid(), before[0].get_uid());
    assert!(sequence(other) > sequence(&before[0]) && sequence(master) > sequence(&before[0]));
    assert_eq!(other.property_value("RECURRENCE-ID"), Some("20260609T190000"));
    assert_eq!(
        (other.property_value("DTSTART"), other.property_value("DURATION")),
        (Some("20260610T201500"), Some("PT45M"))
    );
    assert_eq!(other.get_location(), Some("Online"));
    assert!(other.get_description().is_some_and(|said| said.starts_with("from home")), "{text}");
    // What was planned is what another library finds, with what is moved in its place.
    let expected: Vec<_> = planned(&world, group, ("2026-06-02", "2026-06-30")).await.iter().map(second).collect();
    let moved = tests::world::time("2026-06-11T00:15:00Z").as_second();
    let from = tests::world::time("2026-06-02T00:00:00Z").as_second();
    let mut found: Vec<_> = starts(&text, 160).into_iter().filter(|start| *start >= from).take(4).collect();
    found[1] = moved; // by its RECURRENCE-ID
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_subscribes_and_imports_as_it_is_written() {
    let world = World::start().await;
    let group = group_with(&world, &tuesdays(), true).await;
    assign(&world, "fay", group).await;
    let fay = world.facilitator([]);
    let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Walk\nDTSTART:20260107T100000\nDURATION:PT1H\n\
               RRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n";
    let variables = [
        ("TOKEN", fay.token()),
        ("ADMIN", format!("Authorization: Bearer {}", world.admin().token())),
        ("ORG", tests::world::ORG.to_owned()),
        ("GROUP", group.to_string()),
        ("ICS", ics.to_owned()),
    ];
    let mut shell = Shell::new(world.nobody(), variables);
    let mut said = vec![];
    for line in guide::lines(include_str!("../../../deploy/guides/calendars.md")) {
        said.push(shell.run(line).await);
    }
    let created: Vec<_> = said.iter().filter_map(|said| said["groups"]["created"].as_u64()).collect();
    assert_eq!(created, [1, 1, 0], "a dry run, an import, and one into a group");
    world.must_be_sound().await;
}
