//! A disk that is full, for real: a small filesystem in memory, in a mount namespace of its own.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use hyper::Method;
use serde_json::{Value, json};
use tests::{
    http::Client,
    process::{self, Server},
    world::{ORG, PATIENCE, get},
};
use web::Role;

use crate::faults::{stream_of, until};

/// Says that this process has a mount namespace of its own.
const INSIDE: &str = "KITH_TEST_OWN_MOUNTS";
/// Size of the disk.
const DISK: &str = "size=112m";
/// What the server is told of it.
const LIMITS: &str = "disk_low_mib = 48\ndisk_full_mib = 24\ndisk_reserve_mib = 8\n";
const MIB: usize = 1 << 20;

/// Whether this process may mount something that nobody else sees; if not, runs the test `name` in one that may. Needs no
/// root, but a kernel that lets users have namespaces; where it does not, the test is left out, and says so.
fn has_own_mounts(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshared = |program: &str, arguments: &[&str]| {
        Command::new("unshare").args(["-r", "-m", program]).args(arguments).env(INSIDE, "1").output()
    };
    let dir = tempfile::tempdir().expect("a folder");
    let probe = ["-t", "tmpfs", "tmpfs", dir.path().to_str().expect("text")];
    if !unshared("mount", &probe).is_ok_and(|probed| probed.status.success()) {
        eprintln!("LEFT OUT: {name} needs `unshare -rm` to mount a small disk, which this system does not allow");
        return false;
    }
    let this = std::env::current_exe().expect("this program");
    let ran = unshared(this.to_str().expect("text"), &[name, "--exact", "--nocapture"]).expect("it was run before");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Fills the disk until so many bytes are left, or nothing.
fn fill(disk: &Path, left: usize) {
    let mut filler = File::options().create(true).append(true).open(disk.join("filler")).expect("a file");
    let chunk = vec![1; 16 << 10];
    while free(disk) > left && filler.write_all(&chunk).is_ok() {}
    while left == 0 && filler.write_all(&[1; 512]).is_ok() {}
}

fn free(disk: &Path) -> usize {
    let said = Command::new("df").args(["--output=avail", "-B1"]).arg(disk).output().expect("df");
    String::from_utf8_lossy(&said.stdout).lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("bytes")
}

/// A server on the disk, and what is asked of it.
struct Full<'a> {
    disk: &'a Path,
    client: Client,
    operator: Client,
    revoked: usize,
}

impl Full<'_> {
    async fn part(&mut self, name: &str) -> Value {
        let said = self.operator.send(get("/readyz"), bytes::Bytes::new()).await.expect("an answer").json();
        let parts = said["parts"].as_array().cloned().unwrap_or_default();
        parts.into_iter().find(|part| part["name"] == name).unwrap_or(Value::Null)
    }

    async fn post(&mut self, path: &str, key: &str, body: Value) -> tests::http::Answer {
        self.client.command(Method::POST, path, key, &body).await.expect("an answer")
    }

    /// Revokes the tokens of somebody; whether it was done.
    async fn revoke(&mut self, n: usize) -> bool {
        let body = json!({ "subject": format!("somebody-{n}") });
        let answer = self.post("/v1/access/revocations", &format!("revoke-{n}"), body).await;
        let done = answer.status == 204;
        if !done {
            println!("revocation {n}: {} {}, {} bytes are left", answer.status, answer.json(), free(self.disk));
        }
        self.revoked += usize::from(done);
        done
    }

    /// Waits until commands are refused, and says for how long.
    async fn refuses(&mut self) {
        let mut n = 0;
        loop {
            n += 1;
            let answer = self.post("/v1/programmes", &format!("refused-{n}"), json!({ "name": "Recovery" })).await;
            if answer.status == 503 && answer.problem().as_deref() == Some("disk-full") {
                assert_eq!(answer.header("retry-after"), Some("60"));
                return;
            }
            assert!(n < 2_000, "commands go on: {}", answer.status);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await; // the disk announces nothing
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_shows_refuses_commands_but_for_what_protects_people_and_all_goes_on_when_there_is_room() {
    let name =
        "full_disk::a_full_disk_shows_refuses_commands_but_for_what_protects_people_and_all_goes_on_when_there_is_room";
    if !has_own_mounts(name) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (disk, settings) = (dir.path().join("disk"), dir.path().join("kith.toml"));
    fs::create_dir(&disk).expect("a folder");
    fs::write(&settings, LIMITS).expect("settings");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&disk).status();
    assert!(mounted.expect("mount").success());
    let data = disk.join("data");
    let server = Server::start_with(&data, &["--config", settings.to_str().expect("text")]);
    let (client, operator) = (server.client(ORG, Role::Admin), Client::new(server.ops, ""));
    let mut full = Full { disk: &disk, client, operator, revoked: 0 };
    let mut members = Vec::new();
    for n in 0..3 {
        let body = json!({ "profile": { "alias": format!("A{n}"), "email": format!("a{n}@example.org") } });
        let answer = full.post("/v1/members", &format!("member-{n}"), body).await.must(201);
        members.push(answer.id::<String>("member"));
    }
    until("room is held", async || fs::metadata(data.join("reserve")).is_ok_and(|file| file.len() > 0).then_some(()))
        .await;
    assert!(full.revoke(0).await);

    // Little is left: commands are refused, reads and what protects people are not.
    fill(full.disk, 20 * MIB);
    full.refuses().await;
    let said = full.part("disk").await;
    assert!(said["state"] == "stopped" && said["why"].as_str().is_some_and(|why| why.contains("MiB left")), "{said}");
    full.client.get(&format!("/v1/members/{}", members[0]), 0).await.expect("an answer").must(200);
    assert!(full.revoke(1).await);
    full.post(&format!("/v1/members/{}/erasure", members[0]), "erase-0", Value::Null).await.must(200);

    // Nothing is left: some of the room that was held is given back to whom it was held for, and is enough.
    fill(full.disk, 0);
    full.refuses().await;
    until("a revocation is done", async || full.revoke(2).await.then_some(())).await;
    let erased = until("somebody is erased", async || {
        let answer = full.post(&format!("/v1/members/{}/erasure", members[1]), "erase-1", Value::Null).await;
        (answer.status == 200).then_some(answer)
    });
    erased.await;

    // Now really nothing, and somebody goes on until the system itself says no.
    fill(full.disk, 0);
    let nats_log = data.join("nats/nats-server.log");
    let is_stuck = || fs::read_to_string(&nats_log).is_ok_and(|log| log.contains("no space left on device"));
    let mut n = 3;
    while full.revoke(n).await {
        n += 1;
        fill(full.disk, 0);
        assert!(n < 100, "room for this is not endless");
    }
    // NATS writes less than the log: the last event once more, until it has no room either.
    let (context, stream) = stream_of(&data).await;
    let last = stream.cached_info().state.last_sequence;
    let event = stream.get_raw_message(last).await.expect("a message");
    for _ in 0..64 {
        let mut headers = async_nats::HeaderMap::new();
        for (name, values) in event.headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-")) {
            headers.insert(name.clone(), values[0].clone());
        }
        let sent = context.publish_with_headers(event.subject.clone(), headers, event.payload.clone()).await;
        if sent.expect("it is sent").await.is_err() && is_stuck() {
            break;
        }
    }
    assert!(is_stuck(), "NATS found no full disk: nothing would be said here of how it recovers");
    println!("{} revocations were done", full.revoked);

    // Room again: everything goes on by itself.
    fs::remove_file(disk.join("filler")).expect("the filler");
    let mut shown = String::new();
    until("everything runs", async || {
        let said = full.operator.send(get("/readyz"), bytes::Bytes::new()).await.expect("an answer");
        let stands = |part: &&Value| part["state"] != "running";
        let now = format!(
            "{:?}",
            said.json()["parts"].as_array().map(|parts| parts.iter().filter(stands).cloned().collect::<Vec<_>>())
        );
        if now != shown {
            println!("{now}");
            shown = now;
        }
        (said.status == 200).then_some(())
    })
    .await;
    let answer = full.post("/v1/programmes", "again", json!({ "name": "Recovery" })).await.must(201);
    let (position, revoked) = (answer.at(), full.revoked);
    full.client.get("/v1/groups", position).await.expect("an answer").must(200);
    until("the relay has it all", async || {
        (full.part("relay").await["position"].as_u64() >= Some(position)).then_some(())
    })
    .await;
    until("room is held again", async || {
        fs::metadata(data.join("reserve")).is_ok_and(|file| file.len() > 0).then_some(())
    })
    .await;
    full.client.get("/v1/reports/reach?from=2026-01&through=2026-01", position).await.expect("an answer").must(200);
    let output = process::run(&["verify"], &data);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let log = rusqlite::Connection::open(data.join("log.db")).expect("the log");
    let sql = "SELECT count(*) FROM events WHERE type = 'subject.logged_out'";
    let in_log: i64 = log.query_row(sql, [], |row| row.get(0)).expect("a count");
    assert!(usize::try_from(in_log).expect("positive") >= revoked, "{in_log} of {revoked} acknowledged are there");
    drop(log);
    assert!(server.end("TERM", PATIENCE).await.success());
}
