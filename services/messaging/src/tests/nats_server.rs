//! The child that must not outlive us.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::tempdir;
use tokio::time::timeout;

use super::world::{self, PATIENCE, server_config};
use crate::{Health, Nats, NatsServer, NatsServerConfig, StartError};

/// Tells the helper process which folder to use.
const HELPER_DIR: &str = "KITH_TEST_HELPER_DIR";

/// Waits until no server keeps the store in `dir`.
async fn store_is_free(dir: &Path) {
    let lock = File::options().append(true).open(dir.join("nats/nats-server.lock")).unwrap();
    let locked = tokio::task::spawn_blocking(move || lock.lock());
    timeout(PATIENCE, locked).await.expect("the server has ended").unwrap().unwrap();
}

/// Whether the process runs; one that has ended and is only not yet waited for does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_with_a_secret_configuration_and_ends_when_stopped() {
    let dir = tempdir().unwrap();
    let health = Health::new();
    let server = NatsServer::start(server_config(dir.path()), &health).await.unwrap();
    let _nats = Nats::connect(&server.config(), &health).await.unwrap();
    assert!(health.ready());
    let mode = fs::metadata(dir.path().join("nats/nats-server.conf")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pid = server.pid();
    timeout(PATIENCE, server.stop()).await.unwrap();
    assert!(!runs(pid));
    let log = fs::read_to_string(dir.path().join("nats/nats-server.log")).unwrap();
    assert!(log.contains("Server Exiting"), "it was asked to end, not killed: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_comes_back_on_the_same_port_with_its_store() {
    let dir = tempdir().unwrap();
    let health = Health::new();
    let server = NatsServer::start(server_config(dir.path()), &health).await.unwrap();
    let nats = Nats::connect(&server.config(), &health).await.unwrap();
    let (url, pid, epoch) = (server.config().url, server.pid(), nats.connected().await);
    nats.jetstream().publish("kith.test", "stays".into()).await.unwrap().await.unwrap();
    world::kill(pid);
    timeout(PATIENCE, nats.lost(epoch)).await.unwrap();
    timeout(PATIENCE, health.wait_until(|report| report.ready)).await.unwrap();
    timeout(PATIENCE, nats.connected()).await.unwrap();
    assert_ne!(server.pid(), pid);
    assert_eq!(server.config().url, url);
    assert_eq!(nats.stream().await.unwrap().get_info().await.unwrap().state.messages, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_keeper_is_killed_does_not_live_on_beside_the_next_one() {
    let dir = tempdir().unwrap();
    let health = Health::new();
    let server = NatsServer::start(server_config(dir.path()), &health).await.unwrap();
    let pid = server.pid();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let keeper: u32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    world::kill(keeper);
    let restarting = health.wait_until(|report| !report.ready);
    timeout(PATIENCE, restarting).await.unwrap();
    timeout(PATIENCE, health.wait_until(|report| report.ready)).await.unwrap();
    assert!(!runs(pid));
    assert!(runs(server.pid()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_ends() {
    let dir = tempdir().unwrap();
    drop(NatsServer::start(server_config(dir.path()), &Health::new()).await.unwrap());
    store_is_free(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_never_share_a_store() {
    let server = world::server().await;
    let second = NatsServer::start(server_config(server.dir.path()), &Health::new()).await;
    assert!(matches!(second, Err(StartError::StoreInUse(_))), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_start_is_said() {
    let dir = tempdir().unwrap();
    let good = server_config(dir.path());
    let start = async |config| NatsServer::start(config, &Health::new()).await.unwrap_err().to_string();
    let weak = NatsServerConfig { password: "a\"b".into(), ..good.clone() };
    assert_eq!(start(weak).await, "the password of nats-server must have 1 to 200 letters and digits");
    let missing = NatsServerConfig { binary: "/nowhere/nats-server".into(), ..good };
    let log = dir.path().join("nats/nats-server.log");
    let said = start(missing).await;
    assert_eq!(said, format!("nats-server ended as soon as it was started; {} says why", log.display()));
    assert!(fs::read_to_string(log).unwrap().contains("/nowhere/nats-server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_dies_with_us_even_if_we_are_killed() {
    let dir = tempdir().unwrap();
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::nats_server::helper_that_starts_a_server", "--ignored", "--nocapture"])
        .env(HELPER_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines();
    let pid = tokio::task::spawn_blocking(move || {
        lines.map(Result::unwrap).find_map(|line| line.split_once("server=")?.1.trim().parse::<u32>().ok())
    });
    let pid = timeout(PATIENCE, pid).await.unwrap().unwrap().unwrap();
    assert!(runs(pid));
    helper.kill().unwrap();
    helper.wait().unwrap();
    store_is_free(dir.path()).await;
    assert!(!runs(pid));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run as a process of its own by a_server_dies_with_us_even_if_we_are_killed"]
async fn helper_that_starts_a_server() {
    let Some(dir) = std::env::var_os(HELPER_DIR) else { return };
    let server = NatsServer::start(server_config(Path::new(&dir)), &Health::new()).await.unwrap();
    println!("server={}", server.pid());
    std::future::pending::<()>().await;
}
