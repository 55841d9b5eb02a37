//! A coordinator's page of the queue, in an organisation with many members; and those who follow what changes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper::Method;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    Bench, Figures,
    command::{CONNECTIONS, Marks, ORG, open_registers, post, send},
};
use crate::{changes::Following, http::Client, load::Latencies, server::Server};

/// Members of the organisation, a count.
const MEMBERS: u64 = 20_000;
/// Items that are open, a count.
const OPEN: u64 = 500;
/// Pages that are read, a count.
const PAGES: u64 = 300;
/// Streams of whoever follows, a count, and of one caller.
const STREAMS: usize = 2_048;
const OF_CALLER: usize = projections::STREAMS_OF_CALLER_MAX;
/// How long commands are sent as fast as possible, and then half as often while all follow.
const MEASURED: Duration = Duration::from_secs(20);
/// Changes whose way to who follows is measured, a count.
const CHANGES: u64 = 200;
/// Longest wait for a message, and between two of them for a stream that keeps up.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// Measures both.
///
/// # Errors
/// If a server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("queue");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    pages(bench, (&server, &token), figures).await?;
    server.stop().await?;

    let data = bench.place.join("changes");
    let settings = [("CONNECTIONS_MAX", "8000"), ("ADDRESS_CONNECTIONS_MAX", "0")];
    let arguments = ["--plan-days", "0", "--log", "warn"];
    let server = bench.kith.serve_with(&data, ([127, 0, 0, 1], 0).into(), &arguments, &settings).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let mut marks = open_registers(server.address, &token, false).await?;
    told(bench, (server.address, &token), &mut marks[0], figures).await?;
    let mut tokens = vec![];
    for n in 0..STREAMS.div_ceil(OF_CALLER) {
        let who = ["token", "--org", ORG, "--role", "coordinator", "--subject", &format!("c{n}"), "--ttl", "24h"];
        tokens.push(bench.kith.run(&who, &data).await?);
    }
    followed(bench, (server.address, &token), (&tokens, marks), figures).await?;
    server.stop().await
}

async fn pages(bench: &Bench, (server, token): (&Server, &str), figures: &mut Figures) -> anyhow::Result<()> {
    let mut client = Client::new(server.address, token);
    let members = bench.count(MEMBERS);
    let id = |n: u64| Uuid::from_u64_pair(7, n);
    let mut registering = JoinSet::new();
    for connection in 0..CONNECTIONS as u64 {
        let mut client = Client::new(server.address, token);
        registering.spawn(async move {
            for n in (connection..members).step_by(CONNECTIONS) {
                let body = json!({ "member": id(n), "profile": { "alias": format!("Alias {n}") } });
                post(&mut client, "/v1/members", &format!("m{n}"), body).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = registering.join_next().await {
        done??;
    }
    let calendar = json!({ "time_zone": "America/New_York", "working_days": ["MO", "TU", "WE", "TH", "FR"] });
    let partner =
        post(&mut client, "/v1/partners", "partner", json!({ "name": "Harbour", "calendar": calendar })).await?;
    let partner = partner.json()["id"].as_str().context("a partner's id")?.to_owned();
    let service = Uuid::from_u64_pair(9, 1).to_string();
    let path = format!("/v1/partners/{partner}/services/{service}");
    let body = json!({ "name": "Counselling", "status": "active", "may_receive": ["ask"] });
    client.command(Method::PUT, &path, &path, &body).await?.ok()?;
    let need = json!({ "urgency": "routine", "says": { "ask": "Somebody to talk to" },
        "refer_to": { "partner": partner, "service": service } });
    let (mut position, open) = (0, bench.count(OPEN));
    for n in 0..open {
        let path = format!("/v1/members/{}/needs", id(n));
        position = post(&mut client, &path, &path, need.clone()).await?.position.unwrap_or(position);
    }
    let first = Instant::now();
    let page = client.get("/v1/queue", position).await?.ok()?.json();
    figures.add("queue_first_ms", first.elapsed().as_secs_f64() * 1e3, "the first page after a start");
    anyhow::ensure!(page["kinds"][0]["items"] == open, "{}", page["kinds"]);
    let mut latencies = Latencies::default();
    for _ in 0..bench.count(PAGES) {
        let asked = Instant::now();
        client.get("/v1/queue", 0).await?.ok()?;
        latencies.record(asked.elapsed());
    }
    let beside = format!("goal ≤ 30; 50 of {open} items, with names, {members} members");
    figures.add("queue_p99_ms", latencies.percentile_ms(99.0), beside);
    Ok(())
}

/// How long after the answer to a command those who follow are told.
async fn told(
    bench: &Bench,
    (address, token): (SocketAddr, &str),
    marks: &mut Marks,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut following = Following::begin(address, token, "?topics=registers", None).await?;
    following.next().await?;
    let (mut client, mut latencies) = (Client::new(address, token), Latencies::default());
    for _ in 0..bench.count(CHANGES) {
        // What changes within half a second after a message is told with the next.
        tokio::time::sleep(Duration::from_millis(510)).await;
        marks.mark(&mut client).await?;
        let acknowledged = Instant::now();
        timeout(TOLD_WITHIN, following.next()).await?.context("the stream breaks")?.context("the stream has ended")?;
        latencies.record(acknowledged.elapsed());
    }
    figures.add("change_visible_p50_ms", latencies.percentile_ms(50.0), "acknowledged, until told");
    figures.add("change_visible_p99_ms", latencies.percentile_ms(99.0), "goal ≤ 50");
    Ok(())
}

/// How many follow while commands come half as often as they can.
async fn followed(
    bench: &Bench,
    (address, token): (SocketAddr, &str),
    (tokens, mut marks): (&[String], Vec<Marks>),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let time = bench.time(MEASURED);
    let alone = send((address, token), &mut marks, Duration::from_secs(1), time / 2).await?;
    let (end, mut streams) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for n in 0..STREAMS {
        let mut following = Following::begin(address, &tokens[n / OF_CALLER], "?topics=registers", None).await?;
        let end = end.clone();
        streams.spawn(async move {
            following.next().await?;
            loop {
                let message = timeout(TOLD_WITHIN, following.next()).await;
                if end.load(Ordering::Relaxed) {
                    return anyhow::Ok(());
                }
                message.context("nothing is told in time")??.context("the stream has ended")?;
                following.forget();
            }
        });
    }
    let connections = u32::try_from(CONNECTIONS)?;
    let every = Duration::from_secs_f64(2.0 * f64::from(connections) / alone.per_second());
    let (started, mut commands) = (Instant::now(), JoinSet::new());
    for (number, mut marks) in (0..).zip(marks) {
        let mut client = Client::new(address, token);
        let mut next = started + every * number / connections;
        commands.spawn(async move {
            let mut latencies = Latencies::default();
            while next < started + time {
                sleep_until(next.into()).await;
                next += every;
                let sent = Instant::now();
                marks.mark(&mut client).await?;
                latencies.record(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(connection) = commands.join_next().await {
        latencies.add(&connection??);
    }
    end.store(true, Ordering::Relaxed);
    let mut kept_up = 0;
    while let Some(stream) = streams.join_next().await {
        match stream? {
            Ok(()) => kept_up += 1,
            Err(error) => println!("a stream: {error:#}"),
        }
    }
    let per_s = crate::load::per_second(latencies.count(), time);
    let beside = format!(
        "goal ≥ 2000; that kept up at {per_s:.0} commands/s, p99 {:.0} ms; alone {:.0}/s",
        latencies.percentile_ms(99.0),
        alone.per_second()
    );
    figures.add("changes_clients", f64::from(kept_up), beside);
    Ok(())
}
