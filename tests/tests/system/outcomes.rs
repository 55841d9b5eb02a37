//! Outcomes: what many people say, opened only to be counted.

use domain::{MeetingId, MemberId};
use serde_json::{Value, json};
use tests::world::{Actor, World, at};
use web::Role;

const YEAR: &str = "/v1/reports/outcomes?from=2026-01&through=2026-12";

/// One meeting of a group with three members, each of whom says how they feel and checks in twice.
async fn said(world: &World, admin: &Actor) -> (MeetingId, [MemberId; 3]) {
    let group = world.group().await;
    let members: [MemberId; 3] = world.enrolled(group).await;
    for (path, body) in [
        ("/v1/duty-seat", json!({ "holder": "ann" })),
        ("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })),
        ("/v1/instruments/phq-9/use", json!({ "version": 1 })),
    ] {
        admin.put(path, body).await.must(204);
    }
    let meeting = world.open_meeting(group).await;
    let moods = members.iter().zip([json!(2), json!(9), json!("declined")]);
    let moods: Vec<_> = moods.map(|(member, mood)| json!({ "member": member, "mood": mood })).collect();
    admin.put(&at(meeting, "moods"), json!({ "moods": moods })).await.must(204);
    admin.post(&at(meeting, "hold"), Value::Null).await.must(204);
    for (member, first, last) in [(members[0], 2, 1), (members[1], 1, 1), (members[2], 3, 0)] {
        for (on, each) in [("2026-03-01", first), ("2026-05-01", last)] {
            let mut answers: serde_json::Map<_, _> = (1..=8).map(|n: u8| (n.to_string(), json!(each))).collect();
            answers.insert("9".into(), json!(0));
            let body = json!({ "instrument": "phq-9", "given": { "answers": answers }, "on": on, "group": group });
            admin.post(&format!("/v1/members/{member}/check-ins"), body).await.must(201);
        }
    }
    (meeting, members)
}

/// Of the one programme: moods said and their mean, pairs and their mean change, and what nobody can read.
async fn outcomes(world: &World, admin: &Actor) -> (Value, Value, Value, Value, Value) {
    world.settle().await;
    let report = admin.get(&format!("{YEAR}&by=programme")).await.must(200).json();
    let (mood, change) = (&report["moods"][0], &report["changes"][0]);
    assert_eq!(report["classification"], "internal, not for publication");
    assert!(report["moods"].as_array().is_none_or(|rows| rows.len() <= 1), "{report}");
    (
        mood["said"].clone(),
        mood["mean"].clone(),
        change["pairs"].clone(),
        change["mean_change"].clone(),
        report["unreadable"].clone(),
    )
}

fn numbers(said: u64, mean: f64, pairs: u64, change: f64, unreadable: u64) -> (Value, Value, Value, Value, Value) {
    (json!(said), json!(mean), json!(pairs), json!(change), json!(unreadable))
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_of_who_may_be_counted_and_each_run_is_in_the_audit() {
    let world = World::start().await;
    let admin = world.admin();
    let (_, [first, second, third]) = said(&world, &admin).await;
    assert_eq!(outcomes(&world, &admin).await, numbers(2, 5.5, 3, -10.6667, 0));

    // Whoever objects is left out, before anything of theirs is opened; whoever is erased cannot be read.
    let objection = format!("/v1/members/{second}/objections/statistics");
    admin.put(&objection, json!({ "objects": true })).await.must(204);
    assert_eq!(outcomes(&world, &admin).await, numbers(1, 2.0, 2, -16.0, 0));
    admin.put(&objection, json!({ "objects": false })).await.must(204);
    admin.post(&format!("/v1/members/{third}/erasure"), Value::Null).await.must(200);
    assert_eq!(outcomes(&world, &admin).await, numbers(2, 5.5, 2, -4.0, 3));

    world.settle().await;
    let audit = world.anyone(Role::Auditor).pages("/v1/audit", 100).await;
    let runs: Vec<_> = audit.iter().filter(|line| line["operation"] == "report_outcomes").collect();
    let people: Vec<_> = runs.iter().map(|line| line["people"].as_u64().unwrap()).collect();
    assert_eq!(people.len(), 3, "{audit:?}");
    assert!(people.contains(&2), "how many were opened, not who: {people:?}");
    let named = audit
        .iter()
        .filter(|line| line["operation"] == "report_outcomes")
        .any(|line| line.to_string().contains(&first.to_string()));
    assert!(!named);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_merged_are_one_person_in_outcomes_until_that_is_undone() {
    let world = World::start().await;
    let admin = world.admin();
    let (_, [first, second, _]) = said(&world, &admin).await;
    let before = outcomes(&world, &admin).await;
    admin.post(&format!("/v1/members/{second}/merge"), json!({ "into": first })).await.must(204);
    // One person, who said 9 last, and has gone from the first score of the one record to the last of the other.
    let (said, _, pairs, ..) = outcomes(&world, &admin).await;
    assert_eq!((said, pairs), (json!(1), json!(2)));
    admin.post(&format!("/v1/members/{second}/unmerge"), Value::Null).await.must(204);
    assert_eq!(outcomes(&world, &admin).await, before);
}
