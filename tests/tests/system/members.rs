//! Members over HTTP: who may see what of whom, what they allow, and that they are forgotten.

use domain::MemberId;
use serde_json::{Value, json};
use tests::world::{Actor, NOW, ORG, World};
use web::Role;

fn path(member: MemberId) -> String {
    format!("/v1/members/{member}")
}

fn of(member: MemberId, what: &str) -> String {
    format!("/v1/members/{member}/{what}")
}

async fn found(actor: &Actor, name: &str, after: u64) -> Vec<Value> {
    let request = hyper::Request::post("/v1/members/search");
    let request = request.header("content-type", "application/json").header("kith-after", actor.sealed(after).await);
    let answer = actor.send(request, json!({ "name": name }).to_string()).await.must(200);
    answer.json().as_array().expect("a list").clone()
}

fn whole() -> Value {
    json!({ "alias": "Bee", "given_name": "Beata", "family_name": "Kowalska", "email": "bee@example.org",
        "phone": "+48 600 100 200", "year_of_birth": 1980, "gender": "prefer_not_to_say",
        "emergency_contact": { "name": "Jan", "phone": "112" }, "notes": "quiet" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_registered_with_an_alias_and_completed_later() {
    let world = World::start().await;
    let ada = world.coordinator();
    let bee = ada.register(json!({ "alias": "Bee" })).await;
    let patch = json!({ "alias": null, "given_name": "Beata", "safe_contact": { "channels": ["sms"] } });
    let written = ada.patch(&path(bee), patch.clone()).await.must(204);
    ada.patch(&path(bee), patch).await.must(204);
    let view = ada.read(&path(bee), written.at()).await.must(200).json();
    let contact = json!({ "channels": ["sms"], "may_leave_message": false });
    assert_eq!(view["profile"], json!({ "given_name": "Beata", "safe_contact": contact }));
    assert_eq!(world.types_of(bee).await, ["member.registered", "member.changed"], "said twice, happened once");
    for bad in [
        json!({ "year_of_birth": 1800 }),
        json!({ "year_of_birth": 2027 }),
        json!({ "email": "no address" }),
        json!({ "gender": "unknown" }),
        json!({ "surname": "x" }),
        json!({ "alias": "" }),
    ] {
        ada.patch(&path(bee), bad.clone()).await.refused(422, "malformed");
        ada.post("/v1/members", json!({ "profile": bad })).await.refused(422, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_of_a_member_what_it_may_and_every_look_is_written_down() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let other = { admin.group(world.programme().await, "Other").await };
    let bee = admin.register(whole()).await;
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    world.settle().await;
    let fields = async |actor: &Actor| -> Vec<String> {
        let view = actor.get(&path(bee)).await.must(200).json();
        view["profile"].as_object().expect("a profile").keys().cloned().collect()
    };
    let all: Vec<String> = whole().as_object().expect("a profile").keys().cloned().collect();
    for (role, sees) in [(Role::Admin, all.clone()), (Role::Coordinator, all.clone()), (Role::Auditor, vec![])] {
        let mut seen = fields(&world.anyone(role)).await;
        seen.sort();
        let mut expected = sees;
        expected.sort();
        assert_eq!(seen, expected, "{role:?}");
    }
    let fay = world.facilitator([group]);
    let mut seen = fields(&fay).await;
    seen.sort();
    assert_eq!(seen, ["alias", "emergency_contact", "given_name"]);
    let elsewhere = world.somebody(ORG, Role::Facilitator, "eve", vec![other]);
    elsewhere.get(&path(bee)).await.refused(404, "not-found");
    assert_eq!(fields(&world.member(bee)).await.len(), all.len());
    world.member(admin.register(json!({})).await).get(&path(bee)).await.refused(403, "forbidden");
    world.settle().await;
    let accesses = world.member(bee).get(&of(bee, "accesses")).await.must(200).json();
    let who: Vec<_> =
        accesses["items"].as_array().expect("a page").iter().map(|line| line["subject"].clone()).collect();
    let looked = [json!(bee), json!("fay"), json!("auditor"), json!("coordinator"), json!("admin")];
    assert_eq!(who, looked, "latest first; the auditor saw that there is a member");
    let audit = world.anyone(Role::Auditor).get("/v1/audit").await.must(200).json();
    assert_eq!(audit["items"][1]["fields"], json!(["alias", "given_name", "emergency_contact"]));
    assert_eq!(audit["items"][1]["members"], json!([bee]));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_sets_what_a_meeting_needs_of_members_of_own_groups_only() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let (bee, stranger) = (admin.register(whole()).await, admin.register(whole()).await);
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    let fay = world.facilitator([group]);
    fay.patch(&path(bee), json!({ "pronouns": "she" })).await.must(204);
    fay.patch(&path(bee), json!({ "notes": "seen by all" })).await.refused(403, "forbidden");
    fay.patch(&path(bee), json!({ "notes": null })).await.refused(403, "forbidden");
    fay.patch(&path(stranger), json!({ "pronouns": "she" })).await.refused(404, "unknown-member");
    world.member(bee).patch(&path(bee), json!({ "phone": "1" })).await.must(204);
    world.member(bee).patch(&path(bee), json!({ "notes": "x" })).await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_be_the_same_person_is_said_when_somebody_is_registered() {
    let world = World::start().await;
    let ada = world.coordinator();
    let bee = ada.register(whole()).await;
    let register = async |profile: Value| ada.post("/v1/members", json!({ "profile": profile })).await.must(201).json();
    for same in [
        json!({ "email": "BEE@example.org" }),
        json!({ "phone": "0048600100200", "alias": "x" }),
        json!({ "given_name": "BEATA", "family_name": "Kowalska ", "year_of_birth": 1980, "phone": "n/a" }),
        json!({ "given_name": "beata", "family_name": "KOWALSKA", "year_of_birth": 1980 }),
    ] {
        let found = register(same.clone()).await;
        let named = found["possible_duplicates"].as_array().expect("somebody");
        assert!(named.contains(&json!(bee)), "{same} {found}");
    }
    for nothing in ["n/a", "none", "-"] {
        let found = register(json!({ "phone": nothing })).await;
        assert_eq!(found.get("possible_duplicates"), None, "{nothing} is no number: {found}");
    }
    world.settle().await;
    found(&ada, "beata", 0).await; // then the names are known
    let near = |found: Value| found["possible_duplicates"].as_array().is_some_and(|all| all.contains(&json!(bee)));
    let misspelt = json!({ "given_name": "Kovalska", "family_name": "Beatta" });
    assert!(near(register(misspelt.clone()).await), "nearly the same name, given and family name swapped");
    let younger = json!({ "given_name": "Beata", "family_name": "Kowalska", "year_of_birth": 1999 });
    assert!(!near(register(younger).await), "of another age");
    // Who may not say enough to learn of anybody leaves nothing behind by trying.
    let fay = world.facilitator([world.group().await]);
    let tried = json!({ "email": "cem@example.org" });
    fay.post("/v1/members", json!({ "profile": tried })).await.refused(403, "forbidden");
    fay.post("/v1/members", json!({ "profile": misspelt })).await.refused(403, "forbidden");
    assert_eq!(register(tried).await.get("possible_duplicates"), None, "nobody was registered with it");
    assert_eq!(register(json!({ "alias": "Bee" })).await.get("possible_duplicates"), None, "an alias is nobody's own");
    let other = world.admin_of("south-star").post("/v1/members", json!({ "profile": whole() })).await.must(201).json();
    assert_eq!(other.get("possible_duplicates"), None, "another organisation's members are nobody's business");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_found_by_name_by_those_who_may() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let bee = admin.register(whole()).await;
    let ann = admin.register(json!({ "given_name": "Änne" })).await;
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    let position = admin.patch(&path(ann), json!({ "pronouns": "she" })).await.must(204).at();
    let names = |found: Vec<Value>| found.into_iter().map(|line| line["member"].clone()).collect::<Vec<_>>();
    assert_eq!(names(found(&admin, "kowal", position).await), [json!(bee)]);
    assert_eq!(names(found(&admin, "anne", position).await), [json!(ann)]);
    assert_eq!(found(&admin, "bee kowalska", position).await[0]["family_name"], "Kowalska");
    let fay = world.facilitator([group]);
    assert!(found(&fay, "kowalska", position).await.is_empty(), "by a name that she may not read");
    let line = &found(&fay, "bee", position).await[0];
    assert_eq!((&line["called"], line.get("family_name")), (&json!("Bee"), None));
    assert!(found(&fay, "anne", position).await.is_empty(), "not in a group of hers");
    assert!(found(&world.admin_of("south-star"), "bee", 0).await.is_empty());
    let at = admin.patch(&path(bee), json!({ "family_name": "Nowak" })).await.must(204).at();
    assert!(found(&admin, "kowalska", at).await.is_empty());
    let at = admin.put(&of(bee, "restriction"), json!({ "restricted": true })).await.must(204).at();
    assert!(found(&admin, "nowak", at).await.is_empty(), "restricted");
    admin.put(&of(bee, "restriction"), json!({ "restricted": false })).await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn rosters_and_registers_show_what_members_are_called() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let bee = admin.register(whole()).await;
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    let meeting = world.open_meeting(group).await;
    let body = json!({ "mark": "present", "alias": "Newcomer" });
    let walked = admin.post(&format!("/v1/meetings/{meeting}/walk-ins"), body).await.must(201);
    let fay = world.facilitator([group]);
    let register = fay.read(&format!("/v1/meetings/{meeting}/register"), walked.at()).await.must(200).json();
    let mut called: Vec<_> =
        register["members"].as_array().expect("lines").iter().map(|line| line["called"].clone()).collect();
    called.sort_by_key(ToString::to_string);
    assert_eq!(called, [json!("Bee"), json!("Newcomer")]);
    let roster = fay.get(&format!("/v1/groups/{group}/roster")).await.must(200).json();
    let line = &roster["items"][0];
    assert_eq!((&line["member"], &line["called"]), (&json!(bee), &json!("Bee")));
    let roster = world.anyone(Role::Auditor).get(&format!("/v1/groups/{group}/roster")).await.must(200).json();
    let line = &roster["items"][0];
    assert_eq!((&line["member"], line.get("called")), (&json!(bee), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_who_is_not_let_in_leaves_no_record() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let meeting = world.meeting(group, "2026-06-02").await;
    let before = world.events().await.len();
    let body = json!({ "mark": "present", "alias": "Newcomer" });
    admin.post(&format!("/v1/meetings/{meeting}/walk-ins"), body).await.refused(409, "meeting-not-open");
    let stranger = json!({ "member": MemberId(uuid::Uuid::from_u128(5)), "mark": "present" });
    admin.post(&format!("/v1/meetings/{meeting}/walk-ins"), stranger).await.refused(404, "unknown-member");
    let enrol = json!({ "member": MemberId(uuid::Uuid::from_u128(5)), "starts_on": "2026-01-01" });
    admin.post(&format!("/v1/groups/{group}/enrolments"), enrol).await.refused(404, "unknown-member");
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn contact_details_are_for_nobody_once_the_member_objects_to_contact() {
    let world = World::start().await;
    let admin = world.admin();
    let bee = admin.register(whole()).await;
    let me = world.member(bee);
    let objected = me.put(&of(bee, "objections/contact"), json!({ "objects": true })).await.must(204);
    let profile = admin.read(&path(bee), objected.at()).await.must(200).json()["profile"].clone();
    assert!(profile.get("phone").is_none() && profile.get("email").is_none() && profile["alias"] == "Bee");
    assert_eq!(me.get(&path(bee)).await.must(200).json()["profile"]["phone"], "+48 600 100 200");
    let back = me.put(&of(bee, "objections/contact"), json!({ "objects": false })).await.must(204);
    assert!(admin.read(&path(bee), back.at()).await.must(200).json()["profile"]["phone"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_given_shown_and_withdrawn() {
    let world = World::start().await;
    let (ada, bee) = (world.coordinator(), world.coordinator().register(whole()).await);
    let consent = json!({ "purpose": "referral", "text": "referral-2026-03", "given_on": "2026-05-01",
        "means": "written", "details": { "recipient": "Counselling Ltd", "information": "name and phone" } });
    let kept = ada.post(&of(bee, "consents"), consent.clone()).await.must(201);
    let id = kept.json()["consent"].as_str().expect("an id").to_owned();
    for (field, wrong) in [("given_on", json!("2027-01-01")), ("details", Value::Null)] {
        let mut consent = consent.clone();
        consent[field] = wrong;
        ada.post(&of(bee, "consents"), consent).await.refused(422, "malformed");
    }
    let record = world.member(bee).read(&of(bee, "record"), kept.at()).await.must(200).json();
    assert_eq!(record["consents"][0]["details"]["recipient"], "Counselling Ltd");
    let withdrawal = json!({ "withdrawn_on": "2026-06-01", "means": "verbal" });
    let path = of(bee, &format!("consents/{id}/withdrawal"));
    world.member(bee).post(&path, withdrawal.clone()).await.must(204);
    let again = ada.post(&path, withdrawal).await.must(204);
    let record = world.member(bee).read(&of(bee, "record"), again.at()).await.must(200).json();
    assert_eq!(record["consents"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_has_their_whole_record_as_data_and_as_a_page() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let mut profile = whole();
    profile["notes"] = "<script>".into();
    let bee = admin.register(profile.clone()).await;
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    let meeting = world.open_meeting(group).await;
    let marked = admin.mark(meeting, bee, "late").await.must(204);
    let meeting = format!("/v1/meetings/{meeting}");
    admin.post(&format!("{meeting}/hold"), Value::Null).await.must(204);
    let correction = json!({ "mark": "late", "mode": "video", "reason": "joined by video" });
    admin.post(&format!("{meeting}/attendance/{bee}/correction"), correction).await.must(204);
    let me = world.member(bee);
    admin.read(&path(bee), marked.at()).await.must(200);
    world.settle().await;
    let record = me.get(&of(bee, "record")).await.must(200).json();
    assert_eq!(record["member"]["profile"], profile);
    assert_eq!(record["attendances"][0]["mark"], "late");
    let written = &record["reasons"][0];
    assert_eq!((&written["given_for"], &written["reason"]), (&json!("correction"), &json!("joined by video")));
    assert_eq!(record["accesses"][0]["subject"], "admin");
    let page = me.get(&of(bee, "record?format=html")).await.must(200);
    let html = String::from_utf8_lossy(&page.body).into_owned();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(html.contains("Kowalska") && html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    world.coordinator().get(&of(bee, "record")).await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_opens_a_record_for_three_hours_and_is_reviewed_by_another() {
    let world = World::start().await;
    let bee = world.admin().register(whole()).await;
    let fay = world.facilitator([]);
    world.settle().await;
    fay.get(&path(bee)).await.refused(404, "not-found");
    let reason = json!({ "reason": "found unconscious" });
    let broken = fay.post(&of(bee, "glass"), reason).await.must(201);
    let glass = broken.json()["glass"].as_str().expect("an id").to_owned();
    assert_eq!(fay.read(&path(bee), broken.at()).await.must(200).json()["profile"]["phone"], "+48 600 100 200");
    world.settle().await;
    let auditor = world.anyone(Role::Auditor);
    let listed = auditor.get("/v1/broken-glass").await.must(200).json();
    assert_eq!(
        (&listed["items"][0]["reason"], &listed["items"][0]["subject"]),
        (&json!("found unconscious"), &json!("fay"))
    );
    world.settle().await;
    let audit = auditor.get("/v1/audit").await.must(200).json();
    assert_eq!(
        (&audit["items"][1]["glass"], &audit["items"][0]["operation"]),
        (&json!(true), &json!("list_broken_glass"))
    );
    let review = auditor.post(&of(bee, &format!("glass/{glass}/review")), json!({ "justified": true })).await.must(204);
    assert_eq!(auditor.read("/v1/broken-glass", review.at()).await.must(200).json()["items"], json!([]));
    let again = fay.post(&of(bee, "glass"), json!({ "reason": "again" })).await.must(201);
    world.set_time("2026-06-01T15:00:01Z");
    assert!(NOW < "2026-06-01T12:00:01Z");
    fay.read(&path(bee), again.at()).await.refused(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_records_of_one_person_become_one_and_two_again() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let (first, second) = (ada.register(whole()).await, ada.register(json!({ "alias": "Bee 2" })).await);
    for (member, day) in [(first, "2026-01-01"), (second, "2026-03-01")] {
        ada.enrols(group, member, day).await.must(201);
    }
    let patch = json!({ "given_name": "Beata", "pronouns": "she" });
    ada.patch(&path(second), patch).await.must(204);
    let objected = ada.put(&of(second, "objections/contact"), json!({ "objects": true })).await.must(204);
    let preview = ada.read(&of(second, &format!("merge/{first}")), objected.at()).await.must(200).json();
    let after = |field: &str| {
        let fields = preview["fields"].as_array().expect("fields").iter();
        fields.clone().find(|line| line["field"] == field).map(|line| line["after"].clone())
    };
    assert_eq!(after("alias"), Some(json!("other")));
    assert_eq!(after("given_name"), Some(json!("same")));
    assert_eq!(after("family_name"), Some(json!("only_other")));
    assert_eq!((after("pronouns"), after("carer")), (Some(json!("left")), None));
    assert_eq!((&preview["groups_of_both"], &preview["objections_taken"]), (&json!([group]), &json!(["contact"])));
    ada.get(&of(second, &format!("merge/{}", MemberId(uuid::Uuid::from_u128(5))))).await.refused(404, "not-found");
    let merge = json!({ "into": first });
    ada.post(&of(second, "merge"), json!({ "into": second })).await.refused(409, "merge-into-itself");
    let merged = ada.post(&of(second, "merge"), merge.clone()).await.must(204);
    ada.post(&of(second, "merge"), merge).await.must(204);
    let view = ada.read(&path(first), merged.at()).await.must(200).json();
    assert_eq!(view["merged"], json!([second]));
    assert_eq!(view["profile"].get("phone"), None, "an objection is that of the person");
    let record = world.member(first).get(&of(first, "record")).await.must(200).json();
    assert_eq!(record["second_records"][0]["profile"]["pronouns"], "she");
    assert_eq!(view["groups"][0]["enrolments"].as_array().map(Vec::len), Some(2));
    assert_eq!(ada.get(&path(second)).await.must(200).json()["merged_into"], json!(first));
    assert!(found(&ada, "bee 2", merged.at()).await.is_empty(), "found as the first only");
    ada.patch(&path(second), json!({ "alias": "x" })).await.refused(409, "member-merged");
    let parted = ada.post(&of(second, "unmerge"), Value::Null).await.must(204);
    let view = ada.read(&path(first), parted.at()).await.must(200).json();
    assert_eq!((view.get("merged"), view["groups"][0]["enrolments"].as_array().map(Vec::len)), (None, Some(1)));
    ada.post(&of(second, "unmerge"), Value::Null).await.refused(409, "member-not-merged");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_under_a_legal_hold_is_not_erased_until_it_is_lifted() {
    let world = World::start().await;
    let (admin, bee) = (world.admin(), world.admin().register(whole()).await);
    let claim = json!({ "reason": "a claim is pending", "review_on": "2027-01-01" });
    let hold = admin.post(&of(bee, "holds"), claim).await.must(201).json()["hold"].as_str().expect("an id").to_owned();
    let problem = admin.post(&of(bee, "erasure"), Value::Null).await.refused(409, "legal-hold");
    assert!(problem["detail"].as_str().expect("text").contains("2027-01-01"));
    admin.post(&of(bee, &format!("holds/{hold}/lifting")), Value::Null).await.must(204);
    admin.post(&of(bee, "erasure"), Value::Null).await.must(200);
}
