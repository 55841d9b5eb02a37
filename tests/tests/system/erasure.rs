//! Somebody is forgotten; and an attacker who has everything that is left.

use std::{fs, path::Path};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use domain::MemberId;
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{ORG, World, at, org};
use vault::{Kek, Vault, VaultError};
use web::Role;

use crate::operations::{Operations, Things};

/// Bytes of a nonce, and of a wrapped key after it.
const NONCE: usize = 24;
const WRAPPED: usize = 48;

fn whole() -> Value {
    json!({ "alias": "Bee", "given_name": "Beata", "family_name": "Kowalska", "email": "bee@example.org" })
}

/// The member's key, wherever it is in the files: every run of bytes in each of them is tried with the
/// key-encryption key.
fn wrapped_key(data: &Path, member: MemberId) -> Option<Vec<u8>> {
    let kek = fs::read_to_string(data.join("vault.key")).expect("the key-encryption key");
    let kek: [u8; 32] = BASE64URL_NOPAD.decode(kek.trim().as_bytes()).expect("base64url").try_into().expect("32 bytes");
    let cipher = XChaCha20Poly1305::new(&kek.into());
    let associated = [ORG.as_bytes(), &[0], member.0.as_bytes()].concat();
    let entries = fs::read_dir(data).expect("the data directory").flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_file()).find_map(|file| {
        let bytes = fs::read(file).expect("a file");
        bytes.windows(NONCE + WRAPPED).find_map(|window| {
            // Wrapped keys are random: what begins with zeros is none.
            if window.starts_with(&[0; 8]) {
                return None;
            }
            let (nonce, sealed) = window.split_first_chunk::<NONCE>().expect("long enough");
            cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &associated }).ok()
        })
    })
}

/// A member with a history: enrolled, marked as present, with a consent; and another beside them.
async fn remembered(world: &World) -> (Things, Value) {
    let (admin, things) = (world.admin(), Things::of(world).await);
    let bee = admin.register(whole()).await;
    admin.enrols(things.group, bee, "2026-01-01").await.must(201);
    admin.mark(things.meeting, bee, "present").await.must(204);
    admin.mark(things.meeting, things.member, "absent").await.must(204);
    let consent = json!({ "purpose": "research", "text": "research-1", "given_on": "2026-05-01", "means": "written" });
    admin.post(&format!("/v1/members/{bee}/consents"), consent).await.must(201);
    admin.post(&at(things.meeting, "hold"), Value::Null).await.must(204);
    world.settle().await;
    let report = admin.get("/v1/reports/reach?from=2026-06&through=2026-06").await.must(200).json();
    let nobody = admin.register(json!({})).await;
    (Things { member: bee, other: nobody, ..things }, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_erased_is_found_by_no_operation_in_any_role_and_what_took_place_still_counts() {
    let world = World::start().await;
    let (things, before) = remembered(&world).await;
    let (admin, bee) = (world.admin(), things.member);
    let erased = admin.post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    assert_eq!(erased.json()["erasure"]["member"], json!(bee));
    world.settle().await;

    for operation in Operations::of(&world).await.all() {
        for role in Role::ALL.into_iter().filter(|role| operation.roles.contains(&role.as_str().to_owned())) {
            let caller = world.somebody(ORG, role, &bee.to_string(), vec![things.group]);
            let names_the_member = operation.path.contains("{member}");
            if operation.method != Method::GET && !names_the_member {
                continue; // what it names is sent below
            }
            let answer = caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            let shows = said.contains(&bee.to_string());
            assert!(!shows, "{} shows {role:?} who was erased: {said}", operation.id);
            // Whose mark was taken back is answered alike, whether there is such a member or not.
            let alike = operation.id == "take_back_attendance" && answer.status == 204;
            let absent =
                alike || answer.status == 404 || (answer.status == 409 && operation.path.contains("{meeting}"));
            assert!(!names_the_member || absent, "{} {role:?}: {} {said}", operation.id, answer.status);
        }
    }
    let search = hyper::Request::post("/v1/members/search").header("content-type", "application/json");
    assert_eq!(admin.send(search, json!({ "name": "bee" }).to_string()).await.must(200).json(), json!([]));
    for (path, body) in [
        (format!("/v1/groups/{}/enrolments", things.group), json!({ "member": bee, "starts_on": "2026-07-01" })),
        (format!("/v1/members/{}/merge", things.other), json!({ "into": bee })),
        (format!("/v1/members/{bee}/erasure"), Value::Null),
        ("/v1/members".into(), json!({ "member": bee, "profile": { "alias": "Bee" } })),
        ("/v1/members".into(), json!({ "member": bee })),
    ] {
        admin.post(&path, body).await.refused(404, "unknown-member");
    }
    let again = admin.post("/v1/members", json!({ "profile": whole() })).await.must(201).json();
    assert_eq!(again.get("possible_duplicates"), None, "the blind index is gone");

    // What took place is a number without a person.
    let register = admin.get(&at(things.meeting, "register")).await.must(200).json();
    assert_eq!((&register["erased"], &register["meeting"]["marks"]["present"]), (&json!(1), &json!(1)));
    let mut after = admin.get("/v1/reports/reach?from=2026-06&through=2026-06").await.must(200).json();
    after["position"] = before["position"].clone();
    assert_eq!(after, before, "statistics of the past are unchanged");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_walks_into_no_meeting() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let meeting = world.open_meeting(group).await;
    let bee = admin.register(whole()).await;
    admin.post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    for role in [Role::Facilitator, Role::Coordinator, Role::Admin] {
        let caller = world.somebody(ORG, role, "fay", vec![group]);
        let walks_in = caller.post(&at(meeting, "walk-ins"), json!({ "member": bee, "mark": "present" })).await;
        walks_in.refused(404, "unknown-member");
    }
    world.settle().await;
    let register = admin.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!((&register["erased"], &register["meeting"]["marks"]["present"]), (&json!(0), &json!(0)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_with_all_files_and_the_key_encryption_key_cannot_open_a_single_field() {
    let mut world = World::start().await;
    let (things, _) = remembered(&world).await;
    let bee = things.member;
    assert!(wrapped_key(world.data(), bee).is_some(), "before, the attack works");
    world.admin().post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    assert_eq!(wrapped_key(world.data(), bee), None, "while the server runs");
    world.stop().await;
    assert_eq!(wrapped_key(world.data(), bee), None, "after it ended");
    assert!(wrapped_key(world.data(), things.other).is_none(), "who was never described has no key");
    let kek = fs::read_to_string(world.data().join("vault.key")).expect("the key-encryption key");
    let vault = Vault::open(&world.data().join("vault.db"), Kek::from_text(&kek).expect("a key"), || [1; 56]);
    let opened = vault.expect("the vault").key(&org(ORG), bee).await;
    assert_eq!(opened.unwrap_err(), VaultError::Erased);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_finished_after_a_crash_in_the_middle() {
    let mut world = World::start().await;
    let (things, _) = remembered(&world).await;
    let bee = things.member;
    // All of it may still be in the write-ahead log.
    let files = ["vault.db", "vault.db-wal"].map(|name| world.data().join(name));
    let kept = files.clone().map(|file| fs::read(file).unwrap_or_default());
    let key = world.admin().key();
    let path = format!("/v1/members/{bee}/erasure");
    let first = world.admin().command(Method::POST, &path, &key, &Value::Null).await.must(200).json();
    // As if the event had been written and the key not yet destroyed.
    world
        .restart(|data| {
            let _ = fs::remove_file(data.join("vault.db-shm"));
            for (file, kept) in files.iter().zip(&kept) {
                fs::write(file, kept).expect("the vault as it was");
            }
        })
        .await;
    world.settle().await;
    let again = world.admin().command(Method::POST, &path, &key, &Value::Null).await.must(200).json();
    assert_eq!(again["erasure"]["position"], first["erasure"]["position"], "the same erasure");
    assert_eq!(wrapped_key(world.data(), bee), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_records_of_one_person_are_erased_together_and_enrolments_end() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let (first, second) = (admin.register(whole()).await, admin.register(json!({ "alias": "Bee 2" })).await);
    admin.enrols(group, second, "2026-01-01").await.must(201);
    admin.post(&format!("/v1/members/{second}/merge"), json!({ "into": first })).await.must(204);
    admin.post(&format!("/v1/members/{second}/erasure"), Value::Null).await.refused(409, "member-merged");
    let (key, path) = (admin.key(), format!("/v1/members/{first}/erasure"));
    let erased = admin.command(Method::POST, &path, &key, &Value::Null).await.must(200).json();
    let records = erased["erasure"]["records"].as_array().expect("records");
    let touched: Vec<_> = records.iter().map(|record| (&record["member"], &record["event_count"])).collect();
    assert_eq!(
        touched,
        [(&json!(first), &json!(2)), (&json!(second), &json!(2))],
        "registered, then absorbed or merged"
    );
    let again = admin.command(Method::POST, &path, &key, &Value::Null).await.must(200).json();
    assert_eq!(again["erasure"]["records"], erased["erasure"]["records"], "the same after it was done");
    let ended = world.events().await.iter().filter(|event| *event.event_type == *"enrolment.ended").count();
    assert_eq!(ended, 1, "before it is answered");
    world.settle().await;
    for member in [first, second] {
        admin.get(&format!("/v1/members/{member}")).await.refused(404, "not-found");
        assert_eq!(wrapped_key(world.data(), member), None);
    }
    world.must_be_sound().await;
}
