//! A world for the tests: the operations over HTTP on a real log, without a network.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use domain::OrgId;
use eventlog::{EventLog, Position, Streams, sqlite::SqliteLog};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use web::{Clock, Gate, Issuer, Role};

use crate::Directory;

/// What the clock says: noon of 1 March 2026 in UTC.
const NOW: &str = "2026-03-01T12:00:00Z";

/// One organisation's admin on a log of its own.
#[derive(Clone)]
pub struct World {
    pub directory: Directory,
    pub org: OrgId,
    log: Arc<SqliteLog>,
    router: Router,
    issuer: Issuer,
    _folder: Arc<TempDir>,
}

/// What was answered.
pub struct Response {
    status: StatusCode,
    body: Value,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(&folder.path().join("events.db")).unwrap());
        let issuer = Issuer::new(&[7; 32]);
        let now: Timestamp = NOW.parse().unwrap();
        let directory = Directory {
            gate: Gate::new(issuer.clone(), Clock::new(move || now)),
            programmes: Streams::new(log.clone()),
            groups: Streams::new(log.clone()),
            meetings: Streams::new(log.clone()),
        };
        let router = crate::routes(directory.clone()).into();
        Self { directory, org: "north-star".parse().unwrap(), log, router, issuer, _folder: Arc::new(folder) }
    }

    /// The same world, seen by another organisation.
    pub fn of(&self, org: &str) -> Self {
        Self { org: org.parse().unwrap(), ..self.clone() }
    }

    pub async fn send(&self, method: &str, key: &str, path: &str, body: String) -> Response {
        let ttl = SignedDuration::from_hours(1);
        let token = self.issuer.sign((&self.org, Role::Admin, "ada"), vec![], NOW.parse().unwrap(), ttl).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Response { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    pub async fn post(&self, key: &str, path: &str, body: Value) -> Response {
        self.send("POST", key, path, body.to_string()).await
    }

    pub async fn put(&self, key: &str, path: &str, body: Value) -> Response {
        self.send("PUT", key, path, body.to_string()).await
    }

    /// A programme's id.
    pub async fn programme(&self) -> String {
        let answer = self.post("a programme", "/v1/programmes", json!({ "name": "Recovery" })).await.status(201);
        answer["id"].as_str().unwrap().to_owned()
    }

    /// A group's id.
    pub async fn group(&self, programme: &str, schedule: Option<Value>) -> String {
        let body = json!({ "details": details(programme), "schedule": schedule });
        self.post("a group", "/v1/groups", body).await.status(201)["id"].as_str().unwrap().to_owned()
    }

    /// Types of all events in the log.
    pub async fn written(&self) -> Vec<String> {
        let events = self.log.read_all(Position::START, 100_000).await.unwrap();
        events.iter().map(|event| event.event_type.to_string()).collect()
    }
}

impl Response {
    #[track_caller]
    pub fn status(self, expected: u16) -> Value {
        assert_eq!(self.status.as_u16(), expected, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let body = self.status(status);
        assert_eq!(body["type"], format!("/problems/{code}"), "{body}");
        body
    }
}

pub fn details(programme: &str) -> Value {
    json!({ "name": "Steps", "programme": programme, "focus": "addiction", "mode": "in_person", "listed": true })
}

pub fn tuesdays() -> Value {
    json!({ "starts_on": "2026-01-06", "starts_at": "19:00:00", "duration_minutes": 90,
        "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY;BYDAY=TU" })
}
