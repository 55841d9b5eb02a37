//! Referrals: what a member allows is told to whom they allow, each side answers, and each silence has a name.

use domain::{AttemptId, ConsentId, MemberId, NeedId, PartnerId, ServiceId};
use hyper::Method;
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, ORG, World, counselling, encoded, time},
};
use web::Role;

use crate::guide::{self, Shell};

/// What a consent under 42 CFR Part 2 says.
pub const ELEMENTS: [&str; 8] =
    ["subject", "discloser", "information", "recipient", "purpose", "revocation", "end", "signature"];

/// An organisation with a partner, and a member who is to be referred there.
pub struct Desk<'a> {
    world: &'a World,
    coordinator: Actor,
    member: MemberId,
    partner: PartnerId,
    service: ServiceId,
}

impl<'a> Desk<'a> {
    async fn of(world: &'a World) -> Self {
        let (partner, service) = world.admin().partner("Harbour").await;
        Self::new(world, partner, service).await
    }

    /// One with a partner that is there, and a service of it.
    pub async fn with(world: &'a World, partner: PartnerId) -> Self {
        let service = ServiceId(partner.0);
        let path = format!("/v1/partners/{partner}/services/{service}");
        world.admin().put(&path, counselling()).await.must(204);
        Self::new(world, partner, service).await
    }

    async fn new(world: &'a World, partner: PartnerId, service: ServiceId) -> Self {
        let member =
            world.admin().register(json!({ "alias": "Kestrel", "phone": "+1 212 555 0142", "notes": "owl" })).await;
        Self::about(world, (partner, service), member)
    }

    /// One with a member who is there.
    pub fn about(world: &'a World, (partner, service): (PartnerId, ServiceId), member: MemberId) -> Self {
        Self { world, coordinator: world.coordinator(), member, partner, service }
    }

    /// A referral that the partner has taken on.
    pub async fn accepted(&self) -> AttemptId {
        let (_, referral) = self.sent().await;
        let partner = self.at_partner();
        self.opened(&partner, referral).await.must(200);
        self.answers(&partner, referral, json!({ "accept": {} })).await.must(204);
        referral
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/members/{}/{rest}", self.member)
    }

    async fn need(&self) -> (NeedId, AttemptId) {
        let body = json!({ "urgency": "routine", "says": { "ask": "Somebody to talk to", "why": "the nights" },
            "refer_to": { "partner": self.partner, "service": self.service } });
        let stated = self.coordinator.post(&self.path("needs"), body).await.must(201);
        (stated.id("need"), stated.id("referral"))
    }

    async fn draft(&self, need: NeedId, more: Value) -> AttemptId {
        let mut body = json!({ "partner": self.partner, "service": self.service });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.coordinator.post(&self.path(&format!("needs/{need}/referrals")), body).await.must(201).id("referral")
    }

    async fn allow(&self, more: Value) -> ConsentId {
        let mut body = json!({ "law": "part2", "partners": [self.partner], "items": ["alias", "phone", "ask"],
            "text": "referral-2026-03", "means": "electronic", "elements": ELEMENTS });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.coordinator.post(&self.path("disclosures"), body).await.must(201).id("consent")
    }

    async fn preview(&self, referral: AttemptId) -> Value {
        let path = self.path(&format!("referrals/{referral}/preview"));
        self.coordinator.post(&path, json!({})).await.must(200).json()
    }

    async fn send(&self, referral: AttemptId, preview: &Value, link: bool) -> Answer {
        let body = json!({ "preview": preview["preview"], "link": link });
        self.coordinator.post(&self.path(&format!("referrals/{referral}/sending")), body).await
    }

    /// A referral that was sent.
    pub async fn sent(&self) -> (NeedId, AttemptId) {
        let (need, referral) = self.need().await;
        self.allow(json!({})).await;
        let preview = self.preview(referral).await;
        self.send(referral, &preview, false).await.must(200);
        (need, referral)
    }

    async fn step(&self, referral: AttemptId, what: Value) -> Answer {
        self.coordinator.post(&self.path(&format!("referrals/{referral}/steps")), json!({ "what": what })).await
    }

    fn at_partner(&self) -> Actor {
        self.world.somebody(ORG, Role::Partner, &self.partner.to_string(), vec![])
    }

    async fn reference(&self, who: &Actor, referral: AttemptId) -> String {
        reference(self.world, who, referral).await
    }

    async fn opened(&self, who: &Actor, referral: AttemptId) -> Answer {
        let reference = self.reference(who, referral).await;
        who.post(&format!("/v1/partner/referrals/{reference}/opening"), json!({})).await
    }

    async fn answers(&self, who: &Actor, referral: AttemptId, what: Value) -> Answer {
        let reference = self.reference(who, referral).await;
        who.post(&format!("/v1/partner/referrals/{reference}/steps"), json!({ "what": what })).await
    }

    async fn link(&self, referral: AttemptId, purpose: &str) -> Value {
        let path = self.path(&format!("referrals/{referral}/links"));
        self.coordinator.post(&path, json!({ "purpose": purpose })).await.must(201).json()
    }

    fn by_link(&self, link: &Value) -> Actor {
        let path = link["path"].as_str().expect("a path");
        self.world.bearer(path.split_once('#').expect("a fragment").1)
    }

    /// The story of the only need's referrals.
    async fn stories(&self) -> Vec<Value> {
        let shown = self.coordinator.get(&self.path("referrals")).await.must(200).json();
        shown["needs"]
            .as_array()
            .expect("needs")
            .iter()
            .flat_map(|need| need["referrals"].as_array().unwrap().clone())
            .collect()
    }
}

/// By which a partner names a referral, from its list.
pub async fn reference(world: &World, who: &Actor, referral: AttemptId) -> String {
    world.settle().await;
    let lines = who.pages("/v1/partner/referrals", 50).await;
    let line = lines.iter().find(|line| line["referral"] == json!(referral));
    line.and_then(|line| line["reference"].as_str()).unwrap_or("none").into()
}

async fn follow(who: &Actor) -> Answer {
    who.post("/v1/link/opening", json!({})).await
}

async fn say(who: &Actor, what: Value) -> Answer {
    who.post("/v1/link/steps", json!({ "what": what })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_goes_from_the_request_to_the_members_answer_with_five_requests_of_a_coordinator() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await; // 1
    desk.allow(json!({})).await; // 2
    let preview = desk.preview(referral).await; // 3
    assert_eq!(
        preview["items"][0],
        json!({ "item": "alias", "value": "Kestrel", "consent": preview["items"][0]["consent"] })
    );
    let sent = desk.send(referral, &preview, true).await.must(200).json(); // 4
    let partner = desk.by_link(&sent["link"]);
    let opened = follow(&partner).await.must(200).json();
    assert_eq!(
        opened["items"],
        json!({ "alias": "Kestrel", "phone": "+1 212 555 0142", "ask": "Somebody to talk to" })
    );
    assert_eq!(opened["notices"], json!(["42 CFR part 2 prohibits unauthorized use or disclosure of these records."]));
    say(&partner, json!({ "accept": {} })).await.must(204);
    say(&partner, json!({ "schedule": { "starts_at": "2026-06-05T15:00:00Z" } })).await.must(204);
    world.set_time("2026-06-05T16:00:00Z");
    say(&partner, json!({ "engage": {} })).await.must(204);
    say(&partner, json!({ "complete": { "outcome": "service_received" } })).await.must(204);
    let member = desk.by_link(&desk.link(referral, "member").await); // 5
    assert_eq!(follow(&member).await.must(200).json()["possible"], json!([{ "step": "answer" }]));
    say(&member, json!({ "answer": { "answer": "partly" } })).await.must(204);
    let [story] = &desk.stories().await[..] else { panic!("one referral") };
    assert_eq!(
        (&story["stage"], &story["outcome"], &story["answer"]),
        (&json!("completed"), &json!("service_received"), &json!("partly"))
    );
    assert_eq!(story["steps"].as_array().unwrap().len(), 8, "{story:#}");
    assert_eq!(story["overdue"], false);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_declined_for_capacity_is_referred_again_waits_and_helps() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (need, first) = desk.sent().await;
    let partner = desk.at_partner();
    desk.opened(&partner, first).await.must(200);
    desk.answers(&partner, first, json!({ "decline": { "reason": "no_capacity" } })).await.must(204);
    // The member rests there, and goes elsewhere.
    let again = desk.draft(need, json!({ "parent": first, "note": "Ask them again" })).await;
    let preview = desk.preview(again).await;
    desk.send(again, &preview, false).await.refused(409, "not-again-before");
    let (other, service) = world.admin().partner("Lighthouse").await;
    let elsewhere = Desk { partner: other, service, coordinator: world.coordinator(), ..desk };
    let second = elsewhere.draft(need, json!({ "parent": first, "note": "No room at Harbour" })).await;
    let left_out = elsewhere.preview(second).await;
    assert_eq!(left_out["items"], json!([]), "nobody allowed that Lighthouse is told anything");
    elsewhere.allow(json!({})).await;
    let preview = elsewhere.preview(second).await;
    elsewhere.send(second, &preview, false).await.must(200);
    let partner = elsewhere.at_partner();
    for what in [
        json!({ "accept": {} }),
        json!({ "waitlist": { "position": 3, "expected_on": "2026-07-01" } }),
        json!({ "engage": {} }),
        json!({ "complete": { "outcome": "service_received" } }),
    ] {
        elsewhere.answers(&partner, second, what).await.must(204);
    }
    elsewhere.step(second, json!({ "answer": { "answer": "helped" } })).await.must(204);
    let close = json!({ "end": "met" });
    elsewhere.coordinator.post(&elsewhere.path(&format!("needs/{need}/closing")), close).await.must(204);
    let stories = elsewhere.stories().await;
    assert_eq!(stories[0]["party"], "provider");
    assert_eq!(stories[2]["parent"], json!(first));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_come_twice_and_is_not_reached_is_not_followed_for_ever() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let partner = desk.at_partner();
    desk.answers(&partner, referral, json!({ "accept": {} })).await.must(204);
    for day in ["2026-06-03", "2026-06-08"] {
        let schedule = json!({ "schedule": { "starts_at": format!("{day}T15:00:00Z") } });
        desk.answers(&partner, referral, schedule).await.must(204);
        desk.answers(&partner, referral, json!({ "record_no_show": { "reason": "transport" } })).await.must(204);
    }
    let once = json!({ "give_up": { "tries": 1, "channels": ["phone"] } });
    desk.answers(&partner, referral, once).await.refused(409, "too-few-tries");
    let often = json!({ "give_up": { "tries": 3, "channels": ["phone", "sms"] } });
    desk.answers(&partner, referral, often).await.must(204);
    let [story] = &desk.stories().await[..] else { panic!("one referral") };
    assert_eq!(
        (&story["stage"], &story["next"]),
        (&json!("unreachable"), &json!({ "by": "coordinator", "step": "inform" }))
    );
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_withdrawn_closes_everything_in_the_same_append() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await;
    let consent = desk.allow(json!({})).await;
    let preview = desk.preview(referral).await;
    let sent = desk.send(referral, &preview, true).await.must(200).json();
    let (partner, linked) = (desk.at_partner(), desk.by_link(&sent["link"]));
    say(&linked, json!({ "accept": {} })).await.must(204);
    desk.opened(&partner, referral).await.must(200);
    let who = world.member(desk.member);
    who.post(&desk.path(&format!("disclosures/{consent}/withdrawal")), json!({ "means": "electronic" }))
        .await
        .must(204);
    let types = world.types_of(desk.member).await;
    assert!(types.ends_with(&["disclosure.withdrawn".into(), "referral.moved".into()]), "{types:?}");
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    desk.answers(&partner, referral, json!({ "engage": {} })).await.refused(404, "unknown-referral");
    follow(&linked).await.must(401);
    let inbox = partner.get("/v1/partner/referrals").await.must(200).json();
    assert_eq!(inbox["items"][0]["next"], json!({ "by": "coordinator", "step": "tell_withdrawal" }));
    // The partner is told, and acknowledges it by a link that shows nothing.
    desk.step(referral, json!({ "tell_withdrawal": { "channel": "email" } })).await.must(204);
    let acknowledging = desk.by_link(&desk.link(referral, "acknowledge").await);
    assert_eq!(follow(&acknowledging).await.must(200).json()["acknowledged"], false);
    say(&acknowledging, json!({ "acknowledge_withdrawal": {} })).await.must(204);
    assert_eq!(follow(&acknowledging).await.must(200).json()["acknowledged"], true);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_that_nobody_answers_is_overdue_at_its_minute_and_expires() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    // Monday noon in UTC, eight in the morning in New York.
    let (_, referral) = desk.sent().await;
    let overdue = async |time: &str| {
        world.set_time(time);
        world.settle().await;
        desk.coordinator.get("/v1/referrals?overdue=true").await.must(200).json()["items"].as_array().unwrap().clone()
    };
    assert_eq!(overdue("2026-06-03T11:59:59Z").await, Vec::<Value>::new());
    let [line] = &overdue("2026-06-03T12:00:00Z").await[..] else { panic!("overdue") };
    assert_eq!((&line["due"][0]["clock"], &line["due"][0]["silent"]), (&json!("receipt"), &json!("provider")));
    desk.opened(&desk.at_partner(), referral).await.must(200);
    assert_eq!(overdue("2026-06-03T12:00:01Z").await, Vec::<Value>::new(), "its cause is gone");
    assert_eq!(overdue("2026-06-08T12:00:00Z").await[0]["due"][0]["clock"], "decision");
    // Five working days to decide, and five of grace.
    world.set_time("2026-06-15T12:00:00Z");
    world
        .eventually(|events| {
            events.iter().any(|event| {
                *event.event_type == *"referral.moved" && String::from_utf8_lossy(&event.data).contains("\"expire\"")
            })
        })
        .await;
    let [story] = &desk.stories().await[..] else { panic!("one referral") };
    assert_eq!((&story["stage"], &story["party"]), (&json!("expired"), &json!("provider")));
    desk.opened(&desk.at_partner(), referral).await.refused(404, "unknown-referral");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_but_what_was_previewed() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await;
    desk.allow(json!({})).await;
    let preview = desk.preview(referral).await;
    world.admin().patch(&format!("/v1/members/{}", desk.member), json!({ "phone": "+1 212 555 0199" })).await.must(204);
    desk.send(referral, &preview, false).await.refused(409, "preview-changed");
    let preview = desk.preview(referral).await;
    let (key, body) = ("the same", json!({ "preview": preview["preview"], "link": true }));
    let path = desk.path(&format!("referrals/{referral}/sending"));
    let first = desk.coordinator.command(Method::POST, &path, key, &body).await.must(200);
    let again = desk.coordinator.command(Method::POST, &path, key, &body).await.must(200);
    assert!(again.replayed());
    let secret =
        |answer: &Answer| answer.json()["link"]["path"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    assert_eq!(secret(&first), secret(&again), "whoever sends it again gets the same link");
    // What the partner reads stays as it was sent.
    world.admin().patch(&format!("/v1/members/{}", desk.member), json!({ "phone": "+1 212 555 0100" })).await.must(204);
    let opened = desk.opened(&desk.at_partner(), referral).await.must(200).json();
    assert_eq!(opened["items"]["phone"], "+1 212 555 0199");
    let accesses = async || {
        world.settle().await;
        world.admin().pages(&desk.path("accesses"), 50).await
    };
    let opening = accesses().await.into_iter().find(|access| access["operation"] == "open_referral").expect("audited");
    assert_eq!(opening["fields"], json!(["alias", "phone"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_one_referral_and_purpose_until_its_end_and_all_refusals_are_alike() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let link = desk.link(referral, "partner").await;
    let partner = desk.by_link(&link);
    for _ in 0..10 {
        assert_eq!(partner.get("/v1/link/opening").await.status, 405, "nothing is spent by GET");
    }
    follow(&partner).await.must(200);
    // Replayed under its key, a step is done once, and answered as it was.
    let accept = json!({ "what": { "accept": {} } });
    let twice = async || partner.command(Method::POST, "/v1/link/steps", "once", &accept).await.must(204);
    assert!(!twice().await.replayed() && twice().await.replayed());
    let text = link["path"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let guessed = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
    let other = Desk {
        member: world.admin().register(json!({ "alias": "Owl" })).await,
        coordinator: world.coordinator(),
        ..desk
    };
    let (_, elsewhere) = other.sent().await;
    let their_link = other.link(elsewhere, "partner").await;
    let spliced = {
        let theirs = their_link["path"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
        let (place, _) = theirs.rsplit_once('.').unwrap();
        format!("{place}.{}", text.rsplit_once('.').unwrap().1)
    };
    let revoked = other.link(elsewhere, "partner").await;
    let path = other.path(&format!("referrals/{elsewhere}/links/{}/revocation", revoked["link"].as_str().unwrap()));
    other.coordinator.post(&path, json!({})).await.must(204);
    let mut said = std::collections::BTreeSet::new();
    for bad in [&guessed, &spliced, &revoked["path"].as_str().unwrap()[3..].to_owned(), &format!("{text}0")] {
        let answer = follow(&world.bearer(bad)).await.must(401);
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("instance");
        said.insert(problem.to_string());
    }
    // Of the member's purpose nothing of the partner's can be done, and no operation but the two is open.
    let member = desk.by_link(&desk.link(referral, "member").await);
    say(&member, json!({ "accept": {} })).await.refused(404, "link-not-good");
    partner.get("/v1/partner/referrals").await.must(403);
    member.get(&other.path("referrals")).await.must(403);
    world.set_time("2026-06-16T12:00:01Z");
    let answer = follow(&partner).await.must(401);
    let mut problem = answer.json();
    problem.as_object_mut().unwrap().remove("instance");
    said.insert(problem.to_string());
    assert_eq!(said.len(), 1, "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_ends_referrals_and_links_and_says_whom_to_tell() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await;
    desk.allow(json!({})).await;
    let preview = desk.preview(referral).await;
    let sent = desk.send(referral, &preview, true).await.must(200).json();
    let (partner, linked) = (desk.at_partner(), desk.by_link(&sent["link"]));
    desk.opened(&partner, referral).await.must(200);
    let erased = world.admin().post(&desk.path("erasure"), json!({})).await.must(200).json();
    assert_eq!(erased["erasure"]["recipients"], json!([format!("Harbour, by referral {referral}")]));
    follow(&linked).await.must(401);
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    let inbox = partner.get("/v1/partner/referrals").await.must(200).json();
    assert_eq!((&inbox["items"], &inbox["erased"][0]["referral"]), (&json!([]), &json!(referral)));
    desk.coordinator
        .post(&desk.path("needs"), json!({ "urgency": "routine", "says": { "ask": "x" } }))
        .await
        .refused(404, "unknown-member");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_ends_what_was_sent_and_taking_it_back_opens_nothing() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let partner = desk.at_partner();
    desk.opened(&partner, referral).await.must(200);
    let object = async |objects: bool| {
        world.admin().put(&desk.path("objections/referral"), json!({ "objects": objects })).await.must(204);
    };
    object(true).await;
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    object(false).await;
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    let restrict = json!({ "restricted": true });
    let (_, second) = desk.sent().await;
    desk.opened(&partner, second).await.must(200);
    world.admin().put(&desk.path("restriction"), restrict).await.must(204);
    desk.opened(&partner, second).await.refused(404, "unknown-referral");
    desk.answers(&partner, second, json!({ "accept": {} })).await.refused(404, "unknown-referral");
    // What ends it is no use of the record.
    desk.step(second, json!({ "deliver": { "channel": "email" } })).await.refused(409, "processing-restricted");
    desk.step(second, json!({ "withdraw": { "reason": "wrong_recipient" } })).await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_consent_only_the_holder_of_the_duty_seat_sends_and_somebody_else_reviews() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await;
    let path = desk.path(&format!("referrals/{referral}/preview"));
    let ask = json!({ "items": ["alias", "ask"], "without_consent": true });
    let preview = desk.coordinator.post(&path, ask).await.must(200).json();
    let body = json!({ "items": ["alias", "ask"], "preview": preview["preview"], "reason": "In danger",
        "until": "2026-06-08T12:00:00Z" });
    let path = desk.path(&format!("referrals/{referral}/override"));
    desk.coordinator.post(&path, body.clone()).await.must(403);
    // A program holds no seat.
    let client = json!({ "name": "robot", "role": "coordinator", "scopes": ["override_disclosure"],
        "expires_at": "2026-12-31T00:00:00Z" });
    let client = world.admin().post("/v1/access/clients", client).await.must(201).json();
    let holder = format!("client:{}", client["client"].as_str().unwrap());
    world.admin().put("/v1/duty-seat", json!({ "holder": holder })).await.must(204);
    world.bearer(client["key"].as_str().unwrap()).post(&path, body.clone()).await.must(403);
    world.admin().put("/v1/duty-seat", json!({ "holder": "coordinator" })).await.must(204);
    desk.coordinator.post(&path, body).await.must(200);
    let opened = desk.opened(&desk.at_partner(), referral).await.must(200).json();
    assert_eq!(opened["items"], json!({ "alias": "Kestrel", "ask": "Somebody to talk to" }));
    let review = desk.path(&format!("referrals/{referral}/override/review"));
    desk.coordinator.post(&review, json!({ "justified": true })).await.refused(409, "own-override");
    let listed = world.admin().get("/v1/referrals").await.must(200).json();
    assert_eq!(listed["items"][0]["override_to_review"], true);
    assert_eq!(desk.stories().await[0]["overridden"]["reason"], "In danger", "whoever reviews it reads why");
    world.admin().post(&review, json!({ "justified": false })).await.must(204);
    desk.opened(&desk.at_partner(), referral).await.refused(404, "unknown-referral");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partner_and_another_organisation_learn_nothing() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let (other, _) = world.admin().partner("Lighthouse").await;
    let other = world.somebody(ORG, Role::Partner, &other.to_string(), vec![]);
    // Also with what the partner itself names it by.
    let reference = desk.reference(&desk.at_partner(), referral).await;
    for (rest, body) in [("opening", json!({})), ("steps", json!({ "what": { "accept": {} } }))] {
        let path = format!("/v1/partner/referrals/{reference}/{rest}");
        other.post(&path, body.clone()).await.refused(404, "unknown-referral");
        let elsewhere = world.somebody("elsewhere", Role::Partner, &desk.partner.to_string(), vec![]);
        elsewhere.post(&path, body).await.refused(404, "unknown-referral");
    }
    assert_eq!(other.get("/v1/partner/referrals").await.must(200).json()["items"], json!([]));
    let nobody = world.anyone(Role::Partner);
    nobody.get("/v1/partner/referrals").await.must(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_and_partner_at_once_have_one_effect_and_one_refusal() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    for _ in 0..10 {
        let (need, referral) = desk.sent().await;
        let partner = desk.at_partner();
        let steps = format!("/v1/partner/referrals/{}/steps", desk.reference(&partner, referral).await);
        let withdraw = json!({ "withdraw": { "reason": "member_request" } });
        let (accepted, withdrawn) =
            tokio::join!(partner.post(&steps, json!({ "what": { "accept": {} } })), desk.step(referral, withdraw));
        let statuses = [accepted.status.as_u16(), withdrawn.status.as_u16()];
        assert!([[204, 409], [409, 204], [404, 204]].contains(&statuses), "{statuses:?}");
        let dropped = json!({ "end": "dropped", "reason": "member_request" });
        desk.coordinator.post(&desk.path(&format!("needs/{need}/closing")), dropped).await.must(204);
        if statuses[0] == 204 {
            desk.answers(&partner, referral, json!({ "confirm_cancel": {} })).await.must(204);
        }
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_persons_referrals_go_on_where_they_began() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let into = world.admin().register(json!({ "alias": "Kestrel B" })).await;
    world.admin().post(&desk.path("merge"), json!({ "into": into })).await.must(204);
    world.settle().await;
    let whole = Desk { member: into, coordinator: world.coordinator(), ..desk };
    assert_eq!(whole.stories().await[0]["member"], json!(desk.member));
    let partner = desk.at_partner();
    desk.opened(&partner, referral).await.must(200);
    desk.answers(&partner, referral, json!({ "accept": {} })).await.must(204);
    whole.step(referral, json!({ "engage": {} })).await.must(204);
    let who = world.member(into);
    who.post(&whole.path("disclosures/withdrawal"), json!({ "means": "verbal" })).await.must(204);
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_tells_five_stories_as_they_go() {
    let world = World::start().await;
    let member = world.admin().register(json!({ "alias": "Kestrel" })).await;
    let variables = [("TOKEN", world.coordinator().token()), ("MEMBER", member.to_string())];
    let mut shell = Shell::new(world.nobody(), variables);
    let mut last = Value::Null;
    for line in guide::lines(include_str!("../../../deploy/guides/referrals.md")) {
        world.settle().await;
        if line.contains("overdue=true") {
            world.set_time("2026-06-15T12:00:00Z");
            // Tokens live a day at most.
            shell.set("AUTH", format!("Authorization: Bearer {}", world.coordinator().token()));
            world
                .eventually(|events| {
                    let expires = |data: &[u8]| String::from_utf8_lossy(data).contains("\"expire\"");
                    events.iter().any(|event| expires(&event.data))
                })
                .await;
        }
        last = shell.run(line).await;
    }
    let stages = last["needs"].as_array().unwrap().iter().flat_map(|need| need["referrals"].as_array().unwrap());
    let stages: Vec<_> = stages.map(|story| story["stage"].as_str().unwrap().to_owned()).collect();
    let said = ["completed", "declined_by_service", "completed", "unreachable", "withdrawn", "expired"];
    assert_eq!(stages, said);
    let needs: Vec<_> = last["needs"].as_array().unwrap().iter().map(|need| need["need"].as_str().unwrap()).collect();
    for (n, need) in needs.iter().enumerate() {
        for guide in ["gravity", "bser"] {
            let path = format!("/v1/members/{member}/needs/{need}/fhir?guide={guide}");
            let bundle = world.coordinator().get(&path).await.must(200);
            // `make interop` has them read by others.
            if let Some(folder) = std::env::var_os("KITH_FHIR").map(std::path::PathBuf::from) {
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(folder.join(format!("{}-{guide}.json", n + 1)), &bundle.body).expect("a file");
            }
        }
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_need_is_exported_by_both_guides_without_a_name() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (need, referral) = desk.sent().await;
    let partner = desk.at_partner();
    desk.answers(&partner, referral, json!({ "accept": {} })).await.must(204);
    desk.answers(&partner, referral, json!({ "waitlist": {} })).await.must(204);
    for (guide, status) in [("gravity", "on-hold"), ("bser", "in-progress")] {
        let path = desk.path(&format!("needs/{need}/fhir?guide={guide}"));
        let bundle = desk.coordinator.get(&path).await.must(200).json();
        let resources = || bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
        let of = |kind: &str| resources().find(|resource| resource["resourceType"] == kind).expect(kind);
        assert_eq!(of("Task")["status"], status, "{guide}");
        assert_eq!(
            (&of("ServiceRequest")["status"], &of("ServiceRequest")["priority"]),
            (&json!("active"), &json!("routine"))
        );
        assert!(of("OperationOutcome")["issue"][0]["diagnostics"].as_str().unwrap().contains("waitlisted"));
        for said in ["Kestrel", "Somebody to talk to", "the nights"] {
            assert!(!bundle.to_string().contains(said), "{bundle:#}");
        }
        // Each reference is to a resource that is there.
        let named: std::collections::BTreeSet<_> =
            bundle["entry"].as_array().unwrap().iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
        let text = bundle.to_string();
        for (at, _) in text.match_indices("\"reference\":\"urn:uuid:") {
            assert!(named.contains(&text[at + 13..at + 13 + 45]), "{}", &text[at..at + 60]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_was_taken_over_is_withdrawn_by_its_first_id_as_well() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let details = json!({ "recipient": "Harbour" });
    let first = json!({ "purpose": "referral", "text": "paper-2025", "given_on": "2026-05-01", "means": "written",
        "details": details });
    let first: ConsentId = desk.coordinator.post(&desk.path("consents"), first).await.must(201).id("consent");
    let (_, referral) = desk.need().await;
    desk.allow(json!({ "takes_over": first })).await;
    let preview = desk.preview(referral).await;
    desk.send(referral, &preview, false).await.must(200);
    let partner = desk.at_partner();
    desk.opened(&partner, referral).await.must(200);
    let withdraw = json!({ "withdrawn_on": "2026-06-01", "means": "verbal" });
    world.member(desk.member).post(&desk.path(&format!("consents/{first}/withdrawal")), withdraw).await.must(204);
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_objected_under_one_record_objects_under_all_once_they_are_one() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let partner = desk.at_partner();
    desk.opened(&partner, referral).await.must(200);
    let objector = world.admin().register(json!({ "alias": "Kestrel B" })).await;
    let path = format!("/v1/members/{objector}/objections/referral");
    world.admin().put(&path, json!({ "objects": true })).await.must(204);
    world.admin().post(&format!("/v1/members/{objector}/merge"), json!({ "into": desk.member })).await.must(204);
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    world.admin().put(&desk.path("objections/referral"), json!({ "objects": false })).await.must(204);
    desk.opened(&partner, referral).await.refused(404, "unknown-referral");
    assert_eq!(desk.stories().await[0]["stage"], "withdrawn");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sending_whose_answer_was_lost_is_answered_again_whatever_has_changed_since() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.need().await;
    let consent = desk.allow(json!({})).await;
    let preview = desk.preview(referral).await;
    let (path, body) =
        (desk.path(&format!("referrals/{referral}/sending")), json!({ "preview": preview["preview"], "link": true }));
    let first = desk.coordinator.command(Method::POST, &path, "lost", &body).await.must(200).json();
    world.admin().patch(&format!("/v1/members/{}", desk.member), json!({ "phone": "+1 212 555 0199" })).await.must(204);
    world.set_time("2026-06-01T12:00:05Z");
    let until = |answer: &Value| answer["link"]["until"].clone();
    let again = desk.coordinator.command(Method::POST, &path, "lost", &body).await.must(200);
    assert!(again.replayed() && until(&again.json()) == until(&first), "{}", again.json());
    let path_of_consent = desk.path(&format!("disclosures/{consent}/withdrawal"));
    desk.coordinator.post(&path_of_consent, json!({ "means": "verbal" })).await.must(204);
    assert!(desk.coordinator.command(Method::POST, &path, "lost", &body).await.must(200).replayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_changes_no_need_but_their_own_and_members_are_not_shown_what_staff_notes() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let group = world.group().await;
    world.admin().enrols(group, desk.member, "2026-01-01").await.must(201);
    let facilitator = world.facilitator([group]);
    let body = json!({ "urgency": "routine", "says": { "ask": "A walk" } });
    let own: NeedId = facilitator.post(&desk.path("needs"), body.clone()).await.must(201).id("need");
    facilitator
        .put(&desk.path(&format!("needs/{own}")), json!({ "urgency": "urgent", "says": { "ask": "A walk" } }))
        .await
        .must(204);
    let (need, referral) = desk.sent().await;
    facilitator.put(&desk.path(&format!("needs/{need}")), body).await.refused(404, "unknown-need");
    let noted = json!({ "what": { "deliver": { "channel": "email" } }, "note": "they shouted" });
    desk.coordinator.post(&desk.path(&format!("referrals/{referral}/steps")), noted).await.must(204);
    let shown = async |who: &Actor| who.get(&desk.path("referrals")).await.must(200).json().to_string();
    assert!(shown(&desk.coordinator).await.contains("they shouted"));
    assert!(!shown(&world.member(desk.member)).await.contains("they shouted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_links_is_soon_heard_no_more() {
    let world = World::start_with(|config| config.refused_per_minute = 5).await;
    let desk = Desk::of(&world).await;
    let (_, referral) = desk.sent().await;
    let link = desk.link(referral, "partner").await;
    let (place, _) = link["path"].as_str().unwrap().split_once('#').unwrap().1.rsplit_once('.').unwrap();
    let guess = async |n: u32| follow(&world.bearer(&format!("{place}.{n:064}"))).await.status.as_u16();
    let mut said = Vec::new();
    for n in 0..8 {
        said.push(guess(n).await);
    }
    assert_eq!(said, [401, 401, 401, 401, 401, 429, 429, 429]);
    // Who was let in before goes on.
    desk.stories().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_coordinators_at_once_have_one_effect_and_one_refusal() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let other = world.somebody(ORG, Role::Coordinator, "bea", vec![]);
    for _ in 0..10 {
        let (need, referral) = desk.need().await;
        desk.allow(json!({})).await;
        let preview = desk.preview(referral).await;
        let (path, body) =
            (desk.path(&format!("referrals/{referral}/sending")), json!({ "preview": preview["preview"] }));
        let (one, two) = tokio::join!(desk.coordinator.post(&path, body.clone()), other.post(&path, body));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", one.json(), two.json());
        let close = |end: &str| json!({ "end": end, "reason": "member_request" });
        let path = desk.path(&format!("needs/{need}/closing"));
        let (dropped, met) =
            tokio::join!(desk.coordinator.post(&path, close("dropped")), other.post(&path, close("met")));
        assert_eq!((dropped.status.as_u16(), met.status.as_u16()), (204, 409), "{}", met.json());
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_asks_for_what_is_new_since_it_last_asked_misses_nothing() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let partner = world.somebody(ORG, Role::Partner, &desk.partner.to_string(), vec![]);
    let asked = async |since: &str| {
        world.settle().await;
        let path = format!("/v1/partner/referrals?_lastUpdated={}", encoded(since));
        let lines = partner.get(&path).await.must(200).json()["items"].as_array().expect("lines").clone();
        let id = |line: &Value| line["referral"].as_str().expect("an id").to_owned();
        let at = |line: &Value| line["updated_at"].as_str().expect("a time").to_owned();
        let last = lines.iter().max_by_key(|line| time(&at(line))).map(at);
        (lines.iter().map(id).collect::<Vec<_>>(), last)
    };
    let (mut since, mut sent) = ("ge2026-01-01T00:00:00Z".to_owned(), vec![]);
    // The clock stands still: each is later than the one before all the same.
    for _ in 0..3 {
        let (_, referral) = desk.sent().await;
        sent.push(referral);
        let (lines, last) = asked(&since).await;
        assert_eq!(lines, [referral.to_string()], "since {since}");
        since = format!("gt{}", last.expect("a line"));
    }
    assert_eq!(asked(&since).await, (vec![], None));
    let opened = desk.opened(&partner, sent[0]).await;
    assert!(opened.status.is_success(), "{}", opened.json());
    assert_eq!(asked(&since).await.0, [sent[0].to_string()], "what is done to an older one is new");
    assert_eq!(asked(&since.replace("gt", "le")).await.0.len(), 2);
    for wrong in ["2026-06-01T12:00:00Z", "gt2026-06-01", "xx2026-06-01T12:00:00Z", "\u{e9}"] {
        let path = format!("/v1/partner/referrals?_lastUpdated={}", encoded(wrong));
        partner.get(&path).await.refused(422, "malformed");
    }
}

/// What a partner is told that polls: its lines, and of whom was erased.
struct Polled {
    lines: Vec<Value>,
    erased: Vec<Value>,
    /// With what it asks next.
    since: String,
}

/// Asks for what changed since, a line a page: none of them is empty.
async fn poll(world: &World, partner: &Actor, since: &str) -> Polled {
    world.settle().await;
    let (mut lines, mut erased, mut next) = (vec![], vec![], None::<String>);
    loop {
        let more = next.map(|next| format!("&after={}", encoded(&next))).unwrap_or_default();
        let path = format!("/v1/partner/referrals?limit=1&_lastUpdated={}{more}", encoded(since));
        let page = partner.get(&path).await.must(200).json();
        let of = |name: &str| page[name].as_array().expect("a list").clone();
        next = page["next"].as_str().map(str::to_owned);
        assert!(next.is_none() || of("items").len() + of("erased").len() == 1, "{page}");
        lines.extend(of("items"));
        erased.extend(of("erased"));
        if next.is_none() {
            break;
        }
    }
    let at = |line: &Value| line["updated_at"].as_str().expect("a time").to_owned();
    let last = lines.iter().chain(&erased).map(at).max_by_key(|at| time(at));
    Polled { lines, erased, since: last.map_or_else(|| since.to_owned(), |last| format!("gt{last}")) }
}

/// Fails unless there is one line, of what is not the partner's any more, and nothing else in it.
fn tombstone(polled: &Polled, referral: AttemptId, stage: &str) {
    let [line] = &polled.lines[..] else { panic!("{:?}", polled.lines) };
    let at = &line["updated_at"];
    assert_eq!(*line, json!({ "referral": referral, "stage": stage, "open": false, "updated_at": at }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_polls_learns_what_ended_and_what_is_not_its_to_see_any_more() {
    let world = World::start().await;
    let desk = Desk::of(&world).await;
    let partner = desk.at_partner();
    // What was never sent is nobody's else, whatever becomes of it.
    let (_, never) = desk.need().await;
    desk.step(never, json!({ "enter_in_error": { "reason": "duplicate" } })).await.must(204);
    let mut polled = poll(&world, &partner, "ge2026-01-01T00:00:00Z").await;
    assert!(polled.lines.is_empty(), "{:?}", polled.lines);
    let mut sent = vec![];
    for _ in 0..3 {
        sent.push(desk.sent().await);
    }
    polled = poll(&world, &partner, &polled.since).await;
    assert_eq!(polled.lines.len(), 3);
    assert!(polled.lines.iter().all(|line| line["open"] == true && line["reference"].is_string()));
    desk.step(sent[0].1, json!({ "withdraw": { "reason": "member_request" } })).await.must(204);
    polled = poll(&world, &partner, &polled.since).await;
    assert_eq!((&polled.lines[0]["stage"], &polled.lines[0]["open"]), (&json!("withdrawn"), &json!(false)));
    desk.step(sent[0].1, json!({ "enter_in_error": { "reason": "duplicate" } })).await.must(204);
    polled = poll(&world, &partner, &polled.since).await;
    tombstone(&polled, sent[0].1, "entered_in_error");
    desk.opened(&partner, sent[1].1).await.must(200);
    desk.answers(&partner, sent[1].1, json!({ "decline": { "reason": "no_capacity" } })).await.must(204);
    polled = poll(&world, &partner, &polled.since).await;
    tombstone(&polled, sent[1].1, "declined_by_service");
    // What is only kept is not the partner's to see, as long as it is.
    let restrict = async |member: MemberId, restricted: bool| {
        let path = format!("/v1/members/{member}/restriction");
        world.admin().put(&path, json!({ "restricted": restricted })).await.must(204);
    };
    restrict(desk.member, true).await;
    polled = poll(&world, &partner, &polled.since).await;
    tombstone(&polled, sent[2].1, "sent");
    restrict(desk.member, false).await;
    polled = poll(&world, &partner, &polled.since).await;
    assert_eq!((polled.lines.len(), &polled.lines[0]["open"]), (1, &json!(true)));
    // Nor if that is said of another record of the same person.
    let second = world.admin().register(json!({ "alias": "Kestrel" })).await;
    restrict(second, true).await;
    polled = poll(&world, &partner, &polled.since).await;
    assert!(polled.lines.is_empty(), "{:?}", polled.lines);
    let merge = json!({ "into": desk.member });
    world.admin().post(&format!("/v1/members/{second}/merge"), merge).await.must(204);
    polled = poll(&world, &partner, &polled.since).await;
    tombstone(&polled, sent[2].1, "sent");
    polled = poll(&world, &partner, &polled.since).await;
    assert!(polled.lines.is_empty() && polled.erased.is_empty());
    // Of whom was erased it is told once, whatever else is new.
    world.admin().post(&desk.path("erasure"), json!({})).await.must(200);
    polled = poll(&world, &partner, &polled.since).await;
    let erased: Vec<_> = polled.erased.iter().map(|line| line["referral"].clone()).collect();
    assert_eq!((erased.len(), polled.lines.len()), (3, 0), "{erased:?}");
    assert!(erased.contains(&json!(sent[2].1)));
    polled = poll(&world, &partner, &polled.since).await;
    assert!(polled.lines.is_empty() && polled.erased.is_empty());
    let all = poll(&world, &partner, "ge2026-01-01T00:00:00Z").await;
    assert_eq!((all.erased.len(), all.lines.len()), (3, 0));
    world.must_be_sound().await;
}
