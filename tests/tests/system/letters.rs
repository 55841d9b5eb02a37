//! Letters to members: whether and how they are written to, they have said; tried for each rule.

use domain::MemberId;
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{ORG, World, time};
use web::Role;

use crate::{
    mail::{PUBLIC_URL, SmtpServer, runs, world},
    referrals::Desk,
};

/// Somebody of whom this is known, and to whom a partner answers.
async fn answered(world: &World, profile: Value) -> MemberId {
    let member = world.admin().register(profile).await;
    news(world, member).await;
    member
}

/// A partner answers.
async fn news(world: &World, member: MemberId) {
    let at = world.admin().partner("Lantern").await;
    Desk::about(world, at, member).accepted().await;
}

/// What came of letters to somebody: state and why of each, the latest first. Waits until none waits to be looked at.
async fn outbox(world: &World, member: MemberId) -> Vec<(String, Option<String>)> {
    let read = world.coordinator().get("/v1/outbox?limit=200").await.must(200).json();
    let rows = read["items"].as_array().expect("a page").clone();
    let of = rows.into_iter().filter(|row| row["member"] == json!(member));
    of.map(|row| {
        let text = |field: &str| row[field].as_str().map(str::to_owned);
        (text("state").expect("a state"), text("why"))
    })
    .collect()
}

/// Waits until the last letter to somebody has come so far.
async fn comes(world: &World, member: MemberId, event_type: &str, count: usize) {
    let is_so = |event: &&eventlog::Recorded| event.stream.id() == member.0 && &*event.event_type == event_type;
    world.eventually(|events| events.iter().filter(is_so).count() >= count).await;
    world.settle().await;
}

fn safe(more: &Value) -> Value {
    let mut safe = json!({ "channels": ["email"], "may_leave_message": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        safe[name] = value.clone();
    }
    safe
}

fn sent() -> Vec<(String, Option<String>)> {
    vec![("sent".into(), None)]
}

fn withheld(why: &str) -> Vec<(String, Option<String>)> {
    vec![("withheld".into(), Some(why.into()))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whom_it_does_not_harm_is_told_that_there_is_something_to_see_and_never_what() {
    let (world, server, _dir) = world().await;
    let profile = json!({ "alias": "zqxcanaryzqx", "given_name": "zqxcanaryzqx", "email": "bee@example.org",
        "safe_contact": safe(&json!({ "never_mention": ["recovery", "zqxcanaryzqx"] })), "notes": "zqxcanaryzqx" });
    let bee = answered(&world, profile).await;
    comes(&world, bee, "letter.delivered", 1).await;
    let mail = server.got()[0].clone();
    assert_eq!(mail.to, ["bee@example.org"]);
    assert_eq!(mail.text().trim(), format!("There is something for you to see: {PUBLIC_URL}"));
    assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
    for secret in ["zqxcanaryzqx", &bee.to_string(), ORG, "Lantern", "referral", "recovery"] {
        assert!(!mail.whole.contains(secret), "{secret}: {mail:?}");
    }
    assert_eq!(outbox(&world, bee).await, sent());
    // Whoever reads the list is in the audit of the member.
    world.settle().await;
    let audit = world.admin().get(&format!("/v1/members/{bee}/accesses")).await.must(200).json();
    assert!(audit.to_string().contains("list_outbox"), "{audit}");
    for event in world.events().await {
        assert!(!String::from_utf8_lossy(&event.data).contains("bee@example"), "{event:?}");
    }
    let listed = world.coordinator().get("/v1/outbox?state=withheld").await.must(200).json();
    assert_eq!(listed["items"], json!([]));
    // The next news within the hour waits for it.
    world.set_time("2026-06-01T12:30:00Z");
    news(&world, bee).await;
    world.settle().await;
    assert_eq!(server.got().len(), 1);
    world.set_time("2026-06-01T13:00:01Z");
    comes(&world, bee, "letter.delivered", 2).await;
    assert_eq!(server.got().len(), 2);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_a_member_said_withholds_what_it_should() {
    let (world, server, _dir) = world().await;
    let with = |more: Value| json!({ "email": "bee@example.org", "safe_contact": safe(&more) });
    for (n, (mut profile, expected)) in [
        (with(json!({ "channels": ["phone", "sms"] })), withheld("not_by_email")),
        (with(json!({ "when": "after six" })), withheld("only_when")),
        (with(json!({ "never_mention": ["SOMETHING"] })), withheld("mentions")),
        (with(json!({ "never_mention": ["kith"] })), withheld("mentions")),
        (with(json!({ "never_mention": ["the word h\u{e9}llo"] })), withheld("mentions")),
        (json!({ "email": "bee@example.org" }), withheld("not_asked")),
        (json!({ "safe_contact": safe(&json!({})) }), withheld("no_address")),
        (with(json!({ "may_leave_message": false })), sent()),
        (with(json!({ "channels": ["email", "phone"] })), sent()),
    ]
    .into_iter()
    .enumerate()
    {
        // Nobody has the address of somebody else.
        if profile["email"].is_string() {
            profile["email"] = format!("bee-{n}@example.org").into();
        }
        let member = answered(&world, profile.clone()).await;
        let event_type = if expected == sent() { "letter.delivered" } else { "letter.withheld" };
        comes(&world, member, event_type, 1).await;
        assert_eq!(outbox(&world, member).await, expected, "{profile}");
    }
    let to: Vec<_> = server.got().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["bee-7@example.org", "bee-8@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_address_somebody_else_has_is_written_to_only_if_others_may_read_it() {
    let (world, server, _dir) = world().await;
    let alone = json!({ "email": "house@example.org", "safe_contact": safe(&json!({ "may_leave_message": false })) });
    world.admin().register(json!({ "alias": "Other", "email": "HOUSE@example.org" })).await;
    let member = world.admin().register(alone.clone()).await;
    news(&world, member).await;
    comes(&world, member, "letter.withheld", 1).await;
    assert_eq!(outbox(&world, member).await, withheld("shared"));
    let open = json!({ "email": "house@example.org", "safe_contact": safe(&json!({})) });
    let open = answered(&world, open).await;
    comes(&world, open, "letter.delivered", 1).await;
    // A withheld one is not sent later, though the other is no longer there.
    let path = format!("/v1/members/{member}");
    let change = json!({ "safe_contact": safe(&json!({})) });
    world.admin().patch(&path, change).await.must(204);
    world.set_time("2026-06-01T14:00:00Z");
    world.settle().await;
    assert_eq!(server.got().len(), 1);
    news(&world, member).await;
    server.gets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_merged_records_the_most_careful_one_wins() {
    let (world, server, _dir) = world().await;
    let good = |n: u8| json!({ "email": format!("one-{n}@example.org"), "safe_contact": safe(&json!({})) });
    for (n, second, expected) in [
        (0, json!({ "safe_contact": safe(&json!({ "channels": ["phone"] })) }), withheld("not_by_email")),
        (1, json!({ "safe_contact": safe(&json!({ "when": "in the evening" })) }), withheld("only_when")),
        (2, json!({ "safe_contact": safe(&json!({ "never_mention": ["see"] })) }), withheld("mentions")),
        (3, json!({ "email": "second@example.org" }), withheld("not_asked")),
        (4, json!({ "alias": "Bee" }), sent()),
        // The same address under both is one person's.
        (
            5,
            json!({ "email": "one-5@example.org", "safe_contact": safe(&json!({ "may_leave_message": false })) }),
            sent(),
        ),
    ] {
        let first = world.admin().register(good(n)).await;
        let second = world.admin().register(second).await;
        let merge = json!({ "into": first });
        world.admin().post(&format!("/v1/members/{second}/merge"), merge).await.must(204);
        news(&world, first).await;
        let event_type = if expected == sent() { "letter.delivered" } else { "letter.withheld" };
        comes(&world, first, event_type, 1).await;
        assert_eq!(outbox(&world, first).await, expected, "{n}");
    }
    let to: Vec<_> = server.got().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["one-4@example.org", "one-5@example.org"]);
}

/// Somebody to whom a letter waits, because the mail server does not take it now.
async fn waits(world: &World, server: &SmtpServer, address: &str) -> MemberId {
    server.refuses_for_now(true);
    let profile = json!({ "email": address, "safe_contact": safe(&json!({})) });
    let member = answered(world, profile).await;
    comes(world, member, "letter.failed", 1).await;
    assert_eq!(outbox(world, member).await, [("waiting".to_owned(), None)]);
    // Whoever looks after members sees why, and when it is tried again.
    let row = world.coordinator().get("/v1/outbox?limit=1").await.must(200).json()["items"][0].clone();
    assert_eq!((&row["member"], &row["status"]), (&json!(member), &json!(451)));
    assert!(time(row["next_attempt_at"].as_str().expect("a time")) > time(row["queued_at"].as_str().expect("a time")));
    server.refuses_for_now(false);
    member
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_not_sent_once_the_member_objected_was_restricted_or_changed_their_mind() {
    let (world, server, _dir) = world().await;
    let admin = world.admin();
    let mut seconds = 0;
    for (what, why) in [("objection", "objected"), ("restriction", "restricted"), ("safe_contact", "not_by_email")] {
        let member = waits(&world, &server, &format!("later-{what}@example.org")).await;
        match what {
            "objection" => {
                let path = format!("/v1/members/{member}/objections/contact");
                admin.put(&path, json!({ "objects": true })).await.must(204);
            }
            "restriction" => {
                let restricted = json!({ "restricted": true });
                admin.put(&format!("/v1/members/{member}/restriction"), restricted).await.must(204);
            }
            _ => {
                let change = json!({ "safe_contact": safe(&json!({ "channels": ["post"] })) });
                admin.patch(&format!("/v1/members/{member}"), change).await.must(204);
            }
        }
        seconds += 10;
        let now = time(tests::world::NOW) + jiff::SignedDuration::from_secs(seconds);
        world.set_time(&now.to_string());
        comes(&world, member, "letter.withheld", 1).await;
        assert_eq!(outbox(&world, member).await, withheld(why), "{what}");
    }
    assert!(server.got().is_empty(), "{:?}", server.got());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_erasure_nothing_is_sent_and_the_address_is_nowhere() {
    let (world, server, _dir) = world().await;
    let member = waits(&world, &server, "later@example.org").await;
    world.admin().post(&format!("/v1/members/{member}/erasure"), Value::Null).await.must(200);
    world.set_time("2026-06-01T12:00:30Z");
    // Somebody else is written to meanwhile: what waited had its turn.
    let profile = json!({ "email": "other@example.org", "safe_contact": safe(&json!({})) });
    let other = answered(&world, profile).await;
    comes(&world, other, "letter.delivered", 1).await;
    assert!(server.got().iter().all(|mail| mail.to == ["other@example.org"]), "{:?}", server.got());
    assert!(outbox(&world, member).await.is_empty());
    let is_sent =
        |event: &eventlog::Recorded| event.stream.id() == member.0 && &*event.event_type == "letter.delivered";
    assert!(!world.events().await.iter().any(is_sent));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_who_looks_after_members_sees_to_whom_was_written() {
    let (world, _server, _dir) = world().await;
    for role in [Role::Facilitator, Role::Auditor, Role::Analyst, Role::Member, Role::Partner] {
        world.anyone(role).get("/v1/outbox").await.refused(403, "forbidden");
    }
    let elsewhere = world.admin_of("south-star").get("/v1/outbox").await.must(200).json();
    assert_eq!(elsewhere["items"], json!([]));
    world.coordinator().command(Method::GET, "/v1/outbox?state=nonsense", "k", &Value::Null).await.must(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_hour_keeps_nobody_waiting_and_what_came_too_late_is_withheld() {
    let (world, server, _dir) = world().await;
    let mut members = Vec::new();
    for n in 0..5 {
        let profile = json!({ "email": format!("one-{n}@example.org"), "safe_contact": safe(&json!({})) });
        members.push(answered(&world, profile).await);
    }
    server.gets(5).await;
    world.set_time("2026-06-01T12:20:00Z");
    for member in &members {
        news(&world, *member).await;
    }
    let profile = json!({ "email": "other@example.org", "safe_contact": safe(&json!({})) });
    answered(&world, profile).await;
    assert_eq!(server.gets(6).await[5].to, ["other@example.org"]);
    // Nobody was there for a day.
    world.set_time("2026-06-02T12:20:01Z");
    for member in members {
        comes(&world, member, "letter.withheld", 1).await;
        let expected = [withheld("too_late"), sent()].concat();
        assert_eq!(outbox(&world, member).await, expected);
    }
    assert_eq!(server.got().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_to_which_no_message_can_be_made_withholds_the_letter_and_stops_nobody() {
    let (world, server, _dir) = world().await;
    for odd in ["x@[127.0.0.1]", "x@[IPv6:::1]", "\"a,b\"@x.test", "\"(c)\"@x"] {
        let member = answered(&world, json!({ "email": odd, "safe_contact": safe(&json!({})) })).await;
        comes(&world, member, "letter.withheld", 1).await;
        assert_eq!(outbox(&world, member).await, withheld("no_address"), "{odd}");
    }
    let foreign = json!({ "email": "j\u{f6}rg@example.org", "safe_contact": safe(&json!({})) });
    let foreign = answered(&world, foreign).await;
    comes(&world, foreign, "letter.given_up", 1).await;
    answered(&world, json!({ "email": "bee@example.org", "safe_contact": safe(&json!({})) })).await;
    server.gets(1).await;
    runs(&world, "letters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_withdrew_a_consent_to_contact_is_not_written_to_until_they_give_another() {
    let (world, server, _dir) = world().await;
    let admin = world.admin();
    let profile = json!({ "email": "bee@example.org", "safe_contact": safe(&json!({})) });
    let member = admin.register(profile).await;
    let path = format!("/v1/members/{member}/consents");
    let consent = json!({ "purpose": "contact", "text": "contact-1", "given_on": "2026-05-01", "means": "written" });
    let given: String = admin.post(&path, consent.clone()).await.must(201).id("consent");
    let withdrawal = json!({ "withdrawn_on": "2026-06-01", "means": "verbal" });
    admin.post(&format!("{path}/{given}/withdrawal"), withdrawal).await.must(204);
    news(&world, member).await;
    comes(&world, member, "letter.withheld", 1).await;
    assert_eq!(outbox(&world, member).await, withheld("not_allowed"));
    admin.post(&path, consent).await.must(201);
    news(&world, member).await;
    server.gets(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_said_while_the_mail_server_kept_us_waiting_is_heeded() {
    let (world, server, _dir) = world().await;
    server.answers("greeting", "");
    let profile = json!({ "email": "bee@example.org", "safe_contact": safe(&json!({})) });
    let member = answered(&world, profile).await;
    let is_so = |event: &eventlog::Recorded| &*event.event_type == "letter.claimed";
    world.eventually(|events| events.iter().any(is_so)).await;
    let path = format!("/v1/members/{member}/objections/contact");
    world.admin().put(&path, json!({ "objects": true })).await.must(204);
    server.answers_well("greeting");
    comes(&world, member, "letter.withheld", 1).await;
    assert_eq!(outbox(&world, member).await, withheld("objected"));
    assert!(server.got().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_two_records_gets_one_letter_an_hour() {
    let (world, server, _dir) = world().await;
    let profile = || json!({ "email": "bee@example.org", "safe_contact": safe(&json!({})) });
    let (first, second) = (world.admin().register(profile()).await, world.admin().register(profile()).await);
    server.answers("greeting", "");
    news(&world, second).await;
    let merge = json!({ "into": first });
    world.admin().post(&format!("/v1/members/{second}/merge"), merge).await.must(204);
    news(&world, first).await;
    server.answers_well("greeting");
    server.gets(1).await;
    world.settle().await;
    // Somebody else's is sent meanwhile, so the other had its turn.
    let other = json!({ "email": "other@example.org", "safe_contact": safe(&json!({})) });
    answered(&world, other).await;
    let to: Vec<_> = server.gets(2).await.into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["bee@example.org", "other@example.org"]);
    world.set_time("2026-06-01T13:00:01Z");
    assert_eq!(server.gets(3).await[2].to, ["bee@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_address_somebody_else_has_is_known_however_it_is_written() {
    let (world, _server, _dir) = world().await;
    for (n, [one, other]) in
        [["bob-0@home.test", "\"bob-0\"@home.test"], ["bob-1+x@home.test", "Bob-1@home.test"]].into_iter().enumerate()
    {
        world.admin().register(json!({ "alias": "Other", "email": other })).await;
        let alone = json!({ "email": one, "safe_contact": safe(&json!({ "may_leave_message": false })) });
        let member = answered(&world, alone).await;
        comes(&world, member, "letter.withheld", 1).await;
        assert_eq!(outbox(&world, member).await, withheld("shared"), "{n}");
    }
}
