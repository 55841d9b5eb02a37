//! Today is the day where it happens.

use std::process::{Command, Stdio};

use domain::{GroupId, MeetingId, MemberId};
use jiff::{
    ToSpan,
    civil::{Date, date},
};
use serde_json::{Value, json};
use tests::{
    process,
    world::{Actor, LOG_VARIABLE, World, at, details},
};
use uuid::Uuid;

/// Half an hour before and after midnight in Greenwich.
const TIMES: [&str; 2] = ["2026-06-30T23:30:00Z", "2026-07-01T00:30:00Z"];
/// What day it is then: in Auckland already, in Los Angeles still.
const ZONES: [(&str, Date); 2] = [("Pacific/Auckland", date(2026, 7, 1)), ("America/Los_Angeles", date(2026, 6, 30))];

/// A group that meets every morning.
struct Here {
    who: Actor,
    group: GroupId,
    /// What day it is there.
    today: Date,
}

impl Here {
    /// Groups on both sides of Greenwich.
    async fn both(world: &World) -> Vec<Self> {
        let mut both = Vec::new();
        for (zone, today) in ZONES {
            both.push(Self::new(world, Some(daily(zone, "09:00:00")), today).await);
        }
        both
    }

    async fn new(world: &World, schedule: Option<Value>, today: Date) -> Self {
        let who = world.admin();
        let body = json!({ "details": details(who.programme("Recovery").await, "Steps"), "schedule": schedule });
        let group = who.post("/v1/groups", body).await.must(201).id("id");
        Self { who, group, today }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/groups/{}{rest}", self.group)
    }

    fn yesterday(&self) -> Date {
        self.today - 1.day()
    }

    fn tomorrow(&self) -> Date {
        self.today + 1.day()
    }

    /// Enrols a new member with this alias.
    async fn enrol(&self, alias: &str, starts_on: Date) -> MemberId {
        let member = self.who.register(json!({ "alias": alias })).await;
        self.who.enrols(self.group, member, &starts_on.to_string()).await.must(201);
        member
    }

    async fn withdraw(&self, member: MemberId, ends_on: Date) {
        let path = self.path(&format!("/enrolments/{member}/withdrawal"));
        self.who.post(&path, json!({ "ends_on": ends_on })).await.must(204);
    }

    /// Members whose first day is today, whose first is tomorrow, whose last is today, whose last was yesterday.
    async fn around_today(&self) -> [MemberId; 4] {
        let (new, next) = (self.enrol("Ada", self.today).await, self.enrol("Boris", self.tomorrow()).await);
        let long_ago = date(2026, 1, 1);
        let (last, over) = (self.enrol("Clementine", long_ago).await, self.enrol("Dietrich", long_ago).await);
        self.withdraw(last, self.today).await;
        self.withdraw(over, self.yesterday()).await;
        [new, next, last, over]
    }

    async fn roster(&self, query: &str) -> Vec<MemberId> {
        members(&self.who.pages(&self.path(&format!("/roster{query}")), 2).await)
    }

    async fn plan(&self, from: Date, through: Date) -> tests::http::Answer {
        self.who.post(&self.path("/meetings"), json!({ "from": from, "through": through })).await
    }

    /// This morning's meeting, which the member attended.
    async fn attended(&self, member: MemberId) -> MeetingId {
        self.plan(self.today, self.today).await.must(200);
        let meeting = MeetingId::of(self.group, self.today.at(9, 0, 0, 0));
        self.who.post(&at(meeting, "open"), Value::Null).await.must(204);
        self.who.mark(meeting, member, "present").await.must(204);
        self.who.post(&at(meeting, "hold"), Value::Null).await.must(204);
        meeting
    }

    /// Local days on which the group's meetings start, of a list.
    async fn days(&self, query: &str, limit: usize) -> Vec<String> {
        let meetings = self.who.pages(&self.path(&format!("/meetings{query}")), limit).await;
        let day = |meeting: &Value| meeting["starts_at_local"].as_str().expect("a time")[..10].to_owned();
        meetings.iter().map(day).collect()
    }
}

/// A meeting each day.
fn daily(zone: &str, starts_at: &str) -> Value {
    json!({ "starts_on": "2025-01-01", "starts_at": starts_at, "duration_minutes": 60, "time_zone": zone,
        "recurrence": "FREQ=DAILY" })
}

fn members(lines: &[Value]) -> Vec<MemberId> {
    let mut members: Vec<_> =
        lines.iter().map(|line| serde_json::from_value(line["member"].clone()).expect("an id")).collect();
    members.sort();
    members
}

fn sorted<const N: usize>(mut members: [MemberId; N]) -> Vec<MemberId> {
    members.sort();
    members.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roster_of_today_and_its_size_are_those_of_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let [new, next, last, over] = here.around_today().await;
            // Today there is one more than yesterday, and than tomorrow.
            let once = here.enrol("Emil", here.today).await;
            here.withdraw(once, here.today).await;
            world.settle().await;
            assert_eq!(here.roster("").await, sorted([new, last, once]), "{} at {now}", here.today);
            assert_eq!(
                here.roster("?stage=enrolled").await,
                sorted([new, next, last, once]),
                "{} at {now}",
                here.today
            );
            assert_eq!(here.roster("?stage=withdrawn").await, [over], "{} at {now}", here.today);
            let on = |day: Date| format!("?on={day}");
            assert_eq!(here.roster(&on(here.tomorrow())).await, sorted([new, next]));
            assert_eq!(here.roster(&on(here.yesterday())).await, sorted([last, over]));
            let view = here.who.get(&here.path("")).await.must(200).json();
            assert_eq!(view["roster_size"], 3, "{} at {now}", here.today);
        }
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_changes_and_finds_whom_the_roster_has_on_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let [new, next, last, over] = here.around_today().await;
            world.settle().await;
            let fay = world.facilitator([here.group]);
            for (member, name, on) in
                [(new, "Ada", true), (next, "Boris", false), (last, "Clementine", true), (over, "Dietrich", false)]
            {
                let change = fay.patch(&format!("/v1/members/{member}"), json!({ "alias": name })).await;
                assert_eq!(change.status, if on { 204 } else { 404 }, "{name}, {} at {now}", here.today);
                world.settle().await;
                let request = hyper::Request::post("/v1/members/search").header("content-type", "application/json");
                let answer = fay.send(request, json!({ "name": name }).to_string()).await.must(200).json();
                let found = members(answer.as_array().expect("a list"));
                assert_eq!(found, Vec::from_iter(on.then_some(member)), "{name}, {} at {now}", here.today);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_and_their_record_show_each_enrolment_as_it_is_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let [new, next, last, over] = here.around_today().await;
            let meeting = here.attended(new).await;
            world.settle().await;
            let register = here.who.get(&at(meeting, "register")).await.must(200).json();
            assert_eq!(members(register["members"].as_array().expect("lines")), sorted([new, last]));
            for (member, stage) in [(new, "active"), (next, "enrolled"), (last, "enrolled"), (over, "withdrawn")] {
                let path = format!("/v1/members/{member}");
                let view = here.who.get(&path).await.must(200).json();
                assert_eq!(view["groups"][0]["enrolments"][0]["stage"], stage, "{} at {now}", here.today);
                let record = here.who.get(&format!("{path}/record")).await.must(200).json();
                assert_eq!(record["member"]["groups"], view["groups"]);
                let marks = record["attendances"].as_array().expect("marks").iter();
                let days: Vec<_> = marks.map(|mark| mark["starts_at_local"].clone()).collect();
                let expected = (member == new).then(|| json!(format!("{}T09:00:00", here.today)));
                assert_eq!(days, Vec::from_iter(expected));
            }
            assert_eq!(here.roster("?stage=active").await, [new]);
        }
    }
    // All of these were held in June as Greenwich has it, those in Auckland in July where they were.
    for (month, people) in [("2026-06", 2), ("2026-07", 2)] {
        let report = format!("/v1/reports/reach?from={month}&through={month}");
        let report = world.admin().get(&report).await.must(200).json();
        assert_eq!(report["rows"][0]["people"], people, "{month}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_applies_waits_or_gives_up_does_so_on_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let asks: MemberId = here.who.post(&here.path("/applications"), json!({})).await.must(201).id("member");
            let cancel = async |member: MemberId, status: u16| {
                let path = here.path(&format!("/enrolments/{member}/cancellation"));
                here.who.post(&path, json!({ "reason": "moved" })).await.must(status);
            };
            cancel(here.enrol("Ada", here.today).await, 409).await;
            cancel(here.enrol("Boris", here.tomorrow()).await, 204).await;
            // One place, which has been somebody's since today: who waits gets it the day after their last.
            here.who.put(&here.path("/capacity"), json!({ "places": 1 })).await.must(204);
            let waits = here.who.register(json!({})).await;
            let wait = json!({ "member": waits, "starts_on": "2026-01-01", "if_full": "wait" });
            here.who.post(&here.path("/enrolments"), wait).await.must(201);
            here.who.put(&here.path("/capacity"), json!({ "places": 2 })).await.must(204);
            let written = world.written(here.group).await;
            let of = |name: &str, field: &str| -> Vec<Value> {
                written.iter().filter(|(is, _)| is == name).map(|(_, data)| data[field].clone()).collect()
            };
            let today = [json!(here.today)];
            assert_eq!(of("enrolment.applied", "on"), today, "{} at {now}", here.today);
            assert_eq!(of("enrolment.waitlisted", "on"), today, "{} at {now}", here.today);
            assert_eq!(of("enrolment.promoted", "starts_on"), today, "{} at {now}", here.today);
            world.settle().await;
            let applied = here.who.pages(&here.path("/roster?stage=applied"), 2).await;
            assert_eq!((&applied[0]["member"], &applied[0]["asked_on"]), (&json!(asks), &json!(here.today)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_facilitator_puts_forward_is_confirmed_or_taken_back_by_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let fay = world.facilitator([here.group]);
            for (answer, mut body) in
                [("confirmation", json!({})), ("entered-in-error", json!({ "reason": "wrong_day" }))]
            {
                let asks: MemberId = fay.post(&here.path("/applications"), json!({})).await.must(201).id("member");
                world.settle().await;
                let waiting = here.who.pages("/v1/unconfirmed-enrolments", 2).await;
                let lines: Vec<_> = waiting.iter().map(|line| (&line["member"], &line["since"])).collect();
                assert_eq!(lines, [(&json!(asks), &json!(here.today))], "{} at {now}", here.today);
                let path = here.path(&format!("/enrolments/{asks}/{answer}"));
                for (since, status) in [(here.yesterday(), 409), (here.tomorrow(), 409), (here.today, 204)] {
                    body["since"] = json!(since);
                    here.who.post(&path, body.clone()).await.must(status);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_listed_by_the_day_on_which_they_start_where_the_group_meets() {
    let world = World::start().await;
    world.set_time(TIMES[0]);
    let mut groups = Here::both(&world).await;
    for (zone, today) in ZONES {
        groups.push(Here::new(&world, Some(daily(zone, "19:30:00")), today).await);
        groups.push(Here::new(&world, Some(daily(zone, "00:00:00")), today).await);
    }
    for here in groups {
        here.plan(date(2026, 6, 28), date(2026, 7, 3)).await.must(200);
        world.settle().await;
        let all = ["2026-06-28", "2026-06-29", "2026-06-30", "2026-07-01", "2026-07-02", "2026-07-03"];
        for limit in [1, 2, 50] {
            assert_eq!(here.days("", limit).await, all);
            assert_eq!(here.days("?through=2026-06-30", limit).await, all[..3]);
            assert_eq!(here.days("?from=2026-07-01", limit).await, all[3..]);
            assert_eq!(here.days("?from=2026-06-30&through=2026-07-01", limit).await, all[2..4]);
            for day in all {
                assert_eq!(here.days(&format!("?from={day}&through={day}"), limit).await, [day]);
            }
            assert!(here.days("?from=2026-07-02&through=2026-07-01", limit).await.is_empty());
            assert_eq!(here.days("?from=-009999-01-01&through=9999-12-31", limit).await, all);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_planned_as_far_as_is_possible_from_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            let (first, last) = (here.today - 400.days(), here.today + 400.days());
            here.plan(first, first).await.must(200);
            here.plan(last, last).await.must(200);
            here.plan(first - 1.day(), first).await.refused(422, "malformed");
            let said = here.plan(last, last + 1.day()).await.refused(422, "malformed");
            assert!(said["detail"].as_str().expect("text").contains(&format!("today is {} in ", here.today)), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planner_begins_with_today_where_the_group_meets() {
    for now in TIMES {
        let mut world = World::start_with(|config| config.plan_days = 2).await;
        world.set_time(now);
        let mut planned = Vec::new();
        for (zone, today) in ZONES {
            let here = Here::new(&world, Some(daily(zone, "23:00:00")), today).await;
            let tonight = |days: i32| Uuid::from(MeetingId::of(here.group, (today + days.days()).at(23, 0, 0, 0)));
            planned.extend([0, 1, 2].map(tonight));
        }
        world.settle().await;
        // It looks when it starts.
        world.restart(|_| ()).await;
        let is_planned = |events: &[eventlog::Recorded]| {
            planned.iter().all(|meeting| events.iter().any(|event| event.stream.id() == *meeting))
        };
        world.eventually(is_planned).await;
        let events = world.events().await;
        let meetings: Vec<_> = events.iter().filter(|event| event.stream.category() == "meeting").collect();
        assert_eq!(meetings.len(), planned.len(), "and nothing before or after, at {now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_ends_enrolments_on_the_day_where_the_group_meets() {
    let world = World::start().await;
    for now in TIMES {
        world.set_time(now);
        for here in Here::both(&world).await {
            for starts_on in [date(2026, 1, 1), here.today] {
                let member = here.enrol("Bee", starts_on).await;
                here.who.post(&format!("/v1/members/{member}/erasure"), Value::Null).await.must(200);
                let ended = |events: &[eventlog::Recorded]| {
                    let of_group = events.iter().filter(|event| event.stream.id() == here.group.0);
                    of_group
                        .map(|event| serde_json::from_slice::<Value>(&event.data).expect("JSON"))
                        .any(|data| data["member"] == json!(member) && data["ends_on"] == json!(here.today))
                };
                world.eventually(ended).await;
            }
        }
    }
}

/// A group without a calendar, and what is said of members.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_nowhere_in_particular_happens_on_the_day_of_the_server() {
    let zones = ZONES.map(|(zone, today)| (zone, TIMES.map(|_| today)));
    for (zone, days) in zones.into_iter().chain([("UTC", [date(2026, 6, 30), date(2026, 7, 1)])]) {
        let world = World::start_with(|config| config.time_zone = zone.into()).await;
        for (now, today) in TIMES.into_iter().zip(days) {
            world.set_time(now);
            let here = Here::new(&world, None, today).await;
            let [new, _, last, _] = here.around_today().await;
            world.settle().await;
            assert_eq!(here.roster("").await, sorted([new, last]), "{zone} at {now}");
            for (given_on, status) in [(today, 201), (here.tomorrow(), 422)] {
                let consent =
                    json!({ "purpose": "research", "text": "research-1", "given_on": given_on, "means": "written" });
                here.who.post(&format!("/v1/members/{new}/consents"), consent).await.must(status);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_born_later_than_in_the_year_of_the_server() {
    for (zone, now, last) in [
        ("Pacific/Auckland", "2026-12-31T23:30:00Z", 2027),
        ("America/Los_Angeles", "2027-01-01T00:30:00Z", 2026),
        ("UTC", "2026-12-31T23:30:00Z", 2026),
        ("UTC", "2027-01-01T00:30:00Z", 2027),
    ] {
        let world = World::start_with(|config| config.time_zone = zone.into()).await;
        world.set_time(now);
        let admin = world.admin();
        let bee = admin.register(json!({ "alias": "Bee" })).await;
        for (year, patched, registered, rejected) in [(last, 204, 201, 0), (last + 1, 422, 422, 1)] {
            let born = json!({ "alias": format!("Born in {year}"), "year_of_birth": year });
            admin.patch(&format!("/v1/members/{bee}"), born.clone()).await.must(patched);
            admin.post("/v1/members", json!({ "profile": born })).await.must(registered);
            let import = json!({ "dry_run": true, "lines": [{ "line": 2, "profile": born }] });
            let report = admin.post("/v1/imports/members", import).await.must(200).json();
            let lines = report["lines"].as_array().expect("lines");
            let wrong = lines.iter().filter(|line| line["became"] == "rejected").count();
            assert_eq!(wrong, rejected, "{zone} at {now}: {report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_holds_as_soon_as_its_first_day_begins_anywhere() {
    let world = World::start().await;
    for here in Here::both(&world).await {
        let assign = json!({ "subject": "fay", "duty": "facilitator", "starts_on": "2026-07-01" });
        here.who.post(&here.path("/assignments"), assign).await.must(204);
        world.settle().await;
        for (now, status) in [("2026-06-30T09:59:59Z", 403), ("2026-06-30T10:00:00Z", 200)] {
            world.set_time(now);
            world.facilitator([]).get(&here.path("")).await.must(status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_names_of_zones_are_taken_and_names_that_are_none_are_not() {
    let world = World::start().await;
    let who = world.admin();
    let programme = who.programme("Recovery").await;
    for (zone, status) in [
        ("US/Pacific", 201),
        ("Asia/Calcutta", 201),
        ("Etc/UTC", 201),
        ("us/pacific", 201),
        ("AMERICA/new_york", 201),
        ("Mars/Olympus", 422),
        ("+02:00", 422),
        ("../../etc/localtime", 422),
    ] {
        let body = json!({ "details": details(programme, "Steps"), "schedule": daily(zone, "09:00:00") });
        who.post("/v1/groups", body).await.must(status);
        let listing = format!("/v1/imports/bmlt?dry_run=true&time_zone={}", tests::world::encoded(zone));
        who.post(&listing, json!([])).await.must(if status == 201 { 200 } else { 422 });
    }
}

/// A zone as systems keep it (RFC 9636): one that is always that of Greenwich.
fn one_zone() -> Vec<u8> {
    let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let block = [&b"TZif2"[..], &[0; 15], &counts, &[0; 6], b"MTC\0"].concat();
    [&block[..], &block, b"\nMTC0\n"].concat()
}

/// A system that has one zone only, which nobody else knows.
#[test]
fn the_system_does_not_decide_which_zones_there_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let zones = dir.path().join("zones");
    std::fs::create_dir(&zones).expect("a folder");
    std::fs::write(zones.join("Mars"), one_zone()).expect("a file");
    for (zone, said) in
        [("US/Pacific", "cannot listen at 192.0.2.1:1"), ("Mars", "time_zone must be the name of a zone")]
    {
        let mut command = Command::new(process::program());
        // An address that cannot be used: it gets that far, and no further.
        command.args(["serve", "--listen", "192.0.2.1:1", "--nats", "nats://127.0.0.1:1", "--time-zone", zone]);
        command
            .arg("--data")
            .arg(dir.path().join("data"))
            .env("TZDIR", &zones)
            .env("TZ", "Mars")
            .env_remove(LOG_VARIABLE);
        let output = command.stdin(Stdio::null()).output().expect("kith can be run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{zone}: {error}");
    }
}
