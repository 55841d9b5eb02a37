//! A scripted month with the clock in hand: a group in Auckland and one in Los Angeles, over a change of clocks in both.
//!
//! What is due, missed, overdue or escalated comes at its minute where the group meets, goes by itself when its cause is
//! gone, and is the same after the views were made anew.

use std::collections::{BTreeMap, BTreeSet};

use domain::{GroupId, MeetingId, MemberId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::world::{Actor, World, at, details, remove_views, time};

/// Clocks go back on 5 April 2026, at 03:00; until then it is 13 hours ahead of Greenwich, then 12.
const AUCKLAND: &str = "Pacific/Auckland";
/// Clocks go forward on 8 March 2026, at 02:00; until then it is 8 hours behind Greenwich, then 7.
const LOS_ANGELES: &str = "America/Los_Angeles";

/// Something that stands on a list.
type Item = String;

/// A moment of the month: what is done then, if anything, what goes and what comes by it.
struct Moment {
    at: &'static str,
    does: Option<Act>,
    goes: &'static [&'static str],
    comes: &'static [&'static str],
}

/// What somebody does, in a group.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Enrols its member from this day on.
    Enrol(&'static str, &'static str),
    /// Plans its meeting of this day.
    Plan(&'static str, &'static str),
    /// Takes the member's check-in, of today or of this day.
    CheckIn(&'static str, Option<&'static str>),
    /// Takes the last check-in back.
    EnteredInError(&'static str),
    /// Says that the meeting of this day took place.
    Hold(&'static str, &'static str),
    /// Says with this word what became of the meeting of this day.
    End(&'static str, &'static str, &'static str),
    /// Worries about the member.
    Worry(&'static str),
    /// Sees to the concern.
    Acknowledge(&'static str),
    /// Settles it.
    Resolve(&'static str),
    /// Ends the enrolment with this day.
    Withdraw(&'static str, &'static str),
    /// Throws the views away.
    Rebuild,
}

/// What comes or goes by itself.
const fn by_itself(at: &'static str, goes: &'static [&'static str], comes: &'static [&'static str]) -> Moment {
    Moment { at, does: None, goes, comes }
}

/// What comes or goes by what is done.
const fn by(at: &'static str, does: Act, goes: &'static [&'static str], comes: &'static [&'static str]) -> Moment {
    Moment { at, does: Some(does), goes, comes }
}

const MONTH: &[Moment] = &[
    by("2026-02-28T20:00:00Z", Act::Plan(LOS_ANGELES, "2026-03-03"), &[], &[]),
    by("2026-02-28T20:00:00Z", Act::Plan(LOS_ANGELES, "2026-03-10"), &[], &[]),
    by("2026-02-28T20:00:00Z", Act::Enrol(LOS_ANGELES, "2026-03-03"), &[], &[]),
    // Its first check-in opens two days before, at midnight there.
    by_itself("2026-03-01T08:00:00Z", &[], &["America/Los_Angeles: intake of 2026-03-03 is open"]),
    by_itself(
        "2026-03-03T08:00:00Z",
        &["America/Los_Angeles: intake of 2026-03-03 is open"],
        &["America/Los_Angeles: intake of 2026-03-03 is due"],
    ),
    by(
        "2026-03-03T20:00:00Z",
        Act::CheckIn(LOS_ANGELES, None),
        &["America/Los_Angeles: intake of 2026-03-03 is due"],
        &[],
    ),
    // 19:00 to 20:00 there.
    by_itself("2026-03-04T04:00:00Z", &[], &["America/Los_Angeles: register of 2026-03-03 is overdue"]),
    by(
        "2026-03-04T04:20:00Z",
        Act::Hold(LOS_ANGELES, "2026-03-03"),
        &["America/Los_Angeles: register of 2026-03-03 is overdue"],
        &[],
    ),
    by(
        "2026-03-04T05:00:00Z",
        Act::EnteredInError(LOS_ANGELES),
        &[],
        &["America/Los_Angeles: intake of 2026-03-03 is due"],
    ),
    by_itself(
        "2026-03-06T08:00:00Z",
        &["America/Los_Angeles: intake of 2026-03-03 is due"],
        &["America/Los_Angeles: intake of 2026-03-03 is missed"],
    ),
    // A deadline of 90 minutes, in which the clocks go from 02:00 to 03:00: it is no hour shorter, and no hour longer.
    by(
        "2026-03-08T09:30:00Z",
        Act::Worry(LOS_ANGELES),
        &[],
        &["America/Los_Angeles: concern of lena, escalated: none"],
    ),
    by_itself(
        "2026-03-08T11:00:00Z",
        &["America/Los_Angeles: concern of lena, escalated: none"],
        &["America/Los_Angeles: concern of ann, escalated: organisation"],
    ),
    by_itself(
        "2026-03-08T12:30:00Z",
        &["America/Los_Angeles: concern of ann, escalated: organisation"],
        &["America/Los_Angeles: concern of ann, escalated: everybody"],
    ),
    by(
        "2026-03-08T13:00:00Z",
        Act::Acknowledge(LOS_ANGELES),
        &["America/Los_Angeles: concern of ann, escalated: everybody"],
        &["America/Los_Angeles: concern of coordinator, escalated: none"],
    ),
    by("2026-03-08T14:00:00Z", Act::Rebuild, &[], &[]),
    by(
        "2026-03-08T14:00:00Z",
        Act::Resolve(LOS_ANGELES),
        &["America/Los_Angeles: concern of coordinator, escalated: none"],
        &[],
    ),
    // Still 19:00 to 20:00 there, which is an hour earlier in Greenwich.
    by_itself("2026-03-11T03:00:00Z", &[], &["America/Los_Angeles: register of 2026-03-10 is overdue"]),
    by(
        "2026-03-11T03:10:00Z",
        Act::End(LOS_ANGELES, "2026-03-10", "did-not-occur"),
        &["America/Los_Angeles: register of 2026-03-10 is overdue"],
        &[],
    ),
    by("2026-03-12T00:00:00Z", Act::Plan(AUCKLAND, "2026-03-31"), &[], &[]),
    by("2026-03-12T00:00:00Z", Act::Plan(AUCKLAND, "2026-04-07"), &[], &[]),
    by("2026-03-12T00:00:00Z", Act::Enrol(AUCKLAND, "2026-03-17"), &[], &[]),
    by_itself("2026-03-14T11:00:00Z", &[], &["Pacific/Auckland: intake of 2026-03-17 is open"]),
    // What was missed makes room for the next.
    by_itself(
        "2026-03-15T07:00:00Z",
        &["America/Los_Angeles: intake of 2026-03-03 is missed"],
        &["America/Los_Angeles: review of 2026-03-17 is open"],
    ),
    by_itself(
        "2026-03-16T11:00:00Z",
        &["Pacific/Auckland: intake of 2026-03-17 is open"],
        &["Pacific/Auckland: intake of 2026-03-17 is due"],
    ),
    by("2026-03-16T23:00:00Z", Act::CheckIn(AUCKLAND, None), &["Pacific/Auckland: intake of 2026-03-17 is due"], &[]),
    by_itself(
        "2026-03-17T07:00:00Z",
        &["America/Los_Angeles: review of 2026-03-17 is open"],
        &["America/Los_Angeles: review of 2026-03-17 is due"],
    ),
    // The enrolment ends the day before: the review is not asked for, and the one before is what was missed.
    by(
        "2026-03-18T00:00:00Z",
        Act::Withdraw(LOS_ANGELES, "2026-03-16"),
        &["America/Los_Angeles: review of 2026-03-17 is due"],
        &["America/Los_Angeles: intake of 2026-03-03 is missed"],
    ),
    by_itself("2026-03-28T11:00:00Z", &[], &["Pacific/Auckland: review of 2026-03-31 is open"]),
    by_itself(
        "2026-03-30T11:00:00Z",
        &["Pacific/Auckland: review of 2026-03-31 is open"],
        &["Pacific/Auckland: review of 2026-03-31 is due"],
    ),
    by_itself("2026-03-31T07:00:00Z", &[], &["Pacific/Auckland: register of 2026-03-31 is overdue"]),
    by("2026-03-31T07:00:00Z", Act::Rebuild, &[], &[]),
    by(
        "2026-03-31T07:05:00Z",
        Act::Hold(AUCKLAND, "2026-03-31"),
        &["Pacific/Auckland: register of 2026-03-31 is overdue"],
        &[],
    ),
    by_itself(
        "2026-04-02T11:00:00Z",
        &["Pacific/Auckland: review of 2026-03-31 is due"],
        &["Pacific/Auckland: review of 2026-03-31 is missed"],
    ),
    // Four weeks after it closed.
    by_itself("2026-04-03T07:00:00Z", &["America/Los_Angeles: intake of 2026-03-03 is missed"], &[]),
    // 02:30; an hour and a half later it is 03:00 for the second time.
    by("2026-04-04T13:30:00Z", Act::Worry(AUCKLAND), &[], &["Pacific/Auckland: concern of aroha, escalated: none"]),
    by_itself(
        "2026-04-04T15:00:00Z",
        &["Pacific/Auckland: concern of aroha, escalated: none"],
        &["Pacific/Auckland: concern of ann, escalated: organisation"],
    ),
    by(
        "2026-04-04T15:10:00Z",
        Act::Acknowledge(AUCKLAND),
        &["Pacific/Auckland: concern of ann, escalated: organisation"],
        &["Pacific/Auckland: concern of coordinator, escalated: none"],
    ),
    by(
        "2026-04-04T15:20:00Z",
        Act::Resolve(AUCKLAND),
        &["Pacific/Auckland: concern of coordinator, escalated: none"],
        &[],
    ),
    by_itself("2026-04-07T08:00:00Z", &[], &["Pacific/Auckland: register of 2026-04-07 is overdue"]),
    by(
        "2026-04-07T08:05:00Z",
        Act::End(AUCKLAND, "2026-04-07", "cancel"),
        &["Pacific/Auckland: register of 2026-04-07 is overdue"],
        &[],
    ),
    by_itself(
        "2026-04-11T12:00:00Z",
        &["Pacific/Auckland: review of 2026-03-31 is missed"],
        &["Pacific/Auckland: review of 2026-04-14 is open"],
    ),
    by_itself(
        "2026-04-13T12:00:00Z",
        &["Pacific/Auckland: review of 2026-04-14 is open"],
        &["Pacific/Auckland: review of 2026-04-14 is due"],
    ),
    // The enrolment ends that day: the last check-in is asked for in place of the review.
    by(
        "2026-04-14T00:00:00Z",
        Act::Withdraw(AUCKLAND, "2026-04-14"),
        &["Pacific/Auckland: review of 2026-04-14 is due"],
        &["Pacific/Auckland: exit of 2026-04-14 is due"],
    ),
    by(
        "2026-04-15T00:00:00Z",
        Act::CheckIn(AUCKLAND, Some("2026-04-13")),
        &["Pacific/Auckland: exit of 2026-04-14 is due"],
        &[],
    ),
];

/// A group with one member, and who leads it.
struct Here {
    group: GroupId,
    leads: Actor,
    member: Option<MemberId>,
    check_in: String,
}

/// Both groups, by time zone, and who looks after them.
struct Month {
    world: World,
    groups: BTreeMap<&'static str, Here>,
    ada: Actor,
}

impl Month {
    async fn begin() -> Self {
        let world = World::start().await;
        world.set_time(MONTH[0].at);
        let (admin, mut groups) = (world.admin(), BTreeMap::new());
        let put = async |path: &str, body| _ = admin.put(path, body).await.must(204);
        put("/v1/duty-seat", json!({ "holder": "ann" })).await;
        put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await;
        put("/v1/instruments/gad-7/use", json!({ "version": 1 })).await;
        put("/v1/concern-deadlines", json!({ "concern_minutes": 90, "not_answered_minutes": 90 })).await;
        for (zone, holder) in [(AUCKLAND, "aroha"), (LOS_ANGELES, "lena")] {
            let programme = admin.programme(zone).await;
            put(&format!("/v1/programmes/{programme}/duty-seat"), json!({ "holder": holder })).await;
            let timing = json!({ "intake": true, "every_weeks": 2, "exit": zone == AUCKLAND, "open_days": 2 });
            put(&format!("/v1/programmes/{programme}/check-ins/gad-7"), timing).await;
            let schedule = json!({ "starts_on": "2026-03-03", "starts_at": "19:00:00", "duration_minutes": 60,
                "time_zone": zone, "recurrence": "FREQ=WEEKLY;BYDAY=TU" });
            let body = json!({ "details": details(programme, "Steps"), "schedule": schedule });
            let group = admin.post("/v1/groups", body).await.must(201).id("id");
            let here = Here { group, leads: world.facilitator([group]), member: None, check_in: String::new() };
            groups.insert(zone, here);
        }
        Self { ada: world.coordinator(), world, groups }
    }

    /// What is read once the views have all that was written.
    async fn read(&self, who: &Actor, path: &str) -> Value {
        let end = self.world.log().head().borrow().0;
        who.read(path, end).await.must(200).json()
    }

    async fn seen(&self, who: &Actor, path: &str) -> Vec<Value> {
        self.read(who, path).await["items"].as_array().expect("a list").clone()
    }

    async fn concerns(&self) -> Vec<Value> {
        self.seen(&self.ada, "/v1/concerns").await
    }

    /// All that stands on any list at that time.
    async fn standing(&self, now: Timestamp) -> BTreeSet<Item> {
        self.world.set_time(&now.to_string());
        self.world.settle().await;
        let (mut items, text) =
            (BTreeSet::new(), |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned());
        let overdue = self.seen(&self.ada, "/v1/overdue-registers").await;
        let concerns = self.concerns().await;
        for (zone, Here { group, leads, member, .. }) in &self.groups {
            for line in &self.seen(&self.ada, &format!("/v1/groups/{group}/check-ins-due")).await {
                let [occasion, due_on, progress] = ["occasion", "due_on", "progress"].map(|name| text(line, name));
                items.insert(format!("{zone}: {occasion} of {due_on} is {progress}"));
            }
            let overdue: Vec<_> = overdue.iter().filter(|line| line["group"] == json!(group)).collect();
            items.extend(
                overdue
                    .iter()
                    .map(|line| format!("{zone}: register of {} is overdue", &text(line, "starts_at_local")[..10])),
            );
            let signs = self.read(leads, &format!("/v1/groups/{group}/vitality")).await;
            assert_eq!(signs["registers_overdue"]["numbers"]["meetings"], overdue.len(), "{zone} at {now}");
            let concerns = concerns.iter().filter(|line| member.is_some() && line["member"] == json!(member));
            items.extend(concerns.map(|line| {
                format!("{zone}: concern of {}, escalated: {}", text(line, "owner"), text(line, "escalation"))
            }));
        }
        self.queue_is_so(&overdue, &concerns).await;
        items
    }

    /// Whether the queue has exactly what the lists of each kind have, and shows who leads a group no more than is theirs.
    async fn queue_is_so(&self, overdue: &[Value], concerns: &[Value]) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut expected = BTreeSet::new();
        expected.extend(overdue.iter().map(|line| ("register_not_reported", text(&line["id"]), String::new())));
        for line in concerns {
            let kind = match line["acknowledged_at"] {
                Value::Null => "concern_to_acknowledge",
                _ => "concern_to_resolve",
            };
            expected.insert((kind, text(&line["concern"]), text(&line["owner"])));
        }
        let mut of_leaders = vec![];
        for Here { group, leads, .. } in self.groups.values() {
            let missed = |path| async move { self.seen(path, &format!("/v1/groups/{group}/check-ins-due")).await };
            let lines = missed(&self.ada).await;
            let lines = lines.iter().filter(|line| line["progress"] == "missed");
            expected.extend(lines.map(|line| ("check_in_missed", text(&line["member"]), String::new())));
            let theirs = missed(leads).await.iter().filter(|line| line["progress"] == "missed").count();
            of_leaders.push((leads, theirs + overdue.iter().filter(|line| line["group"] == json!(group)).count()));
        }
        let queue = self.seen(&self.ada, "/v1/queue?limit=200").await;
        let line = |item: &Value| (text(&item["kind"]), text(&item["about"]["id"]), text(&item["owner"]));
        let standing: BTreeSet<_> = queue.iter().map(line).collect();
        let expected: BTreeSet<_> =
            expected.into_iter().map(|(kind, id, owner)| (kind.to_owned(), id, owner)).collect();
        assert_eq!(standing, expected);
        for (leads, count) in of_leaders {
            assert_eq!(self.seen(leads, "/v1/queue?limit=200").await.len(), count);
        }
    }

    async fn rebuild(&mut self) {
        self.world.restart(remove_views).await;
        for here in self.groups.values_mut() {
            here.leads = self.world.facilitator([here.group]);
        }
        self.ada = self.world.coordinator();
    }

    async fn act(&mut self, act: Act) {
        let (zone, path) = match act {
            Act::Rebuild => return self.rebuild().await,
            Act::Enrol(zone, _) | Act::Plan(zone, _) | Act::Withdraw(zone, _) => (zone, "groups"),
            Act::Hold(zone, _) | Act::End(zone, ..) => (zone, "meetings"),
            Act::CheckIn(zone, _)
            | Act::EnteredInError(zone)
            | Act::Worry(zone)
            | Act::Acknowledge(zone)
            | Act::Resolve(zone) => (zone, "members"),
        };
        let waiting = self.concerns().await;
        let Here { group, leads, member, check_in } = self.groups.get_mut(zone).expect("a group there");
        let of_member = member.map(|member| format!("/v1/{path}/{member}")).unwrap_or_default();
        let meeting = |day: &str| MeetingId::of(*group, format!("{day}T19:00:00").parse().expect("a local time"));
        match act {
            Act::Rebuild => {}
            Act::Enrol(_, day) => *member = Some(self.ada.enrol(*group, day).await),
            Act::Plan(_, day) => _ = self.ada.meeting(*group, day).await,
            Act::Withdraw(_, day) => {
                let path = format!("/v1/groups/{group}/enrolments/{}/withdrawal", member.expect("a member"));
                leads.post(&path, json!({ "ends_on": day })).await.must(204);
            }
            Act::Hold(_, day) => {
                leads.post(&at(meeting(day), "open"), Value::Null).await.must(204);
                leads.post(&at(meeting(day), "hold"), Value::Null).await.must(204);
            }
            Act::End(_, day, word) => {
                leads.post(&at(meeting(day), word), json!({ "reason": "flood" })).await.must(204);
            }
            Act::CheckIn(_, on) => {
                let answers: BTreeMap<_, _> = (1..=7).map(|item: u8| (item.to_string(), 1)).collect();
                let body = json!({ "instrument": "gad-7", "given": { "answers": answers }, "group": group, "on": on });
                // Who leads a group reaches nobody whose enrolment has ended.
                let by = if on.is_some() { &self.ada } else { &*leads };
                *check_in = by.post(&format!("{of_member}/check-ins"), body).await.must(201).id("check_in");
            }
            Act::EnteredInError(_) => {
                let path = format!("{of_member}/check-ins/{check_in}/entered-in-error");
                self.ada.post(&path, json!({ "reason": "it was another's" })).await.must(204);
            }
            Act::Worry(_) => {
                let worry = json!({ "words": "did not say goodbye", "group": group });
                leads.post(&format!("{of_member}/concerns"), worry).await.must(201);
            }
            Act::Acknowledge(_) | Act::Resolve(_) => {
                let path = format!("{of_member}/concerns/{}", waiting[0]["concern"].as_str().expect("an id"));
                let (path, body) = match act {
                    Act::Acknowledge(_) => (format!("{path}/acknowledgement"), Value::Null),
                    _ => (format!("{path}/resolution"), json!({ "outcome": "spoken", "note": "is safe" })),
                };
                self.ada.post(&path, body).await.must(204);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_due_missed_overdue_or_escalated_comes_at_its_minute_and_goes_with_its_cause() {
    let mut month = Month::begin().await;
    let mut standing = BTreeSet::<Item>::new();
    for Moment { at, does, goes, comes } in MONTH {
        let now = time(at);
        match does {
            // Nothing is done: a minute before, it is as it was.
            None => assert_eq!(month.standing(now - SignedDuration::from_mins(1)).await, standing, "before {at}"),
            Some(act) => {
                assert_eq!(month.standing(now).await, standing, "at {at}, before {act:?}");
                month.act(*act).await;
            }
        }
        for item in *goes {
            assert!(standing.remove(*item), "the script is wrong at {at}: {item}");
        }
        standing.extend(comes.iter().map(|item| (*item).to_owned()));
        assert_eq!(month.standing(now).await, standing, "at {at}: {does:?}");
    }
    assert_eq!(standing, BTreeSet::new(), "nothing is left");
    month.world.must_be_sound().await;

    // At any time of the month, what is known now is read as before once the views are made anew.
    let mut all = vec![];
    for again in [false, true] {
        for (nth, Moment { at, .. }) in MONTH.iter().enumerate() {
            let standing = month.standing(time(at)).await;
            if again {
                assert_eq!(standing, all[nth], "at {at}, after a rebuild");
            } else {
                all.push(standing);
            }
        }
        if !again {
            month.rebuild().await;
        }
    }
    assert!(all.iter().any(|standing| !standing.is_empty()));
}
