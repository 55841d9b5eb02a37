//! Webhooks: what an endpoint is told, when, and what becomes of it when either side breaks.

use std::{
    collections::HashSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use domain::{
    EndpointId,
    endpoint::{Event, Queued, Says},
};
use eventlog::{EventLog, Position, sqlite::SqliteLog};
use hyper::Method;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::{
    http::Client,
    process::Server,
    world::{NOW, ORG, PATIENCE, World, get, seed, time},
};
use tokio::{
    runtime::Runtime,
    sync::watch,
    time::{sleep, timeout},
};
use web::Role;

use crate::mail::{PUBLIC_URL, SmtpServer};

/// What an endpoint got.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    path: String,
    id: String,
    timestamp: i64,
    signatures: Vec<String>,
    body: Bytes,
    /// All headers, as one text.
    headers: String,
    /// What was answered.
    status: u16,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn topics(&self) -> Vec<String> {
        let topics = self.json()["data"]["topics"].as_array().expect("topics").clone();
        topics.into_iter().map(|topic| topic.as_str().expect("a text").to_owned()).collect()
    }

    /// Whether a secret signed it: by another implementation of HMAC than Kith's.
    fn is_signed_by(&self, secret: &str) -> bool {
        let secret = BASE64.decode(secret.strip_prefix("whsec_").expect("a prefix").as_bytes()).expect("base64");
        assert_eq!(secret.len(), 32);
        let signed = [format!("{}.{}.", self.id, self.timestamp).as_bytes(), &self.body].concat();
        let key = DecodingKey::from_secret(&secret);
        self.signatures.iter().any(|signature| {
            let digest = BASE64.decode(signature.strip_prefix("v1,").expect("a version").as_bytes()).expect("base64");
            crypto::verify(&BASE64URL_NOPAD.encode(&digest), &signed, &key, Algorithm::HS256).expect("a signature")
        })
    }
}

#[derive(Clone)]
struct Book {
    got: watch::Sender<Vec<Got>>,
    /// What is answered, and where to, if elsewhere.
    answer: Arc<Mutex<(u16, Option<String>)>>,
    /// Whether nothing is answered for now.
    holds: watch::Sender<bool>,
}

/// A program that is told: a server of its own, on a runtime of its own, so that it can be killed.
struct Receiver {
    address: SocketAddr,
    runtime: Option<Runtime>,
    book: Book,
}

impl Receiver {
    fn start() -> Self {
        let (got, holds, answer) =
            (watch::Sender::default(), watch::Sender::default(), Arc::new(Mutex::new((204, None))));
        let nowhere = (Ipv4Addr::LOCALHOST, 0).into();
        let mut receiver = Self { address: nowhere, runtime: None, book: Book { got, answer, holds } };
        receiver.again();
        receiver
    }

    /// Listens where it did before.
    fn again(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, book, address) = (runtime.expect("a runtime"), self.book.clone(), self.address);
        let (listens, listening) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
            listens.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let router = Router::new().fallback(take).with_state(book);
            axum::serve(listener, router).await.expect("it serves");
        });
        self.address = listening.recv_timeout(PATIENCE).expect("it listens");
        self.runtime = Some(runtime);
    }

    /// Ends at once, whatever it was about to take.
    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn answers(&self, status: u16) {
        *self.book.answer.lock().expect("nothing panics here") = (status, None);
    }

    /// Answers nothing, or all that it did not answer.
    fn holds(&self, holds: bool) {
        self.book.holds.send_replace(holds);
    }

    fn sends_elsewhere(&self, to: &str) {
        *self.book.answer.lock().expect("nothing panics here") = (307, Some(to.into()));
    }

    fn got(&self) -> Vec<Got> {
        self.book.got.borrow().clone()
    }

    /// Waits until it got so many.
    async fn gets(&self, count: usize) -> Vec<Got> {
        let mut got = self.book.got.subscribe();
        let got = timeout(PATIENCE, got.wait_for(|got| got.len() >= count)).await;
        got.unwrap_or_else(|_| panic!("{} came, not {count}", self.got().len())).expect("it is there").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn take(State(book): State<Book>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, elsewhere) = book.answer.lock().expect("nothing panics here").clone();
    let got = Got {
        path: uri.path().to_owned(),
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap_or_default(),
        signatures: text("webhook-signature").split(' ').map(str::to_owned).collect(),
        body,
        headers: format!("{headers:?}"),
        status,
    };
    book.got.send_modify(|all| all.push(got));
    book.holds.subscribe().wait_for(|holds| !holds).await.expect("the book is open");
    let status = StatusCode::from_u16(status).expect("a status");
    match elsewhere {
        Some(to) => (status, [(header::LOCATION, to)]).into_response(),
        // More than anybody reads.
        None => (status, "x".repeat(100_000)).into_response(),
    }
}

/// A server that may send to this machine.
async fn world() -> World {
    World::start_with(|config| (config.webhook_plain_http, config.webhook_private_addresses) = (true, true)).await
}

async fn register(world: &World, url: &str, topics: Value) -> (EndpointId, String) {
    let answer = world.admin().post("/v1/endpoints", json!({ "url": url, "topics": topics })).await.must(201);
    (answer.id("endpoint"), answer.json()["secret"].as_str().expect("a secret").to_owned())
}

async fn shown(world: &World, endpoint: EndpointId) -> Value {
    world.admin().get(&format!("/v1/endpoints/{endpoint}")).await.must(200).json()
}

/// Waits until the log says that so many of this type happened.
async fn happens(world: &World, event_type: &str, count: usize) {
    let of = |events: &[eventlog::Recorded]| events.iter().filter(|event| &*event.event_type == event_type).count();
    world.eventually(|events| of(events) >= count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_that_something_has_changed_and_never_what() {
    let (world, receiver) = (world().await, Receiver::start());
    let programme = world.programme().await;
    let (endpoint, secret) = register(&world, &receiver.url(), json!(["groups", "members"])).await;
    let group = world.admin().group(programme, "zqxcanaryzqx").await;
    let member = world.admin().register(json!({ "alias": "zqxcanaryzqx" })).await;
    let got = receiver.gets(1).await;
    let first = &got[0];
    assert_eq!(first.json()["type"], "changed");
    assert_eq!(first.json()["timestamp"], NOW);
    assert_eq!(first.timestamp, time(NOW).as_second());
    assert!(first.is_signed_by(&secret) && first.signatures.len() == 1, "{first:?}");
    assert!(first.id.parse::<uuid::Uuid>().is_ok(), "{}", first.id);
    // What comes within a second is told by the next one.
    world.set_time("2026-06-01T12:00:01Z");
    let topics = loop {
        let told: HashSet<_> = receiver.got().iter().flat_map(Got::topics).collect();
        if told.len() == 2 {
            break told;
        }
        world.settle().await;
        tokio::task::yield_now().await;
    };
    assert_eq!(topics, ["groups", "members"].map(str::to_owned).into());
    for got in receiver.got() {
        let told = format!("{}{}", String::from_utf8_lossy(&got.body), got.headers);
        for secret in ["zqxcanaryzqx", ORG, &group.to_string(), &member.to_string(), &endpoint.to_string()] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    // Where it is, and what signs, is nowhere in clear.
    for event in world.events().await {
        let said = String::from_utf8_lossy(&event.data).into_owned();
        assert!(!said.contains(&receiver.address.port().to_string()) || said.contains("through"), "{said}");
        assert!(!said.contains(&secret[6..]), "{said}");
    }
    happens(&world, "webhook.delivered", receiver.got().len()).await;
    let shown = shown(&world, endpoint).await;
    assert_eq!(
        (&shown["waiting"], &shown["enabled"], &shown["url"]),
        (&json!(0), &json!(true), &json!(receiver.url()))
    );
    assert_eq!((&shown["attempts"][0]["status"], &shown["attempts"][0]["delivered"]), (&json!(204), &json!(true)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_by_the_schedule_with_the_same_id_and_words() {
    let (world, receiver) = (world().await, Receiver::start());
    let (endpoint, secret) = register(&world, &receiver.url(), json!([])).await;
    receiver.answers(503);
    world.programme().await;
    receiver.gets(1).await;
    happens(&world, "webhook.failed", 1).await;
    let waiting = shown(&world, endpoint).await;
    assert_eq!((&waiting["waiting"], &waiting["failing_since"]), (&json!(1), &json!(NOW)));
    let again: Timestamp = waiting["next_attempt_at"].as_str().expect("a time").parse().expect("a time");
    assert!((5..=6).contains(&again.duration_since(time(NOW)).as_secs()), "{again}");
    // What changes meanwhile is told afterwards, at once.
    for name in ["One", "Two", "Three"] {
        world.admin().programme(name).await;
    }
    receiver.answers(204);
    world.set_time("2026-06-01T12:00:06Z");
    let got = receiver.gets(3).await;
    assert_eq!((&got[0].id, &got[0].body), (&got[1].id, &got[1].body));
    assert_ne!(got[1].id, got[2].id);
    assert_eq!(got[1].timestamp, got[0].timestamp + 6);
    assert!(got.iter().all(|got| got.is_signed_by(&secret)));
    happens(&world, "webhook.delivered", 2).await;
    assert_eq!(receiver.got().len(), 3, "what came while one waited is one message");
    assert_eq!(shown(&world, endpoint).await["attempts"][0]["attempt"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_nothing_for_three_days_is_disabled_and_is_told_all_once_enabled_again() {
    let (world, receiver) = (world().await, Receiver::start());
    let (endpoint, _) = register(&world, &receiver.url(), json!([])).await;
    receiver.answers(500);
    world.programme().await;
    for failed in 1..=10 {
        happens(&world, "webhook.failed", failed).await;
        if let Some(again) = shown(&world, endpoint).await["next_attempt_at"].as_str() {
            let again: Timestamp = again.parse().expect("a time");
            world.set_time(&(again + jiff::SignedDuration::from_secs(1)).to_string());
        }
    }
    happens(&world, "endpoint.disabled", 1).await;
    let listed = world.admin().get("/v1/endpoints").await.must(200).json();
    assert_eq!(
        (&listed["items"][0]["enabled"], &listed["items"][0]["disabled_why"]),
        (&json!(false), &json!("failing"))
    );
    let given_up = receiver.got();
    assert!(given_up.iter().all(|got| got.id == given_up[0].id), "{given_up:?}");
    // An endpoint is nobody's readiness.
    let ready = timeout(PATIENCE, world.running().health.wait_until(|report| report.ready)).await;
    assert!(ready.is_ok(), "{:?}", world.running().health.report());
    world.admin().register(json!({ "alias": "Bee" })).await;
    world.settle().await;
    receiver.answers(200);
    let of = |what: &str| format!("/v1/endpoints/{endpoint}/{what}");
    world.admin().post(&of("test"), Value::Null).await.refused(409, "endpoint-disabled");
    world.admin().post(&of("enabling"), Value::Null).await.must(204);
    let got = receiver.gets(given_up.len() + 1).await;
    assert_ne!(got[given_up.len()].id, given_up[0].id);
    assert_eq!(
        (given_up[0].topics(), got[given_up.len()].topics()),
        (vec!["groups".into()], vec!["groups".into(), "members".into()])
    );
    let replay = json!({ "message": given_up[0].id });
    world.admin().post(&of("replay"), replay).await.must(204);
    let got = receiver.gets(given_up.len() + 2).await;
    let last = &got[given_up.len() + 1];
    assert_eq!((&last.id, &last.body), (&given_up[0].id, &given_up[0].body));
    world.admin().post(&of("replay"), json!({ "since": NOW })).await.must(204);
    receiver.gets(given_up.len() + 4).await;
    let nobodys = json!({ "message": "018f3c7a-0000-7000-8000-000000000099" });
    world.admin().post(&of("replay"), nobodys).await.refused(404, "unknown-message");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_is_disabled_at_once_and_nobody_is_followed_elsewhere() {
    let (world, receiver, elsewhere) = (world().await, Receiver::start(), Receiver::start());
    let (endpoint, _) = register(&world, &receiver.url(), json!([])).await;
    receiver.sends_elsewhere(&elsewhere.url());
    world.programme().await;
    happens(&world, "webhook.failed", 1).await;
    assert_eq!(shown(&world, endpoint).await["attempts"][0]["status"], 307);
    receiver.answers(410);
    world.set_time("2026-06-01T12:00:10Z");
    happens(&world, "endpoint.disabled", 1).await;
    let shown = shown(&world, endpoint).await;
    assert_eq!((&shown["disabled_why"], &shown["waiting"]), (&json!("gone"), &json!(0)));
    assert_eq!((receiver.got().len(), elsewhere.got().len()), (2, 0));
    // It was there after all: it is told what it did not take, although nothing has changed since.
    receiver.answers(204);
    world.settle().await;
    world.admin().post(&format!("/v1/endpoints/{endpoint}/enabling"), Value::Null).await.must(204);
    let got = receiver.gets(3).await;
    assert_eq!((&got[2].topics(), &got[2].topics()), (&got[0].topics(), &vec!["groups".to_owned()]));
    assert_ne!(got[2].id, got[0].id);
    happens(&world, "webhook.delivered", 1).await;
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slow_slows_nobody_elses_endpoints_and_each_of_theirs_has_its_turn() {
    const ORGS: usize = 7;
    const AT_ONCE_OF_ORG: usize = 4;
    let (world, slow, quick) = (world().await, Receiver::start(), Receiver::start());
    slow.holds(true);
    let orgs: Vec<_> = (0..ORGS).map(|org| format!("slow-{org}")).collect();
    for org in &orgs {
        for n in 0..10 {
            let url = format!("http://{}/{org}/{n}", slow.address);
            world.admin_of(org).post("/v1/endpoints", json!({ "url": url })).await.must(201);
        }
    }
    for org in &orgs {
        world.admin_of(org).programme("Theirs").await;
    }
    slow.gets(ORGS * AT_ONCE_OF_ORG).await;
    let (endpoint, _) = register(&world, &quick.url(), json!([])).await;
    world.admin().post(&format!("/v1/endpoints/{endpoint}/test"), Value::Null).await.must(202);
    quick.gets(1).await;
    assert_eq!(slow.got().len(), ORGS * AT_ONCE_OF_ORG, "nobody has more than their share");
    // Also whoever has more to get comes after those who got nothing.
    world.set_time("2026-06-01T12:00:02Z");
    world.admin_of(&orgs[0]).programme("Another").await;
    slow.holds(false);
    let first = |got: &[Got]| -> Vec<String> {
        got.iter().map(|got| got.path.clone()).filter(|path| path.starts_with("/slow-0/")).collect()
    };
    let mut got = slow.book.got.subscribe();
    let got = timeout(PATIENCE, got.wait_for(|got| first(got).len() >= 14)).await.expect("all are told").expect("so");
    let turns = first(&got)[..2 * AT_ONCE_OF_ORG].to_vec();
    assert_eq!(turns.iter().collect::<HashSet<_>>().len(), turns.len(), "{turns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_audits_sees_to_whom_it_goes_and_not_the_secret_in_it() {
    let (world, receiver) = (world().await, Receiver::start());
    let url = format!("{}?token=zqxcanaryzqx", receiver.url());
    let (endpoint, _) = register(&world, &url, json!([])).await;
    let auditor = world.anyone(Role::Auditor);
    for path in ["/v1/endpoints".to_owned(), format!("/v1/endpoints/{endpoint}")] {
        let read = auditor.get(&path).await.must(200).json();
        let row = read["items"].get(0).unwrap_or(&read);
        assert_eq!(row["url"], "http://127.0.0.1", "{read}");
    }
    assert_eq!(shown(&world, endpoint).await["url"], url);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_spoken_to_with_tls_is_told_from_whoever_is_not_there() {
    let (world, receiver, mut nobody) = (world().await, Receiver::start(), Receiver::start());
    nobody.kill();
    let (plain, _) = register(&world, &format!("https://{}/", receiver.address), json!([])).await;
    let (nowhere, _) = register(&world, &nobody.url(), json!([])).await;
    world.programme().await;
    happens(&world, "webhook.failed", 2).await;
    let mut faults = vec![];
    for endpoint in [plain, nowhere] {
        faults.push(shown(&world, endpoint).await["attempts"][0]["fault"].clone());
    }
    assert_eq!(faults, ["tls", "unreachable"]);
}

/// Waits until operators are told this by a server.
async fn operators_are_told(server: &Server, path: &str, what: &[&str]) -> String {
    let told = async {
        loop {
            let answer = Client::new(server.ops, "").send(get(path), "".into()).await.expect("an answer");
            let told = String::from_utf8_lossy(&answer.body).into_owned();
            if what.iter().all(|what| told.contains(what)) {
                return told;
            }
            sleep(Duration::from_millis(50)).await; // another process says nothing by itself
        }
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("{what:?} is not told: {:#?}", server.lines()))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_it_sees_what_waits_why_and_since_when_and_nothing_of_whom() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, settings) = (dir.path().join("data"), settings(dir.path()));
    let (mut receiver, mut smtp) = (Receiver::start(), SmtpServer::start(dir.path()));
    receiver.kill();
    smtp.kill();
    let (port, hello) = (smtp.port.to_string(), "hello@example.org");
    let mut arguments = vec!["--config", &settings, "--smtp-host", "127.0.0.1", "--smtp-port", &port];
    arguments.extend(["--smtp-tls", "opportunistic", "--mail-from", hello, "--public-url", PUBLIC_URL]);
    let server = Server::start_with(&data, &arguments);
    let mut admin = server.client(ORG, Role::Admin);
    let registered = post(&mut admin, "/v1/endpoints", &json!({ "url": receiver.url() })).await;
    let endpoint = registered["endpoint"].as_str().expect("an id").to_owned();
    let mailbox = async |admin: &mut Client, address: &str| {
        let answer = admin.command(Method::PUT, "/v1/mailbox", address, &json!({ "address": address })).await;
        answer.expect("an answer").must(204);
    };
    mailbox(&mut admin, "zqxcanaryzqx@example.org").await;
    post(&mut admin, "/v1/programmes", &json!({ "name": "zqxcanaryzqx" })).await;
    let broken = [
        r#"kith_outbox_attempts_total{kind="webhook",outcome="unreachable"} 1"#,
        r#"kith_outbox_attempts_total{kind="mail",outcome="unreachable"} 1"#,
        r#"kith_outbox_waiting{kind="webhook"} 1"#,
        r#"kith_outbox_waiting{kind="mail"} 1"#,
        r#"kith_outbox_waiting{kind="letter"} 0"#,
        r#"kith_outbox_oldest_waiting_seconds{kind="webhook"} "#,
        r#"kith_outbox_shut{kind="webhook"} 0"#,
    ];
    let metrics = operators_are_told(&server, "/metrics", &broken).await;
    for secret in [ORG, "zqxcanaryzqx", &endpoint] {
        assert!(!metrics.contains(secret), "{secret}");
    }
    operators_are_told(&server, "/readyz", &["the mail server cannot be reached", r#""state":"strained""#]).await;
    operators_are_told(&server, "/readyz", &[r#""ready":true"#, "the mail server cannot be reached"]).await;
    // Another code, and what waits, are sent at once.
    smtp.again();
    receiver.again();
    mailbox(&mut admin, "another@example.org").await;
    post(&mut admin, &format!("/v1/endpoints/{endpoint}/enabling"), &Value::Null).await;
    let mended = [
        r#"kith_outbox_attempts_total{kind="webhook",outcome="taken"} 1"#,
        r#"kith_outbox_attempts_total{kind="mail",outcome="taken"} 1"#,
        r#"kith_outbox_waiting{kind="webhook"} 0"#,
        r#"kith_outbox_waiting{kind="mail"} 0"#,
    ];
    operators_are_told(&server, "/metrics", &mended).await;
    operators_are_told(&server, "/readyz", &[r#"{"name":"mail-server","state":"running"}"#]).await;
    let lines = server.lines();
    let said = |what: &[&str]| lines.iter().filter(|line| what.iter().all(|what| line.contains(what))).count();
    assert_eq!(said(&["mail-server", "cannot be reached"]), 1, "{lines:#?}");
    // Whoever is gone for good is told of as well.
    receiver.answers(410);
    post(&mut admin, "/v1/programmes", &json!({ "name": "Another" })).await;
    operators_are_told(&server, "/metrics", &[r#"kith_outbox_shut{kind="webhook"} 1"#]).await;
    let lines = server.lines();
    assert!(lines.iter().any(|line| line.contains("an endpoint is disabled") && line.contains("gone")), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_said_once_and_the_one_before_signs_for_a_day_as_well() {
    let (world, receiver) = (world().await, Receiver::start());
    let admin = world.admin();
    let body = json!({ "url": receiver.url() });
    let first = admin.command(Method::POST, "/v1/endpoints", "once", &body).await.must(201);
    let again = admin.command(Method::POST, "/v1/endpoints", "once", &body).await.must(201);
    assert!(again.replayed() && again.json()["secret"].is_null(), "{}", again.json());
    let endpoint: EndpointId = first.id("endpoint");
    assert_eq!(again.id::<EndpointId>("endpoint"), endpoint, "it was registered once");
    let old = first.json()["secret"].as_str().expect("a secret").to_owned();
    let path = format!("/v1/endpoints/{endpoint}/secret");
    let new = admin.post(&path, Value::Null).await.must(200).json()["secret"].as_str().expect("a secret").to_owned();
    let test = format!("/v1/endpoints/{endpoint}/test");
    let ping = admin.post(&test, Value::Null).await.must(202).json();
    let got = receiver.gets(1).await;
    assert_eq!(json!(got[0].id), ping["message"]);
    assert_eq!(got[0].json(), json!({ "type": "ping", "timestamp": NOW, "data": {} }));
    assert!(got[0].is_signed_by(&new) && got[0].is_signed_by(&old) && got[0].signatures.len() == 2);
    happens(&world, "webhook.delivered", 1).await;
    world.set_time("2026-06-02T12:00:00Z");
    world.admin().post(&test, Value::Null).await.must(202);
    let got = receiver.gets(2).await;
    assert!(got[1].is_signed_by(&new) && !got[1].is_signed_by(&old) && got[1].signatures.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_into_the_house_unless_whoever_runs_it_says_so() {
    let (world, receiver) = (World::start().await, Receiver::start());
    let port = receiver.address.port();
    for url in [
        receiver.url(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://0x7f000001:{port}/"),
        "https://169.254.169.254/latest".into(),
        "https://user:word@hooks.example.org/".into(),
        "https:///ok".into(),
        "hooks".into(),
    ] {
        let refused = world.admin().post("/v1/endpoints", json!({ "url": url })).await.refused(422, "malformed");
        assert!(refused["detail"].as_str().expect("a sentence").starts_with("url must"), "{refused}");
    }
    let topics = json!({ "url": "https://hooks.example.org/", "topics": ["secrets"] });
    world.admin().post("/v1/endpoints", topics).await.refused(422, "malformed");
    // What was allowed once is not any more.
    let mut world = World::start_with(|config| {
        (config.webhook_plain_http, config.webhook_private_addresses) = (true, true);
    })
    .await;
    let (endpoint, _) = register(&world, &receiver.url(), json!([])).await;
    world.configure(|config| config.webhook_private_addresses = false);
    world.restart(|_| ()).await;
    world.programme().await;
    happens(&world, "webhook.failed", 1).await;
    assert_eq!(shown(&world, endpoint).await["attempts"][0]["fault"], "not_allowed");
    assert!(receiver.got().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_ten_endpoints_at_most_and_a_removed_one_makes_room() {
    let (world, receiver) = (world().await, Receiver::start());
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(register(&world, &receiver.url(), json!(["referrals"])).await.0);
    }
    let body = json!({ "url": receiver.url() });
    world.admin().post("/v1/endpoints", body.clone()).await.refused(409, "endpoints-full");
    assert_eq!(world.admin().pages("/v1/endpoints", 3).await.len(), 10);
    let path = format!("/v1/endpoints/{}", all[4]);
    world.admin().command(Method::DELETE, &path, "remove", &Value::Null).await.must(204);
    world.admin().get(&path).await.refused(404, "unknown-endpoint");
    assert_eq!(world.admin().pages("/v1/endpoints", 50).await.len(), 9);
    world.admin().post("/v1/endpoints", body).await.must(201);
    let elsewhere = Receiver::start();
    let change = json!({ "url": elsewhere.url(), "topics": ["groups"] });
    world.admin().put(&format!("/v1/endpoints/{}", all[0]), change.clone()).await.must(204);
    world.admin().put(&format!("/v1/endpoints/{}", all[0]), change).await.must(204);
    world.programme().await;
    assert_eq!(elsewhere.gets(1).await[0].topics(), ["groups"]);
    world.admin_of("south-star").get(&format!("/v1/endpoints/{}", all[0])).await.refused(404, "unknown-endpoint");
    assert!(world.admin_of("south-star").pages("/v1/endpoints", 50).await.is_empty());
}

/// Settings of a server that may send to this machine.
fn settings(dir: &Path) -> String {
    let file = dir.join("kith.toml");
    fs::write(&file, "webhook_plain_http = true\nwebhook_private_addresses = true\n").expect("a file");
    file.to_str().expect("a path of our own").to_owned()
}

async fn post(client: &mut Client, path: &str, body: &Value) -> Value {
    let key = uuid::Uuid::from_u128(rand::random()).to_string();
    loop {
        // Whoever asked while it was killed asks again.
        if let Ok(answer) = client.command(Method::POST, path, &key, body).await {
            assert!(answer.status.is_success(), "{path}: {}", answer.json());
            return answer.json();
        }
        sleep(Duration::from_millis(20)).await; // nobody says that it listens again
    }
}

/// Ids of all messages that were made, in order, each from where the one before ended; and whether the last one is of the
/// last change.
async fn told(data: &Path) -> (Vec<String>, bool) {
    let copy = tempfile::tempdir().expect("a folder");
    let connection =
        rusqlite::Connection::open_with_flags(data.join("log.db"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let file = copy.path().join("log.db");
    connection.expect("the log").execute("VACUUM INTO ?1", [file.to_str()]).expect("a copy");
    let events = SqliteLog::open(&file).expect("the log").read_all(Position::START, 1_000_000).await.expect("events");
    let (mut told, mut end, mut last) = (Vec::new(), None, 0);
    for event in events {
        match event.of::<Event>().expect("an event of ours") {
            Some(Event::Queued(Queued { message, says: Says::Changed { from, through, .. }, .. })) => {
                assert!(end.is_none_or(|end| end == from), "a gap between {end:?} and {from}");
                end = Some(through);
                told.push(message.to_string());
            }
            Some(Event::Registered(_)) => end = None,
            None if event.stream.category() == "programme" => last = event.position.0,
            Some(_) | None => {}
        }
    }
    (told, end.is_some_and(|end| end >= last))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_in_the_middle_nothing_is_lost_and_what_comes_twice_has_the_same_id() {
    let mut chance = StdRng::seed_from_u64(seed());
    let dir = tempfile::tempdir().expect("a folder");
    let (data, settings) = (dir.path().join("data"), settings(dir.path()));
    let mut receiver = Receiver::start();
    let mut server = Server::start_with(&data, &["--config", &settings]);
    let mut admin = server.client(ORG, Role::Admin);
    let registered = post(&mut admin, "/v1/endpoints", &json!({ "url": receiver.url() })).await;
    let endpoint = registered["endpoint"].as_str().expect("an id").to_owned();
    let secret = registered["secret"].as_str().expect("a secret").to_owned();
    for round in 0..4 {
        let until = tokio::time::Instant::now() + Duration::from_millis(chance.random_range(800..2_000));
        let mut written = 0;
        while tokio::time::Instant::now() < until {
            post(&mut admin, "/v1/programmes", &json!({ "name": format!("Round {round}, {written}") })).await;
            written += 1;
        }
        if round % 2 == 0 {
            receiver.kill();
            post(&mut admin, "/v1/programmes", &json!({ "name": "Nobody is told" })).await;
            receiver.again();
        } else {
            server.kill();
            server = Server::start_with(&data, &["--config", &settings]);
            admin = server.client(ORG, Role::Admin);
        }
        post(&mut admin, &format!("/v1/endpoints/{endpoint}/enabling"), &Value::Null).await;
    }
    post(&mut admin, "/v1/programmes", &json!({ "name": "The last" })).await;
    let is_over = async {
        loop {
            let shown = admin.get(&format!("/v1/endpoints/{endpoint}"), 0).await.expect("an answer").json();
            if shown["waiting"] == 0 && shown["attempts"][0]["delivered"] == true && told(&data).await.1 {
                break;
            }
            sleep(Duration::from_millis(100)).await; // another process says nothing by itself
        }
    };
    timeout(2 * PATIENCE, is_over).await.expect("all is told in time");
    server.end("TERM", Duration::from_secs(20)).await;
    let (told, _) = told(&data).await;
    let got = receiver.got();
    assert!(got.iter().all(|got| got.is_signed_by(&secret) && got.status == 204));
    let mut first = Vec::<&Got>::new();
    for one in &got {
        match first.iter().find(|known| known.id == one.id) {
            Some(known) => assert_eq!(known.body, one.body, "the same id, and other words"),
            None => first.push(one),
        }
    }
    let order: Vec<_> = first.iter().map(|got| got.id.clone()).collect();
    assert_eq!(order, told, "in the order in which they were made, and each");
    assert!(told.len() > 4, "{} messages", told.len());
}
