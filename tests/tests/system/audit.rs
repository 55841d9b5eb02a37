//! Whoever sees that somebody comes is written down, for little, and the member reads it.

use std::collections::BTreeSet;

use domain::MemberId;
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{Actor, ORG, World, at};
use web::Role;

use crate::operations::{Operations, Things};

/// Most bytes of data that one more opening of a register adds to the log, however many are on it.
const OPENING_BYTES_MAX: usize = 400;

fn path(member: MemberId) -> String {
    format!("/v1/members/{member}")
}

/// Everything that was shown of a member, latest first: what for, to whom.
async fn accesses(world: &World, member: MemberId) -> Vec<(String, String)> {
    world.settle().await;
    let lines = world.member(member).pages(&format!("{}/accesses", path(member)), 200).await;
    let text = |line: &Value, field: &str| line[field].as_str().expect("text").to_owned();
    lines.iter().map(|line| (text(line, "operation"), text(line, "subject"))).collect()
}

async fn search(actor: &Actor, name: &str) -> Value {
    let request = hyper::Request::post("/v1/members/search").header("content-type", "application/json");
    actor.send(request, json!({ "name": name }).to_string()).await.must(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_shows_that_somebody_is_here_is_in_the_audit() {
    let world = World::start().await;
    // Nothing at all is known of the member.
    let things = Things::of(&world).await;
    let member = things.member;
    let fay = world.facilitator([things.group]);
    fay.post(&format!("/v1/groups/{}/applications", things.group), json!({ "member": things.other })).await.must(201);
    world.admin().mark(things.meeting, member, "present").await.must(204);
    let broken = json!({ "reason": "found unconscious" });
    world.facilitator([]).post(&format!("{}/glass", path(member)), broken).await.must(201);
    let (mut shown, mut missing) = (BTreeSet::new(), vec![]);
    for operation in Operations::of(&world).await.all().filter(|operation| operation.method == Method::GET) {
        for role in Role::ALL.into_iter().filter(|role| operation.roles.contains(&role.as_str().to_owned())) {
            let subject = if role == Role::Member { member.to_string() } else { format!("a-{}", role.as_str()) };
            let caller = world.somebody(ORG, role, &subject, vec![things.group]);
            world.settle().await;
            let answer = caller.send(operation.request(&things, &caller.key()), "").await;
            // Members read of themselves who has looked; that is nobody else's look.
            let own = operation.id == "list_accesses" && role == Role::Member;
            if !answer.status.is_success() || own {
                continue;
            }
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            for whose in [member, things.other].into_iter().filter(|whose| said.contains(&whose.to_string())) {
                let of = format!("{} {}", operation.id, role.as_str());
                shown.insert(of.clone());
                if accesses(&world, whose).await.first() != Some(&(operation.id.clone(), subject.clone())) {
                    missing.push(of);
                }
            }
        }
    }
    assert!(missing.is_empty(), "without a line in the audit: {missing:?}");
    let looks =
        ["show_roster auditor", "show_register auditor", "show_register coordinator", "show_member coordinator"];
    assert!(looks.iter().all(|look| shown.contains(*look)) && shown.len() > 15, "{shown:?}");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_whether_somebody_is_known_is_in_the_audit() {
    let world = World::start().await;
    let ada = world.coordinator();
    let bee = ada.register(json!({ "alias": "Bee", "email": "bee@example.org" })).await;
    let same = json!({ "email": "bee@example.org" });
    let told = ada.post("/v1/members", json!({ "profile": same })).await.must(201).json();
    assert_eq!(told["possible_duplicates"], json!([bee]));
    let who = || "coordinator".to_owned();
    assert_eq!(accesses(&world, bee).await, [("register_member".into(), who())]);
    for line in [
        json!({ "line": 2, "profile": same }),
        json!({ "line": 2, "profile": { "email": "bee@example.org", "alias": "x" } }),
    ] {
        let told = ada.post("/v1/imports/members", json!({ "dry_run": true, "lines": [line] })).await.must(200);
        assert!(String::from_utf8_lossy(&told.body).contains(&bee.to_string()), "{}", told.json());
    }
    assert_eq!(accesses(&world, bee).await[..2], [("import_members".into(), who()), ("import_members".into(), who())]);
    search(&ada, "bee").await;
    assert_eq!(accesses(&world, bee).await[0], ("search_members".into(), who()));
}

#[tokio::test(flavor = "multi_thread")]
async fn openings_of_a_register_cost_little_and_each_of_its_people_reads_every_one_whatever_became_of_the_roster() {
    const PEOPLE: usize = 60;
    const OPENINGS: usize = 20;
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    let lines: Vec<_> = (0..PEOPLE)
        .map(|n| {
            let enrolments = json!([{ "group": group, "starts_on": "2026-01-01" }]);
            json!({ "line": n, "profile": { "alias": format!("A{n}") }, "enrolments": enrolments })
        })
        .collect();
    let report = admin.post("/v1/imports/members", json!({ "lines": lines })).await.must(200).json();
    let people: Vec<MemberId> = report["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| serde_json::from_value(line["member"].clone()).expect("an id"))
        .collect();
    let meeting = world.open_meeting(group).await;
    world.settle().await;
    let looks = async |who: &Actor| who.get(&at(meeting, "register")).await.must(200);
    let written = async || {
        let events = world.events().await;
        events.iter().filter(|event| event.stream.category() == "audit").map(|event| event.data.len()).sum::<usize>()
    };
    let (auditor, ada) = (world.anyone(Role::Auditor), world.coordinator());
    for who in [&auditor, &ada] {
        looks(who).await;
    }
    let before = written().await;
    for _ in 0..OPENINGS {
        looks(&auditor).await;
        // Marks change nothing of who is shown.
        admin.mark(meeting, people[3], if written().await % 2 == 0 { "late" } else { "present" }).await.must(204);
        looks(&ada).await;
    }
    let each = (written().await - before) / (2 * OPENINGS);
    println!("{each} bytes for each opening of a register of {PEOPLE}");
    assert!((1..=OPENING_BYTES_MAX).contains(&each), "{each} bytes for each opening");

    let (leaves, erased, stays) = (people[0], people[1], people[2]);
    let withdrawal = format!("/v1/groups/{group}/enrolments/{leaves}/withdrawal");
    admin.post(&withdrawal, json!({ "ends_on": "2026-01-02" })).await.must(204);
    admin.post(&format!("{}/erasure", path(erased)), Value::Null).await.must(200);
    let comes = admin.enrol(group, "2026-01-01").await;
    world.settle().await;
    looks(&auditor).await;
    let all = 2 * OPENINGS + 2;
    for (member, count) in [(leaves, all), (stays, all + 1), (comes, 1)] {
        let openings = accesses(&world, member).await;
        let of_register = openings.iter().filter(|(operation, _)| operation == "show_register").count();
        assert_eq!(of_register, count, "{member}: {openings:?}");
    }
    let lines = world.member(stays).get(&format!("{}/accesses", path(stays))).await.must(200).json();
    assert_eq!(lines["items"][0]["register"], json!(meeting), "which");
    let record = world.member(leaves).get(&format!("{}/record", path(leaves))).await.must(200).json();
    assert_eq!(record["accesses"].as_array().map(Vec::len), Some(all));
    // A page at a time it is the same.
    let mut pages = world.member(stays).pages(&format!("{}/accesses", path(stays)), 7).await;
    pages.dedup();
    assert_eq!(pages.len(), all + 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_opened_of_a_second_record_is_read_by_the_person_it_is_of() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let (first, second) = (ada.register(json!({ "alias": "Bee" })).await, ada.register(json!({ "alias": "B" })).await);
    ada.enrols(group, second, "2026-01-01").await.must(201);
    world.settle().await;
    ada.get(&format!("/v1/groups/{group}/roster")).await.must(200);
    ada.post(&format!("{}/merge", path(second)), json!({ "into": first })).await.must(204);
    assert_eq!(accesses(&world, first).await, [("show_roster".to_owned(), "coordinator".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_has_written_down_in_a_day_is_bounded_and_takes_nothing_from_others() {
    let world = World::start_with(|config| config.audit_mib_per_day = 1).await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let [bee] = world.enrolled(group).await;
    world.settle().await;
    let looks = async |who: &Actor| who.get(&path(bee)).await;
    let written = async || {
        let events = world.events().await;
        let audit = events.iter().filter(|event| event.stream.category() == "audit");
        audit.map(|event| event.data.len() + event.metadata.len()).sum::<usize>()
    };
    let mut shown = 0;
    let stopped = loop {
        let answer = looks(&ada).await;
        if answer.status != 200 {
            break answer;
        }
        shown += 1;
        assert!(shown < 1_000, "{} bytes were written", written().await);
    };
    assert!(stopped.header("retry-after").is_some());
    stopped.refused(429, "rate-limited");
    let an_hours_share = (1 << 20) / 24;
    let bytes = written().await;
    assert!((an_hours_share / 2..=an_hours_share + 1_000).contains(&bytes), "{bytes}");
    // Nothing was shown that was not written down; and nobody else waits for it.
    assert_eq!(accesses(&world, bee).await.len(), shown);
    looks(&world.admin()).await.must(200);
    // What has to be possible at any time, such as a revocation, writes no look.
    ada.post(&format!("/v1/groups/{group}/enrolments"), json!({ "starts_on": "2026-06-01" })).await.must(201);
}
