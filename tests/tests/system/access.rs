//! Who may call: revoked tokens, API clients, assignments.

use domain::{GroupId, Role, access};
use serde_json::{Value, json};
use tests::world::{Actor, NOW, ORG, World, at, org};
use web::TOKEN_TTL_MAX;

const REVOCATIONS: &str = "/v1/access/revocations";
const CLIENTS: &str = "/v1/access/clients";

/// The id of a token of the built-in issuer.
fn jti(world: &World, actor: &Actor) -> String {
    world.issuer().check(&actor.token()).expect("a token of ours").jti.expect("an id").to_string()
}

/// Events of the organisation's access.
async fn types(world: &World) -> Vec<String> {
    world.types_of(access::id(&org(ORG))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_at_once_and_after_a_restart_and_no_other_is() {
    let mut world = World::start().await;
    let (eve, bob) = (world.bearer(&world.somebody(ORG, Role::Auditor, "eve", vec![]).token()), world.coordinator());
    eve.get("/v1/groups").await.must(200); // and is known from now on
    let revoke = json!({ "jti": jti(&world, &eve) });
    world.admin().post(REVOCATIONS, revoke.clone()).await.must(204);
    eve.get("/v1/groups").await.refused(401, "unauthenticated");
    bob.get("/v1/groups").await.must(200);
    world.admin().post(REVOCATIONS, revoke).await.must(204);
    assert_eq!(types(&world).await, ["token.revoked"], "said twice, happens once");
    let token = eve.token();
    world.restart(|_| ()).await;
    world.bearer(&token).get("/v1/groups").await.refused(401, "unauthenticated");
    world.coordinator().get("/v1/groups").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_out_everywhere_needs_a_new_token() {
    let world = World::start().await;
    let token = |subject| world.somebody(ORG, Role::Auditor, subject, vec![]).token();
    let (eve, other) = (world.bearer(&token("eve")), world.bearer(&token("evelyn")));
    let south = world.bearer(&world.somebody("south-star", Role::Auditor, "eve", vec![]).token());
    world.set_time("2026-06-01T13:00:00Z");
    let later = world.bearer(&token("eve"));
    for eve in [&eve, &later] {
        eve.get("/v1/groups").await.must(200);
    }
    world.admin().post(REVOCATIONS, json!({ "subject": "eve" })).await.must(204);
    for eve in [&eve, &later] {
        eve.get("/v1/groups").await.refused(401, "unauthenticated");
    }
    other.get("/v1/groups").await.must(200);
    south.get("/v1/groups").await.must(200);
    world.set_time("2026-06-01T13:00:01Z");
    world.bearer(&token("eve")).get("/v1/groups").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_by_a_clock_that_was_ahead_locks_nobody_out_for_longer_than_it_was() {
    let mut world = World::start().await;
    let token = |world: &World| world.somebody(ORG, Role::Auditor, "eve", vec![]).token();
    let stolen = token(&world);
    world.bearer(&stolen).get("/v1/groups").await.must(200);
    world.set_time("2027-07-06T12:00:00Z"); // 400 days ahead
    world.admin().post(REVOCATIONS, json!({ "subject": "eve" })).await.must(204);
    world.set_time("2026-06-01T12:30:00Z");
    world.bearer(&stolen).get("/v1/groups").await.refused(401, "unauthenticated");
    world.set_time("2026-06-01T12:31:00Z");
    let fresh = token(&world);
    world.bearer(&fresh).get("/v1/groups").await.must(200);
    world.bearer(&stolen).get("/v1/groups").await.refused(401, "unauthenticated");
    assert_eq!(types(&world).await, ["subject.logged_out", "clock.corrected"], "once");
    world.restart(|_| ()).await;
    world.bearer(&fresh).get("/v1/groups").await.must(200);
    world.bearer(&stolen).get("/v1/groups").await.refused(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_taken_back_by_an_admin() {
    let world = World::start().await;
    let eve = world.bearer(&world.somebody(ORG, Role::Auditor, "eve", vec![]).token());
    for what in [json!({ "jti": jti(&world, &eve) }), json!({ "subject": "eve" })] {
        world.admin().post(REVOCATIONS, what.clone()).await.must(204);
        eve.get("/v1/groups").await.refused(401, "unauthenticated");
        world.coordinator().post("/v1/access/revocations/end", what.clone()).await.refused(403, "forbidden");
        for _ in 0..2 {
            world.admin().post("/v1/access/revocations/end", what.clone()).await.must(204);
        }
        eve.get("/v1/groups").await.must(200);
    }
    let said = ["token.revoked", "token.restored", "subject.logged_out", "subject.readmitted"];
    assert_eq!(types(&world).await, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_holds_however_many_ask_meanwhile() {
    let world = World::start().await;
    let eve = world.bearer(&world.somebody(ORG, Role::Auditor, "eve", vec![]).token());
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let eve = eve.clone();
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while statuses.last() != Some(&401) && statuses.len() < 2_000 {
                    statuses.push(eve.get("/v1/groups").await.status.as_u16());
                }
                statuses
            })
        })
        .collect();
    world.admin().post(REVOCATIONS, json!({ "jti": jti(&world, &eve) })).await.must(204);
    assert_eq!(eve.get("/v1/groups").await.status, 401, "from the answer on");
    for asking in asking {
        let statuses = asking.await.expect("it asks");
        assert_eq!(statuses.last(), Some(&401));
        assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_by_admins_of_its_own_organisation_only() {
    let world = World::start().await;
    let eve = world.bearer(&world.somebody(ORG, Role::Auditor, "eve", vec![]).token());
    let revoke = json!({ "jti": jti(&world, &eve) });
    world.admin_of("south-star").post(REVOCATIONS, revoke.clone()).await.must(204);
    eve.get("/v1/groups").await.must(200);
    world.coordinator().post(REVOCATIONS, revoke).await.refused(403, "forbidden");
    for neither in [json!({}), json!({ "jti": "a", "subject": "b" }), json!({ "jti": "" }), json!("jti")] {
        world.admin().post(REVOCATIONS, neither).await.refused(422, "malformed");
    }
}

fn export(role: &str, scopes: &[&str]) -> Value {
    json!({ "name": "export", "role": role, "scopes": scopes, "expires_at": "2026-06-10T12:00:00Z" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_do_what_its_scopes_say_until_its_key_ends_or_is_revoked() {
    let mut world = World::start().await;
    let admin = world.admin();
    let answer = admin.post(CLIENTS, export("auditor", &["list_groups", "list_clients"])).await.must(201).json();
    let (client, key) = (answer["client"].as_str().expect("an id"), answer["key"].as_str().expect("a key").to_owned());
    assert!(key.starts_with("kith_north-star."), "{key}");
    let export = world.bearer(&key);
    export.get("/v1/groups").await.must(200);
    let said = export.get("/v1/programmes").await.refused(403, "forbidden");
    assert!(said["detail"].as_str().is_some_and(|said| said.contains("not a scope")), "{said}");
    let rows = export.get(CLIENTS).await.must(200).json();
    assert_eq!((&rows["items"][0]["client"], &rows["items"][0]["revoked"]), (&json!(client), &json!(false)));
    assert!(!rows.to_string().contains("key") && !rows.to_string().contains("hash"), "{rows}");
    world.restart(|_| ()).await;
    world.bearer(&key).get("/v1/groups").await.must(200);
    for wrong in [
        key.replace("north-star", "south-star"),
        key[..key.len() - 1].to_owned() + if key.ends_with('0') { "1" } else { "0" },
        key.to_uppercase(),
        key[..key.len() - 1].to_owned(),
    ] {
        world.bearer(&wrong).get("/v1/groups").await.refused(401, "unauthenticated");
    }
    world.set_time("2026-06-10T12:00:00Z");
    world.bearer(&key).get("/v1/groups").await.refused(401, "unauthenticated");
    world.set_time("2026-06-10T11:59:59Z");
    world.bearer(&key).get("/v1/groups").await.must(200);
    world.admin().post(&format!("{CLIENTS}/{client}/revocation"), Value::Null).await.must(204);
    world.bearer(&key).get("/v1/groups").await.refused(401, "unauthenticated");
    assert_eq!(types(&world).await, ["client.registered", "client.revoked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_said_once_and_kept_nowhere() {
    let mut world = World::start().await;
    let (admin, body) = (world.admin(), export("auditor", &["list_groups"]));
    let first = admin.command(hyper::Method::POST, CLIENTS, "again", &body).await.must(201);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let again = admin.command(hyper::Method::POST, CLIENTS, "again", &body).await.must(201);
    assert!(again.replayed() && again.json()["key"].is_null(), "{}", again.json());
    assert_eq!(first.json()["client"], again.json()["client"]);
    let key = first.json()["key"].as_str().expect("a key").to_owned();
    world.bearer(&key).get("/v1/groups").await.must(200);
    world.settle().await;
    world.stop().await;
    let secret = key.rsplit_once('_').expect("a key").1.as_bytes();
    let (mut files, mut folders) = (0, vec![world.data().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                // One that was removed meanwhile is gone.
                let Ok(bytes) = std::fs::read(entry.path()) else { continue };
                files += 1;
                assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret), "{}", entry.path().display());
            }
        }
    }
    assert!(files > 5, "{files} files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_no_more_than_its_role_may_and_makes_no_others() {
    let world = World::start().await;
    let admin = world.admin();
    let with = |name: &str, value: Value| {
        let mut body = export("auditor", &["list_groups"]);
        body[name] = value;
        body
    };
    for (what, body) in [
        ("not of its role", with("scopes", json!(["register_group"]))),
        ("no operation", with("scopes", json!(["list_groups", "everything"]))),
        ("no scope", with("scopes", json!([]))),
        ("a maker of clients", export("admin", &["register_client"])),
        ("a member", export("member", &["show_member"])),
        ("ended", with("expires_at", json!(NOW))),
        ("endless", with("expires_at", json!("2027-07-01T00:00:00Z"))),
        ("no role", with("role", json!("king"))),
    ] {
        let said = admin.post(CLIENTS, body).await.refused(422, "malformed");
        assert!(!said.to_string().contains("king"), "{what}: {said}");
    }
    assert!(types(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_reaches_a_group_as_long_as_they_are_assigned() {
    let mut world = World::start().await;
    let (group, fay) = (world.group().await, world.facilitator([]));
    let meeting = world.open_meeting(group).await;
    let (reads, assignments) =
        ([format!("/v1/groups/{group}"), at(meeting, "register")], format!("/v1/groups/{group}/assignments"));
    world.settle().await;
    let reaches = async |world: &World, status: u16| {
        for path in &reads {
            assert_eq!(world.facilitator([]).get(path).await.status, status, "{path}");
        }
        let listed = world.facilitator([]).pages("/v1/groups", 50).await.len();
        assert_eq!(listed, usize::from(status == 200));
    };
    reaches(&world, 403).await;
    let ada = world.coordinator();
    let assign = |starts_on: &str| json!({ "subject": "fay", "duty": "facilitator", "starts_on": starts_on });
    ada.post(&assignments, assign("2026-06-09")).await.must(204);
    reaches(&world, 403).await;
    ada.post(&assignments, assign("2026-06-02")).await.must(204);
    reaches(&world, 200).await;
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    let rows = ada.get(&assignments).await.must(200).json();
    let row = json!({ "subject": "fay", "duty": "facilitator", "starts_on": "2026-06-02" });
    assert_eq!(rows["items"], json!([row]));
    world.restart(|_| ()).await;
    world.settle().await;
    reaches(&world, 200).await;
    let end = json!({ "subject": "fay" });
    world.coordinator().post(&format!("{assignments}/end"), end.clone()).await.must(204);
    reaches(&world, 403).await;
    world.coordinator().post(&format!("{assignments}/end"), end).await.must(204);
    let never = json!({ "subject": "bob" });
    world.coordinator().post(&format!("{assignments}/end"), never).await.refused(409, "not-assigned");
    assert_eq!(types(&world).await, ["facilitator.assigned", "facilitator.assigned", "assignment.ended"]);
    // What the token itself names, it keeps.
    world.facilitator([group]).get(&reads[0]).await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_in_one_organisation_means_nothing_in_another() {
    let world = World::start().await;
    let group = world.group().await;
    world.settle().await;
    let assign = json!({ "subject": "fay", "duty": "facilitator", "starts_on": "2026-06-01" });
    let south = world.admin_of("south-star");
    south.post(&format!("/v1/groups/{group}/assignments"), assign.clone()).await.refused(404, "unknown-group");
    world.admin().post(&format!("/v1/groups/{group}/assignments"), assign).await.must(204);
    let theirs = world.somebody("south-star", Role::Facilitator, "fay", vec![]);
    theirs.get(&format!("/v1/groups/{group}")).await.refused(403, "forbidden");
    let unknown = GroupId(uuid::Uuid::from_u128(9));
    theirs.get(&format!("/v1/groups/{unknown}")).await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_a_day_at_the_most() {
    let world = World::start().await;
    let ann = world.signed_by(&world.issuer(), NOW, TOKEN_TTL_MAX);
    world.set_time("2026-06-02T12:00:30Z");
    ann.get("/v1/groups").await.must(200);
    world.set_time("2026-06-02T12:00:31Z");
    ann.get("/v1/groups").await.refused(401, "unauthenticated");
}
