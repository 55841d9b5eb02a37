//! Check-ins over HTTP, beside marks in the same run; and the journey of somebody who has come for ten years.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::MemberId;
use hyper::{Method, StatusCode};
use jiff::{Span, civil::Date, tz::TimeZone};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Bench, Figures,
    command::{CONNECTIONS, Commands, ORG, Sent, open_registers, post, send},
};
use crate::{
    http::{Answer, Client},
    load::Latencies,
};

/// How long commands are sent before anything is measured.
const WARM_UP: Duration = Duration::from_secs(4);
/// How long is measured, of check-ins and of marks.
const MEASURED: Duration = Duration::from_secs(16);
/// Both are measured this often, one after the other.
const ROUNDS: u32 = 2;
/// Members who check in on each connection, a count.
const MEMBERS: u64 = 20;
/// Check-ins of the journey, and meetings that were attended, a count of each: one a week for ten years.
const WEEKS: u64 = 520;
/// Groups that these meetings are of, a count. Meetings are planned at most 400 days back, so each meets every day; to read
/// a journey it makes no difference on which days they were.
const GROUPS: u64 = 2;
/// Journeys that are read, a count.
const JOURNEYS: u64 = 300;

/// Check-ins of one connection.
struct CheckIns {
    paths: Vec<String>,
    key: String,
    sent: u64,
}

impl Commands for CheckIns {
    async fn next(&mut self, client: &mut Client) -> anyhow::Result<Answer> {
        let path = &self.paths[usize::try_from(self.sent)? % self.paths.len()];
        self.sent += 1;
        check_in(client, path, &format!("{}-{}", self.key, self.sent), self.sent, None).await
    }
}

/// Takes a full PHQ-9, of which no answer raises a concern.
async fn check_in(client: &mut Client, path: &str, key: &str, n: u64, on: Option<Date>) -> anyhow::Result<Answer> {
    let answers: serde_json::Map<_, _> = (1..=8).map(|item| (item.to_string(), json!((n + item) % 4))).collect();
    let mut body = json!({ "instrument": "phq-9", "given": { "answers": answers } });
    body["given"]["answers"]["9"] = json!(0);
    if let Some(on) = on {
        body["on"] = json!(on);
    }
    let answer = client.command(Method::POST, path, key, &body).await?;
    anyhow::ensure!(answer.status == StatusCode::CREATED, "POST {path}: {}", answer.status);
    Ok(answer)
}

/// Measures check-ins and journeys.
///
/// # Errors
/// If the server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("care");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let mut marks = open_registers(server.address, &token, false).await?;
    let mut client = Client::new(server.address, &token);
    set_up(&mut client).await?;
    let of = |number: usize| CheckIns {
        paths: (0..MEMBERS).map(|member| format!("/v1/members/{}/check-ins", member_id(number, member))).collect(),
        key: format!("check-in-{number}"),
        sent: 0,
    };
    let mut check_ins: Vec<_> = (0..CONNECTIONS).map(of).collect();
    let (warm_up, time) = (bench.time(WARM_UP) / ROUNDS, bench.time(MEASURED) / ROUNDS);
    let (mut care, mut marked) = (Sent::default(), Sent::default());
    for _ in 0..ROUNDS {
        care.add(&send((server.address, &token), &mut check_ins, warm_up, time).await?);
        marked.add(&send((server.address, &token), &mut marks, warm_up, time).await?);
    }
    let per_s = care.per_second();
    figures.add("checkin_per_s", per_s, format!("a full PHQ-9; {CONNECTIONS} connections, durable"));
    figures.add("checkin_ratio", per_s / marked.per_second(), "goal ≥ 0.8; beside marks in the same run");
    let journey = journey(&mut client, bench.count(WEEKS), bench.count(JOURNEYS)).await?;
    figures.add(
        "journey_p99_ms",
        journey.percentile_ms(99.0),
        "goal ≤ 20; as many check-ins and attended meetings as weeks in ten years",
    );
    server.stop().await
}

/// The id of a member whom `open_registers` registered.
fn member_id(number: usize, member: u64) -> MemberId {
    MemberId(Uuid::from_u64_pair(number as u64 + 1, member))
}

async fn set_up(client: &mut Client) -> anyhow::Result<()> {
    for (path, body) in [
        ("/v1/duty-seat", json!({ "holder": "ann" })),
        ("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })),
        ("/v1/instruments/phq-9/use", json!({ "version": 1 })),
    ] {
        client.command(Method::PUT, path, path, &body).await?.ok().with_context(|| format!("PUT {path}"))?;
    }
    Ok(())
}

/// Lets somebody come and check in so many times, and reads what came of it.
async fn journey(client: &mut Client, weeks: u64, times: u64) -> anyhow::Result<Latencies> {
    let member = MemberId(Uuid::from_u64_pair(1 << 32, 1));
    let today = kith::clock().now().to_zoned(TimeZone::UTC).date();
    post(client, "/v1/members", "journey", json!({ "member": member, "profile": {} })).await?;
    for nth in 0..GROUPS {
        attended(client, (member, nth), today, weeks / GROUPS).await?;
    }
    let mut position = 0;
    for n in 0..weeks {
        let day = today.checked_sub(Span::new().weeks(i64::try_from(n)?))?;
        let path = format!("/v1/members/{member}/check-ins");
        let taken = check_in(client, &path, &format!("journey-{n}"), n, Some(day)).await?;
        position = taken.position.unwrap_or_default();
    }
    let path = format!("/v1/members/{member}/journey");
    let shown = client.get(&path, position).await?.ok()?.json();
    for of in ["check_ins", "attendances"] {
        let shown = shown[of].as_array().map_or(0, Vec::len);
        anyhow::ensure!(shown as u64 == weeks, "{shown} of {weeks} {of} are shown");
    }
    let mut latencies = Latencies::default();
    for _ in 0..times {
        let asked = Instant::now();
        client.get(&path, 0).await?.ok()?;
        latencies.record(asked.elapsed());
    }
    Ok(latencies)
}

/// A group that met every day for so many days until yesterday, and the member came each time.
async fn attended(client: &mut Client, (member, nth): (MemberId, u64), today: Date, days: u64) -> anyhow::Result<()> {
    let last = today.checked_sub(Span::new().days(1))?;
    let first = last.checked_sub(Span::new().days(i64::try_from(days)? - 1))?;
    let programme = post(client, "/v1/programmes", &format!("journeys-{nth}"), json!({ "name": "Journeys" })).await?;
    let details = json!({ "name": "Journeys", "programme": programme.json()["id"], "focus": "addiction",
        "mode": "in_person", "listed": true });
    let schedule = json!({ "starts_on": first, "starts_at": "01:00:00", "duration_minutes": 60, "time_zone": "UTC",
        "recurrence": "FREQ=DAILY" });
    let body = json!({ "details": details, "schedule": schedule });
    let group = post(client, "/v1/groups", &format!("journeys-group-{nth}"), body).await?.json();
    let group = group["id"].as_str().context("a group's id")?;
    let enrolment = json!({ "member": member, "starts_on": first });
    post(client, &format!("/v1/groups/{group}/enrolments"), &format!("journeys-enrol-{nth}"), enrolment).await?;
    for meeting in planned(client, group, first, last).await? {
        let path = format!("/v1/meetings/{meeting}");
        post(client, &format!("{path}/open"), &format!("open-{meeting}"), Value::Null).await?;
        let marks = json!({ "marks": [{ "member": member, "mark": "present" }] });
        let (register, key) = (format!("{path}/attendance"), format!("mark-{meeting}"));
        client.command(Method::PUT, &register, &key, &marks).await?.ok()?;
        post(client, &format!("{path}/hold"), &format!("hold-{meeting}"), Value::Null).await?;
    }
    Ok(())
}

/// The meetings of a group on these days.
async fn planned(client: &mut Client, group: &str, first: Date, last: Date) -> anyhow::Result<Vec<String>> {
    let path = format!("/v1/groups/{group}/meetings");
    let days = json!({ "from": first, "through": last });
    let position = post(client, &path, &format!("plan-{group}"), days).await?.position.unwrap_or_default();
    let (mut meetings, mut from) = (Vec::new(), first);
    while from <= last {
        // As many as a page has at most.
        let through = from.checked_add(Span::new().days(199))?.min(last);
        let page = client.get(&format!("{path}?limit=200&from={from}&through={through}"), position).await?.ok()?.json();
        let ids = page["items"].as_array().context("a page of meetings")?.iter();
        meetings.extend(ids.filter_map(|meeting| meeting["id"].as_str().map(str::to_owned)));
        from = through.tomorrow()?;
    }
    Ok(meetings)
}
