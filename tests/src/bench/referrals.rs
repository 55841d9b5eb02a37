//! The story of a need with many referrals, in an organisation with many members who have one each.

use std::{net::SocketAddr, time::Instant};

use anyhow::Context;
use domain::MemberId;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    Bench, Figures,
    command::{CONNECTIONS, ORG, post},
};
use crate::{http::Client, load::Latencies};

/// Members with a need and a draft each, a count.
const MEMBERS: u64 = 20_000;
/// Referrals of the one need whose story is read, a count.
const ATTEMPTS: u64 = 20;
/// Stories that are read, a count.
const STORIES: u64 = 300;

/// Measures how long a story takes.
///
/// # Errors
/// If the server does not do what it must.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let data = bench.place.join("referrals");
    let server = bench.kith.serve(&data, ([127, 0, 0, 1], 0).into(), &["--plan-days", "0", "--log", "warn"]).await?;
    let token = bench.kith.admin(ORG, &data).await?;
    let mut client = Client::new(server.address, &token);
    let services = services(&mut client).await?;
    let (first, service) = services[0].clone();
    let need = json!({ "urgency": "routine", "says": { "ask": "Somebody to talk to" },
        "refer_to": { "partner": first, "service": service } });
    let mut registering = JoinSet::new();
    for connection in 0..CONNECTIONS as u64 {
        let (mut client, need) = (Client::new(server.address, &token), need.clone());
        let of = (connection..bench.count(MEMBERS)).step_by(CONNECTIONS);
        registering.spawn(async move {
            for n in of {
                stated(&mut client, MemberId(Uuid::from_u64_pair(7, n)), &need).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = registering.join_next().await {
        done??;
    }
    let member = MemberId(Uuid::from_u64_pair(8, 1));
    let need = stated(&mut client, member, &need).await?;
    let mut position = 0;
    for (n, (partner, service)) in services.iter().enumerate() {
        position = attempted((&mut client, server.address), member, &need, (n, partner, service)).await?;
    }
    let path = format!("/v1/members/{member}/referrals");
    let shown = client.get(&path, position).await?.ok()?.json();
    let told = shown["needs"][0]["referrals"].as_array().map_or(0, Vec::len);
    anyhow::ensure!(told as u64 == ATTEMPTS + 1, "{told} referrals are told");
    let mut latencies = Latencies::default();
    for _ in 0..bench.count(STORIES) {
        let asked = Instant::now();
        client.get(&path, 0).await?.ok()?;
        latencies.record(asked.elapsed());
    }
    let beside = "goal ≤ 15; a need with twenty attempts, 20,000 members with one each";
    figures.add("story_p99_ms", latencies.percentile_ms(99.0), beside);
    server.stop().await
}

/// A partner with a service for each attempt.
async fn services(client: &mut Client) -> anyhow::Result<Vec<(String, String)>> {
    let mut services = Vec::new();
    for n in 0..ATTEMPTS {
        let calendar = json!({ "time_zone": "America/New_York", "working_days": ["MO", "TU", "WE", "TH", "FR"] });
        let body = json!({ "name": format!("Partner {n}"), "calendar": calendar });
        let partner = post(client, "/v1/partners", &format!("partner-{n}"), body).await?.json();
        let partner = partner["id"].as_str().context("a partner's id")?.to_owned();
        let service = Uuid::from_u64_pair(9, n).to_string();
        let path = format!("/v1/partners/{partner}/services/{service}");
        let body = json!({ "name": "Counselling", "status": "active", "may_receive": ["ask"] });
        client.command(Method::PUT, &path, &path, &body).await?.ok()?;
        services.push((partner, service));
    }
    Ok(services)
}

/// Registers a member and states their need.
async fn stated(client: &mut Client, member: MemberId, need: &Value) -> anyhow::Result<String> {
    post(client, "/v1/members", &format!("member-{member}"), json!({ "member": member, "profile": {} })).await?;
    let path = format!("/v1/members/{member}/needs");
    let answer = client.command(Method::POST, &path, &path, need).await?;
    anyhow::ensure!(answer.status == StatusCode::CREATED, "POST {path}: {}", answer.status);
    Ok(answer.json()["need"].as_str().context("a need's id")?.to_owned())
}

/// Refers the need to one partner, which takes it on, makes an appointment, and declines it in the end.
async fn attempted(
    (client, address): (&mut Client, SocketAddr),
    member: MemberId,
    need: &str,
    (n, partner, service): (usize, &str, &str),
) -> anyhow::Result<u64> {
    let of = |what: &str| format!("/v1/members/{member}/{what}");
    let elements = ["subject", "discloser", "information", "recipient", "purpose", "revocation", "end", "signature"];
    let allow = json!({ "law": "part2", "partners": [partner], "items": ["ask"], "text": "referral-1",
        "means": "written", "elements": elements });
    post(client, &of("disclosures"), &format!("allow-{n}"), allow).await?;
    let draft = json!({ "partner": partner, "service": service });
    let drafted = post(client, &of(&format!("needs/{need}/referrals")), &format!("draft-{n}"), draft).await?.json();
    let referral = of(&format!("referrals/{}", drafted["referral"].as_str().context("a referral's id")?));
    let preview = post(client, &format!("{referral}/preview"), &format!("preview-{n}"), json!({})).await?.json();
    let sending = json!({ "preview": preview["preview"], "link": true });
    let sent = post(client, &format!("{referral}/sending"), &format!("send-{n}"), sending).await?.ok()?;
    let mut position = sent.position.unwrap_or_default();
    let link =
        sent.json()["link"]["path"].as_str().and_then(|path| path.split_once('#')).context("a link")?.1.to_owned();
    let mut by_link = Client::new(address, &link);
    for (step, what) in [
        json!({ "accept": {} }),
        json!({ "schedule": { "starts_at": "2027-06-05T15:00:00Z" } }),
        json!({ "engage": {} }),
        json!({ "decline": { "reason": "no_capacity" } }),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "what": what, "note": "As it was said on the telephone" });
        let answer = post(&mut by_link, "/v1/link/steps", &format!("step-{n}-{step}"), body).await?.ok()?;
        position = answer.position.unwrap_or(position);
    }
    Ok(position)
}
