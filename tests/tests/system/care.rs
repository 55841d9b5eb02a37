//! Check-ins, goals and concerns: what is answered is scored and sealed, and nobody who may be in danger is overlooked.

use domain::{GroupId, MemberId};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, World, details, remove_views},
};

use crate::guide::{self, Shell};

/// Nine answers to the PHQ-9.
fn phq(answers: [u8; 9]) -> Value {
    let answers: serde_json::Map<_, _> =
        (1..).zip(answers).map(|(n, raw): (u8, _)| (n.to_string(), json!(raw))).collect();
    json!({ "instrument": "phq-9", "given": { "answers": answers } })
}

/// An organisation that takes check-ins: a programme with a group, whose seat Ben holds, and one member.
struct Place<'a> {
    world: &'a World,
    group: GroupId,
    member: MemberId,
    admin: Actor,
}

impl<'a> Place<'a> {
    async fn of(world: &'a World) -> Self {
        let admin = world.admin();
        let programme = world.programme().await;
        let group = admin.group(programme, "Steps").await;
        let [member] = world.enrolled(group).await;
        let place = Self { world, group, member, admin };
        place.put("/v1/duty-seat", json!({ "holder": "ann" })).await;
        place.put(&format!("/v1/programmes/{programme}/duty-seat"), json!({ "holder": "ben" })).await;
        place.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123, at any hour" })).await;
        place.put("/v1/crisis-texts/de", json!({ "text": "Rufen Sie 0800 1110111 an" })).await;
        place.put("/v1/instruments/phq-9/use", json!({ "version": 1 })).await;
        place
    }

    async fn put(&self, path: &str, body: Value) {
        self.admin.put(path, body).await.must(204);
    }

    fn of_member(&self, what: &str) -> String {
        format!("/v1/members/{}/{what}", self.member)
    }

    async fn check_in(&self, who: &Actor, mut body: Value, more: Value) -> Value {
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        who.post(&self.of_member("check-ins"), body).await.must(201).json()
    }

    /// What is read once all that was written is seen.
    async fn seen(&self, who: &Actor, path: &str) -> Answer {
        self.world.settle().await;
        who.get(path).await
    }

    async fn journey(&self, who: &Actor) -> Value {
        self.seen(who, &self.of_member("journey")).await.must(200).json()
    }

    async fn concerns(&self, who: &Actor) -> Vec<Value> {
        self.world.settle().await;
        who.pages("/v1/concerns", 50).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_speaks_of_danger_tells_the_duty_coordinator_before_it_is_answered() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let facilitator = world.facilitator([place.group]);
    let said = place
        .check_in(&facilitator, phq([1, 1, 1, 1, 1, 1, 1, 1, 1]), json!({ "group": place.group, "language": "de" }))
        .await;
    assert_eq!(said["duty_coordinator_told"], true);
    assert_eq!(said["say"]["text"], "Rufen Sie 0800 1110111 an", "in the language in which it was asked");
    let said = said.to_string();
    assert!(!said.contains("score") && !said.contains("mild"), "no score is answered: {said}");

    // The check-in and the concern are one append.
    let types = world.types_of(place.member).await;
    assert!(types.ends_with(&["check_in.recorded".into(), "concern.raised".into()]), "{types:?}");
    let waiting = place.concerns(&world.coordinator()).await;
    let [concern] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((&concern["owner"], &concern["urgency"]), (&json!("ben"), &json!("prompt")));
    assert_eq!(concern["acknowledge_by"], "2026-06-01T16:00:00Z");

    // What it is for is shown to coordinators, each time with a line in the audit, and never to the facilitator.
    let path = place.of_member(&format!("concerns/{}", concern["concern"].as_str().unwrap()));
    let shown = place.seen(&world.coordinator(), &path).await.must(200).json();
    assert_eq!(shown["cause"]["risk_answer"]["items"], json!(["9"]));
    let looks = async || {
        world.settle().await;
        let accesses = place.admin.pages(&place.of_member("accesses"), 50).await;
        accesses.iter().filter(|access| access["operation"] == "show_concern").count()
    };
    assert_eq!(looks().await, 1);
    world.coordinator().get(&path).await.must(200);
    assert_eq!(looks().await, 2);
    for path in [&path, &place.of_member("journey"), "/v1/concerns"] {
        facilitator.get(path).await.must(403);
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_danger_that_was_left_blank_is_a_lesser_item_and_no_alarm() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let mut blank = phq([1, 1, 1, 1, 2, 1, 2, 0, 0]);
    blank["given"]["answers"]["8"] = "declined".into();
    blank["given"]["answers"].as_object_mut().unwrap().remove("9");
    let said = place.check_in(&world.coordinator(), blank, json!({})).await;
    assert_eq!((&said["duty_coordinator_told"], said.get("say")), (&json!(false), None));
    let waiting = place.concerns(&world.coordinator()).await;
    assert_eq!((waiting.len(), &waiting[0]["urgency"]), (1, &json!("routine")));
    assert_eq!(waiting[0]["owner"], "ann", "it came up in no programme: the organisation's seat");
    let scored = &place.journey(&world.coordinator()).await["check_ins"][0]["scored"];
    assert_eq!(scored["risk"], json!({ "not_answered": ["9"] }));
    assert_eq!(scored["scores"]["total"]["scored"]["from_items"]["answered"], 7, "{scored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concern_goes_further_at_its_minute_until_somebody_acknowledges_it() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    place.put("/v1/concern-deadlines", json!({ "concern_minutes": 30, "not_answered_minutes": 60 })).await;
    place.check_in(&world.coordinator(), phq([0, 0, 0, 0, 0, 0, 0, 0, 3]), json!({ "group": place.group })).await;
    let now = async |time: &str| {
        world.set_time(time);
        let waiting = place.concerns(&world.coordinator()).await;
        (waiting[0]["escalation"].as_str().unwrap().to_owned(), waiting[0]["owner"].as_str().unwrap().to_owned())
    };
    let is = |escalation: &str, owner: &str| (escalation.to_owned(), owner.to_owned());
    assert_eq!(now("2026-06-01T12:29:59Z").await, is("none", "ben"));
    assert_eq!(now("2026-06-01T12:30:00Z").await, is("organisation", "ann"));
    assert_eq!(now("2026-06-01T12:59:59Z").await, is("organisation", "ann"));
    assert_eq!(now("2026-06-01T13:00:00Z").await, is("everybody", "ann"));
    let waiting = place.concerns(&world.coordinator()).await;
    let path = place.of_member(&format!("concerns/{}", waiting[0]["concern"].as_str().unwrap()));
    let coordinator = world.coordinator();
    coordinator.post(&format!("{path}/acknowledgement"), Value::Null).await.must(204);
    let shown = place.seen(&coordinator, &path).await.must(200).json();
    assert_eq!((&shown["escalation"], shown.get("resolved_at")), (&json!("none"), None));
    let settled = json!({ "outcome": "spoken", "note": "is safe" });
    coordinator.post(&format!("{path}/resolution"), settled.clone()).await.must(204);
    assert_eq!(place.concerns(&coordinator).await, [] as [Value; 0]);
    place.admin.post(&format!("{path}/resolution"), settled).await.refused(409, "concern-resolved");
    assert_eq!(place.seen(&coordinator, &path).await.must(200).json()["note"], "is safe");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_raise_a_concern_before_somebody_would_be_told() {
    let world = World::start().await;
    let admin = world.admin();
    let [member] = world.enrolled(world.group().await).await;
    let take = json!({ "version": 1 });
    admin.put("/v1/instruments/phq-9/use", take.clone()).await.refused(409, "no-duty-seat");
    let worry = json!({ "words": "did not say goodbye" });
    admin.post(&format!("/v1/members/{member}/concerns"), worry).await.refused(409, "no-duty-seat");
    admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
    admin.put("/v1/instruments/phq-9/use", take.clone()).await.refused(409, "no-crisis-text");
    admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
    admin.put("/v1/instruments/phq-9/use", take).await.must(204);
    admin.put("/v1/instruments/phq-9/use", json!({ "version": 9 })).await.refused(404, "unknown-instrument");
    let unused = json!({ "instrument": "gad-7", "given": { "answers": { "1": 0 } } });
    admin.post(&format!("/v1/members/{member}/check-ins"), unused).await.refused(409, "instrument-not-in-use");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_do_not_fit_are_named_and_nothing_of_them_is_said() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let mut wrong = phq([0; 9]);
    (wrong["given"]["answers"]["3"], wrong["given"]["answers"]["thirst"]) = (json!(77), json!(1));
    let refused = world.coordinator().post(&place.of_member("check-ins"), wrong).await.refused(422, "malformed");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("`3` must be 0 to 3") && detail.contains("`thirst`") && !detail.contains("77"), "{detail}");
    let tomorrow = json!({ "on": "2026-06-04" });
    let mut early = phq([0; 9]);
    early["on"] = tomorrow["on"].clone();
    world.coordinator().post(&place.of_member("check-ins"), early).await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_shows_scores_and_what_has_changed_and_goes_by_what_was_corrected() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let coordinator = world.coordinator();
    let on = |day: &str| json!({ "on": day });
    let first = place.check_in(&coordinator, phq([2, 2, 2, 2, 2, 2, 2, 1, 0]), on("2026-03-03")).await;
    let slip = place.check_in(&coordinator, phq([3, 3, 3, 3, 3, 3, 3, 3, 0]), on("2026-03-10")).await;
    place.check_in(&coordinator, phq([1, 1, 1, 1, 1, 1, 1, 1, 0]), on("2026-04-07")).await;
    let total = |journey: &Value, nth: usize| {
        let scored = &journey["check_ins"][nth]["scored"]["scores"]["total"]["scored"];
        scored["value"].clone()
    };
    let journey = place.journey(&coordinator).await;
    assert_eq!((0..3).map(|nth| total(&journey, nth)).collect::<Vec<_>>(), [15, 24, 8]);

    // 15 → 8: an improvement of 7 reaches the reliable change of 6.
    let change = &journey["changes"][0];
    assert_eq!((&change["first"], &change["last"]), (&json!(15), &json!(8)));
    assert_eq!(change["held_against"][0]["verdict"], "improved", "{change}");

    // What was entered in error counts for nothing, what was wrong is corrected; the other check-ins stay as they are.
    let of = |check_in: &Value, what: &str| {
        place.of_member(&format!("check-ins/{}/{what}", check_in["check_in"].as_str().unwrap()))
    };
    let why = json!({ "reason": "it was another's" });
    coordinator.post(&of(&slip, "entered-in-error"), why.clone()).await.must(204);
    let mut right = phq([1, 1, 1, 1, 1, 1, 1, 1, 0]);
    let corrected = json!({ "given": right["given"].take(), "reason": "misread" });
    coordinator.post(&of(&first, "correction"), corrected).await.must(200);
    let journey = place.journey(&coordinator).await;
    assert_eq!(journey["check_ins"].as_array().unwrap().len(), 2);
    assert_eq!((total(&journey, 0), total(&journey, 1)), (json!(8), json!(8)));
    assert_eq!(journey["changes"][0]["held_against"][0]["verdict"], "no_change");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_who_may_be_in_danger_or_worries_about_somebody() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let (member, coordinator) = (world.member(place.member), world.coordinator());
    member.put(&place.of_member("restriction"), json!({ "restricted": true })).await.must(204);
    coordinator.post(&place.of_member("check-ins"), phq([0; 9])).await.refused(409, "processing-restricted");
    let said = place.check_in(&member, phq([0, 0, 0, 0, 0, 0, 0, 0, 3]), json!({})).await;
    assert!(said["say"].is_object(), "{said}");
    coordinator.post(&place.of_member("concerns"), json!({ "words": "called in tears" })).await.must(201);
    assert_eq!(place.concerns(&coordinator).await.len(), 2);

    // A facilitator may worry about whoever is on a list of theirs, confirmed or not, and reads nothing by it.
    let known = coordinator.register(json!({ "alias": "Kim" })).await;
    let facilitator = world.facilitator([place.group]);
    let waits = json!({ "member": known, "starts_on": "2026-06-01" });
    facilitator.post(&format!("/v1/groups/{}/enrolments", place.group), waits).await.must(201);
    let worry = json!({ "words": "did not say goodbye", "group": place.group });
    let path = format!("/v1/members/{known}/concerns");
    facilitator.post(&path, worry.clone()).await.must(201);
    facilitator.post(&path, json!({ "words": "no group" })).await.must(404);
    let elsewhere = place.admin.group(world.programme().await, "Elsewhere").await;
    world.facilitator([elsewhere]).post(&path, worry).await.must(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_twice_or_says_nothing_is_refused_and_a_stated_score_leaves_the_question_open() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let coordinator = world.coordinator();
    let path = place.of_member("check-ins");
    let send = async |body: &str| {
        let request = Request::post(&path).header("idempotency-key", coordinator.key());
        coordinator.send(request.header("content-type", "application/json"), body.to_owned()).await
    };
    send(r#"{"instrument":"phq-9","given":{"answers":{"9":3,"9":0}}}"#).await.refused(422, "malformed");
    send(r#"{"instrument":"phq-9","given":{"answers":{}}}"#).await.refused(422, "malformed");
    send(r#"{"instrument":"phq-9","version":2,"given":{"answers":{"9":0}}}"#)
        .await
        .refused(409, "instrument-not-in-use");
    send(r#"{"instrument":"phq-9","version":1,"given":{"stated":{"total":27}}}"#).await.must(201);
    let waiting = place.concerns(&coordinator).await;
    assert_eq!((waiting.len(), &waiting[0]["urgency"]), (1, &json!("routine")));
    // What is due first is first, whatever came first.
    place.check_in(&coordinator, phq([0, 0, 0, 0, 0, 0, 0, 0, 1]), json!({})).await;
    let waiting = place.concerns(&coordinator).await;
    assert_eq!((&waiting[0]["urgency"], &waiting[1]["urgency"]), (&json!("prompt"), &json!("routine")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_to_answer_again_does_not_tell_who_may_be_in_danger_nor_who_answered_the_same() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    for _ in 0..2 {
        place.check_in(&world.coordinator(), phq([1; 9]), json!({})).await;
    }
    let log = rusqlite::Connection::open(world.data().join("log.db")).unwrap();
    let mut receipts = log.prepare("SELECT fingerprint, body FROM receipts").unwrap();
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
    let receipts = receipts.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, text(row.get(1)?)))).unwrap();
    let receipts: Vec<_> = receipts.map(Result::unwrap).filter(|(_, body)| body.contains("check_in")).collect();
    assert_eq!(receipts.len(), 2);
    assert_ne!(receipts[0].0, receipts[1].0, "equal answers are not seen to be equal");
    assert!(receipts.iter().all(|(_, body)| body.contains("false") && !body.contains("116 123")), "{receipts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn moods_are_part_of_the_journey_and_facilitators_do_not_read_it() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let meeting = world.open_meeting(place.group).await;
    let facilitator = world.facilitator([place.group]);
    let moods = json!({ "moods": [{ "member": place.member, "mood": 4 }] });
    facilitator.put(&format!("/v1/meetings/{meeting}/moods"), moods).await.must(204);
    let journey = place.journey(&world.member(place.member)).await;
    assert_eq!((&journey["moods"][0]["mood"], &journey["moods"][0]["meeting"]), (&json!(4), &json!(meeting)));
    facilitator.get(&place.of_member("journey")).await.must(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_is_set_rated_revised_and_achieved() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let member = world.member(place.member);
    let goal = member.post(&place.of_member("goals"), json!({ "words": "walk every day" })).await.must(201).json();
    let of = |goal: &Value, what: &str| place.of_member(&format!("goals/{}/{what}", goal["goal"].as_str().unwrap()));
    member.post(&of(&goal, "ratings"), json!({ "rating": 2, "on": "2026-05-01" })).await.must(204);
    world.facilitator([place.group]).post(&of(&goal, "ratings"), json!({ "rating": 6 })).await.must(204);
    member.post(&of(&goal, "ratings"), json!({ "rating": 11 })).await.must(422);
    let revised = json!({ "words": "walk to work", "revises": goal["goal"] });
    let next = member.post(&place.of_member("goals"), revised).await.must(201).json();
    member.post(&of(&goal, "ratings"), json!({ "rating": 7 })).await.refused(409, "goal-ended");
    member.post(&of(&next, "end"), json!({ "end": "achieved" })).await.must(204);
    let goals = place.journey(&member).await["goals"].clone();
    assert_eq!((&goals[0]["words"], &goals[0]["change"]), (&json!("walk every day"), &json!(4)));
    assert_eq!((&goals[0]["ended"], &goals[1]["ended"]), (&json!("revised"), &json!("achieved")));
    assert!(goals[0]["ratings"][1]["entered_by"]["assisted"].is_string());
    for nth in 0..3 {
        member.post(&place.of_member("goals"), json!({ "words": format!("goal {nth}") })).await.must(201);
    }
    let fourth = member.post(&place.of_member("goals"), json!({ "words": "one more" })).await;
    fourth.refused(409, "too-many-open-goals");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_person_has_one_journey_and_gives_it_back_when_that_is_undone() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let coordinator = world.coordinator();
    place.check_in(&coordinator, phq([1; 9]), json!({})).await;
    let second = place.admin.enrol(place.group, "2026-01-01").await;
    let path = format!("/v1/members/{second}/check-ins");
    coordinator.post(&path, phq([2; 9])).await.must(201);
    let merge = json!({ "into": place.member });
    place.admin.post(&format!("/v1/members/{second}/merge"), merge).await.must(204);
    assert_eq!(place.journey(&coordinator).await["check_ins"].as_array().unwrap().len(), 2);
    coordinator.post(&path, phq([0; 9])).await.refused(409, "member-merged");
    place.admin.post(&format!("/v1/members/{second}/unmerge"), Value::Null).await.must(204);
    assert_eq!(place.journey(&coordinator).await["check_ins"].as_array().unwrap().len(), 1);
    coordinator.post(&path, phq([0; 9])).await.must(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_erasure_no_score_opens_and_no_concern_is_listed() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    place.check_in(&world.coordinator(), phq([1; 9]), json!({})).await;
    let waiting = place.concerns(&world.coordinator()).await;
    assert_eq!(waiting.len(), 1);
    let concern = place.of_member(&format!("concerns/{}", waiting[0]["concern"].as_str().unwrap()));
    let receipt = place.admin.post(&place.of_member("erasure"), Value::Null).await.must(200).json();
    assert!(receipt.to_string().contains("care"), "the receipt says what was cleaned: {receipt}");
    assert_eq!(place.concerns(&world.coordinator()).await, [] as [Value; 0]);
    place.seen(&world.coordinator(), &place.of_member("journey")).await.must(404);
    world.coordinator().post(&place.of_member("check-ins"), phq([1; 9])).await.must(404);
    let written = world.types_of(place.member).await;
    world.coordinator().post(&format!("{concern}/acknowledgement"), Value::Null).await.must(404);
    let settled = json!({ "outcome": "spoken", "note": "is safe" });
    world.coordinator().post(&format!("{concern}/resolution"), settled).await.must(404);
    assert_eq!(world.types_of(place.member).await, written, "nothing more is written of who was erased");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_sent_again_is_answered_as_before_whatever_has_changed() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let coordinator = world.coordinator();
    let path = place.of_member("check-ins");
    let send = async || coordinator.command(Method::POST, &path, "once", &phq([1; 9])).await.must(201);
    let first = send().await;
    place.admin.command(Method::DELETE, "/v1/instruments/phq-9/use", "stop", &Value::Null).await.must(204);
    let again = send().await;
    assert!(again.replayed());
    assert_eq!(again.json(), first.json());
    assert_eq!(place.concerns(&coordinator).await.len(), 1);
    let other = coordinator.command(Method::POST, &path, "once", &phq([2; 9])).await;
    other.refused(422, "idempotency-key-reused");
}

/// A group that meets every day in a zone, in a programme that asks for the GAD-7 every four weeks.
async fn asked_in(world: &World, zone: &str) -> GroupId {
    let admin = world.admin();
    let programme = admin.programme(zone).await;
    admin.put("/v1/instruments/gad-7/use", json!({ "version": 1 })).await.must(204);
    let timing = json!({ "intake": true, "every_weeks": 4, "exit": true, "open_days": 2 });
    admin.put(&format!("/v1/programmes/{programme}/check-ins/gad-7"), timing).await.must(204);
    let schedule = json!({ "starts_on": "2026-01-01", "starts_at": "09:00:00", "duration_minutes": 60, "time_zone": zone,
        "recurrence": "FREQ=DAILY" });
    let body = json!({ "details": details(programme, "Steps"), "schedule": schedule });
    admin.post("/v1/groups", body).await.must(201).id("id")
}

#[tokio::test(flavor = "multi_thread")]
async fn check_ins_are_due_and_missed_by_the_day_where_the_group_meets_over_a_change_of_clocks() {
    // In both places clocks change between the first day and the last.
    for (zone, first, late, [begins, opens, due, missed]) in [
        (
            "Pacific/Auckland",
            "2026-03-16",
            "2026-04-14",
            ["2026-03-16T00:00:00Z", "2026-04-10T12:00:00Z", "2026-04-12T12:00:00Z", "2026-04-15T12:00:00Z"],
        ),
        (
            "America/Los_Angeles",
            "2026-03-02",
            "2026-03-31",
            ["2026-03-02T20:00:00Z", "2026-03-28T07:00:00Z", "2026-03-30T07:00:00Z", "2026-04-02T07:00:00Z"],
        ),
    ] {
        let mut world = World::start().await;
        world.set_time(begins);
        let group = asked_in(&world, zone).await;
        let member = world.admin().enrol(group, first).await;
        let listed = async |world: &World, time: &str| {
            world.set_time(time);
            world.settle().await;
            let path = format!("/v1/groups/{group}/check-ins-due");
            let due = world.facilitator([group]).get(&path).await.must(200).json();
            due["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["progress"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let before = |time: &str| {
            let time: jiff::Timestamp = time.parse().unwrap();
            (time - jiff::SignedDuration::from_secs(1)).to_string()
        };
        let answers: serde_json::Map<_, _> = (1..=7).map(|n: u8| (n.to_string(), json!(1))).collect();
        let taken = json!({ "instrument": "gad-7", "given": { "answers": answers }, "group": group });
        let path = format!("/v1/members/{member}/check-ins");
        assert_eq!(listed(&world, begins).await, ["due"], "{zone}: the first day");
        world.facilitator([group]).post(&path, taken.clone()).await.must(201);
        for round in ["as it goes", "after a rebuild"] {
            assert_eq!(listed(&world, &before(opens)).await, [] as [&str; 0], "{zone}, {round}");
            assert_eq!(listed(&world, opens).await, ["open"], "{zone}, {round}");
            assert_eq!(listed(&world, &before(due)).await, ["open"], "{zone}, {round}");
            assert_eq!(listed(&world, due).await, ["due"], "{zone}, {round}");
            assert_eq!(listed(&world, &before(missed)).await, ["due"], "{zone}, {round}");
            assert_eq!(listed(&world, missed).await, ["missed"], "{zone}, {round}");
            world.restart(remove_views).await;
        }
        // It goes by itself when its cause is gone.
        let mut taken = taken;
        taken["on"] = late.into();
        world.facilitator([group]).post(&path, taken).await.must(201);
        assert_eq!(listed(&world, missed).await, [] as [&str; 0], "{zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_does_what_it_says() {
    let world = World::start().await;
    let admin = world.admin();
    let [member] = world.enrolled(world.group().await).await;
    let mut shell = Shell::new(world.nobody(), [("TOKEN", admin.token()), ("MEMBER", member.to_string())]);
    let guide = include_str!("../../../deploy/guides/check-ins.md");
    let lines: Vec<_> = guide::lines(guide).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    let mut last = Value::Null;
    for line in lines {
        world.settle().await;
        last = shell.run(line).await;
    }
    assert_eq!(last["check_ins"][0]["scored"]["risk"], json!({ "not_answered": ["9"] }));
    assert_eq!(last["check_ins"][0]["given"]["answers"]["9"], "declined");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_is_asked_at_the_exit_by_coordinators_and_by_facilitators_no_more() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let group = place.seen(&place.admin, &format!("/v1/groups/{}", place.group)).await.must(200).json();
    let programme = group["details"]["programme"].as_str().unwrap();
    let timing = json!({ "intake": false, "exit": true, "open_days": 5 });
    place.put(&format!("/v1/programmes/{programme}/check-ins/phq-9"), timing).await;
    let left = json!({ "ends_on": "2026-05-31", "reason": "moved away" });
    let path = format!("/v1/groups/{}/enrolments/{}/withdrawal", place.group, place.member);
    place.admin.post(&path, left).await.must(204);
    let due = format!("/v1/groups/{}/check-ins-due", place.group);
    let listed = async |who: &Actor| place.seen(who, &due).await.must(200).json()["items"].as_array().unwrap().len();
    assert_eq!(listed(&world.coordinator()).await, 1);
    assert_eq!(listed(&world.facilitator([place.group])).await, 0, "they reach who has left no more");
}
