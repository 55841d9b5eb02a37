//! People who use the server over HTTP, and what they expect of its answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use domain::{GroupId, MeetingId, MemberId, OrgId, PartnerId, ProgrammeId, ServiceId};
use hyper::Method;
use jiff::{SignedDuration, Timestamp, civil::Date};
use kith::DataDir;
use serde_json::{Value, json};
use uuid::Uuid;
use web::{Issuer, Role, TOKEN_TTL_MAX};

use super::{ORG, World, org, time};
use crate::{
    http::{Answer, Client},
    positions,
};

/// The people.
impl World {
    /// An admin.
    pub fn admin(&self) -> Actor {
        self.anyone(Role::Admin)
    }

    /// A coordinator.
    pub fn coordinator(&self) -> Actor {
        self.anyone(Role::Coordinator)
    }

    /// A facilitator of these groups.
    pub fn facilitator(&self, groups: impl IntoIterator<Item = GroupId>) -> Actor {
        self.somebody(ORG, Role::Facilitator, "fay", groups.into_iter().collect())
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Actor {
        self.somebody(ORG, Role::Member, &id.to_string(), vec![])
    }

    /// Somebody with this role; facilitators of no group.
    pub fn anyone(&self, role: Role) -> Actor {
        self.somebody(ORG, role, role.as_str(), vec![])
    }

    /// An admin of another organisation.
    pub fn admin_of(&self, org: &str) -> Actor {
        self.somebody(org, Role::Admin, "admin", vec![])
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Actor {
        self.bearer("")
    }

    /// Somebody with this token, valid or not.
    pub fn bearer(&self, token: &str) -> Actor {
        self.actor(Pass::Token(token.into()))
    }

    /// Somebody, who is given another token whenever theirs has ended.
    pub fn somebody(&self, org: &str, role: Role, subject: &str, groups: Vec<GroupId>) -> Actor {
        let (org, subject, given) = (self::org(org), subject.to_owned(), Mutex::default());
        let (issuer, time) = (self.issuer(), self.time.clone());
        self.actor(Pass::Renewed(Arc::new(Renewed { issuer, time, org, role, subject, groups, given })))
    }

    /// An admin whose token `issuer` signed at that time.
    pub fn signed_by(&self, issuer: &Issuer, at: &str, ttl: SignedDuration) -> Actor {
        let who = (&org(ORG), Role::Admin, "admin");
        self.bearer(&issuer.sign(who, vec![], time(at), ttl).expect("a token within bounds"))
    }

    fn actor(&self, pass: Pass) -> Actor {
        Actor { address: self.address(), pass, keys: self.keys.clone() }
    }

    /// The server's own issuer.
    pub fn issuer(&self) -> Issuer {
        DataDir::existing(self.data()).and_then(|data| data.issuer()).expect("the issuer's key")
    }
}

/// Somebody who uses the server. Each command gets an idempotency key of its own.
#[derive(Debug, Clone)]
pub struct Actor {
    address: SocketAddr,
    pass: Pass,
    keys: Arc<AtomicU64>,
}

/// How somebody shows who they are.
#[derive(Debug, Clone)]
enum Pass {
    /// With this token, also after it has ended.
    Token(String),
    /// With one that is valid by the clock of the test.
    Renewed(Arc<Renewed>),
}

/// Somebody whose tokens are renewed: tests go on for weeks, tokens do not.
#[derive(Debug)]
struct Renewed {
    issuer: Issuer,
    time: Arc<AtomicI64>,
    org: OrgId,
    role: Role,
    subject: String,
    groups: Vec<GroupId>,
    given: Mutex<Option<(Timestamp, String)>>,
}

impl Renewed {
    fn token(&self) -> String {
        let now = Timestamp::from_second(self.time.load(Ordering::Relaxed)).expect("a time of our own");
        let mut given = self.given.lock().expect("nothing panics while it is held");
        match &*given {
            Some((at, token)) if *at <= now && now.duration_since(*at) < TOKEN_TTL_MAX => token.clone(),
            _ => {
                let who = (&self.org, self.role, self.subject.as_str());
                let token = self.issuer.sign(who, self.groups.clone(), now, TOKEN_TTL_MAX);
                given.insert((now, token.expect("a token within bounds"))).1.clone()
            }
        }
    }
}

impl Actor {
    /// What this person shows now.
    pub fn token(&self) -> String {
        match &self.pass {
            Pass::Token(token) => token.clone(),
            Pass::Renewed(renewed) => renewed.token(),
        }
    }

    /// A connection of this person.
    pub fn client(&self) -> Client {
        Client::new(self.address, self.token())
    }

    /// A new idempotency key.
    pub fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a command.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.command(Method::POST, path, &self.key(), &body).await
    }

    /// Sends a command.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.command(Method::PUT, path, &self.key(), &body).await
    }

    /// Sends a command with this key.
    pub async fn command(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        self.client().command(method, path, key, body).await.expect("an answer")
    }

    /// Reads what the views say now.
    pub async fn get(&self, path: &str) -> Answer {
        self.read(path, 0).await
    }

    /// Reads what the views say once they have reached `after`.
    pub async fn read(&self, path: &str, after: u64) -> Answer {
        self.client().get(path, after).await.expect("an answer")
    }

    /// A position as the server would have said it to this person.
    pub async fn sealed(&self, position: u64) -> String {
        positions::sealed(self.address, &self.token(), position).await
    }

    /// Sends any request.
    pub async fn send(&self, request: hyper::http::request::Builder, body: impl Into<Bytes>) -> Answer {
        self.client().send(request, body.into()).await.expect("an answer")
    }

    /// Registers a programme.
    pub async fn programme(&self, name: &str) -> ProgrammeId {
        self.post("/v1/programmes", json!({ "name": name })).await.must(201).id("id")
    }

    /// Registers a partner that works on weekdays in New York, with an active service.
    pub async fn partner(&self, name: &str) -> (PartnerId, ServiceId) {
        let partner: PartnerId = self.post("/v1/partners", agency(name)).await.must(201).id("id");
        let service = ServiceId(Uuid::new_v5(&partner.0, b"service"));
        self.put(&format!("/v1/partners/{partner}/services/{service}"), counselling()).await.must(204);
        (partner, service)
    }

    /// Registers a group that meets on Tuesdays, 19:00 in New York.
    pub async fn group(&self, programme: ProgrammeId, name: &str) -> GroupId {
        let body = json!({ "details": details(programme, name), "schedule": tuesdays() });
        self.post("/v1/groups", body).await.must(201).id("id")
    }

    /// Plans the meeting of a group that meets on Tuesdays.
    pub async fn meeting(&self, group: GroupId, day: &str) -> MeetingId {
        let plan = json!({ "from": day, "through": day });
        let plans = self.post(&format!("/v1/groups/{group}/meetings"), plan).await.must(200).json();
        assert_eq!(plans["planned"], 1, "{day} is not a Tuesday, or planned already");
        let day: Date = day.parse().expect("a date");
        MeetingId::of(group, day.at(19, 0, 0, 0))
    }

    /// Registers a member of whom this is known.
    pub async fn register(&self, profile: Value) -> MemberId {
        self.post("/v1/members", json!({ "profile": profile })).await.must(201).id("member")
    }

    /// Changes what is known of a member.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.command(Method::PATCH, path, &self.key(), &body).await
    }

    /// Enrols a registered member.
    pub async fn enrols(&self, group: GroupId, member: MemberId, starts_on: &str) -> Answer {
        let path = format!("/v1/groups/{group}/enrolments");
        self.post(&path, json!({ "member": member, "starts_on": starts_on })).await
    }

    /// Enrols a new member.
    pub async fn enrol(&self, group: GroupId, starts_on: &str) -> MemberId {
        let path = format!("/v1/groups/{group}/enrolments");
        self.post(&path, json!({ "starts_on": starts_on })).await.must(201).id("member")
    }

    /// Marks a member.
    pub async fn mark(&self, meeting: MeetingId, member: MemberId, mark: &str) -> Answer {
        self.put(&mark_of(meeting, member), json!({ "mark": mark })).await
    }

    /// All items of a list, a page at a time.
    pub async fn pages(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        let sign = if path.contains('?') { '&' } else { '?' };
        loop {
            let after = next.take().map(|next| format!("&after={}", encoded(&next))).unwrap_or_default();
            let page = self.get(&format!("{path}{sign}limit={limit}{after}")).await.must(200).json();
            let rows = page["items"].as_array().expect("a page");
            assert!(rows.len() <= limit, "{} rows, at most {limit} were asked for", rows.len());
            items.extend(rows.iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = Some(cursor.into()),
                None => return items,
            }
        }
    }
}

/// What must hold of an answer.
impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use)] // most want nothing else
    pub fn must(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The body of the problem, which must be this one.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let answer = self.must(status);
        assert_eq!(answer.problem().as_deref(), Some(code), "{}", answer.json());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        answer.json()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it is the answer of an earlier sending.
    pub fn replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// `Kith-Position`, which must be there.
    #[track_caller]
    pub fn at(&self) -> u64 {
        self.position.expect("a Kith-Position")
    }

    /// An id in the body.
    #[track_caller]
    pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, field: &str) -> T {
        self.json()[field].as_str().expect("an id").parse().expect("an id")
    }
}

/// The path of an operation on a meeting.
pub fn at(meeting: MeetingId, operation: &str) -> String {
    format!("/v1/meetings/{meeting}/{operation}")
}

/// The path of a member's mark.
pub fn mark_of(meeting: MeetingId, member: MemberId) -> String {
    format!("/v1/meetings/{meeting}/attendance/{member}")
}

/// What describes a group.
pub fn details(programme: ProgrammeId, name: &str) -> Value {
    json!({ "name": name, "programme": programme, "focus": "addiction", "mode": "in_person", "listed": true })
}

/// Tuesdays, 19:00 to 20:30 in New York.
pub fn tuesdays() -> Value {
    json!({ "starts_on": "2025-01-07", "starts_at": "19:00:00", "duration_minutes": 90,
        "time_zone": "America/New_York", "recurrence": "FREQ=WEEKLY;BYDAY=TU" })
}

/// What describes a partner that works on weekdays in New York.
pub fn agency(name: &str) -> Value {
    json!({ "name": name, "calendar": { "time_zone": "America/New_York", "working_days": ["MO", "TU", "WE", "TH", "FR"] } })
}

/// What describes an active service.
pub fn counselling() -> Value {
    json!({ "name": "Counselling", "status": "active", "languages": ["en"], "may_receive": ["alias", "phone", "ask"] })
}

/// Text as a value in a query.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| {
        if byte.is_ascii_alphanumeric() { out + &char::from(byte).to_string() } else { out + &format!("%{byte:02X}") }
    })
}
