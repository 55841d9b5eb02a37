//! `kith` as it is typed.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use tests::{
    process::{self, Server},
    world::ORG,
};
use web::Role;

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_made_opens_the_door() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let made = process::run(&["token", "--org", ORG, "--role", "auditor", "--subject", "ann", "--ttl", "90m"], &data);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(&made.stdout);
    let mut client = tests::http::Client::new(server.address, token.trim());
    client.get("/v1/groups", 0).await.expect("an answer").must(200);
    for wrong in [
        ["--ttl", "25h"],
        ["--ttl", "soon"],
        ["--ttl", "0s"],
        ["--role", "king"],
        ["--org", "No Org"],
        ["--group", "x"],
    ] {
        let defaults = [["--org", ORG], ["--role", "auditor"], ["--ttl", "1h"]];
        let others = defaults.into_iter().filter(|other| other[0] != wrong[0]).flatten();
        let arguments: Vec<_> = ["token", "--subject", "ann"].into_iter().chain(others).chain(wrong).collect();
        let made = process::run(&arguments, &data);
        assert!(!made.status.success() && made.stdout.is_empty(), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_imported_once_however_often_it_is_sent_and_a_dry_run_does_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let url = format!("http://{}", server.address);
    let listing = concat!(env!("CARGO_MANIFEST_DIR"), "/data/bmlt-greater-new-york.json");
    let import = |more: &[&str]| {
        let arguments = ["import", "bmlt", listing, "--org", ORG, "--time-zone", "America/New_York", "--url", &url];
        let arguments: Vec<_> = arguments.into_iter().chain(more.iter().copied()).collect();
        let output = process::run(&arguments, &data);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        let line = said.lines().find(|line| line.starts_with("groups")).expect("a line on groups").to_owned();
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    };
    let mut client = server.client(ORG, Role::Coordinator);
    let dry = import(&["--dry-run"]);
    assert_eq!(client.get("/v1/groups", 0).await.expect("an answer").must(200).json()["items"], Value::Array(vec![]));
    let first = import(&[]);
    assert_eq!(dry, first, "a dry run says what would be done");
    assert!(first[0] > 1_000, "{first:?}");
    let [created, _, _, rejected] = first[..] else { panic!("{first:?}") };
    assert_eq!(import(&[]), [0, 0, created, rejected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_data_directory_is_said_to_be_none() {
    let dir = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["verify"][..],
        &["token", "--org", ORG, "--role", "admin", "--subject", "ann"],
        &["report", "--org", ORG, "--from", "2026-01", "--through", "2026-02"],
    ] {
        let output = process::run(arguments, dir.path());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("is not a data directory of kith"), "{}", text(&output.stderr));
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("the folder").count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_imported_from_its_tables_and_from_its_documents_and_what_is_wrong_is_told_with_its_place() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let url = format!("http://{}", server.address);
    let (empty, folder) = (tempfile::tempdir().expect("a folder"), concat!(env!("CARGO_MANIFEST_DIR"), "/data/hsds"));
    let import = |path: &str, more: &[&str]| {
        let arguments = ["import", "hsds", path, "--org", ORG, "--time-zone", "UTC", "--url", &url];
        let arguments: Vec<_> = arguments.into_iter().chain(more.iter().copied()).collect();
        let output = process::run(&arguments, &data);
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let counts = |said: &str, of: &str| {
        let line = said.lines().find(|line| line.starts_with(of)).expect("a line").to_owned();
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    };
    let (_, dry, _) = import(folder, &["--dry-run"]);
    assert!(dry.ends_with("dry run: nothing was done\n"), "{dry}");
    let (well, first, error) = import(&format!("{folder}/csv"), &[]);
    assert!(well, "{error}");
    assert_eq!((counts(&first, "partners"), counts(&first, "services")), (vec![1, 0, 0, 0], vec![1, 0, 0, 0]));
    for path in [folder.to_owned(), format!("{folder}/organization_full.json"), format!("{folder}/tabular.json")] {
        let (_, again, _) = import(&path, &[]);
        assert_eq!(
            (counts(&again, "partners"), counts(&again, "services")),
            (vec![0, 0, 1, 0], vec![0, 0, 1, 0]),
            "{path}"
        );
    }
    let bad = dir.path().join("services.csv");
    fs::write(&bad, "id,organization_id,name,status\n1,o,One,open\n").expect("written");
    let (_, said, _) = import(bad.to_str().expect("a path"), &[]);
    assert!(said.starts_with("rejected services.csv line 2, status: must be active, inactive"), "{said}");
    fs::write(&bad, b"id,name\n1,\xff\n").expect("written");
    let (well, _, error) = import(bad.to_str().expect("a path"), &[]);
    assert!(!well && error.contains("is not UTF-8 after byte 10"), "{error}");
    let (well, _, error) = import(empty.path().to_str().expect("a path"), &[]);
    assert!(!well && error.contains("neither .csv nor .json"), "{error}");
}

/// What `kith import` takes from the environment must not disturb `kith serve` in the same shell.
#[test]
fn a_token_in_the_environment_does_not_keep_a_server_from_starting() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(process::program());
    // An address that cannot be used: it gets that far, and no further.
    command.args(["serve", "--listen", "192.0.2.1:1", "--nats", "nats://127.0.0.1:1", "--data"]).arg(dir.path());
    let output = command.env("KITH_TOKEN", "a.b.c").stdin(Stdio::null()).output().expect("kith can be run");
    assert!(text(&output.stderr).contains("cannot listen at 192.0.2.1:1"), "{}", text(&output.stderr));
}
