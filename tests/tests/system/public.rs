//! What anybody may ask without a token: which operations these are, what they never show, how often they may be asked, how
//! long answers may be kept, and that nobody writes down what was asked for.

use bytes::Bytes;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    process::Server,
    world::{Actor, ORG, World, details, tuesdays},
};
use web::Role;

use crate::operations::{Operation, Operations};

/// Operations without a token. Shrinks only: what anybody may read can be read by whoever looks for somebody.
const PUBLIC: [&str; 6] = [
    "export_hsds_services",
    "export_meeting_guide",
    "list_groups_near",
    "list_public_groups",
    "show_calendar",
    "show_group_calendar",
];

/// Those of what an organisation lists; those of a calendar are tried in `calendars.rs`.
fn lists(operations: &Operations) -> impl Iterator<Item = &Operation> {
    operations.public().filter(|operation| !operation.id.ends_with("_calendar"))
}

/// Where everybody asks for what is near.
const NEAR: &str = "latitude=40.71&longitude=-74.01";

/// A request for it that is understood.
fn target(operation: &Operation, org: &str) -> String {
    let path = operation.path_with(|name| {
        assert_eq!(name, "org", "{}: what is `{name}`?", operation.id);
        org.into()
    });
    if operation.id == "list_groups_near" { format!("{path}?{NEAR}") } else { path }
}

async fn targets(world: &World, org: &str) -> Vec<String> {
    lists(&Operations::of(world).await).map(|operation| target(operation, org)).collect()
}

/// A listed group that meets on Tuesdays in New York, with its next meetings planned.
pub async fn listed(admin: &Actor, details: Value) -> String {
    let group = admin.post("/v1/groups", json!({ "details": details, "schedule": tuesdays() })).await.must(201);
    let group: String = group.id("id");
    let plan = json!({ "from": "2026-06-01", "through": "2026-06-30" });
    admin.post(&format!("/v1/groups/{group}/meetings"), plan).await.must(200);
    group
}

/// At the southern end of Manhattan.
pub fn downtown() -> Value {
    json!({ "name": "Library", "street": "1 Broadway", "locality": "New York", "region": "NY", "postal_code": "10004",
        "country": "US", "coordinates": { "latitude": 40.7047, "longitude": -74.0142 } })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_token_is_on_a_list_that_only_shrinks() {
    let world = World::start().await;
    let operations = Operations::of(&world).await;
    let mut public: Vec<_> = operations.public().map(|operation| operation.id.as_str()).collect();
    public.sort_unstable();
    assert_eq!(public, PUBLIC);
    for operation in operations.public() {
        let id = &operation.id;
        assert_eq!(operation.method, Method::GET, "{id} only reads");
        // The address of a calendar is the secret of whoever leads groups.
        let of_org = operation.path.starts_with("/v1/public/{org}/") || id == "show_calendar";
        assert!(of_org && operation.roles.is_empty(), "{id}");
        assert!(!operation.statuses.iter().any(|status| [401, 403, 500].contains(status)), "{id}");
        let documented = &operations.document["paths"][&operation.path]["get"];
        assert_eq!(documented["security"], json!([]), "{id}");
        let parameters = documented["parameters"].as_array().expect("parameters");
        assert!(parameters.iter().all(|parameter| parameter["in"] != "header"), "{id}");
        let may = kith::operations().find(|known| known.id == *id).expect("it is known");
        assert!(may.roles.is_empty() && may.is(web::Also::Public), "{id}");
    }
    for operation in kith::operations().filter(|known| known.is(web::Also::Public)) {
        assert!(PUBLIC.contains(&operation.id), "{}", operation.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_no_difference_and_nothing_is_written() {
    let world = World::start().await;
    let admin = world.admin();
    listed(&admin, details(world.programme().await, "Steps")).await;
    world.settle().await;
    let before = world.events().await.len();
    for target in targets(&world, ORG).await {
        let shown = world.nobody().get(&target).await.must(200);
        let strangers =
            [world.admin_of("south-star"), world.bearer("garbage"), world.anyone(Role::Member), admin.clone()];
        for caller in strangers {
            let answer = caller.get(&target).await.must(200);
            assert_eq!(answer.body, shown.body, "{target}");
            assert_eq!(answer.header("kith-position"), None, "{target}: places in the log are a number to count by");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = Request::builder().method(method).uri(&target).header("idempotency-key", "k");
            admin.send(request, "{}").await.refused(405, "method-not-allowed");
        }
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_but_what_is_listed() {
    let world = World::start().await;
    let admin = world.admin();
    let programme = world.programme().await;
    let with = |name: &str, listed: bool, mode: &str| {
        let mut details = details(programme, name);
        (details["listed"], details["mode"], details["venue"]) = (listed.into(), mode.into(), downtown());
        details["comments"] = format!("Comments of {name}").into();
        details["source"] = "bmlt:secretsource/7".into();
        details
    };
    let open = listed(&admin, with("Open", true, "hybrid")).await;
    let private = listed(&admin, with("Private", true, "hybrid")).await;
    listed(&admin, with("Secretgroup", false, "in_person")).await;
    let south = world.admin_of("south-star");
    let theirs = south.programme("South").await;
    listed(&south, details(theirs, "Secretsouth")).await;
    let join = |url: &str, public: bool| {
        json!({ "joining": { "url": url, "instructions": format!("code of {url}"), "telephone": "+1 646 555 0100" },
            "public": public })
    };
    admin.put(&format!("/v1/groups/{open}/joining"), join("https://meet.example.org/open", true)).await.must(204);
    admin
        .put(&format!("/v1/groups/{private}/joining"), join("https://meet.example.org/secretlink", false))
        .await
        .must(204);
    let member = admin.register(json!({ "alias": "Secretmember", "email": "secretmail@example.org" })).await;
    admin.enrols(open.parse().expect("an id"), member, "2026-01-01").await;
    world.settle().await;
    let all = async || {
        let mut said = String::new();
        for target in targets(&world, ORG).await {
            said += &String::from_utf8_lossy(&world.nobody().get(&target).await.must(200).body).to_lowercase();
        }
        said
    };
    let said = all().await;
    for shown in ["\"open\"", "\"private\"", "https://meet.example.org/open", "comments of private"] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    let hidden = ["secret", &member.to_string(), "roster", "facilitator", "places", "enrol", "attend_", "sealed"];
    for hidden in hidden {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
    // How to join is kept from the public from now on, and the other group is not listed any more.
    admin.put(&format!("/v1/groups/{open}/joining"), join("https://meet.example.org/open", false)).await.must(204);
    let unlisted = with("Private", false, "hybrid");
    admin.put(&format!("/v1/groups/{private}"), unlisted).await.must(204);
    world.settle().await;
    let said = all().await;
    assert!(said.contains("\"open\"") && !said.contains("meet.example.org") && !said.contains("private"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_lists_nothing_answers_as_one_that_there_is_not() {
    let world = World::start().await;
    let mut details = details(world.programme().await, "Steps");
    details["listed"] = false.into();
    listed(&world.admin(), details).await;
    world.settle().await;
    for operation in lists(&Operations::of(&world).await) {
        let answers: Vec<Answer> = {
            let mut answers = vec![];
            for org in [ORG, "no-such", "x", "NOT-A-NAME", "%00", "..%2F", &"a".repeat(300)] {
                answers.push(world.nobody().get(&target(operation, org)).await);
            }
            answers
        };
        let shown = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        for answer in &answers {
            assert_eq!(answer.status, 404, "{}: {}", operation.id, answer.json());
            assert_eq!((&answer.body, shown(answer)), (&answers[0].body, shown(&answers[0])), "{}", operation.id);
            assert_eq!(answer.problem().as_deref(), Some("not-found"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_may_be_kept_and_used_by_any_page_until_it_changes() {
    let world = World::start_with(|config| config.cors_origins = vec!["https://app.example.org".into()]).await;
    let admin = world.admin();
    let programme = world.programme().await;
    let mut steps = details(programme, "Steps");
    steps["venue"] = downtown();
    let group = listed(&admin, steps.clone()).await;
    world.settle().await;
    let nobody = world.nobody();
    let ask = async |target: &str, tag: &str| {
        nobody
            .send(Request::get(target).header("if-none-match", tag).header("origin", "https://site.example"), "")
            .await
    };
    let kept = format!("public, max-age={}", web::KEPT_SECONDS);
    let mut tags = vec![];
    for target in targets(&world, ORG).await {
        let first = ask(&target, "\"other\"").await.must(200);
        let tag = first.header("etag").expect("a tag").to_owned();
        for answer in
            [&first, &ask(&target, &tag).await.must(304), &ask(&target, &format!("\"a\", W/{tag}")).await.must(304)]
        {
            assert_eq!(answer.header("etag"), Some(&*tag), "{target}");
            assert_eq!(answer.header("cache-control"), Some(&*kept), "{target}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{target}");
            assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"), "{target}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
            assert_eq!(answer.header("vary"), None, "{target}: one copy serves every page");
            assert_eq!(answer.body.is_empty(), answer.status == 304, "{target}");
        }
        let preflight = Request::options(&target).header("origin", "https://site.example");
        let preflight = preflight.header("access-control-request-method", "GET");
        let answer = nobody.send(preflight, "").await.must(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{target}");
        let head = nobody.send(Request::head(&target), "").await.must(200);
        assert_eq!((head.header("cache-control"), head.body.len()), (Some(&*kept), 0), "{target}");
        tags.push((target, tag));
    }
    // Refusals are kept by nobody, and read by every page.
    let refused = ask("/v1/public/no-such/groups", "*").await;
    assert_eq!((refused.header("cache-control"), refused.header("etag")), (Some("no-store"), None));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    refused.refused(404, "not-found");
    // And nothing else is.
    let other = admin.send(Request::get("/v1/groups").header("origin", "https://site.example"), "").await.must(200);
    assert_eq!((other.header("access-control-allow-origin"), other.header("etag")), (None, None));
    assert_eq!(other.header("cache-control"), Some("no-store"));
    steps["name"] = "Other steps".into();
    admin.put(&format!("/v1/groups/{group}"), steps).await.must(204);
    world.settle().await;
    for (target, tag) in tags {
        let answer = ask(&target, &tag).await.must(200);
        assert_ne!(answer.header("etag"), Some(&*tag), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_a_token_too_often_waits_and_those_who_work_here_do_not() {
    let world = World::start_with(|config| (config.public_per_second, config.public_burst) = (1, 5)).await;
    listed(&world.admin(), details(world.programme().await, "Steps")).await;
    world.settle().await;
    let mut refused = 0;
    for _ in 0..40 {
        let answer = world.nobody().get("/v1/public/north-star/groups").await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "the page can read when to come again");
            answer.refused(429, "rate-limited");
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");
    world.admin().get("/v1/groups").await.must(200);
    world.nobody().get("/healthz").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_refused_and_not_said_again() {
    let world = World::start().await;
    listed(&world.admin(), details(world.programme().await, "Steps")).await;
    world.settle().await;
    let nobody = world.nobody();
    let near = |query: &str| format!("/v1/public/north-star/groups/near?{query}");
    for query in [
        "",
        "latitude=40.7",
        "latitude=90.01&longitude=0",
        "latitude=0&longitude=-180.5",
        "latitude=0&longitude=540",
        "latitude=NaN&longitude=0",
        "latitude=inf&longitude=0",
        "latitude=1e999&longitude=0",
        "latitude=40,7&longitude=0",
        "latitude=&longitude=",
        &format!("{NEAR}&within_km=0"),
        &format!("{NEAR}&within_km=-1"),
        &format!("{NEAR}&within_km=NaN"),
        &format!("{NEAR}&within_km=20041"),
        &format!("{NEAR}&mode=virtual"),
        &format!("{NEAR}&mode=by_carrier_pigeon"),
        &format!("{NEAR}&weekday=someday"),
        &format!("{NEAR}&accessibility=wheelchair_access,everything"),
        &format!("{NEAR}&cost=0"),
        &format!("{NEAR}&language=*"),
        &format!("{NEAR}&focus=all"),
        &format!("{NEAR}&limit=0"),
        &format!("{NEAR}&limit=201"),
        &format!("{NEAR}&after=x"),
        &format!("{NEAR}&after=%5B1%2C%22018f3c7a-0000-7000-8000-000000000001%22%5D&latitude=1"),
        &format!("{NEAR}&after=%5B18446744073709551615%2C%22018f3c7a-0000-7000-8000-000000000001%22%5D"),
        &format!("{NEAR}&radius=5"),
    ] {
        let problem = nobody.get(&near(query)).await.refused(422, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 15), "{query}: {problem}");
    }
    let problem = nobody.get(&near("latitude=91&longitude=0")).await.refused(422, "malformed");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("-90 to 90"), "{problem}");
    for operation in lists(&Operations::of(&world).await) {
        for (name, _) in &operation.query {
            let target = target(operation, ORG);
            let sign = if target.contains('?') { '&' } else { '?' };
            let answer = nobody.get(&format!("{target}{sign}{name}=zq7canary")).await;
            assert_eq!(answer.status, 422, "{} {name}", operation.id);
            assert!(!String::from_utf8_lossy(&answer.body).to_lowercase().contains("canary"), "{}", operation.id);
        }
        let long = format!("{}?{}", operation.path_with(|_| ORG.into()), "x".repeat(2_100));
        nobody.get(&long).await.refused(414, "path-too-long");
    }
}

/// Digits that stand in no log for another reason.
const WHERE: [&str; 2] = ["40.7182818284", "-74.3141592653"];

#[tokio::test(flavor = "multi_thread")]
async fn where_somebody_looked_is_in_no_log_and_no_metric() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(&dir.path().join("data"), &["--log", "trace"]);
    let mut admin = server.client(ORG, Role::Admin);
    let mut command = async |path: &str, key: &str, body: &Value| {
        admin.command(Method::POST, path, key, body).await.expect("an answer").must(201)
    };
    let programme = command("/v1/programmes", "k1", &json!({ "name": "Recovery" })).await.id("id");
    let mut steps = details(programme, "Steps");
    steps["venue"] = downtown();
    let group = command("/v1/groups", "k2", &json!({ "details": steps })).await;
    let after = group.at();
    admin.get("/v1/groups", after).await.expect("an answer").must(200);
    let mut nobody = Client::new(server.address, "");
    let near =
        format!("/v1/public/north-star/groups/near?latitude={}&longitude={}&within_km=4321.125", WHERE[0], WHERE[1]);
    let asked = async |nobody: &mut Client, target: &str| {
        nobody.send(Request::get(target).header("x-request-id", "looked-here"), Bytes::new()).await.expect("an answer")
    };
    // The view of what is listed follows by itself.
    let mut shown = asked(&mut nobody, &near).await;
    while shown.status == 404 {
        tokio::task::yield_now().await;
        shown = asked(&mut nobody, &near).await;
    }
    assert_eq!(shown.must(200).json()["items"][0]["name"], "Steps");
    for more in ["&language=zqxlanguage", "&mode=zqxmode", "&zqxunknown=1", "&after=zqxafter"] {
        asked(&mut nobody, &format!("{near}{more}")).await.must(422);
    }
    let metrics = Client::new(server.ops, "").send(Request::get("/metrics"), Bytes::new()).await.expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let lines = server.lines();
    assert!(lines.iter().any(|line| line.contains("looked-here")), "requests are logged, or this shows nothing");
    assert!(metrics.contains("/v1/public/{org}/groups/near"), "requests are counted, or this shows nothing");
    for secret in [WHERE[0], WHERE[1], "4321.125", "zqx", "within_km"] {
        let found = lines.iter().find(|line| line.contains(secret));
        assert!(found.is_none(), "{secret}: {found:?}");
        assert!(!metrics.contains(secret), "{secret}");
    }
}
