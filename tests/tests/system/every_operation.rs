//! Every operation of the served document is probed: who may not, and what cannot be understood.

use std::collections::BTreeSet;

use bytes::Bytes;
use hyper::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    world::{Actor, NOW, ORG, World},
};
use uuid::Uuid;
use web::{Issuer, Role, TOKEN_TTL_MAX};

use crate::operations::{Operation, Operations, Things};

/// Operations without probes. Shrinks only, and is empty: leave it so.
const NOT_PROBED: &[&str] = &[];

fn probed(operations: &Operations) -> Vec<Operation> {
    operations.all().filter(|operation| !NOT_PROBED.contains(&operation.id.as_str())).cloned().collect()
}

/// What every answer must be: not a failure of ours; documented; and if it is a problem, one with a page.
#[track_caller]
fn check(operation: &Operation, what: &str, answer: &Answer) {
    let (id, status) = (&operation.id, answer.status.as_u16());
    let body = String::from_utf8_lossy(&answer.body);
    assert!(status < 500, "{id}, {what}: {status} {body:.300}");
    assert!(operation.statuses.contains(&status), "{id}, {what}: {status} is not documented: {body:.300}");
    if !answer.status.is_success() {
        check_problem(id, what, answer);
    }
}

#[track_caller]
fn check_problem(id: &str, what: &str, answer: &Answer) {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{id}, {what}: {}", answer.status);
    let code = answer.problem().unwrap_or_default();
    assert!(web::PAGES.iter().any(|(page, _)| *page == code), "{id}, {what}: no page for `{code}`");
    assert_eq!(body["status"], answer.status.as_u16(), "{id}, {what}");
    let texts = ["title", "detail"].map(|field| body[field].as_str().unwrap_or_default());
    assert!(texts.iter().all(|text| !text.is_empty()), "{id}, {what}: {body}");
    assert!(answer.header("x-request-id").is_some(), "{id}, {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_of_every_operation_who_may_and_the_table_knows_it() {
    let world = World::start().await;
    let operations = Operations::of(&world).await;
    assert!(NOT_PROBED.is_empty(), "the list of operations without probes only shrinks");
    let documented: BTreeSet<_> =
        operations.all().chain(operations.public()).map(|operation| operation.id.as_str()).collect();
    let known: BTreeSet<_> = kith::operations().map(|operation| operation.id).collect();
    assert_eq!(documented, known);
    for operation in operations.all() {
        let roles = kith::operations().find(|known| known.id == operation.id).expect("known").roles;
        let roles: Vec<_> = roles.iter().map(|role| role.as_str().to_owned()).collect();
        assert!(!roles.is_empty() && operation.roles == roles, "{}", operation.id);
        for needed in [401, 403, 414] {
            assert!(operation.statuses.contains(&needed), "{} does not document {needed}", operation.id);
        }
        assert!(!operation.statuses.contains(&500), "{} documents a mistake of ours", operation.id);
    }
    let document = &operations.document;
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert!(document["components"]["securitySchemes"]["token"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_does_anything_without_a_token_that_is_valid_now() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let operations = probed(&Operations::of(&world).await);
    let expired = world.signed_by(&world.issuer(), NOW, SignedDuration::from_hours(1)); // it is the next day
    let foreign = world.signed_by(&Issuer::new(&[9; 32]), "2026-06-02T22:00:00Z", TOKEN_TTL_MAX);
    let nobody = world.nobody();
    let garbage = world.bearer("garbage");
    let unsigned = world.bearer("eyJhbGciOiJub25lIn0.eyJvcmciOiJub3J0aC1zdGFyIiwicm9sZSI6ImFkbWluIn0.");
    let before = world.events().await.len();
    for operation in &operations {
        let callers = [
            ("none", &nobody),
            ("garbage", &garbage),
            ("expired", &expired),
            ("foreign", &foreign),
            ("unsigned", &unsigned),
        ];
        for (what, caller) in callers {
            let answer = caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{} {what}", operation.id);
            check(operation, what, &answer);
            answer.refused(401, "unauthenticated");
        }
        for header in ["Basic YTpi", "Bearer", "Bearer ", "bearer\tx", "\u{e9}"] {
            let request = operation.request(&things, "k").header("authorization", header.as_bytes());
            nobody.send(request, operation.body(&things)).await.refused(401, "unauthenticated");
        }
        let malformed = operation.request_to(&operation.path_with(|_| "no-id".to_owned()), "");
        nobody.send(malformed, "{").await.refused(401, "unauthenticated");
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_does_what_is_not_for_their_role() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    world.settle().await;
    let operations = probed(&Operations::of(&world).await);
    let before = world.events().await.len();
    for operation in &operations {
        let barred = Role::ALL.into_iter().filter(|role| !operation.roles.contains(&role.as_str().to_owned()));
        let mut probes = 0;
        for role in barred {
            // Even one who could reach the thing itself.
            let subject = things.member.to_string();
            let caller = world.somebody(ORG, role, &subject, vec![things.group]);
            let answer = caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await;
            check(operation, role.as_str(), &answer);
            answer.refused(403, "forbidden");
            probes += 1;
        }
        assert!(probes > 0, "{} is for everyone", operation.id);
        let of_referrals = ["/v1/partner/", "/v1/link/"].iter().any(|path| operation.path.starts_with(path));
        let partners = operation.roles.contains(&"partner".to_owned());
        assert!(!partners || of_referrals, "{}: partners read referrals only", operation.id);
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_is_for_their_role() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    world.admin().put("/v1/duty-seat", json!({ "holder": things.member })).await.must(204);
    world.settle().await;
    for operation in probed(&Operations::of(&world).await).into_iter().filter(|operation| !is_by_link(operation)) {
        for role in Role::ALL.into_iter().filter(|role| operation.roles.contains(&role.as_str().to_owned())) {
            let caller = world.somebody(ORG, role, &things.member.to_string(), vec![things.group]);
            let body = body_for(&operation, &things, role);
            let answer = caller.send(operation.request(&things, &caller.key()), body).await;
            check(&operation, role.as_str(), &answer);
            assert!(answer.status != 401 && answer.status != 403, "{} {role:?}: {}", operation.id, answer.json());
        }
    }
    world.must_be_sound().await;
}

/// The operation's body without the fields of members that the role may not set.
fn body_for(operation: &Operation, things: &Things, role: Role) -> Bytes {
    let Some(mut body) = operation.sample(things) else { return Bytes::new() };
    let profile = match operation.id.as_str() {
        "register_member" => &mut body["profile"],
        "change_member" => &mut body,
        _ => return body.to_string().into(),
    };
    let may = |name: &String| web::writable(role).iter().any(|field| field.as_str() == name);
    profile.as_object_mut().expect("a profile").retain(|name, _| may(name));
    body.to_string().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_made_from_the_document_alone_is_understood() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    world.admin().put("/v1/duty-seat", json!({ "holder": things.member })).await.must(204);
    world.settle().await;
    for operation in probed(&Operations::of(&world).await).into_iter().filter(|operation| !is_by_link(operation)) {
        let role = operation.roles[0].parse().expect("a role");
        let caller = world.somebody(ORG, role, &things.member.to_string(), vec![things.group]);
        let answer = caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await;
        // What is in a listing, others say, and what in a calendar, RFC 5545.
        // Nobody has the consent, hold, glass, check-in, goal or concern that is named.
        let nobodys = NOBODYS.contains(&operation.id.as_str());
        let understood = answer.status.is_success()
            || answer.status == 409
            || LISTINGS.contains(&operation.id.as_str())
            || operation.id == "import_calendar"
            || (nobodys && answer.status == 404);
        assert!(understood, "{}: {} {}", operation.id, answer.status, answer.json());
    }
}

/// Operations that take a listing as it is.
const LISTINGS: [&str; 4] = ["import_bmlt", "import_meeting_guide", "import_naws", "import_groups"];

/// Whether it is for whoever comes by a link, and never for a token: `referrals.rs` does that.
fn is_by_link(operation: &Operation) -> bool {
    operation.path.starts_with("/v1/link/")
}

/// Operations that are about something of a member's, or of the caller's, that nobody has.
const NOBODYS: &[&str] = &[
    "show_mailbox",
    "confirm_mailbox",
    "withdraw_consent",
    "lift_hold",
    "review_glass",
    "correct_check_in",
    "check_in_entered_in_error",
    "set_goal",
    "rate_goal",
    "end_goal",
    "acknowledge_concern",
    "resolve_concern",
    "show_concern",
    "withdraw_disclosure",
    "lift_rest",
    "revoke_calendar",
    "revoke_link",
    "review_override",
    "open_referral",
    "record_partner_step",
];

/// Sends what cannot be understood, over one connection of an admin, and one each of an auditor and a partner for what
/// admins may not.
struct Prober {
    people: [Actor; 3],
    clients: [Client; 3],
}

impl Prober {
    fn new(world: &World) -> Self {
        let partner = world.somebody(ORG, Role::Partner, &Uuid::from_u128(9).to_string(), vec![]);
        let people = [world.admin(), world.anyone(Role::Auditor), partner];
        Self { clients: people.each_ref().map(Actor::client), people }
    }

    fn who_may(operation: &Operation) -> usize {
        let roles = ["admin", "auditor", "partner"];
        roles.iter().position(|role| operation.roles.contains(&(*role).to_owned())).expect("somebody may")
    }

    fn connect_again(&mut self, operation: &Operation) {
        let who = Self::who_may(operation);
        self.clients[who] = self.people[who].client();
    }

    async fn probe(&mut self, operation: &Operation, what: &str, target: &str, body: impl Into<Bytes>) -> Answer {
        let who = Self::who_may(operation);
        let request = operation.request_to(target, &self.people[who].key());
        let sent = self.clients[who].send(request, body.into()).await;
        let answer = sent.unwrap_or_else(|error| panic!("{}, {what}: no answer: {error}", operation.id));
        check(operation, what, &answer);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_none_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    let bad = [
        "x",
        "%00",
        "%ff%fe",
        "..%2F..%2Fetc",
        "00000000-0000-0000-0000-00000000000g",
        "%F0%9F%92%A9",
        "'--",
        "null",
        "-1",
    ];
    for operation in probed(&Operations::of(&world).await).iter().filter(|operation| operation.names_a_thing()) {
        for id in bad {
            let answer =
                prober.probe(operation, id, &operation.path_with(|_| id.into()), operation.body(&things)).await;
            answer.refused(422, "malformed");
        }
        for long in ["a".repeat(1_900), "%00".repeat(600)] {
            let answer =
                prober.probe(operation, "a long id", &operation.path_with(|_| long.clone()), Bytes::new()).await;
            assert!([414, 422].contains(&answer.status.as_u16()), "{}", answer.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_too_long_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    for operation in &probed(&Operations::of(&world).await) {
        let target = format!("{}?{}", operation.path_with(|_| things.group.to_string()), "x".repeat(2_048));
        prober.probe(operation, "a long path", &target, Bytes::new()).await.refused(414, "path-too-long");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_garbage_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    let values = [
        "",
        "%00",
        "%ff",
        "-1",
        "x",
        "1e999",
        "18446744073709551616",
        "%5B%5B%5B",
        "%7B%22a%22%3A1%7D",
        "9999-12-31",
        "-9999-01-01",
        "0000-00",
        "%F0%9F%92%A9",
    ];
    for operation in &probed(&Operations::of(&world).await) {
        let path = operation.path_with(|name| operation_id(&things, name));
        for (name, _) in &operation.query {
            let others = operation.query.iter().filter(|(other, needed)| *needed && other != name);
            let others = others.fold(String::new(), |query, (other, _)| query + "&" + other + "=2026-06");
            for value in values {
                let target = format!("{path}?{name}={value}{others}");
                prober.probe(operation, &target, &target, operation.body(&things)).await;
            }
            let target = format!("{path}?{name}=1&{name}=2{others}");
            prober
                .probe(operation, "a parameter twice", &target, operation.body(&things))
                .await
                .refused(422, "malformed");
        }
        for query in ["%", "&&&", "=", "a=b=c", "%00=%00", "no_such_parameter=1"] {
            let target = format!("{path}?{query}");
            let answer = prober.probe(operation, query, &target, operation.body(&things)).await;
            let strict = !operation.query.is_empty() && query == "no_such_parameter=1";
            assert!(!strict || answer.status == 422, "{} takes an unknown parameter", operation.id);
        }
    }
}

fn operation_id(things: &Things, name: &str) -> String {
    match name {
        "group" => things.group.to_string(),
        "meeting" => things.meeting.to_string(),
        "client" => things.client.to_string(),
        _ => things.member.to_string(),
    }
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value) -> Vec<String> {
    let below = |(name, value): (String, &Value)| {
        let name = name.replace('~', "~0").replace('/', "~1");
        places(value).into_iter().map(move |place| format!("/{name}{place}")).collect::<Vec<_>>()
    };
    let mut all = vec![String::new()];
    match value {
        Value::Object(fields) => all.extend(fields.iter().flat_map(|(name, value)| below((name.clone(), value)))),
        Value::Array(items) => {
            all.extend(items.iter().enumerate().flat_map(|(n, value)| below((n.to_string(), value))));
        }
        _ => {}
    }
    all
}

/// Values that fit hardly any field.
fn misfits() -> Vec<Value> {
    let words = [
        "",
        " ",
        "x",
        "\u{0}",
        "\u{202e}\u{feff}",
        "2026-02-30",
        "-009999-01-01",
        "9999-12-31",
        "25:00",
        "FREQ=SECONDLY",
        "'; DROP TABLE events; --",
    ];
    let numbers = [json!(-1), json!(0), json!(1.5), json!(u64::MAX), json!(i64::MIN), json!(1e308), json!(65_536)];
    let shapes = [
        Value::Null,
        json!(true),
        json!([]),
        json!({}),
        json!([[]]),
        json!({ "a": { "b": [] } }),
        json!("x".repeat(10_000)),
    ];
    words.map(Value::from).into_iter().chain(numbers).chain(shapes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_any_field_of_another_type_is_understood_or_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    let mut sent = 0;
    for operation in probed(&Operations::of(&world).await).iter().filter(|operation| operation.schema.is_some()) {
        let (sample, target) = (operation.sample(&things).expect("a body"), operation.target(&things));
        for place in places(&sample) {
            for misfit in misfits() {
                let mut body = sample.clone();
                *body.pointer_mut(&place).expect("a place of its own") = misfit.clone();
                let misfit = misfit.to_string();
                prober.probe(operation, &format!("{place} = {misfit:.60}"), &target, body.to_string()).await;
                sent += 1;
            }
        }
    }
    assert!(sent > 500, "{sent}");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    let deep = |open: &str, close: &str| Bytes::from(open.repeat(100_000 / open.len()) + &close.repeat(10));
    for operation in probed(&Operations::of(&world).await).iter().filter(|operation| operation.schema.is_some()) {
        let (whole, target) = (operation.body(&things), operation.target(&things));
        let fields = serde_json::from_slice::<serde_json::Map<String, Value>>(&whole).expect("an object");
        let values = fields.into_iter().map(|(_, value)| value).collect::<Value>();
        let mut bodies = vec![
            ("not JSON", Bytes::from_static(b"hello")),
            ("not UTF-8", Bytes::from_static(b"{\"name\":\"\xff\xfe\"}")),
            ("NUL", Bytes::from_static(b"\0")),
            ("NUL in text", Bytes::from_static(b"{\"name\":\"\0\"}")),
            ("half a surrogate", Bytes::from_static(br#"{"name":"\ud800"}"#)),
            ("a number without end", Bytes::from("{\"name\":".to_owned() + &"9".repeat(50_000) + "}")),
            ("a large exponent", Bytes::from_static(br#"{"name":1e99999999999}"#)),
            ("deep lists", deep("[", "]")),
            ("deep objects", deep("{\"a\":", "}")),
            ("a field twice", Bytes::from_static(br#"{"name":"a","name":"b"}"#)),
            ("more after the end", Bytes::from([&whole[..], b"{}"].concat())),
            ("NaN", Bytes::from_static(b"NaN")),
            ("a comma too many", Bytes::from_static(b"{,}")),
            ("a byte order mark", Bytes::from([b"\xef\xbb\xbf", &whole[..]].concat())),
        ];
        if !LISTINGS.contains(&operation.id.as_str()) {
            bodies.push(("values without names", Bytes::from(values.to_string()))); // there a list is one of meetings
        }
        bodies.extend((1..whole.len()).step_by(7).map(|end| ("cut off", whole.slice(..end))));
        for (what, body) in bodies {
            let answer = prober.probe(operation, what, &target, body).await;
            assert_eq!(answer.problem().as_deref(), Some("malformed"), "{}, {what}: {}", operation.id, answer.json());
        }
        let unknown = json!({ "no_such_field": 1 }).to_string();
        prober.probe(operation, "an unknown field", &target, unknown).await.refused(422, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let mut prober = Prober::new(&world);
    for operation in probed(&Operations::of(&world).await).iter().filter(|operation| operation.schema.is_some()) {
        // Little more than is read: who has more to send finds the connection closed, not the answer.
        let bytes = match operation.id.as_str() {
            id if id == "import_hsds" || LISTINGS.contains(&id) => (16 << 20) + 1,
            id if id.starts_with("import_") => web::IMPORT_BYTES_MAX + 1,
            _ => 300 << 10,
        };
        let body = Bytes::from(vec![b' '; bytes]);
        let answer = prober.probe(operation, "a large body", &operation.target(&things), body).await;
        answer.refused(413, "too-large");
        prober.connect_again(operation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_type_is_a_problem() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    for operation in probed(&Operations::of(&world).await).iter().filter(|operation| operation.schema.is_some()) {
        let admin = world.anyone(operation.roles[0].parse().expect("a role"));
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "application/json, text/plain"]
        {
            let target = operation.target(&things);
            let request = Request::builder().method(operation.method.clone()).uri(target);
            let request = request.header("idempotency-key", admin.key()).header("content-type", content_type);
            let body = operation.body(&things);
            let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
            let answer = admin.send(request, body).await;
            check(operation, content_type, &answer);
            // A listing is taken as it is.
            assert!(
                LISTINGS.contains(&operation.id.as_str()) || answer.status == 415,
                "{} {content_type}: {}",
                operation.id,
                answer.status
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_or_path_that_is_not_there_is_a_problem() {
    let world = World::start().await;
    let (things, admin) = (Things::of(&world).await, world.admin());
    let operations = Operations::of(&world).await;
    for operation in operations.all() {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if operations.all().any(|other| other.path == operation.path && other.method == *method) {
                continue;
            }
            let request =
                Request::builder().method(method).uri(operation.target(&things)).header("idempotency-key", "k");
            let answer = admin.send(request, "").await;
            check_problem(&operation.id, method, &answer);
            assert_eq!(answer.problem().as_deref(), Some("method-not-allowed"));
            answer.must(405);
        }
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/groups/",
        "/v2/groups",
        "/v1/groups/a/b/c/d",
        "//v1/groups",
        "/v1/%2e%2e/groups",
        "/.env",
        "/problems/no-such",
    ] {
        let answer = admin.get(path).await;
        check_problem(path, "GET", &answer);
        answer.refused(404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_has_a_page_that_is_served() {
    let world = World::start().await;
    for (code, page) in web::PAGES {
        let answer = world.nobody().get(&format!("/problems/{code}")).await.must(200);
        assert_eq!(
            (answer.header("content-type"), &answer.body[..]),
            (Some("text/markdown; charset=utf-8"), page.as_bytes())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_how_it_is_and_the_explorer_needs_no_internet() {
    let world = World::start().await;
    let nobody = world.nobody();
    world.group().await;
    world.settle().await;
    assert_eq!(&nobody.get("/healthz").await.must(200).body[..], b"ok");
    let report = world.running().health.wait_until(|report| report.ready).await;
    assert_eq!(nobody.get("/readyz").await.must(200).json(), serde_json::json!({ "ready": true }));
    nobody.get("/metrics").await.refused(404, "not-found");
    let told = world.ops("/readyz").await.must(200).json();
    assert_eq!(told["parts"], serde_json::to_value(&report.parts).expect("JSON"));
    assert_eq!(told["log_position"], world.log().head().borrow().0);
    assert_eq!(&world.ops("/healthz").await.must(200).body[..], b"ok");
    world.ops("/v1/groups").await.refused(404, "not-found");
    let metrics = world.ops("/metrics").await.must(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for name in ["kith_http_seconds", "kith_relay_position", "kith_consumer_position"] {
        assert!(metrics.contains(name), "{name}");
    }
    let docs = nobody.get("/docs/").await.must(200);
    let docs = String::from_utf8_lossy(&docs.body).into_owned();
    assert!(docs.contains("swagger-ui") && !docs.contains("https://") && !docs.contains("//cdn"), "{docs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_that_was_given_comes_back_and_an_odd_one_is_replaced() {
    let world = World::start().await;
    let send = async |id: &str| {
        let answer = world.admin().send(Request::get("/v1/groups").header("x-request-id", id), "").await.must(200);
        answer.header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(send("abc-123").await, "abc-123");
    for odd in ["a b", "", "x\"y", &"x".repeat(65)] {
        assert_ne!(send(odd).await, odd);
    }
}
