//! What sealing costs: registrations and marks with and without names, a search, an import.

use std::{
    fmt::Write,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use hyper::{Request, StatusCode, header};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Bench, Figures,
    command::{CONNECTIONS, GIVEN, Sent, family, open_registers, post, profile, send},
};
use crate::{
    http::Client,
    load::{Latencies, per_second},
    server::Server,
};

/// Members of the file that is imported, a count.
const IMPORTED: u64 = 50_000;
/// Members of the organisation that is searched, a count.
const SEARCHED: u64 = 20_000;
/// Groups of the imported file, a count.
const GROUPS: u64 = 100;
/// Searches, a count.
const SEARCHES: u64 = 300;
/// How long each kind of command is measured, in all rounds.
const MEASURED: Duration = Duration::from_secs(20);
/// How long commands are sent before that, in each round.
const WARM_UP: Duration = Duration::from_secs(2);
/// The kinds are measured this often, one after the other.
const ROUNDS: u32 = 2;
/// Longest wait for the views.
const VISIBLE_WITHIN: Duration = Duration::from_mins(3);
/// The organisations: nothing is known of the members of the first.
const ORGS: [&str; 2] = ["bare", "sealed"];

/// Measures all of it.
///
/// # Errors
/// If a server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("members");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    import(bench, (&server, &data), figures).await?;
    search(bench, (&server, &data), figures).await?;
    sealing(bench, (&server, &data), figures).await?;
    server.stop().await
}

/// Registrations and marks, without names and with them in turn.
async fn sealing(bench: &Bench, (server, data): (&Server, &Path), figures: &mut Figures) -> anyhow::Result<()> {
    // Whoever has a name is compared with all who have one.
    let (path, members) = (bench.place.join("beside.csv"), bench.count(SEARCHED));
    file(&path, members, &[])?;
    run_import(bench, (server, data), &path, ORGS[1]).await?;
    let (warm_up, time) = (bench.time(WARM_UP), bench.time(MEASURED) / ROUNDS);
    let (mut sent, mut registered) = ([Sent::default(), Sent::default()], [0.0, 0.0]);
    let mut ready = Vec::new();
    for (org, named) in ORGS.into_iter().zip([false, true]) {
        let token = bench.kith.admin(org, data).await?;
        let marks = open_registers(server.address, &token, named).await?;
        ready.push((token, marks, named));
    }
    for round in 0..ROUNDS {
        for (n, (token, marks, named)) in ready.iter_mut().enumerate() {
            sent[n].add(&send((server.address, token), marks, warm_up, time).await?);
            registered[n] += register((server.address, token), *named, round, time).await? / f64::from(ROUNDS);
        }
    }
    let [bare, sealed] = [sent[0].per_second(), sent[1].per_second()];
    figures.add("register_per_s", registered[0], format!("nothing known; {CONNECTIONS} connections, durable"));
    figures.add("register_sealed_per_s", registered[1], "alias, names, e-mail, phone, year; a key for each");
    figures.add(
        "register_sealed_ratio",
        registered[1] / registered[0],
        format!("goal ≥ 0.4; beside {members} members"),
    );
    figures.add("marks_bare_per_s", bare, "marks of members of whom nothing is known");
    figures.add("marks_sealed_per_s", sealed, "the same, of members with names");
    figures.add("sealed_ratio", sealed / bare, "goal ≥ 0.8");
    Ok(())
}

/// Registers members over all connections; answers how many a second.
async fn register(
    (address, token): (SocketAddr, &str),
    named: bool,
    round: u32,
    time: Duration,
) -> anyhow::Result<f64> {
    let (started, mut connections) = (Instant::now(), JoinSet::new());
    for connection in 0..CONNECTIONS as u64 {
        let mut client = Client::new(address, token);
        connections.spawn(async move {
            let mut done = 0;
            while started.elapsed() < time {
                let number = (u64::from(round) * 1_000 + connection) * 1_000_000 + done;
                let body = json!({ "profile": if named { profile(number) } else { json!({}) } });
                post(&mut client, "/v1/members", &format!("new-{number}"), body).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut all = 0;
    while let Some(done) = connections.join_next().await {
        all += done??;
    }
    Ok(per_second(all, started.elapsed()))
}

/// A file of so many members, each in one of the groups, if there are any.
fn file(path: &Path, members: u64, groups: &[String]) -> anyhow::Result<()> {
    let mut text = "alias,given_name,family_name,email,phone,year_of_birth,external_system,external_id".to_owned();
    text.push_str(if groups.is_empty() { "\n" } else { ",group,starts_on\n" });
    for n in 0..members {
        let given = GIVEN[usize::try_from(n % 20)?];
        let family = family(n / 2);
        let year = 1930 + n % 80;
        write!(text, "A{n},{given},{family} {n},m{n}@example.org,+48 600 {n:06},{year},old,{n}")?;
        if let Some(group) = groups.get(usize::try_from(n * groups.len() as u64 / members)?) {
            write!(text, ",{group},2026-01-01")?;
        }
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Imports a file that is sorted by groups, as exported files are.
async fn import(bench: &Bench, (server, data): (&Server, &Path), figures: &mut Figures) -> anyhow::Result<()> {
    let mut client = Client::new(server.address, bench.kith.admin("import", data).await?);
    let programme = post(&mut client, "/v1/programmes", "p", json!({ "name": "Bench" })).await?.json();
    let mut groups = Vec::new();
    for number in 0..GROUPS {
        let details = json!({ "name": format!("Group {number}"), "programme": programme["id"], "focus": "addiction",
            "mode": "in_person", "listed": true });
        let body = json!({ "details": details });
        let group = post(&mut client, "/v1/groups", &format!("g{number}"), body).await?.json();
        groups.push(group["id"].as_str().context("a group's id")?.to_owned());
    }
    let (path, members) = (bench.place.join("import.csv"), bench.count(IMPORTED));
    file(&path, members, &groups)?;
    let took = run_import(bench, (server, data), &path, "import").await?;
    figures.add("import_s", took, format!("goal < 60; {members} members and enrolments, looked through first"));
    #[allow(clippy::cast_precision_loss)] // far fewer than 2^52
    figures.add("import_per_s", members as f64 / took, "members, by `kith import members`");
    Ok(())
}

async fn run_import(bench: &Bench, (server, data): (&Server, &Path), file: &Path, org: &str) -> anyhow::Result<f64> {
    let (url, started) = (format!("http://{}", server.address), Instant::now());
    let file = file.to_str().context("a path of our own")?;
    let said = bench.kith.run(&["import", "members", file, "--org", org, "--url", &url], data).await?;
    println!("{said}");
    Ok(started.elapsed().as_secs_f64())
}

/// Searches by name, one after the other.
async fn search(bench: &Bench, (server, data): (&Server, &Path), figures: &mut Figures) -> anyhow::Result<()> {
    let (path, members) = (bench.place.join("search.csv"), bench.count(SEARCHED));
    file(&path, members, &[])?;
    run_import(bench, (server, data), &path, "search").await?;
    let mut client = Client::new(server.address, bench.kith.admin("search", data).await?);
    let last = post(&mut client, "/v1/programmes", "last", json!({ "name": "Last" })).await?;
    server.reaches(last.position.unwrap_or_default(), VISIBLE_WITHIN).await?;
    let warm = Instant::now();
    find(&mut client, "beata").await?;
    figures.add("search_first_ms", warm.elapsed().as_secs_f64() * 1e3, format!("opens the names of {members}"));
    let mut latencies = Latencies::default();
    for n in 0..bench.count(SEARCHES) {
        let (given, family) = (GIVEN[usize::try_from(n % 20)?], family(n * 7));
        let name = match n % 3 {
            0 => format!("{given} {family}"),
            1 => family[..4].to_owned(),
            _ => format!("{}{}", &family[..3], &family[4..]), // a letter is missing
        };
        let asked = Instant::now();
        find(&mut client, &name).await?;
        latencies.record(asked.elapsed());
    }
    figures.add("search_p50_ms", latencies.percentile_ms(50.0), "exact, beginnings, misspelt");
    figures.add("search_p99_ms", latencies.percentile_ms(99.0), format!("goal ≤ 20; {members} members"));
    Ok(())
}

async fn find(client: &mut Client, name: &str) -> anyhow::Result<()> {
    let request = Request::post("/v1/members/search").header(header::CONTENT_TYPE, "application/json");
    let answer = client.send(request, Bytes::from(json!({ "name": name }).to_string())).await?;
    anyhow::ensure!(answer.status == StatusCode::OK, "a search: {}", answer.status);
    Ok(())
}
