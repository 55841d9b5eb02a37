//! What anybody asks most: which groups are near a place, of an organisation that lists many.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};

use super::{Bench, Figures};
use crate::{http::Client, load::Latencies};

/// Groups of the organisation, a count.
const GROUPS: u64 = 100_000;
/// Of one listing, a count.
const AT_ONCE: u64 = 5_000;
/// Questions, a count.
const ASKED: u64 = 3_000;
/// Longest wait for the views.
const VISIBLE_WITHIN: Duration = Duration::from_mins(5);
/// The organisation.
const ORG: &str = "near";
/// What is asked for besides the place: little, all around, and what only few have, so that all are looked at.
const MORE: [&str; 4] =
    ["", "&within_km=20000", "&within_km=500&weekday=monday&mode=in_person", "&within_km=20000&language=cy"];

/// Measures it.
///
/// # Errors
/// If the server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("near");
    let arguments = ["--plan-days", "0", "--log", "warn"];
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &arguments).await?;
    let mut admin = Client::new(server.address, bench.kith.admin(ORG, &data).await?);
    let (groups, mut last) = (bench.count(GROUPS), 0);
    for from in (0..groups).step_by(usize::try_from(AT_ONCE)?) {
        let request = Request::post("/v1/imports/bmlt?time_zone=America/New_York");
        let request = request.header("content-type", "application/json").header("idempotency-key", format!("l{from}"));
        let done = admin.send(request, Bytes::from(listing(from, groups).to_string())).await?.ok()?;
        last = done.position.unwrap_or(last);
    }
    server.reaches(last, VISIBLE_WITHIN).await?;
    let mut nobody = Client::new(server.address, "");
    let started = Instant::now();
    ask(&mut nobody, 0).await?;
    let first = started.elapsed();
    let mut latencies = Latencies::default();
    for number in 0..bench.count(ASKED) {
        let sent = Instant::now();
        ask(&mut nobody, number).await?;
        latencies.record(sent.elapsed());
    }
    figures.add("near_first_ms", first.as_secs_f64() * 1_000.0, "takes the list into memory");
    figures.add("near_p99_ms", latencies.percentile_ms(99.0), format!("goal ≤ 10; {groups} groups, 50 of a page"));
    server.stop().await
}

/// Where the group or the question of a number is, all over a continent.
fn place(number: u64) -> (f64, f64) {
    let of = |step: u64, steps: u32| f64::from(u32::try_from(number * step % u64::from(steps)).unwrap_or_default());
    (25.0 + of(7_919, 240_007) / 10_000.0, -124.0 + of(104_729, 570_029) / 10_000.0)
}

fn listing(from: u64, groups: u64) -> Value {
    let meeting = |n: u64| {
        let (latitude, longitude) = place(n);
        json!({ "id_bigint": n, "service_body_bigint": 1, "weekday_tinyint": n % 7 + 1, "start_time": "19:00:00",
            "duration_time": "01:00:00", "published": 1, "meeting_name": format!("Group {n}"),
            "location_street": format!("{n} Main St"), "latitude": latitude, "longitude": longitude })
    };
    let meetings: Vec<_> = (from..(from + AT_ONCE).min(groups)).map(meeting).collect();
    json!({ "meetings": meetings, "service_bodies": [{ "id": 1, "name": "Bench" }] })
}

async fn ask(nobody: &mut Client, number: u64) -> anyhow::Result<()> {
    let (latitude, longitude) = place(number * 31 + 7);
    let more = MORE[usize::try_from(number)? % MORE.len()];
    let path = format!("/v1/public/{ORG}/groups/near?latitude={latitude}&longitude={longitude}{more}");
    let answer = nobody.send(Request::get(path), Bytes::new()).await?.ok()?.json();
    let items = answer["items"].as_array().context("groups")?;
    anyhow::ensure!(items.is_empty() == more.ends_with("cy") || more.is_empty(), "{more}: {}", items.len());
    Ok(())
}
