//! Known words go through every field in which a person could be described, of every operation; then every byte that
//! the system left behind is searched for them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use domain::{GroupId, MeetingId, MemberId};
use hyper::{Method, Request};
use jiff::{Span, tz::TimeZone};
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    process::Server,
    world::{ORG, agency, counselling},
};
use web::Role;

use crate::operations::{Operation, Operations, Things};

/// How every canary begins; in no file for another reason.
const CANARY: &str = "zqxcanaryzqx";

/// Operations with free text that is about nobody, and why. Everything else must not be found.
const PUBLIC: &[(&str, &str)] = &[
    ("register_programme", "names of programmes are public"),
    ("register_group", "details of groups are public: never a person's name"),
    ("change_group", "details of groups are public: never a person's name"),
    ("schedule_group", "a calendar"),
    ("change_occurrence", "a note for whoever may see the calendar: never a person's name"),
    ("plan_meetings", "days"),
    ("import_bmlt", "a public listing"),
    ("import_calendar", "a file of calendars: details of groups, of which no person's name is read"),
    ("import_meeting_guide", "a public listing"),
    ("import_naws", "a public listing, of which nothing of contacts is kept"),
    ("import_groups", "details of groups are public: never a person's name; how to join is sealed"),
    ("end_revocation", "subjects are ids of the organisation's choice that say nothing: README"),
    ("revoke_token", "subjects are ids of the organisation's choice that say nothing: README"),
    ("assign_facilitator", "subjects are ids of the organisation's choice that say nothing: README"),
    ("end_assignment", "subjects are ids of the organisation's choice that say nothing: README"),
    ("register_client", "names of programs"),
    ("add_instrument", "an instrument is about nobody"),
    ("load_instrument_texts", "the words of an instrument are about nobody"),
    ("take_duty_seat", "subjects are ids of the organisation's choice that say nothing: README"),
    ("take_programme_duty_seat", "subjects are ids of the organisation's choice that say nothing: README"),
    ("register_partner", "details of partners: never a person's name"),
    ("change_partner", "details of partners: never a person's name"),
    ("describe_service", "what describes services: never a person's name"),
    ("import_hsds", "a public directory, of which no person's name is kept"),
    ("set_crisis_text", "what is said to whoever may be in danger is about nobody"),
];
/// Fields of free text that are about nobody, in operations where others are.
const PUBLIC_FIELDS: &[(&str, &str)] = &[
    ("give_consent", "/text"),
    ("allow_disclosure", "/text"),
    // Subjects are ids of the organisation's choice that say nothing: README.
    ("record_structure", "/facilitators/0"),
];

/// The operations in which a person can be described, each sent by [`sing`].
const PERSONAL: &[&str] = &[
    "register_member",
    "change_member",
    "give_consent",
    "place_hold",
    "break_glass",
    "search_members",
    "import_members",
    "import_check_ins",
    "import_attendance",
    "withdraw_member",
    "move_turn",
    "cancel_meeting",
    "reinstate_meeting",
    "meeting_did_not_occur",
    "reopen_register",
    "report_meeting",
    "add_walk_in",
    "correct_attendance",
    "record_headcount",
    "correct_check_in",
    "check_in_entered_in_error",
    "set_goal",
    "raise_concern",
    "resolve_concern",
    "record_structure",
    "allow_disclosure",
    "state_need",
    "change_need",
    "close_need",
    "draft_referral",
    "override_disclosure",
    "record_referral_step",
    "record_partner_step",
    "record_link_step",
    "lift_rest",
    "set_mailbox",
    "set_joining",
];

/// Every place in a body where anything can be written, as JSON pointers.
fn free_text(body: &Value, at: &str) -> Vec<String> {
    match body {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| free_text(value, &format!("{at}/{name}"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(n, value)| free_text(value, &format!("{at}/{n}"))).collect()
        }
        Value::String(text) if text == "text" || text.contains('@') => vec![at.to_owned()],
        _ => vec![],
    }
}

/// Bodies with a canary in every place.
struct Aviary {
    operations: Operations,
    things: Things,
    freed: BTreeSet<String>,
}

impl Aviary {
    fn operation(&self, id: &str) -> &Operation {
        self.operations.all().find(|operation| operation.id == id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    /// A body of the operation, made from its schema, with a canary of its own in every place that is not public.
    fn body(&mut self, id: &'static str) -> Value {
        let mut body = self.operation(id).sample(&self.things).expect("a body");
        for place in free_text(&body, "") {
            if PUBLIC_FIELDS.contains(&(id, place.as_str())) {
                continue;
            }
            let field = body.pointer_mut(&place).expect("a place of its own");
            let canary = format!("{CANARY}{:04}", self.freed.len());
            *field = if field.as_str().is_some_and(|text| text.contains('@')) {
                format!("{canary}@example.org").into()
            } else {
                canary.into()
            };
            self.freed.insert(format!("{id}{place}"));
        }
        body
    }
}

async fn command(client: &mut Client, method: Method, path: &str, body: &Value) -> Answer {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let key = format!("canary-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let answer = client.command(method, path, &key, body).await.expect("an answer");
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.json());
    answer
}

/// A group that meets every day from ten days ago, and today's meeting, the one of yesterday and the one before.
async fn group(admin: &mut Client) -> (GroupId, [MeetingId; 3]) {
    let programme = command(admin, Method::POST, "/v1/programmes", &json!({ "name": "Public" })).await.json();
    let today = kith::clock().now().to_zoned(TimeZone::UTC).date();
    let back = |days| today.checked_sub(Span::new().days(days)).expect("a day");
    let details = json!({ "name": "Public", "programme": programme["id"], "focus": "addiction", "mode": "in_person",
        "listed": true });
    let schedule = json!({ "starts_on": back(10), "starts_at": "00:00:00", "duration_minutes": 60, "time_zone": "UTC",
        "recurrence": "FREQ=DAILY" });
    let body = json!({ "details": details, "schedule": schedule });
    let group: GroupId = command(admin, Method::POST, "/v1/groups", &body).await.id("id");
    let days = json!({ "from": back(10), "through": today });
    command(admin, Method::POST, &format!("/v1/groups/{group}/meetings"), &days).await;
    (group, [0, 1, 2].map(|days| MeetingId::of(group, back(days).at(0, 0, 0, 0))))
}

/// Sends every operation of [`PERSONAL`] with canaries; answers who is described by them and the last position.
async fn sing(server: &Server, aviary: &mut Aviary, (group, meetings): (GroupId, [MeetingId; 3])) -> (MemberId, u64) {
    let mut admin = server.client(ORG, Role::Admin);
    let mut facilitator = server.client(ORG, Role::Facilitator);
    let at = |meeting: MeetingId, what: &str| format!("/v1/meetings/{meeting}/{what}");
    let [today, yesterday, before] = meetings;

    let mut body = aviary.body("register_member");
    body.as_object_mut().expect("an object").remove("member");
    let bee: MemberId = command(&mut admin, Method::POST, "/v1/members", &body).await.id("member");
    let of = |what: &str| format!("/v1/members/{bee}/{what}");
    let body = aviary.body("change_member");
    command(&mut admin, Method::PATCH, &format!("/v1/members/{bee}"), &body).await;
    let mut body = aviary.body("give_consent");
    body["given_on"] = "2026-01-01".into();
    body["expires_on"] = "2099-01-01".into();
    command(&mut admin, Method::POST, &of("consents"), &body).await;
    let body = aviary.body("break_glass");
    command(&mut facilitator, Method::POST, &of("glass"), &body).await;
    let body = aviary.body("place_hold");
    let hold = command(&mut admin, Method::POST, &of("holds"), &body).await.json()["hold"].clone();
    let path = of(&format!("holds/{}/lifting", hold.as_str().expect("an id")));
    command(&mut admin, Method::POST, &path, &Value::Null).await;

    let enrol = json!({ "member": bee, "starts_on": "2026-01-01" });
    command(&mut admin, Method::POST, &format!("/v1/groups/{group}/enrolments"), &enrol).await;
    command(&mut admin, Method::POST, &at(today, "open"), &Value::Null).await;
    let mut body = aviary.body("add_walk_in");
    body.as_object_mut().expect("an object").remove("member");
    command(&mut admin, Method::POST, &at(today, "walk-ins"), &body).await;
    command(&mut admin, Method::PUT, &at(today, &format!("attendance/{bee}")), &json!({ "mark": "present" })).await;
    command(&mut admin, Method::POST, &at(today, "hold"), &Value::Null).await;
    let mut body = aviary.body("correct_attendance");
    (body["mark"], body["mode"]) = ("late".into(), Value::Null);
    command(&mut admin, Method::POST, &at(today, &format!("attendance/{bee}/correction")), &body).await;
    let mut body = aviary.body("report_meeting");
    let seen = json!({ "mark": "late", "mode": "in_person" });
    body["marks"] = json!([{ "member": bee, "mark": "present", "based_on": seen }]);
    (body["walk_ins"], body["outcome"]) = (json!([]), "held".into());
    body["heads"] = json!({ "heads": { "visitor": 3 }, "based_on": { "visitor": 1 } });
    let told = command(&mut admin, Method::POST, &at(today, "report"), &body).await.json();
    assert_eq!(
        (&told["marks"][0]["became"], &told["heads"]["became"]),
        (&json!("applied"), &json!("differs")),
        "{told}"
    );
    let body = aviary.body("record_headcount");
    command(&mut admin, Method::PUT, &at(today, "headcount"), &body).await;
    let mut body = aviary.body("record_structure");
    body["phases"] = json!([]);
    command(&mut admin, Method::PUT, &at(today, "structure"), &body).await;
    let body = aviary.body("reopen_register");
    command(&mut admin, Method::POST, &at(today, "reopen"), &body).await;
    command(&mut admin, Method::POST, &at(today, "hold"), &Value::Null).await;
    let body = aviary.body("cancel_meeting");
    command(&mut admin, Method::POST, &at(yesterday, "cancel"), &body).await;
    let body = aviary.body("reinstate_meeting");
    command(&mut admin, Method::POST, &at(yesterday, "reinstate"), &body).await;
    let body = aviary.body("meeting_did_not_occur");
    command(&mut admin, Method::POST, &at(before, "did-not-occur"), &body).await;
    let mut body = aviary.body("set_joining");
    body["public"] = false.into();
    command(&mut admin, Method::PUT, &format!("/v1/groups/{group}/joining"), &body).await;
    let body = aviary.body("set_mailbox");
    command(&mut admin, Method::PUT, "/v1/mailbox", &body).await;
    sing_of_turns(&mut admin, aviary, bee).await;
    sing_of_care(&mut admin, aviary, bee).await;
    sing_of_referrals(server, &mut admin, aviary, bee).await;
    let mut body = aviary.body("withdraw_member");
    body["ends_on"] = kith::clock().now().to_zoned(TimeZone::UTC).date().to_string().into();
    let path = format!("/v1/groups/{group}/enrolments/{bee}/withdrawal");
    let position = command(&mut admin, Method::POST, &path, &body).await.at();
    let body = aviary.body("search_members");
    command(&mut admin, Method::POST, "/v1/members/search", &body).await;
    let mut body = aviary.body("import_members");
    body["dry_run"] = false.into();
    (body["lines"][0]["member"], body["lines"][0]["enrolments"]) = (Value::Null, json!([]));
    let imported = command(&mut admin, Method::POST, "/v1/imports/members", &body).await.json();
    assert!(imported.to_string().contains("\"new\""), "{imported}");
    let mut body = aviary.body("import_attendance");
    (body["dry_run"], body["lines"][0]["member"]) = (false.into(), Value::Null);
    let imported = command(&mut admin, Method::POST, "/v1/imports/attendance", &body).await.json();
    assert!(imported.to_string().contains("\"unmatched\""), "{imported}");
    (bee, position)
}

/// As [`sing`], of a turn on a waiting list.
async fn sing_of_turns(admin: &mut Client, aviary: &mut Aviary, bee: MemberId) {
    let (group, _) = group(admin).await;
    let of = |what: &str| format!("/v1/groups/{group}/{what}");
    command(admin, Method::PUT, &of("capacity"), &json!({ "places": 1 })).await;
    let waits = |member: Option<MemberId>| json!({ "member": member, "starts_on": "2026-01-01", "if_full": "wait" });
    for member in [None, None, Some(bee)] {
        command(admin, Method::POST, &of("enrolments"), &waits(member)).await;
    }
    let mut body = aviary.body("move_turn");
    body["after"] = Value::Null;
    command(admin, Method::PUT, &of(&format!("applications/{bee}/turn")), &body).await;
}

/// As [`sing`], of somebody's care.
async fn sing_of_care(admin: &mut Client, aviary: &mut Aviary, bee: MemberId) {
    let of = |what: &str| format!("/v1/members/{bee}/{what}");
    command(admin, Method::PUT, "/v1/duty-seat", &json!({ "holder": "staff-7" })).await;
    command(admin, Method::PUT, "/v1/crisis-texts/en", &json!({ "text": "Call 116 123" })).await;
    command(admin, Method::PUT, "/v1/instruments/gad-7/use", &json!({ "version": 1 })).await;
    let answers: serde_json::Map<_, _> = (1..=7).map(|item: u8| (item.to_string(), json!(2))).collect();
    let body = json!({ "instrument": "gad-7", "given": { "answers": answers } });
    let taken = command(admin, Method::POST, &of("check-ins"), &body).await.json();
    let taken = of(&format!("check-ins/{}", taken["check_in"].as_str().expect("an id")));
    let mut body = aviary.body("import_check_ins");
    (body["dry_run"], body["lines"][0]["member"]) = (false.into(), Value::Null);
    let nobodys = command(admin, Method::POST, "/v1/imports/check-ins", &body).await.json();
    assert_eq!(nobodys["new"], 0, "{nobodys}");
    let line = json!({ "line": 1, "member": bee, "instrument": "gad-7", "on": "2026-01-01",
        "given": { "answers": { "1": 3 } } });
    let imported = command(admin, Method::POST, "/v1/imports/check-ins", &json!({ "lines": [line] })).await.json();
    assert_eq!(imported["new"], 1, "{imported}");
    let mut body = aviary.body("correct_check_in");
    body["given"] = json!({ "answers": { "1": 3 } });
    command(admin, Method::POST, &format!("{taken}/correction"), &body).await;
    let body = aviary.body("check_in_entered_in_error");
    command(admin, Method::POST, &format!("{taken}/entered-in-error"), &body).await;
    let body = json!({ "words": aviary.body("set_goal")["words"] });
    command(admin, Method::POST, &of("goals"), &body).await;
    let body = json!({ "words": aviary.body("raise_concern")["words"] });
    let concern = command(admin, Method::POST, &of("concerns"), &body).await.json();
    let concern = of(&format!("concerns/{}", concern["concern"].as_str().expect("an id")));
    command(admin, Method::POST, &format!("{concern}/acknowledgement"), &Value::Null).await;
    let body = aviary.body("resolve_concern");
    command(admin, Method::POST, &format!("{concern}/resolution"), &body).await;
}

/// As [`sing`], of somebody's referrals.
async fn sing_of_referrals(server: &Server, admin: &mut Client, aviary: &mut Aviary, bee: MemberId) {
    let of = |what: &str| format!("/v1/members/{bee}/{what}");
    let mut referred = Vec::new();
    for name in ["Harbour", "Lighthouse"] {
        let partner = command(admin, Method::POST, "/v1/partners", &agency(name)).await.json()["id"].clone();
        let partner = partner.as_str().expect("an id").to_owned();
        let service = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string();
        let path = format!("/v1/partners/{partner}/services/{service}");
        command(admin, Method::PUT, &path, &counselling()).await;
        referred.push((partner, service));
    }
    let (partner, service) = referred[0].clone();
    let mut body = aviary.body("state_need");
    (body["based_on"], body["refer_to"]) = (Value::Null, json!({ "partner": partner, "service": service }));
    let stated = command(admin, Method::POST, &of("needs"), &body).await.json();
    let [need, first] = ["need", "referral"].map(|what| stated[what].as_str().expect("an id").to_owned());
    let body = aviary.body("change_need");
    command(admin, Method::PUT, &of(&format!("needs/{need}")), &body).await;
    let mut body = aviary.body("allow_disclosure");
    (body["partners"], body["items"], body["takes_over"]) = (json!([partner]), json!(["alias", "ask"]), Value::Null);
    (body["from"], body["until"]) = (Value::Null, Value::Null);
    body["elements"] =
        json!(["subject", "discloser", "information", "recipient", "purpose", "revocation", "end", "signature"]);
    command(admin, Method::POST, &of("disclosures"), &body).await;
    let preview = command(admin, Method::POST, &of(&format!("referrals/{first}/preview")), &json!({})).await.json();
    let sending = json!({ "preview": preview["preview"], "link": true });
    let sent = command(admin, Method::POST, &of(&format!("referrals/{first}/sending")), &sending).await;
    let (position, link) = (sent.at(), sent.json()["link"]["path"].as_str().expect("a link").to_owned());
    let mut body = aviary.body("record_referral_step");
    body["what"] = json!({ "deliver": { "channel": "email" } });
    command(admin, Method::POST, &of(&format!("referrals/{first}/steps")), &body).await;
    let mut by_link = Client::new(server.address, link.split_once('#').expect("a fragment").1);
    command(&mut by_link, Method::POST, "/v1/link/opening", &json!({})).await;
    let mut body = aviary.body("record_link_step");
    (body["what"], body["rest_days"]) = (json!({ "accept": {} }), Value::Null);
    command(&mut by_link, Method::POST, "/v1/link/steps", &body).await;
    let mut at_partner = server.client_of(ORG, Role::Partner, &partner);
    admin.get("/v1/referrals", position).await.expect("an answer").must(200);
    let inbox = at_partner.get("/v1/partner/referrals", position).await.expect("an answer").must(200).json();
    let mine = format!("/v1/partner/referrals/{}", inbox["items"][0]["reference"].as_str().expect("a reference"));
    command(&mut at_partner, Method::POST, &format!("{mine}/opening"), &json!({})).await;
    let mut body = aviary.body("record_partner_step");
    (body["what"], body["rest_days"]) = (json!({ "decline": { "reason": "no_capacity" } }), Value::Null);
    command(&mut at_partner, Method::POST, &format!("{mine}/steps"), &body).await;
    let mut body = aviary.body("lift_rest");
    (body["partner"], body["reason"]) = (json!(partner), "no_capacity".into());
    command(admin, Method::POST, &of("rests/lifting"), &body).await;
    let mut body = aviary.body("draft_referral");
    (body["partner"], body["service"], body["parent"]) = (json!(referred[1].0), json!(referred[1].1), json!(first));
    let path = of(&format!("needs/{need}/referrals"));
    let second = command(admin, Method::POST, &path, &body).await.json()["referral"].clone();
    let second = second.as_str().expect("an id");
    command(admin, Method::PUT, "/v1/duty-seat", &json!({ "holder": "process" })).await;
    let ask = json!({ "items": ["alias"], "without_consent": true });
    let preview = command(admin, Method::POST, &of(&format!("referrals/{second}/preview")), &ask).await.json();
    let mut body = aviary.body("override_disclosure");
    (body["items"], body["preview"]) = (json!(["alias"]), preview["preview"].clone());
    let until = kith::clock().now() + jiff::SignedDuration::from_hours(24);
    body["until"] = until.to_string().into();
    command(admin, Method::POST, &of(&format!("referrals/{second}/override")), &body).await;
    let mut body = aviary.body("close_need");
    (body["end"], body["reason"]) = ("dropped".into(), "member_request".into());
    command(admin, Method::POST, &of(&format!("needs/{need}/closing")), &body).await;
}

/// Reads everything that shows people, as everyone.
async fn look_around(server: &Server, operations: &Operations, things: &Things, position: u64) {
    for role in [Role::Admin, Role::Coordinator, Role::Auditor] {
        let mut client = server.client(ORG, role);
        for operation in operations.all().filter(|operation| operation.method == Method::GET) {
            let answer = client.get(&operation.target(things), position).await.expect("an answer");
            assert!(answer.status.as_u16() < 500, "{}: {}", operation.id, answer.json());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Where canaries, in any case, as text or in base64, are in these bytes.
fn found(bytes: &[u8]) -> Option<String> {
    let lower = bytes.to_ascii_lowercase();
    let text = lower.windows(CANARY.len()).position(|window| window == CANARY.as_bytes());
    // In base64 a text looks in three ways, by where it begins.
    let encoded = (0..3).find_map(|skipped| {
        let whole = data_encoding::BASE64.encode(&[&[0; 2][..skipped], CANARY.as_bytes()].concat());
        // Without the first group, which holds what was skipped.
        let inner = &whole.as_bytes()[4..16];
        bytes.windows(inner.len()).position(|window| window == inner)
    });
    let at = text.or(encoded)?;
    Some(String::from_utf8_lossy(&bytes[at.saturating_sub(30)..(at + 40).min(bytes.len())]).into_owned())
}

async fn nothing_is_found(server: &Server, folder: &Path, when: &str) {
    let everything = files(folder);
    assert!(everything.len() > 5, "{everything:?}");
    for file in everything {
        // One that was removed meanwhile is gone.
        let Ok(bytes) = fs::read(&file) else { continue };
        assert_eq!(found(&bytes), None, "{when}: in {}", file.display());
    }
    for line in server.lines() {
        assert_eq!(found(line.as_bytes()), None, "{when}: in the log");
    }
    let metrics = Client::new(server.ops, "").send(Request::get("/metrics"), Bytes::new()).await.expect("metrics");
    assert_eq!(found(&metrics.body), None, "{when}: in the metrics");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_said_of_a_person_is_left_anywhere_in_clear() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    // Nobody listens there: what is written waits.
    let mail = ["--smtp-host", "127.0.0.1", "--smtp-port", "1", "--smtp-tls", "opportunistic"];
    let mail = mail.into_iter().chain(["--mail-from", "kith@example.org", "--public-url", "https://kith.example.org"]);
    let arguments: Vec<_> = ["--log", "trace"].into_iter().chain(mail).collect();
    let server = Server::start_with(&data, &arguments);
    let mut admin = server.client(ORG, Role::Admin);
    let document = Client::new(server.address, "").send(Request::get("/openapi.json"), Bytes::new()).await;
    let operations = Operations::read(document.expect("the document").json());
    let (group, meetings) = group(&mut admin).await;
    let member = command(&mut admin, Method::POST, "/v1/members", &json!({})).await.id("member");
    let programme = domain::ProgrammeId(uuid::Uuid::nil());
    let client = domain::ClientId(uuid::Uuid::nil());
    let (partner, service) = (domain::PartnerId(uuid::Uuid::nil()), domain::ServiceId(uuid::Uuid::nil()));
    let (need, referral) = (domain::NeedId(uuid::Uuid::nil()), domain::AttemptId(uuid::Uuid::nil()));
    let meeting = meetings[0];
    let endpoint = domain::EndpointId(uuid::Uuid::nil());
    let things =
        Things { group, meeting, member, other: member, programme, client, partner, service, need, referral, endpoint };
    let mut aviary = Aviary { operations, things, freed: BTreeSet::new() };

    // An operation that takes free text is known here, or this fails.
    for operation in aviary.operations.all() {
        let places = operation.sample(&things).map(|body| free_text(&body, "")).unwrap_or_default();
        let public = PUBLIC.iter().any(|(id, _)| *id == operation.id);
        let personal = PERSONAL.contains(&operation.id.as_str());
        assert!(places.is_empty() || public || personal, "{} takes free text at {places:?}", operation.id);
        assert!(!(public && personal), "{}", operation.id);
    }

    let (bee, position) = sing(&server, &mut aviary, (group, meetings)).await;
    for id in PERSONAL {
        let places = free_text(&aviary.operation(id).sample(&things).expect("a body"), "");
        for place in places.into_iter().filter(|place| !PUBLIC_FIELDS.contains(&(*id, place.as_str()))) {
            assert!(aviary.freed.contains(&format!("{id}{place}")), "{id}{place} had no canary");
        }
    }
    assert!(aviary.freed.len() > 30, "{:?}", aviary.freed);
    let things = Things { member: bee, ..things };
    look_around(&server, &aviary.operations, &things, position).await;
    // They are there: who may, reads them.
    let record = admin.get(&format!("/v1/members/{bee}/record"), position).await.expect("an answer").must(200);
    assert!(found(&record.body).is_some());
    nothing_is_found(&server, dir.path(), "before").await;

    command(&mut admin, Method::POST, &format!("/v1/members/{bee}/erasure"), &Value::Null).await;
    look_around(&server, &aviary.operations, &things, position).await;
    nothing_is_found(&server, dir.path(), "after the erasure").await;
    server.end("TERM", Duration::from_secs(20)).await;
    let server = Server::start_with(&data, &arguments);
    nothing_is_found(&server, dir.path(), "after the next start").await;
}

#[test]
fn the_search_finds_what_is_there() {
    assert!(found(format!("...{}0001...", CANARY.to_uppercase()).as_bytes()).is_some());
    for before in ["", "a", "ab"] {
        let encoded = data_encoding::BASE64.encode(format!("{before}{CANARY}0001").as_bytes());
        assert!(found(encoded.as_bytes()).is_some(), "{encoded}");
    }
    assert!(found(b"zqx canary zqx").is_none());
}
