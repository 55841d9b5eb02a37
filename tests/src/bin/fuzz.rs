//! `make fuzz`: a real server under attack by schemathesis, by every role, for a bounded time.
//!
//! Requests are made from `/openapi.json` alone: broken ones, odd ones, and those that follow its links. A failure is
//! an answer of 5xx or one that the document does not have, an end or a panic of the server, a line `ERROR` in its log,
//! too much memory, a view or fact that stands still, or data that is not sound afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Parser;
use hyper::{Method, Request};
use jiff::{Span, tz::TimeZone};
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    server::{Kith, Server},
    world::{agency, counselling, details, tuesdays},
};
use tokio::{process::Command, time::timeout};
use web::Role;

/// The organisation.
const ORG: &str = "fuzz";
/// Most memory of the server at any time, in MiB.
const MEMORY_MIB_MAX: f64 = 512.0;
/// Shortest attack by one role, in seconds: the document is read and every operation is met.
const ROLE_SECONDS_MIN: u64 = 5;
/// Longest time that schemathesis needs beyond what it was given, to say what it found.
const LATE_MAX: Duration = Duration::from_mins(3);
/// Longest wait for views and facts after the attack.
const SETTLES_WITHIN: Duration = Duration::from_mins(2);
/// Days back from which meetings are planned, so that there are some to be held.
const DAYS_BACK: i32 = 84;
/// Of these meetings, those that are left to be opened; a count.
const MEETINGS_PLANNED: usize = 3;
/// And those that were held already; a count.
const MEETINGS_HELD: usize = 3;
/// How often an id in a path or a body is one of something that is there, from 0 to 1.
const KNOWN_IDS: f64 = 0.6;
/// Members on the roster, a count: many, because some of them are erased during the attack.
const MEMBERS: usize = 64;
/// Of these, those with a hold and a consent, a count.
const HELD: usize = 4;
/// Depth to which the fields of a body are looked at, a count.
const FIELD_DEPTH_MAX: usize = 5;
/// Lines of the server's log that are shown, a count.
const LINES_SHOWN: usize = 10;
/// What schemathesis is told of Kith.
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/hooks.py");
/// What schemathesis exits with when it has found something.
const FOUND_SOMETHING: i32 = 1;

/// Attacks Kith through its document.
#[derive(Debug, Parser)]
struct Options {
    /// How long, in seconds, in all
    #[arg(long, env = "FUZZ_SECONDS", default_value_t = 300)]
    seconds: u64,
    /// Where chance starts; without it, anywhere
    #[arg(long, env = "FUZZ_SEED")]
    seed: Option<u32>,
    /// As these roles only; may be given many times
    #[arg(long = "role")]
    roles: Vec<Role>,
    /// Folder of the installed schemathesis
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/schemathesis"))]
    schemathesis: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match fuzz(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn fuzz(options: &Options) -> anyhow::Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("FUZZ_SECONDS={} FUZZ_SEED={seed} make fuzz    repeats this attack", options.seconds);
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
    fs::create_dir_all(&reports).with_context(|| format!("{} cannot be written", reports.display()))?;
    let data = tempfile::tempdir().context("there is no room for temporary files")?;
    let kith = Kith::beside_this()?;
    let mut server = kith.serve(data.path(), ([127, 0, 0, 1], 0).into(), &[]).await?;
    let things = Things::make(server.address, &kith.admin(ORG, data.path()).await?).await?;
    let document = read(server.address, "/openapi.json").await?.json();
    let config = reports.join("schemathesis.toml");
    fs::write(&config, config_text(&document, &things)?)?;

    let attack = Attack { options, seed, reports: &reports, config: &config, address: server.address };
    let mut found = Vec::new();
    for (role, seconds) in shares(&document, &options.roles, options.seconds) {
        let token = token(&kith, data.path(), role, &things).await?;
        tokio::select! {
            finding = attack.run(role, &token, seconds) => found.extend(finding?),
            error = server.ended() => return Err(error.context(format!("as {}, FUZZ_SEED={seed}", role.as_str()))),
        }
    }
    found.extend(aftermath(server, &kith, data.path(), &document).await?);
    for finding in &found {
        println!("FOUND: {finding}");
    }
    ensure!(found.is_empty(), "{} findings; FUZZ_SEED={seed} repeats them", found.len());
    println!("nothing was found");
    Ok(())
}

/// Ids of what is there before the attack, by their names in paths.
struct Things(BTreeMap<&'static str, Vec<String>>);

impl Things {
    /// A programme, a group, members on its roster, some with holds and consents, and meetings, most of them open.
    async fn make(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let (mut writer, mut reader) = (Client::new(address, token), Client::new(address, token));
        let mut keys = (0..).map(|number| format!("fuzz-{number}"));
        let mut send = async |method: Method, path: &str, body: Value| {
            let answer = writer.command(method, path, &keys.next().unwrap_or_default(), &body).await?;
            answer.ok().with_context(|| path.to_owned())
        };
        let id = |answer: &Value, field: &str| answer[field].as_str().map(str::to_owned).context("no id in the answer");
        let programme = send(Method::POST, "/v1/programmes", json!({ "name": "Fuzz" })).await?.json();
        let programme = id(&programme, "id")?;
        let body = json!({ "details": details(programme.parse()?, "Fuzz"), "schedule": tuesdays() });
        let group = id(&send(Method::POST, "/v1/groups", body).await?.json(), "id")?;
        let mut members = Vec::new();
        for _ in 0..MEMBERS {
            let path = format!("/v1/groups/{group}/enrolments");
            let enrolled = send(Method::POST, &path, json!({ "starts_on": "2025-01-07" })).await?;
            members.push(id(&enrolled.json(), "member")?);
        }
        let (mut holds, mut consents) = (Vec::new(), Vec::new());
        for member in members.iter().take(HELD) {
            let hold = json!({ "reason": "a claim", "review_on": "2030-01-01" });
            let hold = send(Method::POST, &format!("/v1/members/{member}/holds"), hold).await?;
            holds.push(id(&hold.json(), "hold")?);
            let consent = json!({ "purpose": "research", "text": "research-1", "given_on": "2025-01-07",
                "means": "written" });
            let consent = send(Method::POST, &format!("/v1/members/{member}/consents"), consent).await?;
            consents.push(id(&consent.json(), "consent")?);
        }
        let today = kith::clock().now().to_zoned(TimeZone::UTC).date();
        let days = json!({ "from": today.checked_sub(Span::new().days(DAYS_BACK))?, "through": today.yesterday()? });
        let path = format!("/v1/groups/{group}/meetings");
        let planned = send(Method::POST, &path, days).await?.position.context("no position")?;
        let listed = reader.get(&path, planned).await?.ok()?.json();
        let rows = listed["items"].as_array().context("no meetings")?;
        let meetings: Vec<_> = rows.iter().map(|row| id(row, "id")).collect::<anyhow::Result<_>>()?;
        for (number, meeting) in meetings.iter().skip(MEETINGS_PLANNED).enumerate() {
            let states = if number < MEETINGS_HELD { &["open", "hold"][..] } else { &["open"] };
            for state in states {
                send(Method::POST, &format!("/v1/meetings/{meeting}/{state}"), Value::Null).await?;
            }
        }
        let partner = id(&send(Method::POST, "/v1/partners", agency("Fuzz")).await?.json(), "id")?;
        let service = uuid::Uuid::from_u128(1).to_string();
        send(Method::PUT, &format!("/v1/partners/{partner}/services/{service}"), counselling()).await?;
        Ok(Self(BTreeMap::from([
            ("partner", vec![partner]),
            ("service", vec![service]),
            ("programme", vec![programme]),
            ("group", vec![group]),
            ("into", members.clone()),
            ("member", members),
            ("meeting", meetings),
            ("hold", holds),
            ("consent", consents),
        ])))
    }

    fn first(&self, thing: &str) -> anyhow::Result<&str> {
        self.0.get(thing).and_then(|ids| ids.first()).map(String::as_str).with_context(|| format!("no {thing}"))
    }
}

/// A token of someone in that role; a facilitator of the group, or the member.
async fn token(kith: &Kith, data: &Path, role: Role, things: &Things) -> anyhow::Result<String> {
    let (subject, group) = (things.first("member")?, things.first("group")?);
    let mut asked = vec!["token", "--org", ORG, "--role", role.as_str(), "--subject", subject, "--ttl", "2h"];
    if role == Role::Facilitator {
        asked.extend(["--group", group]);
    }
    kith.run(&asked, data).await
}

async fn read(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    Client::new(address, "").send(Request::get(path), Bytes::new()).await?.ok()
}

/// Operations of the document: path, method, what the document says of it.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// What is there, for the places in which the document names such a thing.
fn config_text(document: &Value, things: &Things) -> anyhow::Result<String> {
    let mut text = include_str!("../../fuzz/schemathesis.toml").to_owned();
    for (thing, ids) in &things.0 {
        write!(text, "\n[dictionaries.{thing}]\nvalues = {}\n", json!(ids))?;
    }
    let mut places = BTreeSet::new();
    for (_, _, operation) in operations(document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let paths = parameters.filter(|parameter| parameter["in"] == "path");
        places.extend(paths.filter_map(|parameter| Some(format!("path.{}", parameter["name"].as_str()?))));
        fields(document, &operation["requestBody"]["content"]["application/json"]["schema"], "body", &mut places);
    }
    writeln!(text, "\n[parameters]")?;
    for place in places {
        let thing = place.rsplit('.').next().unwrap_or_default();
        if things.0.contains_key(thing) {
            writeln!(text, "\"{place}\" = {{ dictionary = \"{thing}\", probability = {KNOWN_IDS} }}")?;
        }
    }
    Ok(text)
}

/// Every field of a body, as `body.details.programme`.
fn fields(document: &Value, schema: &Value, at: &str, places: &mut BTreeSet<String>) {
    let referred = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    let properties = referred.unwrap_or(schema)["properties"].as_object().into_iter().flatten();
    for (name, schema) in properties {
        let at = format!("{at}.{name}");
        // A schema that holds itself ends here, too.
        if at.split('.').count() <= FIELD_DEPTH_MAX {
            fields(document, schema, &at, places);
            places.insert(at);
        }
    }
}

/// The seconds of each role: the more it may do, the more.
fn shares(document: &Value, roles: &[Role], seconds: u64) -> Vec<(Role, u64)> {
    let roles = if roles.is_empty() { &Role::ALL } else { roles };
    let may = |role: Role| {
        let known = |operation: &Value| {
            operation["x-kith-roles"].as_array().is_some_and(|all| all.contains(&role.as_str().into()))
        };
        1 + operations(document).filter(|(_, _, operation)| known(operation)).count() as u64
    };
    let all: u64 = roles.iter().map(|role| may(*role)).sum();
    roles.iter().map(|role| (*role, (seconds * may(*role) / all).max(ROLE_SECONDS_MIN))).collect()
}

/// What is the same for all roles.
struct Attack<'a> {
    options: &'a Options,
    seed: u32,
    reports: &'a Path,
    config: &'a Path,
    address: SocketAddr,
}

impl Attack<'_> {
    /// Attacks as one role; answers what was found, which is also shown.
    async fn run(&self, role: Role, token: &str, seconds: u64) -> anyhow::Result<Option<String>> {
        let report = self.reports.join(format!("{}.txt", role.as_str()));
        let file = fs::File::create(&report).with_context(|| format!("{} cannot be written", report.display()))?;
        let mut command = Command::new("python3");
        command.args(["-m", "schemathesis.cli", "--config-file"]).arg(self.config).arg("run");
        command.arg(format!("http://{}/openapi.json", self.address)).arg("--no-color");
        command.args(["--max-time", &seconds.to_string(), "--seed", &self.seed.to_string()]);
        command.env("PYTHONPATH", &self.options.schemathesis).env("SCHEMATHESIS_HOOKS", HOOKS);
        command.env("KITH_TOKEN", token).env("KITH_ROLE", role.as_str());
        command
            .current_dir(self.reports)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true);
        let running = command.spawn().context("python3 cannot be run")?.wait_with_output();
        let ended = timeout(Duration::from_secs(seconds) + LATE_MAX, running).await;
        let status = ended.with_context(|| format!("schemathesis does not end; see {}", report.display()))??.status;
        let said = fs::read_to_string(&report)?;
        let cases = said.lines().find(|line| line.contains(" generated")).unwrap_or("no cases").trim();
        println!("{:>12}  {seconds:>4} s  {cases}", role.as_str());
        match status.code() {
            Some(0) => Ok(None),
            Some(FOUND_SOMETHING) => {
                println!("{said}");
                Ok(Some(format!("as {}: see above, or {}", role.as_str(), report.display())))
            }
            _ => bail!("schemathesis cannot run ({status}):\n{said}"),
        }
    }
}

/// What the attack has left behind: the server must run, have kept up, and hold data that is sound.
async fn aftermath(server: Server, kith: &Kith, data: &Path, document: &Value) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut client = Client::new(server.address, kith.admin(ORG, data).await?);
    let last = json!({ "name": "After the attack" });
    let last = client.command(Method::POST, "/v1/programmes", "fuzz-last", &last).await?.ok()?;
    server.reaches(last.position.context("no position")?, SETTLES_WITHIN).await?;
    let metrics = String::from_utf8_lossy(&read(server.ops, "/metrics").await?.body).into_owned();
    let answered = Answered::read(&metrics);
    found.extend(answered.failures());
    answered.show(document);
    let memory = server.memory_mib("VmHWM")?;
    println!("most memory of the server: {memory:.0} MiB, {MEMORY_MIB_MAX:.0} MiB are allowed");
    if memory > MEMORY_MIB_MAX {
        found.push(format!("the server took {memory:.0} MiB of memory, more than {MEMORY_MIB_MAX:.0} MiB"));
    }
    let log = server.log().to_owned();
    server.stop().await?;
    let lines = fs::read_to_string(&log).with_context(|| format!("{} cannot be read", log.display()))?;
    let odd = lines.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked at"));
    found.extend(odd.take(LINES_SHOWN).map(|line| format!("in the server's log: {line}")));
    println!("kith verify:\n{}", kith.run(&["verify"], data).await?);
    Ok(found)
}

/// How often each operation answered what, by the server's own count: method and path, status, count.
struct Answered(Vec<(String, u16, u64)>);

impl Answered {
    fn read(metrics: &str) -> Self {
        let label = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let counts = metrics.lines().filter(|line| line.starts_with("kith_http_seconds_count{"));
        let read = |line: &str| {
            let operation = format!("{} {}", label(line, "method")?, label(line, "path")?);
            Some((operation, label(line, "status")?.parse().ok()?, line.rsplit(' ').next()?.parse().ok()?))
        };
        Self(counts.filter_map(read).collect())
    }

    fn failures(&self) -> impl Iterator<Item = String> {
        let failed = self.0.iter().filter(|(_, status, _)| *status >= 500);
        failed.map(|(operation, status, count)| format!("{operation} answered {status}, {count} times"))
    }

    /// An attack that is refused at the door finds nothing: says what was never carried out.
    fn show(&self, document: &Value) {
        let well = |named: &str| self.0.iter().any(|(operation, status, _)| operation == named && *status < 300);
        let all: Vec<_> =
            operations(document).map(|(path, method, _)| format!("{} {path}", method.to_uppercase())).collect();
        let never: Vec<_> = all.iter().filter(|operation| !well(operation)).map(String::as_str).collect();
        let requests: u64 = self.0.iter().map(|(_, _, count)| count).sum();
        println!(
            "{requests} requests; {} of {} operations went well at least once",
            all.len() - never.len(),
            all.len()
        );
        if !never.is_empty() {
            println!("never went well: {}", never.join(", "));
        }
    }
}
