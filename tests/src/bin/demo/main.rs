//! `make demo`: starts Kith on an empty folder, imports a real listing, simulates members and plays a year of
//! meetings through the public API; then checks the report against what the simulation knows, and stays up.

mod care;
mod monday;
mod referrals;

use std::{
    collections::{BTreeMap, VecDeque},
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Parser;
use domain::{GroupId, ProgrammeId, group::MeetingMode};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{
    Span,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use reporting::{Dimension, ReachReport};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    http::{Answer, Client},
    load::{Played, play},
    server::{Kith, Server},
    simulation::{Command, Expected, Group, Meeting, Truth, Year, simulate},
    world::encoded,
};
use tokio::signal::unix::{SignalKind, signal};

use self::referrals::Referred;

/// The organisation.
const ORG: &str = "demo";
/// Time zone of the listing.
const TIME_ZONE: &str = "America/New_York";
/// Length of the year, in weeks.
const WEEKS: i32 = 52;
/// Of the simulated groups every so-manieth meets by video, and another one both ways: the listing has none of these.
const EVERY_ONLINE: usize = 6;
/// Rows asked for at once, a count.
const PAGE_ROWS: usize = 200;
/// Lists read at once, a count.
const READS_AT_ONCE: usize = 16;
/// Times that a read is tried while its view is behind, a count; the server waits up to 10 s each time.
const READS_MAX: usize = 30;
/// Longest wait for views and facts after the year.
const SETTLES_WITHIN: Duration = Duration::from_mins(5);
/// Lines of the import that are shown, a count.
const IMPORT_LINES: usize = 5;
/// Looks at the view until it has the import, ten a second; a count.
const IMPORT_LOOKS_MAX: usize = 600;
/// Differences that are shown, a count.
const DIFFERENCES_SHOWN: usize = 50;
/// What the report is compared by.
const COMPARED_BY: [&[Dimension]; 5] = [
    &[],
    &[Dimension::Month],
    &[Dimension::Programme],
    &[Dimension::Mode],
    &[Dimension::Month, Dimension::Programme, Dimension::Mode],
];

/// Kith with a year of simulated peer support.
#[derive(Debug, Parser)]
struct Options {
    /// Where chance starts: the same seed gives the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Groups whose meetings are simulated
    #[arg(long, default_value_t = 300)]
    groups: usize,
    /// Members
    #[arg(long, default_value_t = 4_000)]
    members: usize,
    /// Connections at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Address of the server
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// An empty folder to keep the data in; without it, one that is removed at the end
    #[arg(long)]
    data: Option<PathBuf>,
    /// The listing
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/bmlt-greater-new-york.json"))]
    listing: PathBuf,
    /// End after the report
    #[arg(long)]
    exit: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(&Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A folder that is removed at the end unless it was given.
enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(given: Option<&Path>) -> anyhow::Result<Self> {
        match given {
            Some(path) if path.join("log.db").exists() => {
                bail!("{} holds data already; the demo needs an empty folder, or none", path.display())
            }
            Some(path) => Ok(Self::Given(path.into())),
            None => Ok(Self::Temporary(tempfile::tempdir().context("there is no room for temporary files")?)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

async fn demo(options: &Options) -> anyhow::Result<ExitCode> {
    let asked_to_end = asked_to_end()?;
    tokio::pin!(asked_to_end);
    let folder = Folder::new(options.data.as_deref())?;
    let kith = Kith::beside_this()?;
    println!("The data is in {}; the simulation's seed is {}.", folder.path().display(), options.seed);
    step(&format!("Starting kith serve at http://{}", options.listen));
    let mut server = tokio::select! {
        started = kith.serve(folder.path(), options.listen, &[]) => started?,
        () = &mut asked_to_end => return Ok(ExitCode::FAILURE),
    };
    let show = async |address| Show::new(options, &kith, address, folder.path()).await?.all().await;
    let shown = tokio::select! {
        shown = show(server.address) => shown,
        error = server.ended() => Err(error),
        () = &mut asked_to_end => Err(anyhow::anyhow!("it was asked to end before its end")),
    };
    let shown = match shown {
        Ok(code) if !options.exit && code == ExitCode::SUCCESS => stay(&mut server, asked_to_end).await.map(|()| code),
        shown => shown,
    };
    let stopped = server.stop().await;
    let code = shown?;
    stopped?;
    println!("Kith has ended.");
    Ok(code)
}

/// Ctrl-C, or a signal of whoever started us. Takes signals from the moment it is called.
fn asked_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    let on = |kind| signal(kind).context("signals cannot be taken");
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hangup = on(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hangup.recv() => (),
        }
    })
}

async fn stay(server: &mut Server, asked_to_end: impl Future<Output = ()>) -> anyhow::Result<()> {
    println!("\nOperators ask http://{}/readyz what runs, and Prometheus /metrics there.", server.ops);
    println!("Kith stays up at http://{} until Ctrl-C.", server.address);
    tokio::select! {
        error = server.ended() => Err(error),
        () = asked_to_end => Ok(()),
    }
}

fn step(what: &str) {
    println!("• {what}");
}

/// What is shown, and to whom.
struct Show<'a> {
    options: &'a Options,
    kith: &'a Kith,
    address: SocketAddr,
    data: &'a Path,
    token: String,
    /// First and last day of the year.
    year: (Date, Date),
}

/// A group as listed.
#[derive(Debug, Clone, Deserialize)]
struct ListedGroup {
    id: GroupId,
    programme: ProgrammeId,
    mode: MeetingMode,
    listed: bool,
}

/// A meeting as listed.
#[derive(Debug, Clone, Deserialize)]
struct ListedMeeting {
    id: domain::MeetingId,
    starts_at_local: DateTime,
}

impl<'a> Show<'a> {
    async fn new(options: &'a Options, kith: &'a Kith, address: SocketAddr, data: &'a Path) -> anyhow::Result<Self> {
        let token = kith.admin(ORG, data).await?;
        let today = kith::clock().now().to_zoned(TimeZone::UTC).date();
        // The day before yesterday is over in every time zone.
        let last = today.checked_sub(Span::new().days(2))?;
        let year = (last.checked_sub(Span::new().days(WEEKS * 7 - 1))?, last);
        Ok(Self { options, kith, address, data, token, year })
    }

    async fn all(&self) -> anyhow::Result<ExitCode> {
        let imported = self.import().await?;
        let groups = self.groups(imported).await?;
        let groups = self.go_online(groups).await?;
        let groups = self.plan(groups).await?;
        let year = self.simulate(groups.clone()).await?;
        let truth = year.truth.clone();
        self.ask(&groups).await?;
        let position = self.play(year).await?;
        let position = self.follow_up(&truth.care, position).await?.max(position);
        let referred = self.refer(&truth.care.members()).await?;
        let code = self.compare(&truth, &groups, &referred, position).await?;
        self.where_to_look(&groups);
        Ok(code)
    }

    /// Imports the listing; answers how many groups that are.
    async fn import(&self) -> anyhow::Result<usize> {
        step(&format!("Importing {}", self.options.listing.display()));
        let url = format!("http://{}", self.address);
        let listing = self.options.listing.to_str().context("the listing's path is not text")?;
        let import = ["import", "bmlt", listing, "--org", ORG, "--time-zone", TIME_ZONE, "--url", &url];
        let said = self.kith.run(&import, self.data).await?;
        let lines: Vec<&str> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(IMPORT_LINES)..] {
            println!("    {line}");
        }
        // `groups  1115 created  0 changed  0 unchanged  0 rejected`
        let counts =
            lines.iter().find_map(|line| line.strip_prefix("groups")).context("the import counted no groups")?;
        Ok(counts.split_whitespace().filter_map(|word| word.parse::<usize>().ok()).take(3).sum())
    }

    /// The groups that are simulated: listed ones, one of each programme after the other.
    async fn groups(&self, imported: usize) -> anyhow::Result<Vec<ListedGroup>> {
        let all = self.imported(imported).await?;
        let mut programmes = BTreeMap::<ProgrammeId, VecDeque<ListedGroup>>::new();
        for group in all.into_iter().filter(|group| group.listed) {
            programmes.entry(group.programme).or_default().push_back(group);
        }
        let count = programmes.len();
        let mut chosen = Vec::new();
        while chosen.len() < self.options.groups && programmes.values().any(|groups| !groups.is_empty()) {
            chosen.extend(programmes.values_mut().filter_map(VecDeque::pop_front));
        }
        chosen.truncate(self.options.groups);
        step(&format!("{} groups of {count} programmes are simulated", chosen.len()));
        anyhow::ensure!(!chosen.is_empty(), "the listing has no listed group");
        Ok(chosen)
    }

    /// All groups, once the view has those that were imported: what position the import reached, only its caller knows.
    async fn imported(&self, groups: usize) -> anyhow::Result<Vec<ListedGroup>> {
        for _ in 0..IMPORT_LOOKS_MAX {
            let all: Vec<ListedGroup> = self.list("/v1/groups?", 0).await?;
            if all.len() >= groups {
                return Ok(all);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the {groups} imported groups do not all show")
    }

    /// Some groups change how they meet, before their meetings are planned.
    async fn go_online(&self, mut groups: Vec<ListedGroup>) -> anyhow::Result<Vec<ListedGroup>> {
        let (mut client, mut changes) = (self.client(), Vec::new());
        for (number, group) in groups.iter_mut().enumerate() {
            group.mode = match number % EVERY_ONLINE {
                1 => MeetingMode::Virtual,
                2 => MeetingMode::Hybrid,
                _ => continue,
            };
            let path = format!("/v1/groups/{}", group.id);
            let mut details = self.read(&mut client, &path, 0).await?.json()["details"].take();
            details["mode"] = json!(group.mode);
            let key = format!("mode-{number}");
            changes.push(vec![Command { method: Method::PUT, path, key, body: details, expected: Expected::Done }]);
        }
        step(&format!("{} of them go online, wholly or in part", changes.len()));
        self.send("groups", changes).await?;
        Ok(groups)
    }

    async fn plan(&self, groups: Vec<ListedGroup>) -> anyhow::Result<Vec<Group>> {
        let (from, through) = self.year;
        step(&format!("Planning their meetings from {from} through {through}"));
        let plan = |(number, group): (usize, &ListedGroup)| {
            vec![Command {
                method: Method::POST,
                path: format!("/v1/groups/{}/meetings", group.id),
                key: format!("plan-{number}"),
                body: json!({ "from": from, "through": through }),
                expected: Expected::Done,
            }]
        };
        let plans = groups.iter().enumerate().map(plan).collect();
        let planned = self.send("groups", plans).await?;
        let lists = groups.into_iter().map(|group| self.with_meetings(group, planned.position));
        // In order: the same seed must meet the same groups.
        let groups: Vec<Group> = stream::iter(lists).buffered(READS_AT_ONCE).try_collect().await?;
        println!("    {} meetings are planned", groups.iter().map(|group| group.meetings.len()).sum::<usize>());
        Ok(groups)
    }

    async fn with_meetings(&self, group: ListedGroup, after: u64) -> anyhow::Result<Group> {
        let ListedGroup { id, programme, mode, .. } = group;
        let (from, through) = self.year;
        // Those of the last local day may begin on the next one in UTC.
        let path = format!("/v1/groups/{id}/meetings?from={from}&through={}&", through.tomorrow()?);
        let meetings: Vec<ListedMeeting> = self.list(&path, after).await?;
        let within = |meeting: &ListedMeeting| (from..=through).contains(&meeting.starts_at_local.date());
        let meetings = meetings.into_iter().filter(within);
        let shown = self.read(&mut self.client(), &format!("/v1/groups/{id}"), after).await?.json();
        let meetings = meetings.map(|ListedMeeting { id, starts_at_local }| Meeting { id, starts_at_local });
        Ok(Group { id, programme, mode, schedule: shown["schedule"].clone(), meetings: meetings.collect() })
    }

    async fn simulate(&self, groups: Vec<Group>) -> anyhow::Result<Year> {
        let (seed, members) = (self.options.seed, self.options.members);
        Ok(tokio::task::spawn_blocking(move || simulate(seed, members, &groups)).await?)
    }

    /// Sends everything; answers up to where to read to see it.
    async fn play(&self, year: Year) -> anyhow::Result<u64> {
        let (enrolments, weeks): (Vec<_>, Vec<_>) =
            year.scripts.into_iter().map(|script| (script.enrolments, script.year)).unzip();
        step(&format!("Enrolling {} members", self.options.members));
        let enrolled = self.send("enrolments", enrolments).await?;
        println!("    {} enrolments, {:.0}/s", enrolled.latencies.count(), enrolled.per_second());
        let of = |kind: fn(&Command) -> bool| weeks.iter().flatten().filter(|command| kind(command)).count();
        let marks = of(|command| command.is_mark() && command.expected == Expected::Done);
        let again = of(|command| command.expected == Expected::Repeated);
        let refused = of(|command| matches!(command.expected, Expected::Refused(_)));
        step(&format!("Playing a year of {} held meetings with {} people", year.truth.held.len(), year.people));
        println!("    {marks} attendance marks, one command each; {again} commands sent again, {refused} too late");
        let played = self.send("commands", weeks).await?;
        print_rates(&played);
        Ok(played.position.max(enrolled.position))
    }

    async fn send(&self, what: &str, scripts: Vec<Vec<Command>>) -> anyhow::Result<Played> {
        let bar = bar(scripts.iter().map(Vec::len).sum(), what);
        let lines = tokio::spawn(say_how_far(bar.clone()));
        let played = play((self.address, &self.token), self.options.connections, scripts, &bar).await;
        lines.abort();
        bar.finish_and_clear();
        played
    }

    async fn compare(
        &self,
        truth: &Truth,
        groups: &[Group],
        referred: &Referred,
        position: u64,
    ) -> anyhow::Result<ExitCode> {
        step("Comparing the report with what the simulation knows");
        let (mut rows, mut differences) = (0, Vec::new());
        for by in COMPARED_BY {
            let report = self.report(by, position).await?;
            rows += report.rows.len();
            differences.extend(truth.differences(by, &report.rows));
        }
        let (of_care, unlike) = self.compare_care(&truth.care, position).await?;
        rows += of_care;
        differences.extend(unlike);
        let (of_referrals, unlike) = self.compare_referrals(referred).await?;
        rows += of_referrals;
        differences.extend(unlike);
        let reads = position.max(referred.position());
        let (of_queue, unlike) = self.monday(&truth.care, (groups, referred), reads).await?;
        rows += of_queue;
        differences.extend(unlike);
        let events = self.settled(position).await?;
        println!("    {events} events are in the log");
        if differences.is_empty() {
            println!("    report equals the simulation's known truth: {rows} rows");
            println!("\n{}", self.report(&[Dimension::Month], position).await?.to_text());
            self.tell_outcomes(position).await?;
            self.tell_funnel(referred).await?;
            return Ok(ExitCode::SUCCESS);
        }
        println!("    the report differs from the simulation's known truth in {} rows:", differences.len());
        for difference in differences.iter().take(DIFFERENCES_SHOWN) {
            println!("    {difference}");
        }
        Ok(ExitCode::FAILURE)
    }

    /// Events in the log: the embedded log's positions have no gaps.
    async fn settled(&self, position: u64) -> anyhow::Result<u64> {
        let mut client = self.client();
        let deadline = tokio::time::Instant::now() + SETTLES_WITHIN;
        while tokio::time::Instant::now() < deadline {
            let answer = client.get("/v1/programmes?limit=1", position).await?;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer.ok()?.position.context("a read without Kith-Position");
            }
        }
        bail!("the views do not reach position {position} within {} s", SETTLES_WITHIN.as_secs())
    }

    async fn report(&self, by: &[Dimension], position: u64) -> anyhow::Result<ReachReport> {
        let by: Vec<&str> = by.iter().map(|dimension| dimension.as_str()).collect();
        let path = format!("/v1/reports/reach?{}&by={}", self.months(), by.join(","));
        let answer = self.read(&mut self.client(), &path, position).await?;
        serde_json::from_slice(&answer.body).context("the report cannot be read")
    }

    /// The year, as reports ask for it.
    fn months(&self) -> String {
        let month = |day: Date| format!("{:04}-{:02}", day.year(), day.month());
        format!("from={}&through={}", month(self.year.0), month(self.year.1))
    }

    fn client(&self) -> Client {
        Client::new(self.address, self.token.clone())
    }

    /// All rows of a list, whose path ends with `?` or `&`.
    async fn list<T: DeserializeOwned>(&self, path: &str, after: u64) -> anyhow::Result<Vec<T>> {
        let (mut client, mut rows, mut cursor) = (self.client(), Vec::new(), String::new());
        loop {
            let page = self.read(&mut client, &format!("{path}limit={PAGE_ROWS}{cursor}"), after).await?.json();
            let items: Vec<T> = Value::deserialize(&page["items"]).and_then(serde_json::from_value)?;
            rows.extend(items);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={}", encoded(next)),
                None => return Ok(rows),
            }
        }
    }

    /// Reads; asks again while the view is behind.
    async fn read(&self, client: &mut Client, path: &str, after: u64) -> anyhow::Result<Answer> {
        for _ in 0..READS_MAX {
            let answer = client.get(path, after).await?;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer.ok().with_context(|| format!("GET {path}"));
            }
        }
        bail!("GET {path}: not readable up to position {after} after {READS_MAX} attempts")
    }

    fn where_to_look(&self, groups: &[Group]) {
        let address = self.address;
        println!("Where to look:");
        println!("    http://{address}/docs      the API's explorer");
        println!("    http://{address}/metrics   for Prometheus");
        println!("    http://{address}/readyz    what runs");
        if let Some(group) = groups.first() {
            println!("    curl -s -H 'Authorization: Bearer {}' http://{address}/v1/groups/{}", self.token, group.id);
        }
    }
}

fn print_rates(played: &Played) {
    let Played { latencies, took, .. } = played;
    println!(
        "    {} commands in {:.1} s: {:.0}/s; latency p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        latencies.count(),
        took.as_secs_f64(),
        played.per_second(),
        latencies.percentile_ms(50.0),
        latencies.percentile_ms(90.0),
        latencies.percentile_ms(99.0),
        latencies.max_ms()
    );
}

fn bar(length: usize, what: &str) -> ProgressBar {
    let template = format!("    {{bar:40}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}

/// Where there is no terminal for a bar, a line now and then.
async fn say_how_far(bar: ProgressBar) {
    const EVERY: Duration = Duration::from_secs(5);
    if std::io::stderr().is_terminal() {
        return;
    }
    loop {
        tokio::time::sleep(EVERY).await;
        println!("    {}/{}, {:.0}/s", bar.position(), bar.length().unwrap_or_default(), bar.per_sec());
    }
}
