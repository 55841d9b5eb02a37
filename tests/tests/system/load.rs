//! One caller cannot take the machine from the others: what callers can make it hold and remember.

use std::collections::BTreeSet;

use hyper::{Method, Request};
use serde_json::json;
use tests::world::World;

use crate::operations::Operations;

/// Most lines of metrics, whatever was asked: each of a histogram's series has some 16.
const METRICS_LINES_MAX: usize = 25_000;
/// The only labels, besides bounds of buckets.
const LABELS: [&str; 6] = ["consumer", "kind", "le", "method", "path", "status"];
/// The only methods.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];
/// Kinds of facts.
const KINDS: [&str; 8] =
    ["plans", "statuses", "attendances", "headcounts", "groups", "programmes", "merges", "objections"];
/// Paths that the document does not have.
const PATHS: [&str; 9] = [
    "none",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/problems/{code}",
    "/docs",
    "/docs/",
    "/docs/{*rest}",
];

/// Label and value of all series.
fn labels(metrics: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        // A path can have braces.
        let Some((_, rest)) = line.split_once('{') else { continue };
        let labels = rest.rsplit_once('}').expect("labels end").0;
        for label in labels.trim_end_matches('"').split("\",") {
            let (name, value) = label.split_once("=\"").expect("name and value");
            found.insert((name.to_owned(), value.to_owned()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_hold_nothing_that_callers_make_up() {
    let world = World::start().await;
    let (admin, nobody) = (world.admin(), world.nobody());
    let operations = Operations::of(&world).await;
    let mut known: BTreeSet<_> = PATHS.map(str::to_owned).into();
    known.extend(operations.all().map(|operation| operation.path.clone()));
    // What is asked with is answered whatever it is: an answer is all that is needed.
    for n in 0..300 {
        let method = Method::from_bytes(format!("EVIL{n}").as_bytes()).expect("a method");
        for (path, caller) in [("/v1/groups", &nobody), ("/healthz", &admin), ("/no-such", &nobody)] {
            caller.send(Request::builder().method(method.clone()).uri(path), "").await;
        }
        let paths = [
            format!("/made-up/{n}"),
            format!("/v1/groups/{n}"),
            format!("/problems/evil-{n}"),
            format!("/docs/evil-{n}"),
            format!("/v1/members/evil-{n}?evil={n}"),
        ];
        for path in paths {
            admin.get(&path).await;
        }
        let request = Request::post("/v1/programmes").header("x-request-id", format!("evil-{n}"));
        let request = request.header("idempotency-key", format!("evil-{n}")).header("user-agent", "evil");
        admin.send(request.header("content-type", "application/json"), json!({ "name": "evil" }).to_string()).await;
    }
    world.settle().await;
    let metrics = nobody.get("/metrics").await.must(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(!metrics.to_lowercase().contains("evil"), "something that a caller made up is kept");
    assert!(metrics.lines().count() < METRICS_LINES_MAX, "{} lines", metrics.lines().count());
    for (name, value) in labels(&metrics) {
        let fits = match name.as_str() {
            "method" => METHODS.contains(&value.as_str()),
            "path" => known.contains(&value),
            "status" => value.parse().is_ok_and(|status: u16| (200..600).contains(&status)),
            "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
            "consumer" => ["views", "facts"].contains(&value.as_str()),
            "kind" => KINDS.contains(&value.as_str()),
            _ => false,
        };
        assert!(fits && LABELS.contains(&name.as_str()), "{name}={value}");
    }
}
