//! One world for tests: the whole server in this process, with a log, a NATS server and a clock of its own, and people
//! who use it over HTTP.
//!
//! Needs a runtime with several threads (`#[tokio::test(flavor = "multi_thread")]`): dropping a world stops its server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use domain::{GroupId, MeetingId, MemberId, OrgId, ProgrammeId};
use eventlog::{EventLog, Position, Recorded};
use hyper::{Method, Request};
use jiff::{SignedDuration, Timestamp, civil::Date};
use kith::{Config, DataDir, Kept, Running, Service};
use messaging::{Health, NatsServer, NatsServerConfig};
use serde_json::{Value, json};
use stand_in::StandIn;
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place, time::timeout};
use uuid::Uuid;
use web::{Clock, Issuer, Role, TOKEN_TTL_MAX};

use crate::{
    gateway::Gateway,
    http::{Answer, Client},
};

/// What the clock says at first: a Monday, eleven hours before the group of [`World::group`] meets, and a day.
pub const NOW: &str = "2026-06-01T12:00:00Z";
/// The organisation of all who are not said to be of another one.
pub const ORG: &str = "north-star";
/// Longest wait for anything, generous for slow machines.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Whichever log worlds get that are not said to have another one: `sqlite`, `kurrent`, or `four` for `KurrentDB` and
/// four servers with different roles, which share nothing but that, NATS and a folder of keys.
pub const LOG_VARIABLE: &str = "KITH_TEST_LOG";

/// A whole server in this process, or four that are one.
#[derive(Debug)]
pub struct World {
    running: Vec<Running>,
    gateway: Option<Gateway>,
    configs: Vec<Config>,
    /// What the servers share, if they are several or share their log.
    beside: Option<Beside>,
    time: Arc<AtomicI64>,
    keys: Arc<AtomicU64>,
    _dir: TempDir,
}

/// Servers that are not Kith's.
#[derive(Debug)]
struct Beside {
    _kurrent: StandIn,
    nats: Option<NatsServer>,
}

/// What each of four servers does.
const FOUR: [&[Service]; 4] = [
    &[Service::Directory, Service::Attendance, Service::Access],
    &[Service::Projections, Service::Membership],
    &[Service::Relay],
    &[Service::Reporting],
];

impl World {
    /// Starts a server on an empty data directory.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts a server on an empty data directory, configured by `configure`.
    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config {
            data: dir.path().join("data"),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            nats_server: Some(nats_server()),
            plan_days: 0,
            // Tests ask as fast as they can, all from one address.
            caller_per_second: 0,
            address_per_second: 0,
            refused_per_minute: 0,
            ..Config::default()
        };
        configure(&mut config);
        let (configs, beside) = match std::env::var(LOG_VARIABLE).as_deref() {
            Ok("kurrent") => on_kurrent(config, dir.path()).await,
            Ok("four") => in_four(config, dir.path()).await,
            _ => (vec![config], None),
        };
        let time = Arc::new(AtomicI64::new(time(NOW).as_second()));
        let (running, keys) = (Vec::new(), Arc::default());
        let mut world = Self { running, gateway: None, configs, beside, time, keys, _dir: dir };
        world.resume().await;
        world
    }

    async fn resume(&mut self) {
        for config in &self.configs {
            let time = self.time.clone();
            let now = move || Timestamp::from_second(time.load(Ordering::Relaxed)).expect("a time of our own");
            let started = timeout(PATIENCE, kith::serve(config, Clock::new(now))).await;
            self.running.push(started.expect("it starts in time").expect("it starts"));
        }
        if self.running.len() > 1 {
            let servers: Vec<_> = self.running.iter().map(|running| running.address).collect();
            self.gateway = Some(Gateway::start(&servers).await);
        }
    }

    /// Ends the server, does `between` to its data directory, starts it again.
    pub async fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.stop().await;
        between(self.data());
        self.resume().await;
    }

    /// Ends the server; the data directory stays until this value is dropped.
    pub async fn stop(&mut self) {
        self.gateway = None;
        for running in self.running.drain(..) {
            running.stop().await;
        }
    }

    /// The server; the first one of four.
    pub fn running(&self) -> &Running {
        self.running.first().expect("it runs")
    }

    /// Its event log.
    pub fn log(&self) -> &dyn EventLog {
        &*self.running().log
    }

    /// Its data directory; of four, the folder that they share, in which theirs are.
    pub fn data(&self) -> &Path {
        let config = &self.configs[0];
        config.shared.as_ref().unwrap_or(&config.data)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.gateway.as_ref().map_or_else(|| self.running().address, |gateway| gateway.address)
    }

    /// Sets the clock.
    pub fn set_time(&self, now: &str) {
        self.time.store(time(now).as_second(), Ordering::Relaxed);
    }

    /// Waits until views and facts have reached the end of the log.
    pub async fn settle(&self) {
        for running in &self.running {
            let settled = timeout(PATIENCE, self.settled(running)).await;
            assert!(settled.is_ok(), "it does not settle: {:?}", running.health.report());
        }
    }

    /// One server may not know yet where the log of all ends.
    async fn settled(&self, running: &Running) {
        let end = self.events().await.last().map_or(Position::START, |event| event.position);
        running.log.head().wait_for(|head| *head >= end).await.expect("the log is there as long as its server");
        running.settle().await;
    }

    /// Waits until the log holds what `is_so` looks for.
    pub async fn eventually(&self, is_so: impl Fn(&[Recorded]) -> bool) {
        let mut head = self.log().head();
        let comes = async {
            while !is_so(&self.events().await) {
                head.changed().await.expect("the log is there as long as its server");
            }
        };
        timeout(PATIENCE, comes).await.expect("it comes in time");
    }

    /// Fails unless the log is sound and views and facts equal a fold from scratch, at the end of the log.
    pub async fn must_be_sound(&self) {
        self.settle().await;
        let head = *self.log().head().borrow();
        let (mut views, mut facts) = (None, None);
        for config in &self.configs {
            let Config { data, eventstore, shared, .. } = config.clone();
            let found = kith::verify(&Kept { data, eventstore, shared }).await.expect("it can be checked");
            assert!(found.sound(), "{found}");
            (views, facts) = (views.or(found.views), facts.or(found.facts));
        }
        assert_eq!((views, facts), (Some(Ok(head)), Some(Ok(head))));
    }
}

/// With its log on a stand-in of its own.
async fn on_kurrent(config: Config, dir: &Path) -> (Vec<Config>, Option<Beside>) {
    let kurrent = StandIn::start(&dir.join("kurrent.db")).await.expect("a stand-in");
    let config = Config { eventstore: Some(kurrent.url()), ..config };
    (vec![config], Some(Beside { _kurrent: kurrent, nats: None }))
}

/// As four.
async fn in_four(config: Config, dir: &Path) -> (Vec<Config>, Option<Beside>) {
    let (config, beside) = on_kurrent(config, dir).await;
    let password = "ofthetest".to_owned();
    let server = NatsServerConfig { binary: nats_server(), dir: dir.join("nats"), password: password.clone() };
    let nats = NatsServer::start(server, &Health::new()).await.expect("a NATS server");
    let (user, password) = nats.config().user_password.expect("it has one");
    let url = nats.config().url.replace("nats://", &format!("nats://{user}:{password}@"));
    let config = |(n, roles): (usize, &&[Service])| Config {
        data: config[0].data.join(n.to_string()),
        roles: roles.to_vec(),
        shared: Some(config[0].data.clone()),
        nats: Some(url.clone()),
        nats_server: None,
        ..config[0].clone()
    };
    let configs = FOUR.iter().enumerate().map(config).collect();
    (configs, beside.map(|beside| Beside { nats: Some(nats), ..beside }))
}

impl Drop for World {
    fn drop(&mut self) {
        let end = async {
            self.stop().await;
            if let Some(nats) = self.beside.take().and_then(|beside| beside.nats) {
                nats.stop().await;
            }
        };
        block_in_place(|| Handle::current().block_on(end));
    }
}

/// The people.
impl World {
    /// An admin.
    pub fn admin(&self) -> Actor {
        self.anyone(Role::Admin)
    }

    /// A coordinator.
    pub fn coordinator(&self) -> Actor {
        self.anyone(Role::Coordinator)
    }

    /// A facilitator of these groups.
    pub fn facilitator(&self, groups: impl IntoIterator<Item = GroupId>) -> Actor {
        self.somebody(ORG, Role::Facilitator, "fay", groups.into_iter().collect())
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Actor {
        self.somebody(ORG, Role::Member, &id.to_string(), vec![])
    }

    /// Somebody with this role; facilitators of no group.
    pub fn anyone(&self, role: Role) -> Actor {
        self.somebody(ORG, role, role.as_str(), vec![])
    }

    /// An admin of another organisation.
    pub fn admin_of(&self, org: &str) -> Actor {
        self.somebody(org, Role::Admin, "admin", vec![])
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Actor {
        self.bearer("")
    }

    /// Somebody with this token, valid or not.
    pub fn bearer(&self, token: &str) -> Actor {
        self.actor(Pass::Token(token.into()))
    }

    /// Somebody, who is given another token whenever theirs has ended.
    pub fn somebody(&self, org: &str, role: Role, subject: &str, groups: Vec<GroupId>) -> Actor {
        let (org, subject, given) = (self::org(org), subject.to_owned(), Mutex::default());
        let (issuer, time) = (self.issuer(), self.time.clone());
        self.actor(Pass::Renewed(Arc::new(Renewed { issuer, time, org, role, subject, groups, given })))
    }

    /// An admin whose token `issuer` signed at that time.
    pub fn signed_by(&self, issuer: &Issuer, at: &str, ttl: SignedDuration) -> Actor {
        let who = (&org(ORG), Role::Admin, "admin");
        self.bearer(&issuer.sign(who, vec![], time(at), ttl).expect("a token within bounds"))
    }

    fn actor(&self, pass: Pass) -> Actor {
        Actor { address: self.address(), pass, keys: self.keys.clone() }
    }

    /// The server's own issuer.
    pub fn issuer(&self) -> Issuer {
        DataDir::existing(self.data()).and_then(|data| data.issuer()).expect("the issuer's key")
    }
}

/// The things.
impl World {
    /// A programme.
    pub async fn programme(&self) -> ProgrammeId {
        self.admin().programme("Recovery").await
    }

    /// A group that meets on Tuesdays, 19:00 in New York, under a programme of its own.
    pub async fn group(&self) -> GroupId {
        let admin = self.admin();
        let programme = admin.programme("Recovery").await;
        admin.group(programme, "Steps").await
    }

    /// The group's meeting on this Tuesday, planned.
    pub async fn meeting(&self, group: GroupId, day: &str) -> MeetingId {
        self.admin().meeting(group, day).await
    }

    /// The group's meeting on 2 June 2026, open, and its time is now.
    pub async fn open_meeting(&self, group: GroupId) -> MeetingId {
        let meeting = self.meeting(group, "2026-06-02").await;
        self.set_time("2026-06-02T23:00:00Z");
        self.admin().post(&at(meeting, "open"), Value::Null).await.must(204);
        meeting
    }

    /// New members of the group, since the beginning of 2026.
    pub async fn enrolled<const N: usize>(&self, group: GroupId) -> [MemberId; N] {
        let admin = self.admin();
        let mut members = Vec::with_capacity(N);
        for _ in 0..N {
            members.push(admin.enrol(group, "2026-01-01").await);
        }
        members.try_into().expect("as many as asked for")
    }

    /// All events of the log.
    pub async fn events(&self) -> Vec<Recorded> {
        self.log().read_all(Position::START, 1_000_000).await.expect("the log can be read")
    }

    /// Types of the events in the streams of the thing `id`, oldest first.
    pub async fn types_of(&self, id: impl Into<Uuid>) -> Vec<String> {
        self.written(id).await.into_iter().map(|(event_type, _)| event_type).collect()
    }

    /// Type and data of the events in the streams of the thing `id`, oldest first.
    pub async fn written(&self, id: impl Into<Uuid>) -> Vec<(String, Value)> {
        let id = id.into();
        let events = self.events().await.into_iter().filter(|event| event.stream.id() == id);
        events.map(|event| (event.event_type.to_string(), serde_json::from_slice(&event.data).expect("JSON"))).collect()
    }
}

/// Somebody who uses the server. Each command gets an idempotency key of its own.
#[derive(Debug, Clone)]
pub struct Actor {
    address: SocketAddr,
    pass: Pass,
    keys: Arc<AtomicU64>,
}

/// How somebody shows who they are.
#[derive(Debug, Clone)]
enum Pass {
    /// With this token, also after it has ended.
    Token(String),
    /// With one that is valid by the clock of the test.
    Renewed(Arc<Renewed>),
}

/// Somebody whose tokens are renewed: tests go on for weeks, tokens do not.
#[derive(Debug)]
struct Renewed {
    issuer: Issuer,
    time: Arc<AtomicI64>,
    org: OrgId,
    role: Role,
    subject: String,
    groups: Vec<GroupId>,
    given: Mutex<Option<(Timestamp, String)>>,
}

impl Renewed {
    fn token(&self) -> String {
        let now = Timestamp::from_second(self.time.load(Ordering::Relaxed)).expect("a time of our own");
        let mut given = self.given.lock().expect("nothing panics while it is held");
        match &*given {
            Some((at, token)) if *at <= now && now.duration_since(*at) < TOKEN_TTL_MAX => token.clone(),
            _ => {
                let who = (&self.org, self.role, self.subject.as_str());
                let token = self.issuer.sign(who, self.groups.clone(), now, TOKEN_TTL_MAX);
                given.insert((now, token.expect("a token within bounds"))).1.clone()
            }
        }
    }
}

impl Actor {
    /// What this person shows now.
    pub fn token(&self) -> String {
        match &self.pass {
            Pass::Token(token) => token.clone(),
            Pass::Renewed(renewed) => renewed.token(),
        }
    }

    /// A connection of this person.
    pub fn client(&self) -> Client {
        Client::new(self.address, self.token())
    }

    /// A new idempotency key.
    pub fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a command.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.command(Method::POST, path, &self.key(), &body).await
    }

    /// Sends a command.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.command(Method::PUT, path, &self.key(), &body).await
    }

    /// Sends a command with this key.
    pub async fn command(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        self.client().command(method, path, key, body).await.expect("an answer")
    }

    /// Reads what the views say now.
    pub async fn get(&self, path: &str) -> Answer {
        self.read(path, 0).await
    }

    /// Reads what the views say once they have reached `after`.
    pub async fn read(&self, path: &str, after: u64) -> Answer {
        self.client().get(path, after).await.expect("an answer")
    }

    /// Sends any request.
    pub async fn send(&self, request: hyper::http::request::Builder, body: impl Into<Bytes>) -> Answer {
        self.client().send(request, body.into()).await.expect("an answer")
    }

    /// Registers a programme.
    pub async fn programme(&self, name: &str) -> ProgrammeId {
        self.post("/v1/programmes", json!({ "name": name })).await.must(201).id("id")
    }

    /// Registers a group that meets on Tuesdays, 19:00 in New York.
    pub async fn group(&self, programme: ProgrammeId, name: &str) -> GroupId {
        let body = json!({ "details": details(programme, name), "schedule": tuesdays() });
        self.post("/v1/groups", body).await.must(201).id("id")
    }

    /// Plans the meeting of a group that meets on Tuesdays.
    pub async fn meeting(&self, group: GroupId, day: &str) -> MeetingId {
        let plan = json!({ "from": day, "through": day });
        let plans = self.post(&format!("/v1/groups/{group}/meetings"), plan).await.must(200).json();
        assert_eq!(plans["planned"], 1, "{day} is not a Tuesday, or planned already");
        let day: Date = day.parse().expect("a date");
        MeetingId::of(group, day.at(19, 0, 0, 0))
    }

    /// Registers a member of whom this is known.
    pub async fn register(&self, profile: Value) -> MemberId {
        self.post("/v1/members", json!({ "profile": profile })).await.must(201).id("member")
    }

    /// Changes what is known of a member.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.command(Method::PATCH, path, &self.key(), &body).await
    }

    /// Enrols a registered member.
    pub async fn enrols(&self, group: GroupId, member: MemberId, starts_on: &str) -> Answer {
        let path = format!("/v1/groups/{group}/enrolments");
        self.post(&path, json!({ "member": member, "starts_on": starts_on })).await
    }

    /// Enrols a new member.
    pub async fn enrol(&self, group: GroupId, starts_on: &str) -> MemberId {
        let path = format!("/v1/groups/{group}/enrolments");
        self.post(&path, json!({ "starts_on": starts_on })).await.must(201).id("member")
    }

    /// Marks a member.
    pub async fn mark(&self, meeting: MeetingId, member: MemberId, mark: &str) -> Answer {
        self.put(&mark_of(meeting, member), json!({ "mark": mark })).await
    }

    /// All items of a list, a page at a time.
    pub async fn pages(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        let sign = if path.contains('?') { '&' } else { '?' };
        loop {
            let after = next.take().map(|next| format!("&after={}", encoded(&next))).unwrap_or_default();
            let page = self.get(&format!("{path}{sign}limit={limit}{after}")).await.must(200).json();
            let rows = page["items"].as_array().expect("a page");
            assert!(rows.len() <= limit, "{} rows, at most {limit} were asked for", rows.len());
            items.extend(rows.iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = Some(cursor.into()),
                None => return items,
            }
        }
    }
}

/// What must hold of an answer.
impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use)] // most want nothing else
    pub fn must(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The body of the problem, which must be this one.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let answer = self.must(status);
        assert_eq!(answer.problem().as_deref(), Some(code), "{}", answer.json());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        answer.json()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it is the answer of an earlier sending.
    pub fn replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// `Kith-Position`, which must be there.
    #[track_caller]
    pub fn at(&self) -> u64 {
        self.position.expect("a Kith-Position")
    }

    /// An id in the body.
    #[track_caller]
    pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, field: &str) -> T {
        self.json()[field].as_str().expect("an id").parse().expect("an id")
    }
}

/// The path of an operation on a meeting.
pub fn at(meeting: MeetingId, operation: &str) -> String {
    format!("/v1/meetings/{meeting}/{operation}")
}

/// The path of a member's mark.
pub fn mark_of(meeting: MeetingId, member: MemberId) -> String {
    format!("/v1/meetings/{meeting}/attendance/{member}")
}

/// What describes a group.
pub fn details(programme: ProgrammeId, name: &str) -> Value {
    json!({ "name": name, "programme": programme, "focus": "addiction", "mode": "in_person", "listed": true })
}

/// Tuesdays, 19:00 to 20:30 in New York.
pub fn tuesdays() -> Value {
    json!({ "starts_on": "2025-01-07", "starts_at": "19:00:00", "duration_minutes": 90,
        "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY;BYDAY=TU" })
}

/// An organisation.
pub fn org(name: &str) -> OrgId {
    name.parse().expect("the id of an organisation")
}

/// A time.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time such as 2026-06-01T12:00:00Z")
}

/// Text as a value in a query.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| {
        if byte.is_ascii_alphanumeric() { out + &char::from(byte).to_string() } else { out + &format!("%{byte:02X}") }
    })
}

/// A request without a body.
pub fn get(path: &str) -> hyper::http::request::Builder {
    Request::get(path)
}

/// Where chance starts: the same in each run with the same `KITH_SEED`; printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("KITH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("KITH_SEED={seed} repeats this run");
    seed
}

/// The `nats-server` to be tested with.
///
/// # Panics
/// If there is none.
pub fn nats_server() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("KITH_NATS_SERVER").map(PathBuf::from);
    let folders = std::iter::once(tools).chain(std::env::split_paths(&path));
    let found = named.or_else(|| folders.map(|dir| dir.join("nats-server")).find(|file| file.is_file()));
    found.expect("there is no nats-server: run `make tools`")
}
