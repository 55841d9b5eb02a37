//! The listener and what is around every operation: limits, headers, TLS, and that nothing is said again that was sent.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{ORG, PATIENCE, World},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};
use web::Role;

use crate::operations::{Operation, Operations, Things};

/// What was sent and must not come back.
const CANARY: &str = "Zq7-Canary";

/// All that comes until the other side closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it is closed");
    assert!(
        read.is_ok() || !all.is_empty() || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_they_want_is_cut_off() {
    let world = World::start_with(|config| config.head_seconds_max = 1).await;
    for begun in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
        stream.write_all(begun.as_bytes()).await.expect("it is taken");
        let since = Instant::now();
        until_closed(&mut stream).await;
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    }
    world.nobody().get("/healthz").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_send_what_they_announced_is_told_and_cut_off() {
    let world = World::start_with(|config| config.request_seconds_max = 1).await;
    let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
    let head = format!(
        "POST /v1/programmes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: k\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        world.admin().token()
    );
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    let said = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("timed-out"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_take_no_place_from_others_for_long() {
    let world = World::start_with(|config| {
        config.connections_max = 2;
        config.head_seconds_max = 1;
    })
    .await;
    let idle = [TcpStream::connect(world.address()).await, TcpStream::connect(world.address()).await];
    world.nobody().get("/healthz").await.must(200);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_and_heads_without_end_are_cut_off() {
    let world = World::start().await;
    for nonsense in ["\x16\x03\x01\x02\x00\x01\x00\x01", "hello\r\n\r\n", "GET / HTTP/1.1\r\nHost x\r\n\r\n"] {
        let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
        stream.write_all(nonsense.as_bytes()).await.expect("it is taken");
        stream.shutdown().await.expect("it ends");
        until_closed(&mut stream).await;
    }
    let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
    let endless = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(1 << 20));
    let _ = stream.write_all(endless.as_bytes()).await; // it may be cut off before the end
    until_closed(&mut stream).await;
    world.nobody().get("/healthz").await.must(200);
}

/// The statuses of this many requests at once.
async fn at_once(count: usize, ask: impl AsyncFn() -> Answer) -> Vec<Answer> {
    futures::future::join_all((0..count).map(|_| ask())).await
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_too_often_is_told_when_to_come_again_and_others_are_not() {
    let world = World::start_with(|config| (config.caller_per_second, config.caller_burst) = (1, 5)).await;
    let (ann, bob) = (world.admin(), world.coordinator());
    let answers = at_once(60, async || ann.get("/v1/groups").await).await;
    assert!(count(&answers, 200) >= 5 && count(&answers, 429) > 20, "{}", count(&answers, 200));
    let refused = answers.into_iter().find(|answer| answer.status == 429).expect("one");
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.refused(429, "rate-limited");
    bob.get("/v1/groups").await.must(200);
    world.somebody("south-star", Role::Admin, "admin", vec![]).get("/v1/groups").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_from_which_too_much_comes_is_slowed_down() {
    let world = World::start_with(|config| (config.address_per_second, config.address_burst) = (1, 10)).await;
    let answers = at_once(80, async || world.nobody().get("/healthz").await).await;
    assert!(count(&answers, 200) >= 10 && count(&answers, 429) > 20, "{}", count(&answers, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_and_who_was_known_goes_on() {
    let world = World::start_with(|config| config.refused_per_minute = 3).await;
    let (ann, new) = (world.admin(), world.somebody(ORG, Role::Auditor, "new", vec![]));
    ann.get("/v1/groups").await.must(200);
    for _ in 0..3 {
        world.bearer("guess").get("/v1/groups").await.refused(401, "unauthenticated");
    }
    for guess in ["guess", "another", ""] {
        let refused = world.bearer(guess).get("/v1/groups").await;
        let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
        assert!((1..=20).contains(&wait), "{wait}");
        refused.refused(429, "rate-limited");
    }
    new.get("/v1/groups").await.refused(429, "rate-limited");
    ann.get("/v1/groups").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_browsers_may_not_do_with_it() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut answers = vec![world.nobody().get("/no-such").await, world.nobody().get("/problems/internal").await];
    for operation in Operations::of(&world).await.all() {
        let caller = world.admin();
        answers.push(caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await);
        answers.push(world.nobody().send(operation.request(&things, "k"), "").await);
    }
    for answer in &answers {
        let is = |name: &str, value: &str| assert_eq!(answer.header(name), Some(value), "{}", answer.status);
        is("x-content-type-options", "nosniff");
        is("cache-control", "no-store");
        is("referrer-policy", "no-referrer");
        is("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
        assert_eq!(answer.header("strict-transport-security"), None, "not without TLS");
        assert!(answer.header("access-control-allow-origin").is_none() && answer.header("server").is_none());
    }
    let explorer = world.nobody().get("/docs/").await.must(200);
    let page = String::from_utf8_lossy(&explorer.body).into_owned();
    assert!(!page.contains("<script>") && !page.contains(" on"), "its policy lets no script of the page itself run");
    let policy = explorer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        world.nobody().get(&format!("/docs/{file}")).await.must(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_use_the_api_only_if_they_are_configured() {
    let ours = "https://app.example.org";
    let preflight = |origin: &str| {
        Request::options("/v1/groups")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization,kith-after")
    };
    let world = World::start().await;
    let answer = world.nobody().send(preflight(ours), "").await.must(405);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let world = World::start_with(|config| config.cors_origins = vec![ours.into()]).await;
    let answer = world.nobody().send(preflight(ours), "").await.must(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(ours));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let read = world.admin().send(Request::get("/v1/groups").header("origin", ours), "").await.must(200);
    assert_eq!(read.header("access-control-allow-origin"), Some(ours));
    let read = world.admin().send(Request::get("/v1/groups").header("origin", "https://evil.example"), "").await;
    assert_eq!(read.must(200).header("access-control-allow-origin"), None);
}

/// Writes a new certificate and its key; answers the certificate.
pub fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("tls.pem"), made.cert.pem()).expect("a file");
    let key = folder.join("tls.key");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours alone");
    made.cert.der().clone()
}

pub async fn get_over_tls(world: &World, trusted: &CertificateDer<'static>) -> anyhow::Result<Response<Incoming>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(world.address()).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into()?, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/v1/groups").header("authorization", format!("Bearer {}", world.admin().token()));
    Ok(sender.send_request(request.header("host", "localhost").body(Full::new(Bytes::new()))?).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_speaks_tls_and_takes_a_new_certificate_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = certify(folder.path());
    let files = ["tls.pem", "tls.key"].map(|file| folder.path().join(file));
    let [certificate, key] = files.clone();
    let world = World::start_with(|config| {
        (config.tls_certificate, config.tls_key) = (Some(certificate), Some(key));
    })
    .await;
    let answer = get_over_tls(&world, &first).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=63072000");
    assert!(answer.collect().await.is_ok());
    let mut plain = TcpStream::connect(world.address()).await.expect("a connection");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is taken");
    assert!(!until_closed(&mut plain).await.contains("HTTP/1.1"), "nothing is said in clear");
    let second = certify(folder.path());
    assert!(get_over_tls(&world, &second).await.is_err(), "it was not asked to read again");
    world.running().reload().expect("it is read");
    assert!(get_over_tls(&world, &second).await.is_ok() && get_over_tls(&world, &first).await.is_err());
    std::fs::write(&files[0], "nonsense").expect("a file");
    assert!(world.running().reload().is_err());
    assert!(get_over_tls(&world, &second).await.is_ok(), "what was there stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_unpacked() {
    let world = World::start().await;
    let (things, admin) = (Things::of(&world).await, world.admin());
    for operation in Operations::of(&world).await.all().filter(|operation| operation.schema.is_some()) {
        for coding in ["gzip", "br", "deflate", "gzip, identity"] {
            let caller = world.anyone(operation.roles[0].parse().expect("a role"));
            let request = operation.request(&things, &caller.key()).header("content-encoding", coding);
            caller.send(request, operation.body(&things)).await.refused(415, "media-type");
        }
    }
    let request = Request::post("/v1/programmes").header("content-encoding", "identity");
    let request = request.header("idempotency-key", "k").header("content-type", "application/json");
    admin.send(request, json!({ "name": "Recovery" }).to_string()).await.must(201);
}

/// Bodies with the canary in each place, and under names that nobody knows.
fn with_canaries(sample: &Value) -> Vec<Value> {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(sample, "", &mut found);
    let canaries = [json!(CANARY), json!([CANARY]), json!({ CANARY: CANARY }), json!(format!("2026-{CANARY}"))];
    let mut bodies = Vec::new();
    for at in found {
        for canary in &canaries {
            let mut body = sample.clone();
            *body.pointer_mut(&at).expect("a place") = canary.clone();
            bodies.push(body);
        }
        let mut body = sample.clone();
        if let Some(Value::Object(fields)) = body.pointer_mut(&at) {
            fields.insert(CANARY.into(), json!(1));
            bodies.push(body);
        }
    }
    bodies
}

fn says_nothing_of_it(operation: &Operation, what: &str, answer: &Answer) {
    let said = String::from_utf8_lossy(&answer.body).to_lowercase();
    let headers = format!("{:?}", answer.headers).to_lowercase();
    let id = &operation.id;
    assert!(
        answer.status.is_success() || !said.contains("canary") && !headers.contains("canary"),
        "{id} {what}: {said}"
    );
    for inner in ["sqlite", "panicked", ".rs:", "/src/", "serde", "axum", "tokio", "hyper"] {
        assert!(!said.contains(inner), "{id} {what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_not_said_again() {
    let world = World::start().await;
    let (things, admin) = (Things::of(&world).await, world.admin());
    let mut client = admin.client();
    let mut sent = 0;
    for operation in Operations::of(&world).await.all() {
        for body in operation.sample(&things).iter().flat_map(with_canaries) {
            let request = operation.request(&things, &admin.key());
            let answer = client.send(request, body.to_string().into()).await.expect("an answer");
            says_nothing_of_it(operation, &body.to_string(), &answer);
            sent += 1;
        }
        let path = operation.path_with(|_| CANARY.into());
        let queries = operation.query.iter().map(|(name, _)| format!("{}?{name}={CANARY}", operation.target(&things)));
        let targets = queries.chain([path, format!("{}?{CANARY}=1", operation.target(&things))]);
        for target in targets.map(|target| target.replacen("=2026-06?", "=2026-06&", 1)) {
            for caller in [&admin, &world.anyone(Role::Analyst), &world.nobody()] {
                let answer = caller.send(operation.request_to(&target, &caller.key()), operation.body(&things)).await;
                says_nothing_of_it(operation, &target, &answer);
                sent += 1;
            }
        }
    }
    assert!(sent > 400, "{sent}");
    let method = Method::from_bytes(b"ZQ7CANARY").expect("a method");
    let answer = admin.send(Request::builder().method(method).uri("/v1/groups"), "").await.must(405);
    assert!(!String::from_utf8_lossy(&answer.body).contains("ZQ7"));
}
