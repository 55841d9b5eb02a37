//! The doors of a server on a machine that others use, too.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use hyper::Method;
use serde_json::json;
use tests::{
    process::{self, Server},
    world::ORG,
};
use web::Role;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o777
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn children_know_nothing_of_our_environment_and_nobody_gets_a_core_dump() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let all = process::processes_on(&data);
    assert!(all.len() >= 3, "kith, its NATS server, and what keeps that");
    for pid in &all {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    }
    let children = all.iter().filter(|pid| **pid != server.pid());
    for pid in children {
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("its environment");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert!(!environment.to_uppercase().contains("KITH_"), "{environment}");
        let names: Vec<_> = environment.split('\0').filter_map(|pair| pair.split('=').next()).collect();
        assert!(names.iter().all(|name| ["", "PATH", "PWD", "_", "SHLVL", "OLDPWD"].contains(name)), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_was_open_to_others_is_closed_and_that_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("made");
    open(&data, 0o755);
    let mut server = Server::start(&data);
    let mut client = server.client(ORG, Role::Admin);
    let body = json!({ "profile": { "alias": "Bee" } });
    client.command(Method::POST, "/v1/members", "1", &body).await.expect("an answer").must(201);
    assert_eq!(mode(&data), 0o700);
    assert!(server.lines().iter().any(|line| line.contains("could read the data directory")), "{:?}", server.lines());
    for entry in fs::read_dir(&data).expect("the folder").flatten() {
        assert_eq!(mode(&entry.path()) & 0o077, 0, "{}", entry.path().display());
    }
    // A file that was made under another mask, as by an older version.
    server.kill();
    open(&data.join("log.db"), 0o644);
    server = Server::start(&data);
    assert_eq!(mode(&data.join("log.db")), 0o600);
    drop(server);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_where_it_is_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, key) = (dir.path().join("data"), dir.path().join("key"));
    let made = process::run_as(&["key".into(), "--out".into(), key.display().to_string()]);
    assert!(made.status.success() && mode(&key) == 0o600);
    let refused = |data: &Path, arguments: &[&str], file: &Path| {
        let output = process::serve_to_its_end_with(data, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(&format!("chmod 600 {}", file.display())), "{said}");
    };
    open(&key, 0o644);
    refused(&data, &["--key-file", key.to_str().expect("a path of our own")], &key);
    let credentials = dir.path().join("nats.creds");
    fs::write(&credentials, "secret").expect("a file");
    open(&credentials, 0o644);
    let path = credentials.to_str().expect("a path of our own");
    refused(&data, &["--nats", "nats://127.0.0.1:1", "--nats-credentials", path], &credentials);
    refused(
        &data,
        &["--nats-relay", "nats://127.0.0.1:1", "--nats", "nats://127.0.0.1:1", "--nats-relay-credentials", path],
        &credentials,
    );
    let settings = dir.path().join("kith.toml");
    fs::write(&settings, "nats = \"nats://kith:secret@127.0.0.1:1\"").expect("a file");
    open(&settings, 0o644);
    refused(&data, &["--config", settings.to_str().expect("a path of our own")], &settings);
    // One that Kith made itself, and somebody opened.
    let server = Server::start(&data);
    drop(server);
    open(&data.join("issuer.key"), 0o644);
    refused(&data, &[], &data.join("issuer.key"));
}
