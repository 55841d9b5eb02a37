//! `kith import members`.

use std::{fmt::Write, time::Duration};

use anyhow::{Context, bail};
use domain::LocalDay;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use membership::IMPORT_LINES_MAX;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::members_file::{self, MembersFile, Wrong};
use crate::{
    args::{ImportMembers, OnError},
    data_dir::random,
};

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Most bytes of lines in one request, with room for what is around them.
const BATCH_BYTES_MAX: usize = web::BODY_BYTES_MAX - 8 * 1024;
/// Requests on their way at once, a count: while one is written, others are on their way.
const BATCHES_AT_ONCE: usize = 4;
/// Most lines that are named in the report, a count.
const LINES_NAMED_MAX: usize = 100;
/// How often a batch is sent again while the server has no time for it, a count.
const SENDINGS_MAX: u32 = 10;
/// How long to wait before that, if the server does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends a file of members to a running server; answers the report, ready to be printed, and whether all went well.
pub async fn members(asked: ImportMembers) -> anyhow::Result<(String, bool)> {
    let shown = asked.file.display();
    let length = std::fs::metadata(&asked.file).with_context(|| format!("{shown} cannot be read"))?.len();
    anyhow::ensure!(length <= FILE_BYTES_MAX, "{shown} has {length} bytes, at most {FILE_BYTES_MAX} are possible");
    let bytes = std::fs::read(&asked.file).with_context(|| format!("{shown} cannot be read"))?;
    let now: Timestamp = crate::clock().now();
    // Where the server is, only the server knows: it looks once more.
    let file = members_file::read(&bytes, &LocalDay::begun_anywhere(now))?;
    let token = super::token(&asked.server, &asked.org)?;
    let url = format!("{}/v1/imports/members", asked.server.url.trim_end_matches('/'));
    let mode = if asked.duplicates.is_import() { "import" } else { "report" };
    // Of this sending, and of nothing that stands in the file.
    let key = format!("members-{}", Uuid::from_bytes(random()?).simple());
    let digest = blake3::hash(&bytes).to_hex().to_string();
    let server = Server { client: reqwest::Client::new(), url, token, key, digest, mode };
    drop(bytes);
    let mut report = Report { rejected: file.wrong.len() as u64, named: file.wrong.clone(), ..Report::default() };
    let stops = asked.on_error == OnError::Stop;
    if stops && !file.wrong.is_empty() {
        return Ok((report.refused()?, false));
    }
    let batches = batches(file);
    if stops || asked.dry_run {
        report = server.send(&batches, true, report).await?;
        if asked.dry_run {
            return Ok((report.render("dry run: nothing was done\n")?, !stops || report.rejected == 0));
        }
        if report.rejected > 0 {
            return Ok((report.refused()?, false));
        }
        report = Report::default();
    }
    report = server.send(&batches, false, report).await?;
    let well = !stops || report.rejected == 0;
    Ok((report.render("")?, well))
}

/// Lines in batches: which lines go together depends on the file alone, so that a batch sent again is the same one.
fn batches(file: MembersFile) -> Vec<(String, Vec<Value>)> {
    let mut batches: Vec<(String, Vec<Value>)> = Vec::new();
    let (mut chunk, mut part, mut size) = (usize::MAX, 0, 0);
    for (place, line) in file.lines {
        let bytes = line.to_string().len() + 1;
        let own = place / IMPORT_LINES_MAX;
        if own != chunk || size + bytes > BATCH_BYTES_MAX {
            part = if own == chunk { part + 1 } else { 0 };
            (chunk, size) = (own, 0);
            batches.push((format!("{chunk}.{part}"), Vec::new()));
        }
        size += bytes;
        if let Some((_, lines)) = batches.last_mut() {
            lines.push(line);
        }
    }
    batches
}

/// Where it goes.
struct Server {
    client: reqwest::Client,
    url: String,
    token: String,
    key: String,
    /// By which the server knows the file again; it keeps it nowhere.
    digest: String,
    mode: &'static str,
}

impl Server {
    /// Sends all batches, a few at a time, and adds what became of them.
    async fn send(&self, batches: &[(String, Vec<Value>)], dry_run: bool, report: Report) -> anyhow::Result<Report> {
        let all: usize = batches.iter().map(|(_, lines)| lines.len()).sum();
        let what = if dry_run { "checking" } else { "importing" };
        let style = ProgressStyle::with_template("{msg} {bar:40} {human_pos}/{human_len} {eta}")?;
        let bar = ProgressBar::new(all as u64).with_style(style).with_message(what);
        let report = stream::iter(batches)
            .map(|(number, lines)| self.batch(number, lines, dry_run))
            .buffered(BATCHES_AT_ONCE)
            .try_fold(report, |mut report, answer| {
                bar.inc(answer["lines"].as_array().map_or(0, Vec::len) as u64);
                report.add(&answer);
                std::future::ready(Ok(report))
            })
            .await;
        bar.finish_and_clear();
        report
    }

    async fn batch(&self, number: &str, lines: &[Value], dry_run: bool) -> anyhow::Result<Value> {
        let body =
            json!({ "dry_run": dry_run, "duplicates": self.mode, "file": self.digest, "lines": lines }).to_string();
        let dry = if dry_run { "-dry" } else { "" };
        let key = format!("{}-{number}{dry}", self.key);
        for _ in 0..SENDINGS_MAX {
            let sent = self.client.post(&self.url).bearer_auth(&self.token).header("Idempotency-Key", &key);
            let sent = sent.header(header::CONTENT_TYPE, "application/json").body(body.clone()).send().await;
            let answer = sent.with_context(|| format!("no server answers at {}: send the file again", self.url))?;
            let status = answer.status();
            if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
                let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
                tokio::time::sleep(wait.map_or(PAUSE, Duration::from_secs)).await;
                continue;
            }
            let answer: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
            if !status.is_success() {
                bail!("{status}: {}", answer["detail"].as_str().unwrap_or("the server does not say why"));
            }
            return Ok(answer);
        }
        bail!("the server has no time for batch {number}: send the file again later")
    }
}

/// What became of all lines; counts.
#[derive(Debug, Default)]
struct Report {
    matched: u64,
    changed: u64,
    new: u64,
    duplicate: u64,
    rejected: u64,
    /// The first of those that were rejected or may be duplicates.
    named: Vec<Wrong>,
}

impl Report {
    fn add(&mut self, answer: &Value) {
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        self.matched += count("matched");
        self.changed += count("changed");
        self.new += count("new");
        self.duplicate += count("duplicate");
        self.rejected += count("rejected");
        for line in answer["lines"].as_array().into_iter().flatten().filter(|line| line["became"] == "rejected") {
            if self.named.len() < LINES_NAMED_MAX {
                let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
                let number = line["line"].as_u64().unwrap_or_default();
                self.named.push(Wrong { line: number, column: text("field"), what: text("what") });
            }
        }
        for line in answer["lines"].as_array().into_iter().flatten().filter(|line| line["became"] == "duplicate") {
            if self.named.len() < LINES_NAMED_MAX {
                let of = line["possible_duplicates"][0].as_str().unwrap_or_default();
                let number = line["line"].as_u64().unwrap_or_default();
                let what = format!("may be member {of}: left out");
                self.named.push(Wrong { line: number, column: "(identity)".into(), what });
            }
        }
    }

    /// What is said when nothing was written because something is wrong.
    fn refused(&mut self) -> anyhow::Result<String> {
        self.render("nothing was imported: mend the lines, or leave them out with --on-error skip\n")
    }

    fn render(&mut self, last: &str) -> anyhow::Result<String> {
        let mut out = String::new();
        self.named.sort_by_key(|wrong| wrong.line);
        for wrong in self.named.iter().take(LINES_NAMED_MAX) {
            writeln!(out, "{wrong}")?;
        }
        let more = (self.rejected + self.duplicate).saturating_sub(self.named.len().min(LINES_NAMED_MAX) as u64);
        if more > 0 {
            writeln!(out, "… and {more} more lines")?;
        }
        let Self { matched, changed, new, duplicate, rejected, .. } = self;
        writeln!(
            out,
            "members {new:8} new {changed:8} changed {matched:8} matched {duplicate:8} duplicate {rejected:8} rejected"
        )?;
        out.push_str(last);
        Ok(out)
    }
}
