//! From acknowledged to readable: commands at a steady rate, whoever sent one reads it back through NATS and the views.

use std::{net::SocketAddr, time::Duration};

use hyper::StatusCode;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Bench, Figures,
    command::{CONNECTIONS, Marks, ORG, open_registers},
};
use crate::{
    http::Client,
    load::{Latencies, per_second},
};

/// Commands per second.
const RATE: u32 = 500;
/// How long is measured.
const MEASURED: Duration = Duration::from_secs(20);
/// How long commands are sent before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Measures visibility, and the same reads without having to wait for anything.
///
/// # Errors
/// If the server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("visible");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let mut marks = open_registers(server.address, &token, false).await?;
    let (warm_up, time) = (bench.time(WARM_UP), bench.time(MEASURED));
    measure((server.address, &token), &mut marks, true, warm_up).await?;
    let (visible, per_s) = measure((server.address, &token), &mut marks, true, time).await?;
    let (floor, _) = measure((server.address, &token), &mut marks, false, time / 2).await?;
    server.stop().await?;
    figures.add("visible_p50_ms", visible.percentile_ms(50.0), format!("at {per_s:.0} commands/s"));
    figures.add("visible_p99_ms", visible.percentile_ms(99.0), "goal ≤ 50");
    figures.add("visible_limit_p99_ms", floor.percentile_ms(99.0), "the same read without waiting for the view");
    Ok(())
}

/// Sends at [`RATE`], whatever the answers take, and reads each back on another connection.
async fn measure(
    (address, token): (SocketAddr, &str),
    marks: &mut Vec<Marks>,
    waits: bool,
    time: Duration,
) -> anyhow::Result<(Latencies, f64)> {
    let (started, every) = (Instant::now(), Duration::from_secs(1) / RATE);
    let mut connections = JoinSet::new();
    for (number, marks) in (0..).zip(marks.drain(..)) {
        let clients = (Client::new(address, token), Client::new(address, token));
        let pace = (started + every * number, every * u32::try_from(CONNECTIONS)?);
        connections.spawn(mark_and_read(clients, marks, pace, started + time, waits));
    }
    let mut all = Latencies::default();
    while let Some(connection) = connections.join_next().await {
        let (used, latencies) = connection??;
        marks.push(used);
        all.add(&latencies);
    }
    let per_s = per_second(all.count(), started.elapsed());
    Ok((all, per_s))
}

async fn mark_and_read(
    (mut writes, mut reads): (Client, Client),
    mut marks: Marks,
    (mut next, every): (Instant, Duration),
    until: Instant,
    waits: bool,
) -> anyhow::Result<(Marks, Latencies)> {
    let mut latencies = Latencies::default();
    while next < until {
        sleep_until(next).await;
        next += every;
        let position = marks.mark(&mut writes).await?.position.unwrap_or_default();
        let acknowledged = Instant::now();
        let read = reads.get(&marks.register(), if waits { position } else { 0 }).await?;
        latencies.record(acknowledged.elapsed());
        anyhow::ensure!(read.status == StatusCode::OK, "GET {}: {}", marks.register(), read.status);
    }
    Ok((marks, latencies))
}
