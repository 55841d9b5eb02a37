//! RFC 9457: everything that does not go well, said in one form.
//!
//! 401, 403 who calls · 404 nothing there · 409 the domain forbids it · 412 others were faster · 413, 415, 422 not
//! understood · 429 too often, 503 try again, with `Retry-After` · 500 our mistake: logged once, here, never shown.

use std::{borrow::Cow, fmt::Display, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Refusal, RefusalKind};
use eventlog::TransactError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AFTER_POSITIONS_MAX, problem_pages, scrub};

/// Seconds after which to try again.
const RETRY_AFTER_SECONDS: u64 = 1;
/// The same while the disk is full: somebody has to make room.
const DISK_FULL_SECONDS: u64 = 60;

/// Something that did not go well.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<Part>,
    retry_after_seconds: u64,
}

/// A problem's body (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// The page that explains it, e.g. `/problems/not-on-roster`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, always the same for one type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time, and what to do.
    pub detail: String,
    /// Each part that went wrong, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Part>,
}

/// One part that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Which part.
    pub at: String,
    /// Why.
    pub detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after_seconds: RETRY_AFTER_SECONDS }
    }

    /// 401: no token, or not a valid one. Does not say which.
    pub fn unauthenticated() -> Self {
        let detail = "send a valid token: `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }
    /// 403: the caller may not.
    pub fn forbidden(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", why)
    }
    /// 404: nothing there, or not for this organisation.
    pub fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", what)
    }
    /// 405: the path is there, not the method.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "see /docs for what can be asked of this path")
    }
    /// 422: not understood.
    pub fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", what)
    }
    pub(crate) fn malformed_body(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        Self::malformed(scrub::body(error))
    }
    /// 413: more bytes than the operation takes.
    pub fn too_large(max: usize) -> Self {
        let detail = format!("the body has more than {max} bytes, the most that are possible here");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }
    /// 414: a path that is too long.
    pub fn path_too_long(max: usize) -> Self {
        let detail = format!("path and query have more than {max} bytes, the most that are possible");
        Self::new(StatusCode::URI_TOO_LONG, "path-too-long", detail)
    }
    pub(crate) fn media_type(needed: &str) -> Self {
        let detail = format!("send the body as `Content-Type: {needed}`");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail)
    }
    /// 415: a body that is packed.
    pub(crate) fn content_encoding() -> Self {
        let detail = "send the body as it is, without `Content-Encoding`: nothing is unpacked here";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail)
    }
    pub(crate) fn key_missing() -> Self {
        let detail = "send an `Idempotency-Key`: a new random value for each new command, the same when sending again";
        Self::new(StatusCode::BAD_REQUEST, "idempotency-key-missing", detail)
    }
    pub(crate) fn key_malformed(max: usize) -> Self {
        let detail = format!("an `Idempotency-Key` has 1 to {max} visible ASCII characters");
        Self::new(StatusCode::BAD_REQUEST, "idempotency-key-malformed", detail)
    }
    /// 429: asked too often; may be asked again after `wait`.
    pub fn rate_limited(wait: Duration) -> Self {
        let detail = "asked too often; nothing was done; ask again after the seconds in `Retry-After`";
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after_seconds: seconds.max(RETRY_AFTER_SECONDS),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", detail)
        }
    }
    /// 400: no position of this organisation's.
    pub(crate) fn position_unknown() -> Self {
        let detail = format!(
            "`Kith-After` is not what `Kith-Position` said to this organisation: send that back as it is, of several \
             commands up to {AFTER_POSITIONS_MAX}, separated by commas"
        );
        Self::new(StatusCode::BAD_REQUEST, "position-unknown", detail)
    }
    /// Why the domain refused it, if that is what it is; for whoever goes on with something else.
    pub fn refusal(&self) -> Option<&str> {
        [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&self.status).then_some(&*self.detail)
    }
    /// 503: the view lags.
    pub fn not_visible_yet() -> Self {
        let detail = "the view has not come as far as `Kith-After` yet; what was written is safe, read again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-visible-yet", detail)
    }
    /// 503: more requests than can be served at once.
    pub fn overloaded() -> Self {
        let detail = "too many requests at once; send it again, with the same `Idempotency-Key`";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
    }
    /// 503: the disk has no room for it.
    pub fn disk_full() -> Self {
        let detail = "the disk of the server is full, and nothing was done; send it again, with the same \
                      `Idempotency-Key`, when there is room: `/readyz` says how much is left";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk-full", detail);
        Self { retry_after_seconds: DISK_FULL_SECONDS, ..problem }
    }
    /// 503: it took too long.
    pub fn timed_out() -> Self {
        let detail = "it took too long and may have been done: send it again, with the same `Idempotency-Key`";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timed-out", detail)
    }
    /// 503: a part of Kith does not answer.
    pub fn unavailable(error: &impl Display) -> Self {
        tracing::error!(%error, "unavailable");
        let detail = "a part of Kith does not answer; send it again, with the same `Idempotency-Key`";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
    /// 500: our mistake.
    pub fn internal(error: &impl Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a mistake of Kith; the server's log says more")
    }
    /// 404 or 409: the domain forbids it.
    pub fn refused(refusal: &impl Refusal) -> Self {
        let status = match refusal.kind() {
            RefusalKind::Absent => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
        };
        let errors = refusal.parts().into_iter().map(|(at, detail)| Part { at, detail }).collect();
        Self { errors, ..Self::new(status, refusal.code(), refusal.to_string()) }
    }
    /// HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl<R: Refusal> From<TransactError<R>> for Problem {
    fn from(error: TransactError<R>) -> Self {
        match error {
            TransactError::Refused(refusal) => Self::refused(&refusal),
            TransactError::KeyReused => {
                let detail = "another command was sent before with this `Idempotency-Key`; use a new one";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
            }
            TransactError::LostRace => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "lost-race",
                "others were faster, again and again; send it again",
            ),
            TransactError::TooLarge(error) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", error.to_string()),
            TransactError::Unavailable(why) => Self::unavailable(&why),
            TransactError::Unreadable { ref source, .. } => Self::internal(&format!("{error}: {source}")),
        }
    }
}

impl From<vault::VaultError> for Problem {
    fn from(error: vault::VaultError) -> Self {
        match error {
            // Whoever was erased was never here.
            vault::VaultError::Erased => Self::refused(&domain::member::Refusal::Unknown),
            error @ vault::VaultError::Missing(_) => Self::internal(&error),
            vault::VaultError::Unavailable(why) => Self::unavailable(&why),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("/problems/{}", self.code),
            title: problem_pages::title(self.code).to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
            errors: self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, self.retry_after_seconds.into());
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// The problems that any operation can answer with, for `OpenAPI`.
#[derive(Debug, utoipa::IntoResponses)]
#[allow(missing_docs)]
pub enum Problems {
    /// The Idempotency-Key is missing or malformed, or Kith-After is no position
    #[response(status = 400, content_type = "application/problem+json")]
    Key(ProblemBody),
    /// No valid token
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// Not for this caller
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// No such thing in this organisation
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// What holds now forbids it
    #[response(status = 409, content_type = "application/problem+json")]
    Refused(ProblemBody),
    /// Others were faster
    #[response(status = 412, content_type = "application/problem+json")]
    LostRace(ProblemBody),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The path is too long
    #[response(status = 414, content_type = "application/problem+json")]
    PathTooLong(ProblemBody),
    /// The body is not JSON by its content type
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemBody),
    /// Not understood
    #[response(status = 422, content_type = "application/problem+json")]
    Malformed(ProblemBody),
    /// Asked too often
    #[response(status = 429, content_type = "application/problem+json")]
    RateLimited(ProblemBody),
    /// Try again
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// The problems that an operation without a token can answer with, for `OpenAPI`.
#[derive(Debug, utoipa::IntoResponses)]
#[allow(missing_docs)]
pub enum PublicProblems {
    /// Nothing is listed under this name
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The path is too long
    #[response(status = 414, content_type = "application/problem+json")]
    PathTooLong(ProblemBody),
    /// Not understood
    #[response(status = 422, content_type = "application/problem+json")]
    Malformed(ProblemBody),
    /// Asked too often
    #[response(status = 429, content_type = "application/problem+json")]
    RateLimited(ProblemBody),
    /// Try again
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}
