//! The blind index follows from the log: whatever came between a decision and its index.

use std::{fs, path::Path};

use domain::MemberId;
use futures::future::join;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tests::world::{World, org};
use uuid::Uuid;
use vault::Vault;

use crate::faults::until;

/// Members of whom a line of an import with this profile may be, as far as the index says. Nothing is imported.
async fn found(world: &World, profile: Value) -> Vec<MemberId> {
    let body = json!({ "dry_run": true, "lines": [{ "line": 1, "profile": profile }] });
    let line = world.admin().post("/v1/imports/members", body).await.must(200).json()["lines"][0].clone();
    match line["member"].as_str() {
        Some(matched) if line["became"] == "matched" => vec![matched.parse().expect("an id")],
        _ => serde_json::from_value(line["possible_duplicates"].clone()).unwrap_or_default(),
    }
}

fn mail(name: &str) -> Value {
    json!({ "email": format!("{name}@example.org") })
}

/// Waits until exactly these are found.
async fn until_found(world: &World, profile: Value, expected: &[MemberId]) {
    let what = format!("{profile} finds {expected:?}");
    until(&what, async || (found(world, profile.clone()).await == expected).then_some(())).await;
}

/// Puts away one of SQLite's files, with all that belongs to it.
fn copy(file: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let beside = |path: &Path| path.with_extension(format!("db{suffix}"));
        let _ = fs::remove_file(beside(to));
        if beside(file).is_file() {
            fs::copy(beside(file), beside(to)).expect("a copy");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_register_under_one_id_at_once_the_one_whom_the_log_knows_is_found() {
    let world = World::start().await;
    let admin = world.admin();
    for round in 0..40 {
        let member = MemberId(Uuid::from_u128(0x4000_8000_0000_0000_0000 + round));
        let [ann, bob] = ["ann", "bob"].map(|name| mail(&format!("{name}{round}")));
        let register = |profile: &Value| {
            let (admin, body) = (admin.clone(), json!({ "member": member, "profile": profile }));
            async move { admin.post("/v1/members", body).await.status.as_u16() }
        };
        let (winner, loser) = match join(register(&ann), register(&bob)).await {
            (201, 409) => (ann, bob),
            (409, 201) => (bob, ann),
            both => panic!("{both:?}"),
        };
        assert_eq!((found(&world, winner).await, found(&world, loser).await), (vec![member], vec![]), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_before_a_crash_is_made_anew_from_the_log() {
    let mut world = World::start().await;
    let kept = tempfile::tempdir().expect("a folder");
    let kept = kept.path().join("vault.db");
    let ann = world.admin().register(mail("ann")).await;
    world.restart(|data| copy(&data.join("vault.db"), &kept)).await;
    world.admin().patch(&format!("/v1/members/{ann}"), mail("annie")).await.must(204);
    assert_eq!(found(&world, mail("annie")).await, [ann]);
    // As if it had crashed when the change was on disk and its index was not.
    world.restart(|data| copy(&kept, &data.join("vault.db"))).await;
    until_found(&world, mail("annie"), &[ann]).await;
    until_found(&world, mail("ann"), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_indexed_and_never_registered_is_found_no_more() {
    let mut world = World::start().await;
    let kept = tempfile::tempdir().expect("a folder");
    let kept = kept.path().join("log.db");
    let ann = world.admin().register(mail("ann")).await;
    world.restart(|data| copy(&data.join("log.db"), &kept)).await;
    let bob = world.admin().register(mail("bob")).await;
    // As if it had crashed when the key and the index were on disk and the registration was not.
    world
        .restart(|data| {
            copy(&kept, &data.join("log.db"));
            for derived in ["nats", "facts"] {
                fs::remove_dir_all(data.join(derived)).expect("it can be deleted");
            }
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(data.join(format!("views.db{suffix}")));
            }
        })
        .await;
    let vault = world.data().join("vault.db");
    let holders = || Vault::holders(&vault).expect("the vault");
    assert!(holders().contains(&(org(tests::world::ORG), bob)), "there is a key of nobody");
    until("nobody is indexed who is not there", async || {
        let connection = Connection::open_with_flags(&vault, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the vault");
        let sql = "SELECT count(*) FROM blinds WHERE person = ?1";
        let entries: i64 = connection.query_row(sql, [bob.0.as_bytes()], |row| row.get(0)).expect("a count");
        (entries == 0).then_some(())
    })
    .await;
    let answer = world.admin().post("/v1/members", json!({ "profile": mail("bob") })).await.must(201).json();
    assert_eq!(answer.get("possible_duplicates"), None, "nobody is named who is not there");
    until_found(&world, mail("ann"), &[ann]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_indexed_and_whose_registration_failed_is_found_no_more_while_it_runs() {
    let world = World::start().await;
    let vault = Connection::open(world.data().join("vault.db")).expect("the vault");
    // When the second is seen to, what is done at the start is over.
    let mut seen_to = Vec::new();
    for name in ["ann", "bob"] {
        let member = world.admin().register(mail(name)).await;
        until("the index follows the log", async || {
            let sql = "SELECT position > 0 FROM indexed WHERE person = ?1";
            let follows: bool = vault.query_row(sql, [member.0.as_bytes()], |row| row.get(0)).expect("a row");
            follows.then_some(())
        })
        .await;
        seen_to.push(member);
    }
    let (ann, nobody) = (seen_to[0], MemberId(Uuid::from_u128(0x4000_8000_0000_0000_0001)));
    // As if the disk had been full between the index and the registration.
    for left in [
        "INSERT INTO blinds (org, digest, person) SELECT org, digest, ?1 FROM blinds WHERE person = ?2",
        "INSERT INTO indexed (org, person, position) SELECT org, ?1, 0 FROM indexed WHERE person = ?2",
    ] {
        assert_eq!(vault.execute(left, [nobody.0.as_bytes(), ann.0.as_bytes()]).expect("it is written"), 1);
    }
    until("nobody is indexed who is not there", async || {
        let sql = "SELECT (SELECT count(*) FROM blinds WHERE person = ?1) + count(*) FROM indexed WHERE person = ?1";
        let entries: i64 = vault.query_row(sql, [nobody.0.as_bytes()], |row| row.get(0)).expect("a count");
        (entries == 0).then_some(())
    })
    .await;
    assert_eq!(found(&world, mail("ann")).await, [ann]);
    world.must_be_sound().await;
}
