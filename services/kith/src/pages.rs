//! Pages for people without an account. Each is one file; what it shows, it asks the API for.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};
use host::Page;
use uuid::Builder;

/// All of them. `chance` draws random bytes: chance is an argument.
pub(crate) fn router(pages: &[Page], chance: fn() -> [u8; 32]) -> Router {
    pages.iter().copied().fold(Router::new(), |router, Page { path, html }| {
        router.route(path, get(move || async move { show(html, &nonce(chance())) }))
    })
}

/// 128 bits that nobody can guess.
fn nonce(chance: [u8; 32]) -> String {
    let [first, ..] = chance.as_chunks::<16>().0 else { unreachable!("32 are twice 16") };
    Builder::from_bytes(*first).into_uuid().simple().to_string()
}

/// The page, in which only what has this nonce is run and styled.
fn show(html: &str, nonce: &str) -> impl IntoResponse + use<> {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; form-action \
         'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("ASCII");
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html.replace("{nonce}", nonce)))
}
