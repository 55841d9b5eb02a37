//! Rebuilding all views from an empty database, against a bare scan of the same log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use domain::{
    Decider, DomainEvent, GroupId, MeetingId, MemberId, OrgId, ProgrammeId, Schedule,
    group::{self, Group, MeetingMode},
    meeting::{self, AttendanceMode, AttendanceRecorded, Entry, Mark, Plan},
    programme::{self, Programme},
    roster::{self, Roster},
};
use eventlog::{Append, EventLog, Expected, NewEvent, Position, StreamName, sqlite::SqliteLog};
use futures::{StreamExt, TryStreamExt, stream};
use host::Views;
use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{DateTime, date},
    tz::TimeZone,
};
use messaging::{BATCH_EVENTS_MAX, ConsumeOptions, Health, Nats, NatsServer, NatsServerConfig, consume, hear};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bench, Figures};
use crate::{load::per_second, world::nats_server};

/// Events in a full run, a count.
const EVENTS: u64 = 1_000_000;
/// Groups, a count.
const GROUPS: u64 = 1_000;
/// Members of each group, all of them marked at each meeting; a count.
const MEMBERS: u64 = 12;
/// Programmes, a count.
const PROGRAMMES: u64 = 20;
/// Appends at once, a count.
const APPENDS_AT_ONCE: usize = 64;
/// How far ahead meetings are planned, in weeks.
const PLANNED_AHEAD: u64 = 8;
/// The organisation.
const ORG: &str = "bench";
const METADATA: &[u8] = br#"{"actor":"bench","role":"facilitator"}"#;

/// Measures a rebuild.
///
/// # Errors
/// If a file cannot be written.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let log = seeded(bench).await?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&log)?);
    let events = log.head().borrow().0;
    let health = Health::new();
    let config = NatsServerConfig { binary: nats_server(), dir: bench.place.join("nats"), password: "bench".into() };
    let server = NatsServer::start(config, &health).await.context("a NATS server is needed")?;
    let nats = Nats::connect(&server.config(), &health).await?;
    let (mut scanned, mut rebuilt) = (Duration::ZERO, Duration::ZERO);
    for round in 0..2 {
        scanned += scan(&*log).await?;
        rebuilt += rebuild(&log, &nats, &bench.place.join(format!("views-{round}.db"))).await?;
    }
    server.stop().await;
    let (per_s, limit_per_s) = (per_second(2 * events, rebuilt), per_second(2 * events, scanned));
    figures.add("rebuild_per_s", per_s, format!("goal ≥ 100000; {events} events, all views, twice"));
    figures.add("rebuild_limit_per_s", limit_per_s, "bare scan of the log");
    figures.add("rebuild_ratio", per_s / limit_per_s, "");
    Ok(())
}

/// Reads the log in the batches in which it is consumed.
async fn scan(log: &dyn EventLog) -> anyhow::Result<Duration> {
    let (started, mut after) = (Instant::now(), Position::START);
    while let Some(last) = log.read_all(after, BATCH_EVENTS_MAX).await?.last() {
        after = last.position;
    }
    Ok(started.elapsed())
}

/// Consumes as `kith serve` does, from nothing to the end of the log.
async fn rebuild(log: &Arc<dyn EventLog>, nats: &Nats, views: &Path) -> anyhow::Result<Duration> {
    let (health, end, head) = (Health::new(), CancellationToken::new(), *log.head().borrow());
    let mut checkpoint = health.checkpoint("views");
    let views = Views::new(views, kith::CONTEXTS.iter().flat_map(|context| context.views).copied());
    let views = Box::new(views.writer()?);
    let started = Instant::now();
    let told = hear(nats).await.map_err(anyhow::Error::from_boxed)?;
    let consumed = consume(views, log.clone(), told, ConsumeOptions::default(), health.clone(), end.clone());
    let consumed = tokio::spawn(consumed);
    checkpoint.wait_for(|position| *position >= head).await?;
    while !health.ready() {
        sleep(Duration::from_millis(1)).await; // the index that is made at the end
    }
    let took = started.elapsed();
    end.cancel();
    consumed.await?;
    Ok(took)
}

/// The log with the events, in a data directory; made the first time.
///
/// # Errors
/// If it cannot be written.
pub async fn seeded(bench: &Bench) -> anyhow::Result<PathBuf> {
    let path = bench.place.join("rebuild").join("log.db");
    if path.is_file() {
        return Ok(path);
    }
    kith::DataDir::create(path.parent().context("a folder")?)?;
    let events = bench.count(EVENTS);
    println!("writing a log of {events} events");
    let log = SqliteLog::open(&path)?;
    let org: OrgId = ORG.parse()?;
    // In order, but for the few that are on their way at once; each stream's are acknowledged before its next.
    let mut written = 0;
    for block in history(&org, events) {
        let appends = stream::iter(block).map(|append| async {
            let events = append.events.len() as u64;
            log.append(append).await.map(|_| events)
        });
        let block = appends.buffered(APPENDS_AT_ONCE).try_fold(0, |sum, events| async move { Ok(sum + events) });
        written += block.await?;
        if written >= events {
            break;
        }
    }
    Ok(path)
}

/// Blocks of appends, none of which has a stream twice: first all that is registered, then week by week.
fn history(org: &OrgId, events: u64) -> impl Iterator<Item = Vec<Append>> + use<'_> {
    // Small logs have fewer groups, so that they have a year too.
    let groups = GROUPS.min(events / (MEMBERS + 3) / 52).max(1);
    let start = date(2020, 1, 7).at(19, 0, 0, 0);
    let registered = [
        (0..PROGRAMMES).map(|number| programme(org, number)).collect(),
        (0..groups).map(|number| group(org, number)).collect(),
        (0..groups).map(|number| roster(org, number)).collect(),
    ];
    let plans = move |week| (0..groups).map(move |number| plan(org, number, week_of(start, week))).collect::<Vec<_>>();
    let held = move |week| (0..groups).map(move |number| held(org, number, week_of(start, week))).collect::<Vec<_>>();
    let weeks = (0..).flat_map(move |week| [plans(week + PLANNED_AHEAD), held(week)]);
    registered.into_iter().chain((0..PLANNED_AHEAD).map(plans)).chain(weeks)
}

fn week_of(start: DateTime, week: u64) -> DateTime {
    start.saturating_add(Span::new().weeks(i64::try_from(week).unwrap_or_default()))
}

fn programme_id(number: u64) -> ProgrammeId {
    ProgrammeId(Uuid::from_u64_pair(1, number))
}

/// As random as ids are: they decide where rows go in an index.
fn group_id(number: u64) -> GroupId {
    GroupId(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("group {number}").as_bytes()))
}

fn member_id(group: u64, number: u64) -> MemberId {
    MemberId(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("member {group} {number}").as_bytes()))
}

fn instant(local: DateTime) -> Timestamp {
    local.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

fn append<D: Decider>(org: &OrgId, id: Uuid, from: u64, at: Timestamp, events: &[D::Event]) -> Append {
    let new_event = |(revision, event): (u64, &D::Event)| {
        let (event_type, version) = event.event_type();
        NewEvent { id: Uuid::new_v5(&id, &revision.to_le_bytes()), event_type, version, data: event.encode() }
    };
    Append {
        stream: StreamName::new(D::Event::CATEGORY, org, id),
        expected: from.checked_sub(1).map_or(Expected::NoStream, Expected::Exact),
        events: (from..).zip(events).map(new_event).collect(),
        metadata: METADATA.to_vec(),
        at,
        receipt: None,
    }
}

fn programme(org: &OrgId, number: u64) -> Append {
    let name = format!("Programme {number}").parse().expect("a short text");
    let event =
        programme::Event::Registered(programme::Registered { details: programme::Details { name, source: None } });
    append::<Programme>(org, programme_id(number).0, 0, Timestamp::UNIX_EPOCH, &[event])
}

fn group(org: &OrgId, number: u64) -> Append {
    let text = |text: &str| text.parse().expect("a short text");
    let details = group::Details {
        name: format!("Group {number}").parse().expect("a short text"),
        programme: programme_id(number % PROGRAMMES),
        focus: group::Focus::Addiction,
        formats: vec![text("Discussion"), text("Step")],
        mode: MeetingMode::InPerson,
        venue: None,
        language: None,
        comments: None,
        accessibility: vec![],
        cost: None,
        cost_details: None,
        website: None,
        listed: true,
        source: None,
    };
    let schedule = Schedule {
        starts_on: date(2020, 1, 7),
        starts_at: jiff::civil::time(19, 0, 0, 0),
        duration_minutes: 90,
        time_zone: "Etc/UTC".parse().expect("a short text"),
        recurrence: "FREQ=WEEKLY".parse().expect("a short text"),
        except: vec![],
    };
    let events = [
        group::Event::Registered(group::Registered { details }),
        group::Event::Scheduled(group::Scheduled { schedule }),
    ];
    append::<Group>(org, group_id(number).0, 0, Timestamp::UNIX_EPOCH, &events)
}

fn roster(org: &OrgId, number: u64) -> Append {
    let starts_on = date(2020, 1, 1);
    let enrolled = |member| {
        let member = member_id(number, member);
        roster::Event::Enrolled(roster::Enrolled { member, starts_on, proposed_by: None, beyond: None })
    };
    let events: Vec<_> = (0..MEMBERS).map(enrolled).collect();
    append::<Roster>(org, group_id(number).0, 0, Timestamp::UNIX_EPOCH, &events)
}

fn plan(org: &OrgId, number: u64, local: DateTime) -> Append {
    let (group, starts_at) = (group_id(number), instant(local));
    let ends_at = starts_at + SignedDuration::from_mins(90);
    let plan = Plan { group, starts_at_local: local, starts_at, ends_at, mode: MeetingMode::InPerson, place: None };
    let planned_at = starts_at - SignedDuration::from_hours(24 * 56);
    let event = meeting::Event::Planned(meeting::Planned { plan });
    append::<meeting::Meeting>(org, MeetingId::of(group, local).0, 0, planned_at, &[event])
}

fn held(org: &OrgId, number: u64, local: DateTime) -> Append {
    let mark = |member: u64| {
        let mark = [Mark::Present, Mark::Present, Mark::Late, Mark::Absent]
            [usize::try_from((member + number) % 4).unwrap_or(0)];
        let entry = Entry { mark, mode: mark.attended().then_some(AttendanceMode::InPerson) };
        let recorded = AttendanceRecorded { member: member_id(number, member), entry, walk_in: false };
        meeting::Event::AttendanceRecorded(recorded)
    };
    let opened = std::iter::once(meeting::Event::Opened(meeting::Opened {}));
    let events = opened.chain((0..MEMBERS).map(mark)).chain([meeting::Event::Held(meeting::Held {})]);
    let events: Vec<_> = events.collect();
    let meeting = MeetingId::of(group_id(number), local);
    append::<meeting::Meeting>(org, meeting.0, 1, instant(local), &events)
}
