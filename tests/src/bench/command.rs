//! Commands over HTTP: marks on open registers, from another process, as many as 64 connections can send.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use domain::{GroupId, MemberId};
use hyper::{Method, StatusCode};
use jiff::{Span, tz::TimeZone};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Bench, Figures, empty_server::EmptyServer, floor};
use crate::{
    http::{Answer, Client},
    load::{Latencies, per_second},
    process::processes_on,
    server::Server,
};

/// Connections at once, each with a group of its own; a count.
pub const CONNECTIONS: usize = 64;
/// Members of each group, a count.
const MEMBERS: u64 = 20;
/// Meetings of each group, one a week, a count.
const WEEKS: i32 = 52;
/// How long commands are sent before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long is measured, in all rounds.
const MEASURED: Duration = Duration::from_secs(20);
/// Kith and the empty server are measured this often, one after the other.
const ROUNDS: u32 = 2;
/// How long messages are sent to NATS alone.
const MESSAGES_SENT: Duration = Duration::from_secs(5);
/// The organisation.
pub const ORG: &str = "bench";

/// Where marks can be made, of one connection.
#[derive(Debug, Clone)]
pub struct Marks {
    paths: Vec<String>,
    next: usize,
    key: String,
    sent: u64,
}

/// Where the commands of one connection come from.
pub trait Commands: Send + 'static {
    /// Sends the next one.
    fn next(&mut self, client: &mut Client) -> impl Future<Output = anyhow::Result<Answer>> + Send;
}

impl Commands for Marks {
    async fn next(&mut self, client: &mut Client) -> anyhow::Result<Answer> {
        self.mark(client).await
    }
}

impl Marks {
    /// Marks the next member: another one than last time, or otherwise than last time.
    ///
    /// # Errors
    /// If it is not done.
    pub async fn mark(&mut self, client: &mut Client) -> anyhow::Result<Answer> {
        let late = (self.next / self.paths.len()) % 2 == 1;
        let path = &self.paths[self.next % self.paths.len()];
        self.next += 1;
        self.sent += 1;
        let body = json!({ "mark": if late { "late" } else { "present" } });
        let answer = client.command(Method::PUT, path, &format!("{}-{}", self.key, self.sent), &body).await?;
        anyhow::ensure!(answer.status == StatusCode::NO_CONTENT, "PUT {path}: {}", answer.status);
        Ok(answer)
    }

    /// The register that the last mark is on.
    pub fn register(&self) -> String {
        let last = &self.paths[self.next.saturating_sub(1) % self.paths.len()];
        let meeting = last.split("/attendance/").next().unwrap_or_default();
        format!("{meeting}/register")
    }
}

/// Measures commands.
///
/// # Errors
/// If a server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("command");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let mut marks = open_registers(server.address, &token, false).await?;
    let mut empty_marks = marks.clone();
    let empty = EmptyServer::start().await?;
    let (warm_up, time) = (bench.time(WARM_UP) / ROUNDS, bench.time(MEASURED) / ROUNDS);
    let (mut kith, mut limit) = (Sent::default(), Sent::default());
    let (kiths, empties) = (processes_on(&data), [empty.pid()?]);
    for _ in 0..ROUNDS {
        kith.add(&metered(&kiths, (server.address, &token), &mut marks, warm_up, time).await?);
        limit.add(&metered(&empties, (empty.address, &empty.token), &mut empty_marks, warm_up, time).await?);
    }
    let group = commands_a_transaction(&server).await?;
    server.stop().await?;
    let (per_s, limit_per_s) = (kith.per_second(), limit.per_second());
    figures.add("command_per_s", per_s, format!("goal ≥ 6000; {CONNECTIONS} connections, durable"));
    figures.add("command_limit_per_s", limit_per_s, "empty handler behind the same layers");
    figures.add("command_ratio", per_s / limit_per_s, "goal ≥ 0.18");
    figures.add("command_p50_ms", kith.latencies.percentile_ms(50.0), "");
    figures.add("command_p99_ms", kith.latencies.percentile_ms(99.0), "goal ≤ 40");
    figures.add("command_limit_p99_ms", limit.latencies.percentile_ms(99.0), "empty handler behind the same layers");
    let (log, again) = (data.join("log.db"), data.join("again.db"));
    let rows = tokio::task::spawn_blocking(move || floor::rows(&log, &again, group)).await??;
    let messages = floor::messages(data.join("nats"), group, bench.time(MESSAGES_SENT)).await?;
    let http = limit.processor_us();
    figures.add("command_us", kith.processor_us(), "of the processor, in all processes, the caller's included");
    figures.add("command_http_us", http, "the same, of a command to an empty handler");
    figures.add("command_rows_us", rows, format!("its rows in bare SQLite, {group} commands a transaction"));
    figures.add("command_messages_us", messages, format!("its event to NATS and back, {group} at once"));
    figures.add("command_floor_ratio", http / (http + rows + messages), "command_ratio if it were these parts");
    Ok(())
}

/// How many commands the server wrote in one transaction, on average.
async fn commands_a_transaction(server: &Server) -> anyhow::Result<usize> {
    let metrics = Client::new(server.ops, "").get("/metrics", 0).await?.ok()?;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let value = |of| metrics.lines().find_map(|line| line.strip_prefix(of)?.trim().parse::<f64>().ok());
    let sizes = value("kith_log_batch_appends_sum").zip(value("kith_log_batch_appends_count"));
    let (sum, count) = sizes.context("the sizes of transactions")?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count
    Ok((sum / count).round().max(1.0) as usize)
}

/// What was sent, and how long it took.
#[derive(Debug, Default)]
pub struct Sent {
    latencies: Latencies,
    took: Duration,
    /// Microseconds of the processor, and for how many commands: those of the warm-up as well.
    used_us: f64,
    commands: u32,
}

impl Sent {
    /// Adds another round.
    pub fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.took += other.took;
        self.used_us += other.used_us;
        self.commands += other.commands;
    }

    /// Commands per second.
    pub fn per_second(&self) -> f64 {
        per_second(self.latencies.count(), self.took)
    }

    /// Microseconds of the processor for each command.
    fn processor_us(&self) -> f64 {
        self.used_us / f64::from(self.commands)
    }
}

/// As [`send`], and measures the time of the processor that these processes, and this one, use for it.
async fn metered(
    pids: &[u32],
    to: (SocketAddr, &str),
    marks: &mut Vec<Marks>,
    warm_up: Duration,
    time: Duration,
) -> anyhow::Result<Sent> {
    let count = |marks: &[Marks]| marks.iter().map(|marks| marks.sent).sum::<u64>();
    let (before_us, commands) = (floor::processor_us(pids)?, count(marks));
    let sent = send(to, marks, warm_up, time).await?;
    let commands = u32::try_from(count(marks) - commands)?;
    Ok(Sent { used_us: floor::processor_us(pids)? - before_us, commands, ..sent })
}

/// Sends commands as fast as they are answered; measures what is answered after the warm-up and before the end.
///
/// # Errors
/// If one is not done.
pub async fn send<C: Commands>(
    (address, token): (SocketAddr, &str),
    commands: &mut Vec<C>,
    warm_up: Duration,
    time: Duration,
) -> anyhow::Result<Sent> {
    let from = Instant::now() + warm_up;
    let until = from + time;
    let mut connections = JoinSet::new();
    for mut commands in commands.drain(..) {
        let mut client = Client::new(address, token).without_positions();
        connections.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let sent = Instant::now();
                if sent >= until {
                    return anyhow::Ok((commands, latencies));
                }
                commands.next(&mut client).await?;
                let answered = Instant::now();
                if answered >= from && answered < until {
                    latencies.record(answered - sent);
                }
            }
        });
    }
    let mut sent = Sent { took: time, ..Sent::default() };
    while let Some(connection) = connections.join_next().await {
        let (used, latencies) = connection??;
        commands.push(used);
        sent.latencies.add(&latencies);
    }
    Ok(sent)
}

/// Makes a group with open registers for each connection; of its members something is known if they are `named`.
///
/// # Errors
/// If the server refuses.
pub async fn open_registers(address: SocketAddr, token: &str, named: bool) -> anyhow::Result<Vec<Marks>> {
    let mut client = Client::new(address, token);
    let programme = post(&mut client, "/v1/programmes", "programme", json!({ "name": "Bench" })).await?.json();
    let programme = programme["id"].as_str().context("a programme's id")?.to_owned();
    let mut groups = JoinSet::new();
    for number in 0..CONNECTIONS {
        groups.spawn(open_group(Client::new(address, token), programme.clone(), number, named));
    }
    groups.join_all().await.into_iter().collect()
}

/// Sends a command that must be done.
///
/// # Errors
/// If it is not.
pub async fn post(client: &mut Client, path: &str, key: &str, body: Value) -> anyhow::Result<Answer> {
    client.command(Method::POST, path, key, &body).await?.ok().with_context(|| format!("POST {path}"))
}

/// What is known of a member whom `number` tells from others.
pub fn profile(number: u64) -> Value {
    json!({ "alias": format!("Alias {number}"), "given_name": given(number), "family_name": family(number),
        "email": format!("m{number}@example.org"), "phone": format!("+48 {number}"), "year_of_birth": 1930 + number % 80 })
}

fn given(number: u64) -> &'static str {
    GIVEN[usize::try_from(number % 20).unwrap_or_default()]
}

/// Given names of members.
pub const GIVEN: [&str; 20] = [
    "Beata",
    "Maria",
    "Jolanta",
    "Katarzyna",
    "Agnieszka",
    "William",
    "Charlotte",
    "Oliver",
    "Mohammed",
    "Fatima",
    "Chiara",
    "Giulia",
    "Lukas",
    "Hannah",
    "Sebastian",
    "Valentina",
    "Mateo",
    "Camila",
    "Olumide",
    "Ngozi",
];

/// A family name: few share one.
pub fn family(number: u64) -> String {
    let parts = ["ko", "wal", "ska", "ber", "man", "tin", "ro", "sen", "dal", "mi"];
    let part = |divisor: u64| parts[usize::try_from(number / divisor % 10).unwrap_or_default()];
    format!("{}{}{}{}{}", part(1), part(10), part(100), part(1_000), part(10_000))
}

async fn open_group(mut client: Client, programme: String, number: usize, named: bool) -> anyhow::Result<Marks> {
    let today = kith::clock().now().to_zoned(TimeZone::UTC).date();
    let last = today.checked_sub(Span::new().days(2))?;
    let first = last.checked_sub(Span::new().days(7 * WEEKS - 1))?;
    let details = json!({ "name": format!("Group {number}"), "programme": programme, "focus": "addiction",
        "mode": "in_person", "listed": true });
    let schedule = json!({ "starts_on": first, "starts_at": "19:00:00", "duration_minutes": 90,
        "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY" });
    let group = json!({ "details": details, "schedule": schedule });
    let group = post(&mut client, "/v1/groups", &format!("group-{number}"), group).await?.json();
    let group: GroupId = group["id"].as_str().context("a group's id")?.parse()?;
    let days = json!({ "from": first, "through": last });
    let planned = post(&mut client, &format!("/v1/groups/{group}/meetings"), &format!("plan-{number}"), days).await?;
    let members: Vec<_> = (0..MEMBERS).map(|member| MemberId(Uuid::from_u64_pair(number as u64 + 1, member))).collect();
    for (n, member) in members.iter().enumerate() {
        let profile = if named { profile(number as u64 * 1_000 + n as u64) } else { json!({}) };
        let body = json!({ "member": member, "profile": profile });
        post(&mut client, "/v1/members", &format!("register-{member}"), body).await?;
        let body = json!({ "member": member, "starts_on": first });
        post(&mut client, &format!("/v1/groups/{group}/enrolments"), &format!("enrol-{member}"), body).await?;
    }
    let path = format!("/v1/groups/{group}/meetings?limit=200");
    let meetings = client.get(&path, planned.position.unwrap_or_default()).await?.ok()?.json();
    let meetings = meetings["items"].as_array().context("a page of meetings")?;
    let mut paths = Vec::new();
    for id in meetings.iter().filter_map(|meeting| meeting["id"].as_str()) {
        post(&mut client, &format!("/v1/meetings/{id}/open"), &format!("open-{id}"), Value::Null).await?;
        paths.extend(members.iter().map(|member| format!("/v1/meetings/{id}/attendance/{member}")));
    }
    anyhow::ensure!(!paths.is_empty(), "group {group} has no meetings");
    Ok(Marks { paths, next: 0, key: format!("mark-{number}"), sent: 0 })
}
