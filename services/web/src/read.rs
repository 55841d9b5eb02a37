//! Reads that see what was written: `Kith-After` waits, `Kith-Position` says how far the answer reaches.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
    response::{IntoResponse, IntoResponseParts, Response, ResponseParts},
};
use domain::OrgId;
use eventlog::Position;
use serde::Serialize;
use tokio::sync::watch;

use crate::{Problem, Seal};

/// Longest wait for a view.
pub const VISIBLE_WAIT_MAX: Duration = Duration::from_secs(10);

const KITH_AFTER: HeaderName = HeaderName::from_static("kith-after");

/// Where the log ends, as an extension of requests. Without it nothing is known of the end, as in a log that others
/// write, too.
#[derive(Debug, Clone)]
pub struct LogEnd(pub watch::Receiver<Position>);

/// Most positions in one `Kith-After`, a count: as many commands may have been sent at once.
pub const AFTER_POSITIONS_MAX: usize = 16;

/// Up to where the caller has written and wants to read.
#[derive(Debug, Clone, Copy)]
pub struct After(pub Position);

/// What `Kith-After` says: the latest of the positions that it names.
///
/// # Errors
/// 400 if one of them was not sealed for this organisation.
pub(crate) fn after(headers: &HeaderMap, seal: &Seal, org: &OrgId) -> Result<Option<After>, Problem> {
    let mut latest = None;
    let values = headers.get_all(KITH_AFTER).iter().map(|value| value.to_str().unwrap_or_default());
    for (n, sealed) in values.flat_map(|value| value.split(',')).enumerate() {
        let opened = seal.opened_position(org, sealed.trim()).filter(|_| n < AFTER_POSITIONS_MAX);
        latest = latest.max(Some(opened.ok_or_else(Problem::position_unknown)?));
    }
    Ok(latest.map(After))
}

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(After(position)) = parts.extensions.get().copied() else { return Ok(Self::anything()) };
        // Nobody waits for what is not there any more, as after a restore, least of all many at once.
        match parts.extensions.get::<LogEnd>() {
            Some(LogEnd(end)) if position > *end.borrow() => Err(Problem::position_unknown()),
            _ => Ok(Self(position)),
        }
    }
}

/// Up to where in the log an answer reaches: the answer's header is made of it where it is known for whom it is.
#[derive(Debug, Clone, Copy)]
pub struct At(pub Position);

/// Up to where in the log to read to see what was written.
#[derive(Debug, Clone, Copy)]
pub struct Wrote(pub Position);

impl IntoResponseParts for At {
    type Error = Infallible;
    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

impl After {
    /// Whatever the view says now.
    pub fn anything() -> Self {
        Self(Position::START)
    }

    /// Waits, at most [`VISIBLE_WAIT_MAX`], until the view has applied that prefix of the log.
    ///
    /// # Errors
    /// 503 if it takes longer.
    pub async fn seen_by(self, view: &watch::Receiver<Position>) -> Result<Position, Problem> {
        let mut view = view.clone();
        let seen = tokio::time::timeout(VISIBLE_WAIT_MAX, view.wait_for(|position| *position >= self.0)).await;
        match seen {
            Ok(Ok(position)) => Ok(*position),
            _ => Err(Problem::not_visible_yet()),
        }
    }
}

/// An answer from a view that has applied the log up to a position.
#[derive(Debug)]
pub struct Read<T>(pub Position, pub T);

impl<T: Serialize> IntoResponse for Read<T> {
    fn into_response(self) -> Response {
        (At(self.0), Json(self.1)).into_response()
    }
}
