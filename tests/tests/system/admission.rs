//! By whose act a record opens: a member's own, or that of somebody who has authority over it; never by that of whoever
//! wants to read it.

use domain::{GroupId, MemberId};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, ORG, World, at, mark_of},
};
use uuid::Uuid;
use web::Role;

/// Nobody has this id.
const NOBODY: MemberId = MemberId(Uuid::from_u128(0x0af1));

fn path(member: MemberId) -> String {
    format!("/v1/members/{member}")
}

fn of(group: GroupId, what: &str) -> String {
    format!("/v1/groups/{group}/{what}")
}

fn whole() -> Value {
    json!({ "alias": "Bee", "given_name": "Beata", "family_name": "Kowalska", "year_of_birth": 1980,
        "emergency_contact": { "name": "Jan", "phone": "112" } })
}

async fn found(actor: &Actor, name: &str) -> Vec<Value> {
    let request = hyper::Request::post("/v1/members/search").header("content-type", "application/json");
    let answer = actor.send(request, json!({ "name": name }).to_string()).await.must(200);
    answer.json().as_array().expect("a list").clone()
}

/// A member of another group, whom the facilitator of this one knows by id only.
async fn stranger(world: &World) -> MemberId {
    let (admin, elsewhere) = (world.admin(), world.group().await);
    let bee = admin.register(whole()).await;
    admin.enrols(elsewhere, bee, "2026-01-01").await.must(201);
    world.settle().await;
    bee
}

/// What the line of a member says they are called, on a roster or register.
fn called(list: &Value, member: MemberId) -> Option<Value> {
    let lines = list.get("items").or(list.get("members")).and_then(Value::as_array).expect("lines");
    lines.iter().find(|line| line["member"] == json!(member)).expect("a line").get("called").cloned()
}

/// Fails if the facilitator sees or changes anything of the member, or is told anything else than of nobody.
async fn is_closed(world: &World, fay: &Actor, member: MemberId, when: &str) {
    world.settle().await;
    let shown = fay.get(&path(member)).await;
    assert_eq!(shown.status, 404, "{when}: {}", shown.json());
    assert_eq!(shown.body, fay.get(&path(NOBODY)).await.body, "{when}");
    let patch = json!({ "emergency_contact": { "name": "Eve", "phone": "1" } });
    let changed = fay.patch(&path(member), patch.clone()).await;
    assert_eq!(changed.status, 404, "{when}: changed {}", changed.json());
    assert_eq!(changed.body, fay.patch(&path(NOBODY), patch).await.body, "{when}");
    for name in ["bee", "beata", "kowalska"] {
        assert_eq!(found(fay, name).await, [] as [Value; 0], "{when}: found");
    }
}

fn sees(answer: &Answer) -> Vec<String> {
    let mut fields: Vec<_> = answer.json()["profile"].as_object().expect("a profile").keys().cloned().collect();
    fields.sort();
    fields
}

async fn unconfirmed(world: &World) -> Vec<Value> {
    world.settle().await;
    world.coordinator().pages("/v1/unconfirmed-enrolments", 1).await
}

async fn confirm(who: &Actor, group: GroupId, member: MemberId, since: &str) -> Answer {
    who.post(&of(group, &format!("enrolments/{member}/confirmation")), json!({ "since": since })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_opens_no_record_by_applying_for_somebody_nor_by_declining_it() {
    let world = World::start().await;
    let (group, bee) = (world.group().await, stranger(&world).await);
    let fay = world.facilitator([group]);
    is_closed(&world, &fay, bee, "before").await;
    fay.post(&of(group, "applications"), json!({ "member": bee })).await.must(201);
    is_closed(&world, &fay, bee, "applied").await;
    assert_eq!(called(&fay.get(&of(group, "roster?stage=applied")).await.must(200).json(), bee), None);
    fay.post(&of(group, &format!("applications/{bee}/decline")), json!({ "reason": "other" })).await.must(204);
    is_closed(&world, &fay, bee, "declined").await;
    assert_eq!(called(&fay.get(&of(group, "roster?stage=declined")).await.must(200).json(), bee), None);
    assert_eq!(world.types_of(bee).await, ["member.registered"], "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_opens_no_record_by_enrolling_somebody_and_what_they_mark_is_kept() {
    let world = World::start().await;
    let (group, bee) = (world.group().await, stranger(&world).await);
    let fay = world.facilitator([group]);
    fay.enrols(group, bee, "2026-01-01").await.must(201);
    is_closed(&world, &fay, bee, "enrolled").await;
    assert_eq!(called(&fay.get(&of(group, "roster")).await.must(200).json(), bee), None);
    let meeting = world.open_meeting(group).await;
    fay.mark(meeting, bee, "present").await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    is_closed(&world, &fay, bee, "marked").await;
    let register = fay.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!(called(&register, bee), None);
    assert_eq!(register["meeting"]["marks"]["present"], 1);
    fay.post(&of(group, &format!("enrolments/{bee}/completion")), json!({ "ends_on": "2026-06-02" })).await.must(204);
    is_closed(&world, &fay, bee, "completed").await;
    fay.enrols(group, bee, "2026-06-03").await.must(201);
    is_closed(&world, &fay, bee, "enrolled again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_opens_no_record_by_walking_somebody_in() {
    let world = World::start().await;
    let (group, bee) = (world.group().await, stranger(&world).await);
    let fay = world.facilitator([group]);
    let meeting = world.open_meeting(group).await;
    fay.post(&at(meeting, "walk-ins"), json!({ "member": bee, "mark": "present" })).await.must(201);
    is_closed(&world, &fay, bee, "walked in").await;
    let register = fay.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!(called(&register, bee), None);
    assert_eq!(register["meeting"]["marks"]["present"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_facilitator_began_opens_when_a_coordinator_confirms_it_and_not_when_it_is_taken_back() {
    let world = World::start().await;
    let (group, bee, cid) = (world.group().await, stranger(&world).await, stranger(&world).await);
    let (fay, ada) = (world.facilitator([group]), world.coordinator());
    fay.post(&of(group, "applications"), json!({ "member": bee })).await.must(201);
    fay.enrols(group, cid, "2026-05-01").await.must(201);
    let queue = unconfirmed(&world).await;
    let lines: Vec<_> = queue
        .iter()
        .map(|line| (line["member"].clone(), line["since"].clone(), line["stage"].clone(), line["called"].clone()))
        .collect();
    let expected = [(bee, "2026-06-01", "applied"), (cid, "2026-05-01", "enrolled")];
    assert_eq!(lines, expected.map(|(who, since, stage)| (json!(who), json!(since), json!(stage), json!("Bee"))));
    assert_eq!((&queue[0]["proposed_by"], &queue[0]["group"]), (&json!("fay"), &json!(group)));
    fay.get("/v1/unconfirmed-enrolments").await.refused(403, "forbidden");
    confirm(&fay, group, bee, "2026-06-01").await.refused(403, "forbidden");
    confirm(&ada, group, bee, "2026-06-02").await.refused(409, "no-such-enrolment");
    confirm(&ada, group, NOBODY, "2026-06-01").await.refused(404, "not-enrolled");

    confirm(&ada, group, bee, "2026-06-01").await.must(204);
    confirm(&ada, group, bee, "2026-06-01").await.must(204);
    world.settle().await;
    let opened = fay.get(&path(bee)).await.must(200);
    assert_eq!(sees(&opened), ["alias", "emergency_contact", "given_name"]);
    assert_eq!(called(&fay.get(&of(group, "roster?stage=applied")).await.must(200).json(), bee), Some(json!("Bee")));
    // What was confirmed stays so from stage to stage.
    fay.enrols(group, bee, "2026-06-01").await.must(201);
    world.settle().await;
    fay.patch(&path(bee), json!({ "pronouns": "she" })).await.must(204);
    assert_eq!(found(&fay, "beata").await.len(), 1);

    let meeting = world.open_meeting(group).await;
    fay.mark(meeting, cid, "late").await.must(204);
    let back = json!({ "since": "2026-05-01", "reason": "wrong_member" });
    ada.post(&of(group, &format!("enrolments/{cid}/entered-in-error")), back).await.must(204);
    assert!(unconfirmed(&world).await.is_empty());
    let seen = fay.get(&path(cid)).await;
    assert_eq!(seen.status, 404, "{}", seen.json());
    let register = fay.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!((called(&register, cid), &register["meeting"]["marks"]["late"]), (None, &json!(1)), "the mark is kept");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_round_confirms_what_a_facilitator_began() {
    let world = World::start().await;
    let (group, bee) = (world.group().await, stranger(&world).await);
    let (fay, ada) = (world.facilitator([group]), world.coordinator());
    let [ann] = world.enrolled(group).await;
    ada.put(&of(group, "capacity"), json!({ "places": 1 })).await.must(204);
    let wish = json!({ "member": bee, "starts_on": "2026-06-01", "if_full": "wait" });
    fay.post(&of(group, "enrolments"), wish).await.must(201);
    is_closed(&world, &fay, bee, "waits").await;
    // A coordinator makes room: that says nothing of who gets it.
    let leaves = json!({ "ends_on": "2026-05-31" });
    ada.post(&of(group, &format!("enrolments/{ann}/withdrawal")), leaves).await.must(204);
    is_closed(&world, &fay, bee, "promoted").await;
    assert_eq!(unconfirmed(&world).await.len(), 1);
    let error = json!({ "since": "2026-06-01", "reason": "other" });
    fay.post(&of(group, &format!("enrolments/{bee}/entered-in-error")), error).await.must(204);
    ada.put(&of(group, "capacity"), json!({ "places": null })).await.must(204);
    // What a coordinator once began does not open what a facilitator begins after it was over.
    ada.post(&of(group, "applications"), json!({ "member": bee })).await.must(201);
    world.settle().await;
    fay.get(&path(bee)).await.must(200);
    fay.post(&of(group, &format!("applications/{bee}/decline")), json!({ "reason": "other" })).await.must(204);
    is_closed(&world, &fay, bee, "declined").await;
    fay.post(&of(group, "applications"), json!({ "member": bee })).await.must(201);
    is_closed(&world, &fay, bee, "applied for again").await;
    // Asked for by a facilitator, enrolled by a coordinator: a coordinator's act.
    ada.enrols(group, bee, "2026-06-01").await.must(201);
    world.settle().await;
    fay.get(&path(bee)).await.must(200);
    assert!(unconfirmed(&world).await.is_empty());
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_who_does_the_same_confirms_it_and_so_does_an_import_or_the_member() {
    let world = World::start().await;
    let group = world.group().await;
    let (fay, ada) = (world.facilitator([group]), world.coordinator());
    let [bee, cid, dan] = [stranger(&world).await, stranger(&world).await, stranger(&world).await];
    for member in [bee, cid, dan] {
        fay.enrols(group, member, "2026-06-01").await.must(201);
    }
    ada.enrols(group, bee, "2026-06-01").await.must(201);
    let line = json!({ "line": 2, "member": cid, "enrolments": [{ "group": group, "starts_on": "2026-06-01" }] });
    ada.post("/v1/imports/members", json!({ "lines": [line] })).await.must(200);
    confirm(&world.member(cid), group, dan, "2026-06-01").await.refused(403, "forbidden");
    confirm(&world.member(dan), group, dan, "2026-06-01").await.must(204);
    world.settle().await;
    for member in [bee, cid, dan] {
        fay.get(&path(member)).await.must(200);
    }
    assert!(unconfirmed(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_registered_walked_in_and_enrolled_in_two_minutes_by_who_leads_the_meeting() {
    let world = World::start().await;
    let (group, other) = (world.group().await, world.group().await);
    let (fay, ada) = (world.facilitator([group]), world.coordinator());
    let eve = world.somebody(ORG, Role::Facilitator, "eve", vec![group]);
    let kim = world.somebody(ORG, Role::Facilitator, "kim", vec![other]);
    let meeting = world.open_meeting(group).await;
    let (register, walk_ins) = (at(meeting, "register"), at(meeting, "walk-ins"));
    let zed = fay.register(json!({ "alias": "Zed" })).await;
    fay.post(&walk_ins, json!({ "member": zed, "mark": "present" })).await.must(201);
    let yan = fay.post(&walk_ins, json!({ "alias": "Yann", "mark": "late" })).await.must(201).id("member");
    fay.enrols(group, zed, "2026-06-02").await.must(201);
    fay.patch(&path(yan), json!({ "alias": "Yan", "pronouns": "they" })).await.must(204);
    world.settle().await;
    let shown = fay.get(&register).await.must(200).json();
    assert_eq!((called(&shown, zed), called(&shown, yan)), (Some(json!("Zed")), Some(json!("Yan"))));
    assert_eq!(called(&fay.get(&of(group, "roster")).await.must(200).json(), zed), Some(json!("Zed")));
    assert_eq!(fay.get(&path(yan)).await.must(200).json()["profile"], json!({ "alias": "Yan", "pronouns": "they" }));
    // Who leads the same group sees who walked into it; who leads another does not.
    assert_eq!(called(&eve.get(&register).await.must(200).json(), yan), Some(json!("Yan")));
    kim.get(&path(yan)).await.refused(404, "not-found");
    kim.get(&path(zed)).await.refused(404, "not-found");

    // What others add is theirs until it is confirmed; what was typed in is shown as long as it holds.
    let more = json!({ "given_name": "Zdenka", "alias": "Z", "emergency_contact": { "name": "Jan", "phone": "112" } });
    ada.patch(&path(zed), more).await.must(204);
    ada.patch(&path(yan), json!({ "given_name": "Yannis" })).await.must(204);
    world.settle().await;
    assert_eq!(fay.get(&path(yan)).await.must(200).json()["profile"], json!({ "alias": "Yan", "pronouns": "they" }));
    assert_eq!(fay.get(&path(zed)).await.must(200).json()["profile"], json!({}));
    assert_eq!(called(&fay.get(&register).await.must(200).json(), zed), None);
    for member in [zed, yan] {
        let patch = json!({ "emergency_contact": { "name": "Eve", "phone": "1" } });
        fay.patch(&path(member), patch).await.refused(409, "member-completed");
    }
    confirm(&ada, group, zed, "2026-06-02").await.must(204);
    world.settle().await;
    assert_eq!(sees(&fay.get(&path(zed)).await.must(200)), ["alias", "emergency_contact", "given_name"]);
    fay.patch(&path(zed), json!({ "pronouns": "she" })).await.must(204);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_somebody_whom_a_facilitator_may_not_know_each_refusal_is_that_of_nobody() {
    let world = World::start().await;
    let (group, bee) = (world.group().await, stranger(&world).await);
    let (fay, admin) = (world.facilitator([group]), world.admin());
    let planned = world.meeting(group, "2026-06-09").await;
    let held = world.open_meeting(group).await;
    fay.post(&at(held, "hold"), Value::Null).await.must(204);
    let gone = admin.register(json!({ "alias": "Gone" })).await;
    admin.post(&format!("/v1/members/{gone}/erasure"), Value::Null).await.must(200);
    let full = admin.group(world.programme().await, "Full").await;
    admin.put(&of(full, "capacity"), json!({ "places": 1 })).await.must(204);
    world.enrolled::<1>(full).await;
    let fay_of_both = world.facilitator([group, full]);
    let before = world.events().await.len();
    let mut differ = vec![];
    for known in [bee, gone] {
        let asks = |member: MemberId| {
            [
                (at(planned, "walk-ins"), json!({ "member": member, "mark": "present" })),
                (at(held, "walk-ins"), json!({ "member": member, "mark": "absent" })),
                (at(held, "walk-ins"), json!({ "member": member, "mark": "present", "alias": "x" })),
                (format!("{}/correction", mark_of(held, member)), json!({ "mark": "late", "reason": "?" })),
                (of(full, "enrolments"), json!({ "member": member, "starts_on": "2026-06-01" })),
                (
                    of(group, &format!("enrolments/{member}/withdrawal")),
                    json!({ "ends_on": "2026-06-01", "reason": "?" }),
                ),
                (of(group, &format!("enrolments/{member}/withdrawal")), json!({ "ends_on": "2026-06-01" })),
                (of(group, &format!("enrolments/{member}/completion")), json!({ "ends_on": "2026-06-01" })),
                (of(group, &format!("enrolments/{member}/cancellation")), json!({ "reason": "other" })),
                (of(group, &format!("applications/{member}/decline")), json!({ "reason": "other" })),
                (
                    of(group, &format!("enrolments/{member}/entered-in-error")),
                    json!({ "since": "2026-06-01", "reason": "other" }),
                ),
            ]
        };
        for ((path, body), (of_nobody, nobody)) in asks(known).into_iter().zip(asks(NOBODY)) {
            let told = fay_of_both.post(&path, body.clone()).await;
            let of_nobody = fay_of_both.post(&of_nobody, nobody).await;
            if (told.status, &told.body) != (of_nobody.status, &of_nobody.body) {
                differ.push(format!("{path} {body}: {} instead of {}", told.json(), of_nobody.json()));
            }
        }
        let mark = fay.mark(held, known, "present").await;
        let marked = json!({ "marks": [{ "member": known, "mark": "late" }] });
        let marks = fay.put(&at(held, "attendance"), marked).await;
        for answer in [mark, marks] {
            if answer.problem().as_deref() != Some("not-on-roster") {
                differ.push(format!("a mark: {}", answer.json()));
            }
        }
    }
    assert_eq!(differ, [] as [String; 0]);
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_member_cannot_be_guessed_by_registering_them_again() {
    let world = World::start().await;
    let (fay, ada) = (world.facilitator([]), world.coordinator());
    let bee = ada.register(json!({ "alias": "Bee" })).await;
    for guess in ["Bee", "Ann"] {
        let again = json!({ "member": bee, "profile": { "alias": guess } });
        fay.post("/v1/members", again).await.refused(409, "member-registered");
    }
    // What they typed in themselves they may say again, as long as it is all there is.
    let zed = json!({ "member": Uuid::from_u128(0x2ed), "profile": { "alias": "Zed" } });
    fay.post("/v1/members", zed.clone()).await.must(201);
    fay.post("/v1/members", zed.clone()).await.must(201);
    let patch = json!({ "pronouns": "she" });
    ada.patch(&path(MemberId(Uuid::from_u128(0x2ed))), patch).await.must(204);
    for pronouns in ["she", "he"] {
        let mut guess = zed.clone();
        guess["profile"]["pronouns"] = pronouns.into();
        fay.post("/v1/members", guess).await.refused(409, "member-registered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_whom_somebody_goes_on_is_told_to_nobody_who_may_not_read_the_record() {
    let world = World::start().await;
    let (fay, ada) = (world.facilitator([]), world.coordinator());
    let (bee, second) = (stranger(&world).await, ada.register(json!({ "alias": "Bee 2" })).await);
    let zed = fay.register(json!({ "alias": "Zed" })).await;
    for record in [second, zed] {
        ada.post(&format!("{}/merge", path(record)), json!({ "into": bee })).await.must(204);
    }
    world.settle().await;
    for told in [
        fay.post("/v1/members", json!({ "member": second, "profile": { "alias": "x" } })).await,
        fay.post("/v1/members", json!({ "member": zed, "profile": { "alias": "x" } })).await,
        fay.patch(&path(zed), json!({ "alias": "Z" })).await,
        fay.patch(&path(second), json!({ "alias": "Z" })).await,
        fay.get(&path(zed)).await,
        fay.get(&path(second)).await,
    ] {
        assert!(!String::from_utf8_lossy(&told.body).contains(&bee.to_string()), "{}", told.json());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_found_by_a_field_that_the_caller_may_not_read() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let bee = admin.register(whole()).await;
    admin.enrols(group, bee, "2026-01-01").await.must(201);
    world.settle().await;
    let fay = world.facilitator([group]);
    for (name, by_fay, by_admin) in [
        ("kowalska", 0, 1),
        ("k", 0, 1),
        ("kow", 0, 1),
        ("kowalksa", 0, 1),
        ("bee kowalska", 0, 1),
        ("bee", 1, 1),
        ("beata", 1, 1),
    ] {
        assert_eq!(found(&admin, name).await.len(), by_admin, "{name}, an admin");
        assert_eq!(found(&fay, name).await.len(), by_fay, "{name}, a facilitator");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_person_open_together() {
    let world = World::start().await;
    let (group, ada) = (world.group().await, world.coordinator());
    let fay = world.facilitator([group]);
    let bee = stranger(&world).await;
    let second = ada.register(json!({ "alias": "Bee 2" })).await;
    fay.enrols(group, second, "2026-01-01").await.must(201);
    ada.post(&format!("{}/merge", path(second)), json!({ "into": bee })).await.must(204);
    is_closed(&world, &fay, bee, "merged, not confirmed").await;
    confirm(&ada, group, second, "2026-01-01").await.must(204);
    world.settle().await;
    assert_eq!(sees(&fay.get(&path(bee)).await.must(200)), ["alias", "emergency_contact", "given_name"]);
    assert_eq!(found(&fay, "beata").await.len(), 1);
    fay.patch(&path(bee), json!({ "pronouns": "she" })).await.must(204);
}
