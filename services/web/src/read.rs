//! Reads that see what was written: `Kith-After` waits, `Kith-Position` says how far the answer reaches.

use std::time::Duration;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
    response::{IntoResponse, Response},
};
use eventlog::Position;
use serde::Serialize;
use tokio::sync::watch;

use crate::{Problem, command::KITH_POSITION};

/// Longest wait for a view.
pub const VISIBLE_WAIT_MAX: Duration = Duration::from_secs(10);

const KITH_AFTER: HeaderName = HeaderName::from_static("kith-after");

/// Where the log ends, as an extension of requests. Without it nothing is known of the end, as in a log that others
/// write, too.
#[derive(Debug, Clone)]
pub struct LogEnd(pub watch::Receiver<Position>);

/// Up to where the caller has written and wants to read.
#[derive(Debug, Clone, Copy)]
pub struct After(pub Position);

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(KITH_AFTER) else { return Ok(Self(Position::START)) };
        let position = value.to_str().ok().and_then(|text| text.parse().ok()).map(Position);
        let written = |position: &Position| match parts.extensions.get::<LogEnd>() {
            Some(LogEnd(end)) => *position <= *end.borrow(),
            None => true,
        };
        // Nobody waits for what was never written, least of all many at once.
        position
            .filter(written)
            .map(Self)
            .ok_or_else(|| Problem::malformed("Kith-After is not a position: send what `Kith-Position` said"))
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
            _ => Err(Problem::not_visible_yet(self.0)),
        }
    }
}

/// An answer from a view that has applied the log up to a position.
#[derive(Debug)]
pub struct Read<T>(pub Position, pub T);

impl<T: Serialize> IntoResponse for Read<T> {
    fn into_response(self) -> Response {
        ([(KITH_POSITION, self.0.to_string())], Json(self.1)).into_response()
    }
}
