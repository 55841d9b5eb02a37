//! What depends on days and on others: unconfirmed enrolments, missed check-ins, and referrals that were sent, held at
//! random moments against a scan of all events that knows nothing of views.
//!
//! The partner's clocks are set in plain days here, so that the scan counts days; working days and time zones are
//! `referral_clocks`'.

use std::collections::{BTreeMap, BTreeSet};

use domain::{GroupId, MemberId, PartnerId, ServiceId};
use jiff::{SignedDuration, Span, Timestamp, ToSpan, civil::Date};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tests::world::{Actor, ORG, World, remove_views, seed, time};
use web::Role;

use crate::{
    queue::{self, Line, Written, erased, written},
    referrals,
};

/// Days that a partner has: to open a referral, to decide, to be in touch, to say how the wait goes on; and days until the
/// member is asked, from the end and from the first contact.
const DAYS: [i64; 6] = [2, 5, 9, 12, 6, 10];
/// Days between check-ins, days that each is open before and after its day, and days that a missed one is listed.
const EVERY: i64 = 14;
const OPEN: i64 = 2;
const LISTED: i64 = 28;

struct Play {
    world: World,
    chance: StdRng,
    now: Timestamp,
    group: GroupId,
    members: Vec<MemberId>,
    service: (PartnerId, ServiceId),
}

/// A referral, as the events tell it.
#[derive(Debug, Clone, Default)]
struct Told {
    attempt: String,
    member: String,
    stage: String,
    /// When something last happened to it, by its name; `first …`: when it first did.
    times: BTreeMap<String, Timestamp>,
    starts_at: Option<Timestamp>,
}

impl Play {
    async fn begin() -> Self {
        let world = World::start().await;
        let admin = world.admin();
        let put = async |path: &str, body: Value| _ = admin.put(path, body).await.must(204);
        put("/v1/duty-seat", json!({ "holder": "coordinator" })).await;
        put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await;
        put("/v1/instruments/gad-7/use", json!({ "version": 1 })).await;
        let programme = world.programme().await;
        let timing = json!({ "intake": true, "every_weeks": EVERY / 7, "exit": true, "open_days": OPEN });
        put(&format!("/v1/programmes/{programme}/check-ins/gad-7"), timing).await;
        world.settle().await;
        let mut clocks = admin.get("/v1/referral-clocks").await.must(200).json();
        let set = ["routine/received", "routine/decided", "routine/contacted", "waitlist_update", "member_question"];
        for (path, days) in set.iter().chain(&["member_question_after_contact"]).zip(DAYS) {
            *clocks.pointer_mut(&format!("/{path}")).expect("a clock") = json!({ "days": days });
        }
        // Nothing happens to a referral by time alone.
        for path in ["expiry_grace", "cancel_grace"] {
            clocks[path] = json!({ "days": 0 });
        }
        put("/v1/referral-clocks", clocks).await;
        let calendar = json!({ "time_zone": "UTC", "working_days": ["MO"] });
        let body = json!({ "name": "Harbour", "calendar": calendar });
        let partner: PartnerId = admin.post("/v1/partners", body).await.must(201).id("id");
        let service = ServiceId(partner.0);
        put(&format!("/v1/partners/{partner}/services/{service}"), tests::world::counselling()).await;
        let group = admin.group(programme, "Steps").await;
        let now = time("2026-06-01T12:00:00Z");
        let chance = StdRng::seed_from_u64(seed());
        Self { world, chance, now, group, members: vec![], service: (partner, service) }
    }

    fn coordinator(&self) -> Actor {
        self.world.coordinator()
    }

    fn leads(&self) -> Actor {
        self.world.facilitator([self.group])
    }

    fn today(&self) -> Date {
        self.now.to_zoned(domain::time_zone("America/New_York").expect("it is known")).date()
    }

    /// A day not far from today.
    fn day(&mut self, from: i64, to: i64) -> Date {
        self.today().saturating_add(Span::new().days(self.chance.random_range(from..to)))
    }

    /// Somebody does something; whether it is refused, the log says.
    async fn act(&mut self) {
        let events = written(&self.world).await;
        let erased = erased(&events);
        match self.chance.random_range(0..24) {
            0 | 1 => self.enrol().await,
            2 => self.confirm(&events).await,
            3 => self.end_an_enrolment().await,
            4..=7 => self.check_in(&events).await,
            8..=17 => self.refer(&told(&events, &erased)).await,
            18 => {
                if let Some(member) = self.anybody().filter(|_| self.chance.random_range(0..3) == 0) {
                    self.world.admin().post(&format!("/v1/members/{member}/erasure"), Value::Null).await;
                }
            }
            _ => {
                self.now += SignedDuration::from_hours(self.chance.random_range(1..100));
                self.world.set_time(&self.now.to_string());
            }
        }
    }

    fn anybody(&mut self) -> Option<MemberId> {
        self.members.choose(&mut self.chance).copied()
    }

    async fn enrol(&mut self) {
        // Names that nobody takes for one another: a pair for each two would fill the page.
        let profile = json!({ "alias": format!("{:016x}", self.chance.random::<u64>()) });
        let again = self.anybody().filter(|_| self.chance.random_range(0..3) == 0);
        let member = match again {
            Some(member) => member,
            None => self.coordinator().register(profile).await,
        };
        self.members.push(member);
        let by = if self.chance.random() { self.leads() } else { self.coordinator() };
        let day = self.day(-10, 5).to_string();
        by.enrols(self.group, member, &day).await;
    }

    async fn confirm(&mut self, events: &[Written]) {
        let places = self.places(events);
        let unconfirmed: Vec<_> = places.iter().filter(|place| place.proposed).collect();
        let Some(place) = unconfirmed.choose(&mut self.chance) else { return };
        let path = format!("/v1/groups/{}/enrolments/{}", self.group, place.member);
        let (path, body) = if self.chance.random() {
            (format!("{path}/confirmation"), json!({ "since": place.first }))
        } else {
            (format!("{path}/entered-in-error"), json!({ "since": place.first, "reason": "duplicate" }))
        };
        self.coordinator().post(&path, body).await;
    }

    async fn end_an_enrolment(&mut self) {
        let Some(member) = self.anybody() else { return };
        let body = json!({ "ends_on": self.day(-5, 10) });
        let path = format!("/v1/groups/{}/enrolments/{member}/withdrawal", self.group);
        self.coordinator().post(&path, body).await;
    }

    async fn check_in(&mut self, events: &[Written]) {
        let Some(member) = self.anybody() else { return };
        if self.chance.random_range(0..4) == 0 {
            let of = |(stream, event, said): &Written| {
                let taken = event == "check_in.recorded" && *stream == member.to_string();
                taken.then(|| text(&said["check_in"]))
            };
            let taken: Vec<_> = events.iter().filter_map(of).collect();
            let Some(check_in) = taken.choose(&mut self.chance) else { return };
            let path = format!("/v1/members/{member}/check-ins/{check_in}/entered-in-error");
            self.coordinator().post(&path, json!({ "reason": "it was another's" })).await;
            return;
        }
        let answers: BTreeMap<_, _> = (1..=7).map(|item: u8| (item.to_string(), 1)).collect();
        let on = self.day(-6, 1);
        let body = json!({ "instrument": "gad-7", "given": { "answers": answers }, "group": self.group, "on": on });
        self.coordinator().post(&format!("/v1/members/{member}/check-ins"), body).await;
    }

    async fn refer(&mut self, told: &[Told]) {
        let few = told.len() < 3 || self.chance.random_range(0..5) == 0;
        let Some(told) = told.choose(&mut self.chance).filter(|_| !few) else { return self.draft().await };
        let of = format!("/v1/members/{}", told.member);
        let path = format!("{of}/referrals/{}", told.attempt);
        if told.stage == "draft" {
            return self.send(&of, &path).await;
        }
        let mut steps: Vec<_> = STEPS.iter().filter(|(stage, ..)| *stage == told.stage).collect();
        steps.extend(STEPS.iter().filter(|(stage, ..)| *stage == "any" && self.chance.random_range(0..4) == 0));
        let Some((_, who, what)) = steps.choose(&mut self.chance) else { return };
        let starts_at = self.now + SignedDuration::from_hours(self.chance.random_range(1..400));
        let what =
            json!({ "what": serde_json::from_str::<Value>(&what.replace("SOON", &starts_at.to_string())).unwrap() });
        match *who {
            "coordinator" => drop(self.coordinator().post(&format!("{path}/steps"), what).await),
            "consent" => {
                drop(
                    self.coordinator()
                        .post(&format!("{of}/disclosures/withdrawal"), json!({ "means": "verbal" }))
                        .await,
                );
            }
            "reviewer" => {
                let review = json!({ "justified": self.chance.random_range(0..4) > 0 });
                drop(self.world.admin().post(&format!("{path}/override/review"), review).await);
            }
            _ => {
                let partner = self.world.somebody(ORG, Role::Partner, &self.service.0.to_string(), vec![]);
                let attempt = told.attempt.parse().expect("an id");
                let path =
                    format!("/v1/partner/referrals/{}", referrals::reference(&self.world, &partner, attempt).await);
                if what["what"].get("open").is_some() {
                    partner.post(&format!("{path}/opening"), json!({})).await;
                } else {
                    partner.post(&format!("{path}/steps"), what).await;
                }
            }
        }
    }

    async fn draft(&mut self) {
        let Some(member) = self.anybody() else { return };
        let (partner, service) = self.service;
        let body = json!({ "urgency": "routine", "says": { "ask": "to talk" },
            "refer_to": { "partner": partner, "service": service } });
        self.coordinator().post(&format!("/v1/members/{member}/needs"), body).await;
    }

    /// Sends a draft, with consent or by whoever holds the duty seat.
    async fn send(&mut self, of: &str, path: &str) {
        let coordinator = self.coordinator();
        let overrides = self.chance.random_range(0..3) == 0;
        let items = json!(["alias", "ask"]);
        let mut ask = json!({});
        if overrides {
            ask = json!({ "items": items, "without_consent": true });
        } else {
            let consent = json!({ "law": "part2", "partners": [self.service.0], "items": items, "means": "electronic",
                "text": "referral-2026-03", "elements": referrals::ELEMENTS });
            coordinator.post(&format!("{of}/disclosures"), consent).await;
        }
        let preview = coordinator.post(&format!("{path}/preview"), ask).await.json()["preview"].clone();
        let (path, body) = if overrides {
            let until = self.now + SignedDuration::from_hours(24 * 20);
            let why = json!({ "items": items, "preview": preview, "reason": "In danger", "until": until });
            (format!("{path}/override"), why)
        } else {
            (format!("{path}/sending"), json!({ "preview": preview, "link": false }))
        };
        coordinator.post(&path, body).await;
    }

    /// What must stand in the queue, by all events from the first.
    async fn scanned(&self) -> BTreeSet<Line> {
        let events = written(&self.world).await;
        let referrals = told(&events, &erased(&events));
        let places = self.places(&events);
        let unconfirmed = places.iter().filter(|place| place.proposed);
        let unconfirmed =
            unconfirmed.map(|place| ("enrolment_unconfirmed".into(), self.group.to_string(), place.member.clone()));
        let missed = self.missed(&events, &places);
        let missed = missed.into_iter().map(|member| ("check_in_missed".into(), member.clone(), member));
        let waiting = referrals.iter().flat_map(|told| {
            told.waits(self.now).into_iter().map(|kind| (kind.to_owned(), told.attempt.clone(), told.member.clone()))
        });
        unconfirmed.chain(missed).chain(waiting).collect()
    }

    /// Who has, or had, a place, from which day to which.
    fn places(&self, events: &[Written]) -> Vec<Place> {
        let erased = erased(events);
        let mut places = Vec::<Place>::new();
        for (stream, event, said) in events.iter().filter(|(stream, ..)| *stream == self.group.to_string()) {
            let member = text(&said["member"]);
            let day = |name: &str| said[name].as_str().and_then(|day| day.parse::<Date>().ok());
            let of = |place: &Place| place.member == member && Some(place.first) == day("since");
            match event.as_str() {
                "enrolment.started" => {
                    let proposed = !said["proposed_by"].is_null();
                    let first = day("starts_on").expect("a day");
                    places.push(Place { member, first, last: None, proposed });
                }
                "enrolment.confirmed" => places.iter_mut().filter(|place| of(place)).for_each(|place| {
                    place.proposed = false;
                }),
                "enrolment.entered_in_error" => places.retain(|place| !of(place)),
                "enrolment.ended" => {
                    let open = places.iter_mut().rfind(|place| place.member == member).expect("a place");
                    open.last = day("ends_on");
                }
                _ => assert!(!event.starts_with("enrolment."), "{stream}: {event} is not known here"),
            }
        }
        places.retain(|place| !erased.contains(&place.member));
        places
    }

    /// Who missed a check-in: the last that has opened was not taken in its days, which are not long past.
    fn missed(&self, events: &[Written], places: &[Place]) -> BTreeSet<String> {
        let mut taken = BTreeMap::<String, (String, Date)>::new();
        for (stream, event, said) in events {
            match event.as_str() {
                "check_in.recorded" => {
                    let on = said["when"]["on"].as_str().expect("a day").parse().expect("a day");
                    taken.insert(text(&said["check_in"]), (stream.clone(), on));
                }
                "check_in.entered_in_error" => _ = taken.remove(&text(&said["check_in"])),
                _ => {}
            }
        }
        let today = self.today();
        let days = |from: Date, to: Date| (from.until(to).expect("a span").get_days()).into();
        let missed = |place: &&Place| {
            let past: i64 = days(place.first, today) + OPEN;
            let stays: i64 = place.last.map_or(i64::MAX, |last| days(place.first, last));
            let asked = (0..).step_by(14).take_while(|n| *n == 0 || *n <= stays).take_while(|n| *n <= past);
            let last = asked.chain(place.last.map(|_| stays).filter(|n| *n <= past)).max();
            let Some(due) = last.map(|n| place.first.saturating_add(n.days())) else { return false };
            let in_time = |on: Date| days(due, on) <= OPEN && days(due, on) >= -OPEN;
            let since: i64 = days(due, today) - OPEN;
            let is_taken = taken.values().any(|(member, on)| *member == place.member && in_time(*on));
            !is_taken && since > 0 && since <= LISTED
        };
        places.iter().filter(missed).map(|place| place.member.clone()).collect()
    }

    async fn standing(&self) -> BTreeSet<Line> {
        let found = queue::lines(&self.world, &self.world.admin(), "").await;
        // Possible duplicates are `queue`'s.
        found.into_iter().filter(|(kind, ..)| kind != "possible_duplicate").collect()
    }
}

/// Somebody's time in the group.
#[derive(Debug, Clone)]
struct Place {
    member: String,
    first: Date,
    last: Option<Date>,
    /// Whether nobody with authority has confirmed it.
    proposed: bool,
}

/// What may happen to a referral that has come so far, by whom.
const STEPS: &[(&str, &str, &str)] = &[
    ("sent", "partner", r#"{"open":{}}"#),
    ("sent", "partner", r#"{"accept":{}}"#),
    ("sent", "coordinator", r#"{"withdraw":{"reason":"wrong_recipient"}}"#),
    ("received", "partner", r#"{"accept":{}}"#),
    ("received", "partner", r#"{"decline":{"reason":"no_capacity"}}"#),
    ("accepted", "partner", r#"{"waitlist":{"position":2}}"#),
    ("accepted", "partner", r#"{"schedule":{"starts_at":"SOON"}}"#),
    ("accepted", "coordinator", r#"{"engage":{}}"#),
    ("waitlisted", "coordinator", r#"{"waitlist":{"position":1}}"#),
    ("waitlisted", "partner", r#"{"schedule":{"starts_at":"SOON"}}"#),
    ("waitlisted", "coordinator", r#"{"engage":{}}"#),
    ("scheduled", "coordinator", r#"{"engage":{}}"#),
    ("scheduled", "partner", r#"{"record_no_show":{}}"#),
    ("scheduled", "partner", r#"{"cancel_slot":{}}"#),
    ("no_show", "partner", r#"{"schedule":{"starts_at":"SOON"}}"#),
    ("slot_cancelled", "partner", r#"{"schedule":{"starts_at":"SOON"}}"#),
    ("engaged", "partner", r#"{"complete":{"outcome":"partly_received"}}"#),
    ("engaged", "coordinator", r#"{"answer":{"answer":"helped"}}"#),
    ("completed", "coordinator", r#"{"answer":{"answer":"no_answer"}}"#),
    ("withdrawn", "coordinator", r#"{"tell_withdrawal":{"channel":"phone"}}"#),
    ("withdrawn", "partner", r#"{"acknowledge_withdrawal":{}}"#),
    ("any", "coordinator", r#"{"enter_in_error":{"reason":"duplicate"}}"#),
    ("any", "consent", "{}"),
    ("any", "reviewer", "{}"),
];

impl Told {
    /// What it waits for.
    fn waits(&self, now: Timestamp) -> Vec<&'static str> {
        let [opened, decided, in_touch, news, asked, asked_since_contact] = DAYS;
        let at = |name: &str| self.times.get(name).copied();
        let over = |from: Option<Timestamp>, days: i64| {
            from.is_some_and(|from| from + SignedDuration::from_hours(24 * days) <= now)
        };
        let mut waits = vec![];
        let mut put = |kind: &'static str, is_so: bool| waits.extend(is_so.then_some(kind));
        let is = |stages: &[&str]| stages.contains(&self.stage.as_str());
        put("referral_to_send", is(&["draft"]));
        put("referral_unopened", is(&["sent"]) && over(at("sent"), opened));
        put("referral_undecided", is(&["sent", "received"]) && over(at("sent"), decided));
        put("referral_without_news", is(&["waitlisted"]) && over(at("waitlist"), news));
        let active = at("accept").max(at("left the waiting list"));
        let appointment = self.starts_at.is_some_and(|starts_at| is(&["scheduled"]) && starts_at > now);
        put(
            "referral_without_contact",
            is(&["accepted", "scheduled", "no_show", "slot_cancelled"])
                && at("engage").is_none()
                && !appointment
                && over(active, in_touch),
        );
        let silent = at("answer").is_none();
        put(
            "referral_without_answer",
            silent
                && (is(&["completed"]) && over(at("complete"), asked)
                    || is(&["engaged"]) && over(at("first engage"), asked_since_contact)),
        );
        put("withdrawal_unacknowledged", at("close_access").is_some() && at("acknowledge_withdrawal").is_none());
        put("override_to_review", at("overridden").is_some() && at("reviewed").is_none());
        waits
    }
}

/// All referrals, as the events tell them.
fn told(events: &[Written], erased: &BTreeSet<String>) -> Vec<Told> {
    let mut found = BTreeMap::<String, Told>::new();
    for (stream, event, said) in events {
        let attempt = text(&said["attempt"]);
        if event == "referral.drafted" {
            let told =
                Told { attempt: attempt.clone(), member: stream.clone(), stage: "draft".into(), ..Told::default() };
            found.insert(attempt.clone(), told);
        }
        let Some(told) = found.get_mut(&attempt) else { continue };
        let at = time(said["at"].as_str().expect("a time"));
        let name = match event.as_str() {
            "referral.sent" => {
                told.stage = "sent".into();
                "sent"
            }
            "referral.moved" => {
                let to = text(&said["to"]);
                if told.stage == "waitlisted" && to != "waitlisted" {
                    told.times.insert("left the waiting list".into(), at);
                }
                told.stage = to;
                let (what, with) = said["what"].as_object().and_then(|what| what.iter().next()).expect("what");
                told.starts_at = with["starts_at"].as_str().map(time).or(told.starts_at);
                what
            }
            "disclosure.overridden" => "overridden",
            "disclosure.override_reviewed" => "reviewed",
            _ => continue,
        };
        told.times.insert(name.into(), at);
        told.times.entry(format!("first {name}")).or_insert(at);
    }
    found.into_values().filter(|told| !erased.contains(&told.member)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_days_and_for_partners_is_at_each_moment_what_a_scan_of_all_events_finds() {
    let mut play = Play::begin().await;
    let mut seen = BTreeSet::new();
    for round in 0..300 {
        play.act().await;
        let scanned = play.scanned().await;
        seen.extend(scanned.iter().map(|(kind, ..)| kind.clone()));
        assert_eq!(play.standing().await, scanned, "round {round}");
    }
    let always =
        ["enrolment_unconfirmed", "check_in_missed", "referral_to_send", "referral_unopened", "referral_undecided"];
    let never: Vec<_> = always.into_iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(never.is_empty(), "nothing of {never:?} ever came");
    // Made anew, it is the same.
    play.world.restart(remove_views).await;
    assert_eq!(play.standing().await, play.scanned().await);
}
