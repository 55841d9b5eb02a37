//! Registers that are opened again, marks that are taken back, whole reports at once, and who finds which meetings.

use std::collections::{BTreeMap, VecDeque};

use domain::{GroupId, MeetingId, MemberId};
use hyper::Method;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::{
    http::Answer,
    world::{Actor, World, at, encoded, mark_of, seed},
};
use uuid::Uuid;
use web::Role;

use crate::guide::{self, Shell};

fn why(reason: &str) -> Value {
    json!({ "reason": reason })
}

async fn take_back(by: &Actor, meeting: MeetingId, member: MemberId) -> Answer {
    by.command(Method::DELETE, &mark_of(meeting, member), &by.key(), &Value::Null).await
}

async fn reach(world: &World) -> Value {
    world.settle().await;
    world.admin().get("/v1/reports/reach?from=2026-06&through=2026-06").await.must(200).json()["rows"][0].clone()
}

/// The line of a member on the register, as this caller sees it.
async fn line(by: &Actor, meeting: MeetingId, member: MemberId, after: u64) -> Value {
    let register = by.read(&at(meeting, "register"), after).await.must(200).json();
    let lines = register["members"].as_array().expect("lines");
    lines.iter().find(|line| line["member"] == json!(member)).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_register_was_opened_again_is_not_held_until_it_is_closed() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob] = world.enrolled(group).await;
    let (meeting, fay, ada) = (world.open_meeting(group).await, world.facilitator([group]), world.coordinator());
    fay.mark(meeting, ann, "present").await.must(204);
    fay.post(&at(meeting, "reopen"), why("?")).await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    world.set_time("2026-06-03T12:00:00Z");
    let held = reach(&world).await;
    assert_eq!((&held["meetings_held"], &held["people"]), (&json!(1), &json!(1)));
    let counts = async |after: u64| {
        let path = format!("/v1/groups/{group}");
        let signs = ada.read(&format!("{path}/vitality"), after).await.must(200).json();
        let group = ada.read(&path, after).await.must(200).json();
        let member = ada.read(&format!("/v1/members/{ann}"), after).await.must(200).json();
        let overdue = fay.read("/v1/overdue-registers", after).await.must(200).json();
        (
            group["meetings"]["held"].clone(),
            member["groups"][0]["attended_in_a_row"].clone(),
            overdue["items"].as_array().map(Vec::len),
            signs["registers_overdue"]["shows"].clone(),
        )
    };
    assert_eq!(counts(0).await, (json!(1), json!(1), Some(0), json!("no")));

    fay.post(&at(meeting, "reopen"), json!({})).await.refused(422, "malformed");
    let reopened = fay.post(&at(meeting, "reopen"), why("bob came late")).await.must(204).at();
    fay.post(&at(meeting, "reopen"), why("said twice")).await.must(204);
    assert_eq!(counts(reopened).await, (json!(0), json!(0), Some(1), json!("yes")));
    assert_eq!(reach(&world).await["meetings_held"], 0);
    let queue = fay.get("/v1/queue?kind=register_not_reported").await.must(200).json();
    assert_eq!(queue["items"][0]["about"]["id"], json!(meeting), "{queue}");
    fay.mark(meeting, bob, "late").await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    let held = reach(&world).await;
    assert_eq!((&held["meetings_held"], &held["people"]), (&json!(1), &json!(2)));
    assert_eq!(counts(0).await, (json!(1), json!(1), Some(0), json!("no")));
    let written = world.written(meeting).await;
    let reopening = written.iter().find(|(name, _)| name == "meeting.reopened").expect("it was written");
    assert!(reopening.1["reason"].as_str().is_some_and(|reason| reason.starts_with("s1.")), "{reopening:?}");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moods_that_ended_when_the_register_was_closed_stay_away_when_it_is_opened_again() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann] = world.enrolled(group).await;
    let (meeting, fay) = (world.open_meeting(group).await, world.facilitator([group]));
    let mood = json!({ "moods": [{ "member": ann, "mood": 7 }] });
    let said = fay.put(&at(meeting, "moods"), mood.clone()).await.must(204).at();
    assert_eq!(line(&fay, meeting, ann, said).await["mood"], 7);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    let reopened = fay.post(&at(meeting, "reopen"), why("too soon")).await.must(204).at();
    assert_eq!(line(&fay, meeting, ann, reopened).await["mood"], Value::Null);
    let again = fay.put(&at(meeting, "moods"), mood).await.must(204).at();
    assert_eq!(line(&fay, meeting, ann, again).await["mood"], 7);
    let types = world.types_of(meeting).await;
    assert_eq!(types.iter().filter(|name| *name == "mood.recorded").count(), 2, "nobody can try out what was said");
    world.must_be_sound().await;
}

// Case 12, of GTBitsOfGood/VolunTrack#144.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_was_held_by_mistake_did_not_occur_and_does_not_count() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob] = world.enrolled(group).await;
    let (meeting, fay) = (world.open_meeting(group).await, world.facilitator([group]));
    fay.mark(meeting, ann, "present").await.must(204);
    fay.mark(meeting, bob, "absent").await.must(204);
    fay.put(&at(meeting, "headcount"), json!({ "heads": { "visitor": 1 } })).await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    assert_eq!(reach(&world).await["meetings_held"], 1);
    let ends = async || fay.post(&at(meeting, "did-not-occur"), why("closed by mistake")).await;
    ends().await.refused(409, "attendance-recorded");
    let correction = format!("{}/correction", mark_of(meeting, ann));
    fay.post(&correction, why("it was the other Ann, of the other group")).await.must(204);
    ends().await.refused(409, "attendance-recorded");
    let none = json!({ "heads": {}, "reason": "that was the caretaker" });
    fay.put(&at(meeting, "headcount"), none).await.must(204);
    // That bob is marked absent says of nobody that they came.
    ends().await.must(204);
    ends().await.must(204);
    assert_eq!(reach(&world).await["meetings_held"], 0);
    let counts = world.admin().get(&format!("/v1/groups/{group}")).await.must(200).json()["meetings"].clone();
    assert_eq!(counts, json!({ "held": 0, "cancelled": 0, "did_not_occur": 1, "not_reported": 0 }));
    fay.post(&at(meeting, "reopen"), why("?")).await.refused(409, "meeting-not-possible");
    fay.post(&at(meeting, "reinstate"), why("it was in the garden")).await.must(204);
    fay.post(&at(meeting, "open"), Value::Null).await.must(204);
    fay.mark(meeting, ann, "late").await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    assert_eq!(reach(&world).await["meetings_held"], 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_taken_back_and_a_walk_in_goes_while_the_register_is_open() {
    let world = World::start().await;
    let (group, other) = (world.group().await, world.group().await);
    let [ann] = world.enrolled(group).await;
    let (meeting, fay) = (world.open_meeting(group).await, world.facilitator([group]));
    let guest: MemberId = fay.post(&at(meeting, "walk-ins"), json!({ "mark": "late" })).await.must(201).id("member");
    fay.mark(meeting, ann, "present").await.must(204);
    let key = fay.key();
    let path = mark_of(meeting, ann);
    fay.command(Method::DELETE, &path, &key, &Value::Null).await.must(204);
    let back = fay.mark(meeting, ann, "late").await.must(204).at();
    // A repetition that comes late undoes nothing.
    assert!(fay.command(Method::DELETE, &path, &key, &Value::Null).await.must(204).replayed());
    assert_eq!(line(&fay, meeting, ann, back).await["mark"], "late");
    for _ in 0..2 {
        let gone = take_back(&fay, meeting, guest).await.must(204).at();
        assert_eq!(line(&fay, meeting, guest, gone).await, Value::Null);
    }
    // Of nobody, nothing is told.
    take_back(&fay, meeting, MemberId(Uuid::from_u128(7))).await.must(204);
    take_back(&world.facilitator([other]), meeting, ann).await.refused(403, "forbidden");
    take_back(&world.admin_of("south"), meeting, ann).await.refused(404, "unknown-meeting");
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    take_back(&fay, meeting, ann).await.refused(409, "register-closed");
    take_back(&fay, meeting, guest).await.must(204);
    let types = world.types_of(meeting).await;
    assert_eq!(types.iter().filter(|name| *name == "attendance.taken_back").count(), 2);
    assert_eq!(reach(&world).await["people"], 1);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_entered_by_mistake_goes_from_a_closed_register_with_a_reason() {
    let world = World::start().await;
    let group = world.group().await;
    let (meeting, ada) = (world.open_meeting(group).await, world.coordinator());
    let walks_in =
        async |body: Value| ada.post(&at(meeting, "walk-ins"), body).await.must(201).id::<MemberId>("member");
    let guest = walks_in(json!({ "mark": "late" })).await;
    let (eve, evi) = (ada.register(json!({ "alias": "Eve" })).await, ada.register(json!({ "alias": "Evi" })).await);
    walks_in(json!({ "member": eve, "mark": "late" })).await;
    walks_in(json!({ "member": evi, "mark": "present" })).await;
    ada.post(&at(meeting, "hold"), Value::Null).await.must(204);
    ada.post(&format!("/v1/members/{evi}/merge"), json!({ "into": eve })).await.must(204);
    assert_eq!(reach(&world).await["people"], 2);
    for gone in [guest, eve] {
        let path = format!("{}/correction", mark_of(meeting, gone));
        ada.post(&path, why("that was the caretaker")).await.must(204);
    }
    assert_eq!(reach(&world).await["people"], 0);
    for gone in [guest, eve, evi] {
        assert_eq!(line(&ada, meeting, gone, 0).await, Value::Null);
    }
    ada.post(&at(meeting, "did-not-occur"), why("nobody came")).await.must(204);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_persons_marks_are_taken_back_together_and_an_erased_ones_stay_nobodys() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, annie, bob] = world.enrolled(group).await;
    let (meeting, admin) = (world.open_meeting(group).await, world.admin());
    for member in [ann, annie, bob] {
        admin.mark(meeting, member, "present").await.must(204);
    }
    admin.post(&format!("/v1/members/{annie}/merge"), json!({ "into": ann })).await.must(204);
    let gone = take_back(&admin, meeting, annie).await.must(204).at();
    assert_eq!(line(&admin, meeting, ann, gone).await["mark"], Value::Null);
    admin.post(&format!("/v1/members/{bob}/erasure"), Value::Null).await.must(200);
    take_back(&admin, meeting, bob).await.must(204);
    let taken = world.types_of(meeting).await.into_iter().filter(|name| name == "attendance.taken_back").count();
    assert_eq!(taken, 2, "of whoever was erased nothing more is said");
    let said = json!({ "marks": [{ "member": bob, "mark": null, "based_on": { "mark": "present" } },
        { "member": annie, "mark": "late" }] });
    let told = admin.post(&at(meeting, "report"), said).await.must(200).json();
    let late = json!({ "mark": "late", "mode": "in_person" });
    assert_eq!(told["marks"][0], json!({ "member": bob, "became": "same", "stands": null }));
    assert_eq!(told["marks"][1], json!({ "member": annie, "became": "applied", "stands": late }));
    world.settle().await;
    let register = admin.get(&at(meeting, "register")).await.must(200).json();
    assert_eq!((&register["erased"], &register["meeting"]["marks"]["late"]), (&json!(1), &json!(1)), "{register}");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_all_of_a_meeting_in_one_step_and_is_told_line_by_line_what_became_of_it() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob, cid] = world.enrolled(group).await;
    let guest = world.admin().register(json!({ "alias": "Guest" })).await;
    let (stranger, nobody) = (MemberId(Uuid::from_u128(7)), MemberId(Uuid::from_u128(8)));
    let meeting = world.meeting(group, "2026-06-02").await;
    let (fay, gus) = (world.facilitator([group]), world.somebody("north-star", Role::Facilitator, "gus", vec![group]));
    let path = at(meeting, "report");
    fay.post(&path, json!({ "marks": [{ "member": ann, "mark": "late" }] })).await.must(409);
    fay.post(&path, json!({})).await.must(200);
    assert_eq!(world.types_of(meeting).await, ["meeting.planned"]);
    world.set_time("2026-06-02T23:00:00Z");
    let said = json!({
        "marks": [{ "member": ann, "mark": "present" }, { "member": bob, "mark": "absent", "based_on": null },
            { "member": stranger, "mark": "present" }],
        "walk_ins": [{ "member": guest, "mark": "late", "mode": "phone" }, { "member": nobody, "mark": "late" }],
        "heads": { "heads": { "visitor": 2, "child": 0 } },
        "outcome": "open",
    });
    let key = fay.key();
    let told = fay.command(Method::POST, &path, &key, &said).await.must(200).json();
    let present = json!({ "mark": "present", "mode": "in_person" });
    let no_roster = "the member is not on the roster of the meeting's date, nor a walk-in";
    let expected = json!({
        "status": "open",
        "marks": [
            { "member": ann, "became": "applied", "stands": present },
            { "member": bob, "became": "applied", "stands": { "mark": "absent" } },
            { "member": stranger, "became": "refused", "code": "not-on-roster", "detail": no_roster, "stands": null },
        ],
        "walk_ins": [
            { "member": guest, "became": "applied", "stands": { "mark": "late", "mode": "phone" } },
            { "member": nobody, "became": "refused", "code": "unknown-member", "detail": "there is no such member",
                "stands": null },
        ],
        "heads": { "became": "applied", "stands": { "visitor": 2 } },
        "outcome": { "became": "applied", "stands": "open" },
    });
    assert_eq!(told, expected);

    // The other phone was offline: what it does not know, it is told.
    let said = json!({
        "marks": [{ "member": ann, "mark": "late" }, { "member": bob, "mark": "absent" }, { "member": cid, "mark": "excused" }],
        "walk_ins": [{ "member": guest, "mark": "present" }],
        "heads": { "heads": { "visitor": 3 } },
        "outcome": "held",
    });
    let told = gus.post(&path, said).await.must(200).json();
    let expected = json!({
        "status": "held",
        "marks": [
            { "member": ann, "became": "differs", "stands": present },
            { "member": bob, "became": "same", "stands": { "mark": "absent" } },
            { "member": cid, "became": "applied", "stands": { "mark": "excused" } },
        ],
        "walk_ins": [{ "member": guest, "became": "differs", "stands": { "mark": "late", "mode": "phone" } }],
        "heads": { "became": "differs", "stands": { "visitor": 2 } },
        "outcome": { "became": "applied", "stands": "held" },
    });
    assert_eq!(told, expected);

    // The register is closed: to change what stands, a reason is needed.
    let mut said = json!({ "marks": [{ "member": ann, "mark": "late", "based_on": present }],
        "heads": { "heads": { "visitor": 3 }, "based_on": { "visitor": 2 } }, "outcome": "did_not_occur" });
    let told = gus.post(&path, said.clone()).await.must(200).json();
    assert_eq!(
        (&told["marks"][0]["became"], &told["heads"]["became"]),
        (&json!("reason_needed"), &json!("reason_needed"))
    );
    assert_eq!(told["outcome"], json!({ "became": "differs", "stands": "held" }));
    said["reason"] = "I stood at the door".into();
    let told = gus.post(&path, said).await.must(200).json();
    assert_eq!((&told["marks"][0]["became"], &told["heads"]["became"]), (&json!("applied"), &json!("applied")));

    // The first report, sent again by a phone that did not hear the answer, gets it now.
    let said = json!({
        "marks": [{ "member": ann, "mark": "present" }, { "member": bob, "mark": "absent", "based_on": null },
            { "member": stranger, "mark": "present" }],
        "walk_ins": [{ "member": guest, "mark": "late", "mode": "phone" }, { "member": nobody, "mark": "late" }],
        "heads": { "heads": { "visitor": 2, "child": 0 } },
        "outcome": "open",
    });
    let again = fay.command(Method::POST, &path, &key, &said).await.must(200);
    assert!(again.replayed());
    assert_eq!(again.json()["marks"][0], json!({ "member": ann, "became": "applied", "stands": present }));
    let expected = [
        "meeting.planned",
        "meeting.opened",
        "attendance.recorded",
        "attendance.recorded",
        "attendance.recorded",
        "headcount.recorded",
        "attendance.recorded",
        "meeting.held",
        "attendance.corrected",
        "headcount.recorded",
    ];
    assert_eq!(world.types_of(meeting).await, expected);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_held_to_what_single_operations_are_held_to() {
    let world = World::start().await;
    let (group, other) = (world.group().await, world.group().await);
    let ([ann], [eve]) = (world.enrolled(group).await, world.enrolled(other).await);
    let meeting = world.open_meeting(group).await;
    let (fay, path) = (world.facilitator([group]), at(meeting, "report"));
    let before = world.types_of(meeting).await;
    for malformed in [
        json!({ "marks": [{ "member": ann }] }),
        json!({ "marks": [{ "member": ann, "mark": null, "mode": "video" }] }),
        json!({ "walk_ins": [{ "member": eve, "mark": null }] }),
        json!({ "outcome": "planned" }),
        json!({ "marks": { "member": ann, "mark": "late" } }),
        json!({ "marks": vec![json!({ "member": ann, "mark": "late" }); 1_001] }),
    ] {
        fay.post(&path, malformed).await.refused(422, "malformed");
    }
    let said = json!({ "marks": [{ "member": ann, "mark": "late" }] });
    world.facilitator([other]).post(&path, said.clone()).await.refused(403, "forbidden");
    world.admin_of("south").post(&path, said).await.refused(404, "unknown-meeting");
    let refused = async |said: Value| {
        let told = fay.post(&path, said).await.must(200).json();
        let line = ["marks", "walk_ins"].into_iter().find_map(|list| told[list].get(0));
        line.or(told.get("heads")).or(told.get("outcome")).expect("a line")["code"].clone()
    };
    assert_eq!(refused(json!({ "marks": [{ "member": eve, "mark": "late" }] })).await, "not-on-roster");
    assert_eq!(
        refused(json!({ "marks": [{ "member": ann, "mark": "absent", "mode": "video" }] })).await,
        "mode-of-absent"
    );
    assert_eq!(refused(json!({ "walk_ins": [{ "member": eve, "mark": "absent" }] })).await, "walk-in-absent");
    assert_eq!(refused(json!({ "heads": { "heads": { "child": 10_001 } } })).await, "too-many-heads");
    assert_eq!(world.types_of(meeting).await, before);
    // A reason is needed as if it were said alone; and it ends a meeting to which nobody came.
    let told = fay.post(&path, json!({ "outcome": "cancelled" })).await.must(200).json();
    assert_eq!(told["outcome"], json!({ "became": "reason_needed", "stands": "open" }));
    let ends = json!({ "outcome": "did_not_occur", "reason": "nobody came",
        "marks": [{ "member": ann, "mark": "excused" }] });
    let told = fay.post(&path, ends).await.must(200).json();
    assert_eq!((&told["status"], &told["marks"][0]["became"]), (&json!("did_not_occur"), &json!("applied")));
    assert_eq!(refused(json!({ "marks": [{ "member": ann, "mark": "late" }] })).await, "meeting-not-open");
}

/// What the register says of somebody.
type Entry = Option<&'static str>;

/// Somebody with a phone, which shows what it was told last.
struct Phone {
    who: Actor,
    name: &'static str,
    shows: BTreeMap<MemberId, Entry>,
    heads: u64,
    /// What it was told to have been done, in order: of whom, based on what, what.
    applied: VecDeque<(MemberId, Entry, Entry)>,
    /// How often somebody else had said something else.
    differed: usize,
}

const MARKS: [Entry; 5] = [None, Some("present"), Some("late"), Some("excused"), Some("absent")];

impl Phone {
    /// Says something of some of them, and checks what it is told.
    async fn report(&mut self, meeting: MeetingId, said: &[(MemberId, Entry)], heads: u64) {
        let seen = |member| self.shows.get(member).copied().flatten();
        let lines = said.iter().map(|(member, mark)| {
            json!({ "member": member, "mark": mark, "based_on": seen(member).map(|mark| json!({ "mark": mark })) })
        });
        let body = json!({ "marks": lines.collect::<Vec<_>>(),
            "heads": { "heads": { "visitor": heads }, "based_on": { "visitor": self.heads } } });
        let told = self.who.post(&at(meeting, "report"), body).await.must(200).json();
        let entry = |stands: &Value| {
            MARKS.into_iter().find(|mark| json!(mark) == stands["mark"]).unwrap_or_else(|| panic!("{stands}"))
        };
        for (n, (member, mark)) in said.iter().enumerate() {
            let line = &told["marks"][n];
            assert_eq!(line["member"], json!(member));
            let (seen, stands) = (self.shows.get(member).copied().flatten(), entry(&line["stands"]));
            match line["became"].as_str() {
                Some("applied") => {
                    assert!(stands == *mark && seen != *mark, "{line}");
                    self.applied.push_back((*member, seen, *mark));
                }
                Some("same") => assert_eq!(stands, *mark, "{line}"),
                Some("differs") => {
                    assert!(stands != *mark && stands != seen, "{line}");
                    self.differed += 1;
                }
                _ => panic!("{line}"),
            }
            self.shows.insert(*member, stands);
        }
        self.heads = told["heads"]["stands"]["visitor"].as_u64().unwrap_or_default();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_that_report_at_once_a_thousand_times_overwrite_nothing_in_silence() {
    const ROUNDS: usize = 1_000;
    let world = World::start().await;
    let group = world.group().await;
    let members: [MemberId; 6] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    let phone = |name| Phone {
        who: world.somebody("north-star", Role::Facilitator, name, vec![group]),
        name,
        shows: BTreeMap::new(),
        heads: 0,
        applied: VecDeque::new(),
        differed: 0,
    };
    let (mut one, mut two) = (phone("fay"), phone("gus"));
    let mut chance = StdRng::seed_from_u64(seed());
    for _ in 0..ROUNDS {
        let mut says = || -> (Vec<(MemberId, Entry)>, u64) {
            let some = members.iter().filter(|_| chance.random_bool(0.4)).copied().collect::<Vec<_>>();
            let said = some.into_iter().map(|member| (member, MARKS[chance.random_range(0..MARKS.len())]));
            (said.collect(), chance.random_range(0..4))
        };
        let ((ones, heads), (twos, others)) = (says(), says());
        tokio::join!(one.report(meeting, &ones, heads), two.report(meeting, &twos, others));
    }
    // The log says the same: whatever was changed, whoever changed it had seen what was there.
    let mut stands = BTreeMap::<MemberId, Entry>::new();
    for event in world.events().await.iter().filter(|event| event.stream.id() == meeting.0) {
        let said: Value = serde_json::from_slice(&event.data).expect("JSON");
        let now = match &*event.event_type {
            "attendance.recorded" => MARKS.into_iter().find(|mark| json!(mark) == said["mark"]).expect("a mark"),
            "attendance.taken_back" => None,
            _ => continue,
        };
        let by: Value = serde_json::from_slice(&event.metadata).expect("JSON");
        let phone = [&mut one, &mut two].into_iter().find(|phone| by["actor"] == phone.name).expect("one of them");
        let member: MemberId = said["member"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let before = stands.insert(member, now).flatten();
        assert_eq!(phone.applied.pop_front(), Some((member, before, now)));
    }
    assert!(one.applied.is_empty() && two.applied.is_empty(), "what was said to be done was written");
    println!("{} and {} lines of {ROUNDS} rounds differed", one.differed, two.differed);
    assert!(one.differed > 0 && two.differed > 0, "they met");
    world.settle().await;
    for member in members {
        let shown = line(&one.who, meeting, member, 0).await;
        assert_eq!(shown["mark"], json!(stands.get(&member).copied().flatten()), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_says_who_set_each_mark_and_when() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann, bob, cid] = world.enrolled(group).await;
    let (meeting, fay, ada) = (world.open_meeting(group).await, world.facilitator([group]), world.coordinator());
    fay.mark(meeting, ann, "present").await.must(204);
    world.set_time("2026-06-02T23:05:00Z");
    let client = json!({ "name": "door", "role": "coordinator", "scopes": ["record_attendance"],
        "expires_at": "2026-12-31T00:00:00Z" });
    let client = world.admin().post("/v1/access/clients", client).await.must(201).json();
    let door = world.bearer(client["key"].as_str().expect("a key"));
    let marked = door.mark(meeting, bob, "late").await.must(204).at();
    let by = |line: &Value| (line["recorded_by"].clone(), line["recorded_at"].clone());
    assert_eq!(by(&line(&fay, meeting, ann, marked).await), (json!("fay"), json!("2026-06-02T23:00:00Z")));
    let name = format!("client:{}", client["client"].as_str().expect("an id"));
    assert_eq!(by(&line(&fay, meeting, bob, marked).await), (json!(name), json!("2026-06-02T23:05:00Z")));
    assert_eq!(by(&line(&fay, meeting, cid, marked).await), (Value::Null, Value::Null));
    // Sent again, it is still the first who said so; changed, it is whoever changed it.
    ada.mark(meeting, ann, "present").await.must(204);
    fay.post(&at(meeting, "hold"), Value::Null).await.must(204);
    world.set_time("2026-06-03T12:00:00Z");
    let late = json!({ "mark": "late", "reason": "the door was locked" });
    let corrected = ada.post(&format!("{}/correction", mark_of(meeting, bob)), late).await.must(204).at();
    assert_eq!(by(&line(&fay, meeting, ann, corrected).await), (json!("fay"), json!("2026-06-02T23:00:00Z")));
    let shown = line(&fay, meeting, bob, corrected).await;
    assert_eq!(by(&shown), (json!(name), json!("2026-06-02T23:05:00Z")), "it said so already");
    let absent = json!({ "mark": "absent", "reason": "that was somebody else" });
    let corrected = ada.post(&format!("{}/correction", mark_of(meeting, bob)), absent).await.must(204).at();
    let shown = line(&fay, meeting, bob, corrected).await;
    assert_eq!(by(&shown), (json!("coordinator"), json!("2026-06-03T12:00:00Z")));
    // Of a merged person it is whoever set the mark that counts.
    world.admin().post(&format!("/v1/members/{bob}/merge"), json!({ "into": ann })).await.must(204);
    assert_eq!(by(&line(&fay, meeting, ann, 0).await).0, "fay");
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_listed_across_groups_by_day_and_state() {
    let world = World::start().await;
    let groups: [GroupId; 3] = [world.group().await, world.group().await, world.group().await];
    let (ada, fay) = (world.coordinator(), world.facilitator([groups[0], groups[2]]));
    let mut meetings = BTreeMap::new();
    for day in ["2026-06-02", "2026-06-09"] {
        for group in groups {
            meetings.insert((day, group), world.meeting(group, day).await);
        }
    }
    world.set_time("2026-06-03T12:00:00Z");
    ada.post(&at(meetings[&("2026-06-02", groups[0])], "open"), Value::Null).await.must(204);
    ada.post(&at(meetings[&("2026-06-02", groups[0])], "hold"), Value::Null).await.must(204);
    ada.post(&at(meetings[&("2026-06-02", groups[1])], "cancel"), why("snow")).await.must(204);
    world.settle().await;
    let all = ada.pages("/v1/meetings", 2).await;
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by_key(|meeting| (meeting["starts_at"].to_string(), meeting["id"].to_string())));
    let of = async |by: &Actor, query: &str| by.pages(&format!("/v1/meetings?{query}"), 2).await;
    // Where they meet it is still the second of June.
    assert_eq!(of(&ada, "from=2026-06-02&through=2026-06-02").await, all[..3]);
    assert_eq!(of(&ada, "from=2026-06-03").await, all[3..]);
    let held = of(&ada, "status=held").await;
    assert_eq!(ids(&held), [meetings[&("2026-06-02", groups[0])].to_string()]);
    assert_eq!(of(&ada, "status=planned&from=2026-06-09").await, all[3..]);
    assert_eq!(of(&ada, &format!("group={}", groups[1])).await.len(), 2);
    assert_eq!(of(&ada, &format!("group={}", Uuid::from_u128(7))).await.len(), 0);
    // Facilitators find those of their groups, and no others.
    let own: Vec<_> = all.iter().filter(|meeting| meeting["group"] != json!(groups[1])).cloned().collect();
    assert_eq!(of(&fay, "").await, own);
    assert_eq!(of(&fay, "status=cancelled").await.len(), 0);
    assert_eq!(of(&fay, &format!("group={}&status=planned", groups[2])).await.len(), 2);
    fay.get(&format!("/v1/meetings?group={}", groups[1])).await.refused(403, "forbidden");
    assert_eq!(of(&world.facilitator([]), "").await.len(), 0);
    assert_eq!(of(&world.admin_of("south"), "").await.len(), 0);
    for garbage in ["status=over", "from=today", "after=x", &format!("after={}", encoded("[1]")), "day=2026-06-02"] {
        ada.get(&format!("/v1/meetings?{garbage}")).await.refused(422, "malformed");
    }
    // So are registers that nobody has closed.
    let overdue = |found: &[Value]| found.iter().map(|meeting| meeting["group"].clone()).collect::<Vec<_>>();
    assert_eq!(overdue(&ada.pages("/v1/overdue-registers", 1).await), [json!(groups[2])]);
    assert_eq!(overdue(&fay.pages("/v1/overdue-registers", 1).await), [json!(groups[2])]);
    assert_eq!(overdue(&world.facilitator([groups[0]]).pages("/v1/overdue-registers", 1).await), [Value::Null; 0]);
    world.anyone(Role::Auditor).get("/v1/overdue-registers").await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_might_list_meetings_of_groups_still_does() {
    let world = World::start().await;
    let group = world.group().await;
    let client = json!({ "name": "export", "role": "auditor", "scopes": ["list_meetings"],
        "expires_at": "2026-12-31T00:00:00Z" });
    let client = world.admin().post("/v1/access/clients", client).await.must(201).json();
    let export = world.bearer(client["key"].as_str().expect("a key"));
    world.settle().await;
    export.get("/v1/meetings").await.must(200);
    export.get(&format!("/v1/groups/{group}/meetings")).await.must(200);
    export.get("/v1/groups").await.refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_guide_to_registers_works() {
    let world = World::start().await;
    let group = world.group().await;
    let [ann] = world.enrolled(group).await;
    let (meeting, fay) = (world.meeting(group, "2026-06-02").await, world.facilitator([group]));
    world.set_time("2026-06-02T23:00:00Z");
    world.settle().await;
    let (meeting, ann, token) = (meeting.to_string(), ann.to_string(), fay.token());
    let mut shell = Shell::new(world.nobody(), [("MEETING", meeting), ("MEMBER", ann), ("TOKEN", token)]);
    let mut answers = vec![];
    for line in guide::lines(include_str!("../../../deploy/guides/registers.md")) {
        answers.push(shell.run(line).await);
    }
    let told = answers.iter().find(|answer| answer.get("marks").is_some()).expect("the report's answer");
    assert_eq!((&told["status"], &told["marks"][0]["became"]), (&json!("held"), &json!("applied")), "{told}");
    assert_eq!(reach(&world).await["meetings_held"], 0, "in the end, it did not occur");
}
