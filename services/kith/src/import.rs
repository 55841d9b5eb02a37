//! `kith import`.

mod attendance_file;
mod calendar;
mod check_ins;
mod check_ins_file;
mod csv_file;
mod hsds;
mod listing;
mod members;
mod members_file;
mod past_attendance;
mod send;

use std::fmt::Write;

use anyhow::{Context, bail};
use domain::OrgId;
use indicatif::ProgressBar;
use jiff::SignedDuration;
use reqwest::header;
use serde_json::Value;
use uuid::Uuid;
use web::Role;

use crate::{DataDir, args::Server, data_dir::random};

pub use calendar::calendar;
pub use check_ins::check_ins;
pub use hsds::hsds;
pub use listing::{bmlt, groups, meeting_guide, naws};
pub use members::members;
pub use past_attendance::attendance;

/// Sends all of something in one request; answers the report.
async fn post(
    server: &Server,
    org: &OrgId,
    kind: &str,
    query: &[(&str, String)],
    (what, body): (&str, Vec<u8>),
) -> anyhow::Result<Value> {
    let token = token(server, org)?;
    let bar = ProgressBar::new_spinner().with_message(format!("importing {what}"));
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let url = format!("{}/v1/imports/{kind}", server.url.trim_end_matches('/'));
    let sent = reqwest::Client::new()
        .post(&url)
        .query(query)
        .bearer_auth(token)
        .header("Idempotency-Key", Uuid::from_bytes(random()?).to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await;
    bar.finish_and_clear();
    let answer = sent.with_context(|| format!("no server answers at {}: start one with `kith serve`", server.url))?;
    let (status, body) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        bail!("{status}: {}", problem["detail"].as_str().unwrap_or(&body));
    }
    serde_json::from_str(&body).context("the server's answer cannot be read")
}

/// The token that was given, or a short-lived one of an admin, made by whoever has the data directory.
fn token(server: &Server, org: &OrgId) -> anyhow::Result<String> {
    if let Some(token) = &server.token {
        return Ok(token.clone());
    }
    let issuer = DataDir::existing(&server.data).context("no --token, and none can be made")?.issuer()?;
    let ttl = SignedDuration::from_mins(10);
    Ok(issuer.sign((org, Role::Admin, "kith import"), vec![], crate::clock().now(), ttl)?)
}

/// What became of things of one kind, on a line.
fn counts(out: &mut String, report: &Value, what: &str) -> std::fmt::Result {
    let [created, changed, unchanged, rejected] = ["created", "changed", "unchanged", "rejected"]
        .map(|outcome| report[what][outcome].as_u64().unwrap_or_default());
    writeln!(out, "{what:10} {created:6} created {changed:6} changed {unchanged:6} unchanged {rejected:6} rejected")
}
