//! `kith token`.

use anyhow::Context;
use jiff::SignedDuration;

use crate::{DataDir, args::Token};

/// A token as asked for.
pub fn make(asked: Token) -> anyhow::Result<String> {
    let ttl = lifetime(&asked.ttl).with_context(|| format!("--ttl {}: say it as 90m or 8h", asked.ttl))?;
    let issuer = DataDir::existing(&asked.data)?.issuer()?;
    let now = crate::clock().now();
    let token = issuer.sign((&asked.org, asked.role, &asked.subject), asked.groups, now, ttl)?;
    if let Some(jti) = issuer.check(&token)?.jti {
        eprintln!("token {jti}: an admin can revoke it by this id");
    }
    Ok(token)
}

/// Days are taken to have 24 hours.
fn lifetime(text: &str) -> Option<SignedDuration> {
    match text.strip_suffix('d') {
        Some(days) => days.parse::<i64>().ok()?.checked_mul(24).and_then(SignedDuration::try_from_hours),
        None => text.parse().ok(),
    }
}
