//! What there is to do: each item comes with its cause, is shown to those who can do something about it, and goes by
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use domain::{GroupId, MeetingId, MemberId, PartnerId, ServiceId};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tests::world::{Actor, PATIENCE, World, at, remove_views, seed, time};

use crate::guide::{self, Shell};

/// An item: its kind, what it is about, and about whom.
pub type Line = (String, String, String);

/// What was written: in which stream, which event, what it says.
pub type Written = (String, String, Value);

/// All that was written, from the first on.
pub async fn written(world: &World) -> Vec<Written> {
    let said = |event: &eventlog::Recorded| {
        let json = serde_json::from_slice(&event.decode().expect("an event of ours").encode()).expect("JSON");
        (event.stream.id().to_string(), event.event_type.to_string(), json)
    };
    world.events().await.iter().map(said).collect()
}

/// The records of those who were erased.
pub fn erased(events: &[Written]) -> BTreeSet<String> {
    let events = events.iter().filter(|(_, event, _)| event == "member.erased");
    let records = events.flat_map(|(_, _, said)| said["records"].as_array().expect("records"));
    records.map(|record| record.as_str().expect("an id").to_owned()).collect()
}

fn line(item: &Value) -> Line {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&item["kind"]), text(&item["about"]["id"]), text(&item["member"]))
}

/// What stands in the queue of somebody, as far as everything that was written.
async fn read(world: &World, who: &Actor, query: &str) -> Value {
    // Of several servers, one may not know yet where the log of all ends.
    let end = world.events().await.last().map_or(0, |event| event.position.0);
    who.read(&format!("/v1/queue?limit=200{query}"), end).await.must(200).json()
}

pub async fn lines(world: &World, who: &Actor, query: &str) -> BTreeSet<Line> {
    let page = read(world, who, query).await;
    let items = page["items"].as_array().expect("items");
    assert!(page["next"].is_null(), "the tests have few items");
    items.iter().map(line).collect()
}

/// The kinds of which somebody sees something, each once.
async fn kinds(world: &World, who: &Actor) -> Vec<String> {
    let found = lines(world, who, "").await;
    found.into_iter().map(|(kind, ..)| kind).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Waits until possible duplicates have been looked for.
pub async fn counted(world: &World, who: &Actor) {
    let counted = async { while !read(world, who, "").await["counting"].is_null() {} };
    tokio::time::timeout(PATIENCE, counted).await.expect("the queue is counted some day");
}

/// Waits until the queue has, or has not, anything of a kind.
async fn until(world: &World, who: &Actor, kind: &str, has: bool) {
    let so = async { while kinds(world, who).await.iter().any(|known| known == kind) != has {} };
    tokio::time::timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("{kind} is {}", !has));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_shown_to_those_who_can_resolve_it_and_goes_with_its_cause() {
    let world = World::start().await;
    let (admin, coordinator) = (world.admin(), world.coordinator());
    admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
    admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
    let programme = world.programme().await;
    let (group, other) = (admin.group(programme, "Steps").await, admin.group(programme, "Others").await);
    let (leads, elsewhere) = (world.facilitator([group]), world.facilitator([other]));
    let auditor = world.anyone(web::Role::Auditor);
    assert_eq!(kinds(&world, &coordinator).await, [""; 0]);

    // A meeting that is over.
    let member = coordinator.enrol(group, "2026-06-01").await;
    let meeting = coordinator.meeting(group, "2026-06-02").await;
    world.set_time("2026-06-03T12:00:00Z");
    for (who, expected) in [
        (&coordinator, &["register_not_reported"][..]),
        (&leads, &["register_not_reported"]),
        (&elsewhere, &[]),
        (&auditor, &[]),
    ] {
        assert_eq!(kinds(&world, who).await, expected);
    }
    let item = read(&world, &leads, "").await["items"][0].clone();
    assert_eq!(
        (&item["about"], &item["overdue"]),
        (&json!({ "type": "meetings", "id": meeting }), &json!(false)),
        "{item}"
    );
    assert_eq!(
        item["resolved_by"],
        json!(["report_meeting", "close_register", "meeting_did_not_occur", "cancel_meeting"])
    );
    world.set_time("2026-06-04T12:00:00Z");
    assert_eq!(read(&world, &leads, "").await["items"][0]["overdue"], true, "after a day");
    for operation in ["open", "hold"] {
        leads.post(&at(meeting, operation), Value::Null).await.must(204);
    }
    assert_eq!(kinds(&world, &coordinator).await, [""; 0]);

    // A concern: no facilitator sees that there is one, also who raised it.
    let worry = json!({ "words": "did not say goodbye", "group": group });
    let concern: String = leads.post(&format!("/v1/members/{member}/concerns"), worry).await.must(201).id("concern");
    assert_eq!(kinds(&world, &coordinator).await, ["concern_to_acknowledge"]);
    assert_eq!(read(&world, &coordinator, "&owner=ann").await["items"][0]["urgency"], "emergency");
    assert_eq!(lines(&world, &coordinator, "&owner=nobody").await, BTreeSet::new());
    assert_eq!((kinds(&world, &leads).await, kinds(&world, &auditor).await), (vec![], vec![]));
    let path = format!("/v1/members/{member}/concerns/{concern}");
    coordinator.post(&format!("{path}/acknowledgement"), Value::Null).await.must(204);
    assert_eq!(kinds(&world, &coordinator).await, ["concern_to_resolve"]);
    assert_eq!(read(&world, &coordinator, "&owner=me").await["items"].as_array().map(Vec::len), Some(1));
    let cases = coordinator.get("/v1/caseloads").await.must(200).json();
    assert_eq!((&cases["items"][0]["concerns"], &cases["items"][0]["waiting"]), (&json!(1), &json!(1)), "{cases}");
    coordinator.post(&format!("{path}/resolution"), json!({ "outcome": "spoken", "note": "is safe" })).await.must(204);
    assert_eq!(kinds(&world, &coordinator).await, [""; 0]);

    // An enrolment that a facilitator recorded, and glass that one broke.
    let walked_in = coordinator.register(json!({ "alias": "Bee" })).await;
    leads.enrols(group, walked_in, "2026-06-04").await.must(201);
    assert_eq!(kinds(&world, &coordinator).await, ["enrolment_unconfirmed"]);
    assert_eq!(read(&world, &coordinator, &format!("&member={walked_in}")).await["items"][0]["called"], "Bee");
    assert_eq!(kinds(&world, &auditor).await, [""; 0]);
    let confirmed = format!("/v1/groups/{group}/enrolments/{walked_in}/confirmation");
    coordinator.post(&confirmed, json!({ "since": "2026-06-04" })).await.must(204);
    let glass = elsewhere.post(&format!("/v1/members/{member}/glass"), json!({ "reason": "fire" })).await.must(201);
    let glass: String = glass.id("glass");
    assert_eq!(
        (kinds(&world, &auditor).await, kinds(&world, &coordinator).await),
        (vec!["glass_to_review".into()], vec![])
    );
    let review = format!("/v1/members/{member}/glass/{glass}/review");
    auditor.post(&review, json!({ "justified": true })).await.must(204);
    assert_eq!(kinds(&world, &auditor).await, [""; 0]);

    // Who broke it, does not review it.
    auditor.post(&format!("/v1/members/{member}/glass"), json!({ "reason": "an audit" })).await.must(201);
    assert_eq!((kinds(&world, &auditor).await, kinds(&world, &admin).await), (vec![], vec!["glass_to_review".into()]));
    for (owner, status) in [("%20ann%20", 200), ("%00", 422), (&*"a".repeat(300), 422)] {
        coordinator.get(&format!("/v1/queue?owner={owner}")).await.must(status);
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_records_of_one_name_are_a_possible_duplicate_until_somebody_says_whose_they_are() {
    let world = World::start().await;
    let coordinator = world.coordinator();
    let named = |given: &str, family: &str| json!({ "given_name": given, "family_name": family });
    let ada = coordinator.register(named("Ada", "Lovelace")).await;
    coordinator.register(named("Grace", "Hopper")).await;
    counted(&world, &coordinator).await;
    let twin = coordinator.register(named("Ada", "Lovelace")).await;
    until(&world, &coordinator, "possible_duplicate", true).await;
    let item = read(&world, &coordinator, "").await["items"][0].clone();
    assert_eq!((&item["called"], &item["other_called"]), (&json!("Ada"), &json!("Ada")), "{item}");
    assert_eq!(kinds(&world, &world.facilitator([])).await, [""; 0]);

    let of = |member: MemberId, what: &str| format!("/v1/members/{member}/{what}");
    coordinator.post(&of(ada, "merge"), json!({ "into": twin })).await.must(204);
    until(&world, &coordinator, "possible_duplicate", false).await;
    coordinator.post(&of(ada, "unmerge"), Value::Null).await.must(204);
    until(&world, &coordinator, "possible_duplicate", true).await;
    coordinator.post(&of(ada, "apart"), json!({ "from": twin })).await.must(204);
    until(&world, &coordinator, "possible_duplicate", false).await;
    // Said twice, and of nobody.
    coordinator.post(&of(twin, "apart"), json!({ "from": ada })).await.must(204);
    coordinator.post(&of(twin, "apart"), json!({ "from": twin })).await.refused(422, "malformed");

    // Of somebody who shares an address; the item goes with them.
    let mail = json!({ "email": "one@example.org" });
    let shares = [coordinator.register(mail.clone()).await, coordinator.register(mail).await];
    until(&world, &coordinator, "possible_duplicate", true).await;
    world.admin().post(&of(shares[0], "erasure"), Value::Null).await.must(200);
    until(&world, &coordinator, "possible_duplicate", false).await;
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_coordinators_who_act_on_one_item_one_does_it_and_the_other_is_told() {
    let world = World::start().await;
    let (partner, service) = world.admin().partner("Harbour").await;
    let member = world.coordinator().register(json!({ "alias": "Ann" })).await;
    for round in 0..5 {
        let body = json!({ "urgency": "routine", "says": { "ask": format!("the {round}.") },
            "refer_to": { "partner": partner, "service": service } });
        let stated = world.coordinator().post(&format!("/v1/members/{member}/needs"), body).await.must(201);
        let referral: String = stated.id("referral");
        let both = [world.coordinator(), world.admin()];
        assert_eq!(kinds(&world, &both[0]).await, ["referral_to_send"], "{round}");
        let path = format!("/v1/members/{member}/referrals/{referral}/steps");
        let away = json!({ "what": { "enter_in_error": { "reason": "duplicate" } } });
        let (one, other) = tokio::join!(both[0].post(&path, away.clone()), both[1].post(&path, away));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses[1], 409, "{} {}", one.json(), other.json());
        assert!(statuses[0] < 300, "{} {}", one.json(), other.json());
        assert_eq!(kinds(&world, &both[1]).await, [""; 0], "{round}");
    }
}

/// Who plays, and what there is to play with.
struct Play {
    world: World,
    coordinator: Actor,
    leads: Actor,
    chance: StdRng,
    now: Timestamp,
    group: GroupId,
    members: Vec<MemberId>,
    /// Never in a group: they are merged, and parted.
    loose: Vec<MemberId>,
    /// What each record was called; nothing once it was erased.
    named: BTreeMap<MemberId, usize>,
    meetings: Vec<MeetingId>,
    service: (PartnerId, ServiceId),
    nth: i64,
}

/// Names that nobody takes for one another.
const NAMES: [(&str, &str); 3] = [("Ada", "Lovelace"), ("Grace", "Hopper"), ("Katherine", "Johnson")];

impl Play {
    async fn begin() -> Self {
        let world = World::start().await;
        let admin = world.admin();
        admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
        admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
        let programme = world.programme().await;
        let group = admin.group(programme, "Steps").await;
        let service = admin.partner("Harbour").await;
        let mut members = vec![];
        for _ in 0..4 {
            members.push(admin.enrol(group, "2026-06-01").await);
        }
        let (coordinator, leads) = (world.coordinator(), world.facilitator([group]));
        counted(&world, &coordinator).await;
        Self {
            coordinator,
            leads,
            chance: StdRng::seed_from_u64(seed()),
            now: time("2026-06-01T12:00:00Z"),
            group,
            members,
            loose: vec![],
            named: BTreeMap::new(),
            meetings: vec![],
            service,
            nth: 0,
            world,
        }
    }

    /// Somebody does something; whether it is refused, the log says.
    async fn act(&mut self) {
        let member = *self.members.choose(&mut self.chance).expect("some");
        let of = |what: &str| format!("/v1/members/{member}/{what}");
        let stands = self.standing().await;
        let any = |chance: &mut StdRng, kind: &str| {
            let of: Vec<_> = stands.iter().filter(|(known, ..)| known == kind).cloned().collect();
            of.choose(chance).cloned()
        };
        match self.chance.random_range(0..20) {
            0 | 1 => self.plan().await,
            2..=6 => self.see_to_a_meeting().await,
            7 => {
                let worry = json!({ "words": "worried", "group": self.group });
                self.leads.post(&of("concerns"), worry).await;
            }
            8 => {
                if let Some((_, concern, member)) = any(&mut self.chance, "concern_to_acknowledge") {
                    let path = format!("/v1/members/{member}/concerns/{concern}/acknowledgement");
                    self.coordinator.post(&path, Value::Null).await.must(204);
                }
            }
            9 => {
                if let Some((_, concern, member)) = any(&mut self.chance, "concern_to_resolve") {
                    let path = format!("/v1/members/{member}/concerns/{concern}/resolution");
                    self.coordinator.post(&path, json!({ "outcome": "spoken", "note": "safe" })).await.must(204);
                }
            }
            10 => {
                let (partner, service) = self.service;
                let body = json!({ "urgency": "routine", "says": { "ask": "to talk" },
                    "refer_to": { "partner": partner, "service": service } });
                self.coordinator.post(&of("needs"), body).await;
            }
            11 => {
                if let Some((_, referral, member)) = any(&mut self.chance, "referral_to_send") {
                    let path = format!("/v1/members/{member}/referrals/{referral}/steps");
                    self.coordinator
                        .post(&path, json!({ "what": { "enter_in_error": { "reason": "duplicate" } } }))
                        .await;
                }
            }
            12 => _ = self.leads.post(&of("glass"), json!({ "reason": "fire" })).await,
            13 => {
                if let Some((_, glass, member)) = any(&mut self.chance, "glass_to_review") {
                    let path = format!("/v1/members/{member}/glass/{glass}/review");
                    self.world.admin().post(&path, json!({ "justified": true })).await.must(204);
                }
            }
            14 => self.register().await,
            15 => {
                let pair = any(&mut self.chance, "possible_duplicate");
                self.settle_a_duplicate(pair).await;
            }
            16 => self.part().await,
            17 => self.erase().await,
            _ => {
                self.now += SignedDuration::from_hours(self.chance.random_range(1..200));
                self.world.set_time(&self.now.to_string());
            }
        }
    }

    async fn plan(&mut self) {
        let day = (time("2026-06-02T00:00:00Z") + SignedDuration::from_hours(7 * 24 * self.nth)).to_string();
        self.nth += 1;
        self.meetings.push(self.coordinator.meeting(self.group, &day[..10]).await);
    }

    async fn see_to_a_meeting(&mut self) {
        let Some(meeting) = self.meetings.choose(&mut self.chance).copied() else { return };
        if self.chance.random_range(0..4) == 0 {
            self.leads.post(&at(meeting, "did-not-occur"), json!({ "reason": "flood" })).await;
            return;
        }
        self.leads.post(&at(meeting, "open"), Value::Null).await;
        for member in self.members.clone() {
            let mark = ["absent", "absent", "absent", "excused", "present"];
            let mark = mark.choose(&mut self.chance).expect("some");
            self.leads.mark(meeting, member, mark).await;
        }
        self.leads.post(&at(meeting, "hold"), Value::Null).await;
    }

    async fn register(&mut self) {
        let name = self.chance.random_range(0..NAMES.len());
        let (given, family) = NAMES[name];
        let member = self.coordinator.register(json!({ "given_name": given, "family_name": family })).await;
        self.named.insert(member, name);
        self.loose.push(member);
    }

    async fn settle_a_duplicate(&mut self, pair: Option<Line>) {
        let Some((_, one, other)) = pair else { return };
        let (path, body) = if self.chance.random() { ("merge", "into") } else { ("apart", "from") };
        self.coordinator.post(&format!("/v1/members/{one}/{path}"), json!({ (body): other })).await.must(204);
    }

    async fn part(&mut self) {
        let Some(member) = self.loose.choose(&mut self.chance) else { return };
        self.coordinator.post(&format!("/v1/members/{member}/unmerge"), Value::Null).await;
    }

    async fn erase(&mut self) {
        let all: Vec<_> = self.loose.iter().chain(&self.members[1..]).copied().collect();
        let member = *all.choose(&mut self.chance).expect("some");
        self.world.admin().post(&format!("/v1/members/{member}/erasure"), Value::Null).await;
    }

    /// All that stands in the queues of those who can resolve it.
    async fn standing(&self) -> BTreeSet<Line> {
        let admin = self.world.admin();
        lines(&self.world, &admin, "").await
    }

    /// What must stand there, by all events from the first.
    async fn scanned(&self) -> BTreeSet<Line> {
        let events = written(&self.world).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let erased = erased(&events);
        let mut found = BTreeMap::<(String, String), Line>::new();
        let mut put = |kind: &str, id: &str, member: &str| {
            found.insert(
                (kind.split('_').next().unwrap_or_default().into(), id.into()),
                (kind.into(), id.into(), member.into()),
            );
        };
        let mut gone = BTreeSet::new();
        for (stream, event, said) in &events {
            match event.as_str() {
                "concern.raised" => put("concern_to_acknowledge", &text(&said["concern"]), stream),
                "concern.acknowledged" => put("concern_to_resolve", &text(&said["concern"]), stream),
                "concern.resolved" => _ = gone.insert(text(&said["concern"])),
                "referral.drafted" => put("referral_to_send", &text(&said["attempt"]), stream),
                "referral.sent" | "referral.moved" => _ = gone.insert(text(&said["attempt"])),
                "glass.broken" => put("glass_to_review", &text(&said["glass"]), stream),
                "glass.reviewed" => _ = gone.insert(text(&said["glass"])),
                _ => {}
            }
        }
        let kept = found.into_values().filter(|(_, id, member)| !gone.contains(id) && !erased.contains(member));
        kept.chain(self.registers(&events))
            .chain(self.lapsed(&events, &erased))
            .chain(self.alike(&events, &erased))
            .collect()
    }

    /// Registers that are overdue.
    fn registers(&self, events: &[Written]) -> Vec<Line> {
        let (mut ends, mut done) = (BTreeMap::new(), BTreeSet::new());
        for (stream, event, said) in events {
            match event.as_str() {
                "meeting.planned" => _ = ends.insert(stream, time(said["ends_at"].as_str().expect("an end"))),
                "meeting.held" | "meeting.did_not_occur" => _ = done.insert(stream),
                _ => {}
            }
        }
        let over = ends.into_iter().filter(|(meeting, ends_at)| *ends_at <= self.now && !done.contains(meeting));
        over.map(|(meeting, _)| ("register_not_reported".into(), meeting.clone(), String::new())).collect()
    }

    /// Members of the group who missed three held meetings in a row.
    fn lapsed(&self, events: &[Written], erased: &BTreeSet<String>) -> Vec<Line> {
        let mut held = BTreeSet::new();
        for (stream, event, _) in events {
            match event.as_str() {
                "meeting.held" => _ = held.insert(stream),
                "meeting.did_not_occur" => _ = held.remove(stream),
                _ => {}
            }
        }
        let marked = |meeting: &MeetingId, member: &str| {
            let meeting = meeting.to_string();
            let mark = |(stream, event, said): &&Written| {
                *stream == meeting && event == "attendance.recorded" && said["member"] == member
            };
            events.iter().rfind(mark).map(|(_, _, said)| said["mark"].as_str().unwrap_or_default().to_owned())
        };
        let members = self.members.iter().map(ToString::to_string).filter(|member| !erased.contains(member));
        let lapsed = members.filter(|member| {
            // Meetings are planned in the order of their days.
            let held = self.meetings.iter().filter(|meeting| held.contains(&meeting.to_string()));
            let mut missed = 0;
            for meeting in held {
                match marked(meeting, member).as_deref() {
                    Some("absent") => missed += 1,
                    Some("present") => missed = 0,
                    _ => {}
                }
            }
            missed >= 3
        });
        lapsed.map(|member| ("member_lapsed".into(), member.clone(), member)).collect()
    }

    /// People of one name of whom nobody said that they are two.
    fn alike(&self, events: &[Written], erased: &BTreeSet<String>) -> Vec<Line> {
        let id = |value: &Value| value.as_str().and_then(|id| id.parse::<MemberId>().ok()).expect("an id");
        let (mut into, mut apart) = (BTreeMap::new(), vec![]);
        for (_, event, said) in events {
            match event.as_str() {
                "member.merged" => _ = into.insert(id(&said["from"]), id(&said["into"])),
                "member.unmerged" => _ = into.remove(&id(&said["from"])),
                "member.told_apart" => apart.push((id(&said["one"]), id(&said["other"]))),
                _ => {}
            }
        }
        let person = |mut member: MemberId| {
            while let Some(next) = into.get(&member) {
                member = *next;
            }
            member
        };
        let apart: BTreeSet<_> =
            apart.iter().flat_map(|(a, b)| [(person(*a), person(*b)), (person(*b), person(*a))]).collect();
        let there = |member: &&MemberId| !erased.contains(&member.to_string()) && person(**member) == **member;
        let mut pairs = vec![];
        for one in self.named.keys().filter(there) {
            for other in self.named.keys().filter(there).filter(|other| *other > one) {
                if self.named[one] == self.named[other] && !apart.contains(&(*one, *other)) {
                    pairs.push(("possible_duplicate".into(), other.to_string(), one.to_string()));
                }
            }
        }
        pairs
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_at_each_moment_what_a_scan_of_all_events_finds() {
    let mut play = Play::begin().await;
    let mut seen = BTreeSet::new();
    for round in 0..220 {
        play.act().await;
        let scanned = play.scanned().await;
        seen.extend(scanned.iter().map(|(kind, ..)| kind.clone()));
        let fast = |lines: &BTreeSet<Line>| {
            lines.iter().filter(|(kind, ..)| kind != "possible_duplicate").cloned().collect::<BTreeSet<_>>()
        };
        let standing = play.standing().await;
        assert_eq!(fast(&standing), fast(&scanned), "round {round}");
        // Whoever may be registered twice is found a moment later.
        let found = async { while play.standing().await != scanned {} };
        if tokio::time::timeout(PATIENCE, found).await.is_err() {
            assert_eq!(play.standing().await, scanned, "round {round}");
        }
    }
    let never: Vec<_> = ["register_not_reported", "concern_to_acknowledge", "referral_to_send", "possible_duplicate"]
        .into_iter()
        .filter(|kind| !seen.contains(*kind))
        .collect();
    assert!(never.is_empty(), "nothing of {never:?} ever came");
    // Made anew, it is the same.
    let before = play.scanned().await;
    play.world.restart(remove_views).await;
    play.coordinator = play.world.coordinator();
    counted(&play.world, &play.coordinator).await;
    assert_eq!(play.standing().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_shows_the_queue_as_it_is_written() {
    let world = World::start().await;
    let coordinator = world.coordinator();
    let named = json!({ "given_name": "Ada", "family_name": "Lovelace" });
    let [member, other] = [coordinator.register(named.clone()).await, coordinator.register(named).await];
    until(&world, &coordinator, "possible_duplicate", true).await;
    let variables = [("TOKEN", coordinator.token()), ("MEMBER", member.to_string()), ("OTHER", other.to_string())];
    let mut shell = Shell::new(world.nobody(), variables);
    let mut duplicates = vec![];
    for line in guide::lines(include_str!("../../../deploy/guides/queue.md")) {
        if line.contains("possible_duplicate") {
            until(&world, &coordinator, "possible_duplicate", duplicates.is_empty()).await;
        }
        let said = shell.run(line).await;
        if line.contains("possible_duplicate") {
            duplicates.push(said["items"].as_array().expect("items").len());
        }
    }
    assert_eq!(duplicates, [1, 0]);
}
