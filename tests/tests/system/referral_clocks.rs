//! Scripted months of referrals with the clock in hand: to a partner in Los Angeles and to one in Auckland, each over a
//! change of clocks and a day off. Each deadline comes at its minute where the partner is, goes by itself when its cause is
//! gone, and is the same after the views were made anew. The instants were computed apart, with Python's `zoneinfo`.

use domain::AttemptId;
use serde_json::{Value, json};
use tests::world::{Actor, World, remove_views, time};

use crate::referrals::Desk;

/// Clocks go forward on 8 March 2026, at 02:00.
const LOS_ANGELES: (&str, &[&str]) = ("America/Los_Angeles", &["2026-03-10"]);
/// Clocks go back on 5 April 2026, at 03:00.
const AUCKLAND: (&str, &[&str]) = ("Pacific/Auckland", &["2026-04-03", "2026-04-06"]);

/// Something that happens to a referral, or comes due.
enum Moment {
    /// Somebody does something, and then nothing is due.
    By(&'static str, Who, &'static str),
    /// From this instant on one thing is overdue, and this party is silent.
    Due(&'static str, &'static str, &'static str),
    /// From this instant on it is in this stage.
    Becomes(&'static str, &'static str),
}

use Moment::{Becomes, By, Due};

#[derive(Clone, Copy)]
enum Who {
    Partner,
    Coordinator,
    /// Withdraws the consent.
    Member,
}

use Who::{Coordinator, Member, Partner};

/// A referral that waits for each step as long as it can.
const SLOW_IN_LOS_ANGELES: &[Moment] = &[
    Due("2026-03-11T23:00:00Z", "receipt", "provider"),
    By("2026-03-11T23:30:00Z", Partner, r#"{"open":{}}"#),
    Due("2026-03-16T23:00:00Z", "decision", "provider"),
    By("2026-03-17T00:00:00Z", Partner, r#"{"accept":{}}"#),
    Due("2026-04-07T00:00:00Z", "contact", "provider"),
    By("2026-04-07T01:00:00Z", Partner, r#"{"waitlist":{"position":2}}"#),
    Due("2026-05-07T01:00:00Z", "waitlist_update", "provider"),
    By("2026-05-07T02:00:00Z", Coordinator, r#"{"schedule":{"starts_at":"2026-05-12T15:00:00Z"}}"#),
    Due("2026-05-28T02:00:00Z", "contact", "provider"),
    By("2026-05-28T03:00:00Z", Coordinator, r#"{"request_cancel":{"reason":"member_request"}}"#),
    Becomes("2026-06-02T03:00:00Z", "withdrawn"),
];
const SLOW_IN_AUCKLAND: &[Moment] = &[
    Due("2026-03-31T03:00:00Z", "receipt", "provider"),
    By("2026-03-31T03:30:00Z", Partner, r#"{"open":{}}"#),
    Due("2026-04-07T04:00:00Z", "decision", "provider"),
    By("2026-04-07T05:00:00Z", Partner, r#"{"accept":{}}"#),
    Due("2026-04-28T05:00:00Z", "contact", "provider"),
    By("2026-04-28T06:00:00Z", Partner, r#"{"waitlist":{"position":2}}"#),
    Due("2026-05-28T06:00:00Z", "waitlist_update", "provider"),
    By("2026-05-28T07:00:00Z", Coordinator, r#"{"schedule":{"starts_at":"2026-06-02T15:00:00Z"}}"#),
    Due("2026-06-18T07:00:00Z", "contact", "provider"),
    By("2026-06-18T08:00:00Z", Coordinator, r#"{"request_cancel":{"reason":"member_request"}}"#),
    Becomes("2026-06-23T08:00:00Z", "withdrawn"),
];
/// One that goes well, of which the member is not asked.
const UNASKED_IN_LOS_ANGELES: &[Moment] = &[
    By("2026-03-07T00:30:00Z", Partner, r#"{"accept":{}}"#),
    By("2026-03-07T01:00:00Z", Partner, r#"{"engage":{}}"#),
    Due("2026-04-06T00:00:00Z", "member_question", "requester"),
    By("2026-04-06T01:00:00Z", Partner, r#"{"complete":{"outcome":"partly_received"}}"#),
    Due("2026-04-20T01:00:00Z", "member_question", "requester"),
    By("2026-04-20T02:00:00Z", Coordinator, r#"{"answer":{"answer":"no_answer"}}"#),
];
const UNASKED_IN_AUCKLAND: &[Moment] = &[
    By("2026-03-27T03:30:00Z", Partner, r#"{"accept":{}}"#),
    By("2026-03-27T04:00:00Z", Partner, r#"{"engage":{}}"#),
    Due("2026-04-26T05:00:00Z", "member_question", "requester"),
    By("2026-04-26T06:00:00Z", Partner, r#"{"complete":{"outcome":"partly_received"}}"#),
    Due("2026-05-10T06:00:00Z", "member_question", "requester"),
    By("2026-05-10T07:00:00Z", Coordinator, r#"{"answer":{"answer":"no_answer"}}"#),
];
/// One of which consent is withdrawn.
const WITHDRAWN_IN_LOS_ANGELES: &[Moment] = &[
    By("2026-03-07T01:00:00Z", Member, ""),
    Due("2026-03-09T00:00:00Z", "withdrawal_ack", "requester"),
    By("2026-03-09T01:00:00Z", Coordinator, r#"{"tell_withdrawal":{"channel":"phone"}}"#),
    Due("2026-03-09T01:00:00Z", "withdrawal_ack", "provider"),
    By("2026-03-09T02:00:00Z", Partner, r#"{"acknowledge_withdrawal":{}}"#),
];
const WITHDRAWN_IN_AUCKLAND: &[Moment] = &[
    By("2026-03-27T04:00:00Z", Member, ""),
    Due("2026-03-29T04:00:00Z", "withdrawal_ack", "requester"),
    By("2026-03-29T05:00:00Z", Coordinator, r#"{"tell_withdrawal":{"channel":"phone"}}"#),
    Due("2026-03-29T05:00:00Z", "withdrawal_ack", "provider"),
    By("2026-03-29T06:00:00Z", Partner, r#"{"acknowledge_withdrawal":{}}"#),
];

/// What is overdue: which clocks, and who is silent.
async fn overdue(world: &World) -> Vec<(String, String)> {
    world.settle().await;
    let lines = world.coordinator().get("/v1/referrals?overdue=true").await.must(200).json();
    let said = |value: &Value| value.as_str().expect("a word").to_owned();
    let lines = lines["items"].as_array().expect("lines").iter();
    let overdue: Vec<_> = lines.map(|line| (said(&line["due"][0]["clock"]), said(&line["due"][0]["silent"]))).collect();
    let end = world.log().head().borrow().0;
    let queue = world.coordinator().read("/v1/queue?overdue=true", end).await.must(200).json();
    let waiting: Vec<_> = queue["items"].as_array().expect("items").iter().map(|item| said(&item["kind"])).collect();
    let kinds: Vec<_> = overdue.iter().map(|(clock, _)| waits_as(clock)).collect();
    assert_eq!(waiting, kinds, "{queue}");
    overdue
}

/// As what something overdue stands in the queue.
fn waits_as(clock: &str) -> &'static str {
    match clock {
        "receipt" => "referral_unopened",
        "decision" => "referral_undecided",
        "contact" => "referral_without_contact",
        "waitlist_update" => "referral_without_news",
        "cancellation" => "referral_not_ended",
        "withdrawal_ack" => "withdrawal_unacknowledged",
        "member_question" => "referral_without_answer",
        other => panic!("what is {other}?"),
    }
}

async fn play((zone, closed_on): (&str, &[&str]), sent: &str, moments: &[Moment]) {
    let mut world = World::start().await;
    world.set_time(sent);
    let calendar = json!({ "time_zone": zone, "working_days": ["MO", "TU", "WE", "TH", "FR"], "closed_on": closed_on });
    let body = json!({ "name": "Harbour", "calendar": calendar });
    let partner = world.admin().post("/v1/partners", body).await.must(201).id("id");
    let (referral, paths) = {
        let desk = Desk::with(&world, partner).await;
        let (_, referral) = desk.sent().await;
        let steps = desk.path(&format!("referrals/{referral}/steps"));
        (referral, [steps, desk.path("disclosures/withdrawal"), desk.path("referrals")])
    };
    for moment in moments {
        match moment {
            By(at, who, what) => {
                world.set_time(at);
                does(&world, (*who, partner), (referral, &paths), what).await;
                let told = what.contains("tell_withdrawal"); // it is still to be acknowledged
                assert!(told || overdue(&world).await.is_empty(), "{zone}, {at}: {what}");
            }
            Due(at, clock, silent) => {
                let before = time(at) - jiff::SignedDuration::from_secs(1);
                if !overdue(&world).await.contains(&((*clock).to_owned(), (*silent).to_owned())) {
                    world.set_time(&before.to_string());
                    assert_eq!(overdue(&world).await, [], "{zone}, a second before {at}");
                }
                world.set_time(at);
                let comes = [((*clock).to_owned(), (*silent).to_owned())];
                assert_eq!(overdue(&world).await, comes, "{zone}, {at}");
                world.restart(remove_views).await;
                assert_eq!(overdue(&world).await, comes, "{zone}, {at}, after a rebuild");
            }
            Becomes(at, stage) => {
                world.set_time(&(time(at) - jiff::SignedDuration::from_secs(1)).to_string());
                world.settle().await;
                assert_ne!(stage_of(&world, &paths[2]).await, *stage, "{zone}, before {at}");
                world.set_time(at);
                world
                    .eventually(|events| {
                        events.iter().any(|event| String::from_utf8_lossy(&event.data).contains("lapse_cancel"))
                    })
                    .await;
                assert_eq!(stage_of(&world, &paths[2]).await, *stage, "{zone}, {at}");
            }
        }
    }
    world.must_be_sound().await;
}

async fn stage_of(world: &World, path: &str) -> String {
    let shown = world.coordinator().get(path).await.must(200).json();
    shown["needs"][0]["referrals"][0]["stage"].as_str().expect("a stage").to_owned()
}

async fn does(
    world: &World,
    (who, partner): (Who, domain::PartnerId),
    (referral, [steps, withdrawal, _]): (AttemptId, &[String; 3]),
    what: &str,
) {
    let body = || json!({ "what": serde_json::from_str::<Value>(what).expect("JSON") });
    match who {
        Coordinator => drop(world.coordinator().post(steps, body()).await.must(204)),
        Member => drop(world.coordinator().post(withdrawal, json!({ "means": "verbal" })).await.must(204)),
        Partner => {
            let partner = at_partner(world, partner);
            let reference = crate::referrals::reference(world, &partner, referral).await;
            let path = format!("/v1/partner/referrals/{reference}");
            if what.contains("open") {
                partner.post(&format!("{path}/opening"), json!({})).await.must(200);
            } else {
                partner.post(&format!("{path}/steps"), body()).await.must(204);
            }
        }
    }
}

fn at_partner(world: &World, partner: domain::PartnerId) -> Actor {
    world.somebody(tests::world::ORG, web::Role::Partner, &partner.to_string(), vec![])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_deadline_comes_at_its_minute_where_the_partner_is_and_goes_with_its_cause() {
    play(LOS_ANGELES, "2026-03-07T00:00:00Z", SLOW_IN_LOS_ANGELES).await;
    play(AUCKLAND, "2026-03-27T03:00:00Z", SLOW_IN_AUCKLAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_ask_the_member_is_silent_and_is_named() {
    play(LOS_ANGELES, "2026-03-07T00:00:00Z", UNASKED_IN_LOS_ANGELES).await;
    play(AUCKLAND, "2026-03-27T03:00:00Z", UNASKED_IN_AUCKLAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_told_and_acknowledged_in_time_or_it_shows() {
    play(LOS_ANGELES, "2026-03-07T00:00:00Z", WITHDRAWN_IN_LOS_ANGELES).await;
    play(AUCKLAND, "2026-03-27T03:00:00Z", WITHDRAWN_IN_AUCKLAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_follows_the_partners_calendar_when_that_changes() {
    let world = World::start().await;
    world.set_time("2026-03-07T00:00:00Z");
    let (zone, closed_on) = LOS_ANGELES;
    let details = |closed_on: &[&str]| {
        let days = ["MO", "TU", "WE", "TH", "FR"];
        json!({ "name": "Harbour", "calendar": { "time_zone": zone, "working_days": days, "closed_on": closed_on } })
    };
    let partner: domain::PartnerId = world.admin().post("/v1/partners", details(closed_on)).await.must(201).id("id");
    let _ = Desk::with(&world, partner).await.sent().await;
    // A day before it is due, because the day in between is one off.
    world.set_time("2026-03-10T23:00:00Z");
    assert_eq!(overdue(&world).await, []);
    world.admin().put(&format!("/v1/partners/{partner}"), details(&[])).await.must(204);
    assert_eq!(overdue(&world).await, [("receipt".to_owned(), "provider".to_owned())]);
    world.admin().put(&format!("/v1/partners/{partner}"), details(closed_on)).await.must(204);
    assert_eq!(overdue(&world).await, []);
}
