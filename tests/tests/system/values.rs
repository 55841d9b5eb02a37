//! Each kind of value has one form, made where it enters, and no comparison sees another.

use domain::{DomainEvent, MemberId, Role, member};
use eventlog::{Append, Expected, NewEvent, StreamName};
use serde_json::{Value, json};
use tests::world::{Actor, ORG, World, org, time};
use uuid::Uuid;

use crate::{
    faults::until,
    operations::{Operations, Things},
};

const REVOCATIONS: &str = "/v1/access/revocations";
const ID: &str = "018f3c7a-0000-7000-8000-00000000000a";

/// As a token says it, and as somebody types it who means the same.
fn forms() -> Vec<(String, String)> {
    let pairs = [
        ("eve ", "eve"),
        ("eve", " eve\u{a0}"),
        ("jos\u{e9}", "jose\u{301}"),
        ("e ve", "e\u{a0}\u{2003}ve"),
        ("eve", "e\u{200b}ve\u{feff}"),
        (ID, &ID.to_uppercase()),
        (&ID.to_uppercase(), ID),
        (&format!("urn:uuid:{ID}"), ID),
        (ID, &ID.replace('-', "")),
    ];
    pairs.map(|(held, typed)| (held.to_owned(), typed.to_owned())).into()
}

fn holder(world: &World, role: Role, subject: &str) -> Actor {
    world.bearer(&world.somebody(ORG, role, subject, vec![]).token())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_out_is_out_however_their_name_is_typed() {
    for (held, typed) in forms() {
        let world = World::start().await;
        let eve = holder(&world, Role::Auditor, &held);
        eve.get("/v1/groups").await.must(200);
        world.admin().post(REVOCATIONS, json!({ "subject": typed })).await.must(204);
        eve.get("/v1/groups").await.refused(401, "unauthenticated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_and_a_facilitator_are_who_their_token_says_in_whatever_form() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let bee = admin.register(json!({ "alias": "Bee" })).await;
    for held in [bee.to_string().to_uppercase(), bee.0.urn().to_string(), bee.0.simple().to_string()] {
        let me = holder(&world, Role::Member, &held);
        world.settle().await;
        me.get(&format!("/v1/members/{bee}")).await.must(200);
    }
    let roster = format!("/v1/groups/{group}/roster");
    for (held, typed) in forms() {
        let fay = holder(&world, Role::Facilitator, &held);
        let (path, ended) = (format!("/v1/groups/{group}/assignments"), format!("/v1/groups/{group}/assignments/end"));
        fay.get(&roster).await.refused(403, "forbidden");
        let assigned = json!({ "subject": typed, "duty": "facilitator", "starts_on": "2026-01-01" });
        admin.post(&path, assigned).await.must(204);
        fay.get(&roster).await.must(200);
        let listed = admin.get(&path).await.must(200).json()["items"].as_array().map(Vec::len);
        assert_eq!(listed, Some(1), "{held} {typed}");
        admin.post(&ended, json!({ "subject": held })).await.must(204);
        fay.get(&roster).await.refused(403, "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reviews_their_own_glass_by_writing_their_name_otherwise() {
    let world = World::start().await;
    let bee = world.admin().register(json!({ "alias": "Bee" })).await;
    let path = format!("/v1/members/{bee}/glass");
    let broken = holder(&world, Role::Auditor, ID).post(&path, json!({ "reason": "fire" })).await.must(201);
    let review = format!("{path}/{}/review", broken.json()["glass"].as_str().expect("an id"));
    let justified = json!({ "justified": true });
    for held in [ID.to_uppercase(), format!("{{{ID}}}"), ID.replace('-', "")] {
        let same = holder(&world, Role::Auditor, &held);
        same.post(&review, justified.clone()).await.refused(409, "own-glass");
    }
    holder(&world, Role::Auditor, "ann").post(&review, justified).await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_nobodys_is_refused_wherever_it_enters() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let nobodys = ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"];
    let before = world.events().await.len();
    let mut probed = 0;
    for operation in Operations::of(&world).await.all() {
        for nobody in nobodys {
            let path = operation.path_with(|_| nobody.to_owned());
            if !path.contains(nobody) {
                continue;
            }
            let role = operation.roles.first().expect("a role").parse().expect("one of ours");
            let caller = holder(&world, role, things.member.to_string().as_str());
            let answer = caller.send(operation.request_to(&path, &caller.key()), operation.body(&things)).await;
            assert!([422, 403].contains(&answer.status.as_u16()), "{} {path}: {}", operation.id, answer.status);
            if answer.status == 422 {
                let detail = answer.refused(422, "malformed")["detail"].to_string();
                assert!(detail.contains("must not be the nil or the max UUID"), "{} {detail}", operation.id);
                probed += 1;
            }
        }
    }
    assert!(probed > 50, "{probed} paths with ids");
    let (admin, group) = (world.admin(), things.group);
    for nobody in nobodys {
        let line = json!({ "line": 2, "member": nobody, "profile": { "alias": "Bee" } });
        for (path, body) in [
            ("/v1/members".to_owned(), json!({ "member": nobody, "profile": { "alias": "Bee" } })),
            ("/v1/members".into(), json!({ "member": nobody })),
            ("/v1/imports/members".into(), json!({ "lines": [line] })),
            (format!("/v1/groups/{group}/enrolments"), json!({ "member": nobody, "starts_on": "2026-01-01" })),
            (format!("/v1/groups/{group}/applications"), json!({ "member": nobody.to_lowercase() })),
            (format!("/v1/members/{}/merge", things.member), json!({ "into": nobody.replace('-', "") })),
            (REVOCATIONS.into(), json!({ "subject": nobody })),
        ] {
            let problem = admin.post(&path, body).await.refused(422, "malformed");
            assert!(!problem.to_string().contains(nobody), "{problem}");
        }
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_nobody_in_it_since_long_is_sound() {
    let mut world = World::start().await;
    let group = world.group().await;
    // The organisation has a key of its own in the vault, under no member's id.
    world.admin().register(json!({ "alias": "Bee", "email": "bee@example.org" })).await;
    for nobody in [Uuid::nil(), Uuid::max()] {
        for event in [
            member::Event::Registered(member::Registered { fields: [].into(), typed_by: None }),
            member::Event::Erased(member::Erased {}),
        ] {
            let (event_type, version) = event.event_type();
            let said = NewEvent { id: Uuid::from_u128(rand::random()), event_type, version, data: event.encode() };
            let append = Append {
                stream: StreamName::new("member", &org(ORG), nobody),
                expected: Expected::Any,
                events: vec![said],
                metadata: br#"{"actor":"ann","role":"admin"}"#.to_vec(),
                at: time("2026-06-01T12:00:00Z"),
                receipt: None,
            };
            world.log().append(append).await.expect("appended");
        }
    }
    world.must_be_sound().await;
    world.restart(|_| ()).await;
    world.admin().enrol(group, "2026-01-01").await;
    world.must_be_sound().await;
    let members = world.admin().post("/v1/members/search", json!({ "name": "Bee" })).await.must(200).json();
    assert_eq!(members.as_array().map(Vec::len), Some(1), "the organisation's key is as it was: {members}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_seen_is_in_no_name() {
    let world = World::start().await;
    let admin = world.admin();
    for (said, kept) in [
        ("A\u{200b}n\u{2060}n\u{feff}", "Ann"),
        ("\u{202e}nnA\u{202c}", "nnA"),
        ("\u{2067}Ann\u{2069}\u{200f}", "Ann"),
        ("Rene\u{301}e", "Ren\u{e9}e"),
        ("Ann\u{3164} \u{2800}", "Ann"),
        ("\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}", "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}"),
    ] {
        let registered = admin.post("/v1/members", json!({ "profile": { "alias": said } })).await.must(201);
        let bee: MemberId = registered.id("member");
        let alias = admin.read(&format!("/v1/members/{bee}"), registered.at()).await.must(200).json();
        assert_eq!(alias["profile"]["alias"], kept, "{said:?}");
    }
    for refused in ["\u{200b}", "\u{202e}", "a\u{e000}", "a\u{0}", "a\u{316}\u{316}\u{316}\u{316}\u{316}"] {
        let problem = admin.post("/v1/members", json!({ "profile": { "alias": refused } })).await;
        let problem = problem.refused(422, "malformed")["detail"].to_string();
        assert!(problem.contains("must not") && !problem.contains(refused), "{problem}");
    }
}

/// What is written down of who looked says who it was as the token did, in its one form.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_knows_one_name_of_each() {
    let world = World::start().await;
    let registered = world.admin().post("/v1/members", json!({ "profile": { "alias": "Bee" } })).await.must(201);
    let bee: MemberId = registered.id("member");
    for held in [ID.to_owned(), ID.to_uppercase()] {
        let ada = holder(&world, Role::Coordinator, &held);
        ada.read(&format!("/v1/members/{bee}"), registered.at()).await.must(200);
    }
    let audit = world.events().await.into_iter().filter(|event| event.stream.category() == "audit");
    let said: Vec<Value> = audit.map(|event| serde_json::from_slice(&event.data).expect("JSON")).collect();
    let subjects: Vec<_> = said.iter().map(|said| said["subject"].as_str().expect("a subject")).collect();
    assert_eq!(subjects, [ID, ID]);
}

async fn duplicates(ada: &Actor, profile: Value) -> Vec<String> {
    let found = ada.post("/v1/members", json!({ "profile": profile })).await.must(201).json();
    let named = found["possible_duplicates"].as_array().into_iter().flatten();
    named.map(|id| id.as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_in_the_letters_that_a_keyboard_has() {
    let world = World::start().await;
    let admin = world.admin();
    let names = [
        ("Groß", "Gross"),
        ("Bøe", "Boe"),
        ("Øst", "Ost"),
        ("Łukasik", "lukasik"),
        ("Đorđević", "Dordevic"),
        ("Æsir", "AESIR"),
        ("Þorláksson", "thorlaksson"),
        ("Yıldız", "yildiz"),
        ("Ħabbej", "habbej"),
        ("Weiß", "WEISS"),
        ("N\u{303}ez", "\u{d1}ez"),
    ];
    for (family, _) in names {
        admin.register(json!({ "given_name": "Test", "family_name": family, "year_of_birth": 1980 })).await;
    }
    world.settle().await;
    for (family, typed) in names {
        let found = admin.post("/v1/members/search", json!({ "name": typed })).await.must(200).json();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{family} {typed}: {found}");
        let near = json!({ "given_name": "TEST", "family_name": typed });
        assert_eq!(duplicates(&admin, near).await.len(), 1, "{family} {typed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_number_is_the_same_in_every_way_of_writing_it_and_none_is_none() {
    let world = World::start_with(|config| config.phone_country = Some("GB".into())).await;
    let ada = world.coordinator();
    let bee = ada.register(json!({ "phone": "+44 20 7946 0001" })).await.to_string();
    for phone in ["0044 20 7946 0001", "020 7946 0001", "+44 (0)20 7946-0001", "\u{ff10}20 7946 0001"] {
        assert!(duplicates(&ada, json!({ "phone": phone })).await.contains(&bee), "{phone}");
    }
    for nothing in ["n/a", "none", "-", "0", "00000", "?", "0000000000"] {
        for _ in 0..2 {
            assert!(duplicates(&ada, json!({ "phone": nothing })).await.is_empty(), "{nothing}");
        }
    }
}

/// The index of a vault in which numbers were compared by their digits is made again from what is sealed.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_form_is_made_again_at_the_start() {
    let mut world = World::start().await;
    let bee = world.coordinator().register(json!({ "phone": "+44 20 7946 0001" })).await.to_string();
    world.settle().await;
    world
        .restart(|data| {
            let vault = rusqlite::Connection::open(data.join("vault.db")).expect("the vault");
            vault
                .execute_batch("DROP TABLE form; UPDATE blinds SET digest = zeroblob(32);")
                .expect("as it was made once");
        })
        .await;
    let ada = world.coordinator();
    let line =
        json!({ "dry_run": true, "lines": [{ "line": 2, "profile": { "alias": "x", "phone": "0044 20 7946 0001" } }] });
    let found = async || {
        let report = ada.post("/v1/imports/members", line.clone()).await.must(200).json();
        (report["lines"][0]["possible_duplicates"] == json!([bee])).then_some(())
    };
    until("the index is made again", found).await;
}

/// What the caller made the command's key of, and what stands in a file, is in no id.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_member_says_nothing_to_anyone_without_the_organisations_key() {
    let (one, other) = (World::start().await, World::start().await);
    let mut made = Vec::new();
    for world in [&one, &other] {
        let (admin, group) = (world.admin(), world.group().await);
        let meeting = world.open_meeting(group).await;
        let lines = json!({ "file": "f", "lines": [{ "line": 2, "profile": { "alias": "Bee" } }] });
        let unnamed = json!({ "lines": [{ "line": 2, "profile": { "alias": "Bee" } }] });
        let mut ids = Vec::new();
        for (n, (path, body)) in [
            ("/v1/members".to_owned(), json!({ "profile": { "alias": "Bee" } })),
            (format!("/v1/groups/{group}/enrolments"), json!({ "starts_on": "2026-01-01" })),
            (format!("/v1/groups/{group}/applications"), json!({})),
            (tests::world::at(meeting, "walk-ins"), json!({ "alias": "Bee", "mark": "present" })),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("anna-kowalska-{n}");
            let answer = admin.command(hyper::Method::POST, &path, &key, &body).await.must(201);
            let again = admin.command(hyper::Method::POST, &path, &key, &body).await.must(201);
            assert_eq!(answer.json(), again.json());
            ids.push(answer.id::<MemberId>("member"));
        }
        for body in [lines, unnamed] {
            let report = admin
                .command(hyper::Method::POST, "/v1/imports/members", &body.to_string().replace(' ', ""), &body)
                .await
                .must(200)
                .json();
            ids.push(report["lines"][0]["member"].as_str().expect("an id").parse().expect("an id"));
        }
        made.push(ids);
    }
    assert!(made[0].iter().all(|id| !made[1].contains(id)), "{made:?}");
}
