//! Signs of a group that may need somebody, and streaks and lapses of its members: each with the numbers that were entered.

use std::collections::BTreeSet;

use domain::{GroupId, MeetingId, MemberId};
use jiff::{
    ToSpan,
    civil::{Date, date},
};
use serde_json::{Value, json};
use tests::world::{Actor, ORG, World, at};
use web::Role;

/// A group that has met each Tuesday since 6 January 2026, and its coordinator.
struct Meets<'a> {
    world: &'a World,
    group: GroupId,
    members: Vec<MemberId>,
    ada: Actor,
}

impl<'a> Meets<'a> {
    async fn of<const N: usize>(world: &'a World) -> Self {
        let group = world.group().await;
        let members = world.enrolled::<N>(group).await.to_vec();
        Self { world, group, members, ada: world.coordinator() }
    }

    fn day(week: i64) -> Date {
        date(2026, 1, 6) + week.weeks()
    }

    async fn plan(&self, week: i64) -> MeetingId {
        self.ada.meeting(self.group, &Self::day(week).to_string()).await
    }

    /// Opens the meeting of that week and marks each member by a letter: `p`resent, `l`ate, `e`xcused, `a`bsent, or not.
    async fn marked(&self, week: i64, letters: &str) -> MeetingId {
        let meeting = self.plan(week).await;
        self.ada.post(&at(meeting, "open"), Value::Null).await.must(204);
        let words = ["present", "late", "excused", "absent"];
        let mark = |(member, letter): (&MemberId, char)| {
            let word = words.iter().find(|word| word.starts_with(letter))?;
            Some(json!({ "member": member, "mark": word }))
        };
        let marks: Vec<_> = self.members.iter().zip(letters.chars()).filter_map(mark).collect();
        self.ada.put(&at(meeting, "attendance"), json!({ "marks": marks })).await.must(204);
        meeting
    }

    async fn held(&self, week: i64, letters: &str) -> MeetingId {
        let meeting = self.marked(week, letters).await;
        self.ada.post(&at(meeting, "hold"), Value::Null).await.must(204);
        meeting
    }

    async fn heads(&self, meeting: MeetingId, heads: u16) {
        let body = json!({ "heads": { "visitor": heads }, "reason": "counted" });
        self.ada.put(&at(meeting, "headcount"), body).await.must(204);
    }

    async fn structure(&self, meeting: MeetingId, kept: Value) {
        self.ada.put(&at(meeting, "structure"), kept).await.must(204);
    }

    async fn signs(&self) -> Value {
        self.world.settle().await;
        self.ada.get(&format!("/v1/groups/{}/vitality", self.group)).await.must(200).json()
    }

    /// Whether a sign shows, and the numbers that it comes from.
    async fn sign(&self, name: &str) -> (String, Value) {
        let sign = self.signs().await[name].clone();
        (sign["shows"].as_str().expect("a word").to_owned(), sign["numbers"].clone())
    }

    async fn lapsed(&self) -> Vec<MemberId> {
        let (_, numbers) = self.sign("lapsed").await;
        let lines = numbers["members"].as_array().expect("members").iter();
        lines.map(|line| serde_json::from_value(line["member"].clone()).expect("an id")).collect()
    }

    async fn merge(&self, from: MemberId, into: MemberId) {
        self.ada.post(&format!("/v1/members/{from}/merge"), json!({ "into": into })).await.must(204);
    }

    async fn journey(&self, member: MemberId) -> Value {
        self.world.settle().await;
        self.world.member(member).get(&format!("/v1/members/{member}/journey")).await.must(200).json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_new_group_nothing_can_be_told_and_nothing_is_a_sign() {
    let world = World::start().await;
    let meets = Meets::of::<2>(&world).await;
    let signs = meets.signs().await;
    let shows: BTreeSet<_> = ["shrinking", "depends_on_one_facilitator", "structure_seldom_kept", "lapsed"]
        .into_iter()
        .map(|name| (signs[name]["shows"].as_str(), signs[name]["missing"].is_string()))
        .collect();
    assert_eq!(shows, BTreeSet::from([(Some("unknown"), true)]), "{signs}");
    assert_eq!(signs["registers_overdue"]["shows"], "no");
    assert_eq!(signs["lapsed"]["numbers"]["enrolled"], 2);
    // Registers that nobody filled in say nothing of how many came.
    for week in 0..13 {
        meets.held(week, "").await;
    }
    let signs = meets.signs().await;
    assert_eq!(signs["shrinking"]["missing"], "0 held meetings with marks or heads, of 12");
    assert_eq!(signs["lapsed"]["missing"], "0 marks of those on the roster, of 6");
    assert_eq!(
        signs["structure_seldom_kept"]["missing"],
        "nothing was kept: it is optional, and the group may not want to"
    );
    world.coordinator().get(&format!("/v1/groups/{}/vitality", uuid::Uuid::from_u128(7))).await.must(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shrinks_while_a_quarter_fewer_came_to_the_last_six_meetings_than_to_the_six_before() {
    let world = World::start().await;
    let meets = Meets::of::<6>(&world).await;
    for week in 0..6 {
        let meeting = meets.held(week, "pppplp").await;
        meets.heads(meeting, 1).await;
    }
    for week in 6..11 {
        meets.held(week, "ppppee").await;
    }
    assert_eq!(meets.sign("shrinking").await.0, "unknown", "eleven meetings");
    meets.held(11, "plppea").await;
    let numbers = json!({
        "last": { "meetings": 6, "from": Meets::day(6), "through": Meets::day(11), "attendances": 24, "heads": 0 },
        "before": { "meetings": 6, "from": Meets::day(0), "through": Meets::day(5), "attendances": 36, "heads": 6 },
    });
    assert_eq!(meets.sign("shrinking").await, ("yes".into(), numbers));
    // What did not take place, or has no mark, is not compared.
    let missed = meets.plan(12).await;
    meets.ada.post(&at(missed, "cancel"), json!({ "reason": "flood" })).await.must(204);
    meets.held(13, "").await;
    assert_eq!(meets.sign("shrinking").await.1["last"]["through"], json!(Meets::day(11)));
    // More come again.
    for week in 14..16 {
        let meeting = meets.held(week, "pppppp").await;
        meets.heads(meeting, 3).await;
    }
    let (shows, numbers) = meets.sign("shrinking").await;
    let all = |which: &str| numbers[which]["attendances"].as_u64().zip(numbers[which]["heads"].as_u64());
    assert_eq!((shows.as_str(), all("last"), all("before")), ("no", Some((28, 6)), Some((32, 4))));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_depends_on_one_while_nobody_else_leads_and_keeps_its_structure_seldom_below_half() {
    let world = World::start().await;
    let meets = Meets::of::<1>(&world).await;
    let mut meetings = vec![];
    for week in 0..12 {
        let meeting = meets.held(week, "p").await;
        let led_by = if week < 3 { json!(["fay", "gus"]) } else { json!(["fay"]) };
        let kept = if week < 4 {
            json!({ "topic": "Trust", "facilitators": led_by })
        } else {
            json!({ "facilitators": led_by })
        };
        meets.structure(meeting, kept).await;
        meetings.push(meeting);
    }
    let leading = json!({ "meetings": 12, "facilitator": "fay", "led_alone": 9 });
    assert_eq!(meets.sign("depends_on_one_facilitator").await, ("yes".into(), leading));
    let kept = json!({ "held": 12, "phases": 0, "topic": 4, "facilitators": 12, "any": 12 });
    assert_eq!(meets.sign("structure_seldom_kept").await, ("no".into(), kept));
    meets.structure(meetings[3], json!({ "topic": "Trust", "facilitators": ["gus"] })).await;
    let leading = json!({ "meetings": 12, "facilitator": "fay", "led_alone": 8 });
    assert_eq!(meets.sign("depends_on_one_facilitator").await, ("no".into(), leading), "two thirds");
    for meeting in &meetings[5..] {
        meets.structure(*meeting, json!({})).await;
    }
    let kept = json!({ "held": 12, "phases": 0, "topic": 4, "facilitators": 5, "any": 5 });
    assert_eq!(meets.sign("structure_seldom_kept").await, ("yes".into(), kept));
    assert_eq!(meets.sign("depends_on_one_facilitator").await.0, "unknown", "five meetings");
    meets.structure(meetings[5], json!({ "topic": "Hope" })).await;
    assert_eq!(meets.sign("structure_seldom_kept").await.0, "no", "half");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_is_overdue_until_somebody_says_what_became_of_the_meeting() {
    let world = World::start().await;
    let meets = Meets::of::<1>(&world).await;
    let (first, second) = (meets.plan(0).await, meets.plan(1).await);
    let oldest = |meetings: &[(MeetingId, &str)]| -> Vec<_> {
        meetings.iter().map(|(id, end)| json!({ "meeting": id, "ends_at": end })).collect()
    };
    let both = oldest(&[(first, "2026-01-07T01:30:00Z"), (second, "2026-01-14T01:30:00Z")]);
    let overdue = json!({ "meetings": 2, "oldest": both });
    assert_eq!(meets.sign("registers_overdue").await, ("yes".into(), overdue));
    meets.ada.post(&at(first, "cancel"), json!({ "reason": "flood" })).await.must(204);
    let overdue = json!({ "meetings": 1, "oldest": both[1..] });
    assert_eq!(meets.sign("registers_overdue").await, ("yes".into(), overdue));
    meets.ada.post(&at(second, "open"), Value::Null).await.must(204);
    assert_eq!(meets.sign("registers_overdue").await.0, "yes");
    meets.ada.post(&at(second, "hold"), Value::Null).await.must(204);
    assert_eq!(meets.sign("registers_overdue").await, ("no".into(), json!({ "meetings": 0, "oldest": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_three_held_meetings_in_a_row_has_lapsed_until_they_come_or_go() {
    let world = World::start().await;
    let meets = Meets::of::<3>(&world).await;
    let [ann, bob, cid] = meets.members[..] else { panic!("three") };
    meets.held(0, "ppp").await;
    meets.held(1, "aap").await;
    let missed = meets.plan(2).await;
    meets.ada.post(&at(missed, "did-not-occur"), json!({ "reason": "no key" })).await.must(204);
    meets.held(3, "a.p").await;
    assert_eq!(meets.sign("lapsed").await.0, "no", "two");
    meets.held(4, "aep").await;
    let line = json!({ "member": ann, "missed_in_a_row": 3, "first_missed_on": Meets::day(1),
        "last_attended_on": Meets::day(0) });
    let numbers = json!({ "enrolled": 3, "expected_marks": 9, "not_recorded": 1, "members": [line] });
    assert_eq!(meets.sign("lapsed").await, ("yes".into(), numbers));
    // It names Ann, who reads of it.
    let accesses = world.member(ann).pages(&format!("/v1/members/{ann}/accesses"), 50).await;
    assert!(accesses.iter().any(|access| access["operation"] == "show_vitality"), "{accesses:?}");
    // Who leads the group reads it, who leads another does not.
    let path = format!("/v1/groups/{}/vitality", meets.group);
    world.facilitator([meets.group]).get(&path).await.must(200);
    world.facilitator([]).get(&path).await.refused(403, "forbidden");
    world.admin_of("south-star").get(&path).await.must(404);
    for role in [Role::Member, Role::Auditor, Role::Analyst] {
        world.somebody(ORG, role, "somebody", vec![]).get(&path).await.refused(403, "forbidden");
    }
    // A mark that was wrong, a place that is given up, coming again: each ends it.
    meets.held(5, "aap").await;
    meets.held(6, "aaa").await;
    assert_eq!(meets.lapsed().await, BTreeSet::from([ann, bob]).into_iter().collect::<Vec<_>>());
    let correction = format!(
        "/v1/meetings/{}/attendance/{bob}/correction",
        MeetingId::of(meets.group, Meets::day(5).at(19, 0, 0, 0))
    );
    meets.ada.post(&correction, json!({ "mark": "late", "reason": "was in the hall" })).await.must(204);
    assert_eq!(meets.lapsed().await, [ann]);
    let withdrawal = format!("/v1/groups/{}/enrolments/{ann}/withdrawal", meets.group);
    meets.ada.post(&withdrawal, json!({ "ends_on": Meets::day(6) })).await.must(204);
    assert_eq!(meets.lapsed().await, []);
    for week in 7..9 {
        meets.held(week, ".aa").await;
    }
    assert_eq!(meets.lapsed().await, BTreeSet::from([bob, cid]).into_iter().collect::<Vec<_>>());
    meets.held(9, ".lp").await;
    assert_eq!(meets.sign("lapsed").await.0, "no");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lapsed_under_two_records_is_one_person_and_who_was_erased_is_nobody() {
    let world = World::start().await;
    let meets = Meets::of::<3>(&world).await;
    let [ann, annie, bob] = meets.members[..] else { panic!("three") };
    for (week, letters) in (0..).zip(["ppp", "a.a", ".aa", "a.a"]) {
        meets.held(week, letters).await;
    }
    assert_eq!(meets.lapsed().await, [bob]);
    meets.merge(annie, ann).await;
    let both = BTreeSet::from([ann, bob]).into_iter().collect::<Vec<_>>();
    assert_eq!(meets.lapsed().await, both);
    assert_eq!(meets.sign("lapsed").await.1["enrolled"], 2);
    let streaks = meets.journey(ann).await["streaks"].clone();
    assert_eq!(
        (streaks[0]["missed_in_a_row"].as_u64(), streaks.as_array().map(Vec::len)),
        (Some(3), Some(1)),
        "{streaks}"
    );
    meets.ada.post(&format!("/v1/members/{annie}/unmerge"), Value::Null).await.must(204);
    assert_eq!(meets.lapsed().await, [bob]);
    assert_eq!(meets.journey(ann).await["streaks"][0]["missed_in_a_row"], 2);
    world.admin().post(&format!("/v1/members/{bob}/erasure"), Value::Null).await.must(200);
    assert_eq!(meets.lapsed().await, []);
    assert_eq!(meets.sign("lapsed").await.1["enrolled"], 2);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streaks_and_lapses_are_over_meetings_that_were_held_while_the_member_had_a_place() {
    let world = World::start().await;
    let meets = Meets::of::<1>(&world).await;
    let ann = meets.members[0];
    for (week, letters) in (0..).zip(["p", "l", "e", "p", "a", "a"]) {
        meets.held(week, letters).await;
    }
    let cancelled = meets.plan(6).await;
    meets.ada.post(&at(cancelled, "cancel"), json!({ "reason": "flood" })).await.must(204);
    meets.held(7, "a").await;
    meets.held(8, ".").await;
    meets.held(9, "p").await;
    // She goes, has a look without a place, and comes back.
    let withdrawal = format!("/v1/groups/{}/enrolments/{ann}/withdrawal", meets.group);
    meets.ada.post(&withdrawal, json!({ "ends_on": Meets::day(9) })).await.must(204);
    let look = meets.marked(10, "").await;
    let walks_in = json!({ "member": ann, "mark": "present" });
    meets.ada.post(&at(look, "walk-ins"), walks_in).await.must(201);
    meets.ada.post(&at(look, "hold"), Value::Null).await.must(204);
    meets.ada.enrols(meets.group, ann, &Meets::day(12).to_string()).await.must(201);
    meets.held(11, "").await;
    meets.held(12, "p").await;
    meets.held(13, "a").await;
    let lapse = json!({ "missed": 3, "first_missed_on": Meets::day(4), "last_missed_on": Meets::day(7),
        "returned_on": Meets::day(9) });
    let first = json!({ "group": meets.group, "starts_on": "2026-01-01", "ends_on": Meets::day(9), "held": 9, "attended": 4,
        "missed": 3, "excused": 1, "not_recorded": 1, "attended_in_a_row": 1, "most_attended_in_a_row": 3,
        "missed_in_a_row": 0, "last_attended_on": Meets::day(9), "lapses": [lapse] });
    let second = json!({ "group": meets.group, "starts_on": Meets::day(12), "ends_on": null, "held": 2, "attended": 1,
        "missed": 1, "excused": 0, "not_recorded": 0, "attended_in_a_row": 0, "most_attended_in_a_row": 1,
        "missed_in_a_row": 1, "last_attended_on": Meets::day(12), "lapses": [] });
    assert_eq!(meets.journey(ann).await["streaks"], json!([first, second]));
    // The member's view says the same of the time that goes on.
    let view = meets.ada.get(&format!("/v1/members/{ann}")).await.must(200).json();
    let row = &view["groups"][0];
    assert_eq!((&row["attended_in_a_row"], &row["missed_in_a_row"]), (&json!(0), &json!(1)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mood_of_a_meeting_that_was_called_off_is_no_part_of_the_journey_and_stays_in_the_record() {
    let world = World::start().await;
    let meets = Meets::of::<1>(&world).await;
    let ann = meets.members[0];
    let meeting = world.open_meeting(meets.group).await;
    let moods = json!({ "moods": [{ "member": ann, "mood": 4 }] });
    meets.ada.put(&at(meeting, "moods"), moods).await.must(204);
    let shown = async || meets.journey(ann).await["moods"].as_array().map(Vec::len);
    assert_eq!(shown().await, Some(1));
    let why = json!({ "reason": "the wrong week" });
    meets.ada.post(&at(meeting, "cancel"), why.clone()).await.must(204);
    assert_eq!(shown().await, Some(0));
    let record = world.member(ann).get(&format!("/v1/members/{ann}/record")).await.must(200).json();
    assert_eq!(record["moods"].as_array().map(Vec::len), Some(1), "what is kept is shown to whose it is");
    meets.ada.post(&at(meeting, "reinstate"), why).await.must(204);
    meets.ada.post(&at(meeting, "open"), Value::Null).await.must(204);
    assert_eq!(shown().await, Some(1));
}
