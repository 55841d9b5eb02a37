//! What anybody may read, without a token: how often, how many at once, and how long it may be kept on the way.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    Also, May, Operation, Problem,
    rate_limits::{Peer, Rates},
    security_headers::Shared,
};

/// Most requests without a token that are served at once, a count: however many ask, there is room for those who work
/// here.
pub const PUBLIC_AT_ONCE_MAX: usize = 64;
/// How long browsers and proxies may show what they were told, in seconds: for so long a meeting can still be shown that
/// was called off.
pub const KEPT_SECONDS: u32 = 60;
/// Digits of a tag, of 4 bits each.
const TAG_DIGITS: usize = 32;

/// That anybody may do `Op`, without a token: it says so itself.
#[derive(Debug)]
pub struct Anybody<Op>(PhantomData<Op>);

impl<S: Send + Sync, Op: Operation> FromRequestParts<S> for Anybody<Op> {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
        let May { id, roles, .. } = Op::MAY;
        if Op::MAY.is(Also::Public) && roles.is_empty() {
            Ok(Self(PhantomData))
        } else {
            Err(Problem::internal(&format!("{id} is not said to be for anybody")))
        }
    }
}

/// Said of an answer that is only for whoever knows its address: nothing on the way keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Unshared;

/// What holds for all who ask without a token.
#[derive(Debug, Clone)]
pub struct Door {
    rates: Rates,
    places: Arc<Semaphore>,
}

impl Door {
    /// The door at which these rates hold.
    pub fn new(rates: Rates) -> Self {
        Self { rates, places: Arc::new(Semaphore::new(PUBLIC_AT_ONCE_MAX)) }
    }
}

/// Holds whoever asks without a token to the limits, and says of what goes well how long it may be kept.
pub async fn for_anybody(State(door): State<Door>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if let Err(wait) = door.rates.public(peer, Instant::now()) {
        return Problem::rate_limited(wait).into_response();
    }
    let Ok(_place) = door.places.try_acquire() else { return Problem::overloaded().into_response() };
    // Of an answer without a body nothing is known but how long it may be kept.
    let (head, asked) = (*request.method() == Method::HEAD, request.headers().clone());
    let mut answer = next.run(request).await;
    if answer.status() != StatusCode::OK {
        return answer;
    }
    if answer.extensions_mut().remove::<Unshared>().is_none() {
        answer.extensions_mut().insert(Shared { kept_seconds: KEPT_SECONDS });
    }
    if head { answer } else { tagged(answer, &asked).await }
}

/// The answer with its tag; without a body for whoever has it already.
async fn tagged(answer: Response, asked: &HeaderMap) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Problem::internal(&"an answer for anybody ended before its end").into_response();
    };
    let tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..TAG_DIGITS]);
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|known| names(known.trim(), &tag));
    parts.headers.insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal"));
    if known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, body.into())
}

/// Whether a tag of `If-None-Match` is this one. Compared weakly (RFC 9110, 13.1.2): proxies that pack an answer weaken
/// its tag.
fn names(known: &str, tag: &str) -> bool {
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_weak_or_strong_and_no_part_of_one_is() {
        for known in ["\"ab\"", "W/\"ab\"", "*"] {
            assert!(names(known, "\"ab\""), "{known}");
        }
        for other in ["ab", "\"a\"", "\"abc\"", "W/ab", ""] {
            assert!(!names(other, "\"ab\""), "{other}");
        }
    }
}
