//! A file that was read, sent to a running server in one request, and the report of what became of it.

use std::{collections::HashMap, fmt::Write, time::Duration};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;
use web::{IMPORT_BYTES_MAX, IMPORT_LINES_AT_ONCE, IMPORT_LINES_MAX};

use super::csv_file::{Line, Lines, Wrong};
use crate::{
    args::{ImportLines, OnError},
    data_dir::random,
};

/// Most lines that are named in the report, a count.
const LINES_NAMED_MAX: usize = 100;
/// Most lines of which it is named what somebody has to look at, a count.
const REMARKS_MAX: usize = 1_000;
/// How often a file is sent again while the server has no time for it, or the connection breaks; a count.
const SENDINGS_MAX: u32 = 20;
/// How long to wait before that, if the server does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// What differs from one kind of file to the next.
pub(super) struct Kind {
    /// What its lines are.
    pub noun: &'static str,
    /// Where it is sent.
    pub path: &'static str,
    /// What can become of a line, as the report counts it.
    pub counted: &'static [&'static str],
    /// What the file calls a field of the API.
    pub column: fn(&Line, &str) -> String,
    /// What is to be known of every report.
    pub says: Option<&'static str>,
}

/// Sends a file; answers the report, ready to be printed, and whether all went well.
pub(super) async fn send(
    kind: &Kind,
    asked: &ImportLines,
    file: Lines,
    digest: Option<String>,
) -> anyhow::Result<(String, bool)> {
    let stops = asked.on_error == OnError::Stop;
    let lines = file.lines.len();
    anyhow::ensure!(
        lines <= IMPORT_LINES_MAX,
        "the file has {lines} lines, at most {IMPORT_LINES_MAX} are possible: make several of it"
    );
    // What is wrong with others is said at once as well.
    let dry_run = asked.dry_run || (stops && !file.wrong.is_empty());
    let body = serde_json::to_string(&Body {
        dry_run,
        on_error: if stops { "stop" } else { "skip" },
        duplicates: if asked.duplicates.is_import() { "import" } else { "report" },
        file: digest,
        lines: file.lines.iter().map(|line| &line.body).collect(),
    })?;
    anyhow::ensure!(
        body.len() <= IMPORT_BYTES_MAX,
        "the file makes {} bytes, at most {IMPORT_BYTES_MAX} are possible: make several of it",
        body.len()
    );
    let length = if dry_run { lines } else { 2 * lines };
    let answer = if lines == 0 { json!({ "dry_run": dry_run }) } else { request(kind, asked, body, length).await? };
    let report = Report { kind, file: &file, answer: &answer };
    Ok((report.render(asked.dry_run)?, !file.torn && (!stops || report.lacking() == 0)))
}

/// A file as the API takes it.
#[derive(Serialize)]
struct Body<'a> {
    dry_run: bool,
    on_error: &'static str,
    duplicates: &'static str,
    file: Option<String>,
    lines: Vec<&'a Value>,
}

/// What came of one sending.
enum Sent {
    Answer(StatusCode, Vec<u8>),
    /// The server has no time for it.
    Later(Duration),
    /// Whether it was done is not known.
    Broken(reqwest::Error),
}

/// Sends it until it is answered: always as the same command, which is done once.
async fn request(kind: &Kind, asked: &ImportLines, body: String, length: usize) -> anyhow::Result<Value> {
    let (token, url) = (super::token(&asked.server, &asked.org)?, asked.server.url.trim_end_matches('/'));
    // Of this sending, and of nothing that stands in the file: what could not be done before may be possible now.
    let key = format!("import-{}", Uuid::from_bytes(random()?).simple());
    let request = reqwest::Client::new().post(format!("{url}{}", kind.path)).bearer_auth(&token);
    let request = request.header("Idempotency-Key", &key).header(header::CONTENT_TYPE, "application/json");
    let request = request.body(bytes::Bytes::from(body));
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent}% {elapsed}")?;
    let bar = ProgressBar::new(length as u64).with_style(style).with_message(format!("importing {}", kind.noun));
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut broken = None;
    for _ in 0..SENDINGS_MAX {
        let again = request.try_clone().context("a body of bytes can be sent again")?;
        let wait = match once(again, &bar).await {
            Sent::Answer(status, said) => {
                bar.finish_and_clear();
                let said: Value = serde_json::from_slice(&said).unwrap_or_default();
                let why = || said["detail"].as_str().unwrap_or("the server does not say why");
                anyhow::ensure!(status.is_success(), "{status}: {}", why());
                return Ok(said);
            }
            Sent::Broken(error) if error.is_connect() => {
                return Err(error).with_context(|| format!("no server answers at {url}: send the file again"));
            }
            Sent::Broken(error) => {
                broken = Some(error);
                PAUSE
            }
            Sent::Later(wait) => wait,
        };
        tokio::time::sleep(wait).await;
    }
    match broken {
        Some(error) => Err(error).context("the connection broke: send the file again"),
        None => bail!("the server has no time for the file: send it again later"),
    }
}

async fn once(request: RequestBuilder, bar: &ProgressBar) -> Sent {
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Sent::Broken(error),
    };
    let status = answer.status();
    if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
        let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        return Sent::Later(wait.map_or(PAUSE, Duration::from_secs));
    }
    match whole(answer, bar).await {
        Ok(said) => Sent::Answer(status, said),
        Err(error) => Sent::Broken(error),
    }
}

/// The whole answer. New lines before its JSON say how far the server is.
async fn whole(mut answer: Response, bar: &ProgressBar) -> reqwest::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(some) = answer.chunk().await? {
        if whole.is_empty() {
            let space = some.iter().take_while(|byte| byte.is_ascii_whitespace());
            let steps = space.filter(|byte| **byte == b'\n').count() * IMPORT_LINES_AT_ONCE;
            bar.inc(steps as u64);
        }
        let some = if whole.is_empty() { some.trim_ascii_start() } else { &some[..] };
        whole.extend_from_slice(some);
    }
    Ok(whole)
}

/// What became of a file.
struct Report<'a> {
    kind: &'a Kind,
    file: &'a Lines,
    answer: &'a Value,
}

impl Report<'_> {
    fn count(&self, of: &str) -> u64 {
        let here = if of == "rejected" { self.file.wrong.len() as u64 } else { 0 };
        self.answer[of].as_u64().unwrap_or_default() + here
    }

    /// Lines that cannot be done.
    fn lacking(&self) -> u64 {
        self.count("rejected") + self.count("unmatched")
    }

    /// What is to be said of lines that were left out, and of those that somebody has to look at.
    fn named(&self) -> (Vec<Wrong>, Vec<Wrong>) {
        let of = |line: &Line| line.body["line"].as_u64().unwrap_or_default();
        let places: HashMap<_, _> = self.file.lines.iter().map(|line| (of(line), line)).collect();
        let (mut left_out, mut remarks) = (self.file.wrong.clone(), vec![]);
        for said in self.answer["lines"].as_array().into_iter().flatten() {
            let Some(line) = said["line"].as_u64().and_then(|line| places.get(&line)) else { continue };
            let text = |name: &str| said[name].as_str().unwrap_or_default();
            let wrong =
                |field: &str, what: String| Wrong { line: line.at, column: (self.kind.column)(line, field), what };
            let other = said["other_line"].as_u64().and_then(|other| places.get(&other));
            let other = other.map(|other| format!(" (line {})", other.at)).unwrap_or_default();
            match text("became") {
                "rejected" => left_out.push(wrong(text("field"), text("what").into())),
                "unmatched" => left_out.push(wrong("external_id", "nobody is here whom this is about".into())),
                "duplicate" if !said["field"].is_null() => {
                    left_out.push(wrong(text("field"), format!("{}{other}: left out", text("what"))));
                }
                "duplicate" if said["check_in"].is_null() && other.is_empty() => {
                    let of = said["possible_duplicates"][0].as_str().unwrap_or_default();
                    left_out.push(wrong("(identity)", format!("may be member {of}: left out")));
                }
                "duplicate" if said["check_in"].is_null() => {
                    left_out.push(wrong("(identity)", format!("{}{other}: left out", text("what"))));
                }
                "duplicate" => left_out.push(wrong("on", format!("{}{other}: left out", text("what")))),
                _ => {}
            }
            if let Some(remark) = said["remark"].as_str() {
                remarks.push(wrong("given", remark.into()));
            }
        }
        left_out.sort_by_key(|wrong| wrong.line);
        (left_out, remarks)
    }

    fn render(&self, dry_run: bool) -> anyhow::Result<String> {
        let mut out = String::new();
        let (left_out, remarks) = self.named();
        for (named, most) in [(&left_out, LINES_NAMED_MAX), (&remarks, REMARKS_MAX)] {
            named.iter().take(most).try_for_each(|wrong| writeln!(out, "{wrong}"))?;
            if named.len() > most {
                writeln!(out, "… and {} more lines", named.len() - most)?;
            }
        }
        let left_out = self.answer["lines_left_out"].as_u64().filter(|lines| *lines > 0);
        if left_out.is_some() {
            writeln!(out, "the answer came again after the connection broke, without its lines: --dry-run names them")?;
        }
        let counts: Vec<_> = self.kind.counted.iter().map(|name| format!("{:8} {name}", self.count(name))).collect();
        writeln!(out, "{} {}", self.kind.noun, counts.join(" "))?;
        for (rows, what) in [
            (self.file.empty, "empty rows were left out: they are nobody"),
            (self.file.explanations, "rows that explain columns were left out"),
        ] {
            if rows > 0 {
                writeln!(out, "{rows:8} {what}")?;
            }
        }
        if !["", "UTF-8"].contains(&self.file.encoding) {
            writeln!(out, "the file was read as {}: if letters are wrong, say --encoding", self.file.encoding)?;
        }
        self.kind.says.map_or(Ok(()), |says| writeln!(out, "{says}"))?;
        if dry_run {
            out.push_str("dry run: nothing was done\n");
        } else if self.answer["dry_run"] == true || self.answer["stopped"] == true {
            out.push_str("nothing was imported: mend the lines, or leave them out with --on-error skip\n");
        }
        Ok(out)
    }
}
