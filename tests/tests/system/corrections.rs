//! What was recorded wrong of an enrolment, or late, is corrected; places beyond the number; turns that are moved.

use domain::{GroupId, MemberId};
use hyper::Method;
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, World, at},
};

/// The enrolments of one group, as somebody manages them. Today is 2026-06-01.
struct Desk {
    who: Actor,
    group: GroupId,
}

impl Desk {
    async fn of(world: &World, places: u16) -> Self {
        let desk = Self { who: world.coordinator(), group: world.group().await };
        desk.who.put(&desk.path("capacity"), json!({ "places": places })).await.must(204);
        desk
    }

    fn by(&self, who: Actor) -> Self {
        Self { who, group: self.group }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/groups/{}/{rest}", self.group)
    }

    async fn enrol(&self, member: MemberId, more: Value) -> Answer {
        let mut body = more;
        body["member"] = json!(member);
        self.who.post(&self.path("enrolments"), body).await
    }

    async fn say(&self, member: MemberId, what: &str, body: Value) -> Answer {
        self.who.post(&self.path(&format!("enrolments/{member}/{what}")), body).await
    }

    async fn correct(&self, member: MemberId, since: &str, more: Value) -> Answer {
        let mut body = more;
        (body["since"], body["reason"]) = (json!(since), json!("typed_wrong"));
        self.say(member, "correction", body).await
    }

    async fn turn(&self, member: MemberId, after: Option<MemberId>) -> Answer {
        let body = json!({ "after": after, "reason": "her sister is next" });
        self.who.put(&self.path(&format!("applications/{member}/turn")), body).await
    }

    /// Aliases, first days and last days of those on the roster that day.
    async fn on(&self, day: &str) -> Vec<(String, String, Option<String>)> {
        let lines = self.who.pages(&self.path(&format!("roster?on={day}")), 50).await;
        let text = |line: &Value, field: &str| line[field].as_str().map(str::to_owned);
        let line = |line: &Value| {
            (text(line, "called").unwrap_or_default(), text(line, "starts_on").unwrap(), text(line, "ends_on"))
        };
        let mut all: Vec<_> = lines.iter().map(line).collect();
        all.sort();
        all
    }

    async fn waiting(&self) -> Vec<String> {
        let lines = self.who.pages(&self.path("roster?stage=waitlisted"), 2).await;
        for (turn, line) in (1..).zip(&lines) {
            assert_eq!(line["waiting"], turn, "{lines:?}");
        }
        lines.iter().map(|line| line["called"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

async fn people<const N: usize>(world: &World, names: [&str; N]) -> [MemberId; N] {
    let mut all = Vec::with_capacity(N);
    for name in names {
        all.push(world.admin().register(json!({ "alias": name })).await);
    }
    all.try_into().expect("as many")
}

fn line(name: &str, starts_on: &str, ends_on: Option<&str>) -> (String, String, Option<String>) {
    (name.into(), starts_on.into(), ends_on.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_wrong_is_put_right_in_a_group_that_is_full_today() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [ann, bob, cat] = people(&world, ["Ann", "Bob", "Cat"]).await;
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    desk.enrol(bob, json!({ "starts_on": "2026-05-01", "if_full": "wait" })).await.must(201);
    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-03-31", "reason": "moved away" })).await.must(204);
    // The end comes forward, later, and is of the other kind, while Bob has the place.
    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-02-28" })).await.must(204);
    desk.say(ann, "completion", json!({ "ends_on": "2026-04-30" })).await.must(204);
    desk.say(ann, "completion", json!({ "ends_on": "2026-06-01" })).await.refused(409, "group-full");
    desk.correct(ann, "2026-01-01", json!({ "ends_on": null })).await.refused(409, "group-full");
    desk.correct(ann, "2026-01-01", json!({ "starts_on": "2026-01-08", "ended_as": "withdrawn" })).await.must(204);
    desk.correct(ann, "2026-01-01", json!({ "starts_on": "2026-01-09" })).await.refused(409, "no-such-enrolment");
    world.settle().await;
    assert_eq!(desk.on("2026-02-01").await, [line("Ann", "2026-01-08", Some("2026-04-30"))]);
    assert_eq!(desk.on("2026-06-02").await, [line("Bob", "2026-06-01", None)]);
    // Taken back and recorded again, it is what it was.
    let in_error = json!({ "since": "2026-01-08", "reason": "wrong_day" });
    desk.say(ann, "entered-in-error", in_error).await.must(204);
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    // Somebody who was never recorded.
    desk.enrol(cat, json!({ "starts_on": "2026-02-01" })).await.refused(409, "group-full");
    desk.enrol(cat, json!({ "starts_on": "2026-02-01", "ends_on": "2026-06-01" })).await.refused(409, "group-full");
    let wait = json!({ "starts_on": "2026-02-01", "ends_on": "2026-06-30", "if_full": "wait" });
    desk.enrol(cat, wait).await.refused(422, "malformed");
    let over = json!({ "starts_on": "2026-02-01", "ends_on": "2026-05-31", "ended_as": "completed" });
    desk.enrol(cat, over).await.must(201);
    desk.enrol(cat, json!({ "starts_on": "2026-05-31", "ends_on": "2026-05-31" }))
        .await
        .refused(409, "enrolments-meet");
    world.settle().await;
    let both = [line("Ann", "2026-01-01", Some("2026-04-30")), line("Cat", "2026-02-01", Some("2026-05-31"))];
    assert_eq!(desk.on("2026-02-01").await, both);
    assert_eq!(desk.who.pages(&desk.path("roster?stage=completed"), 9).await[0]["called"], "Cat");
    assert_eq!(desk.on("2026-06-02").await, [line("Bob", "2026-06-01", None)]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_earlier_than_was_known_leaves_the_place_to_whoever_waits() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [cat, dan] = people(&world, ["Cat", "Dan"]).await;
    desk.enrol(cat, json!({ "starts_on": "2026-01-01" })).await.must(201);
    desk.say(cat, "completion", json!({ "ends_on": "2026-12-31" })).await.must(204);
    desk.by(world.facilitator([desk.group])).say(cat, "withdrawal", json!({ "ends_on": "2026-06-09" })).await.must(204);
    desk.enrol(dan, json!({ "starts_on": "2026-06-01", "if_full": "wait" })).await.must(201);
    let fay = desk.by(world.facilitator([desk.group]));
    fay.say(cat, "withdrawal", json!({ "ends_on": "2026-06-05" })).await.must(204);
    fay.say(cat, "withdrawal", json!({ "ends_on": "2026-06-06" })).await.refused(409, "enrolment-ended");
    // Dan is to come on the tenth: one day of that is not Cat's any more, by a coordinator's word.
    desk.say(cat, "withdrawal", json!({ "ends_on": "2026-06-10" })).await.refused(409, "group-full");
    desk.correct(dan, "2026-06-10", json!({ "starts_on": "2026-06-06" })).await.must(204);
    world.settle().await;
    assert_eq!(desk.on("2026-06-05").await, [line("Cat", "2026-01-01", Some("2026-06-05"))]);
    assert_eq!(desk.on("2026-06-06").await, [line("Dan", "2026-06-06", None)]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_beyond_the_number_is_a_coordinators_decision() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [ann, bob, cat] = people(&world, ["Ann", "Bob", "Cat"]).await;
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    desk.enrol(bob, json!({ "starts_on": "2026-06-01", "if_full": "wait" })).await.must(201);
    let exceed = json!({ "starts_on": "2026-06-01", "if_full": "exceed", "beyond_reason": "urgent" });
    desk.by(world.facilitator([desk.group])).enrol(cat, exceed.clone()).await.refused(403, "forbidden");
    desk.enrol(cat, exceed).await.must(201);
    // Nobody comes for either until one more has left.
    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-06-01" })).await.must(204);
    world.settle().await;
    assert_eq!(desk.waiting().await, ["Bob"]);
    // Ann's end was an error; her place is none that anybody has.
    desk.correct(ann, "2026-01-01", json!({ "ends_on": null })).await.refused(409, "group-full");
    let mistake = json!({ "ends_on": null, "if_full": "exceed", "beyond_reason": "our_mistake" });
    desk.correct(ann, "2026-01-01", mistake.clone()).await.must(204);
    let again = desk.correct(ann, "2026-01-01", mistake).await.must(204);
    desk.who.read(&desk.path("roster"), again.at()).await.must(200);
    let there = [line("Ann", "2026-01-01", None), line("Cat", "2026-06-01", None)];
    assert_eq!(desk.on("2026-06-02").await, there);
    let beyond: Vec<_> = world
        .written(desk.group)
        .await
        .into_iter()
        .filter_map(|(name, data)| data.get("beyond").map(|why| (name, why.clone())))
        .collect();
    let expected = [("enrolment.started", json!("urgent")), ("enrolment.corrected", json!("our_mistake"))];
    assert_eq!(beyond, expected.map(|(name, why)| (name.to_owned(), why)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_on_the_waiting_list_are_moved_with_a_reason_that_is_read_in_the_record() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [ann, bob, cat, dan, eve] = people(&world, ["Ann", "Bob", "Cat", "Dan", "Eve"]).await;
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    for waits in [bob, cat, dan, eve] {
        desk.enrol(waits, json!({ "starts_on": "2026-06-01", "if_full": "wait" })).await.must(201);
    }
    desk.by(world.facilitator([desk.group])).turn(eve, None).await.refused(403, "forbidden");
    desk.turn(eve, Some(bob)).await.must(204);
    desk.turn(dan, None).await.must(204);
    desk.turn(bob, Some(ann)).await.refused(409, "not-waiting");
    desk.turn(ann, None).await.refused(409, "not-asking");
    let at = desk.turn(dan, None).await.must(204).at();
    desk.who.read(&desk.path("roster"), at).await.must(200);
    assert_eq!(desk.waiting().await, ["Dan", "Bob", "Eve", "Cat"]);
    let record = world.admin().read(&format!("/v1/members/{eve}/record"), at).await.must(200).json();
    assert_eq!(record["reasons"][0]["reason"], "her sister is next", "{}", record["reasons"]);
    assert_eq!(record["reasons"][0]["given_for"], "turn");
    // Whoever is first now gets the place.
    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-06-01" })).await.must(204);
    let fay = people(&world, ["Fay"]).await[0];
    desk.enrol(fay, json!({ "starts_on": "2026-06-01", "if_full": "wait" })).await.must(201);
    world.settle().await;
    assert_eq!(desk.waiting().await, ["Bob", "Eve", "Cat", "Fay"]);
    assert_eq!(desk.on("2026-06-02").await, [line("Dan", "2026-06-02", None)]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_move_turns_at_the_same_time_move_whom_they_mean() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [ann, bob, cat, dan] = people(&world, ["Ann", "Bob", "Cat", "Dan"]).await;
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    for waits in [bob, cat, dan] {
        desk.enrol(waits, json!({ "starts_on": "2026-06-01", "if_full": "wait" })).await.must(201);
    }
    for _ in 0..8 {
        let (one, other) = tokio::join!(desk.turn(bob, Some(cat)), desk.turn(dan, None));
        one.must(204);
        other.must(204);
        world.settle().await;
        let line = desk.waiting().await;
        let at = |name: &str| line.iter().position(|one| one == name).expect("waits");
        // Whichever came first: Dan first, or Dan first and Bob behind Cat.
        assert_eq!(at("Dan"), 0, "{line:?}");
        assert_eq!(at("Bob"), at("Cat") + 1, "{line:?}");
        desk.turn(bob, None).await.must(204);
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_outside_of_a_corrected_enrolment_stay() {
    let world = World::start().await;
    let desk = Desk::of(&world, 5).await;
    let [ann, bob] = people(&world, ["Ann", "Bob"]).await;
    for member in [ann, bob] {
        desk.enrol(member, json!({ "starts_on": "2026-01-01" })).await.must(201);
    }
    let meeting = world.open_meeting(desk.group).await;
    desk.who.mark(meeting, ann, "present").await.must(204);
    desk.who.post(&at(meeting, "hold"), Value::Null).await.must(204);
    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-05-31" })).await.must(204);
    let corrected = desk.correct(ann, "2026-01-01", json!({ "ends_on": "2026-05-30" })).await.must(204).at();
    let register = desk.who.read(&at(meeting, "register"), corrected).await.must(200).json();
    let of = |member: MemberId| {
        let lines = register["members"].as_array().expect("lines");
        lines.iter().find(|line| line["member"] == json!(member)).expect("is there").clone()
    };
    assert_eq!(of(ann)["mark"], "present", "{register}");
    assert_eq!(register["meeting"]["marks"]["present"], 1);
    desk.who.mark(meeting, ann, "late").await.refused(409, "register-closed");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_enrolments_and_ids_of_nobody_are_corrected_by_nobody() {
    let world = World::start().await;
    let desk = Desk::of(&world, 1).await;
    let [ann] = people(&world, ["Ann"]).await;
    desk.enrol(ann, json!({ "starts_on": "2026-01-01" })).await.must(201);
    let elsewhere = desk.by(world.admin_of("elsewhere"));
    elsewhere.correct(ann, "2026-01-01", json!({})).await.refused(404, "unknown-group");
    elsewhere.turn(ann, None).await.refused(404, "unknown-group");
    let nobody = MemberId(uuid::Uuid::from_u128(7));
    desk.correct(nobody, "2026-01-01", json!({})).await.refused(404, "not-enrolled");
    desk.turn(nobody, None).await.refused(404, "not-enrolled");
    for wrong in [json!({ "ends_on": 7 }), json!({ "if_full": "wait" }), json!({ "starts_on": "03/04/2026" })] {
        desk.correct(ann, "2026-01-01", wrong).await.refused(422, "malformed");
    }
    // The same command again is answered as the first time; another one with its key is not.
    let path = desk.path(&format!("enrolments/{ann}/correction"));
    let body = json!({ "since": "2026-01-01", "starts_on": "2026-01-02", "reason": "other" });
    desk.who.command(Method::POST, &path, "once", &body).await.must(204);
    assert!(desk.who.command(Method::POST, &path, "once", &body).await.must(204).replayed());
    let other = json!({ "since": "2026-01-02", "starts_on": "2026-01-03", "reason": "other" });
    desk.who.command(Method::POST, &path, "once", &other).await.refused(422, "idempotency-key-reused");
    world.must_be_sound().await;
}
