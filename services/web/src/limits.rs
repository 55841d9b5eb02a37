//! What is around every request: limits, request ids, logs, metrics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tokio::{sync::Semaphore, time::Instant};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Problem,
    rate_limits::{Crowded, Rates},
};

/// Longest path with query, in bytes.
pub const PATH_BYTES_MAX: usize = 2_048;
/// Longest request id taken from a caller, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// When to come again with more requests at once than an address may have.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Limits of one server.
#[derive(Debug, Clone)]
pub struct Limits {
    slots: Arc<Semaphore>,
    time: Duration,
    rates: Rates,
}

impl Limits {
    /// At most `concurrency` requests at once (a count), each at most `time`.
    pub fn new(concurrency: usize, time: Duration) -> Self {
        Self { slots: Arc::new(Semaphore::new(concurrency)), time, rates: Rates::new(Rates::NONE) }
    }

    /// The same, and for each address only so often.
    #[must_use]
    pub fn and(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }
}

/// Holds every request to the limits.
pub async fn limit(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if length > PATH_BYTES_MAX {
        return Problem::path_too_long(PATH_BYTES_MAX).into_response();
    }
    if request.extensions().get::<Crowded>().is_some() {
        return Problem::rate_limited(CROWDED_WAIT).into_response();
    }
    if let Err(wait) = limits.rates.address(request.extensions().get().copied(), Instant::now()) {
        return Problem::rate_limited(wait).into_response();
    }
    let Ok(_slot) = limits.slots.try_acquire() else {
        return Problem::overloaded().into_response();
    };
    match tokio::time::timeout(limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timed_out().into_response(),
    }
}

/// Gives every request an id, a span, a line in the log and its place in the metrics.
///
/// `new_id` makes request ids: chance is an argument.
pub async fn observe(State(new_id): State<fn() -> Uuid>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request).unwrap_or_else(|| {
        HeaderValue::from_str(new_id().as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            .expect("a UUID is ASCII")
    });
    // The pattern, never the path itself: a path can name a person.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("none", MatchedPath::as_str);
    let method = known(request.method());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), method, path);
    // Whoever panics answers; what they hold is let go.
    let answered = AssertUnwindSafe(next.run(request).instrument(span.clone())).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        metrics::counter!("kith_http_panics_total").increment(1);
        span.in_scope(|| Problem::internal(&"the operation panicked")).into_response()
    });
    let status = response.status();
    let seconds = started.elapsed().as_secs_f64();
    metrics::histogram!("kith_http_seconds", "method" => method, "path" => path.to_owned(),
        "status" => status.as_str().to_owned())
    .record(seconds);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), seconds, "answered"));
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// A method's name as metrics and logs have it. Anybody can make up methods, each of which would be kept for ever.
fn known(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.iter().position(|known| known == method).map_or("other", |at| NAMES[at])
}

fn request_id(request: &Request) -> Option<HeaderValue> {
    let given = request.headers().get(REQUEST_ID)?;
    let text = given.to_str().ok()?;
    let fits = (1..=REQUEST_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| given.clone())
}

/// Answers for paths that are not there.
pub async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path; see /docs for those that are")
}

/// Answers for methods that a path does not know.
pub async fn no_such_method() -> Problem {
    Problem::method_not_allowed()
}
