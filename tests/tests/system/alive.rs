//! What is broken shows, and heals or stops: parts that end, files that are damaged or deleted while they are used.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use hyper::Method;
use messaging::PartState;
use rusqlite::Connection;
use serde_json::{Value, json};
use tests::{
    process::{self, Server},
    world::{ORG, PATIENCE, World, at},
};
use tokio::time::timeout;
use web::Role;

/// Waits until a part stands still; answers why.
async fn stopped(world: &World, name: &str) -> String {
    let why = |report: &messaging::Report| {
        report.parts.iter().find_map(|part| match &part.state {
            PartState::Stopped { why } if part.name == name => Some(why.clone()),
            _ => None,
        })
    };
    let stops = world.running().health.wait_until(|report| why(report).is_some());
    let report = timeout(PATIENCE, stops).await;
    let report = report.unwrap_or_else(|_| panic!("{name} goes on: {:?}", world.running().health.report()));
    why(&report).expect("it was waited for")
}

/// Waits until every part runs: what was made anew is made anew again after a minute.
async fn ready(world: &World) {
    let ready = world.running().health.wait_until(|report| report.ready);
    let ready = timeout(2 * PATIENCE, ready).await;
    assert!(ready.is_ok(), "{:?}", world.running().health.report());
}

/// A server with a register in which somebody was marked, settled; what its register says.
async fn with_register() -> (World, String, Value) {
    let world = World::start().await;
    let group = world.group().await;
    let ann = world.admin().register(json!({ "alias": "Ann", "email": "ann@example.org" })).await;
    world.admin().enrols(group, ann, "2026-01-01").await.must(201);
    let meeting = world.open_meeting(group).await;
    world.admin().mark(meeting, ann, "present").await.must(204);
    world.set_time("2026-06-03T12:00:00Z");
    world.admin().post(&at(meeting, "hold"), Value::Null).await.must(204);
    world.settle().await;
    ready(&world).await;
    let path = at(meeting, "register");
    let register = world.admin().get(&path).await.must(200).json();
    (world, path, register)
}

fn views(world: &World) -> PathBuf {
    world.data().join("views.db")
}

/// Damages a file of views.
type Damage<'a> = &'a dyn Fn(&Path);

/// Overwrites all of a file but its first page, as a disk does that lies.
fn overwrite(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).expect("the file");
    let length = usize::try_from(file.metadata().expect("its length").len()).expect("it is small");
    file.write_all_at(&vec![0x5A; length - 4096], 4096).expect("it is overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_are_deleted_or_damaged_while_they_are_used_show_and_are_folded_anew() {
    let (world, path, register) = with_register().await;
    let delete = |views: &Path| {
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(views.with_extension(format!("db{suffix}"))).expect("it can be deleted");
        }
    };
    let undecodable = |views: &Path| {
        let connection = Connection::open(views).expect("the views");
        connection.execute("UPDATE groups SET details = 'garbage'", []).expect("a row is spoilt");
    };
    let overwritten = |views: &Path| {
        let connection = Connection::open(views).expect("the views");
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
        overwrite(views);
    };
    let damages: [(&str, Damage<'_>); 3] =
        [("deleted", &delete), ("overwritten", &overwritten), ("undecodable", &undecodable)];
    for (name, damage) in damages {
        damage(&views(&world));
        if name == "undecodable" {
            assert!(
                world.admin().get("/v1/groups").await.status.is_server_error(),
                "there is one row, and it is spoilt"
            );
        }
        let why = stopped(&world, "views").await;
        world.nobody().get("/readyz").await.must(503);
        println!("{name}: {why}");
        ready(&world).await;
        world.settle().await;
        assert_eq!(world.admin().get(&path).await.must(200).json(), register, "{name}");
        world.must_be_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_are_deleted_or_damaged_while_they_are_used_show_and_are_collected_anew() {
    let (world, ..) = with_register().await;
    let report = "/v1/reports/reach?from=2026-06&through=2026-06&by=month,programme,mode";
    let before = world.admin().get(report).await.must(200).json()["rows"].clone();
    assert_ne!(before, json!([]), "there is something to be lost");
    let facts = world.data().join("facts");
    let segment = || -> PathBuf {
        let first = |folder: PathBuf| fs::read_dir(folder).expect("a folder").flatten().next().expect("a file").path();
        first(facts.join(ORG).join("attendances"))
    };
    let delete = || fs::remove_dir_all(facts.join(ORG)).expect("they can be deleted");
    let forget = || fs::remove_file(facts.join("manifest.json")).expect("it can be deleted");
    let spoil = || {
        let path = segment();
        let length = fs::metadata(&path).expect("its length").len();
        let file = OpenOptions::new().write(true).open(&path).expect("the segment");
        file.write_all_at(&[0x5A; 16], length / 2).expect("it is overwritten");
    };
    let damages: [(&str, &dyn Fn()); 3] = [("deleted", &delete), ("forgotten", &forget), ("overwritten", &spoil)];
    for (name, damage) in damages {
        damage();
        let why = stopped(&world, "facts").await;
        println!("{name}: {why}");
        ready(&world).await;
        world.settle().await;
        assert_eq!(world.admin().get(report).await.must(200).json()["rows"], before, "{name}");
        world.must_be_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_or_vault_that_is_moved_away_while_it_is_used_takes_nothing_until_it_is_back() {
    let (world, ..) = with_register().await;
    for name in ["log", "vault"] {
        let (path, away) = (world.data().join(format!("{name}.db")), world.data().join("away"));
        fs::rename(&path, &away).expect("it is moved");
        world.admin().post("/v1/members", json!({ "profile": { "alias": "Bee" } })).await.refused(503, "unavailable");
        let why = stopped(&world, "files").await;
        assert!(why.contains("was deleted or replaced while it was in use"), "{why}");
        let said = world.ops("/readyz").await.must(503).json();
        assert!(said.to_string().contains(&format!("{name}.db was deleted")), "{said}");
        fs::rename(&away, &path).expect("it is moved back");
        world.admin().register(json!({ "alias": "Cee" })).await;
        ready(&world).await;
    }
    world.must_be_sound().await;
}

/// What `kith serve` says when it does not start.
fn refusal(data: &Path) -> String {
    let ended = process::serve_to_its_end(data);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_there_is_never_made_anew_in_silence() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, away) = (dir.path().join("data"), dir.path().join("away"));
    let server = Server::start(&data);
    let mut client = server.client(ORG, Role::Admin);
    let body = json!({ "profile": { "alias": "Bee" } });
    client.command(Method::POST, "/v1/members", "bee", &body).await.expect("an answer").must(201);
    assert!(server.end("TERM", PATIENCE).await.success());
    let cases = [
        ("log.db", "the event log was lost"),
        ("vault.db", "without it nobody is ever named again"),
        ("vault.key", "the vault's keys are wrapped with it"),
        ("issuer.key", "it signs tokens and receipts of erasures"),
    ];
    for (name, words) in cases {
        let path = data.join(name);
        fs::rename(&path, &away).expect("it is moved");
        for _ in ["once", "again"] {
            let said = refusal(&data);
            assert!(
                said.contains(words) && said.contains(name) && said.to_lowercase().contains("put it back")
                    || said.contains("restore it"),
                "{said}"
            );
            assert!(!path.exists(), "{name} was made anew");
        }
        fs::rename(&away, &path).expect("it is moved back");
    }
    // Emptied is as good as gone. What a process that ended had not moved from the journal into the file yet, is moved.
    let vault = Connection::open(data.join("vault.db")).expect("the vault");
    vault.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
    drop(vault);
    fs::copy(data.join("vault.db"), &away).expect("a copy");
    fs::write(data.join("vault.db"), "").expect("it is emptied");
    let said = refusal(&data);
    assert!(said.contains("vault.db is missing or has no keys"), "{said}");
    let server = Server::start_with(&data, &["--accept-lost-keys"]);
    assert!(server.end("TERM", PATIENCE).await.success());
    fs::rename(&away, data.join("vault.db")).expect("it is put back");
    let server = Server::start(&data);
    assert!(server.end("TERM", PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_its_key_or_that_was_changed_is_one_bad_row() {
    let mut world = World::start().await;
    let group = world.group().await;
    let admin = world.admin();
    let [ann, bee, cee] = [
        admin.register(json!({ "alias": "Ann" })).await,
        admin.register(json!({ "alias": "Bee" })).await,
        admin.register(json!({ "alias": "Cee" })).await,
    ];
    for member in [ann, bee, cee] {
        admin.enrols(group, member, "2026-01-01").await.must(201);
    }
    let meeting = world.open_meeting(group).await;
    world
        .restart(|data| {
            let vault = Connection::open(data.join("vault.db")).expect("the vault");
            let changed =
                vault.execute("DELETE FROM keys WHERE person = ?1", [ann.0.as_bytes()]).expect("it is deleted")
                    + vault
                        .execute("UPDATE keys SET wrapped = zeroblob(72) WHERE person = ?1", [bee.0.as_bytes()])
                        .expect("spoilt");
            assert_eq!(changed, 2);
        })
        .await;
    world.settle().await;
    let admin = world.admin();
    for (path, lines) in [(at(meeting, "register"), "members"), (format!("/v1/groups/{group}/roster"), "items")] {
        let shown = admin.get(&path).await.must(200).json();
        let lines = shown[lines].as_array().expect("lines");
        let line = |member| lines.iter().find(|line| line["member"] == json!(member)).expect("everybody is there");
        for lost in [ann, bee] {
            assert_eq!((line(lost).get("called"), &line(lost)["unreadable"]), (None, &json!(true)), "{path}");
        }
        assert_eq!((&line(cee)["called"], line(cee).get("unreadable")), (&json!("Cee"), None), "{path}");
    }
    assert_eq!(admin.get(&format!("/v1/members/{ann}")).await.must(200).json()["unreadable"], json!(true));
    // No second key is made for somebody of whom something is sealed with the first.
    admin.patch(&format!("/v1/members/{ann}"), json!({ "alias": "Anna" })).await.refused(500, "internal");
    let found = kith::verify(&kith::ServerData { data: world.data().into(), eventstore: None, shared: None }).await;
    let said = found.expect("it can be checked").to_string();
    for (member, what) in [(ann, "has no key, though something is sealed"), (bee, "has a key that does not open")] {
        assert!(said.contains(&format!("member {member} of {ORG} {what}")), "{said}");
    }
    assert!(!said.contains(&cee.to_string()), "{said}");
}
