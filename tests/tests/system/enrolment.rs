//! From the application to the last day: stages, places, the waiting list.

use domain::{GroupId, MemberId};
use hyper::Method;
use serde_json::{Value, json};
use tests::world::{Actor, World, at};
use uuid::Uuid;

/// The enrolments of one group, as somebody manages them.
struct Desk {
    who: Actor,
    group: GroupId,
}

impl Desk {
    fn path(&self, rest: &str) -> String {
        format!("/v1/groups/{}/{rest}", self.group)
    }

    async fn apply(&self) -> MemberId {
        self.who.post(&self.path("applications"), json!({})).await.must(201).id("member")
    }

    async fn enrol(&self, member: MemberId, starts_on: &str, if_full: &str) -> tests::http::Answer {
        let body = json!({ "member": member, "starts_on": starts_on, "if_full": if_full });
        self.who.post(&self.path("enrolments"), body).await
    }

    async fn say(&self, member: MemberId, what: &str, body: Value) -> tests::http::Answer {
        self.who.post(&self.path(&format!("enrolments/{member}/{what}")), body).await
    }

    async fn capacity(&self, places: Value) -> tests::http::Answer {
        self.who.put(&self.path("capacity"), json!({ "places": places })).await
    }

    /// Members of a list of the group's.
    async fn members(&self, query: &str) -> Vec<MemberId> {
        let lines = self.who.pages(&self.path(&format!("roster?{query}")), 2).await;
        lines.into_iter().map(|line| serde_json::from_value(line["member"].clone()).expect("an id")).collect()
    }
}

fn sorted<const N: usize>(mut members: [MemberId; N]) -> [MemberId; N] {
    members.sort();
    members
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_applies_waits_is_promoted_when_another_leaves_comes_and_completes() {
    let world = World::start().await;
    let group = world.group().await;
    let desk = Desk { who: world.coordinator(), group };
    desk.capacity(2.into()).await.must(204);
    let [ann, bob] = world.enrolled(group).await;
    let (cid, dan) = (desk.apply().await, desk.apply().await);
    desk.enrol(cid, "2026-06-01", "refuse").await.refused(409, "group-full");
    desk.enrol(cid, "2026-06-01", "wait").await.must(201);
    desk.enrol(dan, "2026-06-01", "wait").await.must(201);
    world.settle().await;
    assert_eq!(desk.members("stage=waitlisted").await, [cid, dan]);
    assert_eq!(desk.members("on=2026-06-02").await, sorted([ann, bob]));

    desk.say(ann, "withdrawal", json!({ "ends_on": "2026-06-01" })).await.must(204);
    let meeting = world.open_meeting(group).await;
    desk.who.mark(meeting, ann, "present").await.refused(409, "not-on-roster");
    desk.who.mark(meeting, dan, "present").await.refused(409, "not-on-roster");
    desk.who.mark(meeting, cid, "present").await.must(204);
    let held = desk.who.post(&at(meeting, "hold"), Value::Null).await.must(204).at();
    let register = desk.who.read(&at(meeting, "register"), held).await.must(200).json();
    let on: Vec<_> = register["members"].as_array().expect("lines").iter().map(|line| line["member"].clone()).collect();
    assert_eq!(on, sorted([bob, cid]).map(|member| json!(member)), "exactly those on the roster that day");
    assert_eq!(desk.members("stage=active").await, [cid]);
    assert_eq!(desk.members("stage=enrolled").await, [bob]);
    assert_eq!(desk.members("stage=withdrawn").await, [ann]);

    let completed = desk.say(cid, "completion", json!({ "ends_on": "2026-06-30" })).await.must(204).at();
    let expected = [
        ("capacity.set", json!({ "places": 2 })),
        ("enrolment.started", json!({ "member": ann, "starts_on": "2026-01-01" })),
        ("enrolment.started", json!({ "member": bob, "starts_on": "2026-01-01" })),
        ("enrolment.applied", json!({ "member": cid, "on": "2026-06-01" })),
        ("enrolment.applied", json!({ "member": dan, "on": "2026-06-01" })),
        ("enrolment.waitlisted", json!({ "member": cid, "on": "2026-06-01", "starts_on": "2026-06-01" })),
        ("enrolment.waitlisted", json!({ "member": dan, "on": "2026-06-01", "starts_on": "2026-06-01" })),
        ("enrolment.ended", json!({ "member": ann, "ends_on": "2026-06-01" })),
        ("enrolment.promoted", json!({ "member": cid, "starts_on": "2026-06-02" })),
        ("enrolment.completed", json!({ "member": cid, "ends_on": "2026-06-30" })),
        ("enrolment.promoted", json!({ "member": dan, "starts_on": "2026-07-01" })),
    ];
    let written = world.written(group).await.into_iter().filter(|(name, _)| !name.starts_with("group."));
    assert_eq!(written.collect::<Vec<_>>(), expected.map(|(name, data)| (name.to_owned(), data)));
    let view = desk.who.read(&format!("/v1/members/{cid}"), completed).await.must(200).json();
    let span =
        json!({ "stage": "active", "starts_on": "2026-06-02", "ends_on": "2026-06-30", "asked_on": "2026-06-01" });
    assert_eq!(view["groups"][0]["enrolments"], json!([span]));
    assert_eq!(desk.members("on=2026-07-01").await, sorted([bob, dan]));
    assert_eq!(desk.members("on=2026-07-01&stage=completed").await, [cid]);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_list_is_first_come_first_served_and_shows_whose_turn_it_is() {
    let world = World::start().await;
    let group = world.group().await;
    let desk = Desk { who: world.coordinator(), group };
    desk.capacity(1.into()).await.must(204);
    world.enrolled::<1>(group).await;
    let mut waiting = Vec::new();
    for n in 1..6 {
        // The ids come in the other order.
        let member = MemberId(Uuid::from_u128(100 - n));
        desk.who.post("/v1/members", json!({ "member": member })).await.must(201);
        desk.enrol(member, "2026-06-01", "wait").await.must(201);
        waiting.push(member);
    }
    desk.say(waiting[1], "cancellation", json!({ "reason": "found_another" })).await.must(204);
    desk.who
        .post(&desk.path(&format!("applications/{}/decline", waiting[3])), json!({ "reason": "not_suited" }))
        .await
        .must(204);
    world.settle().await;
    let lines = desk.who.pages(&desk.path("roster?stage=waitlisted"), 1).await;
    let turns: Vec<_> = lines.iter().map(|line| (line["member"].clone(), line["waiting"].clone())).collect();
    assert_eq!(turns, [(0, 1), (2, 2), (4, 3)].map(|(who, turn)| (json!(waiting[who]), json!(turn))));
    let view = desk.who.get(&format!("/v1/groups/{group}")).await.must(200).json();
    assert_eq!(view["places"], json!({ "capacity": 1, "waitlisted": 3, "applied": 0 }));
    // Two more places: two more members, and no more.
    desk.capacity(3.into()).await.must(204);
    // Fewer again: nobody is sent away, and nobody comes.
    let fewer = desk.capacity(1.into()).await.must(204).at();
    desk.who.read(&desk.path("roster"), fewer).await.must(200);
    assert_eq!(desk.members("stage=waitlisted").await, [waiting[4]]);
    assert_eq!(desk.members("stage=declined").await, [waiting[3]]);
    assert_eq!(desk.members("stage=withdrawn").await, [waiting[1]]);
    assert_eq!(desk.members("").await.len(), 3);
    let unlimited = desk.capacity(Value::Null).await.must(204).at();
    desk.who.read(&desk.path("roster"), unlimited).await.must(200);
    assert_eq!(desk.members("").await.len(), 4);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capacity_is_said_and_possible() {
    let world = World::start().await;
    let desk = Desk { who: world.coordinator(), group: world.group().await };
    for impossible in [json!(0), json!(2_001), json!(-1), json!(1.5), json!("many")] {
        desk.capacity(impossible).await.refused(422, "malformed");
    }
    desk.who.put(&desk.path("capacity"), json!({})).await.refused(422, "malformed");
    desk.who.put(&desk.path("capacity"), Value::Null).await.refused(422, "malformed");
    desk.capacity(2_000.into()).await.must(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_entered_in_error_never_was_and_frees_its_place() {
    let world = World::start().await;
    let group = world.group().await;
    let desk = Desk { who: world.facilitator([group]), group };
    let [ann] = world.enrolled(group).await;
    world.coordinator().put(&desk.path("capacity"), json!({ "places": 1 })).await.must(204);
    let bob = desk.apply().await;
    desk.enrol(bob, "2026-05-01", "wait").await.must(201);
    let wrong = json!({ "since": "2026-01-01", "reason": "wrong_member" });
    desk.say(ann, "entered-in-error", json!({ "since": "2026-01-02", "reason": "other" }))
        .await
        .refused(409, "no-such-enrolment");
    desk.say(ann, "entered-in-error", wrong.clone()).await.must(204);
    let again = desk.say(ann, "entered-in-error", wrong).await.must(204).at();
    desk.say(MemberId(Uuid::from_u128(1)), "entered-in-error", json!({ "since": "2026-01-01", "reason": "other" }))
        .await
        .refused(404, "not-enrolled");
    let types = world.types_of(group).await;
    assert_eq!(types[types.len() - 2..], ["enrolment.entered_in_error", "enrolment.promoted"]);
    desk.who.read(&desk.path("roster"), again).await.must(200);
    assert_eq!(desk.members("on=2026-06-01").await, [bob], "not before today, whatever was wished");
    assert!(desk.members("on=2026-05-31").await.is_empty());
    let view = world.admin().get(&format!("/v1/members/{ann}")).await.must(200).json();
    assert_eq!(view["groups"], json!([]), "registered, and nothing else");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_can_still_cancel_and_who_came_is_withdrawn() {
    let world = World::start().await;
    let desk = Desk { who: world.coordinator(), group: world.group().await };
    let (ann, bob) = (desk.apply().await, desk.apply().await);
    desk.enrol(ann, "2026-06-02", "refuse").await.must(201);
    desk.enrol(bob, "2026-06-02", "refuse").await.must(201);
    let reason = json!({ "reason": "time" });
    // In UTC it is the day already; where the group meets it is not.
    world.set_time("2026-06-02T03:59:00Z");
    desk.say(ann, "cancellation", reason.clone()).await.must(204);
    desk.say(ann, "cancellation", reason.clone()).await.must(204);
    world.set_time("2026-06-02T04:00:00Z");
    desk.say(bob, "cancellation", reason).await.refused(409, "enrolment-started");
    desk.say(bob, "withdrawal", json!({ "ends_on": "2026-06-03" })).await.must(204);
    let ended = desk.say(bob, "completion", json!({ "ends_on": "2026-06-03" })).await;
    ended.refused(409, "enrolment-ended");
    let decline = desk.path(&format!("applications/{bob}/decline"));
    desk.who.post(&decline, json!({ "reason": "no_place" })).await.refused(409, "not-asking");
    world.settle().await;
    assert_eq!(desk.members("on=2026-06-02").await, [bob]);
    assert_eq!(desk.members("on=2026-06-02&stage=withdrawn").await, [ann]);
    assert_eq!(desk.members("on=2026-06-04&stage=withdrawn").await, sorted([ann, bob]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_manages_the_enrolments_of_their_own_groups_only() {
    let world = World::start().await;
    let (own, other) = (world.group().await, world.group().await);
    let ann = Desk { who: world.coordinator(), group: other }.apply().await;
    world.settle().await;
    let before = world.events().await.len();
    let desk = Desk { who: world.facilitator([own]), group: other };
    desk.who.post(&desk.path("applications"), json!({})).await.refused(403, "forbidden");
    desk.enrol(ann, "2026-06-01", "wait").await.refused(403, "forbidden");
    let decline = desk.path(&format!("applications/{ann}/decline"));
    desk.who.post(&decline, json!({ "reason": "no_place" })).await.refused(403, "forbidden");
    desk.say(ann, "completion", json!({ "ends_on": "2026-06-01" })).await.refused(403, "forbidden");
    desk.say(ann, "cancellation", json!({ "reason": "other" })).await.refused(403, "forbidden");
    let error = json!({ "since": "2026-06-01", "reason": "other" });
    desk.say(ann, "entered-in-error", error).await.refused(403, "forbidden");
    desk.who.get(&desk.path("roster?stage=applied")).await.refused(403, "forbidden");
    // Places are not for facilitators to give, not even in their own group.
    Desk { who: desk.who.clone(), group: own }.capacity(9.into()).await.refused(403, "forbidden");
    assert_eq!(world.events().await.len(), before);
    assert_ne!(Desk { who: desk.who, group: own }.apply().await, ann);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_or_promotion_sent_again_happens_once_also_after_what_came_later() {
    let mut world = World::start().await;
    let group = world.group().await;
    let admin = world.admin();
    let path = |rest: &str| format!("/v1/groups/{group}/{rest}");
    let first = admin.command(Method::POST, &path("applications"), "apply", &json!({})).await.must(201);
    let again = admin.command(Method::POST, &path("applications"), "apply", &json!({})).await.must(201);
    assert_eq!((again.body.clone(), again.at(), again.replayed()), (first.body.clone(), first.at(), true));
    let bob: MemberId = first.id("member");
    let [ann] = world.enrolled(group).await;
    admin.put(&path("capacity"), json!({ "places": 1 })).await.must(204);
    let wish = json!({ "member": bob, "starts_on": "2026-06-01", "if_full": "wait" });
    admin.post(&path("enrolments"), wish).await.must(201);
    let (leave, body) = (path(&format!("enrolments/{ann}/withdrawal")), json!({ "ends_on": "2026-06-01" }));
    let left = admin.command(Method::POST, &leave, "leave", &body).await.must(204);
    let cancellation = path(&format!("enrolments/{bob}/cancellation"));
    admin.post(&cancellation, json!({ "reason": "changed_mind" })).await.must(204);
    let before = world.events().await.len();
    world.restart(|_| ()).await;
    // Late duplicates bring nobody back.
    let admin = world.admin();
    let again = admin.command(Method::POST, &leave, "leave", &body).await.must(204);
    assert!(again.replayed() && again.at() == left.at());
    let again = admin.command(Method::POST, &path("applications"), "apply", &json!({})).await.must(201);
    assert!(again.replayed() && again.body == first.body);
    assert_eq!(world.events().await.len(), before);
    world.must_be_sound().await;
}
