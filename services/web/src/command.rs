//! A command over HTTP: who asks, under which idempotency key, for what; and its answer.

use std::marker::PhantomData;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use eventlog::{Cause, Done};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Authenticator, Caller, CallerMay, Problem, authority::Operation, nobody, read::Wrote};

/// Longest body of a command, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;

/// Longest body that is read where it came in, in bytes; longer ones take long enough to be read elsewhere.
const READ_HERE_BYTES_MAX: usize = 16 * 1024;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
pub(crate) const KITH_POSITION: HeaderName = HeaderName::from_static("kith-position");

/// A command by someone who may do `Op`, asking for `T` in at most `MAX` bytes of JSON.
#[derive(Debug)]
pub struct Command<Op, T = Nothing, const MAX: usize = BODY_BYTES_MAX> {
    /// Who asks.
    pub caller: Caller,
    /// How it will be recognised when it is sent again.
    pub cause: Cause,
    /// For what.
    pub body: T,
    /// Whether it is recognised by a digest with somebody's key.
    keyed: bool,
    op: PhantomData<Op>,
}

/// A command whose body is not JSON of bounded small size but up to `MAX` bytes as they are.
#[derive(Debug)]
pub struct LargeCommand<Op, const MAX: usize> {
    /// Who asks.
    pub caller: Caller,
    /// How it will be recognised when it is sent again.
    pub cause: Cause,
    /// The body.
    pub body: Bytes,
    op: PhantomData<Op>,
}

/// The body of a command that needs none.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "nothing, or an object without fields")]
pub struct Nothing {}

impl<S, Op: Operation, T: DeserializeOwned + Send + 'static, const MAX: usize> FromRequest<S> for Command<Op, T, MAX>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let LargeCommand { caller, cause, body, op } =
            receive::<S, Op, MAX>(request, state, Some("application/json")).await?;
        let body = parse_of(&caller, body, &Authenticator::from_ref(state)).await?;
        Ok(Self { caller, cause, body, keyed: false, op })
    }
}

/// A read whose question is in the body, so that no log on the way keeps it. It changes nothing and needs no key.
#[derive(Debug)]
pub struct Search<Op, T> {
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub body: T,
    op: PhantomData<Op>,
}

impl<S, Op: Operation, T: DeserializeOwned + Send + 'static> FromRequest<S> for Search<Op, T>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let CallerMay { caller, .. } = CallerMay::<Op>::from_request_parts(&mut parts, state).await?;
        let body = read_body(&parts, body, BODY_BYTES_MAX, Some("application/json")).await?;
        let body = parse_of(&caller, body, &Authenticator::from_ref(state)).await?;
        Ok(Self { caller, body, op: PhantomData })
    }
}

pub(crate) async fn parse_of<T: DeserializeOwned + Send + 'static>(
    caller: &Caller,
    body: Bytes,
    authenticator: &Authenticator,
) -> Result<T, Problem> {
    authenticator.compute.run_if(body.len() > READ_HERE_BYTES_MAX, caller.asking(), move || parse(&body)).await?
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    nobody::refuse_in(body)?;
    // Who needs nothing may say nothing.
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    // Otherwise the fields of an object could be given by their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::malformed("the body must be a JSON object, not an array"));
    }
    // Where something is, is looked for only when something is wrong: most bodies are right.
    if let Ok(parsed) = serde_json::from_slice(body) {
        return Ok(parsed);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| Problem::malformed_body(&error))?;
    json.end().map_err(|error| Problem::malformed(format!("after the JSON of the body: {error}")))?;
    Ok(parsed)
}

impl<S, Op: Operation, const MAX: usize> FromRequest<S> for LargeCommand<Op, MAX>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        receive::<S, Op, MAX>(request, state, None).await
    }
}

async fn receive<S, Op: Operation, const MAX: usize>(
    request: Request,
    state: &S,
    content_type: Option<&str>,
) -> Result<LargeCommand<Op, MAX>, Problem>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    let (mut parts, body) = request.into_parts();
    let CallerMay { caller, .. } = CallerMay::<Op>::from_request_parts(&mut parts, state).await?;
    let key = idempotency_key(&parts)?.to_owned();
    Authenticator::from_ref(state).rooms.command(&Op::MAY).await?;
    let body = read_body(&parts, body, MAX, content_type).await?;
    let cause = cause(&parts, &caller, &key, &body, &Authenticator::from_ref(state)).await?;
    Ok(LargeCommand { caller, cause, body, op: PhantomData })
}

pub(crate) async fn read_body(
    parts: &Parts,
    body: Body,
    max: usize,
    content_type: Option<&str>,
) -> Result<Bytes, Problem> {
    if parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::content_encoding());
    }
    let body = to_bytes(body, max).await.map_err(|_| Problem::too_large(max))?;
    let given = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    match content_type {
        Some(needed) if !body.is_empty() && !essence.eq_ignore_ascii_case(needed) => Err(Problem::media_type(needed)),
        _ => Ok(body),
    }
}

pub(crate) fn idempotency_key(parts: &Parts) -> Result<&str, Problem> {
    let key = parts.headers.get(IDEMPOTENCY_KEY).ok_or_else(Problem::key_missing)?;
    let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len());
    key.to_str().ok().filter(|_| fits).ok_or_else(|| Problem::key_malformed(IDEMPOTENCY_KEY_CHARS_MAX))
}

pub(crate) async fn cause(
    parts: &Parts,
    caller: &Caller,
    key: &str,
    body: &Bytes,
    authenticator: &Authenticator,
) -> Result<Cause, Problem> {
    let key = digest(&[caller.org.as_str().as_bytes(), caller.subject.as_str().as_bytes(), key.as_bytes()]);
    let query = parts.uri.query().unwrap_or_default();
    let asked = [parts.method.as_str(), path(parts), query].map(str::to_owned);
    let whole = body.clone();
    let fingerprint = move || {
        let [method, path, query] = asked.each_ref().map(String::as_bytes);
        digest(&[method, path, query, &whole])
    };
    let fingerprint = authenticator.compute.run_if(body.len() > BODY_BYTES_MAX, caller.asking(), fingerprint).await?;
    Ok(Cause {
        id: uuid::Builder::from_custom_bytes(key).into_uuid(),
        actor: caller.subject.shared(),
        role: caller.role.as_str(),
        at: authenticator.clock.now(),
        key: Some((key, fingerprint)),
    })
}

/// The path as asked for, not as nested routers see it.
fn path(parts: &Parts) -> &str {
    parts.extensions.get::<axum::extract::OriginalUri>().map_or(parts.uri.path(), |uri| uri.path())
}

fn digest(fields: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// A command that was carried out: its answer, with `Kith-Position` for the next read.
#[derive(Debug)]
pub struct Answer(pub Done);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Done { position, reply, replayed, .. } = self.0;
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
        let mut response = (status, reply.body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::NO_CONTENT {
            headers.remove(CONTENT_TYPE);
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response.extensions_mut().insert(Wrote(position));
        response
    }
}

impl<Op, T, const MAX: usize> Command<Op, T, MAX> {
    /// Recognises the command by a digest with this key from now on, if not by another's already: what is kept of it tells
    /// nothing to anyone without the key.
    pub fn recognise_by(&mut self, key: &vault::Key) {
        self.recognise_by_all([key]);
    }

    /// As [`Self::recognise_by`], with each of these keys in turn: what is kept of it tells nothing any more once one of
    /// them is destroyed, to whoever has the others.
    pub fn recognise_by_all<'a>(&mut self, keys: impl IntoIterator<Item = &'a vault::Key>) {
        let Some((receipt, fingerprint)) = self.cause.key.as_mut().filter(|_| !self.keyed) else { return };
        for key in keys {
            // With the key of the receipt: else the same body had the same digest whenever it is sent, and equal answers
            // were seen to be equal.
            let digest = key.digest(&[&receipt[..], &fingerprint[..]].concat());
            fingerprint.copy_from_slice(&digest[..16]);
            self.keyed = true;
        }
    }

    /// The id of the thing `what` that this command makes: the same whenever the same command is sent.
    pub fn new_id(&self, what: &str) -> Uuid {
        Uuid::new_v5(&self.cause.id, what.as_bytes())
    }
}
