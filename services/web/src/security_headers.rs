//! Headers that keep browsers from doing with an answer what nobody asked for.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

/// An answer of the API is data: nothing in it is run, framed or fetched.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
/// The explorer needs its own scripts and styles, and to ask this server.
const EXPLORER_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src \
     'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
/// Two years, in seconds.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Which headers answers get.
#[derive(Debug, Clone, Copy)]
pub struct SecurityHeaders {
    /// Whether the listener speaks TLS: then browsers shall never come without.
    pub tls: bool,
}

/// Puts the headers on every answer.
pub async fn add_security_headers(
    State(SecurityHeaders { tls }): State<SecurityHeaders>,
    request: Request,
    next: Next,
) -> Response {
    let explorer = request.uri().path().starts_with("/docs");
    let mut response = next.run(request).await;
    let shared = response.extensions_mut().remove();
    put(response.headers_mut(), explorer, tls);
    if let Some(shared) = shared {
        share(response.headers_mut(), &shared);
    }
    response
}

/// That an answer is for anybody: it may be kept on the way, and used by any page.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// For how long, in seconds.
    pub kept_seconds: u32,
}

fn share(headers: &mut HeaderMap, Shared { kept_seconds }: &Shared) {
    let kept = HeaderValue::from_str(&format!("public, max-age={kept_seconds}")).expect("ASCII");
    headers.insert(CACHE_CONTROL, kept);
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

fn put(headers: &mut HeaderMap, explorer: bool, tls: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    // A page has its own.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(if explorer { EXPLORER_POLICY } else { POLICY });
    if !explorer {
        // What is answered can be about a person, and belongs into nobody's cache.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
}
