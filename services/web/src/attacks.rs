//! What comes with a request, made by somebody who means harm: no header, token, key, cursor or body panics, and
//! nobody is taken for somebody else.

use std::sync::LazyLock;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts},
    http::{HeaderName, HeaderValue, Request, header::AUTHORIZATION},
};
use domain::{GroupId, OrgId};
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::Index};
use tokio::runtime::Builder;
use uuid::Uuid;

use crate::{After, Authenticator, CallerMay, Clock, Command, Issuer, Nothing, PageQuery, Problem, Role};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

// Made once: signatures take long where nothing is optimised.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(&[1; 32]));
static AUTHENTICATOR: LazyLock<Authenticator> =
    LazyLock::new(|| Authenticator::new(ISSUER.clone(), Clock::new(|| NOW)));
static TOKEN: LazyLock<String> =
    LazyLock::new(|| ISSUER.sign((&org(), Role::Admin, "ann"), vec![], NOW, SignedDuration::from_hours(1)).unwrap());

fn org() -> OrgId {
    "acme".parse().unwrap()
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A request with these headers, as far as HTTP takes them.
fn request(headers: &[(HeaderName, &[u8])], body: Vec<u8>) -> Option<Request<Body>> {
    let mut request = Request::post("/").header("content-type", "application/json").body(Body::from(body)).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(request)
}

/// Two of the operations there are.
#[allow(dead_code)] // their list
mod op {
    crate::operations! {
        ListGroups = "list_groups": Admin Coordinator Facilitator Auditor;
        OpenMeeting = "open_meeting": Admin Coordinator Facilitator;
    }
}

/// Who is let in with this header.
fn caller(authorization: &[u8]) -> Option<Result<CallerMay<op::ListGroups>, Problem>> {
    let (mut parts, _) = request(&[(AUTHORIZATION, authorization)], vec![])?.into_parts();
    Some(wait_for(CallerMay::from_request_parts(&mut parts, &*AUTHENTICATOR)))
}

/// The answer to a command with this key and body.
fn command(key: &[u8], body: &[u8]) -> Option<Result<Command<op::OpenMeeting, Nothing>, Problem>> {
    let authorization = format!("Bearer {}", *TOKEN);
    let headers = [(AUTHORIZATION, authorization.as_bytes()), (HeaderName::from_static("idempotency-key"), key)];
    Some(wait_for(Command::from_request(request(&headers, body.to_vec())?, &*AUTHENTICATOR)))
}

/// Bytes in which some were replaced by others.
fn spliced(bytes: &[u8], changes: &[(Index, usize, Vec<u8>)]) -> Vec<u8> {
    changes.iter().fold(bytes.to_vec(), |mut bytes, (at, cut, put)| {
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..(at + cut).min(bytes.len()), put.iter().copied());
        bytes
    })
}

fn changes() -> impl Strategy<Value = Vec<(Index, usize, Vec<u8>)>> {
    let put =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..4), "[A-Za-z0-9_.=-]{0,4}".prop_map(String::into_bytes)];
    prop::collection::vec((any::<Index>(), 0usize..8, put), 1..4)
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "[!-~]{0,300}".prop_map(String::into_bytes),
        "[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,200}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_that_was_changed_anywhere_is_nobodys(changes in changes()) {
        let changed = spliced(TOKEN.as_bytes(), &changes);
        prop_assume!(changed != TOKEN.as_bytes());
        if let Ok(text) = std::str::from_utf8(&changed) {
            prop_assert!(ISSUER.check(text).is_err(), "{text}");
        }
        let header = [b"Bearer ", &changed[..]].concat();
        // White space around a token is no part of it.
        let same = changed.trim_ascii() == TOKEN.as_bytes();
        prop_assert!(same || caller(&header).is_none_or(|caller| caller.is_err()));
    }

    #[test]
    fn no_other_header_lets_anybody_in(value in noise(), scheme in "[A-Za-z]{0,8}", changes in changes()) {
        let good = format!("Bearer {}", *TOKEN);
        let other = [scheme.as_bytes(), b" ", TOKEN.as_bytes()].concat();
        prop_assert!(caller(good.as_bytes()).unwrap().is_ok());
        prop_assert!(caller(&value).is_none_or(|caller| caller.is_err()));
        prop_assert!(scheme.eq_ignore_ascii_case("bearer") || caller(&other).is_none_or(|caller| caller.is_err()));
        let _ = caller(&spliced(good.as_bytes(), &changes));
    }

    #[test]
    fn a_token_says_what_it_was_made_to_say(
        subject in "\\PC{0,140}", role in prop::sample::select(&Role::ALL[..]),
        groups in prop::collection::vec(any::<u128>(), 0..70), seconds in -5i64..8_000_000,
    ) {
        let groups: Vec<_> = groups.into_iter().map(|id| GroupId(Uuid::from_u128(id))).collect();
        let ttl = SignedDuration::from_secs(seconds);
        if let Ok(token) = ISSUER.sign((&org(), role, &subject), groups.clone(), NOW, ttl) {
            let claims = ISSUER.check(&token).unwrap();
            prop_assert_eq!((claims.sub, claims.role, claims.groups), (subject.parse().unwrap(), role, groups));
        }
    }

    #[test]
    fn any_key_is_one_command_or_a_problem_and_another_key_is_another_command(key in noise(), other in noise()) {
        let (Some(first), Some(again), Some(second)) = (command(&key, b"{}"), command(&key, b"{}"), command(&other, b"{}"))
        else { return Ok(()) };
        if let (Ok(first), Ok(again)) = (&first, again) {
            prop_assert!((1..=crate::IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len()));
            prop_assert_eq!(&first.cause.key, &again.cause.key);
        }
        if let (Ok(first), Ok(second)) = (first, second) {
            prop_assert_eq!(first.cause.id == second.cause.id, key == other);
        }
    }

    #[test]
    fn any_body_is_understood_or_a_problem(body in prop_oneof![noise(), "[\\[\\]{}\",:0-9a]{0,200}".prop_map(String::into_bytes)]) {
        let answered = command(b"k", &body).unwrap();
        let object = serde_json::from_slice::<serde_json::Map<_, _>>(&body).is_ok_and(|fields| fields.is_empty());
        prop_assert!(answered.is_err() || body.is_empty() || object);
    }

    #[test]
    fn any_position_is_one_or_a_problem(value in prop_oneof![noise(), "[+-]?[0-9]{0,24}".prop_map(String::into_bytes)]) {
        let Some(request) = request(&[(HeaderName::from_static("kith-after"), &value)], vec![]) else { return Ok(()) };
        let (mut parts, _) = request.into_parts();
        // Of whom nobody knows who they are, nothing is opened: what is no position of theirs is for nothing to wait for.
        if let Ok(After(position)) = wait_for(After::from_request_parts(&mut parts, &())) {
            prop_assert_eq!(position, eventlog::Position::START);
        }
    }

    #[test]
    fn any_cursor_is_one_or_a_problem(
        limit in any::<Option<u16>>(),
        after in prop_oneof!["\\PC{0,600}", "[\\[\\]\"{},:0-9a-f-]{0,80}", "\\[-?[0-9]{0,20},\"[0-9a-f-]{36}\"\\]"],
    ) {
        let query = PageQuery { limit, after: Some(after.clone()) };
        prop_assert_eq!(query.limit().is_ok(), limit.is_none_or(|limit| (1..=crate::PAGE_ROWS_MAX).contains(&limit)));
        if let Ok(Some(key)) = query.after::<(i64, GroupId)>() {
            let again = PageQuery { limit, after: Some(serde_json::to_string(&key).unwrap()) };
            prop_assert_eq!(again.after::<(i64, GroupId)>().unwrap(), Some(key));
        }
        let _ = (query.after::<GroupId>(), query.after::<(String, GroupId)>());
    }
}
