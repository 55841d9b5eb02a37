//! One person who was registered twice is one wherever people are listed, counted, given places or streaks, and two again
//! when the merge is undone.

use domain::{GroupId, MeetingId, MemberId};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, World, at, mark_of},
};

fn of(member: MemberId, what: &str) -> String {
    format!("/v1/members/{member}/{what}")
}

fn path(group: GroupId, what: &str) -> String {
    format!("/v1/groups/{group}{what}")
}

async fn merge(by: &Actor, from: MemberId, into: MemberId) -> Answer {
    by.post(&of(from, "merge"), json!({ "into": into })).await.must(204)
}

async fn unmerge(by: &Actor, from: MemberId) -> Answer {
    by.post(&of(from, "unmerge"), Value::Null).await.must(204)
}

async fn waits(by: &Actor, group: GroupId, member: MemberId) -> Answer {
    let body = json!({ "member": member, "starts_on": "2026-06-01", "if_full": "wait" });
    by.post(&path(group, "/enrolments"), body).await.must(201)
}

/// Who is listed, in the order of their ids, or of their turns.
fn listed(answer: &Answer, items: &str) -> Vec<MemberId> {
    let json = answer.json();
    let items = json[items].as_array().unwrap_or_else(|| panic!("a list: {json}"));
    items.iter().map(|line| line["member"].as_str().and_then(|id| id.parse().ok()).expect("an id")).collect()
}

async fn roster(by: &Actor, group: GroupId, what: &str, after: u64) -> Vec<MemberId> {
    let found = listed(&by.read(&path(group, &format!("/roster{what}")), after).await.must(200), "items");
    let shown = by.read(&path(group, ""), after).await.must(200).json();
    match what {
        "" => assert_eq!(shown["roster_size"], json!(found.len()), "{shown}"),
        "?stage=waitlisted" => assert_eq!(shown["places"]["waitlisted"], json!(found.len()), "{shown}"),
        _ => {}
    }
    found
}

fn sorted<const N: usize>(mut members: [MemberId; N]) -> [MemberId; N] {
    members.sort_unstable();
    members
}

/// A group of so many places, where these are enrolled, in their order, and these wait.
async fn full<const N: usize, const M: usize>(world: &World, places: u16) -> (GroupId, [MemberId; N], [MemberId; M]) {
    let (ada, group) = (world.coordinator(), world.group().await);
    ada.put(&path(group, "/capacity"), json!({ "places": places })).await.must(204);
    let (mut on, mut line) = (vec![], vec![]);
    for _ in 0..N {
        on.push(ada.enrol(group, "2026-01-01").await);
    }
    for n in 0..M {
        let member = ada.register(json!({ "alias": format!("waits {n}") })).await;
        waits(&ada, group, member).await;
        line.push(member);
    }
    (group, on.try_into().expect("as many"), line.try_into().expect("as many"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_that_somebody_had_twice_is_given_on_before_the_merge_is_answered_and_undoing_it_sends_nobody_away() {
    let world = World::start().await;
    let ada = world.coordinator();
    let (group, [ann, annie], [will, zoe]) = full(&world, 2).await;
    world.settle().await;
    let preview = ada.get(&of(annie, &format!("merge/{ann}"))).await.must(200).json();
    assert_eq!(preview["places_freed"], json!([group]));
    let merged = merge(&ada, annie, ann).await.at();
    assert_eq!(roster(&ada, group, "", merged).await, sorted([ann, will]));
    assert_eq!(roster(&ada, group, "?stage=waitlisted", merged).await, [zoe]);
    let parted = unmerge(&ada, annie).await.at();
    assert_eq!(roster(&ada, group, "", parted).await, sorted([ann, annie, will]));
    assert_eq!(roster(&ada, group, "?stage=waitlisted", parted).await, [zoe]);
    // Three on two places: nobody comes until there is room.
    let withdrawal = |member| format!("/enrolments/{member}/withdrawal");
    let ends = json!({ "ends_on": "2026-06-01" });
    world.set_time("2026-06-02T12:00:00Z");
    let left = ada.post(&path(group, &withdrawal(will)), ends.clone()).await.must(204).at();
    assert_eq!(roster(&ada, group, "", left).await, sorted([ann, annie]));
    let left = ada.post(&path(group, &withdrawal(annie)), ends).await.must(204).at();
    assert_eq!(roster(&ada, group, "", left).await, sorted([ann, zoe]));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_stands_on_the_waiting_list_once_with_the_longest_turn_and_not_while_they_have_a_place() {
    let world = World::start().await;
    let ada = world.coordinator();
    let (group, [ann], [bee, cid, bea]) = full(&world, 1).await;
    let merged = merge(&ada, bee, bea).await.at();
    assert_eq!(roster(&ada, group, "?stage=waitlisted", merged).await, [bea, cid]);
    let view = ada.read(&format!("/v1/members/{bea}"), merged).await.must(200).json();
    let enrolments = view["groups"][0]["enrolments"].as_array().expect("enrolments");
    assert_eq!((enrolments.len(), &enrolments[0]["waiting"]), (1, &json!(1)), "{view}");
    // Whoever asks again under the other name has the same turn.
    waits(&ada, group, bee).await;
    let parted = unmerge(&ada, bee).await.at();
    assert_eq!(roster(&ada, group, "?stage=waitlisted", parted).await, [bee, cid, bea]);
    // Cid is Ann, who has a place; then not any more.
    let merged = merge(&ada, cid, ann).await.at();
    assert_eq!(roster(&ada, group, "?stage=waitlisted", merged).await, [bee, bea]);
    assert_eq!(roster(&ada, group, "", merged).await, [ann]);
    let parted = unmerge(&ada, cid).await.at();
    assert_eq!(roster(&ada, group, "?stage=waitlisted", parted).await, [bee, cid, bea]);
    // As Ann, Cid leaves with her.
    merge(&ada, cid, ann).await;
    let withdrawal = path(group, &format!("/enrolments/{cid}/withdrawal"));
    let left = ada.post(&withdrawal, json!({ "ends_on": "2026-05-31", "reason": "moved" })).await.must(204).at();
    assert_eq!(roster(&ada, group, "", left).await, [bee]);
    assert_eq!(roster(&ada, group, "?stage=waitlisted", left).await, [bea]);
    let record = world.member(ann).read(&of(ann, "record"), left).await.must(200).json();
    assert_eq!(record["reasons"][0]["reason"], "moved", "{record}");
    let parted = unmerge(&ada, cid).await.at();
    assert_eq!(roster(&ada, group, "?stage=waitlisted", parted).await, [bea], "who left does not wait");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_gets_the_place_that_became_free_while_they_were_somebody_else() {
    let world = World::start().await;
    let ada = world.coordinator();
    let (group, [ann, bob], [cid]) = full(&world, 2).await;
    merge(&ada, cid, ann).await;
    let withdrawal = path(group, &format!("/enrolments/{bob}/withdrawal"));
    let left = ada.post(&withdrawal, json!({ "ends_on": "2026-05-31" })).await.must(204).at();
    assert_eq!(roster(&ada, group, "", left).await, [ann]);
    let parted = unmerge(&ada, cid).await.at();
    assert_eq!(roster(&ada, group, "", parted).await, sorted([ann, cid]));
    assert!(roster(&ada, group, "?stage=waitlisted", parted).await.is_empty());
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_under_the_second_record_is_asked_for_the_person() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let other = ada.group(world.programme().await, "Other").await;
    let (ann, annie) = (ada.register(json!({ "alias": "Ann" })).await, ada.register(json!({ "alias": "Annie" })).await);
    ada.enrols(group, ann, "2026-01-01").await.must(201);
    merge(&ada, annie, ann).await;
    ada.enrols(group, annie, "2026-02-01").await.refused(409, "already-enrolled");
    ada.enrols(group, annie, "2026-01-01").await.must(201);
    let apply = |group| path(group, "/applications");
    ada.post(&apply(group), json!({ "member": annie })).await.refused(409, "already-enrolled");
    let asked = ada.post(&apply(other), json!({ "member": annie })).await.must(201);
    assert_eq!(asked.id::<MemberId>("member"), ann);
    let enrolled = ada.enrols(other, annie, "2026-06-01").await.must(201);
    assert_eq!(enrolled.id::<MemberId>("member"), ann);
    assert_eq!(roster(&ada, other, "", enrolled.at()).await, [ann]);
    // What was done meanwhile stays with the record that it was done for.
    let parted = unmerge(&ada, annie).await.at();
    assert_eq!(roster(&ada, other, "", parted).await, [ann]);
    let line = json!({ "line": 1, "member": annie, "enrolments": [{ "group": group, "starts_on": "2026-01-01" }] });
    merge(&ada, annie, ann).await;
    let import = json!({ "lines": [line] });
    let imported = world.admin().post("/v1/imports/members", import).await.must(200);
    assert_eq!(imported.json()["matched"], 1, "{}", imported.json());
    assert_eq!(roster(&ada, group, "", imported.at()).await, [ann]);
    world.must_be_sound().await;
}

async fn register(by: &Actor, meeting: MeetingId, after: u64) -> Value {
    by.read(&at(meeting, "register"), after).await.must(200).json()
}

async fn attendances(by: &Actor, after: u64) -> Value {
    let report = by.read("/v1/reports/reach?from=2026-06&through=2026-06", after).await.must(200).json();
    report["rows"][0]["attendances"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_on_a_register_once_and_the_better_attended_mark_counts() {
    let world = World::start().await;
    let (ada, admin, group) = (world.coordinator(), world.admin(), world.group().await);
    let [ann, annie, bob] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    ada.mark(meeting, ann, "absent").await.must(204);
    ada.put(&mark_of(meeting, annie), json!({ "mark": "late", "mode": "phone" })).await.must(204);
    let held = ada.post(&at(meeting, "hold"), Value::Null).await.must(204).at();
    let counts = |present, late, absent| json!({ "present": present, "late": late, "excused": 0, "absent": absent });
    assert_eq!(register(&ada, meeting, held).await["meeting"]["marks"], counts(0, 1, 1));
    let merged = merge(&ada, annie, ann).await.at();
    let shown = register(&ada, meeting, merged).await;
    assert_eq!((&shown["meeting"]["marks"], &shown["not_recorded"]), (&counts(0, 1, 0), &json!(1)));
    let lines = listed(&ada.read(&at(meeting, "register"), merged).await, "members");
    assert_eq!(lines, sorted([ann, bob]));
    let line =
        shown["members"].as_array().expect("lines").iter().find(|line| line["member"] == json!(ann)).expect("Ann");
    assert_eq!((&line["mark"], &line["mode"], &line["walk_in"]), (&json!("late"), &json!("phone"), &json!(false)));
    assert_eq!(attendances(&admin, merged).await, 1);
    for list in [path(group, "/meetings"), path(group, "")] {
        let list = ada.read(&list, merged).await.must(200).json();
        let meetings = list.get("items").unwrap_or(&list["last_meetings"]);
        assert_eq!(meetings[0]["marks"], counts(0, 1, 0), "{list}");
    }
    let view = ada.read(&format!("/v1/members/{ann}"), merged).await.must(200).json();
    assert_eq!(
        (&view["groups"][0]["attended_in_a_row"], &view["groups"][0]["missed_in_a_row"]),
        (&json!(1), &json!(0))
    );
    let record = world.member(ann).read(&of(ann, "record"), merged).await.must(200).json();
    assert_eq!(record["attendances"].as_array().map(Vec::len), Some(1));
    // A correction is of the person; what it says is true of both lines when they are two again.
    let correction = |member| at(meeting, &format!("attendance/{member}/correction"));
    let body = json!({ "mark": "present", "mode": "video", "reason": "was in the other room" });
    let corrected = ada.post(&correction(annie), body).await.must(204).at();
    assert_eq!(register(&ada, meeting, corrected).await["meeting"]["marks"], counts(1, 0, 0));
    let parted = unmerge(&ada, annie).await.at();
    let shown = register(&ada, meeting, parted).await;
    assert_eq!((&shown["meeting"]["marks"], shown["members"].as_array().map(Vec::len)), (&counts(2, 0, 0), Some(3)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_records_is_one_person_and_each_link_can_be_taken_out() {
    let world = World::start().await;
    let (ada, admin) = (world.coordinator(), world.admin());
    let (group, [a, b, c], [will, zoe]) = full(&world, 3).await;
    let meeting = world.open_meeting(group).await;
    for member in [a, b, c] {
        ada.mark(meeting, member, "present").await.must(204);
    }
    ada.post(&at(meeting, "hold"), Value::Null).await.must(204);
    merge(&ada, a, b).await;
    let one = merge(&ada, b, c).await.at();
    assert_eq!(roster(&ada, group, "", one).await, sorted([c, will, zoe]));
    assert_eq!(register(&ada, meeting, one).await["meeting"]["marks"]["present"], 1);
    assert_eq!(attendances(&admin, one).await, 1);
    let view = ada.read(&format!("/v1/members/{c}"), one).await.must(200).json();
    assert_eq!(view["groups"][0]["attended_in_a_row"], 1);
    let two = unmerge(&ada, b).await.at();
    assert_eq!(roster(&ada, group, "", two).await, sorted([b, c, will, zoe]));
    assert_eq!(register(&ada, meeting, two).await["meeting"]["marks"]["present"], 2);
    assert_eq!(attendances(&admin, two).await, 2);
    let three = unmerge(&ada, a).await.at();
    assert_eq!(roster(&ada, group, "", three).await, sorted([a, b, c, will, zoe]));
    assert_eq!(register(&ada, meeting, three).await["meeting"]["marks"]["present"], 3);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_marked_or_walks_in_under_any_of_their_records() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let annie = ada.enrol(group, "2026-01-01").await;
    let (ann, zed) = (ada.register(json!({ "alias": "Ann" })).await, ada.register(json!({ "alias": "Zed" })).await);
    let zeb = ada.register(json!({ "alias": "Zeb" })).await;
    let meeting = world.open_meeting(group).await;
    let walks_in =
        async |member| ada.post(&at(meeting, "walk-ins"), json!({ "member": member, "mark": "present" })).await;
    walks_in(ann).await.must(201);
    merge(&ada, annie, ann).await;
    merge(&ada, zed, zeb).await;
    walks_in(ann).await.refused(409, "on-roster");
    walks_in(annie).await.refused(409, "on-roster");
    assert_eq!(walks_in(zed).await.must(201).id::<MemberId>("member"), zeb);
    let late = ada.mark(meeting, annie, "late").await.must(204).at();
    let shown = register(&ada, meeting, late).await;
    assert_eq!(shown["meeting"]["marks"], json!({ "present": 1, "late": 1, "excused": 0, "absent": 0 }));
    let line =
        |member: MemberId| shown["members"].as_array()?.iter().find(|line| line["member"] == json!(member)).cloned();
    assert_eq!(line(ann).expect("Ann")["walk_in"], false, "who is on the roster under the other record");
    assert_eq!(line(zeb).expect("Zeb")["walk_in"], true);
    let both = json!({ "marks": [{ "member": ann, "mark": "late" }, { "member": annie, "mark": "absent" }] });
    ada.put(&at(meeting, "attendance"), both).await.refused(409, "marks-refused");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_erased_was_one_person() {
    let world = World::start().await;
    let (ada, admin) = (world.coordinator(), world.admin());
    let (group, [ann, annie, bob], [will, zoe]) = full(&world, 3).await;
    let meeting = world.open_meeting(group).await;
    for member in [ann, annie] {
        ada.mark(meeting, member, "present").await.must(204);
    }
    ada.post(&at(meeting, "hold"), Value::Null).await.must(204);
    merge(&ada, annie, ann).await;
    let erased = admin.post(&of(ann, "erasure"), Value::Null).await.must(200).at();
    let shown = register(&ada, meeting, erased).await;
    assert_eq!((&shown["meeting"]["marks"]["present"], &shown["erased"]), (&json!(1), &json!(1)));
    assert_eq!(attendances(&admin, erased).await, 1);
    world.settle().await;
    let listed = ada.get(&path(group, "/roster?on=2026-06-03")).await.must(200);
    assert_eq!(self::listed(&listed, "items"), sorted([bob, will, zoe]), "whose place is free from the day after");
    for id in [ann, annie] {
        ada.enrols(group, id, "2026-07-01").await.refused(404, "unknown-member");
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_reaches_a_second_record_only_where_it_stands_itself() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let fay = world.facilitator([group]);
    let (ann, annie) = (ada.enrol(group, "2026-01-01").await, ada.register(json!({ "alias": "Annie" })).await);
    let meeting = world.open_meeting(group).await;
    merge(&ada, annie, ann).await;
    let nobody = MemberId(uuid::Uuid::from_u128(5));
    for unknown in [nobody, annie] {
        fay.mark(meeting, unknown, "present").await.refused(409, "not-on-roster");
        let walk_in = json!({ "member": unknown, "mark": "present" });
        fay.post(&at(meeting, "walk-ins"), walk_in).await.refused(404, "unknown-member");
        fay.enrols(group, unknown, "2026-05-01").await.refused(404, "unknown-member");
        fay.post(&path(group, "/applications"), json!({ "member": unknown })).await.refused(404, "unknown-member");
        let withdrawal = path(group, &format!("/enrolments/{unknown}/withdrawal"));
        fay.post(&withdrawal, json!({ "ends_on": "2026-06-01" })).await.refused(404, "not-enrolled");
        let correction = at(meeting, &format!("attendance/{unknown}/correction"));
        fay.post(&correction, json!({ "mark": "late", "reason": "x" })).await.refused(404, "unknown-member");
    }
    unmerge(&ada, annie).await;
    ada.enrols(group, annie, "2026-01-01").await.must(201);
    merge(&ada, annie, ann).await;
    let marked = fay.mark(meeting, annie, "late").await.must(204).at();
    assert_eq!(register(&fay, meeting, marked).await["meeting"]["marks"]["late"], 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_facilitators_put_forward_twice_is_confirmed_once() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let fay = world.facilitator([group]);
    let (ann, annie) = (ada.register(json!({ "alias": "Ann" })).await, ada.register(json!({ "alias": "Annie" })).await);
    for member in [ann, annie] {
        fay.enrols(group, member, "2026-05-01").await.must(201);
    }
    let merged = merge(&ada, annie, ann).await.at();
    let queue = async |after| listed(&ada.read("/v1/unconfirmed-enrolments", after).await.must(200), "items");
    assert_eq!(queue(merged).await, [ann]);
    let confirmation = path(group, &format!("/enrolments/{ann}/confirmation"));
    let confirmed = ada.post(&confirmation, json!({ "since": "2026-05-01" })).await.must(204).at();
    assert!(queue(confirmed).await.is_empty());
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_stays_free_when_somebody_is_enrolled_while_they_become_somebody_else() {
    let world = World::start().await;
    let (ada, other, third) = (world.coordinator(), world.admin(), world.coordinator());
    for race in 0..20 {
        let (group, [ann], []) = full(&world, 2).await;
        let (annie, will) =
            tokio::join!(ada.register(json!({ "alias": "A" })), other.register(json!({ "alias": "W" })));
        let one = merge(&ada, annie, ann);
        let (merged, enrolled, waits) =
            tokio::join!(one, other.enrols(group, annie, "2026-06-01"), waits(&third, group, will));
        let after = [merged.at(), waits.at()].into_iter().max().unwrap_or_default();
        world.settle().await;
        assert_eq!(roster(&ada, group, "", after).await, sorted([ann, will]), "race {race}: {}", enrolled.status);
        assert!(roster(&ada, group, "?stage=waitlisted", after).await.is_empty(), "race {race}");
    }
    world.must_be_sound().await;
}
