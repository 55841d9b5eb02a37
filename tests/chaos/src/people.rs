//! Callers, and how they send a request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use domain::{GroupId, OrgId};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt;
use web::{Issuer, Role, TOKEN_TTL_MAX};

use crate::{book::Entry, commands::CALLERS};

/// Longest body of an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// An answer, and to which request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub entry: usize,
    pub status: u16,
    pub position: u64,
    pub replayed: bool,
    pub body: Vec<u8>,
}

/// Answers that have come in. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<Answer>>>);

impl Inbox {
    pub fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

/// Tokens of callers, renewed when they have ended.
#[derive(Debug)]
pub(crate) struct Tokens {
    issuer: Issuer,
    given: BTreeMap<(OrgId, usize, usize), (Timestamp, String)>,
}

impl Tokens {
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer, given: BTreeMap::new() }
    }

    /// The caller's token; facilitators have these groups.
    pub fn token(&mut self, org: &OrgId, caller: usize, groups: &[GroupId], now: Timestamp) -> String {
        let (role, subject) = CALLERS[caller];
        let groups = if role == Role::Facilitator { groups.to_vec() } else { vec![] };
        let known = (org.clone(), caller, groups.len());
        if let Some((at, token)) = self.given.get(&known)
            && *at <= now
            && now.duration_since(*at) + SignedDuration::from_hours(1) < TOKEN_TTL_MAX
        {
            return token.clone();
        }
        let token = self.issuer.sign((org, role, subject), groups, now, TOKEN_TTL_MAX).expect("within bounds");
        self.given.insert(known, (now, token.clone()));
        token
    }
}

/// Sends a request, and puts the answer into the inbox.
pub(crate) fn send(router: &Router, number: usize, entry: &Entry, token: &str, inbox: &Inbox) {
    let request = Request::builder()
        .method(entry.method)
        .uri(&entry.path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", &entry.key);
    let body = entry.body.as_ref().filter(|body| !body.is_null()).map(ToString::to_string).unwrap_or_default();
    let request = request.body(Body::from(body)).expect("a request");
    let (router, inbox) = (router.clone(), inbox.clone());
    tokio::spawn(async move {
        let response = match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let position = header("kith-position").and_then(|position| position.parse().ok()).unwrap_or_default();
        let replayed = header("idempotency-replayed") == Some("true");
        let body = to_bytes(body, ANSWER_BYTES_MAX).await.expect("answers are short").to_vec();
        inbox.put(Answer { entry: number, status, position, replayed, body });
    });
}
