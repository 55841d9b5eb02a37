//! What is planned of a group is what its calendar has, however often that is changed.

use std::{cell::Cell, collections::BTreeMap};

use directory::calendar::{Days, occurrences};
use domain::{
    GroupId, MeetingId, Schedule,
    group::{self, Group, MeetingMode},
    meeting::{self, Meeting, Plan},
};
use eventlog::{Cause, Reply, Streams};
use hyper::{Method, Request};
use jiff::{
    Timestamp,
    civil::{Date, date},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tests::world::{World, at, details, seed, tuesdays};
use uuid::Uuid;

/// A world at noon of Sunday, 1 March 2026, and a group that meets on Tuesdays at 19:00, planned through 30 April.
async fn tuesdays_in_march() -> (World, GroupId) {
    let world = World::start().await;
    world.set_time("2026-03-01T12:00:00Z");
    let programme = world.programme().await;
    let body = json!({ "details": details(programme, "Steps"), "schedule": tuesdays() });
    let group = world.admin().post("/v1/groups", body).await.must(201).id("id");
    plan(&world, group).await;
    (world, group)
}

async fn plan(world: &World, group: GroupId) -> Value {
    let days = json!({ "from": "2026-03-01", "through": "2026-04-30" });
    world.admin().post(&format!("/v1/groups/{group}/meetings"), days).await.must(200).json()
}

/// A calendar, and what is otherwise in it than on Tuesdays at 19:00.
fn but(changes: &Value) -> Value {
    let mut schedule = tuesdays();
    for (field, value) in changes.as_object().expect("an object") {
        schedule[field] = value.clone();
    }
    schedule
}

async fn schedule(world: &World, group: GroupId, schedule: &Value) {
    let (path, admin) = (format!("/v1/groups/{group}/schedule"), world.admin());
    let set = Request::put(&path).header("content-type", "application/json").header("idempotency-key", admin.key());
    admin.send(set, schedule.to_string()).await.must(204);
}

/// Local starts of its meetings, and what became of each.
async fn meetings(world: &World, group: GroupId) -> Vec<(String, String)> {
    world.settle().await;
    let found = world.admin().pages(&format!("/v1/groups/{group}/meetings"), 200).await;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    found.iter().map(|meeting| (text(&meeting["starts_at_local"]), text(&meeting["status"]))).collect()
}

async fn starts(world: &World, group: GroupId) -> Vec<String> {
    meetings(world, group).await.into_iter().map(|(start, _)| start).collect()
}

fn occurrence(group: GroupId, on: &str) -> String {
    format!("/v1/groups/{group}/occurrences/{on}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_at_another_time_moves_what_is_planned_and_it_stays_the_same_meeting() {
    let (world, group) = tuesdays_in_march().await;
    let meeting = MeetingId::of(group, date(2026, 3, 3).at(19, 0, 0, 0));
    schedule(&world, group, &but(&json!({ "starts_at": "19:30:00" }))).await;
    assert_eq!(world.types_of(meeting).await, ["meeting.planned", "meeting.replanned"]);
    let starts = starts(&world, group).await;
    assert_eq!((starts.len(), &*starts[0]), (9, "2026-03-03T19:30:00"), "{starts:?}");
    assert_eq!(plan(&world, group).await, json!({ "planned": 0, "unchanged": 9, "unplanned": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_on_another_day_takes_away_what_is_planned_and_counts_nothing_as_cancelled() {
    let (world, group) = tuesdays_in_march().await;
    let [opened, cancelled] = [3, 10].map(|day| MeetingId::of(group, date(2026, 3, day).at(19, 0, 0, 0)));
    world.set_time("2026-03-03T23:30:00Z");
    world.admin().post(&at(opened, "open"), Value::Null).await.must(204);
    world.admin().post(&at(cancelled, "cancel"), json!({ "reason": "snow" })).await.must(204);
    schedule(&world, group, &but(&json!({ "recurrence": "FREQ=WEEKLY;BYDAY=WE" }))).await;
    plan(&world, group).await;
    let found = meetings(&world, group).await;
    let said: Vec<_> = found.iter().filter(|(_, status)| status != "planned").collect();
    assert_eq!(
        said,
        [
            &("2026-03-03T19:00:00".to_owned(), "open".to_owned()),
            &("2026-03-10T19:00:00".to_owned(), "cancelled".to_owned())
        ]
    );
    assert_eq!(found.len(), 2 + 9, "{found:?}");
    let shown = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(shown["meetings"], json!({ "held": 0, "cancelled": 1, "did_not_occur": 0, "not_reported": 0 }));
    schedule(&world, group, &tuesdays()).await;
    plan(&world, group).await;
    assert_eq!(starts(&world, group).await.len(), 9, "and they come back, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_was_forgotten_stays_at_the_time_of_then_when_the_calendar_changes() {
    let (world, group) = tuesdays_in_march().await;
    world.set_time("2026-03-12T12:00:00Z");
    schedule(&world, group, &but(&json!({ "starts_at": "19:30:00" }))).await;
    let found = starts(&world, group).await;
    assert_eq!(found[..3], ["2026-03-03T19:00:00", "2026-03-10T19:00:00", "2026-03-17T19:30:00"], "{found:?}");
    // Of one of them somebody says when it was.
    let late = json!({ "starts_at_local": "2026-03-10T20:00:00" });
    world.admin().put(&occurrence(group, "2026-03-10"), late).await.must(204);
    assert_eq!(starts(&world, group).await[1], "2026-03-10T20:00:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_closed_has_no_meetings_ahead() {
    let (world, group) = tuesdays_in_march().await;
    schedule(&world, group, &Value::Null).await;
    assert_eq!(starts(&world, group).await, Vec::<String>::new());
    let gone = MeetingId::of(group, date(2026, 3, 3).at(19, 0, 0, 0));
    world.set_time("2026-03-03T23:30:00Z");
    world.admin().post(&at(gone, "open"), Value::Null).await.refused(409, "meeting-not-possible");
    assert_eq!(plan(&world, group).await, json!({ "planned": 0, "unchanged": 0, "unplanned": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_occurrence_is_moved_shortened_made_virtual_given_a_note_or_called_off_and_stays_so_when_the_rule_changes()
{
    let (world, group) = tuesdays_in_march().await;
    let leads = world.facilitator([group]);
    let thursday = json!({ "starts_at_local": "2026-03-12T20:00:00", "duration_minutes": 45, "mode": "virtual",
        "note": "The hall is closed." });
    leads.put(&occurrence(group, "2026-03-10"), thursday.clone()).await.must(204);
    leads.put(&occurrence(group, "2026-03-17"), json!({ "called_off": true })).await.must(204);
    let check = async |nineteen: &str| {
        world.settle().await;
        let found = leads.pages(&format!("/v1/groups/{group}/meetings"), 200).await;
        assert_eq!(found.len(), 8);
        let moved = &found[1];
        assert_eq!(found[0]["starts_at_local"], format!("2026-03-03T{nineteen}"));
        for (field, value) in [
            ("starts_at_local", "2026-03-12T20:00:00"),
            ("starts_at", "2026-03-13T00:00:00Z"), // clocks changed on the 8th
            ("ends_at", "2026-03-13T00:45:00Z"),
            ("mode", "virtual"),
            ("place", "2026-03-10"),
            ("note", "The hall is closed."),
            ("status", "planned"),
        ] {
            assert_eq!(moved[field], value, "{moved}");
        }
        assert_eq!(moved["id"], MeetingId::of(group, date(2026, 3, 10).at(19, 0, 0, 0)).to_string());
        assert_eq!(found[2]["starts_at_local"], format!("2026-03-24T{nineteen}"));
    };
    check("19:00:00").await;
    schedule(&world, group, &but(&json!({ "starts_at": "18:00:00" }))).await;
    check("18:00:00").await;
    let shown = leads.get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(shown["occurrences"][0], json!({ "on": "2026-03-10", "change": thursday }));
    for day in ["2026-03-10", "2026-03-17"] {
        let key = leads.key();
        let restore = async || leads.command(Method::DELETE, &occurrence(group, day), &key, &Value::Null).await;
        restore().await.must(204);
        assert!(restore().await.must(204).replayed());
    }
    let starts = starts(&world, group).await;
    assert_eq!(starts.len(), 9);
    assert!(starts.iter().all(|start| start.ends_with("18:00:00")), "{starts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_there_is_not_or_that_is_past_is_not_changed() {
    let (world, group) = tuesdays_in_march().await;
    let (admin, virtually) = (world.admin(), json!({ "mode": "virtual" }));
    let refused = async |day: &str, body: &Value, status, code: &str| {
        admin.put(&occurrence(group, day), body.clone()).await.refused(status, code)
    };
    refused("2026-03-11", &virtually, 404, "no-occurrence").await;
    refused("2026-01-20", &virtually, 409, "occurrence-past").await;
    refused("2026-03-10", &json!({ "starts_at_local": "2026-04-11T19:00:00" }), 422, "malformed").await;
    refused("2026-03-10", &json!({ "duration_minutes": 0 }), 422, "malformed").await;
    refused("2026-03-10", &json!({ "duration_minutes": 1441 }), 422, "malformed").await;
    refused("2026-03-10", &json!({ "starts_at_local": "2026-03-11T19:00:00Z" }), 422, "malformed").await;
    let said = admin.put(&occurrence(group, "2026-02-30"), virtually.clone()).await;
    assert!(said.status.is_client_error(), "{said:?}");
    world.facilitator([]).put(&occurrence(group, "2026-03-10"), virtually.clone()).await.must(403);
    world
        .admin_of("south-star")
        .put(&occurrence(group, "2026-03-10"), virtually.clone())
        .await
        .refused(404, "unknown-group");
    let meeting = MeetingId::of(group, date(2026, 3, 3).at(19, 0, 0, 0));
    world.set_time("2026-03-03T23:30:00Z");
    let key = admin.key();
    let online = async || admin.command(Method::PUT, &occurrence(group, "2026-03-03"), &key, &virtually).await;
    online().await.must(204);
    admin.post(&at(meeting, "open"), Value::Null).await.must(204);
    refused("2026-03-03", &json!({ "duration_minutes": 30 }), 409, "occurrence-past").await;
    assert!(online().await.must(204).replayed(), "what was done before is not refused now");
}

/// What is done of the group without Kith's services: as by an older Kith, or one that is killed before it went on.
struct Beneath {
    groups: Streams<Group>,
    meetings: Streams<Meeting>,
    done: Cell<u128>,
}

impl Beneath {
    fn of(world: &World) -> Self {
        let log = world.shared_log();
        Self { groups: Streams::new(log.clone()), meetings: Streams::new(log), done: Cell::default() }
    }

    fn cause(&self) -> Cause {
        self.done.set(self.done.get() + 1);
        Cause::of_process("test", Uuid::from_u128(self.done.get()), Timestamp::UNIX_EPOCH)
    }

    async fn schedule(&self, group: GroupId, schedule: &Value) {
        let schedule = group::Command::Schedule(serde_json::from_value(schedule.clone()).expect("a calendar"));
        let org = "north-star".parse().expect("an id");
        self.groups.transact(&org, group, self.cause(), schedule, Reply::DONE).await.expect("scheduled");
    }

    async fn plan(&self, group: GroupId, local: &str) {
        let starts_at_local = local.parse().expect("a local time");
        let starts_at = at_new_york(local);
        let plan =
            Plan { group, starts_at_local, starts_at, ends_at: starts_at, mode: MeetingMode::InPerson, place: None };
        let (org, id) = ("north-star".parse().expect("an id"), MeetingId::of(group, starts_at_local));
        let plan = meeting::Command::Plan(plan);
        self.meetings.transact(&org, id, self.cause(), plan, Reply::DONE).await.expect("planned");
    }
}

fn at_new_york(local: &str) -> Timestamp {
    let zone = domain::time_zone("America/New_York").expect("a zone");
    let local: jiff::civil::DateTime = local.parse().expect("a local time");
    local.to_zoned(zone).expect("a time").timestamp()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_led_to_before_a_crash_is_done_after_it() {
    let mut world = World::start_with(|config| config.plan_days = 28).await;
    world.set_time("2026-03-01T12:00:00Z");
    let programme = world.programme().await;
    let body = json!({ "details": details(programme, "Steps"), "schedule": tuesdays() });
    let group = world.admin().post("/v1/groups", body).await.must(201).id("id");
    plan(&world, group).await;
    let wednesdays = but(&json!({ "recurrence": "FREQ=WEEKLY;BYDAY=WE" }));
    Beneath::of(&world).schedule(group, &wednesdays).await;
    world.restart(|_| ()).await;
    let all =
        |events: &[eventlog::Recorded], kind: &str| events.iter().filter(|event| &*event.event_type == kind).count();
    world.eventually(|events| all(events, "meeting.unplanned") == 9 && all(events, "meeting.planned") == 9 + 4).await;
    let starts = starts(&world, group).await;
    let wednesdays = ["2026-03-04T19:00:00", "2026-03-11T19:00:00", "2026-03-18T19:00:00", "2026-03-25T19:00:00"];
    assert_eq!(starts, wednesdays, "nothing is left out between now and the horizon");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_meetings_that_an_older_kith_made_of_one_the_one_that_is_planned_by_now_stays() {
    let (mut world, group) = tuesdays_in_march().await;
    let beneath = Beneath::of(&world);
    let later = but(&json!({ "starts_at": "19:30:00" }));
    beneath.schedule(group, &later).await;
    for day in ["2026-03-03", "2026-03-10", "2026-03-17"] {
        beneath.plan(group, &format!("{day}T19:30:00")).await;
    }
    drop(beneath);
    world.restart(|_| ()).await;
    // Of the 3rd the older one is called off, as one was told to do then; of the 10th somebody came to the newer one.
    let [called_off, other] = [(3, 19, 0), (10, 19, 30)]
        .map(|(day, hour, minute)| MeetingId::of(group, date(2026, 3, day).at(hour, minute, 0, 0)));
    world.admin().post(&at(called_off, "cancel"), json!({ "reason": "moved" })).await.must(204);
    world.set_time("2026-03-10T22:30:00Z");
    world.admin().post(&at(other, "open"), Value::Null).await.must(204);
    plan(&world, group).await;
    let found = meetings(&world, group).await;
    let on = |day: &str| -> Vec<_> {
        let of_day = found.iter().filter(|(start, _)| start.starts_with(day));
        of_day.map(|(start, status)| (&start[11..16], status.as_str())).collect()
    };
    assert_eq!(on("2026-03-03"), [("19:00", "cancelled"), ("19:30", "planned")], "{found:?}");
    assert_eq!(on("2026-03-10"), [("19:30", "open")], "{found:?}");
    assert_eq!(on("2026-03-17"), [("19:30", "planned")], "{found:?}");
    assert_eq!(on("2026-03-24"), [("19:30", "planned")], "{found:?}");
}

/// A calendar of chance, or none.
fn any_calendar(rng: &mut impl Rng) -> Option<Schedule> {
    let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let rule = match rng.random_range(0..5) {
        0 => return None,
        1 => {
            let some: Vec<_> = days.sample(rng, 3).copied().collect();
            format!("FREQ=WEEKLY;BYDAY={}", some.join(","))
        }
        2 => format!("FREQ=WEEKLY;INTERVAL={};BYDAY=TU", rng.random_range(1..4)),
        3 => format!("FREQ=MONTHLY;BYMONTHDAY={}", rng.random_range(1..29)),
        _ => "FREQ=DAILY;INTERVAL=3".to_owned(),
    };
    let zone = ["America/New_York", "Pacific/Auckland", "Europe/Lisbon"].choose(rng).expect("some");
    let starts_at = format!("{:02}:00:00", rng.random_range(0..24));
    let but = json!({ "recurrence": rule, "starts_at": starts_at, "time_zone": zone });
    let mut schedule: Schedule = serde_json::from_value(self::but(&but)).expect("a calendar");
    let day = |days: i64| date(2026, 3, 1) + jiff::Span::new().days(days);
    schedule.except = (0..rng.random_range(0..4)).map(|_| day(rng.random_range(0..60))).collect();
    Some(schedule)
}

/// What the calendar has: local starts by date.
fn named(schedule: Option<&Schedule>) -> BTreeMap<Date, String> {
    let Some(schedule) = schedule else { return BTreeMap::new() };
    let days = Days::new(date(2026, 3, 3), date(2026, 4, 30)).expect("few");
    let named = occurrences(schedule, days).expect("a calendar that can be used");
    named.into_iter().map(|named| (named.local.date(), named.local.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_is_changed_at_random_leaves_exactly_the_meetings_of_the_new_rule_and_those_with_a_history() {
    let (world, group) = tuesdays_in_march().await;
    let mut rng = StdRng::seed_from_u64(seed());
    let mut history: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..25 {
        let calendar = any_calendar(&mut rng);
        schedule(&world, group, &serde_json::to_value(&calendar).expect("JSON")).await;
        plan_if(&world, group, calendar.is_some()).await;
        let found = meetings(&world, group).await;
        let planned: Vec<_> = found.iter().filter(|(_, status)| status == "planned").map(|(start, _)| start).collect();
        let of_day = |day: &str| history.keys().any(|start| start.starts_with(day));
        // It was planned from the 3rd on, so that "today" is the same everywhere.
        let expected = named(calendar.as_ref());
        let expected: Vec<_> =
            expected.iter().filter(|(day, _)| !of_day(&day.to_string())).map(|(_, start)| start).collect();
        assert_eq!(planned, expected, "round {round}: {calendar:?}, {history:?}");
        let kept: BTreeMap<_, _> = found.iter().filter(|(_, status)| status != "planned").cloned().collect();
        assert_eq!(kept, history, "round {round}");
        // Something is said of one of them, now and then.
        if round % 3 == 0
            && let Some(start) = planned.get(round % 7)
        {
            let id = world.admin().pages(&format!("/v1/groups/{group}/meetings"), 200).await;
            let of = id.iter().find(|meeting| meeting["starts_at_local"] == **start && meeting["status"] == "planned");
            let id: MeetingId = of.expect("it is listed")["id"].as_str().expect("text").parse().expect("an id");
            world.admin().post(&at(id, "cancel"), json!({ "reason": "snow" })).await.must(204);
            history.insert((*start).clone(), "cancelled".into());
        }
    }
}

async fn plan_if(world: &World, group: GroupId, is_scheduled: bool) {
    if is_scheduled {
        let days = json!({ "from": "2026-03-03", "through": "2026-04-30" });
        world.admin().post(&format!("/v1/groups/{group}/meetings"), days).await.must(200);
    }
}
