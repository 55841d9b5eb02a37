//! How soon `/healthz` answers while others ask for what takes longest.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use hyper::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    Bench, Figures,
    command::{GIVEN, family, post, profile},
};
use crate::{http::Client, load::Latencies, server::Server};

/// Members of the organisation that is searched, a count.
const MEMBERS: u64 = 60_000;
/// Members of one import, a count.
const LINES: u64 = 500;
/// How long each is asked for.
const ASKED_FOR: Duration = Duration::from_secs(6);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Connections that ask at once.
const ASKING: u64 = 4;
/// Longest wait for the views.
const VISIBLE_WITHIN: Duration = Duration::from_mins(3);
/// The organisation.
const ORG: &str = "health";

/// What others ask for.
#[derive(Debug, Clone)]
enum Asked {
    /// A name that many have, and one that is nearly that of many.
    Search,
    /// A rule that names no day, which is not known before all days were looked at. Of this group.
    Rule(String),
    /// Lines of an import, all of whom are here.
    Import,
}

/// Measures it.
///
/// # Errors
/// If the server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("health");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let group = fill(&server, &token, bench.count(MEMBERS)).await?;
    let (time, address) = (bench.time(ASKED_FOR), server.address);
    let idle = while_asked(address, &token, None, time).await?;
    figures.add("healthz_idle_p99_ms", idle.percentile_ms(99.0), "nothing else is asked");
    for (name, asked) in [
        ("healthz_search_p99_ms", Asked::Search),
        ("healthz_rule_p99_ms", Asked::Rule(group)),
        ("healthz_import_p99_ms", Asked::Import),
    ] {
        let latencies = while_asked(address, &token, Some(&asked), time).await?;
        let members = bench.count(MEMBERS);
        figures.add(name, latencies.percentile_ms(99.0), format!("goal ≤ 20; {ASKING} ask at once, {members} members"));
    }
    server.stop().await
}

/// Registers members, and a group; answers its id.
async fn fill(server: &Server, token: &str, members: u64) -> anyhow::Result<String> {
    let mut client = Client::new(server.address, token);
    let programme = post(&mut client, "/v1/programmes", "p", json!({ "name": "Bench" })).await?.json();
    let details = json!({ "name": "Group", "programme": programme["id"], "focus": "addiction", "mode": "in_person",
        "listed": true });
    let group = post(&mut client, "/v1/groups", "g", json!({ "details": details })).await?;
    let mut last = group.position.unwrap_or_default();
    for from in (0..members).step_by(usize::try_from(LINES)?) {
        let done = post(&mut client, "/v1/imports/members", &format!("i{from}"), lines(from, false)).await?;
        last = done.position.unwrap_or(last);
    }
    server.reaches(last, VISIBLE_WITHIN).await?;
    Ok(group.json()["id"].as_str().context("a group's id")?.to_owned())
}

fn lines(from: u64, dry_run: bool) -> Value {
    let line = |n: u64| {
        let mut profile = profile(n);
        profile["external_ids"] = json!([{ "system": "old", "value": n.to_string() }]);
        json!({ "line": n, "profile": profile })
    };
    json!({ "dry_run": dry_run, "lines": (from..from + LINES).map(line).collect::<Vec<_>>() })
}

async fn while_asked(
    address: SocketAddr,
    token: &str,
    asked: Option<&Asked>,
    time: Duration,
) -> anyhow::Result<Latencies> {
    let (end, mut asking) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for connection in 0..ASKING {
        let Some(asked) = asked.cloned() else { break };
        let (mut client, end) = (Client::new(address, token), end.clone());
        asking.spawn(async move {
            let mut number = connection * 1_000_000;
            while !end.load(Ordering::Relaxed) {
                ask(&mut client, &asked, number).await?;
                number += 1;
            }
            anyhow::Ok(())
        });
    }
    let (mut client, mut latencies) = (Client::new(address, ""), Latencies::default());
    let (started, mut every) = (Instant::now(), tokio::time::interval(LOOK_EVERY));
    while started.elapsed() < time {
        every.tick().await;
        let sent = Instant::now();
        client.send(Request::get("/healthz"), Bytes::new()).await?.ok()?;
        latencies.record(sent.elapsed());
    }
    end.store(true, Ordering::Relaxed);
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    Ok(latencies)
}

async fn ask(client: &mut Client, asked: &Asked, number: u64) -> anyhow::Result<()> {
    let (answer, expected) = match asked {
        Asked::Search => {
            let (given, family) = (GIVEN[usize::try_from(number % 20)?], family(number * 7));
            let name = match number % 3 {
                0 => "k m".to_owned(),
                1 => format!("{given} {family}"),
                _ => format!("{}{}", &family[..3], &family[4..]), // a letter is missing
            };
            let request = Request::post("/v1/members/search").header(header::CONTENT_TYPE, "application/json");
            (client.send(request, Bytes::from(json!({ "name": name }).to_string())).await?, StatusCode::OK)
        }
        Asked::Rule(group) => {
            let never = json!({ "starts_on": "2026-01-06", "starts_at": "19:00:00", "duration_minutes": 90,
                "time_zone": "America/New_York", "recurrence": "FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=100" });
            let path = format!("/v1/groups/{group}/schedule");
            let answer = client.command(Method::PUT, &path, &format!("r{number}"), &never).await?;
            (answer, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Asked::Import => {
            let path = "/v1/imports/members";
            let answer = client.command(Method::POST, path, &format!("d{number}"), &lines(0, true)).await?;
            (answer, StatusCode::OK)
        }
    };
    anyhow::ensure!(answer.status == expected, "{asked:?}: {}", answer.status);
    Ok(())
}
