//! Programmes, groups, their calendars, and the meetings that are planned by them.

use domain::{GroupId, ProgrammeId};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{World, details, tuesdays},
};
use uuid::Uuid;

/// An id of nothing.
const NOTHING: Uuid = Uuid::from_u128(0x99);

/// A world at noon of 1 March 2026, and a programme in it.
async fn in_march() -> (World, ProgrammeId) {
    let world = World::start().await;
    world.set_time("2026-03-01T12:00:00Z");
    let programme = world.programme().await;
    (world, programme)
}

async fn group(world: &World, programme: ProgrammeId, schedule: Value) -> GroupId {
    let body = json!({ "details": details(programme, "Steps"), "schedule": schedule });
    world.admin().post("/v1/groups", body).await.must(201).id("id")
}

/// Types of all events in the log.
async fn types(world: &World) -> Vec<String> {
    world.events().await.iter().map(|event| event.event_type.to_string()).collect()
}

async fn plan(world: &World, group: impl std::fmt::Display, (from, through): (&str, &str)) -> Answer {
    world.admin().post(&format!("/v1/groups/{group}/meetings"), json!({ "from": from, "through": through })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programme_is_registered_once_however_often_it_is_sent() {
    let world = World::start().await;
    let register = json!({ "name": "Recovery" });
    let admin = world.admin();
    let first = admin.command(Method::POST, "/v1/programmes", "k", &register).await.must(201).json();
    let again = admin.command(Method::POST, "/v1/programmes", "k", &register).await.must(201).json();
    assert_eq!(first, again);
    assert_eq!(types(&world).await, ["programme.registered"]);
    admin.post("/v1/programmes", json!({ "name": " " })).await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_registered_with_its_calendar_in_one_under_a_programme_of_the_same_organisation() {
    let (world, programme) = in_march().await;
    let body = json!({ "details": details(programme, "Steps"), "schedule": tuesdays() });
    world.admin_of("south-star").post("/v1/groups", body.clone()).await.refused(404, "unknown-programme");
    let admin = world.admin();
    let first = admin.command(Method::POST, "/v1/groups", "k", &body).await.must(201).json();
    assert_eq!(admin.command(Method::POST, "/v1/groups", "k", &body).await.must(201).json(), first);
    assert_eq!(types(&world).await, ["programme.registered", "group.registered", "group.scheduled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_a_calendar_that_cannot_be_or_too_many_formats_is_not_understood() {
    let (world, programme) = in_march().await;
    let mut never = tuesdays();
    never["recurrence"] = "FREQ=HOURLY".into();
    let body = json!({ "details": details(programme, "Steps"), "schedule": never });
    world.admin().post("/v1/groups", body).await.refused(422, "malformed");
    let mut many = details(programme, "Steps");
    many["formats"] = (0..41).map(|n| format!("Format {n}")).collect::<Value>();
    world.admin().post("/v1/groups", json!({ "details": many })).await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_details_again_change_nothing() {
    let (world, programme) = in_march().await;
    let path = format!("/v1/groups/{}", group(&world, programme, Value::Null).await);
    world.admin().put(&path, details(programme, "Steps")).await.must(204);
    assert_eq!(types(&world).await, ["programme.registered", "group.registered"]);
    world.admin().put(&path, details(programme, "Renamed")).await.must(204);
    assert_eq!(types(&world).await[2..], ["group.changed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_cannot_be_made_by_changing_it_nor_moved_to_a_programme_that_is_not_there() {
    let (world, programme) = in_march().await;
    let path = format!("/v1/groups/{}", group(&world, programme, Value::Null).await);
    let (same, elsewhere) = (details(programme, "Steps"), details(ProgrammeId(NOTHING), "Steps"));
    world.admin().put(&format!("/v1/groups/{NOTHING}"), same.clone()).await.refused(404, "unknown-group");
    world.admin().put(&path, elsewhere).await.refused(404, "unknown-programme");
    world.admin_of("south-star").put(&path, same).await.refused(404, "unknown-group");
    assert_eq!(types(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_set_and_taken_away() {
    let (world, programme) = in_march().await;
    let path = format!("/v1/groups/{}/schedule", group(&world, programme, Value::Null).await);
    let admin = world.admin();
    admin.put(&path, tuesdays()).await.must(204);
    admin.put(&path, tuesdays()).await.must(204);
    let none = Request::put(&path).header("content-type", "application/json").header("idempotency-key", admin.key());
    admin.send(none, "null").await.must(204);
    assert_eq!(types(&world).await[2..], ["group.scheduled", "group.unscheduled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_needs_a_group_and_a_rule_that_names_days() {
    let (world, programme) = in_march().await;
    let path = format!("/v1/groups/{}/schedule", group(&world, programme, Value::Null).await);
    let admin = world.admin();
    admin.put(&format!("/v1/groups/{NOTHING}/schedule"), tuesdays()).await.refused(404, "unknown-group");
    let mut never = tuesdays();
    never["recurrence"] = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30".into();
    let problem = admin.put(&path, never).await.refused(422, "malformed");
    assert!(problem["detail"].as_str().expect("text").ends_with("it names no day"), "{problem}");
    admin.put(&path, json!({})).await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_twice_writes_nothing_and_a_longer_range_only_what_is_new() {
    let (world, programme) = in_march().await;
    let group = group(&world, programme, tuesdays()).await;
    let planned = async |days| plan(&world, group, days).await.must(200).json();
    assert_eq!(planned(("2026-03-01", "2026-03-31")).await, json!({ "planned": 5, "unchanged": 0, "unplanned": 0 }));
    let before = types(&world).await.len();
    assert_eq!(planned(("2026-03-01", "2026-03-31")).await, json!({ "planned": 0, "unchanged": 5, "unplanned": 0 }));
    assert_eq!(types(&world).await.len(), before);
    assert_eq!(planned(("2026-03-31", "2026-04-30")).await, json!({ "planned": 4, "unchanged": 1, "unplanned": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_days_is_planned_at_once() {
    let (world, programme) = in_march().await;
    let mut daily = tuesdays();
    daily["recurrence"] = "FREQ=DAILY".into();
    let group = group(&world, programme, daily).await;
    let plans = plan(&world, group, ("2026-01-10", "2027-01-09")).await.must(200).json();
    assert_eq!(plans, json!({ "planned": 365, "unchanged": 0, "unplanned": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_meetings_follow_a_group_that_goes_online() {
    let (world, programme) = in_march().await;
    let group = group(&world, programme, tuesdays()).await;
    let week = ("2026-03-01", "2026-03-07");
    plan(&world, group, week).await.must(200);
    let mut online = details(programme, "Steps");
    online["mode"] = "virtual".into();
    world.admin().put(&format!("/v1/groups/{group}"), online).await.must(204);
    assert_eq!(
        plan(&world, group, week).await.must(200).json(),
        json!({ "planned": 1, "unchanged": 0, "unplanned": 0 })
    );
    assert_eq!(types(&world).await.last().expect("an event"), "meeting.replanned");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_planned_is_refused() {
    let (world, programme) = in_march().await;
    let group = group(&world, programme, Value::Null).await;
    let week = ("2026-03-01", "2026-03-07");
    plan(&world, NOTHING, week).await.refused(404, "unknown-group");
    plan(&world, group, week).await.refused(409, "no-schedule");
    for days in [
        ("2026-03-07", "2026-03-01"),
        ("2024-12-01", "2025-01-01"), // today is 2026-03-01
        ("2026-03-01", "2027-04-06"),
        ("2025-12-01", "2027-03-01"),
    ] {
        plan(&world, group, days).await.refused(422, "malformed");
    }
    assert_eq!(types(&world).await.len(), 2);
}
