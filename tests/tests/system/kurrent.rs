//! The log in `KurrentDB`, played by the stand-in: everything in one process, and in four.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::OrgId;
use futures::future::join_all;
use jiff::SignedDuration;
use kith::DataDir;
use messaging::{Health, NatsServer, NatsServerConfig};
use tests::{
    gateway::Gateway,
    http::Client,
    positions::{self, LogAt},
    process::{self, Kurrent, Server},
    world::{LOG_VARIABLE, ORG, PATIENCE, at, nats_server},
};
use tokio::time::{Instant, timeout};
use web::Role;

use crate::faults::{self, Writer, until};

/// Modules of this program that tell what the system promises, whatever its log.
const SCENARIOS: [&str; 9] = [
    "access::",
    "attendance::",
    "enrolment::",
    "erasure::",
    "idempotency::",
    "import_members::",
    "members::",
    "people::",
    "report::",
];
/// A scenario that deletes views and facts where one process has them.
const OF_ONE_PROCESS: &str = "the_same_command_again_gets_the_same_answer_and_does_nothing";
/// A scenario that writes into a file of before.
const OF_SQLITE: &str = "what_was_written_before_people_had_a_stream_still_holds";
/// How soon everything goes on after the log has come back.
const GOES_ON_WITHIN: Duration = Duration::from_secs(2);

/// Runs the scenarios of this program once more, with another log.
#[track_caller]
fn scenarios_hold(log: &str, but: &[&str]) {
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    let but = but.iter().flat_map(|scenario| ["--skip", scenario]);
    let output = again.args(SCENARIOS).args(but).env(LOG_VARIABLE, log).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let passed = said.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed > 50, "only {passed} scenarios: {said}");
}

#[test]
fn the_scenarios_hold_with_the_log_in_kurrentdb() {
    scenarios_hold("kurrent", &[OF_SQLITE]);
}

#[test]
fn the_scenarios_hold_in_four_servers_with_different_roles() {
    scenarios_hold("four", &[OF_ONE_PROCESS, OF_SQLITE]);
}

/// Four processes, a NATS server and a stand-in, and what they share on disk.
struct Cluster {
    dir: tempfile::TempDir,
    kurrent: Option<Kurrent>,
    address: SocketAddr,
    gateway: Gateway,
    nats: NatsServer,
    servers: Vec<Server>,
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let kurrent = Kurrent::start(&dir.path().join("kurrent.db"), ([127, 0, 0, 1], 0).into(), &[]);
        let config = NatsServerConfig { binary: nats_server(), dir: dir.path().join("nats"), password: "test".into() };
        let nats = NatsServer::start(config, &Health::new()).await.expect("a NATS server");
        let user = nats.config().user_password.expect("it has one").0;
        let nats_url = nats.config().url.replace("nats://", &format!("nats://{user}:test@"));
        let (shared, url, mut servers) = (dir.path().join("shared"), kurrent.url(), Vec::new());
        for (n, role) in
            ["attendance,directory,access", "relay", "projections,membership", "reporting"].iter().enumerate()
        {
            let shared = shared.to_str().expect("a path of our own");
            let arguments = ["--service", role, "--eventstore", &url, "--nats", &nats_url, "--shared", shared];
            servers.push(Server::start_with(&dir.path().join(format!("data-{n}")), &arguments));
        }
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        let gateway = Gateway::start(&addresses).await;
        positions::served_from(gateway.address, LogAt::Kurrent(kurrent.url()));
        Self { dir, address: kurrent.address, kurrent: Some(kurrent), gateway, nats, servers }
    }

    fn client(&self) -> Client {
        let issuer = DataDir::existing(&self.dir.path().join("shared")).and_then(|data| data.issuer()).expect("a key");
        let org: OrgId = ORG.parse().expect("an organisation");
        let who = (&org, Role::Admin, "cluster");
        let token = issuer.sign(who, vec![], kith::clock().now(), SignedDuration::from_hours(1)).expect("a token");
        Client::new(self.gateway.address, token)
    }

    fn kill_kurrent(&mut self) {
        self.kurrent = None;
    }

    fn start_kurrent(&mut self) {
        self.kurrent = Some(Kurrent::start(&self.dir.path().join("kurrent.db"), self.address, &[]));
    }

    /// What `kith verify` says of what this process made of the log.
    fn verify(&self, data: &Path) -> String {
        let url = self.kurrent.as_ref().expect("it runs").url();
        let shared = self.dir.path().join("shared");
        let arguments = ["verify", "--eventstore", &url, "--shared", shared.to_str().expect("a path of our own")];
        let output = process::run(&arguments, data);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Each process ends when it is asked to.
    async fn end(self) {
        for server in self.servers {
            assert!(server.end("TERM", PATIENCE).await.success());
        }
        self.nats.stop().await;
    }
}

/// What writers have seen.
#[derive(Default)]
struct Seen {
    end: AtomicBool,
    done: AtomicU64,
    unavailable: AtomicU64,
    last: AtomicU64,
}

/// Records attendance until the end, sending again what was not answered well; nothing but that it is unavailable is
/// ever said.
async fn write(writer: &mut Writer, mut client: Client, seen: &Seen) {
    while !seen.end.load(Ordering::Relaxed) {
        let n = writer.acknowledged.len();
        writer.acknowledged.push(false);
        loop {
            let answer = writer.send(&mut client, n).await.expect("an answer");
            if answer.status.as_u16() == 503 {
                assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
                seen.unavailable.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await; // less than it asks for, as impatient callers do
                continue;
            }
            seen.last.fetch_max(answer.must(204).at(), Ordering::Relaxed);
            seen.done.fetch_add(1, Ordering::Relaxed);
            break;
        }
        writer.acknowledged[n] = true;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_the_log_is_unavailable_and_four_processes_go_on_by_themselves() {
    let mut cluster = Cluster::start().await;
    let mut all = faults::writers(&mut cluster.client()).await;
    let (seen, clients) = (Arc::new(Seen::default()), all.iter().map(|_| cluster.client()).collect::<Vec<_>>());
    let writing = {
        let seen = seen.clone();
        tokio::spawn(async move {
            join_all(all.iter_mut().zip(clients).map(|(writer, client)| write(writer, client, &seen))).await;
            all
        })
    };
    let more_than = async |counter: &AtomicU64, before: u64| {
        until("it goes on", async || (counter.load(Ordering::Relaxed) > before).then_some(())).await;
    };
    for _ in 0..3 {
        more_than(&seen.done, seen.done.load(Ordering::Relaxed) + 100).await;
        let refused = seen.unavailable.load(Ordering::Relaxed);
        cluster.kill_kurrent();
        more_than(&seen.unavailable, refused + 10).await;
        cluster.start_kurrent();
        let (begun, done) = (Instant::now(), seen.done.load(Ordering::Relaxed));
        more_than(&seen.done, done).await;
        assert!(begun.elapsed() < GOES_ON_WITHIN, "it went on after {:?}", begun.elapsed());
    }
    seen.end.store(true, Ordering::Relaxed);
    let all = timeout(PATIENCE, writing).await.expect("they end").expect("nothing panics");
    let (mut client, last) = (cluster.client(), seen.last.load(Ordering::Relaxed));
    for writer in &all {
        let register = client.get(&at(writer.meeting, "register"), last).await.expect("an answer").must(200).json();
        let lines = register["members"].as_array().expect("lines").iter().filter(|line| !line["mark"].is_null());
        let mut shown: Vec<_> =
            lines.map(|line| (line["member"].as_str().expect("an id").to_owned(), line["mark"].clone())).collect();
        shown.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(shown, writer.marks());
    }
    client.get("/v1/reports/reach?from=2026-01&through=2026-01", last).await.expect("an answer").must(200);
    for (part, data) in [("views", "data-2"), ("facts", "data-3")] {
        let said = cluster.verify(&cluster.dir.path().join(data));
        // Looking at registers was written down meanwhile.
        let at = said.split_once(&format!("{part}  equal a fold of the log from scratch, at position "));
        let at = at.and_then(|(_, rest)| rest.lines().next()?.parse::<u64>().ok());
        assert!(at >= Some(last), "{last}: {said}");
    }
    cluster.end().await;
}

/// A NATS server that speaks nothing but TLS. Dropping it kills it.
struct TlsNats(std::process::Child);

impl Drop for TlsNats {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// Both clients bring a library of cryptography along, and rustls wants to be told which one is used.
#[tokio::test(flavor = "multi_thread")]
async fn one_process_speaks_tls_to_nats_and_to_kurrentdb() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path of our own").to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (path("tls.pem"), path("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let tls = ["--certificate", &certificate, "--key", &key, "--user", "kith:s3cret"];
    let kurrent = Kurrent::start(&dir.path().join("kurrent.db"), ([127, 0, 0, 1], 0).into(), &tls);
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a port").port();
    let config = format!(
        "port: {port}\njetstream {{ store_dir: \"{}\" }}\ntls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}\n",
        path("jetstream")
    );
    std::fs::write(path("nats.conf"), config).expect("a file");
    let nats = Command::new(nats_server()).args(["-c", &path("nats.conf"), "-l", &path("nats.log")]).spawn();
    let _nats = TlsNats(nats.expect("nats-server can be run"));

    let url = format!("esdb://kith:s3cret@localhost:{}?tlsCAFile={certificate}", kurrent.address.port());
    let nats_url = format!("tls://localhost:{port}");
    let arguments = ["--eventstore", &url, "--nats", &nats_url, "--nats-ca", &certificate];
    let server = Server::start_with(&dir.path().join("data"), &arguments);
    positions::served_from(server.address, LogAt::Kurrent(url.clone()));
    let mut client = server.client(ORG, Role::Admin);
    let registered = until("a programme is registered", async || {
        let body = serde_json::json!({ "name": "Recovery" });
        let answer = client.command(hyper::Method::POST, "/v1/programmes", "1", &body).await.expect("an answer");
        (answer.status.as_u16() == 201).then_some(answer)
    });
    let at = registered.await.at();
    let mut client = server.client(ORG, Role::Admin);
    until("it is in the views", async || {
        let answer = client.get("/v1/programmes", at).await.expect("an answer");
        (answer.status.is_success() && answer.json()["items"][0]["name"] == "Recovery").then_some(())
    })
    .await;
    assert!(
        // Nobody may look into the process, but it may still reach its own sockets (decision 84).
        !server.lines().iter().any(|line| ["s3cret", "panicked", "TCP_NODELAY"].iter().any(|bad| line.contains(bad))),
        "{:#?}",
        server.lines()
    );
}
